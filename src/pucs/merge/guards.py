"""What every result has to pass, whatever made it (DESIGN §3.9): nothing lost, nothing brought back, and it still reads.

A result is held against its three versions, never against the rule that made it: its lines are counted. Where a rule
wrote lines that no version has, the words of that place are counted instead; ``SUPERSEDES`` says what else it may do.
The count is sound, not complete: a wrong result can have the right lines.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from pucs.merge.accounts import LAYOUT, QUOTED_MAX, Account, plain
from pucs.merge.arrangement import Placed, disarranged
from pucs.merge.pieces import hunks, lines_of, side_of
from pucs.merge.records import Clash, Kept, Objection, Settled, Tier

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from pucs.merge.languages import Language
    from pucs.merge.records import Lines, Piece, Pieces, Texts


class Superseded(Enum):
    """What a rule may leave out or change although a side brought it."""

    REPEATS = auto()
    """What is said twice may be said once, anywhere in the rule's places: they are one set of names."""
    ELSEWHERE = auto()
    """A line without indentation may be left out where a kept one beside the conflicts says the same."""
    REMOVALS = auto()
    """What one side removed may stay: a name that the other side still uses."""
    ORDER = auto()
    """What a side added together may be put apart: sorted lists."""
    OTHER_SIDE = auto()
    """One side's text as a whole may stand for both: two values of one thing, of which one counts."""


SUPERSEDES: Final[dict[str, frozenset[Superseded]]] = {
    "imports": frozenset({Superseded.REPEATS, Superseded.ELSEWHERE, Superseded.REMOVALS, Superseded.ORDER}),
    "members": frozenset({Superseded.REPEATS, Superseded.ORDER}),
    "parameters": frozenset({Superseded.REPEATS, Superseded.ORDER}),
    "version": frozenset({Superseded.OTHER_SIDE}),
    # Parts with names, and entries that stand for themselves: each goes where its neighbours are.
    **dict.fromkeys(
        ("changelog", "ini", "json", "list", "markdown", "order", "rst", "toml", "yaml"),
        frozenset({Superseded.ORDER}),
    ),
}
"""By the rule's name. A rule without an entry has to keep every word of both sides, and what was added together in order."""

OBJECTIONS_MAX: Final = 50
"""How many objections are passed on: the first ones show what to put back, and the next round finds the rest."""
_WORD: Final = re.compile(r"\w+|[^\w\s]")


def objections(language: Language, texts: Texts, pieces: Pieces) -> tuple[Objection, ...]:
    """Return what is wrong with a merge.

    With clashes in it: what is wrong whichever side stands in their place, and whether it can be read at all with each.
    What is merely untidy and stands beside git's conflicts is git's, as it is where git finds none.
    """
    found = unaccounted(texts, pieces)
    if found:  # what is lost explains what else goes wrong: once it is back, the next look shows what is left
        return found
    lines = lines_of(pieces)
    found = (
        tuple(_either_way(language, texts, pieces)) if lines is None else language.objections(texts, lines)
    )
    if any(one.untidy for one in found):
        beside = {one.words for one in _either_way(language, texts, hunks(texts)) if one.untidy}
        found = tuple(one for one in found if one.words not in beside)
    return found


def _either_way(language: Language, texts: Texts, pieces: Pieces) -> Iterator[Objection]:
    """Yield what a merge with clashes has wrong with either side in their place; unreadable with one of them is enough."""
    ours, theirs = (side_of(pieces, side) for side in ("ours", "theirs"))
    with_ours = language.objections(texts, ours)
    found = [("ours", one) for one in with_ours if one.broken]
    found = found or [("theirs", one) for one in language.unreadable(texts, theirs)]
    if with_ours and not found:
        there = {one.words for one in language.objections(texts, theirs)}
        found = [("ours", one) for one in with_ours if one.words in there]
    for side, one in found:
        yield replace(one, line=_outside(pieces, side, one.line))


