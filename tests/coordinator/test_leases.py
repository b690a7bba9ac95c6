"""The lease verbs as callers see them: answers, records, limits and hostile input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pucs.conflicts.records import Kind, Status, Strategy
from pucs.coordinator import agents, asking, leases
from pucs.coordinator.agents import register, retire
from pucs.coordinator.conflicts import conflicts
from pucs.coordinator.context import Context
from pucs.coordinator.inspecting import Delay, delays, locks, queue, why
from pucs.coordinator.leases import Acquired, acquire, cleanup, release, renew
from pucs.coordinator.messages import inbox
from pucs.core.errors import NotFound, PucsError, Refused, Usage
from pucs.core.modes import Mode
from pucs.crosslog.records import Query
from pucs.locks.records import EndReason
from pucs.messages.records import MessageKind
from pucs.streams.records import CriticalFile, Session, SessionState, Stream, StreamRow
from pucs.streams.settings import Configuration, Limits
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from tests.conftest import Kept


STREAMS = (
    Stream(name="shop", files_pattern=("shop/**",), max_agents=2),
    Stream(name="till", files_pattern=("till/**",), max_agents=1),
)
CONFIGURATION = Configuration(
    streams=STREAMS,
    critical_files=(CriticalFile(path="setup.cfg", max_lock_duration_s=100.0),),
    limits=Limits(default_duration_s=600.0, max_duration_s=1000.0, queue_timeout_s=300.0, claim_ttl_s=2.0),
)


class World:
    """A session under a test's control."""

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
                Session(
                    id="S", state=SessionState.ACTIVE, base="b" * 40, target="", branch="s", started_at=""
                )
            )
            tx.sessions.put_configuration(CONFIGURATION)
            for stream in STREAMS:
                tx.sessions.put_stream(StreamRow(session="S", stream=stream, branch=f"b/{stream.name}"))

    def take(self, agent: str, *resources: str, **more: Any) -> Acquired:
        """Ask for resources."""
        return acquire(self.context, agent=agent, resources=resources, **more)

    def log(self) -> list[str]:
        """Return what the entries say was done; messages about it are left out."""
        with self.context.store.read() as tx:
            actions = [entry.action for entry in tx.entries.select(Query())]
        return [action for action in actions if not action.startswith("message")]

    def held(self) -> dict[str, str]:
        """Return who has what."""
        return {lease.resource: lease.agent for lease in locks(self.context)}


@pytest.fixture
def world(kept: Kept) -> World:
    return World(kept)


def test_a_free_file_is_granted_with_token_expiry_and_base(world: World) -> None:
    """The answer has everything needed to work: a token for each file, until when, and what to build on."""
    answer = world.take("ann", "a.py", "b.py", task="T-1")
    assert answer.granted
    assert sorted(answer.tokens) == ["a.py", "b.py"]
    assert answer.expires_at == world.clock.now().wall(600.0)
    assert answer.base == {"a.py": "b" * 40, "b.py": "b" * 40}
    assert world.log()[-1] == "lock granted"


def test_a_held_file_is_refused_with_holder_task_and_time(world: World) -> None:
    """The reason says who, what for and until when; nothing of the set is taken."""
    world.take("ann", "a.py", task="VAT")
    answer = world.take("bob", "b.py", "a.py")
    assert not answer.granted
    assert 'a.py is held by ann ("VAT") until' in answer.reason
    assert (answer.queue_position, answer.wait_time) == (1, 600.0)
    assert world.held() == {"a.py": "ann"}
    assert not conflicts(world.context)


def test_asking_again_keeps_the_token(world: World) -> None:
    """A retry after a lost answer changes nothing, also for a directory and its own file."""
    first = world.take("ann", "d/", "d/a.py")
    assert list(first.tokens) == ["d/"]
    assert world.take("ann", "d/a.py").tokens == first.tokens
    assert world.take("ann", "d/").tokens == first.tokens


def test_readers_share_and_keep_writers_out(world: World) -> None:
    """Shared leases of several agents stand together; an exclusive one does not fit between."""
    assert world.take("ann", "a.py", mode=Mode.SHARED_READ).granted
    assert world.take("bob", "a.py", mode=Mode.SHARED_READ).granted
    assert not world.take("cid", "a.py").granted
    assert not world.take("ann", "a.py").granted


