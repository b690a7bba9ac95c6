"""Three-way merge of sequences of anything: lines, tokens, members of a list.

The two sides are scripts of edits of the base. Edits of different sides that lie apart are both applied; edits that meet
are applied once if they are the same, and clash otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pucs.merge.matching import matching

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

T = TypeVar("T", bound="Hashable")


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
    match: Callable[[Sequence[T], Sequence[T]], list[tuple[int, int]]] = matching,
) -> list[Region]:
    """Divide three sequences into what nobody, one side or both sides changed.

    ``apart`` is how many unchanged elements have to lie between edits of different sides: 1 as in git, 0 lets them touch,
    except for two insertions at one place, whose order nobody knows.
    """
    left, right = (edits(match(base, side), len(base), len(side)) for side in (ours, theirs))
    found: list[Region] = []
    at = here = there = 0
    i = k = 0
    while i < len(left) or k < len(right):
        start = min(
            left[i].start if i < len(left) else len(base), right[k].start if k < len(right) else len(base)
        )
        if start > at:
            width = start - at
            found.append(Region((at, start), (here, here + width), (there, there + width), ""))
            at, here, there = start, here + width, there + width
        mine, other, end = _cluster(left, right, i, k, apart)
        i, k = i + len(mine), k + len(other)
        last_here = here + (end - at) + sum((e.last - e.first) - (e.end - e.start) for e in mine)
        last_there = there + (end - at) + sum((e.last - e.first) - (e.end - e.start) for e in other)
        changed = "ours" if not other else "theirs" if not mine else "clash"
        if changed == "clash" and ours[here:last_here] == theirs[there:last_there]:
            changed = "same"
        found.append(Region((at, end), (here, last_here), (there, last_there), changed))
        at, here, there = end, last_here, last_there
    if at < len(base):
        width = len(base) - at
        found.append(Region((at, len(base)), (here, here + width), (there, there + width), ""))
    return found


def _cluster(
    left: Sequence[Edit], right: Sequence[Edit], i: int, k: int, apart: int
) -> tuple[list[Edit], list[Edit], int]:
    """Return the edits of both sides that hang together with the first one, and where they end in the base."""
    mine: list[Edit] = []
    other: list[Edit] = []
    end = -1
    first = True
    while True:
        candidates = []
        if i < len(left):
            candidates.append((left[i].start, left[i].end, 0))
        if k < len(right):
            candidates.append((right[k].start, right[k].end, 1))
        if not candidates:
            break
        start, stop, whose = min(candidates)
        edit = left[i] if whose == 0 else right[k]
        if not first and not _meets(mine, other, edit, whose, end, apart):
            break
        if whose == 0:
            mine.append(edit)
            i += 1
        else:
            other.append(edit)
            k += 1
        end, first = max(end, stop), False
    return mine, other, end


def _meets(mine: list[Edit], other: list[Edit], edit: Edit, whose: int, end: int, apart: int) -> bool:
    """Tell whether an edit belongs to the cluster that ends at ``end``."""
    against = other if whose == 0 else mine
    if not against:  # edits of one side never meet among themselves
        return edit.start < end
    if edit.start < end:
        return True
    if edit.start - end < apart:
        return True
    # Touching: two insertions at one place have no order.
    return any(
        one.end == edit.start and (one.start == one.end) and (edit.start == edit.end) for one in against
    )
