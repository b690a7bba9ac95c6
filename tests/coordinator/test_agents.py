"""Agents as callers see them: ids, owners, incarnations, streams, phases, heartbeats and the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pucs.agents.records import Phase
from pucs.conflicts.records import Kind, Status
from pucs.coordinator.agents import (
    agents,
    checked_name,
    claim_stream,
    heartbeat,
    place,
    register,
    retire,
)
from pucs.coordinator.conflicts import conflicts, decide_in, record
from pucs.coordinator.context import Context, unit
from pucs.coordinator.inspecting import locks
from pucs.coordinator.leases import acquire
from pucs.coordinator.log import ACTION_LENGTH_MAX, entries, log
from pucs.coordinator.status import agents_document, state, status
from pucs.core.errors import NotFound, Refused, Usage
from pucs.crosslog.records import Level, Query
from pucs.streams.records import Session, SessionState, Stream, StreamRow
from pucs.streams.settings import Configuration
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from pucs.coordinator.ports import Git
    from tests.conftest import Kept


@pytest.fixture
def processes() -> FakeProcesses:
    return FakeProcesses()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def context(processes: FakeProcesses, clock: FakeClock, kept: Kept) -> Context:
    made = Context(
        store=kept(clock),
        clock=clock,
        processes=processes,
        bells=FakeBells(),
        git=cast("Git", None),
        door="test",
    )
    shop = Stream(name="Shop", files_pattern=("shop/**",), max_agents=1)
    with made.store.transaction() as tx:
        tx.sessions.put(
            Session(id="S", state=SessionState.ACTIVE, base="b", target="main", branch="s", started_at="now")
        )
        tx.sessions.put_configuration(Configuration(streams=(shop,)))
        tx.sessions.put_stream(StreamRow(session="S", stream=shop, branch="b/shop"))
    return made


def actions(context: Context) -> list[str]:
    return [entry.action for entry in entries(context, Query())]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "../up",
        "a/b",
        "-rf",
        ".hidden",
        "a..b",
        "end.",
        "x.lock",
        "a\n",
        "a\x1b[0m",
        "é",
        "x" * 65,
        "a\udcff",
    ],
)
def test_names_that_are_not_safe_everywhere_are_refused(context: Context, name: str) -> None:
    """An agent's id becomes part of branches, directories and terminals."""
    with pytest.raises(Usage, match="agent id"):
        register(context, agent=name)
    assert agents(context) == []


def test_a_plain_name_is_taken_as_it_is() -> None:
    """Letters, digits, dots, dashes and underscores."""
    assert checked_name("exec-agent_1.b") == "exec-agent_1.b"


def test_registering_again_changes_nothing(context: Context, processes: FakeProcesses) -> None:
    """A retry by the same owner finds itself registered."""
    owner = processes.process(50)
    first = register(context, agent="ann", stream="shop", owner=owner)
    assert register(context, agent="ann", owner=owner) == first
    assert (first.stream, first.phase, first.incarnation) == ("Shop", Phase.CLAIM_STREAM, 1)


def test_an_id_of_a_living_process_is_refused(context: Context, processes: FakeProcesses) -> None:
    """Two processes do not act under one name."""
    register(context, agent="ann", owner=processes.process(50))
    with pytest.raises(Refused, match="alive in process 50"):
        register(context, agent="ann", owner=processes.process(51))


def test_an_agent_of_the_command_line_is_adopted_with_its_leases(
    context: Context, processes: FakeProcesses
) -> None:
    """Who leased by hand and goes on in a program keeps what it holds."""
    answer = acquire(context, agent="ann", resources=("notes.txt",))
    adopted = register(context, agent="ann", owner=processes.process(9))
    assert (adopted.incarnation, adopted.owner) == (1, processes.process(9))
    assert [lease.token for lease in locks(context)] == list(answer.tokens.values())


def test_a_dead_owners_id_comes_back_as_the_next_incarnation(
    context: Context, processes: FakeProcesses
) -> None:
    """What the old one held is free again, and the place of its work is remembered."""
    dead = processes.process(50)
    register(context, agent="ann", owner=dead, worktree="/w", branch="b")
    acquire(context, agent="ann", resources=["a.py"])
    processes.kill(dead)
    back = register(context, agent="ann", owner=processes.process(51))
    assert (back.incarnation, back.worktree, back.branch) == (2, "/w", "b")
    assert locks(context) == []
    assert "lease reclaimed" in actions(context)


