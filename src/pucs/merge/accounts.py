"""How often each line or word has to occur in a merge, from how often the three versions have it.

Sound for every merge that applies each side's edits once, whatever order it brings things into; what both sides did
alike may count once or twice.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Final

from pucs.merge.matching import matching
from pucs.merge.threeway import edits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pucs.merge.records import Lines

LAYOUT: Final = frozenset("(),;\\\"'`")
"""Signs that come and go with layout: brackets, quotes, the comma after a last element. The parser proves that they fit."""
QUOTED_MAX: Final = 60
"""Characters of a line in an objection, which becomes a label beside a conflict."""


def plain(lines: Lines) -> list[str]:
    """Return what lines say, without indentation, a last comma, and lines that say nothing."""
    found = (line.strip().rstrip(",") for line in lines)
    return [line for line in found if line and not LAYOUT.issuperset(line)]


class Account:
    """Three versions of a sequence of lines or words, and what a merge of them has to hold."""

    def __init__(self, base: Sequence[str], ours: Sequence[str], theirs: Sequence[str]) -> None:
        self._versions = (base, ours, theirs)
        self._counts = [Counter(version) for version in self._versions]

    def without(self, base: Sequence[str], ours: Sequence[str], theirs: Sequence[str]) -> None:
        """Take a part of the versions out, which is judged elsewhere."""
        for count, part in zip(self._counts, (base, ours, theirs), strict=True):
            count.subtract(part)

    def faults(self, result: Counter[str]) -> Iterator[tuple[str, int]]:
        """Yield what the result has too often, with by how much, and what it has too seldom, with a negative number."""
        base, ours, theirs = self._counts
        for element in dict.fromkeys((*ours, *theirs, *base, *result)):
            b, o, t, got = base[element], ours[element], theirs[element], result[element]
            if got == o == t:
                continue
            low, high = _bounds(b, o, t)
            if low <= got <= high:
                continue
            slack = self._slack(element)
            if got < low - slack:
                yield element, got - low
            elif got > high + slack:
                yield element, got - high

    def _slack(self, element: str) -> int:
        """Return how far a count may be off: net counts hide it when a side both deletes and adds what the other touches.

        Ours deletes a line in one place and both add it in another: ours has as many as the base, and so has the result.
        """
        changes = [(added[element], deleted[element]) for added, deleted in self._changed]
        if any(added + deleted == 0 for added, deleted in changes):
            return 0
        return sum(min(pair) for pair in changes)

    @cached_property
    def _changed(self) -> list[tuple[Counter[str], Counter[str]]]:
        """What each side added and what it deleted."""
        base = self._versions[0]
        found = []
        for side in self._versions[1:]:
            script = edits(matching(base, side), len(base), len(side))
            added = Counter(one for edit in script for one in side[edit.first : edit.last])
            deleted = Counter(one for edit in script for one in base[edit.start : edit.end])
            found.append((added, deleted))
        return found


def _bounds(base: int, ours: int, theirs: int) -> tuple[int, int]:
    """Return fewest and most occurrences in a merge."""
    exact = ours + theirs - base
    if ours >= base and theirs >= base:
        return max(ours, theirs), exact
    if ours <= base and theirs <= base:
        return max(0, exact), min(ours, theirs)
    return exact, exact
