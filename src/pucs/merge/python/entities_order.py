"""The order of definitions and lines in one place that sides changed: one side's row, with what the other side did to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pucs.merge.python.entities_identity import BASE, OURS, THEIRS
from pucs.merge.threeway import Region, regions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pucs.merge.python.entities_identity import Identities
    from pucs.merge.python.segments import Segment

PLACE_MAX: Final = 1_000
"""Elements of one place that are put in order; with more the file was written anew, and each is looked for in all."""
END: Final = ""
"""What stands last in every row: no line is empty."""


@dataclass(frozen=True, slots=True)
class Token:
    """One element of a row: a line that is not blank, or a definition as a whole; with the blank lines above."""

    key: str | int
    """The line, or the definition's number."""
    version: int
    first: int
    start: int
    """The first line that is not blank."""
    last: int
    leads: bool = False
    """Whether it is the first of its level."""

    @property
    def is_definition(self) -> bool:
        """Whether it stands for a definition."""
        return isinstance(self.key, int)


Row = list[Token]
Rows = tuple[Row, Row, Row]
"""The same place in base, ours and theirs."""


def row(identities: Identities, version: int, level: Sequence[Segment], last: int) -> Row:
    """Return the elements of one level of segments that ends before line ``last``."""
    lines = identities.lines[version]
    found: Row = []
    at = level[0].first if level else last
    for segment in level:
        if segment.is_definition:
            key = identities.number(version, segment)
            found.append(Token(key, version, at, segment.start, segment.last, not found))
            at = segment.last
            continue
        for index in range(segment.first, segment.last):
            if lines[index].strip():
                found.append(Token(lines[index], version, at, index, index + 1))
                at = index + 1
    found.append(Token(END, version, at, last, last))
    return found


def stretches(rows: Rows) -> Iterator[tuple[Region, Rows]]:
    """Divide rows into what nobody, one side or both sides changed; a definition's edge parts edits as an unchanged line does."""
    base, ours, theirs = ([token.key for token in one] for one in rows)
    waiting: Region | None = None
    for region in regions(base, ours, theirs, apart=0):
        if waiting is not None:
            if waiting.changed and region.changed and not _parted(rows, waiting, region):
                waiting = _one(rows, waiting, region)
                continue
            yield waiting, _slices(rows, waiting)
        waiting = region
    if waiting is not None:
        yield waiting, _slices(rows, waiting)


def _slices(rows: Rows, region: Region) -> Rows:
    return (
        rows[BASE][slice(*region.base)],
        rows[OURS][slice(*region.ours)],
        rows[THEIRS][slice(*region.theirs)],
    )


def _parted(rows: Rows, before: Region, after: Region) -> bool:
    """Tell whether a definition ends the one place or begins the other."""
    ends = [one[-1] for one in _slices(rows, before) if one]
    begins = [one[0] for one in _slices(rows, after) if one]
    return all(one.is_definition for one in ends) or all(one.is_definition for one in begins)


def _one(rows: Rows, before: Region, after: Region) -> Region:
    base, ours, theirs = (
        (getattr(before, side)[0], getattr(after, side)[1]) for side in ("base", "ours", "theirs")
    )
    whole = Region(base, ours, theirs, "clash")
    keys = [[token.key for token in one] for one in _slices(rows, whole)]
    return Region(base, ours, theirs, "same") if keys[OURS] == keys[THEIRS] else whole


def woven(identities: Identities, rows: Rows) -> Row | None:
    """Return the elements of a place in order: one side's, without what the other removed and with what it put there.

    What one side deleted and the other changed stays, to be told as a conflict. None: both sides changed the lines
    between definitions, or there are too many of them.
    """
    if sum(map(len, rows)) > PLACE_MAX:
        return None
    base, ours, theirs = ([token.key for token in one if not token.is_definition] for one in rows)
    if theirs in (base, ours):
        first, other = OURS, THEIRS
    elif ours == base:
        first, other = THEIRS, OURS
    else:
        return None
    numbers = [{token.key for token in one if token.is_definition} for one in rows]
    found = [token for token in rows[first] if not _leaves(identities, token, numbers, first, other)]
    for place, token in enumerate(rows[other]):
        if token.is_definition and _comes(identities, token, numbers, first):
            found.insert(_position(found, rows, place, first, other), token)
    return found


def _leaves(
    identities: Identities, token: Token, numbers: list[set[str | int]], first: int, other: int
) -> bool:
    """Tell whether the other side removed what one side has here."""
    if not isinstance(token.key, int) or token.key not in numbers[BASE] or token.key in numbers[other]:
        return False
    entity = identities.entities[token.key]
    return entity.versions[other] is not None or not identities.changed(first, token.key)


def _comes(identities: Identities, token: Token, numbers: list[set[str | int]], first: int) -> bool:
    """Tell whether what only the other side has here belongs here: it is new, or was changed while one side deleted it."""
    if not isinstance(token.key, int) or token.key in numbers[first]:
        return False
    if token.key not in numbers[BASE]:
        return True
    gone = identities.entities[token.key].versions[first] is None
    return gone and identities.changed(token.version, token.key)


def _position(found: Row, rows: Rows, place: int, first: int, other: int) -> int:
    """Return where to put an element of the other side's row: after the one before it, or before the one after it."""
    known = {token.key for token in rows[BASE]} | {token.key for token in rows[other]}
    keys = [token.key for token in found]
    for token in reversed(rows[other][:place]):
        if token.key in keys:
            at = keys.index(token.key) + 1
            # Ours comes first where both put something behind the same element.
            while other == THEIRS and at < len(found) and keys[at] not in known:
                at += 1
            return at
    for token in rows[other][place + 1 :]:
        if token.key in keys:
            return keys.index(token.key)
    return len(found) if first == OURS else 0
