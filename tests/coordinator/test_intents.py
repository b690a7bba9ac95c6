"""Intents as callers see them: the three checks, who is first, how a plan ends, limits and hostile input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pucs.conflicts.records import Kind, Status
from pucs.coordinator.agents import agents, register, retire
from pucs.coordinator.conflicts import conflicts
from pucs.coordinator.contesting import clear_in
from pucs.coordinator.context import Context, unit
from pucs.coordinator.intents import Signalled, check, clear, intents, planned_by, signal
from pucs.coordinator.leases import acquire, release
from pucs.coordinator.pausing import pause, terminate
from pucs.coordinator.requesting import approve, request
from pucs.coordinator.sessions import end as end_session
from pucs.coordinator.tasks import finish, import_tasks, take
from pucs.core.errors import NotFound, PucsError, Refused, Usage
from pucs.core.modes import Mode
from pucs.crosslog.records import Query
from pucs.intents.records import IntentState, Obstacle
from pucs.intents.rules import DESCRIPTION_CHARACTERS_MAX, ESTIMATE_S_MAX
from pucs.streams.records import Session, SessionState, Stream, StreamRow
from pucs.streams.settings import Configuration, ResourceLimit
from pucs.tasks.records import Task
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from pucs.intents.records import Intent
    from pucs.messages.records import Message
    from tests.conftest import Kept

STREAMS = (
    Stream(name="shop", files_pattern=("shop/**",), dependencies=("config",)),
    Stream(name="config", files_pattern=("config/**",)),
    Stream(name="till", files_pattern=("till/**",)),
)


class World:
    """A session under a test's control."""

    def __init__(self, kept: Kept) -> None:
        self.clock, self.processes = FakeClock(), FakeProcesses()
        self.context = Context(
            store=kept(self.clock),
            clock=self.clock,
            processes=self.processes,
            bells=FakeBells(),
            git=cast("Any", None),
            door="test",
        )
        with self.context.store.transaction() as tx:
            tx.sessions.put(
                Session(
                    id="S", state=SessionState.ACTIVE, base="b" * 40, target="", branch="s", started_at=""
                )
            )
            tx.sessions.put_configuration(Configuration(streams=STREAMS))
            for stream in STREAMS:
                tx.sessions.put_stream(StreamRow(session="S", stream=stream, branch=f"b/{stream.name}"))

    def plan(self, agent: str, *files: str, **more: Any) -> Signalled:
        """Declare a plan."""
        return signal(self.context, agent=agent, files=files, **{"description": "work", **more})

    def open(self) -> dict[str, IntentState]:
        """Return the state of each agent's open intent."""
        return {intent.agent: intent.state for intent in intents(self.context)}

    def log(self) -> list[str]:
        """Return what the entries say was done."""
        with self.context.store.read() as tx:
            return [entry.action for entry in tx.entries.select(Query())]

    def inbox(self, agent: str) -> list[Message]:
        """Return what an agent was told."""
        with self.context.store.read() as tx:
            return [one for one in tx.messages.open(agent, "S") if one.kind == "conflict_alert"]

    def intent(self, number: int) -> Intent:
        """Return an intent, open or ended."""
        with self.context.store.read() as tx:
            found = tx.intents.get(number)
        assert found is not None
        return found


@pytest.fixture
def world(kept: Kept) -> World:
    return World(kept)


def test_a_plan_in_nobodys_way_is_active(world: World) -> None:
    """The answer has the files to lease and no conflicts; the plan counts for twice its estimate."""
    answer = world.plan("ann", "shop/b.py", "shop/a.py", estimated_duration_s=600.0)
    assert answer.success
    assert answer.files == ("shop/a.py", "shop/b.py")
    assert (answer.conflicts, answer.suggestions, answer.state) == ((), (), "active")
    assert answer.expires_at == world.clock.now().wall(1200.0)
    assert world.log()[-1] == "intent signaled"
    assert agents(world.context)[0].phase == "SIGNAL_INTENT"


def test_a_lease_in_the_way_is_named_with_both_vocabularies(world: World) -> None:
    """FILE_LOCK for 000, LOCKED for 002, the holder, its stream and until when; no second record of the lease."""
    acquire(world.context, agent="ann", resources=["shop/a.py"], task="VAT", stream="shop")
    answer = world.plan("bob", "shop/a.py", "shop/b.py")
    (found,) = answer.conflicts
    assert not answer.success
    assert (found.kind, found.conflict_type) == (Obstacle.FILE_LOCK, "LOCKED")
    assert (found.file, found.file_path, found.holder, found.holder_agent) == (
        *["shop/a.py"] * 2,
        *["ann"] * 2,
    )
    assert found.holder_stream == "shop"
    assert found.details.startswith("Locked until 2025-")
    assert found.details.endswith("for: VAT")
    assert "Wait for ann or work on different files" in answer.suggestions
    assert "Free now: shop/b.py" in answer.suggestions
    assert not conflicts(world.context)
    assert world.open() == {"bob": IntentState.CONTESTED}