@pytest.mark.slow
def test_ten_thousand_files_are_one_grant(world: World) -> None:
    """The largest set there may be is granted whole; one more is wrong use."""
    names = [f"f{at}" for at in range(leases.RESOURCES_MAX)]
    answer = world.take("ann", *names)
    assert len(answer.tokens) == leases.RESOURCES_MAX
    assert world.take("ann", *names).tokens == answer.tokens
    assert len(release(world.context, agent="ann").resources) == leases.RESOURCES_MAX
    with pytest.raises(Usage, match="too many"):
        world.take("ann", *names, "one-more")


@pytest.mark.parametrize(
    "wrong",
    [
        {"resources": ()},
        {"resources": ("res:port/1",), "mode": Mode.SHARED_READ},
        {"resources": ("a.py", "res:port/1"), "mode": Mode.INTENT},
        {"resources": ("a",), "duration_s": 0.0},
        {"resources": ("a",), "duration_s": -5.0},
        {"resources": ("a",), "duration_s": float("nan")},
        {"resources": ("a",), "wait_s": float("nan")},
        *(
            {"resources": ("a",), "agent": name}
            for name in ("", "../x", "a b", "-x", "a\x1b", "é", "x" * 65, "a.lock")
        ),
    ],
)
@pytest.mark.parametrize("wait_s", [0.0, 5.0])
def test_wrong_use_is_told_before_anything_happens(
    world: World, wrong: dict[str, Any], wait_s: float
) -> None:
    """Empty sets, kinds that cannot be leased, times that are none, and names that are not safe."""
    with pytest.raises(Usage):
        acquire(world.context, **{"agent": "ann", "wait_s": wait_s, **wrong})
    assert world.log() == []


@pytest.mark.parametrize(("asked_s", "given_s"), [(1e-3, 1e-3), (1e300, 1000.0), (float("inf"), 1000.0)])
def test_a_lease_is_never_longer_than_allowed(world: World, asked_s: float, given_s: float) -> None:
    """However long one asks for."""
    assert world.take("ann", "a.py", duration_s=asked_s).expires_at == world.clock.now().wall(given_s)


def test_renewals_end_at_the_longest_duration(world: World) -> None:
    """It counts from the first grant; then the file is free for the next."""
    world.take("ann", "a.py")
    for _ in range(4):
        world.clock.pass_s(300)
        renew(world.context, agent="ann")
    assert world.held() == {}
    assert world.take("bob", "a.py").granted
    assert world.log()[-2:] == ["lease expired", "lock granted"]


def test_a_holder_is_warned_once_before_the_limit(world: World) -> None:
    """In the last tenth of the longest duration, by an entry and a message that says until when."""
    world.take("ann", "a.py", "b.py")
    warned: list[int] = []
    for passed_s in (300, 300, 290, 20, 40):
        world.clock.pass_s(passed_s)
        renew(world.context, agent="ann")
        warned.append(world.log().count("lease near its limit"))
    assert warned == [0, 0, 0, 1, 1]
    (told,) = [one for one in inbox(world.context, agent="ann") if one.kind is MessageKind.CONFLICT_ALERT]
    assert "a.py and 1 more has its longest duration at" in told.text
    world.clock.pass_s(50)
    assert world.held() == {}


@pytest.mark.parametrize("resource", ["setup.cfg", "/"])
def test_a_critical_file_is_held_for_its_own_time(world: World, resource: str) -> None:
    """Also by a lease on a directory that contains it, and also by renewal."""
    world.take("ann", resource, duration_s=900.0)
    world.clock.pass_s(60)
    assert renew(world.context, agent="ann")[0].left_s(world.clock.boot_s) == 40.0
    world.clock.pass_s(40)
    assert world.take("bob", "setup.cfg").granted


def test_setting_the_wall_clock_changes_no_lease(world: World) -> None:
    """Leases end by the time that passes, not by what the clock on the wall says."""
    world.take("ann", "a.py")
    for step_s in (-86_400.0, 172_800.0, 366 * 86_400.0):
        world.clock.step_wall_s(step_s)
        assert not world.take("bob", "a.py").granted
    world.clock.pass_s(600)
    assert world.take("bob", "a.py").granted


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan")])
def test_renewing_for_no_time_is_wrong_use(world: World, wrong: float) -> None:
    """Times are positive."""
    with pytest.raises(Usage):
        renew(world.context, agent="ann", duration_s=wrong)


