"""Three-way merge of sequences of anything: lines, tokens, members of a list.

The two sides are scripts of edits of the base. Edits of different sides that lie apart are both applied; edits that meet
are applied once if they are the same, and clash otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from pucs.merge.matching import matching

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

T = TypeVar("T", bound="Hashable")
Matching: TypeAlias = "Callable[[Sequence[T], Sequence[T]], list[tuple[int, int]]]"
"""Returns pairs of indexes of corresponding elements, increasing in both sequences."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A stretch of the base and what a side put in its place."""

    start: int
    end: int
    """Exclusive; equal to ``start``: an insertion."""
    first: int
    last: int
    """Exclusive: what the side has there, as indexes of its own."""


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of all three sequences, as index ranges; regions follow each other without gaps."""

    base: tuple[int, int]
    ours: tuple[int, int]
    theirs: tuple[int, int]
    changed: str
    """``""`` nobody, ``"ours"``, ``"theirs"``, ``"same"`` both alike, ``"clash"``."""


def edits(pairs: Sequence[tuple[int, int]], base: int, side: int) -> list[Edit]:
    """Return how a side of this length differs from the base, in order, told by what corresponds."""
    found: list[Edit] = []
    i = j = 0
    for a, b in [*pairs, (base, side)]:
        if (i, j) != (a, b):
            found.append(Edit(i, a, j, b))
        i, j = a + 1, b + 1
    return found


def regions(
    base: Sequence[T],
    ours: Sequence[T],
    theirs: Sequence[T],
    *,
    apart: int = 1,
    match: Matching[T] = matching,
) -> list[Region]:
    """Divide three sequences into what nobody, one side or both sides changed.

    ``apart`` is how many unchanged elements have to lie between edits of different sides: 1 as in git, 0 lets them touch,
    except for two insertions at one place, whose order nobody knows.
    """
    found: list[Region] = []
    at = here = there = 0
    for cluster in _clusters(base, ours, theirs, apart, match):
        width = cluster.start - at
        if width:
            found.append(Region((at, cluster.start), (here, here + width), (there, there + width), ""))
        at, here, there = cluster.start, here + width, there + width
        length = cluster.end - cluster.start
        last_here, last_there = here + length + cluster.grown(OURS), there + length + cluster.grown(THEIRS)
        changed = "clash" if all(cluster.sides) else "ours" if cluster.sides[OURS] else "theirs"
        if changed == "clash" and ours[here:last_here] == theirs[there:last_there]:
            changed = "same"
        found.append(Region((at, cluster.end), (here, last_here), (there, last_there), changed))
        at, here, there = cluster.end, last_here, last_there
    if at < len(base):
        width = len(base) - at
        found.append(Region((at, len(base)), (here, here + width), (there, there + width), ""))
    return found


OURS, THEIRS = 0, 1


@dataclass(slots=True)
class _Cluster:
    """Edits that meet, of one side or of both."""

    start: int
    end: int
    sides: tuple[list[Edit], list[Edit]]

    def grown(self, side: int) -> int:
        """Return by how much the side is longer there than the base."""
        return sum((edit.last - edit.first) - (edit.end - edit.start) for edit in self.sides[side])

    def meets(self, edit: Edit, side: int, apart: int) -> bool:
        """Tell whether the next edit belongs to the cluster."""
        if edit.start < self.end:
            return True
        others = self.sides[1 - side]
        if not others or edit.start - self.end >= max(apart, 1):
            return False
        # They touch: two insertions at one place have no order.
        insertion = edit.start == edit.end and any(one.start == one.end == edit.start for one in others)
        return apart > 0 or insertion


def _clusters(
    base: Sequence[T], ours: Sequence[T], theirs: Sequence[T], apart: int, match: Matching[T]
) -> list[_Cluster]:
    scripts = [edits(match(base, side), len(base), len(side)) for side in (ours, theirs)]
    events = [(edit.start, edit.end, side) for side, script in enumerate(scripts) for edit in script]
    waiting = [iter(script) for script in scripts]
    found: list[_Cluster] = []
    for start, end, side in sorted(events):
        edit = next(waiting[side])
        if not found or not found[-1].meets(edit, side, apart):
            found.append(_Cluster(start, end, ([], [])))
        found[-1].sides[side].append(edit)
        found[-1].end = max(found[-1].end, end)
    return found
