"""What an agent whose plan is contested can do instead, in words (002 §4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.core.resources import contains, is_symbol, overlaps
from pucs.intents.records import Obstacle

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pucs.intents.records import Contest, Held, Waiting

FILES_NAMED = 5
"""Files named in one sentence; the answer itself has them all."""
SUGGESTIONS_MAX = 20
"""Most sentences: whoever gets more reads none."""
_MINUTE_S = 60
_DIVISIBLE = ".py"


def suggestions(
    names: Sequence[str],
    contests: Sequence[Contest],
    *,
    held: Iterable[Held] = (),
    waiting: Sequence[Waiting] = (),
    free_symbols: Mapping[str, Sequence[str]] | None = None,
) -> tuple[str, ...]:
    """Return sentences on what to do about these obstacles, the seeds' own first; none if there are none.

    ``free_symbols`` names for a planned file the definitions in it that nobody else holds or plans.
    """
    if not contests:
        return ()
    leases = list(held)
    found = [sentence for contest in contests for sentence in _about(contest)]
    found += _times(contests, leases)
    found += _symbols(contests, leases, free_symbols or {})
    found += _streams(contests)
    found += [f"{one.agent} is already in the queue for {_listed(one.resources)}" for one in waiting]
    free = [name for name in names if not any(_concerns(contest, name) for contest in contests)]
    if free:
        found.append(f"Free now: {_listed(free)}")
    return tuple(list(dict.fromkeys(found))[:SUGGESTIONS_MAX])


def _about(contest: Contest) -> list[str]:
    if contest.kind is Obstacle.FILE_LOCK:
        return [f"Wait for {contest.holder} or work on different files"]
    if contest.kind is Obstacle.INTENT_OVERLAP:
        return [f"Coordinate with {contest.holder} to partition work"]
    return []


def _times(contests: Sequence[Contest], held: Iterable[Held]) -> list[str]:
    holders = {contest.holder for contest in contests if contest.kind is Obstacle.FILE_LOCK}
    longest: dict[str, float] = {}
    for lease in held:
        if lease.agent in holders:
            longest[lease.agent] = max(longest.get(lease.agent, 0.0), lease.left_s)
    return [
        f"{agent} has it for {_span(left_s)} more at the longest, unless it renews; to queue: pucs lock FILE --wait S"
        for agent, left_s in longest.items()
    ]


def _span(seconds: float) -> str:
    return f"{seconds / _MINUTE_S:.0f} min" if seconds > 2 * _MINUTE_S else f"{seconds:.0f} s"


def _symbols(
    contests: Sequence[Contest], held: Sequence[Held], free: Mapping[str, Sequence[str]]
) -> list[str]:
    clashing = (Obstacle.FILE_LOCK, Obstacle.INTENT_OVERLAP)
    files = {file for contest in contests if contest.kind in clashing for file in contest.files}
    files = {file for file in files if not is_symbol(file) and file.endswith(_DIVISIBLE)}
    found = [f"In {file} these are free: {_listed(free[file])}" for file in sorted(files) if free.get(file)]
    narrow = {
        file
        for file in files
        if any(is_symbol(lease.resource) and contains(file, lease.resource) for lease in held)
    }
    found += [
        f"Only a part of {file} is held: plan the functions you need, as {file}::NAME"
        for file in sorted(narrow)
        if not free.get(file)
    ]
    return [
        *found,
        *(f"Divide {file} by its functions: pucs partition propose {file}" for file in sorted(files)),
    ]


def _streams(contests: Sequence[Contest]) -> list[str]:
    streams: dict[str, list[str]] = {}
    for contest in contests:
        if contest.kind in {Obstacle.DEPENDENCY, Obstacle.BOUNDARY}:
            streams.setdefault(contest.holder_stream, []).extend(contest.files)
    return [
        f"Ask stream {stream} to make the change: pucs request {files[0]} --reason R"
        for stream, files in streams.items()
    ]


def _concerns(contest: Contest, name: str) -> bool:
    return any(overlaps(name, file) for file in contest.files)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - FILES_NAMED} more" if len(names) > FILES_NAMED else ""
    return ", ".join(names[:FILES_NAMED]) + more