def test_a_stream_takes_no_more_agents_than_it_allows(context: Context) -> None:
    """Until one of them retires; streams match without regard to case."""
    register(context, agent="ann", stream="SHOP")
    register(context, agent="bob")
    with pytest.raises(Refused, match="has its 1 agents already: ann"):
        claim_stream(context, agent="bob", stream="shop")
    retire(context, agent="ann")
    assert claim_stream(context, agent="bob", stream="shop").stream == "Shop"


def test_a_stream_that_is_none_is_named(context: Context) -> None:
    """The message lists those there are."""
    with pytest.raises(NotFound, match=r"no stream 'bank'\. Streams: Shop"):
        register(context, agent="ann", stream="bank")
    assert agents(context) == []


def test_a_heartbeat_renews_and_tells_what_is_held(context: Context, clock: FakeClock) -> None:
    """Leases of an agent that shows life go on."""
    acquire(context, agent="ann", resources=["a.py"], duration_s=10)
    clock.pass_s(8)
    assert heartbeat(context, agent="ann") == ["a.py"]
    clock.pass_s(8)
    assert [lease.agent for lease in locks(context)] == ["ann"]


def test_an_agent_that_ended_acts_no_more(context: Context) -> None:
    """Its leases are given up, and only registering again brings it back."""
    acquire(context, agent="ann", resources=["a.py"])
    ended = retire(context, agent="ann", failed=True, reason="killed")
    assert ended.phase is Phase.FAILED
    assert retire(context, agent="ann") == ended
    assert locks(context) == []
    with pytest.raises(Refused, match="has ended"):
        acquire(context, agent="ann", resources=["a.py"])
    assert register(context, agent="ann").incarnation == 2
    with pytest.raises(NotFound):
        retire(context, agent="nobody")


def test_a_place_of_work_is_recorded(context: Context) -> None:
    """With its entry."""
    register(context, agent="ann")
    assert place(context, agent="ann", worktree="/w", branch="b").worktree == "/w"
    assert actions(context)[-1] == "worktree ready"


def test_an_agent_writes_into_the_log_in_its_own_words(context: Context) -> None:
    """The door stays what it is, whatever the details say."""
    log(context, agent="ann", action="moved a class", files=["a.py"], details={"door": "forged", "n": 1})
    said = entries(context, Query(file="a.py"))[-1]
    assert (said.action, said.level, said.details) == (
        "moved a class",
        Level.CHANGE,
        {"door": "test", "n": 1},
    )
    for wrong in ("", "  ", "x" * (ACTION_LENGTH_MAX + 1)):
        with pytest.raises(Usage):
            log(context, agent="ann", action=wrong)


def test_a_conflict_keeps_its_first_decision(context: Context) -> None:
    """Closing twice changes nothing, and one with a decision is closed from the start."""
    with unit(context) as opened:
        number = record(opened, Kind.SEMANTIC, ("ann", "", "ann", "bob"), ("a.py",), why="tests")
        decide_in(opened, number, "first")
        decide_in(opened, number, "second")
        decide_in(opened, 999, "nobody's")
        record(opened, Kind.BOUNDARY, ("ann",), ("b.py",))
    closed, left = conflicts(context)
    assert (closed.status, closed.decision, closed.parties) == (Status.RESOLVED, "first", ("ann", "bob"))
    assert conflicts(context, unresolved=True) == [left]


def test_the_status_shows_unknown_as_unknown(context: Context, processes: FakeProcesses) -> None:
    """Alive, dead, ended or unknown: nothing is guessed."""
    for name, pid in (("alive", 50), ("dead", 51), ("elsewhere", 52)):
        register(context, agent=name, owner=processes.process(pid))
    register(context, agent="person")
    retire(context, agent=register(context, agent="ended").id)
    processes.kill(processes.process(51))
    processes.unknown.add(processes.process(52))
    shown = {agent["id"]: agent["life"] for agent in agents_document(context)}
    assert shown == {
        "alive": "alive", "dead": "dead", "elsewhere": "unknown", "person": "unknown", "ended": "ended"
    }  # fmt: skip


def test_the_documents_tell_of_streams_locks_and_log(context: Context) -> None:
    """At a glance, and as seed 000 §3.2 draws it."""
    acquire(context, agent="ann", resources=["shop/a.py"], stream="shop", task="VAT")
    short: dict[str, Any] = status(context)
    assert short["session"] == "S"
    assert [lock["resource"] for lock in short["locks"]] == ["shop/a.py"]
    assert short["streams"][0]["agents"] == ["ann"]
    whole: dict[str, Any] = state(context)
    assert whole["session_id"] == "S"
    assert whole["streams"]["Shop"]["locked_files"][0]["intent"] == "VAT"
    assert whole["cross_log"][-1]["action"] == "lock granted"