def _outside(pieces: Pieces, side: str, line: int) -> int:
    """Return where a line of the text with one side in it stands without what clashes; in it: the line before."""
    left, at = line, 0
    for piece in pieces:
        clash = isinstance(piece, Clash)
        lines: Lines = getattr(piece, side) if isinstance(piece, Clash) else piece.lines
        if left <= len(lines):
            return at if clash else at + left
        left -= len(lines)
        at += 0 if clash else len(lines)
    return at


def guilty(pieces: Pieces, against: Sequence[Objection]) -> dict[int, str]:
    """Return which settled pieces to put back, by index, with the reason; empty: none is left.

    Those at whose lines an objection points, else those that have what it is about, else the one that is nearest to its
    line, else all; guesses before what is proved.
    """
    settled = {index: piece for index, piece in enumerate(pieces) if isinstance(piece, Settled)}
    here: dict[int, str] = {}
    near: dict[tuple[int, int], str] = {}
    first = 1
    for index, piece in enumerate(pieces):
        count = 0 if isinstance(piece, Clash) else len(piece.lines)
        if index in settled:
            last = first + max(count, 1)
            here.update((index, one.words) for one in reversed(against) if first <= one.line < last)
            near.update(
                ((max(first - one.line, one.line - last + 1), index), one.words)
                for one in against
                if one.line
            )
        first += count
    reasons = here or {
        index: one.words
        for index, piece in settled.items()
        for one in reversed(against)
        if _mentions(piece, one.about)
    }
    if not reasons and near:
        closest = min(near)
        return {closest[1]: near[closest]}
    if not reasons and against:
        reasons = dict.fromkeys(settled, against[0].words)
    guesses = {index: reason for index, reason in reasons.items() if settled[index].tier is Tier.REVIEW}
    return guesses or reasons


def unaccounted(texts: Texts, pieces: Pieces) -> tuple[Objection, ...]:
    """Return the lines that a side added and the result lacks, that a side deleted and it still has, that it has twice.

    White space at the ends of lines, blank lines, and lines of nothing but brackets and quotes are set aside.
    """
    found: list[Objection] = []
    account = Account(plain(texts.base), plain(texts.ours), plain(texts.theirs))
    result: Counter[str] = Counter()
    kept = {line for piece in pieces if isinstance(piece, Kept) for line in piece.lines}
    for at, piece in _places(pieces):
        if isinstance(piece, Kept):
            result.update(plain(piece.lines))
            continue
        clash = piece.clash if isinstance(piece, Settled) else piece
        inside = (plain(clash.base), plain(clash.ours), plain(clash.theirs))
        if isinstance(piece, Settled):
            here = plain(piece.lines)
            if not any(Account(*inside).faults(Counter(here))):
                result.update(here)
                continue
            found.extend(_misworded(piece, at, kept))
        # What clashes, and what a rule has written anew, is judged by itself: neither column has it.
        account.without(*inside)
    found.extend(Objection(_said(line, by), 0, line) for line, by in account.faults(result))
    found.extend(_run_together(pieces))
    found.extend(_ended_otherwise(texts, pieces))
    found.extend(disarranged(texts, _placed(pieces)))
    return tuple(found[:OBJECTIONS_MAX])


def _places(pieces: Pieces) -> Iterator[tuple[int, Piece]]:
    """Yield pieces with their first lines in the result; those of a rule that makes one set of its places as one."""
    sets: dict[str, tuple[int, Settled]] = {}
    at = 1
    for piece in pieces:
        if isinstance(piece, Settled) and Superseded.REPEATS in _may(piece):
            first, before = sets.get(piece.resolver, (at, None))
            sets[piece.resolver] = (first, piece if before is None else _together(before, piece))
        else:
            yield at, piece
        at += 0 if isinstance(piece, Clash) else len(piece.lines)
    yield from sets.values()


def _together(one: Settled, other: Settled) -> Settled:
    a, b = one.clash, other.clash
    clash = Clash(a.base + b.base, a.ours + b.ours, a.theirs + b.theirs)
    return Settled(one.lines + other.lines, one.resolver, one.tier, clash)


def _may(piece: Settled) -> frozenset[Superseded]:
    return SUPERSEDES.get(piece.resolver, frozenset())


