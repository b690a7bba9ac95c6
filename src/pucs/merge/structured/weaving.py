"""Three outlines in, one row of lines out: parts that one side changed are taken, parts that both changed are entered.

What cannot be told stays open: such a place comes out as a bit without an answer, and the whole hunk of git's line merge
around it stays a conflict (``fitting``).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pucs.merge.pieces import by_lines
from pucs.merge.pieces import lines_of as joined_lines
from pucs.merge.records import Clash, Tier, clashes
from pucs.merge.structured.entries import refused, stranded, untold
from pucs.merge.structured.orders import merged_order
from pucs.merge.structured.outline import SEPARATOR, Kind, Node, blank, lines_of, separated
from pucs.merge.structured.pairing import alike, relabelled, renamed, swept, words

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from pucs.merge.records import Lines


_HOLLOW = re.compile(rf"(^|[\[{{]\s*[\]}}]{SEPARATOR}?)\s*$")
"""The text of a list or table without elements, or no text at all."""


_PINNED = re.compile(r"@\S+|\s#.*")
"""Which version of a thing is meant, and a comment on it: another one leaves the thing what it is."""


@dataclass(frozen=True, slots=True)
class Bit:
    """Some lines of the result, and by which rule they came to be."""

    lines: Lines
    rule: str = ""
    """Name of the rule beyond "one side changed it"; empty: no more than that."""
    tier: Tier = Tier.AUTO
    open: str = ""
    """Why there is no answer here; empty: ``lines`` are the answer."""
    versions: tuple[Lines, ...] = ()
    """The lines of base, ours and theirs where one of them was chosen; a comma may be missing at their ends."""


TELLING_MIN = 12
"""Characters from which on a line says enough to be the same one wherever it stands; shorter ones are brackets."""
WORDS_MIN = 8
"""Words and signs from which on a part that both sides replaced says something; shorter ones are "nothing yet"."""

if TYPE_CHECKING:
    Leaf = Callable[[Lines, Lines, Lines], "Bit | None"]


class Weaver:
    """Merges outlines of one kind of file."""

    def __init__(self, leaves: Sequence[Leaf] = (), *, data: bool = False) -> None:
        """Merge lines that both sides changed by the first of ``leaves`` that has an answer.

        ``data``: the same words mean the same thing in all parts, and comments are about the parts beside them.
        """
        self.leaves = leaves
        self.data = data
        self._whole: tuple[frozenset[str], ...] = ()

    def woven(self, base: Node, ours: Node, theirs: Node) -> list[Bit]:
        """Return the merge of three versions of one part."""
        if theirs in (ours, base):
            return [Bit(lines_of(ours))]
        if base == ours:
            return [Bit(lines_of(theirs))]
        if not self._whole:
            self._whole = tuple(frozenset(map(str.strip, lines_of(side))) for side in (ours, theirs))
        reason = self._refused(base, ours, theirs)
        if reason:
            return _left(lines_of(base), lines_of(ours), lines_of(theirs), reason)
        if ours.kind is theirs.kind is not Kind.LEAF is base.kind and _HOLLOW.search("".join(base.head)):
            base = Node(base.key, kind=ours.kind, trailing=ours.trailing)
        plain = Kind.LEAF in {base.kind, ours.kind, theirs.kind} or ours.kind is not theirs.kind
        inner = None if plain else self._kids(base, ours, theirs)
        if inner is None:
            return [self.leaf(lines_of(base), lines_of(ours), lines_of(theirs))]
        head = self.leaf(base.head, ours.head, theirs.head)
        found = [head, *inner, self.leaf(base.foot, ours.foot, theirs.foot)]
        if ours.loose and ours.kind is Kind.MAP and _retitled(base, ours, theirs):
            return [replace(bit, tier=Tier.REVIEW) for bit in found]
        return found

    def leaf(self, base: Lines, ours: Lines, theirs: Lines) -> Bit:
        """Return the merge of lines without parts."""
        if theirs in (ours, base):
            return Bit(ours)
        if base == ours:
            return Bit(theirs)
        spaced = _spaced(base, ours, theirs)
        if spaced is not None:
            return Bit(spaced, "whitespace")
        lines = joined_lines(by_lines(base, ours, theirs))
        if lines is not None:
            return (
                Bit((), open="both sides added the same lines")
                if _twice(lines, base, ours, theirs)
                else Bit(lines)
            )
        for rule in self.leaves:
            found = rule(base, ours, theirs)
            if found is not None:
                return found
        return Bit((), open="both sides changed it")

    def _kids(self, base: Node, ours: Node, theirs: Node) -> list[Bit] | None:
        """Return the merged parts of a part, None: their orders contradict each other."""
        here, there = renamed(base.kids, ours.kids), renamed(base.kids, theirs.kids)
        sides = (_Side(base.kids, base.gaps), _Side(here, ours.gaps), _Side(there, theirs.gaps))
        cells = dict(self._cells(*sides))
        names = [[kid.key for kid in side.kids] for side in sides]
        if _uncertain(sides):
            return None
        order = merged_order(names[0], names[1], names[2], cells, ours.kind)
        if order is None:
            return None
        news = _side_by_side(*sides, sides[0].places)
        guessed = _neighbours(*sides) if ours.kind is Kind.ROW else set()
        if self.data:
            guessed |= _annotated(*sides, base.foot, ours.foot, theirs.foot)
        outdated = _outdated(*sides) if self.data else set()
        unanswered = {
            **dict.fromkeys(
                set() if self.data else _untold(sides[1], sides[2], news),
                "what both sides added does not go together",
            ),
            **dict.fromkeys(_rewritten(*sides, news), "both sides rewrote it"),
            **dict.fromkeys(_doubles(*sides), "both sides added nearly the same"),
        }
        trailing = theirs.trailing if base.trailing == ours.trailing else ours.trailing
        bits: list[Bit] = []
        for index, key in enumerate(order):
            gap = _gap(sides, order[index - 1] if index else None, key)
            comma = None if trailing is None else "," if index < len(order) - 1 or trailing else ""
            answer = cells[key]
            if key in unanswered:
                answer = [Bit((), open=unanswered[key])]
            elif key in guessed:
                answer = [replace(bit, rule="order", tier=Tier.REVIEW) for bit in answer]
            elif key in outdated:
                answer = [replace(bit, tier=Tier.REVIEW) for bit in answer]
            if comma is not None:
                answer = [replace(bit, lines=tuple(separated(bit.lines, comma))) for bit in answer]
            bits.extend((Bit(gap), *answer))
        return bits

    def _refused(self, base: Node, ours: Node, theirs: Node) -> str:
        """Return why a part is not to be put together whatever is in it, empty: nothing is in the way."""
        if self.data:
            return ""
        here, there = renamed(base.kids, ours.kids), renamed(base.kids, theirs.kids)
        mine, other = self._whole
        if stranded(base.kids, here, there, other) or stranded(base.kids, there, here, mine):
            return "one side added to what the other took away"
        return refused(base, ours, theirs)

    def _cells(self, base: _Side, ours: _Side, theirs: _Side) -> Iterator[tuple[str, list[Bit]]]:
        """Yield every part that stays, under its key, merged."""
        for key in {**ours.places, **theirs.places}:
            was, mine, other = base.get(key), ours.get(key), theirs.get(key)
            if mine is not None and other is not None:
                empty = Node(key, kind=mine.kind, trailing=mine.trailing)
                yield key, self.woven(was or empty, mine, other)
            elif was is None:
                added = mine or other
                assert added is not None
                yield key, [Bit(lines_of(added))]
            else:
                left = mine or other
                if left != was:
                    yield key, [Bit((), open="one side deleted what the other changed")]


class _Side:
    """The parts that one version has."""

    def __init__(self, kids: Sequence[Node], gaps: Sequence[Lines]) -> None:
        self.kids = kids
        self.gaps = gaps
        self.places = {kid.key: index for index, kid in enumerate(kids)}

    def get(self, key: str) -> Node | None:
        """Return the part of this name."""
        place = self.places.get(key)
        return None if place is None else self.kids[place]

    def before(self, key: str) -> str | None:
        """Return the name of the part before this one."""
        place = self.places.get(key, 0)
        return self.kids[place - 1].key if place else None

    def gap(self, before: str | None, key: str) -> Lines | None:
        """Return the blank lines between two parts that follow each other here."""
        place = self.places.get(key)
        return self.gaps[place] if place is not None and self.before(key) == before else None

    def usual(self) -> Lines | None:
        """Return the blank lines that parts mostly have between them here."""
        counts = Counter(self.gaps[1:])
        return counts.most_common(1)[0][0] if counts else None


def _gap(sides: tuple[_Side, _Side, _Side], before: str | None, key: str) -> Lines:
    """Return the blank lines between two parts that follow each other in the result."""
    base, ours, theirs = sides
    was, mine, other = (side.gap(before, key) for side in sides)
    if mine is not None and other is not None:
        return other if mine == was else mine
    if mine is not None or other is not None:
        return mine if mine is not None else other or ()
    owner = ours if key in ours.places else theirs
    if before is None:
        return owner.gaps[0]
    last = ours if before in ours.places else theirs
    one, two = last.get(before), owner.get(key)
    wide = (one is not None and one.apart) or (two is not None and two.apart)
    if owner.before(key) is not None:
        found = owner.gaps[owner.places[key]]
    else:
        after = last.places[before] + 1
        found = (
            last.gaps[after]
            if after < len(last.gaps)
            else ours.usual() or theirs.usual() or base.usual() or ()
        )
    return found or (("\n",) if wide else ())


def _side_by_side(
    base: _Side, ours: _Side, theirs: _Side, marks: Container[str]
) -> dict[str | None, set[str]]:
    """Return the keys of parts that both sides added at one place, under the one of ``marks`` before it."""
    places: list[dict[str | None, set[str]]] = []
    for side, there in ((ours, theirs), (theirs, ours)):
        places.append({})
        last: str | None = None
        for key in side.places:
            if key in marks:
                last = key
            elif key not in base.places and key not in there.places:
                places[-1].setdefault(last, set()).add(key)
    mine, other = places
    return {place: mine[place] | other[place] for place in mine.keys() & other.keys()}


def _neighbours(base: _Side, ours: _Side, theirs: _Side) -> set[str]:
    """Return the keys of parts that both sides added with no part between them that all versions have.

    Which come first, nobody can tell.
    """
    kept = base.places.keys() & ours.places.keys() & theirs.places.keys()
    return set().union(*_side_by_side(base, ours, theirs, kept).values())


def _annotated(base: _Side, ours: _Side, theirs: _Side, *feet: Lines) -> set[str]:
    """Return the keys of parts that one side added at the end, where the other wrote a comment."""
    found: set[str] = set()
    for side, other, foot in ((ours, theirs, feet[2]), (theirs, ours, feet[1])):
        for key in reversed(side.places) if _commented(feet[0], foot) else ():
            if key in base.places or key in other.places:
                break
            found.add(key)
    return found


def _commented(base: Lines, side: Lines) -> bool:
    """Tell whether a side wrote a comment behind the last part."""
    return any(line not in base and line.lstrip().startswith(("#", "//", "/*")) for line in side)


def _outdated(base: _Side, ours: _Side, theirs: _Side) -> set[str]:
    """Return the keys of parts that one side added in words that the other took out, or in the place of what it deleted."""
    found: set[str] = set()
    gone = [kid for kid in base.kids if kid.key not in ours.places and kid.key not in theirs.places]
    for side, other in ((ours, theirs), (theirs, ours)):
        added = [kid for kid in side.kids if kid.key not in base.places and kid.key not in other.places]
        if added:
            found |= swept(base.kids, other.kids, added) | relabelled(gone, added)
    return found


def _retitled(base: Node, ours: Node, theirs: Node) -> bool:
    """Tell whether one side changed what an entry of a list begins with, and so what it is, the other what follows."""
    mine, other = ([_told(side.head) != _told(base.head), side.kids != base.kids] for side in (ours, theirs))
    return (mine[0] and not other[0] and other[1]) or (other[0] and not mine[0] and mine[1])


def _told(lines: Lines) -> list[list[str]]:
    """Return the words of lines, without space, comments, and the version of an action behind an ``@``."""
    return [_PINNED.sub("", line).split() for line in lines if not line.lstrip().startswith("#")]


def _rewritten(base: _Side, ours: _Side, theirs: _Side, news: dict[str | None, set[str]]) -> set[str]:
    """Return the keys of parts that both sides put in the place of one that both took away: two versions of one thing."""
    found: set[str] = set()
    last: str | None = None
    for kid in base.kids:
        if kid.key in ours.places or kid.key in theirs.places:
            last = kid.key
        elif kid.loose and last in news and len(words(kid)) >= WORDS_MIN:
            found |= news[last]
    return found


def _untold(ours: _Side, theirs: _Side, news: dict[str | None, set[str]]) -> set[str]:
    """Return the keys of parts that both sides added at one place and that cannot stand there together."""
    found: set[str] = set()
    for keys in news.values():
        mine, other = ([kid for kid in side.kids if kid.key in keys] for side in (ours, theirs))
        found |= keys if untold(mine, other) else set()
    return found


def _doubles(base: _Side, ours: _Side, theirs: _Side) -> set[str]:
    """Return the keys of parts that both sides added in nearly the same words: one entry told twice."""
    mine = [
        kid for kid in ours.kids if kid.loose and kid.key not in base.places and kid.key not in theirs.places
    ]
    other = [
        kid for kid in theirs.kids if kid.loose and kid.key not in base.places and kid.key not in ours.places
    ]
    return {key for one, two in alike(mine, other) for key in (one.key, two.key)}


def _uncertain(sides: tuple[_Side, _Side, _Side]) -> bool:
    """Tell whether a name stands for a different number of parts in the versions: which is which, nobody knows."""
    counts = [Counter(kid.key.split("\0")[0] for kid in side.kids if not kid.loose) for side in sides]
    doubles = {name for count in counts for name, times in count.items() if times > 1}
    return any(len({count[name] for count in counts}) > 1 for name in doubles)


def _left(base: Lines, ours: Lines, theirs: Lines, reason: str) -> list[Bit]:
    """Return lines that are not to be put together with git's clashes in them left as they are."""
    pieces = by_lines(base, ours, theirs)
    if not clashes(pieces):
        return [Bit((), open=reason)]
    return [Bit((), open=reason) if isinstance(piece, Clash) else Bit(piece.lines) for piece in pieces]


def _twice(lines: Lines, base: Lines, ours: Lines, theirs: Lines) -> bool:
    """Tell whether a line that both sides added once is there twice: they added it at places that seem different."""
    was, mine, other, found = (Counter(map(str.strip, side)) for side in (base, ours, theirs, lines))
    both = (mine.keys() & other.keys()) - was.keys()
    return any(found[line] > max(mine[line], other[line]) for line in both if len(line) >= TELLING_MIN)


def _spaced(base: Lines, ours: Lines, theirs: Lines) -> Lines | None:
    """Return the side that changed more than space, None: both did."""
    if _bare(theirs) in (_bare(ours), _bare(base)):
        return ours
    return theirs if _bare(base) == _bare(ours) else None


def _bare(lines: Lines) -> list[str]:
    """Return what lines say, without the space at their ends and blank lines around."""
    found = [line.rstrip() for line in lines]
    while found and blank(found[-1]):
        found.pop()
    while found and blank(found[0]):
        found.pop(0)
    return found
