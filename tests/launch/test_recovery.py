"""What agents left that died: nothing is lost, nothing is done twice, and everybody else gets on."""

import os
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pucs.agents.records import Agent, Phase
from pucs.coordinator import agents as registry
from pucs.coordinator import landing, launching, leases, places, sessions
from pucs.coordinator import tasks as todo
from pucs.core.processes import Process
from pucs.launch import events, leftovers, processes, recovery
from pucs.tasks.records import TaskState
from tests.launch.scenes import Scene, task

pytestmark = [pytest.mark.process, pytest.mark.git]


NOBODY = replace(processes.SystemProcesses().current(), started=1)
"""A process that is dead."""


def dead_agent(scene: Scene, owner: Process = NOBODY) -> Agent:
    """Register an agent at work on task t1 whose owner is dead, or will be."""
    registry.register(scene.context, agent="core-agent-1", stream="core", owner=owner)
    agent = places.prepare_worktree(scene.context, agent="core-agent-1")
    assert todo.take(scene.context, agent=agent.id)
    return agent


def edit(agent: Agent) -> None:
    """Change the file of task t1."""
    with (Path(agent.worktree) / "core/a.txt").open("a", encoding="utf-8") as file:
        file.write("left\n")


def phase(scene: Scene, agent: str) -> Phase:
    """Return the phase of an agent."""
    return next(one.phase for one in registry.agents(scene.context) if one.id == agent)


def test_edits_are_kept_and_the_task_is_given_back(scene: Scene) -> None:
    """The next attempt learns where the work is, and the death costs no attempt."""
    scene.tasks(task("t1", "true"))
    agent = dead_agent(scene)
    edit(agent)
    told = list(recovery.recover(scene.context, scene.settings))
    (given,) = [event for event in told if isinstance(event, events.TaskGivenBack)]
    assert scene.git("show", f"{given.salvage}:core/a.txt") == "a\nleft\n"
    (left,) = todo.tasks(scene.context)
    assert (left.state, left.attempts, left.salvage) == (TaskState.PENDING, 0, given.salvage)
    assert phase(scene, agent.id) is Phase.FAILED
    assert not Path(agent.worktree).exists()
    assert list(recovery.recover(scene.context, scene.settings)) == []


def test_lock_of_a_killed_git_is_no_obstacle(scene: Scene) -> None:
    """It keeps nobody from the worktree once it is certain that no git is at work there; until then that is told."""
    scene.tasks(task("t1", "true"))
    agent = dead_agent(scene)
    edit(agent)
    lock = Path(scene.git("rev-parse", "--absolute-git-dir").strip(), "worktrees", agent.id, "index.lock")
    lock.touch()
    (told,) = recovery.recover(scene.context, scene.settings)
    assert isinstance(told, events.Problem)
    assert phase(scene, agent.id) is not Phase.FAILED
    os.utime(lock, (1, 1))
    found = list(recovery.recover(scene.context, scene.settings))
    assert not [event for event in found if isinstance(event, events.Problem)]
    assert not Path(agent.worktree).exists()


def test_agents_at_work_are_left_alone(scene: Scene) -> None:
    """Neither a living owner's agent nor one that this process still looks after is touched."""
    scene.tasks(task("t1", "true"))
    agent = dead_agent(scene)
    registry.register(
        scene.context, agent="alive", stream="core", owner=processes.SystemProcesses().current()
    )
    assert list(recovery.recover(scene.context, scene.settings, working={agent.id})) == []
    assert (
        phase(scene, agent.id).value == phase(scene, "alive").value
        or phase(scene, agent.id) is not Phase.FAILED
    )


def test_landed_work_is_not_done_again(scene: Scene) -> None:
    """An agent that was killed between its landing and its report has done its task."""
    scene.tasks(task("t1", "exit 1"))
    with subprocess.Popen(["sleep", "60"]) as owner:
        identity = processes.identity(owner.pid)
        assert identity
        agent = dead_agent(scene, identity)
        leases.acquire(scene.context, agent=agent.id, resources=("core/a.txt",), task="t1")
        edit(agent)
        assert isinstance(landing.land(scene.context, agent=agent.id), landing.Landed)
        owner.kill()
    result = scene.run()
    assert result.exit_status == 0, scene.said
    assert result.done[0].result.startswith("landed as ")
    assert result.agents == ()


