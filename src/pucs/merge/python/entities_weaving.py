"""Three versions of a file woven into one, level by level: each place is a cell that knows what it stands for.

The cells of a level follow each other without gaps in all three versions, so that no line of any of them is forgotten.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from pucs.merge.pieces import by_lines, joined, lines_of, settle
from pucs.merge.python.entities_identity import BASE, OURS, THEIRS, definitions
from pucs.merge.python.entities_order import row, stretches, woven
from pucs.merge.python.segments import segments
from pucs.merge.records import Clash, Kept, Place, Settled, Tier
from pucs.merge.threeway import regions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pucs.merge.pieces import Resolver
    from pucs.merge.python.entities_identity import Entity, Identities
    from pucs.merge.python.entities_order import Row, Rows, Token
    from pucs.merge.python.segments import Segment
    from pucs.merge.records import Lines, Piece, Pieces

_STRING: Final = re.compile(r"""\s*[bru]?("[^"\n]*"|'[^'\n]*')""", re.IGNORECASE)
Span = tuple[int, int]
Spans = tuple[Span, Span, Span]
"""One place as ranges of lines of base, ours and theirs."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of the result."""

    pieces: Pieces
    spans: Spans
    closed: bool = True
    """Whether its pieces consist of its own lines; not where something moved in or out."""


