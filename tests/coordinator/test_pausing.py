"""PAUSE, RESUME and TERMINATE at the verbs: no new leases, places kept, nobody held up, and an end that is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pucs.agents.records import Halt, Phase
from pucs.coordinator import agents as registry
from pucs.coordinator.agents import heartbeat, register, retire
from pucs.coordinator.context import Context
from pucs.coordinator.inspecting import locks
from pucs.coordinator.leases import acquire, release, renew
from pucs.coordinator.log import entries, log
from pucs.coordinator.messages import inbox, messages
from pucs.coordinator.pausing import pause, resume, terminate
from pucs.coordinator.status import agents_document
from pucs.coordinator.tasks import finish, give_back, import_tasks, take
from pucs.core.errors import NotFound, Refused, Terminated, Usage
from pucs.crosslog.records import Query
from pucs.streams.records import Session, SessionState, Stream, StreamRow
from pucs.streams.settings import Configuration
from pucs.tasks.records import Task, TaskState
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.agents.records import Agent
    from pucs.coordinator.ports import Git
    from tests.conftest import Kept


class World:
    """A session of four agents under a test's control."""

    def __init__(self, kept: Kept) -> None:
        self.clock, self.processes, self.bells = FakeClock(), FakeProcesses(), FakeBells()
        self.context = Context(
            store=kept(self.clock),
            clock=self.clock,
            processes=self.processes,
            bells=self.bells,
            git=cast("Git", None),
            door="test",
        )
        shop = Stream(name="shop", files_pattern=("shop/**",), max_agents=5)
        with self.context.store.transaction() as tx:
            tx.sessions.put(
                Session(
                    id="S", state=SessionState.ACTIVE, base="b", target="main", branch="s", started_at="now"
                )
            )
            tx.sessions.put_configuration(Configuration(streams=(shop,)))
            tx.sessions.put_stream(StreamRow(session="S", stream=shop, branch="b/shop"))
        for name in ("ann", "bob", "cyd", "dan"):
            register(self.context, agent=name, program="client")

    def take(self, agent: str, *names: str, **more: Any) -> Any:
        """Ask for resources."""
        return acquire(self.context, agent=agent, resources=names or ("a.py",), **more)

    def waits(self, agent: str, during: Callable[[], None]) -> Any:
        """Let an agent wait for a.py; the first time it sleeps, something happens."""
        before = self.bells.during
        happened: list[bool] = []

        def once(_: float) -> None:
            if not happened:
                happened.append(True)
                during()
            else:
                self.clock.pass_s(10)

        self.bells.during = once
        try:
            return self.take(agent, wait_s=25)
        finally:
            self.bells.during = before

    def held(self) -> dict[str, str]:
        """Return who has what."""
        return {lease.resource: lease.agent for lease in locks(self.context)}

    def agent(self, name: str) -> Agent:
        """Return an agent."""
        return next(one for one in registry.agents(self.context) if one.id == name)


@pytest.fixture
def world(kept: Kept) -> World:
    return World(kept)


def test_a_paused_agent_gets_no_new_lease_and_hears_who_paused_it_and_why(world: World) -> None:
    """What it holds stays its own and is renewed; nothing new is granted, not even under a directory it holds."""
    world.take("ann", "d/")
    pause(world.context, agent="ann", by="eve", reason="look at the prices")
    answer = world.take("ann", "d/a.py")
    assert not answer.granted
    assert answer.paused
    assert 'ann is paused by eve: "look at the prices"' in answer.reason
    assert not world.take("ann", "b.py", wait_s=5).granted
    world.clock.pass_s(60)
    (renewed,) = renew(world.context, agent="ann")
    assert renewed.left_s(world.clock.now().boot_s) > 1700
    assert heartbeat(world.context, agent="ann") == ["d/"]
    release(world.context, agent="ann")
    assert world.held() == {}


def test_pause_and_resume_are_told_and_logged_once(world: World) -> None:
    """Saying it twice changes nothing; RESUME takes an unread PAUSE with it."""
    inbox(world.context, agent="ann", acknowledge=True)
    for _ in range(2):
        pause(world.context, agent="ann", by="eve", reason="why")
    assert [one.kind.value for one in messages(world.context, agent="ann")][-1:] == ["pause"]
    (told,) = inbox(world.context, agent="ann")
    assert 'eve: "why"' in told.text
    for _ in range(2):
        resume(world.context, agent="ann", by="eve")
    assert [one.kind.value for one in inbox(world.context, agent="ann")] == ["resume"]
    assert [one.ending for one in messages(world.context, agent="ann")][-2:] == ["superseded", None]
    said = [entry.action for entry in entries(world.context, Query(agent="ann"))]
    assert (said.count("paused"), said.count("resumed")) == (1, 1)
    assert world.take("ann").granted


