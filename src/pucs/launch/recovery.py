"""What becomes of agents whose keeper is dead: their last processes, their edits and their tasks.

Leases need no recovery, because whoever meets a lease of a dead owner takes it. What has to be looked after is the
worktree, so that no edit is lost, and the task, so that somebody tries it again. Every step may be repeated, also by
two runs at once.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from pucs.coordinator import agents as registry
from pucs.coordinator import launching, sessions, settling, tasks
from pucs.core.errors import PucsError, Refused
from pucs.launch import events, keeping, leftovers
from pucs.launch.agents import MARK
from pucs.tasks.records import TaskState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context
    from pucs.launch.settings import RunSettings
    from pucs.tasks.records import Task

REASON = "its process died"


def recover(
    context: Context, settings: RunSettings, *, working: Collection[str] = ()
) -> Iterator[events.Event]:
    """Look after every agent of the session whose owner is dead, and tell what was done.

    ``working`` are agents that a thread of this process still looks after itself.

    Raises:
        PucsError: the store or the repository cannot be used.
    """
    for agent in registry.agents(context):
        if agent.id in working or not _dead(context, agent):
            continue
        try:
            yield from _buried(context, agent, settings)
        except Refused:
            continue  # another run looked after it at this moment
        except PucsError as error:
            yield events.Problem(message=f"What agent {agent.id} left is still there: {error}")
    ended = {agent.id for agent in registry.agents(context) if not agent.active} - set(working)
    for task in _running(context):
        if task.assignee in ended:
            with suppress(Refused):
                tasks.give_back(context, agent=task.assignee, task=task.id, reason="its agent has ended")
                yield events.TaskGivenBack(task=task.id, agent=task.assignee, salvage="")


def sweep(context: Context) -> None:
    """Remove worktrees of launched agents that ended in order and were killed before they could remove them.

    Only clean ones go; whatever else is there was told when the agent ended.
    """
    paths = context.worktrees.paths()
    for agent in registry.agents(context):
        over = not agent.active and agent.launched and agent.worktree in paths
        if over and agent.owner is not None and context.processes.alive(agent.owner) is False:
            with suppress(PucsError):
                context.worktrees.remove(agent.worktree, [f"refs/heads/{agent.branch}"])


def _dead(context: Context, agent: Agent) -> bool:
    """Tell whether an agent died without retiring: looked at again after its death, for it retires before it dies."""
    if not agent.active or agent.owner is None or context.processes.alive(agent.owner) is not False:
        return False
    with context.store.read() as tx:
        return tx.agents.get(agent.id) == agent


def _running(context: Context) -> list[Task]:
    return [task for task in tasks.unfinished(context) if task.state is TaskState.RUNNING]


def _buried(context: Context, agent: Agent, settings: RunSettings) -> Iterator[events.Event]:
    if agent.launched:
        marks = {"PUCS_AGENT": agent.id, "PUCS_SESSION": agent.session}
        if settings.store:
            marks["PUCS_STORE"] = settings.store
        alive = leftovers.kill(marks, having=MARK)
        if alive:
            pids = ", ".join(map(str, alive))
            yield events.Problem(message=f"Agent {agent.id} left process {pids}, which does not die.")
            return
        for left in Path(settings.output).glob(f"*.{escape(quote(agent.id, safe=''))}.launch"):
            shutil.rmtree(left, ignore_errors=True)  # settings of its program, with its secret
    told: list[events.Event] = []
    if agent.branch and agent.worktree in context.worktrees.paths():
        context.worktrees.clear_stale_locks(agent.worktree)
    settling.settle(context, agent=agent.id)  # a landing it died in is completed first
    # A program lands part of its work before it sleeps; only its supervisor knows when it was all.
    landed = _landed(context, agent) if agent.program == launching.COMMAND else {}
    salvage = keeping.kept(context, agent, REASON, told.append) if agent.worktree else ""
    if told and not _dead(context, agent):
        return  # another run looked after it at this moment, and its worktree is gone already
    yield from told
    for task in [task for task in _running(context) if task.assignee == agent.id]:
        if task.id in landed:
            tasks.finish(context, agent=agent.id, task=task.id, result=landed[task.id], by_keeper=True)
            yield events.TaskDone(task=task.id, agent=agent.id, result=landed[task.id])
        else:
            tasks.give_back(context, agent=agent.id, task=task.id, reason=REASON, salvage=salvage)
            yield events.TaskGivenBack(task=task.id, agent=agent.id, salvage=salvage)
    registry.retire(context, agent=agent.id, failed=True, reason=REASON)
    yield events.AgentEnded(agent=agent.id, stream=agent.stream, failed=True, reason=REASON)
    if agent.worktree and not settings.keep_worktrees:
        told.clear()
        keeping.removed(context, agent, salvage, told.append)
        yield from told


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
