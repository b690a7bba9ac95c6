"""Runs over real repositories, stores and processes: every task ends clearly, and nothing anybody did is lost."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pucs.agents.records import Phase
from pucs.coordinator import agents as registry
from pucs.coordinator import inspecting, leases, sessions
from pucs.coordinator import tasks as todo
from pucs.core.errors import NotFound
from pucs.launch import events, supervisor
from pucs.launch.agents import Command, Ending, Keeper, Outcome
from pucs.launch.settings import RunResult
from pucs.streams.settings import WorktreeSettings
from pucs.tasks.records import TaskState
from pucs.wiring import open_context
from tests.launch.conftest import Line, is_gone, wait_gone
from tests.launch.scenes import CONFIGURATION, Scene, task

pytestmark = [pytest.mark.process, pytest.mark.git]


@pytest.mark.slow
def test_tasks_of_two_streams_land(scene: Scene) -> None:
    """Work is on the stream branches, agents have retired, their worktrees are gone and nothing is held."""
    result = scene.run(task("t1", "echo one >> core/a.txt"), task("t2", "echo two >> shop/b.txt", "shop"))
    assert [one.state for one in result.tasks] == [TaskState.DONE, TaskState.DONE], scene.said
    assert (result.exit_status, result.problems, result.interrupted) == (0, (), False)
    assert scene.landed("core", "core/a.txt") == "a\none\n"
    assert scene.landed("shop", "shop/b.txt") == "b\ntwo\n"
    assert sorted(result.agents) == ["core-agent-1", "shop-agent-1"]
    assert {agent.phase for agent in registry.agents(scene.context)} == {Phase.RETIRED}
    assert inspecting.locks(scene.context) == []
    assert len(scene.context.worktrees.paths()) == 1
    assert result.tasks[0].result.startswith("landed 1 file as ")


def test_waiting_agent_builds_on_what_it_waited_for(scene: Scene, line: Line) -> None:
    """Two agents want one file: the second waits its turn, brings the change into its worktree and adds to it."""
    first = "echo first >> core/a.txt; echo up > $LINE; read go < $LINE.go"
    line.beside("go")
    scene.tasks(task("t1", first), task("t2", "grep -q first core/a.txt && echo second >> core/a.txt"))

    def hear(event: events.Event) -> None:
        if isinstance(event, events.TaskWaiting):
            Path(f"{line.path}.go").write_text("go\n", encoding="utf-8")

    result = scene.supervisor(hear).run()
    assert result.exit_status == 0, scene.said
    assert scene.landed("core", "core/a.txt") == "a\nfirst\nsecond\n"
    (waiting,) = scene.heard(events.TaskWaiting)
    assert isinstance(waiting, events.TaskWaiting)
    assert waiting.position == 1


@pytest.mark.slow
def test_order_across_streams_is_kept_by_the_same_agents(scene: Scene) -> None:
    """A prerequisite in another stream is waited for, and an agent waits with its worktree."""
    result = scene.run(
        task("t1", "echo 1 >> core/a.txt"),
        task("t2", "echo 2 >> shop/b.txt", "shop", after=("t1",)),
        task("t3", "echo 3 >> core/a.txt", after=("t2",)),
    )
    assert result.exit_status == 0, scene.said
    assert sorted(result.agents) == ["core-agent-1", "shop-agent-1"]
    done = [event.task for event in scene.heard(events.TaskDone) if isinstance(event, events.TaskDone)]
    assert done == ["t1", "t2", "t3"]


@pytest.mark.slow
def test_failed_attempt_is_kept_and_retried_by_another_agent(scene: Scene) -> None:
    """The second attempt starts clean, knows where the first one's work is, and succeeds."""
    result = scene.run(
        task(
            "t1",
            'if [ "$PUCS_ATTEMPT" = 1 ]; then echo half >> core/a.txt; echo new > core/new.txt; echo oops >&2; exit 1; fi; '
            'test ! -e core/new.txt; git show "$PUCS_SALVAGE:core/a.txt" > core/a.txt',
        )
    )
    assert result.exit_status == 0, scene.said
    assert result.agents == ("core-agent-1", "core-agent-2")
    assert scene.landed("core", "core/a.txt") == "a\nhalf\n"
    (failed,) = scene.heard(events.AttemptFailed)
    assert isinstance(failed, events.AttemptFailed)
    assert (failed.reason, failed.final) == ("exit 1: oops", False)
    assert scene.git("show", f"{failed.salvage}:core/new.txt") == "new\n"
    phases = {agent.id: agent.phase for agent in registry.agents(scene.context)}
    assert phases == {"core-agent-1": Phase.FAILED, "core-agent-2": Phase.RETIRED}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("exit 1", "exit 1"),
        ("no-such-command", "command not found (exit 127): /bin/sh: 1: no-such-command: not found"),
        ("kill -9 $$", "killed by SIGKILL"),
        ('rm -rf "$PUCS_WORKTREE"', "is not a worktree any more"),
    ],
)
def test_hopeless_task_fails_with_its_reason(scene: Scene, command: str, reason: str) -> None:
    """Attempts are bounded, the reason is told, and other tasks are done all the same."""
    result = scene.run(
        task("t1", command), task("t2", "echo 2 >> shop/b.txt", "shop"), task("t3", "true", after=("t1",))
    )
    states = {one.id: one.state for one in result.tasks}
    assert states == {"t1": TaskState.FAILED, "t2": TaskState.DONE, "t3": TaskState.FAILED}
    assert reason in result.tasks[0].result
    assert result.tasks[0].attempts == 2
    assert result.exit_status == 1
    assert inspecting.locks(scene.context) == []