def test_a_mistyped_name_gives_back_and_renews_nothing(world: World) -> None:
    """Nor is it registered for it."""
    assert release(world.context, agent="anm").resources == ()
    assert renew(world.context, agent="anm") == []
    assert agents.agents(world.context) == []


def test_a_late_owner_cannot_end_its_successors_lease(world: World) -> None:
    """A token names one grant; with it nothing else is released."""
    old = world.take("ann", "a.py").tokens["a.py"]
    release(world.context, agent="ann")
    assert release(world.context, agent="ann").resources == ()
    new = world.take("ann", "a.py").tokens["a.py"]
    assert release(world.context, agent="ann", token=old).resources == ()
    bobs = world.take("bob", "b.py").tokens["b.py"]
    assert release(world.context, agent="ann", token=bobs).resources == ()
    assert release(world.context, agent="ann", resources=["b.py"]).resources == ()
    assert world.held() == {"a.py": "ann", "b.py": "bob"}
    assert release(world.context, agent="ann", token=new).resources == ("a.py",)


def test_another_streams_file_is_refused_and_recorded(world: World) -> None:
    """A boundary refusal is a decided conflict between the agent, its stream and the other."""
    answer = world.take("ann", "shop/a.py", "till/b.py", stream="shop")
    assert not answer.granted
    assert "belongs to stream till" in answer.reason
    (record,) = conflicts(world.context)
    assert (record.id, record.kind, record.status) == (answer.conflict, Kind.BOUNDARY, Status.RESOLVED)
    assert record.parties == ("ann", "shop", "till")
    assert record.resources == ("till/b.py",)
    assert world.log()[-1] == "boundary refused"
    assert world.held() == {}
    again = world.take("ann", "shop/a.py", "till/b.py", stream="shop")
    assert (again.conflict, len(conflicts(world.context))) == (answer.conflict, 1), "said once is on record"
    assert world.take("ann", "till/c.py", stream="shop").conflict != answer.conflict
    assert world.take("ann", "shop/a.py", "shared.py").granted
    assert world.take("ann", "till/b.py", mode=Mode.SHARED_READ).granted
    assert world.take("bob", "till/c.py").granted, "an agent without a stream has no boundary"


def test_a_waiter_is_granted_in_the_release(world: World) -> None:
    """The release serves it, rings it, and the record of the wait is closed with how long it took."""
    world.take("ann", "a.py")

    def during(_: float) -> None:
        if world.held() == {"a.py": "ann"}:
            assert [asked.agent for asked in queue(world.context, resources=["a.py"])] == ["bob"]
            assert [record.status for record in conflicts(world.context, unresolved=True)] == [Status.OPEN]
            world.clock.pass_s(3)
            assert release(world.context, agent="ann").served == ("bob",)

    world.bells.during = during
    answer = world.take("bob", "a.py", wait_s=60)
    assert answer.granted
    assert answer.waited_s == 3.0
    assert len(world.bells.rung) == 1
    (record,) = conflicts(world.context)
    assert (record.kind, record.strategy, record.status) == (Kind.FILE_LOCK, Strategy.QUEUE, Status.RESOLVED)
    assert record.parties == ("bob", "ann")
    assert "waited 3.000 s" in record.decision
    assert world.log()[-4:] == ["lock queued", "lock released", "lock reserved", "lock claimed"]
    assert queue(world.context) == []


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ("time", "timed out"),
        ("cancel", "was cancelled"),
        ("retire", "ended with its agent"),
        ("late", "came too late"),
    ],
)
def test_a_wait_that_ends_without_a_grant_leaves_nothing(world: World, ending: str, said: str) -> None:
    """Whatever ended it, its place is free, its record closed, and the next one is served."""
    world.take("ann", "a.py")
    stop: list[bool] = []

    def during(_: float) -> None:
        if ending == "time":
            world.clock.pass_s(30)
        elif ending == "cancel":
            stop.append(True)
        elif ending == "retire":
            retire(world.context, agent="bob")
            release(world.context, agent="ann")
        else:
            release(world.context, agent="ann")
            world.clock.pass_s(2.5)

    world.bells.during = during
    answer = world.take("bob", "a.py", wait_s=30, cancelled=lambda: bool(stop))
    assert not answer.granted
    assert said in answer.reason or ending == "retire"
    assert queue(world.context) == []
    assert conflicts(world.context, unresolved=True) == []
    release(world.context, agent="ann")
    assert world.take("cid", "a.py").granted


