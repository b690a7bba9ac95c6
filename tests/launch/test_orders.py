"""Pause, resume and terminate, carried out on real processes: nothing of a paused tree runs, nothing of an ended one lives."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs.agents.records import Phase
from pucs.coordinator import agents as registry
from pucs.coordinator import inspecting, leases, pausing
from pucs.coordinator.log import entries
from pucs.crosslog.records import Query
from pucs.launch import events
from pucs.launch.agents import Command, Ending, Keeper, Outcome
from pucs.launch.settings import RunResult
from pucs.tasks.records import TaskState
from tests.launch.conftest import PATIENCE_S, Line, is_gone, wait_gone
from tests.launch.scenes import Scene, task

pytestmark = [pytest.mark.process, pytest.mark.git]
Order = Callable[..., Command]
TREE = "(setsid sh -c 'echo $$ > $LINE; read x < $LINE.never' &); echo $$ > $LINE; read x < $LINE.never"
"""A command with a process that left its group and session; both tell their pids and wait."""


def state(pid: int) -> str:
    """Return the state of a process as the kernel shows it."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0]


def until(true: Callable[[], bool]) -> None:
    """Wait for what another process or thread does within moments."""
    patience = threading.Event()
    for _ in range(PATIENCE_S * 50):
        if true():
            return
        patience.wait(0.02)
    raise AssertionError("it did not come to that")


class Aside:
    """Something that runs in a thread of its own."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.result: object = None
        self._thread = threading.Thread(target=self._run, args=(work,))
        self._thread.start()

    def _run(self, work: Callable[[], object]) -> None:
        self.result = work()

    def ends_within(self, seconds: float) -> bool:
        """Wait so long for its end, and tell whether it came."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def join(self) -> object:
        """Return what came of it."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        return self.result


@pytest.mark.slow
def test_a_paused_tree_stands_still_and_goes_on(keeper: Keeper, order: Order, line: Line) -> None:
    """Every process of the tree is stopped, also outside the group; its timeout stands still with it."""
    never = line.beside("never")
    running = Aside(lambda: keeper.run(order(TREE, timeout_s=1.0)))
    pids = [line.pid(), line.pid()]
    keeper.pause()
    until(lambda: {state(pid) for pid in pids} == {"T"})
    assert not running.ends_within(1.5), "its time stands still"
    keeper.resume()
    until(lambda: "T" not in {state(pid) for pid in pids})
    with never.open("w", encoding="utf-8") as opened:
        opened.write("go\ngo\n")
    outcome = running.join()
    assert isinstance(outcome, Outcome)
    assert outcome.ending is Ending.EXITED
    assert all(is_gone(pid) for pid in pids)


def test_a_paused_command_can_be_stopped(keeper: Keeper, order: Order, line: Line) -> None:
    """The stop sequence begins with a signal it may answer, and a stopped process answers once it runs."""
    line.beside("never")
    running = Aside(lambda: keeper.run(order("trap 'echo bye; exit 7' INT; " + TREE, stop_grace_s=10)))
    pids = [line.pid(), line.pid()]
    keeper.pause()
    until(lambda: {state(pid) for pid in pids} == {"T"})
    keeper.stop()
    outcome = running.join()
    assert isinstance(outcome, Outcome)
    assert (outcome.ending, outcome.code) == (Ending.STOPPED, 7)
    assert outcome.tail.endswith("bye\n")
    assert all(is_gone(pid) for pid in pids)


def test_a_killed_paused_command_is_reported_with_nothing_left(
    keeper: Keeper, order: Order, line: Line
) -> None:
    """SIGKILL from outside ends a stopped leader; what it left stopped goes too, and the keeper serves on."""
    line.beside("never")
    running = Aside(lambda: keeper.run(order(TREE)))
    pids = [line.pid(), line.pid()]
    keeper.pause()
    until(lambda: {state(pid) for pid in pids} == {"T"})
    leader = next(pid for pid in pids if os.getpgid(pid) == pid and os.getsid(pid) != pid)
    os.kill(leader, signal.SIGKILL)
    outcome = running.join()
    assert isinstance(outcome, Outcome)
    assert (outcome.ending, outcome.signal) == (Ending.EXITED, signal.SIGKILL)
    assert all(is_gone(pid) for pid in pids)
    keeper.pause()
    keeper.resume()
    assert keeper.run(order("true")).succeeded


def test_a_killed_keeper_takes_its_paused_tree_with_it(keeper: Keeper, order: Order, line: Line) -> None:
    """Stopped processes are found and killed like running ones, also outside the group."""
    line.beside("never")
    running = Aside(lambda: keeper.run(order(TREE)))
    pids = [line.pid(), line.pid()]
    keeper.pause()
    until(lambda: {state(pid) for pid in pids} == {"T"})
    os.kill(keeper.process.pid, signal.SIGKILL)
    outcome = running.join()
    assert isinstance(outcome, Outcome)
    assert outcome.ending is Ending.LOST
    assert all(is_gone(pid) for pid in pids)


@pytest.mark.slow
def test_a_paused_agent_stands_still_keeps_its_leases_and_finishes(scene: Scene, line: Line) -> None:
    """In a run: its program stops, its leases are renewed, and after RESUME its work lands."""
    line.beside("never")
    scene.tasks(task("t1", "echo $$ > $LINE; read x < $LINE.never; echo more >> core/a.txt"))
    run = scene.supervisor()
    running = Aside(run.run)
    pid = line.pid()
    pausing.pause(scene.context, agent="core-agent-1", by="ann", reason="look here")
    until(lambda: state(pid) == "T")
    assert [lease.agent for lease in inspecting.locks(scene.context)] == ["core-agent-1"]
    pausing.resume(scene.context, agent="core-agent-1", by="ann")
    until(lambda: state(pid) != "T")
    Path(f"{line.path}.never").write_text("go\n", encoding="utf-8")
    result = running.join()
    assert isinstance(result, RunResult)
    assert [one.state for one in result.tasks] == [TaskState.DONE], scene.said
    assert scene.landed("core", "core/a.txt") == "a\nmore\n"


@pytest.mark.slow
def test_an_agent_paused_before_its_leases_begins_once_it_is_resumed(scene: Scene) -> None:
    """Whether it waits in the queue already or is about to: it gets nothing while it is paused, and fails at nothing."""
    leases.acquire(scene.context, agent="holder", resources=["core/a.txt"])
    scene.tasks(task("t1", "echo more >> core/a.txt"))
    waiting = threading.Event()

    def hear(event: events.Event) -> None:
        if isinstance(event, events.TaskWaiting):
            waiting.set()

    running = Aside(scene.supervisor(hear).run)
    assert waiting.wait(PATIENCE_S)
    pausing.pause(scene.context, agent="core-agent-1", by="ann")
    leases.release(scene.context, agent="holder")
    assert not running.ends_within(1.0)
    assert inspecting.locks(scene.context) == []
    pausing.resume(scene.context, agent="core-agent-1", by="ann")
    result = running.join()
    assert isinstance(result, RunResult)
    assert [(one.state, one.attempts) for one in result.tasks] == [(TaskState.DONE, 1)], scene.said
    said = [entry.action for entry in entries(scene.context, Query(agent="core-agent-1"))]
    granted = min(said.index(word) for word in ("lock granted", "lock reserved") if word in said)
    assert said.index("resumed") < granted


@pytest.mark.slow
def test_an_idle_agent_is_ended_by_terminate(scene: Scene, line: Line) -> None:
    """One that waits for another stream's task leaves at the order, and says why."""
    line.beside("never")
    scene.tasks(
        task("t1", "true"),
        task("t2", "echo up > $LINE; read x < $LINE.never", "shop"),
        task("t3", "true", after=("t2",)),
    )
    running = Aside(scene.supervisor().run)
    line.next()
    until(lambda: any(isinstance(event, events.TaskDone) for event in scene.said))
    pausing.terminate(scene.context, agent="core-agent-1", by="ann", reason="go")
    until(lambda: any(isinstance(event, events.AgentEnded) for event in scene.said))
    (ended,) = scene.heard(events.AgentEnded)
    assert isinstance(ended, events.AgentEnded)
    assert (ended.agent, ended.failed, ended.reason) == ("core-agent-1", True, 'terminated by ann: "go"')
    Path(f"{line.path}.never").write_text("go\n", encoding="utf-8")
    result = running.join()
    assert isinstance(result, RunResult)
    assert {one.state for one in result.tasks} == {TaskState.DONE}, scene.said


