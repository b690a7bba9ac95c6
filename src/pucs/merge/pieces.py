"""From three versions to pieces, and small questions about pieces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from pucs.merge.matching import matching, plainly_matching
from pucs.merge.records import Clash, Kept, Place, Settled, Tier
from pucs.merge.threeway import regions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pucs.merge.records import Lines, Piece, Pieces, Texts
    from pucs.merge.threeway import Matching

Resolver: TypeAlias = Callable[[Clash], "Pieces | None"]
"""Settles a clash, wholly or in part; None: it has nothing to say about it."""

PROPOSED = " proposed"
"""How the reason of a clash ends that a guess would settle, behind the rule's name."""


def hunks(texts: Texts) -> Pieces:
    """Merge the lines of a file that git found clashes in, and find some too.

    Where lines can be matched without any clash, but git matched them otherwise, neither is proved: a repeated block may
    be tied to the wrong one.
    """
    versions = (texts.base, texts.ours, texts.theirs)
    found = by_lines(*versions)
    if any(isinstance(piece, Clash) for piece in found):
        return found
    plain = by_lines(*versions, match=plainly_matching)
    if any(isinstance(piece, Clash) for piece in plain):
        return plain
    merged = lines_of(found) or ()
    return (Settled(merged, "lines", Tier.REVIEW, Clash(*versions, at=Place(0, 0, 0))),)


def by_lines(
    base: Lines, ours: Lines, theirs: Lines, at: Place | None = None, *, match: Matching[str] = matching
) -> Pieces:
    """Merge line by line, as git does; ``at`` is where the lines begin in their files."""
    at = at or Place(0, 0, 0)
    found: list[Piece] = []
    for region in regions(base, ours, theirs, match=match):
        if region.changed == "clash":
            place = Place(at.base + region.base[0], at.ours + region.ours[0], at.theirs + region.theirs[0])
            found.append(
                Clash(
                    base[slice(*region.base)], ours[slice(*region.ours)], theirs[slice(*region.theirs)], place
                )
            )
        else:
            kept = theirs[slice(*region.theirs)] if region.changed == "theirs" else ours[slice(*region.ours)]
            found.append(Kept(kept))
    return joined(found)


def joined(pieces: Iterable[Piece]) -> Pieces:
    """Return the same pieces, neighbouring kept lines as one and empty ones left out."""
    found: list[Piece] = []
    kept: list[str] = []
    for piece in pieces:
        if isinstance(piece, Kept):
            kept.extend(piece.lines)
            continue
        if kept:
            found.append(Kept(tuple(kept)))
            kept = []
        found.append(piece)
    if kept:
        found.append(Kept(tuple(kept)))
    return tuple(found)


def settle(pieces: Sequence[Piece], resolvers: Sequence[Resolver]) -> Pieces:
    """Let each resolver in turn look at what is not settled yet."""
    for resolve in resolvers:
        found: list[Piece] = []
        for piece in pieces:
            answer = resolve(piece) if isinstance(piece, Clash) else None
            found.extend((piece,) if answer is None else answer)
        pieces = found
    return joined(pieces)


def lines_of(pieces: Iterable[Piece]) -> Lines | None:
    """Return the lines of pieces without a clash, None if there is one."""
    found: list[str] = []
    for piece in pieces:
        if isinstance(piece, Clash):
            return None
        found.extend(piece.lines)
    return tuple(found)


def side_of(pieces: Iterable[Piece], side: str) -> Lines:
    """Return the lines with one side, ``ours`` or ``theirs``, in the place of every clash."""
    found: list[str] = []
    for piece in pieces:
        lines: Lines = getattr(piece, side) if isinstance(piece, Clash) else piece.lines
        found.extend(lines)
    return tuple(found)


def withdrawn(pieces: Iterable[Piece], *, review: bool) -> Pieces:
    """Return the pieces with clashes again where a resolver settled something; ``review``: only guesses go back."""
    return joined(
        _back(piece) if isinstance(piece, Settled) and (not review or piece.tier is Tier.REVIEW) else piece
        for piece in pieces
    )


def put_back(pieces: Sequence[Piece], reasons: Mapping[int, str]) -> Pieces:
    """Return the pieces with clashes again at these indexes, each with the reason why."""
    return joined(
        _back(piece, reasons[index]) if isinstance(piece, Settled) and index in reasons else piece
        for index, piece in enumerate(pieces)
    )


def doubted(pieces: Iterable[Piece]) -> Pieces:
    """Return the pieces with nothing settled but as a guess."""
    return tuple(
        replace(piece, tier=Tier.REVIEW) if isinstance(piece, Settled) else piece for piece in pieces
    )


def _back(piece: Settled, reason: str = "") -> Piece:
    clash = piece.clash
    if not reason:
        reason = f"{piece.resolver}{PROPOSED}" if piece.tier is Tier.REVIEW else clash.reason
    return Clash(clash.base, clash.ours, clash.theirs, clash.at, clash.entity, reason)
