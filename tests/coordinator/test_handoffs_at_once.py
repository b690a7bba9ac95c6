"""Many hand-offs, messages and acceptances at the same moment, on every store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

import pytest

from pucs.coordinator.agents import register
from pucs.coordinator.context import Context
from pucs.coordinator.handoffs import accept, hand_off, handoffs
from pucs.coordinator.inspecting import locks
from pucs.coordinator.leases import acquire
from pucs.coordinator.messages import messages
from pucs.coordinator.posting import send
from pucs.core.errors import Refused
from pucs.messages.handoffs import Contents
from pucs.streams.records import Session, SessionState
from pucs.streams.settings import Configuration
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.coordinator.ports import Git, Store

AGENTS = 8
TOLD = Contents(completed=("x",), test_status="ok")


@pytest.fixture
def context(place: str, opened: Callable[..., Store]) -> Context:
    """A session of nine agents."""
    clock = FakeClock()
    made = Context(
        store=opened(place, clock),
        clock=clock,
        processes=FakeProcesses(),
        bells=FakeBells(),
        git=cast("Git", None),
        door="test",
    )
    with made.store.transaction() as tx:
        tx.sessions.put(
            Session(id="S", state=SessionState.ACTIVE, base="b", target="main", branch="s", started_at="now")
        )
        tx.sessions.put_configuration(Configuration())
    for number in range(AGENTS):
        register(made, agent=f"a{number}", program="client")
    register(made, agent="ann", program="client")
    return made


def test_one_of_many_takes_a_hand_off(context: Context) -> None:
    """Leases go to one receiver, whoever comes first; the others are told by whom it was accepted."""
    acquire(context, agent="ann", resources=["a.py", "d/"])
    number = hand_off(context, agent="ann", contents=TOLD).id

    refusals: list[str] = []

    def take(name: str) -> dict[str, int]:
        try:
            return accept(context, agent=name, handoff=number).tokens
        except Refused as error:
            refusals.append(error.message)
            return {}
        finally:
            context.store.close()

    with ThreadPoolExecutor(AGENTS) as pool:
        taken = [tokens for tokens in pool.map(take, [f"a{n}" for n in range(AGENTS)]) if tokens]
    assert [sorted(tokens) for tokens in taken] == [["a.py", "d/"]]
    assert {lease.resource: lease.token for lease in locks(context)} == taken[0]
    assert len({lease.agent for lease in locks(context)}) == 1
    assert len(refusals) == AGENTS - 1
    assert all("is accepted by a" in told for told in refusals)


def test_hand_offs_and_messages_given_at_once_are_all_there(context: Context) -> None:
    """None overwrites another."""

    def give(name: str) -> tuple[int, int]:
        try:
            given = hand_off(context, agent=name, to=["ann"], contents=TOLD, transfer=False).id
            return given, send(context, agent=name, to="ann", text=f"from {name}")
        finally:
            context.store.close()

    names = [f"a{number}" for number in range(AGENTS)]
    with ThreadPoolExecutor(AGENTS) as pool:
        made = list(pool.map(give, names))
    assert len(set(made)) == AGENTS
    assert sorted(one.giver for one in handoffs(context, pending=True, agent="ann")) == names
    said = [one.text for one in messages(context, agent="ann") if one.text.startswith("from")]
    assert sorted(said) == [f"from {name}" for name in names]
