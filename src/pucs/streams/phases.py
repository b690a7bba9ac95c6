"""In which order streams merge, and which of them merge as one (DESIGN §3.5).

A stream merges after the streams it depends on, and after those it synced from, because it carries their commits.
Streams that synced from each other can only leave together: they are one group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.streams.dependencies import needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pucs.streams.records import Stream


def merge_phases(
    streams: Sequence[Stream],
    synced: Iterable[tuple[str, str]],
    override: Sequence[Sequence[str]] = (),
) -> list[list[tuple[str, ...]]]:
    """Return phases of groups of streams; a phase needs only the phases before it.

    ``(x, y)`` in ``synced`` says that x synced from y, so that y merges first. ``override`` replaces the order by
    dependencies; streams it leaves out come after it. What was synced holds under any order: where an order contradicts
    it, the streams concerned become one group. Within phases and groups the configured order is kept.
    """
    names = [stream.name for stream in streams]
    spelled = {name.casefold(): name for name in names}
    before = {name: set(others) for name, others in needs(streams).items()}
    if override:
        _reorder(
            before,
            [
                [spelled[name.casefold()] for name in phase if name.casefold() in spelled]
                for phase in override
            ],
        )
    for later, earlier in synced:
        one, other = spelled.get(later.casefold()), spelled.get(earlier.casefold())
        if one is not None and other is not None and one != other:
            before[one].add(other)
    reach = {name: _reached(name, before) for name in names}
    phase_of: dict[str, int] = {}
    phases: list[list[tuple[str, ...]]] = []
    # Whoever reaches more stands later, so that in this order all earlier groups have their phase already.
    for name in sorted(names, key=lambda name: len(reach[name] | {name})):
        if name in phase_of:
            continue
        group = tuple(
            other for other in names if other == name or (other in reach[name] and name in reach[other])
        )
        phase = max((phase_of[other] + 1 for other in reach[name] if other not in group), default=0)
        phase_of.update(dict.fromkeys(group, phase))
        phases.extend([] for _ in range(phase + 1 - len(phases)))
        phases[phase].append(group)
    return [sorted(phase, key=lambda group: names.index(group[0])) for phase in phases]


def _reorder(before: dict[str, set[str]], override: Sequence[Sequence[str]]) -> None:
    """Replace the order by dependencies with the given one, in place."""
    earlier: set[str] = set()
    for phase in override:
        for name in phase:
            before[name] = set(earlier)
        earlier.update(phase)
    for name in before.keys() - earlier:
        before[name] |= earlier


def _reached(start: str, before: Mapping[str, set[str]]) -> set[str]:
    """Return everything that must merge before ``start``; ``start`` itself if it stands in a cycle."""
    reached: set[str] = set()
    waiting = list(before[start])
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(before[name])
    return reached