def test_part_that_a_program_landed_is_not_its_task(scene: Scene) -> None:
    """A program gives way by landing what it has so far; if it is killed then, its task is still to be done."""
    scene.tasks(task("t1", "echo rest >> core/a.txt"))
    with subprocess.Popen(["sleep", "60"]) as owner:
        identity = processes.identity(owner.pid)
        assert identity
        agent = dead_agent(scene, identity)
        launching.started(scene.context, agent=agent.id, program="claude")
        leases.acquire(scene.context, agent=agent.id, resources=("core/a.txt",), task="t1")
        edit(agent)
        assert isinstance(landing.land(scene.context, agent=agent.id), landing.Landed)
        owner.kill()
    secrets = scene.outputs / f"t1.1.{agent.id}.launch"
    secrets.mkdir(parents=True)
    (secrets / "settings.json").write_text("hush")
    assert scene.run().exit_status == 0, scene.said
    assert scene.heard(events.TaskGivenBack)
    assert scene.landed("core", "core/a.txt").endswith("rest\n")
    assert not secrets.exists()


def test_worktree_deleted_by_hand_is_told(scene: Scene) -> None:
    """The task goes on; that there was nothing to keep is said once."""
    scene.tasks(task("t1", "true"))
    agent = dead_agent(scene)
    shutil.rmtree(agent.worktree)
    told = list(recovery.recover(scene.context, scene.settings))
    assert [event for event in told if isinstance(event, events.Problem)]
    assert todo.tasks(scene.context)[0].state is TaskState.PENDING
    assert list(recovery.recover(scene.context, scene.settings)) == []


def test_task_of_an_ended_agent_is_given_back(scene: Scene) -> None:
    """An agent that was ended from outside does not keep its task for ever."""
    scene.tasks(task("t1", "true"))
    agent = dead_agent(scene)
    registry.retire(scene.context, agent=agent.id)
    (given,) = recovery.recover(scene.context, scene.settings)
    assert given == events.TaskGivenBack(task="t1", agent=agent.id, salvage="")


def test_clean_worktree_of_an_ended_agent_is_swept(scene: Scene) -> None:
    """A kill between the end of an agent and the removal of its worktree leaves no litter; edits stay."""
    scene.tasks(task("t1", "true"))
    agent = dead_agent(scene)
    registry.retire(scene.context, agent=agent.id)
    edit(agent)
    recovery.sweep(scene.context)
    assert Path(agent.worktree).exists()
    subprocess.run(["git", "checkout", "-q", "."], cwd=agent.worktree, check=True)
    recovery.sweep(scene.context)
    assert not Path(agent.worktree).exists()


def test_leftover_of_a_dead_agent_is_killed(scene: Scene) -> None:
    """A process that lost its keeper does not edit beside the next attempt; a person's shell is not one."""
    scene.tasks(task("t1", "true"))
    agent = dead_agent(scene)
    marks = {
        "PUCS_AGENT": agent.id,
        "PUCS_SESSION": sessions.current(scene.context).id,
        "PUCS_STORE": scene.context.store.path,
    }
    with (
        subprocess.Popen(["sleep", "60"], env={**marks, "PUCS_LAUNCH": "1"}) as leftover,
        subprocess.Popen(["sleep", "60"], env=marks) as shell_of_a_person,
    ):
        try:
            assert list(recovery.recover(scene.context, scene.settings))
            assert leftover.wait(10) == -signal.SIGKILL
            assert shell_of_a_person.poll() is None
        finally:
            leftover.kill()
            shell_of_a_person.kill()


def test_agent_is_not_buried_beside_what_does_not_die(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as something of it lives, nothing is taken out of its worktree."""
    scene.tasks(task("t1", "true"))
    agent = dead_agent(scene)
    monkeypatch.setattr(leftovers, "kill", lambda *_, **__: [7])
    (problem,) = recovery.recover(scene.context, scene.settings)
    assert isinstance(problem, events.Problem)
    assert "process 7" in problem.message
    assert phase(scene, agent.id) is not Phase.FAILED