class Weaving:
    """One merge by entities."""

    def __init__(self, identities: Identities, resolvers: Sequence[Resolver]) -> None:
        self._ids = identities
        self._resolvers = resolvers
        self._placed: Counter[int] = Counter()
        """How often a definition was put into the result by itself."""
        self._within: set[int] = set()
        """Definitions that are in the result as lines of the one around them."""
        self._torn = False
        """Whether a conflict holds a definition that is elsewhere in another version."""
        self._afar = any(entity.moved for entity in identities.entities)

    def cells(self) -> list[Cell] | None:
        """Return the cells of the file, None if a definition would be there twice, or not at all."""
        levels = [segments(lines) for lines in self._ids.lines]
        found = self._level(levels, [len(lines) for lines in self._ids.lines])
        wanted = {number for number, entity in enumerate(self._ids.entities) if self._wanted(number, entity)}
        there = set(self._placed) | self._within
        if self._torn or not wanted <= there or self._within & set(self._placed):
            return None
        return found

    def _wanted(self, number: int, entity: Entity) -> bool:
        """Tell whether a definition has to be in the result."""
        base, ours, theirs = entity.versions
        if base is None or (ours is not None and theirs is not None):
            return True
        return any(
            entity.versions[side] is not None and self._ids.changed(side, number) for side in (OURS, THEIRS)
        )

    # ---- levels ----

    def _level(self, levels: Sequence[Sequence[Segment]], lasts: Sequence[int]) -> list[Cell]:
        rows = tuple(row(self._ids, version, levels[version], lasts[version]) for version in range(3))
        at = [one[0].first for one in rows]
        found: list[Cell] = []
        for region, (base, ours, theirs) in stretches((rows[0], rows[1], rows[2])):
            if not region.changed:
                for tokens in zip(base, ours, theirs, strict=True):
                    found.extend(self._unmoved(tokens))
                    at = [token.last for token in tokens]
                continue
            begins = at
            at = [one[-1].last if one else at[version] for version, one in enumerate((base, ours, theirs))]
            spans = _spans(begins, at)
            found.extend(self._place((base, ours, theirs), spans, region.changed))
        return found

    def _unmoved(self, tokens: tuple[Token, Token, Token]) -> Iterator[Cell]:
        """Yield what stands in the same place in all versions."""
        blanks = [self._ids.lines[token.version][token.first : token.start] for token in tokens]
        above = _spans([token.first for token in tokens], [token.start for token in tokens])
        yield Cell(joined([Kept(_chosen(*blanks))]), above)
        if isinstance(tokens[0].key, int):
            yield from self._entity(tokens[0].key)
        else:
            own = _spans([token.start for token in tokens], [token.last for token in tokens])
            yield Cell(joined([Kept(self._lines(own, OURS))]), own)

    def _place(self, rows: Rows, spans: Spans, changed: str) -> Iterator[Cell]:
        """Yield what stands where a side changed something."""
        if not any(token.is_definition for token in chain(*rows)):
            if changed == "clash":
                yield Cell(self._contested(spans), spans)
            else:
                side = THEIRS if changed == "theirs" else OURS
                yield Cell(joined([Kept(self._lines(spans, side))]), spans)
            return
        order = woven(self._ids, rows)
        if order is None:
            yield from self._divided(rows, spans)
            return
        closed = self._closed(rows)
        stays = set.intersection(*({token.key for token in one} for one in rows))
        pieces = joined(self._emitted(order, stays))
        lines = lines_of(pieces)
        if changed == "clash" and closed and lines is not None:
            tier = Tier.REVIEW if Tier.REVIEW in _tiers(pieces) else Tier.AUTO
            pieces = (Settled(lines, "definitions", tier, self._clash(spans)),)
        yield Cell(pieces, spans, closed)

    def _closed(self, rows: Rows) -> bool:
        """Tell whether no definition of a place is elsewhere in another version."""
        numbers = [{token.key for token in one if isinstance(token.key, int)} for one in rows]
        return all(
            number in there or self._ids.entities[number].versions[version] is None
            for version, there in enumerate(numbers)
            for number in set.union(*numbers)
        )

    def _divided(self, rows: Rows, spans: Spans) -> Iterator[Cell]:
        """Yield a place where both sides changed lines and definitions, lines and definitions apart if they stand apart."""
        for leading in (True, False):
            cuts = [_cut(one, leading=leading) for one in rows]
            if None in cuts or not any(cuts) or cuts == [len(one) for one in rows]:
                continue
            middle = [
                one[cut].first if cut < len(one) else span[1]
                for one, cut, span in zip(rows, [cut or 0 for cut in cuts], spans, strict=True)
            ]
            halves = (
                _spans([span[0] for span in spans], middle),
                _spans(middle, [span[1] for span in spans]),
            )
            parts = [
                tuple(one[:cut] for one, cut in zip(rows, cuts, strict=True)),
                tuple(one[cut:] for one, cut in zip(rows, cuts, strict=True)),
            ]
            for part, half in zip(parts, halves, strict=True):
                yield from self._place((part[0], part[1], part[2]), half, "clash")
            return
        self._torn = self._torn or not self._closed(rows)
        for version, one in enumerate(rows):
            for token in one:
                if isinstance(token.key, int):
                    self._within.add(token.key)
                    self._inside(version, self._ids.entities[token.key].versions[version])
        yield Cell(self._contested(spans), spans)

    def _emitted(self, order: Row, stays: set[str | int]) -> Iterator[Piece]:
        """Yield what a row of elements of both sides stands for; a definition that has its place already is left out.

        ``stays``: what all versions have here.
        """
        before: Token | None = None
        for token in order:
            lines = self._ids.lines[token.version]
            if not isinstance(token.key, int):
                yield Kept(lines[token.first : token.last])
            elif not self._placed[token.key]:
                blanks = lines[token.first : token.start]
                if token.leads and not blanks and before is not None:
                    blanks = self._usual_blanks(order)
                yield Kept(blanks)
                for cell in self._entity(token.key, BASE if token.key in stays else token.version):
                    yield from cell.pieces
            before = token

    def _usual_blanks(self, order: Row) -> Lines:
        """Return the most blank lines above a definition of a row; one if there are none."""
        found = [self._ids.lines[one.version][one.first : one.start] for one in order if one.is_definition]
        return max(found, key=len) or ("\n",)

    # ---- definitions ----

    def _entity(self, number: int, mover: int = BASE) -> list[Cell]:
        """Return what becomes of a definition; ``mover``: the side that put it in another place of its level, if one did."""
        entity = self._ids.entities[number]
        self._placed[number] += 1
        spans = _own(entity.versions)
        texts = [self._ids.text(version, number) for version in range(3)]
        if None in texts:
            for version, segment in enumerate(entity.versions):
                self._inside(version, segment)
            return [Cell(self._one_sided(number, texts), spans)]
        cells = self._changed(number, texts, spans)
        rule = self._rule(entity, texts, mover)
        pieces = joined(chain.from_iterable(cell.pieces for cell in cells))
        lines = lines_of(pieces)
        if not rule or lines is None:
            return cells
        guess = entity.moved or rule == "renamed" or Tier.REVIEW in _tiers(pieces)
        tier = Tier.REVIEW if guess else Tier.AUTO
        return [Cell((Settled(lines, rule, tier, self._clash(spans, entity.name)),), spans, not entity.moved)]

    def _changed(self, number: int, texts: Sequence[Lines | None], spans: Spans) -> list[Cell]:
        """Return a definition that all versions have: the text of the side that changed it, or both merged inside."""
        entity = self._ids.entities[number]
        if not self._afar and (texts[OURS] in (texts[BASE], texts[THEIRS]) or texts[THEIRS] == texts[BASE]):
            side = THEIRS if texts[OURS] == texts[BASE] else OURS
            self._inside(side, entity.versions[side])
            return [Cell(joined([Kept(texts[side] or ())]), spans)]
        base, ours, theirs = entity.versions
        return list(self._parts(base, ours, theirs, entity.name)) if base and ours and theirs else []

    def _rule(self, entity: Entity, texts: Sequence[Lines | None], mover: int) -> str:
        """Return by which rule one side's change comes to where, or under which name, the other has a definition."""
        edited = [side for side in (OURS, THEIRS) if texts[side] != texts[BASE]]
        if entity.moved:
            went = [side for side in (OURS, THEIRS) if entity.parents[side] != entity.parents[BASE]]
            return "moved" if any(side not in went or len(went) > 1 for side in edited) else ""
        if mover != BASE and any(side != mover for side in edited):
            return "moved"
        names = {segment.name for segment in entity.versions if segment}
        return "renamed" if len(names) > 1 and len(edited) > 1 else ""

    def _one_sided(self, number: int, texts: Sequence[Lines | None]) -> Pieces:
        """Return a definition that not all versions have."""
        base, ours, theirs = (text or () for text in texts)
        name = self._ids.entities[number].name
        if texts[BASE] is None:
            if not ours or not theirs or ours == theirs:
                return (Kept(ours or theirs),)
            spans = _own(self._ids.entities[number].versions)
            clash = self._clash(spans, name, "added by both sides")
            less, more = sorted((ours, theirs), key=len)
            if _within(less, more):
                return (Settled(more, "definitions", Tier.REVIEW, clash),)
            return settle((clash,), self._resolvers)
        gone, stayed = ("ours", "theirs") if texts[OURS] is None else ("theirs", "ours")
        at = _place(_own(self._ids.entities[number].versions))
        return (Clash(base, ours, theirs, at, name, f"{gone} deleted it, {stayed} changed it"),)

    def _parts(self, base: Segment, ours: Segment, theirs: Segment, name: str) -> Iterator[Cell]:
        """Yield a definition that all versions have: comments, decorators, then the rest."""
        trio = (base, ours, theirs)
        tops = [one.decorators[0][0] if one.decorators else one.head for one in trio]
        yield self._merged(_spans([one.start for one in trio], tops), name)
        yield self._decorators(trio, name)
        heads = [one.head for one in trio]
        if len({one.kind for one in trio}) == 1 and all(one.members for one in trio):
            yield self._merged(_spans(heads, [one.body for one in trio]), name)
            yield from self._level([one.members for one in trio], [one.last for one in trio])
            return
        for version, one in enumerate(trio):
            self._inside(version, one)
        yield self._merged(_spans(heads, [one.last for one in trio]), name)

    def _decorators(self, trio: tuple[Segment, Segment, Segment], name: str) -> Cell:
        """Merge decorators: what both sides put in one place stands there once, ours first."""
        spans = _spans(
            [one.decorators[0][0] if one.decorators else one.head for one in trio],
            [one.head for one in trio],
        )
        own = [self._lines(spans, version) for version in range(3)]
        if own[OURS] in (own[BASE], own[THEIRS]) or own[THEIRS] == own[BASE]:
            return self._merged(spans, name)
        rows = [
            [self._ids.lines[version][first:last] for first, last in one.decorators]
            for version, one in enumerate(trio)
        ]
        if any(sum(map(len, one)) != len(text) for one, text in zip(rows, own, strict=True)):
            return self._merged(spans, name)  # comments between them
        mine, their = ([one for one in rows[side] if one not in rows[BASE]] for side in (OURS, THEIRS))
        if {_subject(one) for one in mine if one not in their} & {
            _subject(one) for one in their if one not in mine
        }:
            return Cell((self._clash(spans, name, "decorators about one thing"),), spans)
        lines: list[str] = []
        for region in regions(*rows, apart=0):
            here, there = rows[OURS][slice(*region.ours)], rows[THEIRS][slice(*region.theirs)]
            if region.changed == "clash":
                if region.base[0] != region.base[1]:
                    return self._merged(spans, name)
                here = [*here, *(one for one in there if one not in here)]
            for one in there if region.changed == "theirs" else here:
                lines.extend(one)
        return Cell((Settled(tuple(lines), "decorators", Tier.REVIEW, self._clash(spans, name)),), spans)

    def _inside(self, version: int, segment: Segment | None) -> None:
        """Note that the definitions in a definition come with it."""
        for member in definitions(segment.members) if segment else ():
            self._within.add(self._ids.number(version, member))
            self._inside(version, member)

    # ---- lines ----

    def _merged(self, spans: Spans, name: str) -> Cell:
        """Merge lines of a definition line by line, then by the resolvers."""
        base, ours, theirs = (self._lines(spans, version) for version in range(3))
        pieces = by_lines(base, ours, theirs, _place(spans))
        named = [
            Clash(one.base, one.ours, one.theirs, one.at, name) if isinstance(one, Clash) else one
            for one in pieces
        ]
        return Cell(settle(named, self._resolvers), spans)

    def _contested(self, spans: Spans) -> Pieces:
        """Let the resolvers settle a place; blank lines that all versions have at its beginning are set aside."""
        clash = self._clash(spans)
        sides = (clash.base, clash.ours, clash.theirs)
        count = 0
        while all(len(side) > count and not side[count].strip() for side in sides):
            count += 1
        at = Place(*(span[0] + count for span in spans))
        rest = Clash(clash.base[count:], clash.ours[count:], clash.theirs[count:], at)
        return joined([Kept(clash.ours[:count]), *settle((rest,), self._resolvers)])

    def _clash(self, spans: Spans, name: str = "", reason: str = "") -> Clash:
        base, ours, theirs = (self._lines(spans, version) for version in range(3))
        return Clash(base, ours, theirs, _place(spans), name, reason)

    def _lines(self, spans: Spans, version: int) -> Lines:
        return self._ids.lines[version][slice(*spans[version])]