def _placed(pieces: Pieces) -> Iterator[Placed]:
    """Yield the lines of the result that their rules may not bring into another order."""
    at = 0
    for piece in pieces:
        if isinstance(piece, Clash):
            continue
        clash = piece.clash if isinstance(piece, Settled) else None
        if not isinstance(piece, Settled) or Superseded.ORDER not in _may(piece):
            yield from (Placed(line, at + place, clash) for place, line in enumerate(piece.lines, start=1))
        at += len(piece.lines)


def _said(element: str, by: int) -> str:
    quoted = element if len(element) <= QUOTED_MAX else element[:QUOTED_MAX] + "…"
    return f"lost: {quoted}" if by < 0 else f"deleted or added once, but there too often: {quoted}"


def _run_together(pieces: Pieces) -> Iterator[Objection]:
    """Yield lines without an end that others follow: written out they are one."""
    at = 0
    unended: Objection | None = None
    for piece in pieces:
        lines = (*piece.base, *piece.ours, *piece.theirs) if isinstance(piece, Clash) else piece.lines
        if unended is not None and lines:
            yield unended
            unended = None
        if isinstance(piece, Clash):
            continue
        for place, line in enumerate(lines):
            if not line.endswith("\n"):
                unended = Objection(
                    f"run together with the next line: {line.strip()[:QUOTED_MAX]}", at + place + 1
                )
                if place + 1 < len(lines):
                    yield unended
        at += len(lines)


def _ended_otherwise(texts: Texts, pieces: Pieces) -> Iterator[Objection]:
    """Yield whether the last line ends, or does not, although neither side has it so."""
    sides = {side[-1].endswith("\n") for side in (texts.ours, texts.theirs) if side}
    last = pieces[-1] if pieces else None
    if len(sides) == 1 and isinstance(last, Kept | Settled) and last.lines:
        line = last.lines[-1]
        if line.endswith("\n") not in sides:
            yield Objection("the end of the last line is neither side's", sum(_lengths(pieces)), line.strip())


def _lengths(pieces: Pieces) -> Iterator[int]:
    return (0 if isinstance(piece, Clash) else len(piece.lines) for piece in pieces)


# ---- one place, word by word ----


def _misworded(piece: Settled, at: int, kept: Collection[str]) -> Iterator[Objection]:
    """Yield the words that a rule lost, brought back or doubled in the place that it settled; ``kept`` are other lines."""
    allowed = _may(piece)
    clash = piece.clash
    sides = [clash.ours, clash.theirs]
    if Superseded.ELSEWHERE in allowed:
        inside = {*clash.base, *piece.lines}
        known = {line for line in kept if line not in inside and not line[:1].isspace()}
        sides = [tuple(line for line in side if line not in known) for side in sides]
    base, ours, theirs, here = (_words(side) for side in (clash.base, *sides, piece.lines))
    if Superseded.OTHER_SIDE in allowed and here in (ours, theirs):
        return
    faults = dict(Account(base, ours, theirs).faults(Counter(here)))
    if faults and Superseded.REPEATS in allowed:
        base, ours, theirs, here = (list(dict.fromkeys(words)) for words in (base, ours, theirs, here))
        once = dict(Account(base, ours, theirs).faults(Counter(here)))
        faults = {word: by for word, by in faults.items() if word in once}
    if Superseded.REMOVALS in allowed:
        faults = {word: by for word, by in faults.items() if by < 0 or word not in base}
    for word, by in faults.items():
        yield Objection(f"{piece.resolver}: {_said(word, by)}", at)


def _words(lines: Lines) -> list[str]:
    return [word for word in _WORD.findall("".join(lines)) if word not in LAYOUT]


def _mentions(piece: Settled, about: str) -> bool:
    """Tell whether a place has a line or a name in any of its versions."""
    if not about:
        return False
    lines = (*piece.lines, *piece.clash.base, *piece.clash.ours, *piece.clash.theirs)
    if about.isidentifier():
        named = re.compile(rf"\b{re.escape(about)}\b")
        return any(named.search(line) for line in lines)
    return any(about in line for line in lines)