@pytest.mark.slow
def test_hanging_task_times_out_with_its_whole_tree(scene: Scene, line: Line) -> None:
    """A command that hangs and has left a daemon behind is ended, and so is the daemon."""
    line.beside("never")
    hang = (
        "(setsid sh -c 'echo $$ > $LINE; read x < $LINE.never' &); echo 1 >> core/a.txt; read x < $LINE.never"
    )
    result = scene.run(task("t1", hang, timeout_s=0.3))
    assert result.failed[0].result.startswith("timed out after 0.3 s")
    assert is_gone(int(line.next()))
    assert is_gone(int(line.next()))
    assert scene.git("show", f"{result.failed[0].salvage}:core/a.txt") == "a\n1\n"


@pytest.mark.slow
def test_flooding_task_succeeds_within_its_cap(scene: Scene) -> None:
    """Output beyond the cap costs nothing but the output."""
    scene.configure(replace(CONFIGURATION, agents=replace(CONFIGURATION.agents, output_bytes_max=1000)))
    result = scene.run(task("t1", "head -c 64M /dev/zero; echo 1 >> core/a.txt"))
    assert result.exit_status == 0, scene.said
    (output,) = scene.outputs.iterdir()
    assert output.name == "t1.1.core-agent-1.log"
    assert output.stat().st_size == 1000


def test_environment_of_a_command(scene: Scene) -> None:
    """A command finds who it is, where it works and what it was asked; nothing of the caller's git shines through."""
    scene.run(
        task("t.1-2", "", prompt="Do it well", files=()),
        program='env | grep -E "^(PUCS|GIT_DIR)" | sort > core/env.txt',
    )
    found = dict(each.split("=", 1) for each in scene.landed("core", "core/env.txt").splitlines())
    assert found.pop("PUCS_LAUNCH")
    assert found == {
        "PUCS_AGENT": "core-agent-1",
        "PUCS_ATTEMPT": "1",
        "PUCS_PROMPT": "Do it well",
        "PUCS_REPO": str(scene.root),
        "PUCS_SALVAGE": "",
        "PUCS_SESSION": sessions.current(scene.context).id,
        "PUCS_STORE": scene.context.store.path,
        "PUCS_STREAM": "core",
        "PUCS_TASK": "t.1-2",
        "PUCS_WORKTREE": found["PUCS_WORKTREE"],
    }
    assert found["PUCS_WORKTREE"].endswith("core-agent-1")
    assert [path.name for path in scene.outputs.iterdir()] == ["t.1-2.1.core-agent-1.log"]


def test_prompt_without_program_fails_clearly(scene: Scene) -> None:
    """A prompt needs somebody to read it."""
    result = scene.run(task("t1", "", prompt="Do it"))
    assert "no program" in result.failed[0].result


def test_boundary_is_kept(scene: Scene) -> None:
    """A task that declares another stream's file never starts."""
    result = scene.run(task("t1", "echo 1 >> shop/b.txt", files=("shop/b.txt",)))
    assert "belongs to stream shop" in result.failed[0].result
    assert not scene.heard(events.CommandStarted)


@pytest.mark.slow
def test_set_up_runs_once_in_each_worktree(scene: Scene) -> None:
    """The set-up is there before the first command, and its failure starts no task and does not go on for ever."""
    scene.configure(
        replace(CONFIGURATION, worktrees=WorktreeSettings(setup="echo ready > .git-is-elsewhere; echo x"))
    )
    assert scene.run(task("t1", "mv .git-is-elsewhere core/c.txt")).exit_status == 0, scene.said
    scene.configure(replace(CONFIGURATION, worktrees=WorktreeSettings(setup="echo no net; exit 7")))
    result = scene.run(task("t2", "true"))
    assert result.unfinished[0].id == "t2"
    assert result.unfinished[0].attempts == 0
    assert len(result.problems) == supervisor.START_FAILURES_MAX + 1
    assert "exit 7: no net" in result.problems[0]
    assert result.exit_status == 1


