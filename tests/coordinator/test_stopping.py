"""Ends of turns and conversations: who forgets something is told, at most twice; what was not used is given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pucs.agents.calls import Call, Moment, Ruling
from pucs.agents.records import Agent, Conversation
from pucs.coordinator import briefing, stopping
from pucs.coordinator.agents import register
from pucs.coordinator.context import Context, unit
from pucs.coordinator.handoffs import hand_off
from pucs.coordinator.inspecting import locks
from pucs.coordinator.leases import acquire
from pucs.coordinator.log import entries
from pucs.coordinator.pausing import pause, resume, terminate
from pucs.coordinator.posting import send
from pucs.coordinator.turns import line_up
from pucs.crosslog.records import Query
from pucs.messages.handoffs import Contents
from pucs.streams.records import Session, SessionState
from pucs.streams.settings import Configuration
from pucs.tasks.records import Task, TaskState
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from tests.conftest import Kept


class Checkout:
    """Files whose content is one word, as far as notes of them are concerned."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}

    @property
    def worktrees(self) -> Checkout:
        """Stand for git's hands and for the worktrees among them."""
        return self

    def note(self, path: str, resource: str) -> str:
        """Describe a file."""
        return f"{path}:{self.files.get(resource, 'absent')}"


class World:
    """A launched agent, a person's agent, and somebody who writes to both."""

    def __init__(self, kept: Kept) -> None:
        self.clock, self.processes = FakeClock(), FakeProcesses()
        self.checkout = Checkout()
        self.context = Context(
            store=kept(self.clock),
            clock=self.clock,
            processes=self.processes,
            bells=FakeBells(),
            git=cast("Any", self.checkout),
            door="test",
        )
        with self.context.store.transaction() as tx:
            tx.sessions.put(
                Session(
                    id="S", state=SessionState.ACTIVE, base="b" * 40, target="", branch="s", started_at=""
                )
            )
            tx.sessions.put_configuration(Configuration())
        keeper = self.processes.process(10)
        register(
            self.context, agent="minded", program="claude", owner=keeper, worktree="/w/minded", branch="m"
        )
        register(self.context, agent="own", program="claude", worktree="/home/pat")
        register(self.context, agent="ann")
        for name in ("minded", "own"):
            with unit(self.context) as opened:
                opened.tx.conversations.put(
                    Conversation(program="claude", id=f"c-{name}", session="S", agent=name, place="/")
                )
            briefing.riding(self.context, self.agent(name))

    def agent(self, name: str) -> Agent:
        """Return an agent as it is now."""
        with self.context.store.read() as tx:
            found = tx.agents.get(name)
        assert found is not None
        return found

    def call(self, name: str, moment: Moment, *, again: bool = False) -> Call:
        """Return what the program of an agent reports."""
        return Call(moment=moment, program="claude", conversation=f"c-{name}", cwd="/", again=again)

    def stop(self, name: str = "own", *, again: bool = False) -> Ruling:
        """Let an agent end its turn."""
        return stopping.stopped(self.context, self.agent(name), self.call(name, Moment.STOP, again=again))

    def edit(self, name: str, path: str, *, really: bool = True) -> None:
        """Let an agent take a file and change it, or not after all."""
        place = self.agent(name).worktree
        noted = {path: self.checkout.note(place, path)}
        assert acquire(self.context, agent=name, resources=[path], noted=noted).granted
        if really:
            self.checkout.files[path] = "changed"

    def held(self, name: str = "own") -> list[str]:
        """Return what an agent has."""
        return [lease.resource for lease in locks(self.context) if lease.agent == name]


@pytest.fixture
def world(kept: Kept) -> World:
    return World(kept)


def test_who_leaves_nothing_behind_may_stop(world: World) -> None:
    """The usual end of a turn costs nothing."""
    assert world.stop("own") == Ruling()
    assert world.stop("minded") == Ruling()


def test_unlanded_changes_are_named_with_what_to_do(world: World) -> None:
    """Others wait for what it holds, so it is told to land, or to give up."""
    world.edit("own", "a.py")
    ruling = world.stop()
    assert not ruling.allowed
    assert "You changed a.py" in ruling.reason
    assert "pucs land --agent own" in ruling.reason
    assert "pucs unlock --agent own" in ruling.reason
    assert world.held() == ["a.py"]


def test_nobody_is_refused_more_than_twice_in_a_row(world: World) -> None:
    """Whoever does not land after two reminders will not; the next prompt begins anew."""
    world.edit("own", "a.py")
    assert [world.stop(again=number > 0).allowed for number in range(4)] == [False, False, True, True]
    briefing.prompted(world.context, world.agent("own"), world.call("own", Moment.PROMPT))
    assert not world.stop().allowed


