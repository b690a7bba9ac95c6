"""What an agent's work does to the definitions of files of which it has leased parts only (DESIGN §3.4, §5).

Everything here reads git and parses, so nothing here runs inside a transaction. A file's mode is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from typing import TYPE_CHECKING

from pucs.coordinator.work import found_as
from pucs.core.errors import Refused
from pucs.core.resources import file_resource, is_symbol, overlaps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pucs.coordinator.context import Context
    from pucs.coordinator.ports import Transaction
    from pucs.coordinator.work import Progress, Work
    from pucs.core.resources import Resource
    from pucs.locks.records import Lease
    from pucs.streams.records import Landing
    from pucs.syntax.changes import Changes


MIXED = "the merge makes something of a definition that neither side had"
"""Why a merge conflicts that ``mixed`` found."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What an agent's own work does to one file."""

    changes: Changes
    content: bytes | None
    """The agent's version, None if the file is gone; what is committed later must be this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A file that several agents changed in different parts while each held its own."""

    file: str
    agents: tuple[str, ...]
    symbols: tuple[str, ...]
    """What they held of it, as resources."""


def shared_files(tx: Transaction, session: str) -> list[Shared]:
    """Return the files of which leases of different agents on different symbols overlapped in time and landed."""
    tokens = {
        token for landing in tx.landings.all(session) for name, token in landing.paths if is_symbol(name)
    }
    files: dict[str, list[Lease]] = {}
    for lease in tx.leases.by_tokens(sorted(tokens)):
        if is_symbol(lease.resource) and lease.ended_s is not None:
            files.setdefault(file_resource(lease.resource), []).append(lease)
    found: list[Shared] = []
    for file, leases in sorted(files.items()):
        together: dict[int, Lease] = {}
        for one, other in combinations(leases, 2):
            begun_s, over_s = max(one.granted_s, other.granted_s), min(one.ended_s or 0, other.ended_s or 0)
            parts = one.agent != other.agent and not overlaps(one.resource, other.resource)
            if parts and one.boot_id == other.boot_id and begun_s < over_s:
                together |= {one.token: one, other.token: other}
        if together:
            agents = tuple(dict.fromkeys(lease.agent for lease in together.values()))
            symbols = tuple(dict.fromkeys(lease.resource for lease in together.values()))
            found.append(Shared(file=file, agents=agents, symbols=symbols))
    return found


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


def parted_files(landings: Iterable[Landing]) -> list[Resource]:
    """Return the files of which symbols were landed: git may merge them cleanly where two sides define one name."""
    names = {file_resource(name) for landing in landings for name, _ in landing.paths if is_symbol(name)}
    return sorted(names)


def mixed(
    context: Context, paths: Iterable[Resource], sides: tuple[str, str], merged: str
) -> tuple[Resource, ...]:
    """Return those of the files in which a merge of two commits made something of a definition that neither side had."""
    if merged in sides:
        return ()
    read = context.repository.content
    found: list[Resource] = []
    for path in paths:
        try:
            result, ours, theirs = (read(commit, path) for commit in (merged, *sides))
        except Refused:
            continue  # git's own verdict stands for what is no source
        if result in {ours, theirs}:
            continue
        from pucs.conflicts.merging import touched  # noqa: PLC0415 - only where both sides changed a file
        from pucs.syntax.changes import changed_symbols  # noqa: PLC0415

        one, other = changed_symbols(ours, result), changed_symbols(theirs, result)
        # Whatever each comparison calls it: new beside the one, changed beside the other.
        outside, unread = one.outside and other.outside, not (one.parsed or other.parsed)
        if touched(one) & touched(other) or outside or unread:
            found.append(path)
    return tuple(found)