def test_an_earlier_plan_contests_a_later_one(world: World) -> None:
    """The second is recorded as contested with one conflict record, and the first is alerted and stays active."""
    world.plan("ann", "shop/", description="Tax   rules\nfor all")
    answer = world.plan("bob", "shop/a.py::total")
    (found,) = answer.conflicts
    assert (found.kind, found.file, found.holder) == (Obstacle.INTENT_OVERLAP, "shop/a.py::total", "ann")
    assert found.details == "Agent intends to work on same files: Tax rules for all"
    assert "Coordinate with ann to partition work" in answer.suggestions
    (record,) = conflicts(world.context)
    assert (record.kind, record.parties, record.status) == (Kind.INTENT_OVERLAP, ("bob", "ann"), Status.OPEN)
    assert found.conflict == record.id
    assert [one.conflict for one in world.inbox("ann")] == [record.id]
    assert world.open() == {"ann": IntentState.ACTIVE, "bob": IntentState.CONTESTED}


def test_saying_the_same_again_multiplies_nothing(world: World) -> None:
    """Neither side makes a second intent, record or alert; the first stays first, and the plan counts for longer."""
    world.plan("ann", "shop/a.py")
    world.plan("bob", "shop/a.py")
    world.clock.pass_s(60)
    for _ in range(3):
        assert world.plan("ann", "shop/a.py").success
        assert not world.plan("bob", "shop/a.py", description="other words").success
    assert [intent.id for intent in intents(world.context)] == [1, 2]
    assert len(conflicts(world.context)) == 1
    assert len(world.inbox("ann")) == 1
    assert intents(world.context)[0].expires_s == world.clock.boot_s + 3600.0


def test_who_plans_more_stays_first_where_it_was_first(world: World) -> None:
    """A longer plan keeps its place for the old file and comes after others for the new one."""
    world.plan("ann", "shop/a.py")
    world.plan("bob", "shop/a.py", "shop/b.py")
    world.plan("cy", "shop/c.py")
    answer = world.plan("ann", "shop/a.py", "shop/c.py")
    assert [(found.holder, found.file) for found in answer.conflicts] == [("cy", "shop/c.py")]
    assert world.open()["bob"] is IntentState.CONTESTED


def test_a_new_plan_replaces_the_old_one_and_frees_what_it_left(world: World) -> None:
    """Each agent has one plan; whoever only the old one contested becomes active and is told."""
    world.plan("ann", "shop/a.py")
    number = world.plan("bob", "shop/a.py").conflicts[0].conflict
    world.plan("ann", "shop/b.py")
    assert world.open() == {"ann": IntentState.ACTIVE, "bob": IntentState.ACTIVE}
    assert world.inbox("bob")[-1].text.startswith(
        "Nothing stands in the way of your plan any more: shop/a.py"
    )
    assert [found.status for found in conflicts(world.context)] == [Status.RESOLVED]
    assert world.inbox("bob")[-1].conflict == number
    assert world.intent(1).why == "replaced by a new plan"


def test_a_dependency_is_told_from_any_other_stream(world: World) -> None:
    """A file of a stream that one's own builds on is DEPENDENCY, one of any other stream BOUNDARY; shared files are free."""
    answer = world.plan("ann", "config/a.py", "till/a.py", "README.md", stream="shop")
    found = [
        (one.kind, one.conflict_type, one.file, one.holder_agent, one.holder_stream)
        for one in answer.conflicts
    ]
    assert found == [
        (Obstacle.DEPENDENCY, "DEPENDENCY", "config/a.py", "N/A", "config"),
        (Obstacle.BOUNDARY, "DEPENDENCY", "till/a.py", "N/A", "till"),
    ]
    assert answer.conflicts[0].details == "File belongs to dependency stream config"
    assert "Ask stream config to make the change: pucs request config/a.py --reason R" in answer.suggestions
    assert "Free now: README.md" in answer.suggestions
    assert [record.kind for record in conflicts(world.context)] == [Kind.DEPENDENCY, Kind.BOUNDARY]