def test_unknown_stream_is_refused(scene: Scene) -> None:
    """A stream that does not exist is named together with those that do."""
    with pytest.raises(NotFound, match="core, shop"):
        scene.supervisor(streams=("web",)).run()


def test_one_stream_alone_is_served(scene: Scene) -> None:
    """``launch-stream`` leaves the others' tasks, and does not wait for what nobody works on."""
    result = scene.run(
        task("t1", "true"), task("t2", "true", "shop"), task("t3", "true", after=("t2",)), streams=("CORE",)
    )
    assert {one.id: one.state for one in result.tasks} == {"t1": TaskState.DONE, "t3": TaskState.PENDING}


@pytest.mark.slow
def test_stop_keeps_the_work_and_the_next_run_goes_on(scene: Scene, line: Line) -> None:
    """Trees are stopped, edits are on a salvage ref, leases free, the task is pending and has lost no attempt."""
    line.beside("never")
    scene.tasks(
        task(
            "t1",
            'if [ -n "$PUCS_SALVAGE" ]; then git show "$PUCS_SALVAGE:core/a.txt" > core/a.txt; exit; fi; '
            "echo begun >> core/a.txt; echo $$ > $LINE; read x < $LINE.never",
        )
    )
    run = scene.supervisor()
    pids: list[int] = []
    stopper = threading.Thread(target=lambda: (pids.append(line.pid()), run.stop()))  # type: ignore[func-returns-value]
    stopper.start()
    result = run.run()
    stopper.join()
    assert (result.interrupted, result.exit_status) == (True, 130)
    assert is_gone(pids[0])
    (left,) = result.unfinished
    assert (left.state, left.attempts) == (TaskState.PENDING, 0)
    assert scene.git("show", f"{left.salvage}:core/a.txt") == "a\nbegun\n"
    assert inspecting.locks(scene.context) == []
    assert registry.agents(scene.context)[0].phase is Phase.RETIRED
    assert scene.run().exit_status == 0, scene.said
    assert scene.landed("core", "core/a.txt") == "a\nbegun\n"


def test_second_stop_kills(scene: Scene, line: Line) -> None:
    """Whoever asks twice does not wait for graces."""
    line.beside("never")
    scene.tasks(task("t1", "trap '' INT TERM; echo up > $LINE; read x < $LINE.never"))
    run = scene.supervisor(
        lambda event: run.stop() if event == events.Stopping(fast=False) else None, stop_grace_s=1000.0
    )
    stopper = threading.Thread(target=lambda: (line.next(), run.stop()))  # type: ignore[func-returns-value]
    stopper.start()
    assert run.run().exit_status == 130
    stopper.join()
    assert events.Stopping(fast=True) in scene.said


def test_stop_wakes_an_agent_that_waits_in_the_queue(scene: Scene) -> None:
    """A person's lease may last for hours; Ctrl-C does not wait for it."""
    assert leases.acquire(scene.context, agent="alice", resources=("core/a.txt",)).granted
    scene.tasks(task("t1", "true"))
    run = scene.supervisor(lambda event: run.stop() if isinstance(event, events.TaskWaiting) else None)
    result = run.run()
    assert result.exit_status == 130
    assert result.unfinished[0].attempts == 0
    assert inspecting.queue(scene.context) == []


def test_killed_keeper_costs_one_attempt(scene: Scene, line: Line) -> None:
    """The agent is dead, its work is kept, and another agent does the task."""
    line.beside("never")
    scene.tasks(
        task(
            "t1",
            'echo x >> core/a.txt; [ "$PUCS_ATTEMPT" = 2 ] && exit; echo $PPID > $LINE; read x < $LINE.never',
        )
    )
    killer = threading.Thread(target=lambda: os.kill(line.pid(), signal.SIGKILL))
    killer.start()
    result = scene.supervisor().run()
    killer.join()
    assert result.exit_status == 0, scene.said
    assert result.tasks[0].attempts == 2
    assert scene.landed("core", "core/a.txt") == "a\nx\n"


@pytest.mark.slow
def test_two_runs_at_once_share_the_tasks(scene: Scene) -> None:
    """Every task is done exactly once, whoever takes it."""
    scene.tasks(*(task(f"t{n}", f"echo {n} >> core/{n}.txt", files=(f"core/{n}.txt",)) for n in range(4)))
    other = Scene.__new__(Scene)
    other.__dict__.update(scene.__dict__)
    other.context, other.said = open_context(scene.root, door="run"), []
    results: list[RunResult] = []
    second = threading.Thread(target=lambda: results.append(other.supervisor().run()))
    second.start()
    results.append(scene.supervisor().run())
    second.join()
    assert [result.exit_status for result in results] == [0, 0], (scene.said, other.said)
    assert [scene.landed("core", f"core/{n}.txt") for n in range(4)] == [f"{n}\n" for n in range(4)]
    assert len(scene.heard(events.TaskDone)) + len(other.heard(events.TaskDone)) == 4