def test_a_paused_agent_is_passed_over_and_keeps_its_place(world: World) -> None:
    """Nobody waits behind it while it stands still; once resumed it is served before those who came later."""

    def while_bob_waits() -> None:
        def while_dan_waits() -> None:
            pause(world.context, agent="bob", by="eve")
            assert world.held() == {"a.py": "ann"}
            assert release(world.context, agent="ann").served == ("dan",)

        assert world.waits("dan", while_dan_waits).granted

        def while_cyd_waits() -> None:
            resume(world.context, agent="bob", by="eve")
            assert release(world.context, agent="dan").served == ("bob",)

        assert world.waits("cyd", while_cyd_waits).granted, "once bob's process had not claimed in time"

    world.take("ann")
    world.bells.during = lambda _: None
    assert world.waits("bob", while_bob_waits).late


def test_pausing_lets_those_behind_go_at_once(world: World) -> None:
    """Who waited behind the paused agent alone is served in the same transaction."""

    def while_bob_waits() -> None:
        def while_cyd_waits() -> None:
            pause(world.context, agent="bob", by="eve")
            assert "cyd" in {lease.agent for lease in locks(world.context)}

        assert world.take("cyd", "b.py", wait_s=0).queue_position > 0
        world.bells.during = lambda _: while_cyd_waits()
        assert acquire(world.context, agent="cyd", resources=["b.py"], wait_s=20).granted
        world.clock.pass_s(100)

    world.take("ann")
    happened: list[bool] = []

    def during(_: float) -> None:
        if not happened:
            happened.append(True)
            while_bob_waits()

    world.bells.during = during
    assert not acquire(world.context, agent="bob", resources=["a.py", "b.py"], wait_s=60).granted


def test_a_lease_reserved_before_the_pause_is_still_claimed(world: World) -> None:
    """It was granted before; the pause begins behind it."""

    def while_bob_waits() -> None:
        release(world.context, agent="ann")
        pause(world.context, agent="bob", by="eve")

    world.take("ann")
    assert world.waits("bob", while_bob_waits).granted
    assert not world.take("bob", "b.py").granted


def test_a_paused_agent_that_died_waiting_blocks_nobody(world: World) -> None:
    """Its request is met and withdrawn once it counts again."""

    def while_bob_waits() -> None:
        pause(world.context, agent="bob", by="eve")
        world.processes.kill(world.processes.me)
        release(world.context, agent="ann")
        resume(world.context, agent="bob", by="eve")
        assert world.held() == {}

    world.take("ann")
    assert not world.waits("bob", while_bob_waits).granted
    assert world.take("cyd").granted


def test_a_paused_agent_takes_no_task_and_may_finish_its_own(world: World) -> None:
    """Nothing new begins; what is done may be said."""
    import_tasks(
        world.context,
        tasks=[Task(id=f"t{n}", title=f"feat: {n}", stream="shop", command="true") for n in (1, 2)],
    )
    register(world.context, agent="eli", stream="shop", program="client")
    taken = take(world.context, agent="eli")
    assert taken is not None
    pause(world.context, agent="eli", by="eve")
    assert take(world.context, agent="eli") is None
    assert finish(world.context, agent="eli", task="t1").state is TaskState.DONE
    resume(world.context, agent="eli", by="eve")
    assert take(world.context, agent="eli") is not None


@pytest.mark.parametrize("order", [pause, resume, terminate])
def test_orders_to_nobody_are_refused(world: World, order: Any) -> None:
    """An unknown agent is answered with those that look like it; one that has ended is past orders."""
    with pytest.raises(NotFound, match="ann"):
        order(world.context, agent="anm", by="eve")
    retire(world.context, agent="ann")
    with pytest.raises(Refused, match="has ended"):
        order(world.context, agent="ann", by="eve")


@pytest.mark.parametrize(
    "wrong", [{"by": ""}, {"by": "a\nb"}, {"by": "x" * 65}, {"reason": "x" * 501}, {"reason": "a\x1b[0m"}]
)
def test_who_orders_and_why_is_one_plain_line(world: World, wrong: dict[str, str]) -> None:
    """It is shown to agents and in terminals."""
    with pytest.raises(Usage):
        pause(world.context, agent="ann", **{"by": "eve", **wrong})
    assert not world.agent("ann").paused


