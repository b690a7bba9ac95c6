"""A woven result set beside the line merge: which of its lines nobody doubts, and which stand in the place of a clash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.merge.matching import matching
from pucs.merge.pieces import joined
from pucs.merge.records import Clash, Kept, Place, Settled, Tier
from pucs.merge.threeway import regions

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from pucs.merge.records import Piece, Pieces, Texts
    from pucs.merge.structured.weaving import Bit


def fitted(texts: Texts, bits: Sequence[Bit], resolver: str) -> Pieces:
    """Return a woven result as pieces: what differs from the line merge is settled, what has no answer a clash.

    A clash has the size of git's hunk, or of several if the result ties them together. ``resolver`` names what has no
    rule of its own.
    """
    rows, places = _line_merge(texts)
    stream, makers = _stream(bits)
    found: list[Piece] = []
    i = j = 0
    for a, b in [*matching(rows, stream), (len(rows), len(stream))]:
        if (i, j) != (a, b):
            found.append(_piece(_clash(texts, places[i], places[a]), stream[j:b], makers[j:b], resolver))
        if b < len(stream):
            found.append(Kept((str(stream[b]),)))
        i, j = a + 1, b + 1
    return joined(found)


def _piece(clash: Clash, stream: Sequence[Hashable], makers: Sequence[Bit], resolver: str) -> Piece:
    """Return what the result has in the place of a clash."""
    reason = next((bit.open for bit in makers if bit.open), "")
    if reason:
        return Clash(clash.base, clash.ours, clash.theirs, clash.at, reason=reason)
    lines = tuple(line for line in stream if isinstance(line, str))
    guess = next((bit for bit in makers if bit.tier is Tier.REVIEW), None)
    ruled = guess or next((bit for bit in makers if bit.rule), None)
    return Settled(lines, ruled.rule if ruled else resolver, guess.tier if guess else Tier.AUTO, clash)


def _clash(texts: Texts, start: Place, end: Place) -> Clash:
    return Clash(
        texts.base[start.base : end.base],
        texts.ours[start.ours : end.ours],
        texts.theirs[start.theirs : end.theirs],
        start,
    )


def _line_merge(texts: Texts) -> tuple[list[Hashable], list[Place]]:
    """Return the lines of the line merge, a thing that equals no line for each clash, and where each begins.

    One place more than rows: the ends of the versions. Lines that a side deleted count to the row before them.
    """
    rows: list[Hashable] = []
    places: list[Place] = []
    for region in regions(texts.base, texts.ours, texts.theirs):
        first = Place(region.base[0], region.ours[0], region.theirs[0])
        if region.changed == "clash":
            rows.append(region)
            places.append(first)
            continue
        by_theirs = region.changed == "theirs"
        lines = texts.theirs[slice(*region.theirs)] if by_theirs else texts.ours[slice(*region.ours)]
        for count, line in enumerate(lines):
            rows.append(line)
            places.append(
                Place(
                    min(first.base + count, region.base[1]),
                    min(first.ours + count, region.ours[1]),
                    min(first.theirs + count, region.theirs[1]),
                )
            )
    places = [Place(0, 0, 0), *places[1:]] if rows else []  # what is deleted at the top counts to the first row
    return rows, [*places, Place(len(texts.base), len(texts.ours), len(texts.theirs))]


def _stream(bits: Sequence[Bit]) -> tuple[list[Hashable], list[Bit]]:
    """Return the lines of the result and the bits that made them; a bit without lines stands for itself."""
    stream: list[Hashable] = []
    makers: list[Bit] = []
    for bit in bits:
        rows: Sequence[Hashable] = bit.lines
        if bit.open or (bit.rule and not bit.lines):
            rows = (bit,)
        stream.extend(rows)
        makers.extend([bit] * len(rows))
    return stream, makers
