"""Which definitions of three versions are the same one: by name and place first, then by body.

A definition that a side no longer has under its name is looked for under another name or in another place: a body that is
equal, or very much alike, with the name blanked. What is alike to two of them is none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pucs.merge.python.segments import segments

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pucs.merge.python.segments import Segment
    from pucs.merge.records import Lines, Texts

BASE, OURS, THEIRS = range(3)
_LIKENESS_MIN: Final = 0.6
"""Share of lines that two bodies have in common from which on one may be the other under a new name."""
_LIKENESS_AFAR_MIN: Final = 0.8
"""The same for another name in another class."""
_LINES_MIN: Final = 3
"""Shorter bodies are alike by chance."""
_PAIRS_MAX: Final = 2_500
"""Lost definitions times new ones that are compared; with more the file was written anew."""


@dataclass(slots=True)
class Entity:
    """One definition in up to three versions."""

    name: str
    """Qualified."""
    parent: int
    """Index of the definition around it where it was first seen; -1: none."""
    versions: list[Segment | None] = field(default_factory=lambda: [None, None, None])
    parents: list[int] = field(default_factory=lambda: [-1, -1, -1])

    @property
    def moved(self) -> bool:
        """Whether versions have it in different classes."""
        seen = {
            parent for parent, there in zip(self.parents, self.versions, strict=True) if there is not None
        }
        return len(seen) > 1


class Identities:
    """The definitions of three versions of a file, each known by one number in all of them.

    ``afar``: those that went to another class are known as well.
    """

    def __init__(self, texts: Texts, *, afar: bool = True) -> None:
        self._far = afar
        self.lines: tuple[Lines, Lines, Lines] = (texts.base, texts.ours, texts.theirs)
        self.entities: list[Entity] = []
        self._numbers: dict[tuple[int, int], int] = {}
        self._bags: dict[tuple[int, int], Counter[str]] = {}
        tops = [definitions(segments(lines)) for lines in self.lines]
        self._add(BASE, tops[BASE], -1, "")
        for side in (OURS, THEIRS):
            self._match(BASE, side, tops[BASE], tops[side], -1)
            self._find_lost(side, list(_all(tops[side])))
        self._add(OURS, tops[OURS], -1, "")
        self._match_new(tops[OURS], tops[THEIRS], -1)
        self._add(THEIRS, tops[THEIRS], -1, "")

    def number(self, version: int, segment: Segment) -> int:
        """Return the number of a definition."""
        return self._numbers[version, segment.start]

    def text(self, version: int, number: int) -> Lines | None:
        """Return the lines of a definition in a version, without the blank lines above; None: it has none."""
        segment = self.entities[number].versions[version]
        return None if segment is None else self.lines[version][segment.start : segment.last]

    def changed(self, version: int, number: int) -> bool:
        """Whether a side has a definition otherwise than the base, or only one of them has it."""
        return self.text(version, number) != self.text(BASE, number)

    def _add(self, version: int, level: Sequence[Segment], parent: int, prefix: str) -> None:
        """Number what has no number yet."""
        for one in level:
            number = self._numbers.get((version, one.start))
            if number is None:
                number = len(self.entities)
                self.entities.append(Entity(prefix + one.name, parent))
                self._put(version, one, number, parent)
            self._add(version, definitions(one.members), number, f"{self.entities[number].name}.")

    def _put(self, version: int, segment: Segment, number: int, parent: int) -> None:
        self._numbers[version, segment.start] = number
        self.entities[number].versions[version] = segment
        self.entities[number].parents[version] = parent

    def _match(
        self, one: int, other: int, level: Sequence[Segment], others: Sequence[Segment], parent: int
    ) -> None:
        """Give definitions of one level the numbers of their namesakes, and so on inside."""
        for here, there in self._namesakes(one, other, level, others):
            number = self._numbers[one, here.start]
            self._put(other, there, number, parent)
            self._match(one, other, definitions(here.members), definitions(there.members), number)

    def _match_new(self, ours: Sequence[Segment], theirs: Sequence[Segment], parent: int) -> None:
        """Give what both sides added under one name one number."""
        fresh = [one for one in theirs if (THEIRS, one.start) not in self._numbers]
        added = [
            one for one in ours if self.entities[self._numbers[OURS, one.start]].versions[THEIRS] is None
        ]
        new = [one for one in added if self.entities[self._numbers[OURS, one.start]].versions[BASE] is None]
        for here, there in self._namesakes(OURS, THEIRS, new, fresh):
            self._put(THEIRS, there, self._numbers[OURS, here.start], parent)
        for one in ours:
            number = self._numbers[OURS, one.start]
            twin = self.entities[number].versions[THEIRS]
            if twin is not None:
                self._match_new(definitions(one.members), definitions(twin.members), number)

    def _namesakes(
        self, one: int, other: int, level: Sequence[Segment], others: Sequence[Segment]
    ) -> Iterator[tuple[Segment, Segment]]:
        """Yield pairs of one name; of several the equal ones first, then those with the same decorators, then in order."""
        groups: dict[str, tuple[list[Segment], list[Segment]]] = defaultdict(lambda: ([], []))
        for segment in level:
            groups[segment.name][0].append(segment)
        for segment in others:
            groups[segment.name][1].append(segment)
        for mine, their in groups.values():
            if len(mine) == len(their) == 1:
                yield mine[0], their[0]
                continue
            for key in (self._text_of, self._roles_of, None):
                left: dict[object, list[Segment]] = defaultdict(list)
                for segment in their:
                    left[key(other, segment) if key else None].append(segment)
                for segment in tuple(mine):
                    found = left.get(key(one, segment) if key else None)
                    if found:
                        twin = found.pop(0)
                        mine.remove(segment)
                        their.remove(twin)
                        yield segment, twin

    def _text_of(self, version: int, segment: Segment) -> object:
        return self.lines[version][segment.start : segment.last]

    def _roles_of(self, version: int, segment: Segment) -> object:
        """Return the decorators that tell a property from its setter."""
        lines = self.lines[version]
        return frozenset("".join(lines[first:last]).strip() for first, last in segment.decorators)

    def _find_lost(self, side: int, news: Sequence[Segment]) -> None:
        """Find what a side no longer has under its name among what it has under new names."""
        lost = [number for number, one in enumerate(self.entities) if one.versions[side] is None]
        fresh = [one for one in news if (side, one.start) not in self._numbers]
        if not lost or not fresh or len(lost) * len(fresh) > _PAIRS_MAX:
            return
        around = dict(self._parents(side))
        scores: list[tuple[float, int, int]] = []
        for number in lost:
            before = self.entities[number].versions[BASE]
            if before is None:
                continue
            for index, after in enumerate(fresh):
                near = self.entities[number].parents[BASE] == around.get(after.start, -1)
                score = self._likeness(before, side, after, near=near)
                if score:
                    scores.append((score, number, index))
        scores.sort(key=lambda found: (-found[0], found[1], found[2]))
        taken: set[int] = set()
        for place, (score, number, index) in enumerate(scores):
            after = fresh[index]
            if (side, after.start) in self._numbers or number in taken:
                continue
            rival = any(
                other == score and (n == number or i == index) and (n, i) != (number, index)
                for other, n, i in scores[place + 1 : place + 3]
            )
            before = self.entities[number].versions[BASE]
            if rival or before is None:
                continue
            taken.add(number)
            self._put(side, after, number, around.get(after.start, -1))
            self._match(BASE, side, definitions(before.members), definitions(after.members), number)

    def _parents(self, side: int) -> Iterator[tuple[int, int]]:
        """Yield where definitions of a side begin and the number of the one around them, if that has one."""
        for (version, start), number in self._numbers.items():
            segment = self.entities[number].versions[version]
            if version == side and segment is not None and segment.start == start:
                for member in definitions(segment.members):
                    yield member.start, number

    def _likeness(self, before: Segment, side: int, after: Segment, *, near: bool) -> float:
        """Return how alike two bodies are, 0 if not enough to be the same."""
        if before.kind is not after.kind or before.column != after.column or not (near or self._far):
            return 0
        one, other = self._bag(BASE, before), self._bag(side, after)
        least = min(one.total(), other.total())
        if least < _LINES_MIN and (one != other or not (near or before.name == after.name)):
            return 0
        score = 2 * (one & other).total() / max(1, one.total() + other.total())
        enough = _LIKENESS_MIN if near or before.name == after.name else _LIKENESS_AFAR_MIN
        return score if score >= enough else 0

    def _bag(self, version: int, segment: Segment) -> Counter[str]:
        """Return the lines of a definition, its own name blanked; counted from the line of its name on."""
        found = self._bags.get((version, segment.start))
        if found is None:
            lines = self.lines[version][segment.head : segment.last]
            found = Counter(bare for line in lines[1:] if (bare := line.strip()))
            if lines:
                found[lines[0].strip().replace(f" {segment.name}", " ", 1)] += 1
            self._bags[version, segment.start] = found
        return found


def definitions(level: Sequence[Segment]) -> list[Segment]:
    """Return the definitions among segments."""
    return [one for one in level if one.is_definition]


def _all(level: Sequence[Segment]) -> Iterator[Segment]:
    for one in level:
        yield one
        yield from _all(definitions(one.members))