def test_a_waiver_opens_the_boundary_for_a_plan(world: World) -> None:
    """What its agent may lease it may plan."""
    register(world.context, agent="ann", stream="shop")
    asked = request(world.context, files=["till/a.py"], reason="one line", agent="ann", waive=True)
    assert not world.plan("ann", "till/a.py").success
    approve(world.context, waiver=asked.waivers[0].id, duration_s=60.0)
    assert world.plan("ann", "till/a.py").success
    world.clock.pass_s(60)
    assert not world.plan("ann", "till/a.py").success


def test_a_named_resource_is_contested_at_its_limit(world: World) -> None:
    """Holders and earlier plans count together; one without a limit is for one agent."""
    with world.context.store.transaction() as tx:
        limits = (ResourceLimit(name="db", concurrency=2),)
        tx.sessions.put_configuration(Configuration(streams=STREAMS, resources=limits))
    assert acquire(world.context, agent="ann", resources=["res:db"]).granted
    assert world.plan("bob", "res:db").success
    found = world.plan("cy", "res:db").conflicts
    assert [one.kind for one in found] == [Obstacle.FILE_LOCK, Obstacle.INTENT_OVERLAP]
    assert world.plan("bob", "res:db").success
    assert world.plan("dan", "res:port/1").success
    assert not world.plan("eve", "res:port/1").success


def test_an_agent_without_a_stream_crosses_no_boundary(world: World) -> None:
    """A person's agent may plan anything."""
    assert world.plan("ann", "config/a.py", "till/").success


def test_a_reader_is_in_the_way_of_a_change(world: World) -> None:
    """Whoever relies on a file as it is contests a plan to change it."""
    acquire(world.context, agent="ann", resources=["shop/a.py"], mode=Mode.SHARED_READ)
    assert [found.kind for found in world.plan("bob", "shop/").conflicts] == [Obstacle.FILE_LOCK]


def test_ones_own_lease_and_plan_are_not_in_the_way(world: World) -> None:
    """An agent never contests itself."""
    world.plan("ann", "shop/a.py")
    acquire(world.context, agent="ann", resources=["shop/a.py"])
    assert world.plan("ann", "shop/a.py", "shop/b.py").success


def test_a_plan_stays_while_its_agent_holds_the_files(world: World) -> None:
    """A lease does not end the plan: it says what its holder is going to do, so both are reported."""
    world.plan("ann", "shop/a.py")
    acquire(world.context, agent="ann", resources=["shop/a.py"])
    found = world.plan("bob", "shop/a.py").conflicts
    assert [one.kind for one in found] == [Obstacle.FILE_LOCK, Obstacle.INTENT_OVERLAP]


def test_clearing_frees_whom_it_contested(world: World) -> None:
    """The next in line becomes active; who is behind that one stays contested."""
    for agent in ("ann", "bob", "cy"):
        world.plan(agent, "shop/a.py")
    ended = clear(world.context, agent="ann")
    assert ended is not None
    assert ended.state is IntentState.CLEARED
    assert world.open() == {"bob": IntentState.ACTIVE, "cy": IntentState.CONTESTED}
    assert clear(world.context, agent="ann") is None
    assert world.log().count("intent active") == 1


def test_a_plan_contested_by_a_lease_is_active_once_somebody_looks(world: World) -> None:
    """Giving a lease up tells nobody; the next look finds the way free, and the agent is told."""
    acquire(world.context, agent="ann", resources=["shop/a.py"])
    world.plan("bob", "shop/a.py")
    release(world.context, agent="ann")
    assert world.open() == {"bob": IntentState.ACTIVE}
    assert len(world.inbox("bob")) == 1


def test_a_lease_on_what_somebody_plans_contests_the_plan(world: World) -> None:
    """The next look finds it in the way, and the planner is told by whom."""
    world.plan("ann", "shop/a.py")
    acquire(world.context, agent="bob", resources=["shop/"])
    assert world.open() == {"ann": IntentState.CONTESTED}
    assert world.inbox("ann")[-1].text == "bob is in the way of your plan (FILE_LOCK): shop/a.py."
    assert world.log()[-2:] == ["intent contested", "message sent"]


def test_a_plan_is_over_after_twice_its_estimate(world: World) -> None:
    """It expires where it is met, and nobody is contested by it any more."""
    world.plan("ann", "shop/a.py", estimated_duration_s=100.0)
    world.clock.pass_s(199.9)
    assert not check(world.context, files=["shop/a.py"]).success
    world.clock.pass_s(0.1)
    assert check(world.context, files=["shop/a.py"]).success
    assert world.plan("bob", "shop/a.py").success
    assert world.intent(1).state is IntentState.EXPIRED


