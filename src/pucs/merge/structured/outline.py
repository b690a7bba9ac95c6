"""A file as a tree of named parts, every part a row of whole lines: what all kinds of structured files have in common.

Readers make outlines, ``weaving`` merges three of them. An outline says where parts begin and end and which part of one
version is the same part in another; it never changes a line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.merge.records import Lines

SEPARATOR = "\0"
"""Stands in a line where a comma is or would be; text never holds a zero byte (texts.Unmergeable)."""
DEPTH_MAX = 100
"""Levels of parts in parts: more is no file that people write, and every level is a Python call."""


class Unreadable(ValueError):
    """A text is not what its name says, or uses what its reader does not know."""


class Kind(Enum):
    """What a part holds, which decides how its parts are merged."""

    LEAF = "leaf"
    """Lines only."""
    MAP = "map"
    """Parts with names of their own, whose order says nothing."""
    LIST = "list"
    """Parts known by what they say, of which both sides may add some at one place."""
    ROW = "row"
    """The same, but which comes first may matter."""


@dataclass(frozen=True, slots=True)
class Node:
    """One part of a file: its own first lines, the parts it holds, its own last lines."""

    key: str
    """Tells it from its siblings, and finds it in another version."""
    head: Lines = ()
    kids: tuple[Node, ...] = ()
    gaps: tuple[Lines, ...] = ()
    """Blank lines before each of the kids."""
    foot: Lines = ()
    kind: Kind = Kind.LEAF
    loose: bool = False
    """The key is what the part says: a part with other words may be the same one, edited."""
    apart: bool = False
    """Stands between blank lines wherever it is put: a paragraph, a section."""
    trailing: bool | None = None
    """Whether the last kid is followed by a comma; None: kids are not divided by commas."""
    name: str = ""
    """As people call it; empty: no name worth showing."""


def lines_of(node: Node) -> Lines:
    """Return the lines of a part as they were read; its own separator still stands for a comma."""
    found: list[str] = []
    _lines(node, found)
    return tuple(found)


def _lines(node: Node, found: list[str]) -> None:
    found.extend(node.head)
    last = len(node.kids) - 1
    for index, (gap, kid) in enumerate(zip(node.gaps, node.kids, strict=True)):
        found.extend(gap)
        first = len(found)
        _lines(kid, found)
        if node.trailing is not None:
            comma = "," if index < last or node.trailing else ""
            found[first:] = separated(found[first:], comma)
    found.extend(node.foot)


def separated(lines: Sequence[str], comma: str) -> list[str]:
    """Return the lines of a part with its separator written out."""
    return [line.replace(SEPARATOR, comma, 1) if SEPARATOR in line else line for line in lines]


def unique(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Return siblings with keys that differ: the second of a kind is known by being the second."""
    seen: dict[str, int] = {}
    found = []
    for node in nodes:
        count = seen[node.key] = seen.get(node.key, 0) + 1
        found.append(node if count == 1 else replace(node, key=f"{node.key}\0{count}"))
    return tuple(found)


def blank(line: str) -> bool:
    """Tell whether a line shows nothing."""
    return not line or line.isspace()


def divided(lines: Sequence[str]) -> tuple[Lines, Lines]:
    """Return the blank lines at the beginning, and the rest."""
    count = 0
    while count < len(lines) and blank(lines[count]):
        count += 1
    return tuple(lines[:count]), tuple(lines[count:])


def labels(node: Node, around: str = "") -> list[str]:
    """Return for each line of an outline the names of the parts around it, joined by dots."""
    found = [around] * len(node.head)
    for gap, kid in zip(node.gaps, node.kids, strict=True):
        found.extend([around] * len(gap))
        found.extend(labels(kid, ".".join(name for name in (around, kid.name.strip('"')) if name)))
    found.extend([around] * len(node.foot))
    return found
