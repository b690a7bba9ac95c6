"""Names for parts of the code that people recognise: a directory where one is much like the part, else its central file."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pucs.code.resolving import Edge

LIKE: Final = 0.5
"""Likeness from which a part is called after a directory: the share that the two have in common (Dice)."""
_FORBIDDEN: Final = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST: Final = 48
_TAKEN: Final = "all"
"""A name that means every stream."""
_NAMELESS: Final = frozenset({
    "__init__",
    "__main__",
    "base",
    "common",
    "const",
    "constants",
    "helpers",
    "index",
    "main",
    "mod",
    "types",
    "util",
    "utils",
})
"""Files that are called after their directory."""


@dataclass(frozen=True, slots=True)
class Called:
    """What a part of the code is called."""

    name: str
    directory: str
    """The directory that is most like it; empty: all of it lies at the root."""
    alike: bool
    """The directory is so much like it that what is true of one is of the other."""
    centre: str
    """Its file that most of the others import; empty: none is imported."""


def directory_names(directories: Sequence[str]) -> list[str]:
    """Return a name for each directory: its own, with its parent's, or a number, where two would be the same."""
    own = [_name(directory.rpartition("/")[2]) for directory in directories]
    often = Counter(name.lower() for name in own)
    taken = {_TAKEN}
    return [
        _free([last, _above(directory)] if often[last.lower()] == 1 else [_above(directory)], taken)
        for directory, last in zip(directories, own, strict=True)
    ]


def called(groups: Sequence[Sequence[str]], edges: Iterable[Edge]) -> list[Called]:
    """Return what each group of files is called; the first ones choose first.

    The directory is the one with the greatest likeness, 2 * common / (files of the group + files of the directory). Where
    none is much like it, the group is called after its most imported file.
    """
    group_of = {path: number for number, group in enumerate(groups) for path in group}
    imported = Counter[str]()
    for edge in edges:
        if edge.imported in group_of and group_of.get(edge.importer) == group_of[edge.imported]:
            imported[edge.imported] += 1
    held: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for path, number in group_of.items():
        directory = path
        while directory := directory.rpartition("/")[0]:
            held[directory][number] += 1
    found: list[Called] = []
    taken = {_TAKEN}
    for number, group in enumerate(groups):
        likeness = {
            directory: 2 * counts[number] / (len(group) + counts.total())
            for directory, counts in held.items()
            if number in counts
        }
        # Of directories with the same files the deepest says most.
        nearest = sorted(likeness, key=lambda directory: (-likeness[directory], -len(directory), directory))
        alike = bool(nearest) and likeness[nearest[0]] >= LIKE
        centre = min(group, key=lambda path: (-imported[path], path))
        wanted = [_name(_stem(centre, joined=False)), _name(_stem(centre, joined=True))]
        if alike:
            wanted = [_name(nearest[0].rpartition("/")[2]), _above(nearest[0]), *wanted]
        found.append(
            Called(
                _free(wanted, taken),
                nearest[0] if nearest else "",
                alike=alike,
                centre=centre if imported[centre] else "",
            )
        )
    return found


def _free(wanted: Sequence[str], taken: set[str]) -> str:
    """Return the first name that nobody has, with a number if need be, and take it."""
    name = next((name for name in wanted if name.lower() not in taken), "")
    number = 2
    while not name:
        numbered = f"{wanted[0]}-{number}"
        name, number = ("" if numbered.lower() in taken else numbered), number + 1
    taken.add(name.lower())
    return name


def _above(directory: str) -> str:
    return _name("-".join(directory.split("/")[-2:]))


def _stem(path: str, *, joined: bool) -> str:
    """Return the name of a file without its ending, or of its directory; joined: with the directory above."""
    *directories, file = path.split("/")
    stem = file.partition(".")[0] or file
    parts = [*directories, stem] if stem.lower() not in _NAMELESS or not directories else directories
    return "-".join(parts[-2:] if joined else parts[-1:])


def _name(text: str) -> str:
    return _FORBIDDEN.sub("-", text).strip("-_")[:_LONGEST] or "part"
