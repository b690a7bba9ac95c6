"""Resolving what needs no git: waits, plans that overlap, boundaries, what others build on; deadlines and hostile input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pucs.conflicts.records import Kind, Resolution, Severity, Status, Strategy
from pucs.coordinator import resolving
from pucs.coordinator.agents import register
from pucs.coordinator.conflicts import apply_defaults, conflicts, decide_in, record, settle_in
from pucs.coordinator.context import Context, unit
from pucs.coordinator.leases import acquire, release
from pucs.coordinator.resolving import explained, resolve
from pucs.core.errors import NotFound, Refused, Usage
from pucs.crosslog.records import Query
from pucs.messages.records import MessageKind
from pucs.streams.records import CriticalFile, Session, SessionState, Stream, StreamRow
from pucs.streams.settings import Configuration
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Kept


STREAMS = (
    Stream(name="shop", files_pattern=("shop/**",)),
    Stream(name="lib", files_pattern=("lib/**",)),
)


class World:
    """A session with two streams and two agents."""

    def __init__(self, kept: Kept) -> None:
        self.clock, self.bells = FakeClock(), FakeBells()
        self.context = Context(
            store=kept(self.clock),
            clock=self.clock,
            processes=FakeProcesses(),
            bells=self.bells,
            git=cast("Any", None),
            door="test",
        )
        with self.context.store.transaction() as tx:
            tx.sessions.put(
                Session(
                    id="S", state=SessionState.ACTIVE, base="b" * 40, target="", branch="s", started_at=""
                )
            )
            tx.sessions.put_configuration(
                Configuration(
                    streams=STREAMS,
                    critical_files=(CriticalFile(path="settings.py", max_lock_duration_s=60.0),),
                    arbitration_timeout_s=900.0,
                )
            )
            for stream in STREAMS:
                tx.sessions.put_stream(StreamRow(session="S", stream=stream, branch=f"b/{stream.name}"))
        for agent in ("ann", "bob"):
            register(self.context, agent=agent, stream="shop")

    def clash(
        self,
        kind: Kind,
        parties: Sequence[str] = ("bob", "ann"),
        resources: Sequence[str] = ("shop/a.txt",),
        **more: Any,
    ) -> int:
        """Record an open conflict."""
        with unit(self.context) as opened:
            return record(opened, kind, parties, resources, **more)

    def get(self, number: int) -> Any:
        """Return a record as it stands."""
        with self.context.store.read() as tx:
            return tx.conflicts.get(number)

    def alerts(self, agent: str) -> list[Any]:
        """Return what an agent was told of conflicts."""
        with self.context.store.read() as tx:
            return [one for one in tx.messages.open(agent, "S") if one.kind is MessageKind.CONFLICT_ALERT]


@pytest.fixture
def world(kept: Kept) -> World:
    return World(kept)


def test_a_wait_is_left_to_the_queue(world: World) -> None:
    """The one who waits is told its place; the record closes when it is served, not before."""
    acquire(world.context, agent="ann", resources=("shop/a.py",))
    seen: list[Resolution] = []

    def during(_: float) -> None:
        if not seen:
            (waiting,) = conflicts(world.context, unresolved=True)
            seen.append(resolve(world.context, conflict=waiting.id))
            release(world.context, agent="ann")

    world.bells.during = during
    assert acquire(world.context, agent="bob", resources=("shop/a.py",), wait_s=60).granted
    (answer,) = seen
    assert (answer.strategy, answer.status) == (Strategy.QUEUE, Status.OPEN)
    assert "bob waits in the queue (1 in line)" in answer.message
    assert "granted" in world.get(answer.conflict).decision


def test_a_wait_never_times_out_into_a_decision(world: World) -> None:
    """Whoever waits keeps its place; only the queue closes its record."""
    number = world.clash(Kind.FILE_LOCK)
    world.clock.pass_s(10_000)
    assert apply_defaults(world.context) == []
    assert world.get(number).status is Status.OPEN


def test_a_wait_that_nobody_waits_for_is_closed(world: World) -> None:
    """What a crash may leave is cleared away by whoever resolves it."""
    done = resolve(world.context, conflict=world.clash(Kind.RESOURCE, resources=("res:db",)), by="lead")
    assert (done.resolved, done.decided_by) == (True, "lead")
    assert done.message == "Nobody waits for it any more."


def test_the_second_plan_waits_for_the_first(world: World) -> None:
    """QUEUE of two plans names who goes first, and tells both."""
    number = world.clash(Kind.INTENT_OVERLAP)
    done = resolve(world.context, conflict=number, strategy=Strategy.QUEUE, decision="she began")
    assert (done.winner, done.resolved) == ("ann", True)
    assert world.get(number).decision == "bob waits until ann is done: she began"
    for agent in ("ann", "bob"):
        assert any(f"Conflict {number} is resolved" in one.text for one in world.alerts(agent))


def test_two_plans_are_arbitrated(world: World) -> None:
    """Whoever decides names the side that goes first; an agent that decides is not told what it said itself."""
    number = world.clash(Kind.INTENT_OVERLAP, ("bob", "ann", "lib"))
    resolve(world.context, conflict=number, strategy=Strategy.ARBITRATE, winner="bob", by="ann")
    found = world.get(number)
    assert (found.decision, found.decided_by, found.strategy) == ("bob stands", "ann", Strategy.ARBITRATE)
    assert not any("is resolved" in one.text for one in world.alerts("ann"))
    with world.context.store.read() as tx:
        (entry,) = [one for one in tx.entries.select(Query()) if one.action == "conflict resolved"]
    assert (entry.agent, entry.details["by"], entry.details["door"]) == ("ann", "ann", "test")


def test_without_a_strategy_somebody_is_asked(world: World) -> None:
    """Where nothing fits by itself the answer says until when, and what holds otherwise."""
    number = world.clash(Kind.INTENT_OVERLAP)
    asked = resolve(world.context, conflict=number)
    assert (asked.strategy, asked.status) == (Strategy.ARBITRATE, Status.OPEN)
    assert world.clock.now().wall(900) in asked.message
    assert "whoever leases first" in asked.message
    unmerged = resolve(world.context, conflict=world.clash(Kind.SEMANTIC, ("lib",), ()))
    assert "until" not in unmerged.message.partition("Without")[0]


def test_who_builds_on_a_change_is_told(world: World) -> None:
    """000 §4.1: DEPENDENCY is resolved by notifying."""
    number = world.clash(Kind.DEPENDENCY)
    done = resolve(world.context, conflict=number)
    assert (done.strategy, done.resolved) == (Strategy.QUEUE, True)
    assert "next sync" in world.alerts("bob")[-1].text


def test_what_landed_cannot_be_taken_back_yet(world: World) -> None:
    """ROLLBACK of landed work is refused with what to do instead; the record stays open."""
    number = world.clash(Kind.DEPENDENCY)
    with pytest.raises(Refused, match="cannot be taken back") as refused:
        resolve(world.context, conflict=number, strategy=Strategy.ROLLBACK)
    assert "git revert" in refused.value.remedy
    assert world.get(number).status is Status.OPEN


def test_a_stream_that_does_not_merge_is_decided_by_hand(world: World) -> None:
    """A decision needs a side or a reason; without a deadline it stays open until then."""
    number = world.clash(Kind.SEMANTIC, ("lib",), ("lib/a.py",), unmerged="lib")
    world.clock.pass_s(100_000)
    assert apply_defaults(world.context) == []
    with pytest.raises(Usage, match="Who stands") as wrong:
        resolve(world.context, conflict=number, strategy=Strategy.ARBITRATE)
    assert "lib" in wrong.value.remedy
    resolve(world.context, conflict=number, strategy=Strategy.ARBITRATE, decision="left out on purpose")
    assert world.get(number).decision == "it was decided by hand: left out on purpose"


@pytest.mark.parametrize(
    ("kind", "strategy"),
    [
        (Kind.RESOURCE, Strategy.MERGE),
        (Kind.FILE_LOCK, Strategy.ROLLBACK),
        (Kind.BOUNDARY, Strategy.PARTITION),
        (Kind.SEMANTIC, Strategy.QUEUE),
        (Kind.BOUNDARY, Strategy.MERGE),
    ],
)
def test_an_impossible_strategy_is_refused_with_those_that_are(
    world: World, kind: Kind, strategy: Strategy
) -> None:
    """Whoever asks learns what to ask for."""
    number = world.clash(kind)
    with pytest.raises(Refused) as refused:
        resolve(world.context, conflict=number, strategy=strategy)
    assert "Possible are" in refused.value.remedy or "pucs request" in refused.value.remedy
    assert world.get(number).status is Status.OPEN


def test_a_boundary_conflict_without_an_owner_is_not_queued(world: World) -> None:
    """Where the configuration has changed meanwhile there is nobody to ask."""
    number = world.clash(Kind.BOUNDARY, ("ann", "shop"), ("README.md",))
    with pytest.raises(Refused, match="No other stream covers"):
        resolve(world.context, conflict=number, strategy=Strategy.QUEUE)


def test_words_are_bounded_and_of_one_line(world: World) -> None:
    """A reason is data: too long is wrong use, line breaks are blanks."""
    number = world.clash(Kind.INTENT_OVERLAP)
    with pytest.raises(Usage, match="too long"):
        resolve(world.context, conflict=number, decision="x" * (resolving.REASON_CHARACTERS_MAX + 1))
    with pytest.raises(Usage, match="name of whoever"):
        resolve(world.context, conflict=number, by="x" * 65)
    resolve(world.context, conflict=number, strategy=Strategy.QUEUE, decision="a\n\nb")
    assert world.get(number).decision.endswith(": a b")


def test_a_conflict_of_another_session_is_not_found(world: World) -> None:
    """Numbers run through the store, decisions are made in one session."""
    with world.context.store.transaction() as tx:
        tx.sessions.put(
            Session(id="T", state=SessionState.FINALIZED, base="b" * 40, target="", branch="t", started_at="")
        )
    number = world.clash(Kind.INTENT_OVERLAP)
    other = Context(
        store=world.context.store,
        clock=world.clock,
        processes=world.context.processes,
        bells=world.bells,
        git=world.context.git,
        door="test",
        session="T",
    )
    for verb in (resolve, explained):
        with pytest.raises(NotFound):
            verb(other, conflict=number)


def test_a_default_is_applied_by_whoever_looks(world: World) -> None:
    """Once, with its entry and an alert; a reboot counts as the end of the time."""
    number = world.clash(Kind.INTENT_OVERLAP)
    found = world.get(number)
    assert (found.deadline_s, found.deadline_at) == (
        world.clock.boot_s + 900,
        world.clock.now().wall(900),
    )
    world.clock.pass_s(899)
    assert conflicts(world.context, unresolved=True) == [found]
    world.clock.pass_s(1)
    (decided,) = conflicts(world.context)
    assert (decided.decided_by, decided.status) == ("timeout", Status.RESOLVED)
    assert "whoever leases first" in decided.decision
    assert any(f"Conflict {number} is resolved" in one.text for one in world.alerts("bob"))
    assert apply_defaults(world.context) == []
    again = world.clash(Kind.INTENT_OVERLAP)
    world.clock.reboot()
    assert [one.id for one in apply_defaults(world.context)] == [again]


def test_a_default_comes_before_a_late_decision(world: World) -> None:
    """Whoever decides after the deadline learns that it is over."""
    number = world.clash(Kind.INTENT_OVERLAP)
    world.clock.pass_s(901)
    with pytest.raises(Refused, match="by timeout"):
        resolve(world.context, conflict=number, strategy=Strategy.ARBITRATE, winner="bob")


def test_one_conflict_is_explained(world: World) -> None:
    """What is proposed, what is possible and what holds otherwise; looking changes nothing."""
    number = world.clash(Kind.INTENT_OVERLAP)
    answer = explained(world.context, conflict=number)
    assert (answer.conflict.id, answer.plan.strategy) == (number, Strategy.ARBITRATE)
    assert answer.plan.possible == (Strategy.PARTITION, Strategy.QUEUE, Strategy.ARBITRATE)
    assert world.get(number).status is Status.OPEN


def test_severity_follows_from_what_is_recorded(world: World) -> None:
    """A wait is low, parked work medium, a critical file one higher; a caller that knows better is believed."""
    assert world.get(world.clash(Kind.FILE_LOCK)).severity is Severity.LOW
    assert world.get(world.clash(Kind.FILE_LOCK, salvage="refs/x")).severity is Severity.MEDIUM
    assert world.get(world.clash(Kind.FILE_LOCK, (), ("settings.py",))).severity is Severity.MEDIUM
    assert world.get(world.clash(Kind.FILE_LOCK, (), ("/",))).severity is Severity.MEDIUM
    assert world.get(world.clash(Kind.FILE_LOCK, severity=Severity.HIGH)).severity is Severity.HIGH


def test_a_decided_conflict_keeps_its_first_decision(world: World) -> None:
    """Also where a rule comes second; the second call changes and tells nothing."""
    number = world.clash(Kind.INTENT_OVERLAP)
    with unit(world.context) as opened:
        assert decide_in(opened, number, "first") is not None
        assert decide_in(opened, number, "second") is None
        assert settle_in(opened, number, "third", by="x", strategy=Strategy.QUEUE) is None
    assert (world.get(number).decision, world.get(number).decided_by) == ("first", "pucs")
    assert world.alerts("bob") == []