def test_a_wait_broken_by_an_exception_leaves_the_queue(world: World) -> None:
    """Ctrl-C in a program that lives on leaves nobody waiting behind nobody."""
    world.take("ann", "a.py")

    def during(_: float) -> None:
        raise KeyboardInterrupt

    world.bells.during = during
    with pytest.raises(KeyboardInterrupt):
        world.take("bob", "a.py", wait_s=30)
    assert queue(world.context) == []
    assert conflicts(world.context, unresolved=True) == []


def test_whoever_holds_something_may_wait_for_more(world: World) -> None:
    """Only what is missing waits; the answer names the whole set."""
    world.take("ann", "a.py")
    first = world.take("bob", "b.py").tokens["b.py"]

    def during(_: float) -> None:
        (waiting,) = queue(world.context)
        assert [resource for resource, _ in waiting.resources] == ["a.py"]
        release(world.context, agent="ann")

    world.bells.during = during
    answer = world.take("bob", "a.py", "b.py", wait_s=30)
    assert answer.granted
    assert sorted(answer.tokens) == sorted(answer.base) == ["a.py", "b.py"]
    assert answer.tokens["b.py"] == first


def test_a_set_whose_other_part_ended_meanwhile_is_not_granted(world: World) -> None:
    """Whole or not at all, also when a part was there before; the next one has what was reserved."""
    world.take("ann", "a.py")
    world.take("bob", "b.py", duration_s=10)

    def during(_: float) -> None:
        world.clock.pass_s(10)
        release(world.context, agent="ann")

    world.bells.during = during
    answer = world.take("bob", "a.py", "b.py", wait_s=30)
    assert not answer.granted
    assert "has ended meanwhile" in answer.reason
    assert world.held() == {}
    assert conflicts(world.context, unresolved=True) == []


def test_the_usual_wait_comes_from_how_long_it_was_held(world: World) -> None:
    """Unknown while nobody has held it, then the median of what was; the longest wait is always told beside it."""
    world.take("ann", "a.py")
    first = world.take("bob", "a.py")
    assert (first.wait_time, first.estimated_wait_s) == (600.0, None)
    for held_s in (30, 40, 500):
        world.clock.pass_s(held_s)
        release(world.context, agent="ann")
        world.take("ann", "a.py")
    world.clock.pass_s(10)
    assert world.take("bob", "a.py").estimated_wait_s == 30.0
    assert why(world.context, resource="a.py").delay == Delay(longest_s=590.0, usual_s=30.0)
    told: list[Delay] = []

    def during(_: float) -> None:
        told.extend(delays(world.context, queue(world.context)))
        release(world.context, agent="ann")

    world.bells.during = during
    assert world.take("bob", "a.py", wait_s=30).granted
    assert told == [Delay(longest_s=590.0, usual_s=30.0)]
    release(world.context, agent="bob")
    assert why(world.context, resource="a.py").delay == Delay()


