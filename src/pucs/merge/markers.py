"""Conflict markers around what is left, as few lines as can be, labelled with the entity and the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.merge.matching import matching
from pucs.merge.records import Clash, Unresolved

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pucs.merge.records import Lines, Piece

SIZE = 7
"""Length of a marker unless ``conflict-marker-size`` says otherwise (gitattributes(5))."""
_APART_LINES = 4
"""Common lines between two conflicts from which on they are two, not one: fewer cost more lines of markers."""


@dataclass(frozen=True, slots=True)
class Style:
    """How markers are written."""

    ours: str = "ours"
    theirs: str = "theirs"
    size: int = SIZE
    base: str = ""
    """Label of what was there before; empty: it is not shown (``merge.conflictStyle``)."""


def rendered(pieces: Iterable[Piece], style: Style = Style()) -> tuple[Lines, tuple[Unresolved, ...]]:
    """Return the lines of a result, with markers around what is not settled, and where those are."""
    lines: list[str] = []
    found: list[Unresolved] = []
    for piece in pieces:
        if not isinstance(piece, Clash):
            lines.extend(piece.lines)
            continue
        note = ": ".join(part for part in (piece.entity, piece.reason) if part)
        about = f" ({note})" if note else ""
        # Which part of the base belongs to which difference, nobody knows.
        whole = (((), piece.ours, piece.theirs),)
        for common, ours, theirs in whole if style.base else shrunk(piece):
            lines.extend(common)
            if not ours and not theirs:
                continue
            first = len(lines) + 1
            lines.append(f"{'<' * style.size} {style.ours}{about}\n")
            lines.extend(_ended(ours))
            if style.base:
                lines.append(f"{'|' * style.size} {style.base}\n")
                lines.extend(_ended(piece.base))
            lines.append(f"{'=' * style.size}\n")
            lines.extend(_ended(theirs))
            lines.append(f"{'>' * style.size} {style.theirs}\n")
            found.append(Unresolved(first, len(lines) - first + 1, piece.entity, piece.reason))
    return tuple(lines), tuple(found)


def shrunk(clash: Clash) -> Iterator[tuple[Lines, Lines, Lines]]:
    """Yield what both sides of a clash have in common, then how they differ, and so on; both may be empty at the end."""
    ours, theirs = clash.ours, clash.theirs
    head = here = there = 0
    for common, i, j in _runs(ours, theirs):
        if here == there == 0 == head and i == j == 0:
            here = there = head = common
            continue
        if common < _APART_LINES and i + common < len(ours) and j + common < len(theirs):
            continue
        yield ours[here - head : here], ours[here:i], theirs[there:j]
        here, there, head = i + common, j + common, common
    yield ours[here - head : here], ours[here:], theirs[there:]


def _runs(ours: Lines, theirs: Lines) -> Iterator[tuple[int, int, int]]:
    """Yield length and starts of each run of lines that both sides have."""
    length = i = j = 0
    for a, b in matching(ours, theirs):
        if length and (a, b) == (i + length, j + length):
            length += 1
            continue
        if length:
            yield length, i, j
        length, i, j = 1, a, b
    if length:
        yield length, i, j


def _ended(lines: Lines) -> Lines:
    """Return lines of which the last one ends, so that a marker can follow."""
    if lines and not lines[-1].endswith("\n"):
        return (*lines[:-1], lines[-1] + "\n")
    return lines
