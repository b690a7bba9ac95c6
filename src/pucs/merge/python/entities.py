"""The merge of a whole Python file by what it defines.

Definitions are matched by name and place, then by body; what one side changed is taken, what both changed is merged
inside. What both put in one place stands there, ours first. What one side deleted and the other changed is a conflict.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from pucs.merge.pieces import joined, lines_of
from pucs.merge.python.entities_identity import Identities
from pucs.merge.python.entities_weaving import Weaving
from pucs.merge.records import Clash, Kept, Place, Settled, Texts, Tier, clashes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pucs.merge.pieces import Resolver
    from pucs.merge.python.entities_weaving import Cell, Spans
    from pucs.merge.python.scene import Scene
    from pucs.merge.records import Lines, Piece, Pieces


LINES_MAX: Final = 60_000
"""Lines of all versions together that are told apart: a second of work."""


def by_entities(scene: Scene, resolvers: Sequence[Resolver]) -> Pieces | None:
    """Merge a file by its definitions; what both sides changed inside them goes through the resolvers.

    None: this way leads nowhere, because a definition would be there twice, or not at all, or the file is too large.
    """
    texts, ended = _ended(scene.texts)
    if len(texts.base) + len(texts.ours) + len(texts.theirs) > LINES_MAX:
        return None
    try:
        # Moved definitions can leave a knot; without looking for them their old and new places are a conflict at most.
        cells = next(
            filter(
                None, (Weaving(Identities(texts, afar=afar), resolvers).cells() for afar in (True, False))
            ),
            None,
        )
    except RecursionError:  # lines nested beyond what anybody writes
        return None
    if cells is None:
        return None
    pieces = joined(_told(texts, cells, scene.hunks))
    return pieces if ended else _unended(pieces)


def _ended(texts: Texts) -> tuple[Texts, bool]:
    """Return the texts with every last line ended, and whether the result's is to be."""
    versions = (texts.base, texts.ours, texts.theirs)
    ends = [not lines or lines[-1].endswith("\n") for lines in versions]
    base, ours, theirs = (
        lines if end else (*lines[:-1], lines[-1] + "\n") for lines, end in zip(versions, ends, strict=True)
    )
    return Texts(base, ours, theirs), ends[2] if ends[1] == ends[0] else ends[1]


def _unended(pieces: Pieces) -> Pieces:
    """Return pieces whose last line has no end."""
    if not pieces or isinstance(pieces[-1], Clash) or not pieces[-1].lines:
        return pieces
    last = pieces[-1]
    lines = (*last.lines[:-1], last.lines[-1].removesuffix("\n"))
    if isinstance(last, Kept):
        return (*pieces[:-1], Kept(lines))
    return (*pieces[:-1], Settled(lines, last.resolver, last.tier, last.clash))


# ---- what git could not merge and this could is told as settled ----


def _told(texts: Texts, cells: list[Cell], hunks: Pieces) -> Iterator[Piece]:
    """Yield the pieces of cells; where lines are in conflict and here nothing is, the cells are one settled place."""
    at = 0
    # No conflict of lines: they can be matched in two ways, and git took the other one.
    places = clashes(hunks) or [piece.clash for piece in hunks if isinstance(piece, Settled)]
    for first, last in _runs(texts, cells, places):
        for cell in cells[at:first]:
            yield from cell.pieces
        yield from _settled(texts, cells[first:last])
        at = last
    for cell in cells[at:]:
        yield from cell.pieces


def _settled(texts: Texts, cells: list[Cell]) -> Iterator[Piece]:
    pieces = joined(chain.from_iterable(cell.pieces for cell in cells))
    lines = lines_of(pieces)
    if (
        not all(isinstance(piece, Kept) for piece in pieces)
        or not all(cell.closed for cell in cells)
        or lines is None
    ):
        yield from pieces
        return
    sides = [
        text[cells[0].spans[version][0] : cells[-1].spans[version][1]]
        for version, text in enumerate((texts.base, texts.ours, texts.theirs))
    ]
    if sides[0] in sides[1:] or sides[1] == sides[2]:
        yield from pieces
        return
    # Lines that both sides changed in one cell, yet not in conflict: matched there otherwise than in the whole file.
    tier = Tier.REVIEW if any(_changed_by_both(texts, cell) for cell in cells) else Tier.AUTO
    head = _common([*sides, lines])
    tail = _common([side[head:][::-1] for side in (*sides, lines)])
    base, ours, theirs, merged = (side[head : len(side) - tail] for side in (*sides, lines))
    place = Place(*(span[0] + head for span in cells[0].spans))
    yield Kept(lines[:head])
    yield Settled(merged, "entities", tier, Clash(base, ours, theirs, place))
    yield Kept(lines[len(lines) - tail :])


def _common(sides: Sequence[Lines]) -> int:
    """Return how many lines all sides begin with."""
    count = 0
    least = min(len(side) for side in sides)
    while count < least and len({side[count] for side in sides}) == 1:
        count += 1
    return count


def _runs(texts: Texts, cells: list[Cell], conflicts: list[Clash]) -> Iterator[tuple[int, int]]:
    """Yield first and last index (exclusive) of the cells that have to do with a conflict of lines, without overlaps."""
    steady = [_steady(texts, cell) for cell in cells]
    end = at = 0
    for clash in conflicts:
        spans = _spans(clash)
        while at < len(cells) and all(a[1] <= b[0] for a, b in zip(cells[at].spans, spans, strict=True)):
            at += 1
        first, last = max(at, end), max(at, end)
        while last < len(cells) and any(a[0] < b[1] for a, b in zip(cells[last].spans, spans, strict=True)):
            last += 1
        touched = [index for index in range(first, last) if _touch(cells[index].spans, spans)]
        if not touched:
            continue
        first, last = touched[0], touched[-1] + 1
        # What was moved may have left the place beside it: with one side in the place of both, that side is whole.
        while first > end and not steady[first - 1]:
            first -= 1
        while last < len(cells) and not steady[last]:
            last += 1
        yield first, last
        end = last


def _spans(clash: Clash) -> Spans:
    at = clash.at
    return (
        (at.base, at.base + len(clash.base)),
        (at.ours, at.ours + len(clash.ours)),
        (at.theirs, at.theirs + len(clash.theirs)),
    )


def _changed_by_both(texts: Texts, cell: Cell) -> bool:
    base, ours, theirs = (
        text[slice(*span)]
        for text, span in zip((texts.base, texts.ours, texts.theirs), cell.spans, strict=True)
    )
    return (
        base not in (ours, theirs)
        and ours != theirs
        and any(line.strip() for line in (*base, *ours, *theirs))
    )


def _steady(texts: Texts, cell: Cell) -> bool:
    """Tell whether all versions have the same lines in a place, and some."""
    base, ours, theirs = cell.spans
    lines = texts.base[slice(*base)]
    return bool(lines) and lines == texts.ours[slice(*ours)] == texts.theirs[slice(*theirs)]


def _touch(one: Spans, other: Spans) -> bool:
    """Tell whether two places share a line in any version."""
    return any(max(a[0], b[0]) < min(a[1], b[1]) for a, b in zip(one, other, strict=True))