def test_the_end_of_a_plan_frees_whom_it_contested_at_once(world: World) -> None:
    """Whoever meets the plan that is over also looks again at the others; nobody has to ask for them."""
    world.plan("ann", "shop/a.py", "shop/b.py", estimated_duration_s=100.0)
    world.plan("bob", "shop/b.py")
    world.clock.pass_s(200)
    world.plan("cy", "shop/a.py")
    assert world.intent(2).state is IntentState.ACTIVE
    assert len(world.inbox("bob")) == 1


def test_a_contested_plan_that_is_over_closes_its_records(world: World) -> None:
    """Also where somebody else's plan meets it; and what it met is still told of it."""
    world.plan("ann", "shop/a.py")
    world.plan("bob", "shop/a.py", estimated_duration_s=100.0)
    world.clock.pass_s(200)
    world.plan("cy", "shop/a.py")
    assert [found.status for found in conflicts(world.context)] == [Status.RESOLVED, Status.OPEN]
    assert len(world.intent(2).contests) == 1


def test_a_plan_does_not_survive_a_reboot(world: World) -> None:
    """Its clock has begun again, and its agent with it."""
    world.plan("ann", "shop/a.py")
    world.clock.reboot()
    assert world.open() == {}
    assert world.intent(1).state is IntentState.EXPIRED


def test_a_plan_goes_with_its_agent(world: World) -> None:
    """Retiring, a dead owner and a new start of the same id each end it."""
    owner = FakeProcesses.process(7)
    for agent in ("ann", "bob", "cy"):
        register(world.context, agent=agent, owner=FakeProcesses.process(8) if agent == "cy" else owner)
        world.plan(agent, f"shop/{agent}.py")
    world.plan("dan", "shop/")
    retire(world.context, agent="ann")
    assert set(world.open()) == {"bob", "cy", "dan"}
    world.processes.kill(owner)
    assert set(world.open()) == {"cy", "dan"}
    world.processes.kill(FakeProcesses.process(8))
    register(world.context, agent="cy", owner=FakeProcesses.process(9))
    assert world.open() == {"dan": IntentState.ACTIVE}


def test_a_terminated_agent_plans_nothing(world: World) -> None:
    """Its plan is over at once, and it declares no other; that of a paused one stays."""
    world.plan("ann", "shop/a.py")
    world.plan("bob", "shop/b.py")
    pause(world.context, agent="bob", by="operator")
    terminate(world.context, agent="ann", by="operator")
    assert world.open() == {"bob": IntentState.ACTIVE}
    with pytest.raises(Refused, match="ann"):
        world.plan("ann", "shop/c.py")


def test_a_plan_ends_with_its_task(world: World) -> None:
    """Finishing the task it was declared for clears it; finishing another does not."""
    import_tasks(
        world.context,
        tasks=[
            Task(id=name, title=f"feat: {name}", stream="shop", command="true") for name in ("one", "two")
        ],
    )
    register(world.context, agent="ann", stream="shop")
    assert take(world.context, agent="ann") is not None
    world.plan("ann", "shop/a.py")
    assert intents(world.context)[0].task == "one"
    world.plan("bob", "shop/a.py", task="two")
    finish(world.context, agent="ann", task="one")
    assert world.open() == {"bob": IntentState.ACTIVE}


def test_plans_end_with_the_session(world: World) -> None:
    """A finalized session has none, and its conflicts over plans are closed."""
    world.plan("ann", "shop/a.py")
    world.plan("bob", "shop/a.py")
    end_session(world.context)
    assert intents(world.context) == []
    assert world.intent(2).why == "the session has ended"
    assert [found.status for found in conflicts(world.context)] == [Status.RESOLVED]


def test_looking_records_nothing(world: World) -> None:
    """A check says what a plan would meet, for its agent or for nobody in particular."""
    world.plan("ann", "shop/a.py")
    before = world.log()
    assert not check(world.context, files=["shop/a.py"], agent="bob").success
    assert not check(world.context, files=["shop/a.py"]).success
    assert check(world.context, files=["shop/a.py"], agent="ann").success
    found = check(world.context, files=["config/a.py"], agent="new", stream="SHOP").conflicts
    assert [one.kind for one in found] == [Obstacle.DEPENDENCY]
    assert world.log() == before
    assert not conflicts(world.context)


def test_waiters_are_told_of_without_being_in_the_way(world: World) -> None:
    """Who queues for the same is information."""
    acquire(world.context, agent="ann", resources=["shop/a.py"])

    def meanwhile(_: float) -> None:
        answer = world.plan("cy", "shop/a.py")
        assert [(one.agent, one.resources) for one in answer.waiting] == [("bob", ("shop/a.py",))]
        assert any("bob is already in the queue for shop/a.py" in text for text in answer.suggestions)
        world.clock.pass_s(10)

    cast("FakeBells", world.context.bells).during = meanwhile
    acquire(world.context, agent="bob", resources=["shop/a.py"], wait_s=5)


