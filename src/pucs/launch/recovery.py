"""What becomes of agents whose keeper is dead: their last processes, their edits and their tasks.

Leases need no recovery, because whoever meets a lease of a dead owner takes it. What has to be looked after is the
worktree, so that no edit is lost, and the task, so that somebody tries it again. Every step may be repeated, also by
two runs at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.coordinator import agents as registry
from pucs.coordinator import intentions, sessions, tasks
from pucs.core.errors import PucsError, Refused
from pucs.launch import events, keeping, leftovers
from pucs.launch.agents import MARK
from pucs.tasks.records import TaskState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context
    from pucs.tasks.records import Task

REASON = "its process died"


def recover(context: Context, *, store: str = "") -> Iterator[events.Event]:
    """Look after every agent of the session whose owner is dead, and tell what was done.

    Raises:
        PucsError: the store or the repository cannot be used.
    """
    agents = registry.agents(context)
    running = [task for task in tasks.unfinished(context) if task.state is TaskState.RUNNING]
    for agent in agents:
        if agent.active and agent.owner is not None and context.processes.alive(agent.owner) is False:
            try:
                yield from _buried(
                    context, agent, [task for task in running if task.assignee == agent.id], store
                )
            except Refused:
                continue  # another run looked after it at this moment
            except PucsError as error:
                yield events.Problem(message=f"What agent {agent.id} left is still there: {error}")
    ended = {agent.id for agent in agents if not agent.active}
    for task in running:
        if task.assignee in ended:
            tasks.give_back(context, agent=task.assignee, task=task.id, reason="its agent has ended")
            yield events.TaskGivenBack(task=task.id, agent=task.assignee, salvage="")


def _buried(context: Context, agent: Agent, left: list[Task], store: str) -> Iterator[events.Event]:
    if agent.program == "command":
        marks = {"PUCS_AGENT": agent.id, "PUCS_SESSION": agent.session} | (
            {"PUCS_STORE": store} if store else {}
        )
        alive = leftovers.kill(marks, having=MARK)
        if alive:
            pids = ", ".join(map(str, alive))
            yield events.Problem(message=f"Agent {agent.id} left process {pids}, which does not die.")
            return
    told: list[events.Event] = []
    intentions.settle(context, agent=agent.id)  # a landing it died in is completed first
    landed = _landed(context, agent)
    salvage = keeping.kept(context, agent, REASON, told.append) if agent.worktree else ""
    yield from told
    for task in left:
        if task.id in landed:
            tasks.finish(context, agent=agent.id, task=task.id, result=landed[task.id])
            yield events.TaskDone(task=task.id, agent=agent.id, result=landed[task.id])
        else:
            tasks.give_back(context, agent=agent.id, task=task.id, reason=REASON, salvage=salvage)
            yield events.TaskGivenBack(task=task.id, agent=agent.id, salvage=salvage)
    registry.retire(context, agent=agent.id, failed=True, reason=REASON)
    yield events.AgentEnded(agent=agent.id, stream=agent.stream, failed=True, reason=REASON)


def _landed(context: Context, agent: Agent) -> dict[str, str]:
    """Return the tasks whose work an agent landed, with the result; it may have died before it could say so."""
    session = sessions.current(context)
    with context.store.read() as tx:
        landings = tx.landings.all(session.id, agent.stream)
    return {
        landing.task: f"landed as {landing.commit[:12]}"
        for landing in landings
        if landing.agent == agent.id and landing.task
    }