def _spans(firsts: Sequence[int], lasts: Sequence[int]) -> Spans:
    base, ours, theirs = zip(firsts, lasts, strict=True)
    return base, ours, theirs


def _own(versions: Sequence[Segment | None]) -> Spans:
    """Return where a definition stands; nowhere: an empty range."""
    base, ours, theirs = ((one.start, one.last) if one else (0, 0) for one in versions)
    return base, ours, theirs


def _place(spans: Spans) -> Place:
    return Place(*(span[0] for span in spans))


def _tiers(pieces: Pieces) -> set[Tier]:
    return {piece.tier for piece in pieces if isinstance(piece, Settled)}


def _within(one: Lines, other: Lines) -> bool:
    """Tell whether lines stand among others, in their order, blank ones aside."""
    rest = iter([line.rstrip() for line in other])
    return all(line.rstrip() in rest for line in one if line.strip())


def _subject(decorator: Lines) -> str:
    """Return what a decorator is about: its name, and its first argument if that is a string."""
    text = "".join(decorator).strip()
    name, _, rest = text.partition("(")
    string = _STRING.match(rest)
    return name + (string[0] if string else "")


def _cut(one: Row, *, leading: bool) -> int | None:
    """Return where the lines end and the definitions begin, or the other way round; None: they are mixed."""
    kinds = [token.is_definition for token in one]
    cut = next((index for index, kind in enumerate(kinds) if kind is leading), len(kinds))
    return cut if all(kind is leading for kind in kinds[cut:]) else None


def _chosen(base: Lines, ours: Lines, theirs: Lines) -> Lines:
    """Return the blank lines of the side that changed them, the more if both did."""
    if ours == base:
        return theirs
    if theirs == base:
        return ours
    return max(ours, theirs, key=len)
