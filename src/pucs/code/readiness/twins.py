"""Finds modules that are twins: they define several classes, or copies of functions, of the same names."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pucs.code.readiness.likeness import homely
from pucs.code.readiness.namesakes import ALIKE, RELATED, SLIGHTLY
from pucs.code.readiness.records import Finding, Kind, Location, finding, named
from pucs.core.severities import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pucs.code.readiness.namesakes import Group
    from pucs.code.readiness.view import View

TWINS_MIN: Final = 2
"""Names of classes that two modules share for them to be seen as a pair."""
_LEVELS: Final = (Severity.LOW, Severity.MEDIUM, Severity.HIGH)


@dataclass(slots=True)
class Twins:
    """Modules that share names."""

    paths: set[str]
    names: set[str]
    level: int
    """Index of the severity."""
    most: float
    """Likeness of the two definitions that are most alike."""
    pairs: set[tuple[str, str]]


def twins(view: View, classes: Sequence[Group], functions: Sequence[Group]) -> list[Twins]:
    """Return modules that are twins; where three or more share two names, they are told together."""
    found: list[Twins] = []
    for pair in sorted(_pairs(view, classes, functions), key=lambda one: (-one.level, sorted(one.paths))):
        same = next(
            (
                known
                for known in found
                if known.paths & pair.paths and len(known.names & pair.names) >= TWINS_MIN
            ),
            None,
        )
        if same is None:
            found.append(pair)
            continue
        same.paths |= pair.paths
        same.names &= pair.names
        same.pairs |= pair.pairs
        same.most = max(same.most, pair.most)
    return found


def _pairs(view: View, classes: Sequence[Group], functions: Sequence[Group]) -> Iterator[Twins]:
    shared: defaultdict[tuple[str, str], list[tuple[float, Group]]] = defaultdict(list)
    for group in (*classes, *functions):
        for pair, alike in group.likeness.items():
            shared[pair].append((alike, group))
    kinds = {id(group) for group in classes}
    for pair, names in sorted(shared.items()):
        common = [group.name for _, group in names if id(group) in kinds]
        copied = [group.name for alike, group in names if alike >= ALIKE]
        solid = _upper_half([alike for alike, group in names if not group.enum])
        most = max(alike for alike, _ in names)
        if (len(common) < TWINS_MIN and len(copied) <= TWINS_MIN) or most < SLIGHTLY:
            continue
        level = 2 if solid >= RELATED else 1 if solid >= SLIGHTLY else 0
        if any(edge.importer in pair for path in pair for edge in view.importers(path)):
            level -= 1  # one knows the other
        if _speaks_of(view, pair, common) or _speaks_of(view, pair[::-1], common):
            level -= 2  # and tells the names apart
        if level >= 0:
            yield Twins(set(pair), {*common, *copied}, level, most, {pair})


def _speaks_of(view: View, pair: Sequence[str], names: Sequence[str]) -> bool:
    """Tell whether the first module uses a namesake of the second by a name with a dot: ``forms.CharField``."""
    first, second = pair
    return any(
        (place := view.code.place(first, use.name)) is not None and place.path == second
        for use in view.code.facts[first].uses
        if "." in use.name and use.name.rpartition(".")[2] in names
    )


def _upper_half(values: Sequence[float]) -> float:
    """Return the mean of the larger half of values; 0 without any."""
    upper = sorted(values, reverse=True)[: (len(values) + 1) // 2]
    return sum(upper) / len(upper) if upper else 0.0


def twin_finding(view: View, found: Twins) -> Finding:
    """Return the finding for modules that are twins."""
    users = {path: len(view.working_importers(path)) for path in found.paths}
    kept, *others = sorted(
        found.paths, key=lambda path: (homely(path), -users[path], -view.code.facts[path].lines, path)
    )
    lines = {
        path: {one.name: one.line for one in reversed(view.code.facts[path].definitions)}
        for path in found.paths
    }
    names = sorted(found.names)
    return finding(
        Kind.TWIN_MODULES,
        _LEVELS[found.level],
        sorted(found.paths),
        f"{named([kept, *others])} {'all' if len(others) > 1 else 'both'} define {named(names)}, "
        f"the closest two {found.most:.0%} alike; imported by {named(str(users[path]) for path in (kept, *others))} files.",
        [Location(path, lines[path][name]) for path in (kept, *others) for name in names],
        f"Keep one {named(names)}: take those of {kept}, import them in {named(others)}, and delete what is left there if it does the same.",
        weight=len(names) * len(found.paths) * (0.5 + found.most) * math.sqrt(1 + sum(users.values())),
    )
