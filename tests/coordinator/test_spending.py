"""What conversations cost: totals that grow, told again and again, become sums without counting anything twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from pucs.agents.output import Spent
from pucs.coordinator.agents import register
from pucs.coordinator.context import Context
from pucs.coordinator.log import entries
from pucs.coordinator.spending import ACTION, Amount, spent, totals
from pucs.crosslog.records import Query
from pucs.streams.records import Session, SessionState, Stream, StreamRow
from pucs.streams.settings import Configuration
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from pucs.coordinator.ports import Git
    from tests.conftest import Kept


@pytest.fixture
def context(kept: Kept) -> Context:
    clock = FakeClock()
    made = Context(
        store=kept(clock),
        clock=clock,
        processes=FakeProcesses(),
        bells=FakeBells(),
        git=cast("Git", None),
        door="test",
    )
    shop = Stream(name="Shop", files_pattern=("shop/**",), max_agents=9)
    with made.store.transaction() as tx:
        tx.sessions.put(
            Session(id="S", state=SessionState.ACTIVE, base="b", target="main", branch="s", started_at="now")
        )
        tx.sessions.put_configuration(Configuration(streams=(shop,)))
        tx.sessions.put_stream(StreamRow(session="S", stream=shop, branch="b/shop"))
    register(made, agent="one", stream="Shop")
    return made


def told(
    context: Context,
    tokens: int,
    cost_usd: float | None = None,
    *,
    agent: str = "one",
    task: str = "T-1",
    conversation: str = "c",
) -> None:
    """Tell a total of a conversation: so many tokens in, a tenth from a cache, a tenth out."""
    report = Spent(
        input_tokens=tokens, cached_tokens=tokens // 10, output_tokens=tokens // 10, cost_usd=cost_usd
    )
    spent(context, agent=agent, task=task, program="codex", conversation=conversation, spent=report)


def test_report_is_an_entry(context: Context) -> None:
    """Who, for which task, in which conversation, and the totals as they were told."""
    told(context, 100, 0.5)
    (entry,) = entries(context, Query(actions=(ACTION,)))
    assert (entry.agent, entry.stream) == ("one", "Shop")
    assert entry.details == {
        "door": "test",
        "task": "T-1",
        "program": "codex",
        "conversation": "c",
        "input_tokens": 100,
        "cached_tokens": 10,
        "output_tokens": 10,
        "cost_usd": 0.5,
    }


def test_totals_of_one_conversation_are_not_added_up(context: Context) -> None:
    """The highest total counts, whether it is told again or an older one comes late."""
    for tokens, cost in ((100, 0.5), (300, 1.25), (300, 1.25), (200, 0.75)):
        told(context, tokens, cost)
    assert totals(context).all == Amount(input_tokens=300, cached_tokens=30, output_tokens=30, cost_usd=1.25)


def test_conversations_are_added_up_by_agent_and_task(context: Context) -> None:
    """What a conversation grows by goes to the task it was told for, also when another agent takes it up."""
    told(context, 100, 1.0)
    told(context, 150, 1.5, task="T-2")
    told(context, 1000, 2.0, conversation="d", agent="two", task="T-2")
    told(context, 170, 1.75, agent="two", task="")
    found = totals(context)
    assert found.all.input_tokens == 1170
    assert {name: amount.input_tokens for name, amount in found.agents.items()} == {"one": 150, "two": 1020}
    assert {name: amount.cost_usd for name, amount in found.tasks.items()} == {"T-1": 1.0, "T-2": 2.5}


def test_unknown_cost_is_shown_as_unknown(context: Context) -> None:
    """A program that does not say what it costs makes the sum a lower bound, and says by how many tokens."""
    told(context, 100)
    assert totals(context).document()["cost_usd"] is None
    told(context, 200, 0.25, conversation="d")
    document = totals(context).document()
    assert (document["cost_usd"], document["unpriced_tokens"]) == (0.25, 120)
    assert document["agents"]["one"]["input_tokens"] == 300
    assert document["tasks"]["T-1"]["cost_usd"] == 0.25


def test_nothing_spent_costs_nothing(context: Context) -> None:
    """A session without agent programs has a sum of zero, which is known."""
    assert totals(context).document() == {
        "input_tokens": 0,
        "cached_tokens": 0,
        "output_tokens": 0,
        "cost_usd": 0.0,
        "unpriced_tokens": 0,
        "agents": {},
        "tasks": {},
    }
    told(context, 5)
    assert totals(context, session="another").all == Amount()
