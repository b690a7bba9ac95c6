"""A woven result set beside the line merge: which of its lines nobody doubts, and which stand in the place of a clash."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pucs.merge.matching import matching
from pucs.merge.pieces import joined
from pucs.merge.records import Clash, Kept, Place, Settled, Tier
from pucs.merge.structured.counts import lines_miscounted
from pucs.merge.threeway import regions

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from pucs.merge.records import Lines, Piece, Pieces, Texts
    from pucs.merge.structured.weaving import Bit


def fitted(texts: Texts, bits: Sequence[Bit], resolver: str) -> Pieces:
    """Return a woven result as pieces: what differs from the line merge is settled, what has no answer a clash.

    A clash has the size of git's hunk, or of several if the result ties them together. ``resolver`` names what has no
    rule of its own.
    """
    rows, places = _line_merge(texts)
    stream, makers = _stream(bits)
    spans: list[_Span] = []
    i = j = 0
    for a, b in [*matching(rows, stream), (len(rows), len(stream))]:
        if (i, j) != (a, b):
            spans.append(_Span(i, a, j, b))
        i, j = a + 1, b + 1
    found: list[Piece] = []
    j = 0
    for span in _tied(spans, texts, places, stream):
        found.append(Kept(tuple(map(str, stream[j : span.first]))))
        j = span.last
        clash = _clash(texts, places[span.start], places[span.end])
        found.extend(_settled(clash, stream[span.first : j], makers[span.first : j], resolver))
    pieces = joined([*found, Kept(tuple(map(str, stream[j:])))])
    return _shown(pieces, resolver) if any(bit.open for bit in bits) else pieces


def _shown(pieces: Pieces, resolver: str) -> Pieces:
    """Return a result of which some places have no answer, with a clash for each.

    Such a place can come to stand where the versions have no line, and what it was about where the result has lines of
    one side only. Those then become the clash.
    """
    found: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, Clash) and not (piece.base or piece.ours or piece.theirs):
            continue
        if isinstance(piece, Settled) and piece.resolver == resolver:
            clash = piece.clash
            versions = (_plain(clash.base), _plain(clash.ours), _plain(clash.theirs))
            if lines_miscounted(versions, _plain(piece.lines)):
                piece = replace(clash, reason="both sides changed it")  # noqa: PLW2901
        found.append(piece)
    return joined(found)


@dataclass(frozen=True, slots=True)
class _Span:
    """Rows of the line merge and lines of the result that stand for each other and differ."""

    start: int
    end: int
    first: int
    last: int


def _tied(
    spans: Sequence[_Span], texts: Texts, places: Sequence[Place], stream: Sequence[Hashable]
) -> Sequence[_Span]:
    """Return the spans, those as one between which lines have moved: each by itself would seem to have lost them."""
    odd = [index for index, span in enumerate(spans) if not _even(span, texts, places, stream)]
    if len(odd) < 2:  # noqa: PLR2004 - one alone has nobody to exchange lines with
        return spans
    first, last = odd[0], odd[-1]
    tied = _Span(spans[first].start, spans[last].end, spans[first].first, spans[last].last)
    return [*spans[:first], tied, *spans[last + 1 :]] if _even(tied, texts, places, stream) else spans


def _even(span: _Span, texts: Texts, places: Sequence[Place], stream: Sequence[Hashable]) -> bool:
    """Tell whether a span has the lines that its three versions make, or has no answer anyway."""
    lines = stream[span.first : span.last]
    answer = tuple(line for line in lines if isinstance(line, str))
    clash = _clash(texts, places[span.start], places[span.end])
    if len(answer) < len(lines):
        return True
    versions = (_plain(clash.base), _plain(clash.ours), _plain(clash.theirs))
    return not lines_miscounted(versions, _plain(answer))


def _plain(lines: Lines) -> Lines:
    return tuple(line.strip().rstrip(",") for line in lines)


def _settled(
    clash: Clash, stream: Sequence[Hashable], makers: Sequence[Bit], resolver: str
) -> Iterator[Piece]:
    """Yield what the result has in the place of a clash; where a version was chosen, that line by itself."""
    for at, bit in enumerate(makers):
        parts = _parted(clash, bit) if bit.versions and not any(one.open for one in makers) else None
        if parts is None:
            continue
        end = at
        while end < len(makers) and makers[end] is bit:
            end += 1
        if at:
            yield from _settled(parts[0], stream[:at], makers[:at], resolver)
        yield _piece(parts[1], stream[at:end], makers[at:end], resolver)
        if end < len(stream) or any((parts[2].base, parts[2].ours, parts[2].theirs)):
            yield from _settled(parts[2], stream[end:], makers[end:], resolver)
        return
    yield _piece(clash, stream, makers, resolver)


def _parted(clash: Clash, bit: Bit) -> tuple[Clash, Clash, Clash] | None:
    """Return what stands before, in and behind the lines of a bit in a clash, None if they are not all there once."""
    cuts: list[tuple[int, int]] = []
    sides = (clash.base, clash.ours, clash.theirs)
    for side, lines in zip(sides, bit.versions, strict=True):
        wanted, there = _plain(lines), _plain(side)
        found = [k for k in range(len(there)) if there[k : k + len(wanted)] == wanted] if wanted else []
        if len(found) != 1:
            return None
        cuts.append((found[0], found[0] + len(wanted)))
    (b, b_end), (o, o_end), (t, t_end) = cuts
    before = Clash(clash.base[:b], clash.ours[:o], clash.theirs[:t], clash.at)
    inside = Clash(clash.base[b:b_end], clash.ours[o:o_end], clash.theirs[t:t_end], before.at.after(before))
    behind = Clash(clash.base[b_end:], clash.ours[o_end:], clash.theirs[t_end:], inside.at.after(inside))
    return before, inside, behind


def _piece(clash: Clash, stream: Sequence[Hashable], makers: Sequence[Bit], resolver: str) -> Piece:
    """Return what the result has in the place of a clash."""
    reason = next((bit.open for bit in makers if bit.open), "")
    if reason:
        return Clash(clash.base, clash.ours, clash.theirs, clash.at, reason=reason)
    lines = tuple(line for line in stream if isinstance(line, str))
    guess = next((bit for bit in makers if bit.tier is Tier.REVIEW), None)
    ruled = guess or next((bit for bit in makers if bit.rule), None)
    return Settled(
        lines, (ruled.rule if ruled else "") or resolver, guess.tier if guess else Tier.AUTO, clash
    )


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
    places = (
        [Place(0, 0, 0), *places[1:]] if rows else []
    )  # what is deleted at the top counts to the first row
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
