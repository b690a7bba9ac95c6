"""Patterns of a session: what the verb looks at, and what it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pucs.coordinator import agents, leases
from pucs.coordinator.context import Context, unit
from pucs.coordinator.log import log
from pucs.coordinator.patterns import detect
from pucs.coordinator.status import status
from pucs.core.severities import Severity
from pucs.crosslog.patterns import Pattern, PatternKind
from pucs.crosslog.records import Entry, Level
from pucs.streams.records import Session, SessionState
from pucs.streams.settings import Configuration, Limits
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from tests.conftest import Kept

LONG = Limits(default_duration_s=90_000.0, max_duration_s=90_000.0, queue_timeout_s=90_000.0)


class World:
    """A session under a test's control, with leases that last for a day."""

    def __init__(self, kept: Kept) -> None:
        self.clock, self.processes, self.bells = FakeClock(), FakeProcesses(), FakeBells()
        self.context = Context(
            store=kept(self.clock),
            clock=self.clock,
            processes=self.processes,
            bells=self.bells,
            git=cast("Any", None),
            door="test",
        )
        with self.context.store.transaction() as tx:
            tx.sessions.put(
                Session(id="S", state=SessionState.ACTIVE, base="b", target="", branch="s", started_at="")
            )
            tx.sessions.put_configuration(Configuration(limits=LONG))

    def change(self, agent: str, file: str = "a.py") -> None:
        """Let an agent say that it changed a file."""
        log(self.context, agent=agent, action="changed", files=[file])

    def kinds(self, **named: Any) -> list[PatternKind]:
        """Return the kinds of what is found."""
        return [pattern.kind for pattern in detect(self.context, **named)]

    def only(self, kind: PatternKind) -> Pattern:
        """Return the one pattern of a kind."""
        (found,) = (pattern for pattern in detect(self.context) if pattern.kind is kind)
        return found


@pytest.fixture
def world(kept: Kept) -> World:
    return World(kept)


def test_without_a_session_there_is_nothing_to_see(world: World) -> None:
    """Neither in a store without any, nor in a session that nothing happened in."""
    assert detect(replace(world.context, session="none")) == ()
    assert detect(world.context) == ()


def test_agents_who_share_a_file_are_found_in_the_log(world: World) -> None:
    """With the entries that show it, and counted in the status."""
    for agent in ("ann", "bob", "ann", "bob"):
        world.change(agent)
    assert world.kinds() == [PatternKind.PING_PONG, PatternKind.SHARED_FILE]
    found = world.only(PatternKind.SHARED_FILE)
    with world.context.store.read() as tx:
        first = tx.entries.first_since("2025")
        assert first <= found.evidence[0] < found.evidence[-1] <= tx.entries.count()
    assert status(world.context)["patterns"] == {"low": 1, "medium": 1, "high": 0}


def test_only_the_window_is_looked_at(world: World) -> None:
    """What is older than the window is history; a longer window sees it."""
    world.change("ann")
    world.change("bob")
    world.clock.pass_s(3601.0)
    world.change("cid")
    assert world.kinds() == []
    assert world.kinds(since_s=7200.0) == [PatternKind.SHARED_FILE]


def test_imported_entries_count_for_their_own_time(world: World) -> None:
    """An old line that was read in just now is no new happening."""
    with world.context.store.transaction() as tx:
        for agent in ("ann", "bob"):
            tx.entries.add(
                Entry(
                    timestamp="2025-12-06T09:59:59.000Z" if agent == "ann" else "2024-12-06T00:00:00.000Z",
                    session="S",
                    agent=agent,
                    stream="",
                    level=Level.CHANGE,
                    action="changed",
                    files=("a.py",),
                )
            )
    assert world.kinds() == []


def test_other_sessions_are_other_stories(world: World) -> None:
    """Entries of another session are not mixed in."""
    world.change("ann")
    with world.context.store.transaction() as tx:
        stranger = Entry(
            timestamp=world.clock.now().wall(),
            session="T",
            agent="bob",
            stream="",
            level=Level.CHANGE,
            action="changed",
            files=("a.py",),
        )
        tx.entries.add(stranger)
    assert world.kinds() == []


def test_refusals_become_a_conflict_rate(world: World) -> None:
    """Five conflicts against few grants."""
    with unit(world.context) as opened:
        for _ in range(5):
            opened.log("boundary refused", agent="ann", level=Level.CONFLICT, files=["x.py"])
    leases.acquire(world.context, agent="ann", resources=["a.py"])
    assert "5 conflicts met 1 grants" in world.only(PatternKind.CONFLICT_RATE).message


def test_a_lease_that_runs_out_is_abandoned(world: World) -> None:
    """Once somebody has met it and ended it; the agent and the file are named."""
    leases.acquire(world.context, agent="ann", resources=["a.py"], duration_s=60.0)
    world.clock.pass_s(61.0)
    leases.cleanup(world.context)
    found = world.only(PatternKind.ABANDONED_LEASE)
    assert (found.agents, found.files, found.severity) == (("ann",), ("a.py",), Severity.MEDIUM)


def test_a_silent_holder_is_told_after_a_while(world: World) -> None:
    """Its newest sign counts: a grant, a heartbeat, a word in the log; a living process needs none."""
    leases.acquire(world.context, agent="ann", resources=["a.py"])
    agents.register(world.context, agent="bob", owner=FakeProcesses.process(7))
    leases.acquire(world.context, agent="bob", resources=["b.py"])
    world.clock.pass_s(899.0)
    assert world.kinds() == []
    world.clock.pass_s(2.0)
    assert world.only(PatternKind.ABANDONED_LEASE).agents == ("ann",)
    agents.heartbeat(world.context, agent="ann")
    assert world.kinds() == []
    world.clock.pass_s(901.0)
    world.change("ann")
    assert world.kinds() == []


def test_a_dead_holder_is_told_at_once(world: World) -> None:
    """Its process is gone, and nobody has met its lease yet."""
    owner = FakeProcesses.process(7)
    agents.register(world.context, agent="ann", owner=owner)
    leases.acquire(world.context, agent="ann", resources=["a.py"])
    world.processes.kill(owner)
    assert "is gone and still holds 1" in world.only(PatternKind.ABANDONED_LEASE).message


def test_a_long_wait_starves_while_it_lasts(world: World) -> None:
    """Seen by others during the wait, and over with it."""
    agents.register(world.context, agent="ann", owner=FakeProcesses.process(7))
    leases.acquire(world.context, agent="ann", resources=["a.py"])
    seen: list[list[PatternKind]] = []

    def look(_: float) -> None:
        world.clock.pass_s(61.0)
        seen.append(world.kinds())

    world.bells.during = look
    assert not leases.acquire(world.context, agent="zoe", resources=["a.py"], wait_s=70.0).granted
    assert seen[0] == [PatternKind.STARVATION]
    assert world.kinds() == []


def test_reading_is_bounded(world: World) -> None:
    """Of each kind only the newest so many are looked at."""
    world.change("ann")
    world.change("bob")
    world.change("bob")
    assert world.kinds(limit=2) == []
    assert world.kinds(limit=3) == [PatternKind.SHARED_FILE]
