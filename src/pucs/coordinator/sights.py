"""What agents have seen of files: a digest of each at its last read or edit, against stale overwrites (DESIGN §5)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pucs.coordinator.context import unit
from pucs.core.errors import EnvironmentFailure, Refused
from pucs.core.resources import is_directory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pucs.coordinator.context import Context

ABSENT = "absent"
"""Stands for a file that is not there."""


def digest(context: Context, place: str, path: str) -> str:
    """Return what stands for a file's content now; of one too large to be read at every edit, its size and time.

    Empty: nobody can tell, because it cannot be read.
    """
    try:
        content = context.worktrees.read(place, path)
    except Refused:
        return context.worktrees.note(place, path)  # a symlink, no regular file, or more than 8 MiB
    except EnvironmentFailure:
        return ""
    return ABSENT if content is None else hashlib.sha256(content).hexdigest()


def see(context: Context, agent: str, place: str, paths: Iterable[str]) -> None:
    """Note that an agent knows files as they are now; a write only where that is news."""
    now = {path: digest(context, place, path) for path in paths if not is_directory(path)}
    note(context, agent, now)


def note(context: Context, agent: str, seen: dict[str, str]) -> None:
    """Note digests of what an agent knows; a write only where that is news."""
    if not seen:
        return
    with context.store.read() as tx:
        fresh = {path: found for path, found in seen.items() if found and tx.sights.get(agent, path) != found}
    if fresh:
        with unit(context) as opened:
            for path, found in fresh.items():
                opened.tx.sights.put(agent, path, found)


def changed(context: Context, agent: str, place: str, paths: Iterable[str]) -> dict[str, str]:
    """Return the files that differ from what an agent has seen of them, with what they are now.

    A file it has never seen is not among them.
    """
    with context.store.read() as tx:
        seen = {path: tx.sights.get(agent, path) for path in paths if not is_directory(path)}
    now = {path: digest(context, place, path) for path, before in seen.items() if before}
    return {path: found for path, found in now.items() if found and found != seen[path]}


def forget(context: Context, agent: str) -> None:
    """Forget what an agent has seen, so that conversations which are over leave nothing behind."""
    with unit(context) as opened:
        opened.tx.sights.forget(agent)
