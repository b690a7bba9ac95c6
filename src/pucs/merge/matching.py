"""Which elements of two sequences correspond: anchors that occur once, then longest runs between them.

Lines unique in both sequences make the skeleton (patience diff, Bram Cohen 2008), so that a moved brace or a blank line
does not tie wrong places together; what lies between is matched by longest common runs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

CELLS_MAX = 4_000_000
"""Elements of one gap times elements of the other beyond which the gap counts as wholly different: about 0.3 s."""


Span: TypeAlias = tuple[int, int]
"""First index and the one after the last."""


def matching(one: Sequence[Hashable], other: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Return pairs of indexes of equal elements, increasing in both sequences."""
    pairs: list[tuple[int, int]] = []
    _match(one, other, ((0, len(one)), (0, len(other))), pairs, anchored=True)
    return pairs


def plainly_matching(one: Sequence[Hashable], other: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Return pairs as ``matching`` does, by longest runs alone: another opinion, where much is at stake."""
    pairs: list[tuple[int, int]] = []
    _match(one, other, ((0, len(one)), (0, len(other))), pairs, anchored=False)
    return pairs


def _match(
    one: Sequence[Hashable],
    other: Sequence[Hashable],
    gap: tuple[Span, Span],
    pairs: list[tuple[int, int]],
    *,
    anchored: bool,
) -> None:
    """Add the pairs of a gap: what it begins and ends with in common, then between anchors, then by longest runs."""
    (a, a_end), (b, b_end) = gap
    while a < a_end and b < b_end and one[a] == other[b]:
        pairs.append((a, b))
        a, b = a + 1, b + 1
    tail: list[tuple[int, int]] = []
    while a < a_end and b < b_end and one[a_end - 1] == other[b_end - 1]:
        a_end, b_end = a_end - 1, b_end - 1
        tail.append((a_end, b_end))
    if a < a_end and b < b_end:
        anchors = _anchors(one, other, (a, a_end), (b, b_end)) if anchored else []
        if anchors:
            for i, j in anchors:
                _match(one, other, ((a, i), (b, j)), pairs, anchored=True)
                pairs.append((i, j))
                a, b = i + 1, j + 1
            _match(one, other, ((a, a_end), (b, b_end)), pairs, anchored=True)
        elif (a_end - a) * (b_end - b) <= CELLS_MAX:
            blocks = SequenceMatcher(None, one[a:a_end], other[b:b_end], autojunk=False).get_matching_blocks()
            pairs.extend((a + i + k, b + j + k) for i, j, size in blocks for k in range(size))
    pairs.extend(reversed(tail))


def _anchors(
    one: Sequence[Hashable], other: Sequence[Hashable], here: Span, there: Span
) -> list[tuple[int, int]]:
    """Return the longest increasing row of elements that occur once on each side."""
    mine, its = Counter(one[slice(*here)]), Counter(other[slice(*there)])
    where = {other[j]: j for j in range(*there)}
    found = [(i, where[one[i]]) for i in range(*here) if mine[one[i]] == 1 and its.get(one[i], 0) == 1]
    # Longest increasing subsequence by piles, with links back.
    tops: list[int] = []
    ends: list[int] = []
    links: list[int] = []
    for index, (_, j) in enumerate(found):
        pile = bisect_left(tops, j)
        links.append(ends[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(j)
            ends.append(index)
        else:
            tops[pile], ends[pile] = j, index
    row: list[tuple[int, int]] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        row.append(found[at])
        at = links[at]
    return row[::-1]