def test_a_terminated_agent_is_ended_and_may_act_no_more(world: World) -> None:
    """Its leases pass on, every verb of its own is refused with who ended it, and only a new registration helps."""
    world.take("ann")

    def while_bob_waits() -> None:
        ended = terminate(world.context, agent="ann", by="eve", reason="in circles")
        assert ended.phase is Phase.FAILED

    assert world.waits("bob", while_bob_waits).granted
    for act in (
        lambda: world.take("ann", "b.py"),
        lambda: log(world.context, agent="ann", action="still here"),
        lambda: renew(world.context, agent="ann"),
        lambda: take(world.context, agent="ann"),
    ):
        with pytest.raises(Terminated, match='terminated by eve: "in circles"'):
            act()
    assert terminate(world.context, agent="ann", by="eve").phase is Phase.FAILED, "safe to repeat"
    assert inbox(world.context, agent="ann")[0].kind == "terminate", "it may still read why"
    assert register(world.context, agent="ann").halt is Halt.NONE
    assert "terminate" not in {one.kind.value for one in inbox(world.context, agent="ann")}
    assert world.take("ann", "b.py").granted


def test_a_terminated_process_cannot_register_itself_again(world: World) -> None:
    """Another process may take the id; the one that was ended may not."""
    owner = world.processes.process(60)
    register(world.context, agent="eli", program="client", owner=owner)
    terminate(world.context, agent="eli", by="eve")
    with pytest.raises(Terminated):
        register(world.context, agent="eli", program="client", owner=owner)
    world.processes.kill(owner)
    assert register(world.context, agent="eli", owner=world.processes.process(61)).incarnation == 2


def test_a_restart_alone_does_not_resume(world: World) -> None:
    """Whoever paused an agent meant its id: the next incarnation is paused as well, is told so, and can be resumed."""
    owner = world.processes.process(60)
    register(world.context, agent="eli", owner=owner)
    pause(world.context, agent="eli", by="eve", reason="look here")
    world.processes.kill(owner)
    again = register(world.context, agent="eli", owner=world.processes.process(61))
    assert (again.incarnation, again.halt, again.halted_by) == (2, Halt.PAUSED, "eve")
    assert "pause" in {one.kind.value for one in inbox(world.context, agent="eli")}
    assert world.take("eli").paused
    resume(world.context, agent="eli", by="eve")
    assert world.take("eli").granted


def test_a_launched_agent_is_left_to_its_keeper(world: World) -> None:
    """Its leases are held until its processes are gone; meanwhile it acts no more but is kept alive on record."""
    keeper = world.processes.process(70)
    register(world.context, agent="eli", program="command", owner=keeper)
    world.take("eli", "e.py")
    told = terminate(world.context, agent="eli", by="eve")
    assert (told.active, told.terminated) == (True, True)
    assert world.held() == {"e.py": "eli"}
    assert heartbeat(world.context, agent="eli") == ["e.py"]
    with pytest.raises(Terminated):
        world.take("eli", "f.py")
    with pytest.raises(Refused, match="has ended"):
        pause(world.context, agent="eli", by="eve")
    world.processes.kill(keeper)
    assert not terminate(world.context, agent="eli", by="eve").active
    assert world.held() == {}


def test_work_that_landed_is_written_down_for_a_terminated_agent(world: World) -> None:
    """Whoever launched it says that the task is done; the agent itself may not."""
    import_tasks(world.context, tasks=[Task(id="t1", title="feat: 1", stream="shop", command="true")])
    register(world.context, agent="eli", stream="shop", owner=world.processes.process(70))
    take(world.context, agent="eli")
    terminate(world.context, agent="eli", by="eve")
    with pytest.raises(Terminated):
        finish(world.context, agent="eli", task="t1")
    assert finish(world.context, agent="eli", task="t1", by_keeper=True).state is TaskState.DONE


def test_the_request_of_a_terminated_waiter_goes(world: World) -> None:
    """It is out of the queue at once, and its process is told."""

    def while_bob_waits() -> None:
        terminate(world.context, agent="bob", by="eve")
        assert release(world.context, agent="ann").served == ()

    world.take("ann")
    answer = world.waits("bob", while_bob_waits)
    assert not answer.granted
    assert "ended with its agent" in answer.reason


def test_status_shows_who_is_paused(world: World) -> None:
    """By whom and why, beside its life."""
    pause(world.context, agent="ann", by="eve", reason="why")
    found = next(one for one in agents_document(world.context) if one["id"] == "ann")
    assert (found["halt"], found["halted_by"], found["halted_because"]) == ("paused", "eve", "why")


def test_a_task_given_back_after_termination_waits_for_another(world: World) -> None:
    """Being ended is no failed attempt."""
    import_tasks(world.context, tasks=[Task(id="t1", title="feat: 1", stream="shop", command="true")])
    register(world.context, agent="eli", stream="shop", program="client")
    take(world.context, agent="eli")
    terminate(world.context, agent="eli", by="eve")
    back = give_back(world.context, agent="eli", task="t1", reason="ended")
    assert back.state is TaskState.PENDING
