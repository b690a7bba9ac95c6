"""Where an agent may write: in its own checkout, on its own branch, and never in git's own files (DESIGN §5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.core.errors import PucsError, Refused
from pucs.core.resources import is_directory, path_resource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pucs.agents.calls import Edit
    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context
    from pucs.core.resources import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One file of the agent's own checkout that an edit is about."""

    edit: Edit
    resources: tuple[Resource, ...]
    """The file; of a symlink also what it leads to."""


def own_place(context: Context, agent: Agent) -> str:
    """Return the checkout an agent works in, as the disk has it."""
    return context.worktrees.locate(agent.worktree or context.repository.root, ".").path


def check_branch(context: Context, agent: Agent) -> None:
    """See that an agent's own worktree is on its branch; a merge that goes on there is fine.

    Raises:
        Refused: it is on another one, or in the middle of a rebase.
        GitError: the worktree is gone.
    """
    if not agent.branch or not agent.worktree:
        return
    found = context.worktrees.branch(agent.worktree)
    if found != agent.branch:
        raise Refused(
            f"Your worktree is on {found or 'no branch'} instead of {agent.branch}, and what is changed there would be lost.",
            remedy=f"Finish or give up what goes on there, then run: git switch {agent.branch}",
        )


def targets(context: Context, agent: Agent, cwd: str, edits: Iterable[Edit]) -> list[Target]:
    """Return what edits are about; files outside of every checkout of this repository are left out.

    Raises:
        Usage: a path cannot be one, or leads out of the repository.
        Refused: it is in another checkout, or one of git's own files.
    """
    own = own_place(context, agent)
    found = (_target(context, own, cwd, edit) for edit in edits)
    return [target for target in found if target is not None]


def files(context: Context, agent: Agent, cwd: str, names: Iterable[str]) -> list[Resource]:
    """Return the files among names that lie in an agent's own checkout; whatever else they are is no matter here."""
    own = own_place(context, agent)
    found: dict[Resource, None] = {}
    for name in names:
        try:
            inside = _inside(context, own, cwd, name)
            resources = context.worktrees.canonical(own, (path_resource(inside),)) if inside else ()
        except PucsError:
            continue
        found.update(dict.fromkeys(one for one in resources if not is_directory(one)))
    return list(found)


def _inside(context: Context, own: str, cwd: str, name: str) -> str:
    """Return the path of a name relative to the agent's checkout, empty if it does not lie there."""
    at = context.worktrees.locate(cwd, name)
    lies = at.ours and at.checkout == own and not at.internal
    return at.path[len(own) + 1 :] if lies else ""


def _target(context: Context, own: str, cwd: str, edit: Edit) -> Target | None:
    at = context.worktrees.locate(cwd, edit.path)
    if at.internal:
        raise Refused(
            f"{edit.path} is git's own.",
            remedy="Nothing but git writes there; to look at history or to commit, run git.",
        )
    below = at.path == own or at.path.startswith(f"{own}/")
    if below and at.checkout != own and not at.checkout.startswith(f"{own}/"):
        raise Refused(
            f"{own} is no git worktree any more: its .git is gone or broken.",
            remedy="Stop here; the work in it is kept, and whoever runs the session brings it back.",
        )
    if at.ours and at.checkout != own:
        raise Refused(
            f"{edit.path} is in {at.checkout}, which is not yours.",
            remedy=f"Work in your own checkout: {own}{_same(at.path, at.checkout)}",
        )
    if not at.ours:
        return None
    relative = at.path[len(own) + 1 :] or "."
    return Target(edit=edit, resources=context.worktrees.canonical(own, (path_resource(relative),)))


def _same(path: str, checkout: str) -> str:
    """Return the same file's place below another top."""
    return path[len(checkout) :]