def test_a_lease_on_what_others_plan_says_so(world: World) -> None:
    """A plan holds nothing, so the lease is granted; its answer names those to talk to."""
    world.plan("ann", "shop/")
    world.plan("bob", "shop/a.py", estimated_duration_s=1.0)
    answer = acquire(world.context, agent="cy", resources=["shop/a.py"])
    assert (answer.granted, answer.planned_by) == (True, ("ann",))
    assert acquire(world.context, agent="ann", resources=["shop/b.py"]).planned_by == ()
    world.clock.pass_s(3600)
    assert acquire(world.context, agent="dan", resources=["shop/c.py"]).planned_by == ()


def test_planners_of_a_file_are_found(world: World) -> None:
    """Active plans of others around a resource, earliest first; contested ones and one's own are left out."""
    world.plan("ann", "shop/")
    world.plan("bob", "shop/a.py")
    with world.context.store.read() as tx:
        assert [intent.agent for intent in planned_by(tx, ["shop/a.py"], "cy")] == ["ann"]
        assert planned_by(tx, ["shop/a.py"], "ann") == []
        assert planned_by(tx, ["till/a.py"]) == []


@pytest.mark.parametrize(
    ("files", "more", "error", "words"),
    [
        ([], {}, Usage, "No file was named"),
        ([f"shop/{n}.py" for n in range(10_000)], {}, Usage, "10,000 files"),
        (["shop/a.py"], {"description": "x" * 1_000_000}, Usage, "1,000,000 characters"),
        (["shop/a.py"], {"estimated_duration_s": -5.0}, Usage, "longer than nothing"),
        (["shop/a.py"], {"estimated_duration_s": 0.0}, Usage, "longer than nothing"),
        (["shop/a.py"], {"estimated_duration_s": float("nan")}, Usage, "longer than nothing"),
        (["shop/a.py"], {"estimated_duration_s": float("inf")}, Usage, "longer than nothing"),
        (["shop/a.py"], {"stream": "nowhere"}, NotFound, "There is no stream 'nowhere'"),
    ],
)  # fmt: skip
def test_bad_plans_are_refused_and_leave_nothing(
    world: World, files: list[str], more: dict[str, Any], error: type[PucsError], words: str
) -> None:
    """The message says what is wrong; no agent, intent or entry is left behind."""
    with pytest.raises(error, match=words):
        world.plan("ann", *files, **more)
    assert not world.log()
    assert not agents(world.context)


def test_a_bad_agent_and_a_missing_session_are_refused(world: World) -> None:
    """Neither makes an intent."""
    with pytest.raises(Usage, match="cannot be an agent id"):
        world.plan("../ann", "shop/a.py")
    end_session(world.context)
    with pytest.raises(Refused, match="no active session"):
        world.plan("ann", "shop/a.py")
    with pytest.raises(Refused, match="no active session"):
        check(world.context, files=["a"])
    assert intents(world.context) == []


def test_limits_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long estimate is capped, the longest description is taken, and a session has only so many intents."""
    answer = world.plan("ann", "a", estimated_duration_s=1e9, description="x" * DESCRIPTION_CHARACTERS_MAX)
    assert answer.expires_at == world.clock.now().wall(2 * ESTIMATE_S_MAX)
    monkeypatch.setattr("pucs.intents.rules.INTENTS_MAX", 1)
    with pytest.raises(Refused, match="open intents"):
        world.plan("bob", "b")
    assert world.plan("ann", "c").success


def test_a_directory_and_its_own_file_are_one_resource(world: World) -> None:
    """What the directory contains is left out of the plan."""
    assert world.plan("ann", "shop/a.py", "shop/", "shop/a.py").files == ("shop/",)


def test_an_agent_that_ended_plans_nothing(world: World) -> None:
    """It has to register again."""
    world.plan("ann", "a")
    retire(world.context, agent="ann")
    with pytest.raises(Refused, match="has ended"):
        world.plan("ann", "a")


def test_a_failure_on_the_way_changes_nothing(world: World) -> None:
    """An error after the clearing rolls it back with its entry."""
    world.plan("ann", "a")
    before = world.log()

    def clear_and_fail() -> None:
        with unit(world.context) as opened:
            assert clear_in(world.context, opened, "ann", "tried") is not None
            raise RuntimeError

    with pytest.raises(RuntimeError):
        clear_and_fail()
    assert world.log() == before
    assert set(world.open()) == {"ann"}