@pytest.mark.slow
def test_terminate_ends_the_whole_tree_and_keeps_the_work(scene: Scene, line: Line) -> None:
    """Nothing of the agent lives, its edits are on a salvage ref, and another agent does the task."""
    line.beside("never")
    scene.tasks(task("t1", f'[ "$PUCS_AGENT" = core-agent-1 ] || exit 0; echo half >> core/a.txt; {TREE}'))
    running = Aside(scene.supervisor().run)
    pids = [line.pid(), line.pid()]
    told = pausing.terminate(scene.context, agent="core-agent-1", by="ann", reason="in circles")
    assert told.active, "its keeper ends it, not the one who ordered it"
    for pid in pids:
        wait_gone(pid)
    result = running.join()
    assert isinstance(result, RunResult)
    phases = {agent.id: agent.phase for agent in registry.agents(scene.context)}
    assert phases["core-agent-1"] is Phase.FAILED
    (back,) = scene.heard(events.TaskGivenBack)
    assert isinstance(back, events.TaskGivenBack)
    assert scene.git("show", f"{back.salvage}:core/a.txt") == "a\nhalf\n"
    actions = [entry.action for entry in entries(scene.context, Query(agent="core-agent-1"))]
    assert actions.index("terminated") < actions.index("kept") < actions.index("failed")


@pytest.mark.slow
def test_terminate_reaches_an_agent_that_is_paused(scene: Scene, line: Line) -> None:
    """A stopped tree is ended like a running one."""
    line.beside("never")
    scene.tasks(task("t1", f'[ "$PUCS_AGENT" = core-agent-1 ] || exit 0; {TREE}'))
    running = Aside(scene.supervisor().run)
    pids = [line.pid(), line.pid()]
    pausing.pause(scene.context, agent="core-agent-1", by="ann")
    until(lambda: {state(pid) for pid in pids} == {"T"})
    pausing.terminate(scene.context, agent="core-agent-1", by="ann")
    for pid in pids:
        wait_gone(pid)
    result = running.join()
    assert isinstance(result, RunResult)
    assert [one.state for one in result.tasks] != [TaskState.FAILED], scene.said


@pytest.mark.slow
def test_the_command_line_stops_a_launched_agent(scene: Scene, line: Line) -> None:
    """``pucs stop`` from another process is enough."""
    line.beside("never")
    scene.tasks(task("t1", f'[ "$PUCS_AGENT" = core-agent-1 ] || exit 0; {TREE}'))
    running = Aside(scene.supervisor().run)
    pids = [line.pid(), line.pid()]
    told = subprocess.run(
        ["pucs", "--repo", str(scene.root), "stop", "core-agent-1", "--reason", "enough"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "its keeper ends the program" in told
    for pid in pids:
        wait_gone(pid)
    running.join()
