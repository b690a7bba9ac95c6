"""What leased files looked like at the grant, so that giving up unchanged ones needs no git (DESIGN §3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.core.resources import is_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.context import Context


def note(context: Context, *, agent: str, resources: Sequence[str]) -> dict[str, str]:
    """Describe files as they are in the agent's worktree before it may change them; directories are left out."""
    with context.store.read() as tx:
        known = tx.agents.get(agent)
    place = known.worktree if known is not None and known.worktree else context.repository.root
    files = (name for name in resources if not is_directory(name))
    return {name: context.worktrees.note(place, name) for name in files}