DRIVER = """
import os, sys
from pucs.launch.settings import RunSettings
from pucs.launch.supervisor import Supervisor
from pucs.wiring import open_context
context = open_context(sys.argv[1], door="run")
settings = RunSettings(output=sys.argv[2], store=context.store.path, stop_grace_s=0.2, environment=dict(os.environ))
sys.exit(Supervisor(context, settings).run().exit_status)
"""


def drive(scene: Scene) -> subprocess.Popen[bytes]:
    """Start a run in a process of its own."""
    environment = {**os.environ, "LINE": str(scene.line)}
    return subprocess.Popen([sys.executable, "-c", DRIVER, scene.root, scene.outputs], env=environment)


@pytest.mark.slow
def test_run_goes_on_after_kill_9_of_the_supervisor(scene: Scene, line: Line) -> None:
    """The tree dies with the supervisor; the next run keeps its edits, takes the leases over and does the task."""
    line.beside("never")
    scene.tasks(
        task(
            "t1",
            'if [ -n "$PUCS_SALVAGE" ]; then git show "$PUCS_SALVAGE:core/a.txt" > core/a.txt; exit; fi; '
            "echo begun >> core/a.txt; echo $PPID > $LINE; (setsid sh -c 'echo $$ > $LINE; read x < $LINE.never' &); "
            "read x < $LINE.never",
        )
    )
    with drive(scene) as driver:
        keeper, daemon = line.pid(), line.pid()
        driver.kill()
        wait_gone(keeper)
        assert is_gone(daemon)
    result = scene.run()
    assert result.exit_status == 0, scene.said
    assert scene.landed("core", "core/a.txt") == "a\nbegun\n"
    assert result.tasks[0].attempts == 1
    assert result.agents == ("core-agent-2",)
    assert len(scene.context.worktrees.paths()) == 1


@pytest.mark.slow
def test_ctrl_c_ends_with_130(scene: Scene, line: Line) -> None:
    """SIGINT at the supervisor is answered in order, and its handlers are put back."""
    line.beside("never")
    scene.tasks(task("t1", "echo begun >> core/a.txt; echo $$ > $LINE; read x < $LINE.never"))
    with drive(scene) as driver:
        pid = line.pid()
        driver.send_signal(signal.SIGINT)
        assert driver.wait(20) == 130
    assert is_gone(pid)
    (left,) = todo.unfinished(scene.context)
    assert left.state is TaskState.PENDING
    assert scene.git("show", f"{left.salvage}:core/a.txt") == "a\nbegun\n"


@pytest.mark.slow
def test_drawing_progress_cannot_end_a_run(scene: Scene) -> None:
    """A door that fails is told of no more, and the work goes on."""

    def fail(_event: events.Event) -> None:
        raise BrokenPipeError

    scene.tasks(task("t1", "echo 1 >> core/a.txt"))
    result = scene.supervisor(fail).run()
    assert [one.state for one in result.tasks] == [TaskState.DONE]
    assert "BrokenPipeError" in result.problems[0]


def test_stuck_process_costs_its_agent_only(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not die keeps its leases and its task; the run ends and says so."""
    stuck = Outcome(ending=Ending.STUCK, error="Killed, and still not gone: process 7.")
    real = Keeper.run

    def run(keeper: Keeper, command: Command, **more: Any) -> Outcome:
        return stuck if command.shell == "hang" else real(keeper, command, **more)

    monkeypatch.setattr(Keeper, "run", run)
    monkeypatch.setattr(supervisor, "RECOVER_S", 60.0)
    result = scene.run(task("t1", "hang"), task("t2", "true", after=("t1",)), task("t3", "true", "shop"))
    assert [one.state for one in result.tasks] == [TaskState.RUNNING, TaskState.PENDING, TaskState.DONE]
    assert "process 7" in result.problems[0]
    with scene.context.store.read() as tx:
        assert [lease.resource for lease in tx.leases.live()] == ["core/a.txt"]
    assert result.exit_status == 1


def test_stop_during_a_set_up(scene: Scene, line: Line) -> None:
    """An agent that is still getting ready is stopped as well, and that is no problem."""
    line.beside("never")
    setup = "echo up > $LINE; read x < $LINE.never"
    scene.configure(replace(CONFIGURATION, worktrees=WorktreeSettings(setup=setup)))
    scene.tasks(task("t1", "true"))
    run = scene.supervisor()
    stopper = threading.Thread(target=lambda: (line.next(), run.stop()))  # type: ignore[func-returns-value]
    stopper.start()
    result = run.run()
    stopper.join()
    assert (result.exit_status, result.problems) == (130, ())
    assert result.unfinished[0].attempts == 0
