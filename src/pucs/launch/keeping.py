"""The end of an agent's worktree: first its work is kept, then it is emptied, then it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.coordinator import salvaging
from pucs.core.errors import PucsError
from pucs.launch import events

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context


def kept(context: Context, agent: Agent, reason: str, tell: Callable[[events.Event], None]) -> str:
    """Keep all that an agent did and has not landed, restore its worktree, and return the salvage ref.

    Empty if there was nothing to keep, or if it cannot be kept: then the worktree stays as it is, and that is told.
    """
    if not _its_own(context, agent):
        return ""
    try:
        salvage = salvaging.keep_work(context, agent=agent.id, reason=reason)
        dirty = context.worktrees.dirty(agent.worktree)
        if dirty:
            context.worktrees.restore(agent.worktree, dirty)
    except PucsError as error:
        tell(
            events.Problem(
                message=f"What {agent.id} did stays in {agent.worktree or 'its worktree'}: {error}"
            )
        )
        return ""
    return salvage


def removed(context: Context, agent: Agent, salvage: str, tell: Callable[[events.Event], None]) -> None:
    """Remove the worktree of an agent that has ended, unless something in it is nowhere else; its branch stays."""
    safe = [f"refs/heads/{agent.branch}"] + ([salvage] if salvage else [])
    try:
        if _its_own(context, agent) and agent.worktree in context.worktrees.paths():
            context.worktrees.remove(agent.worktree, safe)
    except PucsError as error:
        tell(events.Problem(message=f"The worktree of {agent.id} stays: {error}"))


def _its_own(context: Context, agent: Agent) -> bool:
    """Tell whether an agent still has the worktree it had: another one may have accepted it with a hand-off."""
    with context.store.read() as tx:
        known = tx.agents.get(agent.id)
    return known is None or known.worktree == agent.worktree