def test_untouched_leases_are_given_up_in_silence(world: World) -> None:
    """Taken for an edit that was not made: nobody is bothered, and nobody waits for it any longer."""
    world.edit("own", "a.py", really=False)
    world.edit("own", "b.py")
    ruling = world.stop()
    assert "b.py" in ruling.reason
    assert "a.py" not in ruling.reason
    assert world.held() == ["b.py"]
    world.checkout.files["b.py"] = "absent"
    assert world.stop().allowed
    assert world.held() == []


def test_what_cannot_be_judged_cheaply_is_left_alone(world: World) -> None:
    """A directory, or a lease whose file nobody noted, is neither given up nor held against it."""
    acquire(world.context, agent="own", resources=["d/", "a.py"])
    assert world.stop().allowed
    assert world.held() == ["a.py", "d/"]


def test_a_launched_agent_keeps_its_leases_and_may_stop(world: World) -> None:
    """Its supervisor lands what it did and reports its task."""
    world.edit("minded", "a.py")
    world.edit("minded", "b.py", really=False)
    assert world.stop("minded").allowed
    assert world.held("minded") == ["a.py", "b.py"]


def test_an_unreported_task_is_reminded_of(world: World) -> None:
    """Nobody else reports it for an agent that nobody minds."""
    task = Task(
        id="T-1",
        title="a task",
        stream="",
        prompt="do",
        session="S",
        state=TaskState.RUNNING,
        assignee="own",
    )
    with unit(world.context) as opened:
        opened.tx.tasks.put(task)
    assert "Your task T-1 is not reported" in world.stop().reason


def test_an_open_handoff_is_reminded_of(world: World) -> None:
    """It was addressed to this very agent; one to anybody is nobody's duty."""
    contents = Contents(pending=("go on",))
    hand_off(world.context, agent="ann", to=["own"], contents=contents, incomplete=True)
    ruling = world.stop()
    assert "Hand-off 1 from ann waits for you" in ruling.reason


def test_orders_and_alerts_are_heard_before_the_end_and_once(world: World) -> None:
    """An agent that stops would hear them never; after that it may go."""
    pause(world.context, agent="minded", by="op")
    resume(world.context, agent="minded", by="op")
    ruling = world.stop("minded")
    assert not ruling.allowed
    assert "resume from the coordinator" in ruling.reason
    world.clock.pass_s(300)
    assert world.stop("minded", again=True).allowed
    assert briefing.riding(world.context, world.agent("minded")) == ""


def test_small_talk_waits_for_the_next_turn(world: World) -> None:
    """A message that changes nothing about the work keeps nobody from ending."""
    send(world.context, agent="ann", to="minded", text="Nice weather.")
    assert world.stop("minded").allowed
    assert "Nice weather" in briefing.riding(world.context, world.agent("minded"))


def test_a_launched_agent_is_not_held_up_for_those_who_wait_for_it(world: World) -> None:
    """It lands as soon as it stops, which is all that they wait for; a person's agent has to be told."""
    keeper = world.processes.process(11)
    register(world.context, agent="bob", owner=keeper)
    world.edit("minded", "a.py")
    world.edit("own", "b.py", really=False)
    line_up(world.context, agent="bob", resources=["a.py"])
    line_up(world.context, agent="bob", resources=["b.py"])
    assert world.stop("minded").allowed
    assert "bob waits for what you hold" in world.stop("own").reason


@pytest.mark.parametrize("name", ["minded", "own"])
def test_a_halted_agent_stops_at_once(world: World, name: str) -> None:
    """Whoever was paused or terminated is to stop, whatever it leaves."""
    world.edit(name, "a.py")
    pause(world.context, agent=name, by="op")
    ruling = world.stop(name)
    assert (ruling.allowed, ruling.suspend) == (True, True)
    assert "paused by op" in ruling.reason
    terminate(world.context, agent=name, by="op") if name == "minded" else None
    assert world.stop(name).allowed


def test_the_end_of_a_conversation_gives_up_what_was_not_used(world: World) -> None:
    """What changed stays leased, because the conversation may be taken up again; its agent stays known."""
    world.edit("own", "a.py", really=False)
    world.edit("own", "b.py")
    stopping.ended(world.context, world.agent("own"), world.call("own", Moment.END))
    assert world.held() == ["b.py"]
    assert world.agent("own").active
    last = entries(world.context, Query())[-1]
    assert (last.action, last.files) == ("conversation ended", ("b.py",))


def test_the_end_of_a_suspended_agents_program_changes_nothing(world: World) -> None:
    """It waits for its turn, and its supervisor takes it up again."""
    world.edit("minded", "a.py", really=False)
    stopping.ended(world.context, world.agent("minded"), world.call("minded", Moment.END))
    assert world.held("minded") == ["a.py"]
