"""What an agent's work does to the definitions of files of which it has leased parts only (DESIGN §3.4, §5).

Everything here reads git and parses, so nothing here runs inside a transaction. A file's mode is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from pucs.coordinator.work import found_as
from pucs.core.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.context import Context
    from pucs.coordinator.work import Progress, Work
    from pucs.core.resources import Resource
    from pucs.syntax.changes import Changes


@dataclass(frozen=True, slots=True)
class Edit:
    """What an agent's own work does to one file."""

    changes: Changes
    content: bytes | None
    """The agent's version, None if the file is gone; what is committed later must be this."""


def edits(
    context: Context, work: Work, paths: Sequence[Resource], chosen: Sequence[Resource]
) -> dict[Resource, Edit]:
    """Return what the work does to each path since the agent found it, uncommitted changes of ``chosen`` included."""
    if not paths:
        return {}
    from pucs.syntax.changes import Changes, changed_symbols, common  # noqa: PLC0415 - only where symbols are held

    bench = work.bench
    dirty = [path for path in chosen if path in paths]
    # Through git, because line ends on disk need not be those of the commit.
    seen = context.worktrees.snapshot(bench.place, "look", author=bench.agent, only=dirty) if dirty else None
    now = seen or work.tip
    made: dict[Resource, Edit] = {}
    for path, bases in found_as(context, work, paths).items():
        try:
            new = context.repository.content(now, path)
            olds = [context.repository.content(base, path) for base in bases]
        except Refused:
            made[path] = Edit(Changes(outside=True, parsed=False), None)
            continue
        made[path] = Edit(reduce(common, [changed_symbols(old, new) for old in olds]), new)
    return made


def as_judged(context: Context, done: Progress, commit: str) -> bool:
    """Tell whether a commit holds the judged version of every file that was judged by its symbols."""
    try:
        return all(
            context.repository.content(commit, path) == content for path, content in done.judged.items()
        )
    except Refused:
        return False


def mixed(context: Context, work: Work, done: Progress, merged: str, tip: str) -> tuple[Resource, ...]:
    """Return files judged by symbols in which a merge made something of one definition that neither side had."""
    if not done.judged:
        return ()
    from pucs.syntax.changes import changed_symbols, common  # noqa: PLC0415 - only where symbols are held

    read = context.repository.content
    found: list[Resource] = []
    for path in done.judged:
        result = read(merged, path)
        ours, theirs = read(work.stream_tip, path), read(tip, path)
        if result in {ours, theirs}:
            continue
        new = common(changed_symbols(ours, result), changed_symbols(theirs, result))
        if new.changed or new.added or new.removed or new.renamed or new.outside or not new.parsed:
            found.append(path)
    return tuple(found)