def test_a_full_queue_refuses_newcomers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue has a longest length, and whoever would exceed it is told so."""
    monkeypatch.setattr(asking, "WAITING_MAX", 0)
    world.take("ann", "a.py")
    assert "queue is full" in world.take("bob", "a.py", wait_s=30).reason


def test_the_wait_sleeps_until_something_can_happen(world: World) -> None:
    """At most a second, and exactly until the lease in the way ends if that is sooner."""
    world.take("ann", "a.py", duration_s=1.25)
    slept: list[float] = []

    def during(timeout_s: float) -> None:
        slept.append(timeout_s)
        world.clock.pass_s(timeout_s)

    world.bells.during = during
    answer = world.take("bob", "a.py", wait_s=30)
    assert answer.granted
    assert slept == [1.0, 0.25]
    assert answer.waited_s == 1.25


def test_a_dead_owner_frees_its_leases_at_once(world: World) -> None:
    """Whoever asks next has it; nobody needs to clean up first."""
    owner = world.processes.process(50)
    register(world.context, agent="ann", owner=owner)
    world.take("ann", "a.py")
    world.processes.kill(owner)
    assert world.held() == {}
    assert world.take("bob", "a.py").granted
    assert "lease reclaimed" in world.log()
    with pytest.raises(Refused, match="gone"):
        world.take("ann", "b.py")


def test_an_owner_nobody_can_see_keeps_its_lease_until_time_is_over(world: World) -> None:
    """Unknown is not dead: another pid namespace or host is judged by time only."""
    owner = world.processes.process(50)
    world.processes.unknown.add(owner)
    register(world.context, agent="ann", owner=owner)
    world.take("ann", "a.py")
    assert not world.take("bob", "a.py").granted
    assert cleanup(world.context) == []
    world.clock.pass_s(600)
    assert world.take("bob", "a.py").granted


def test_a_dead_waiter_is_passed_over(world: World) -> None:
    """What is freed goes to the next living waiter in the same transaction, not to a grave for two seconds."""
    world.take("ann", "a.py")
    dead = world.processes.me
    alive = world.processes.process(60)

    def first(_: float) -> None:
        world.bells.during = second
        world.processes.me = alive
        answer = world.take("cid", "a.py", wait_s=30)
        assert answer.granted
        raise PucsError("the dead do not go on")

    def second(_: float) -> None:
        world.processes.kill(dead)
        assert release(world.context, agent="ann").served == ("cid",)

    world.bells.during = first
    with pytest.raises(PucsError, match="the dead"):
        world.take("bob", "a.py", wait_s=30)
    assert world.held() == {"a.py": "cid"}
    assert conflicts(world.context, unresolved=True) == []


def test_cleanup_ends_what_is_over_and_serves_who_waits(world: World) -> None:
    """It returns what it ended; a second one finds nothing."""
    owner = world.processes.process(50)
    register(world.context, agent="ann", owner=owner)
    world.take("ann", "a.py")
    world.take("bob", "b.py", duration_s=5)
    world.processes.kill(owner)
    world.clock.pass_s(5)
    ended = cleanup(world.context)
    assert sorted(lease.resource for lease in ended) == ["a.py", "b.py"]
    assert cleanup(world.context) == []


def test_a_reboot_ends_every_lease(world: World) -> None:
    """Nobody of an earlier boot is still at work."""
    world.take("ann", "a.py")
    world.clock.reboot()
    assert world.held() == {}
    assert world.take("bob", "a.py").granted


def test_a_stream_has_only_so_many_agents(world: World) -> None:
    """The next one is refused, and a stream that does not exist is named as such."""
    world.take("ann", "till/a.py", stream="TILL")
    with pytest.raises(Refused, match="till has its 1 agents already: ann"):
        world.take("bob", "till/b.py", stream="till")
    with pytest.raises(NotFound, match="no stream 'bank'"):
        world.take("bob", "b.py", stream="bank")
    assert [agent.id for agent in agents.agents(world.context)] == ["ann"]


def test_why_tells_all_about_a_file(world: World) -> None:
    """Its stream, holders, waiters and base."""
    world.take("ann", "shop/a.py", stream="shop")
    found = why(world.context, resource="shop/a.py")
    assert (found.stream, found.base, found.changed_by) == ("shop", "b" * 40, "")
    assert [lease.agent for lease in found.holders] == ["ann"]
    assert why(world.context, resource="shop/").stream == ""
    assert locks(world.context, stream="SHOP")[0].resource == "shop/a.py"
    assert locks(world.context, stream="till") == []


def test_without_a_session_nothing_can_be_held(world: World) -> None:
    """Every verb says how to start one."""
    with world.context.store.transaction() as tx:
        tx.sessions.put(
            Session(id="S", state=SessionState.FINALIZED, base="", target="", branch="", started_at="")
        )
    for verb in (lambda: world.take("ann", "a.py"), lambda: why(world.context, resource="a.py")):
        with pytest.raises(Refused, match="no active session"):
            verb()


def test_a_reason_other_than_release_is_kept(world: World) -> None:
    """A lease that was parked says so in its row and in the log."""
    token = world.take("ann", "a.py").tokens["a.py"]
    release(world.context, agent="ann", reason=EndReason.PARKED)
    with world.context.store.read() as tx:
        assert tx.leases.by_tokens([token])[0].end_reason is EndReason.PARKED
    assert world.log()[-1] == "lease parked"
