"""Where an agent works: its own worktree and branch (001 §5.1; DESIGN §5 Isolation)."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from pucs.coordinator.agents import place, stream_named
from pucs.coordinator.sessions import branch_of, current, stream_ref
from pucs.core.errors import EnvironmentFailure, NotFound

if TYPE_CHECKING:
    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context


def prepare_worktree(context: Context, *, agent: str) -> Agent:
    """Give an agent a worktree and a branch that start at its stream's branch; safe to repeat.

    Untracked files named in ``worktrees.copy`` are copied from the main checkout. The ``worktrees.setup`` command is
    run by whoever launches the agent, under its own limits.

    Raises:
        NotFound: no such agent.
        EnvironmentFailure: the place cannot be written, or git refused; nothing is left behind.
    """
    session = current(context)
    with context.store.read() as tx:
        known = tx.agents.get(agent)
        settings = tx.sessions.configuration()
        if known is None:
            raise NotFound(f"There is no agent {agent!r}.", remedy="See: pucs agents")
        branch = stream_named(tx, session.id, known.stream).branch if known.stream else session.branch
    start = context.repository.resolve(stream_ref(branch)) or session.base
    root = context.repository.root
    template = settings.worktrees.path.format(
        repo=posixpath.basename(root), agent=agent, session=session.id, stream=known.stream
    )
    path = posixpath.normpath(posixpath.join(root, template))
    own_branch = branch_of(settings.branches.agent, session=session.id, stream=known.stream, agent=agent)
    if path not in context.worktrees.paths():
        try:
            context.worktrees.create(path, own_branch, start)
        except EnvironmentFailure as error:
            if error.remedy:
                raise
            raise type(error)(
                f"{error.message} No worktree can be made at {path}.",
                remedy="Check its permissions, or choose another place with worktrees.path in the configuration.",
            ) from error
        context.worktrees.copy(path, settings.worktrees.copy)
    return place(context, agent=agent, worktree=path, branch=own_branch)
