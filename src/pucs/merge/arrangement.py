"""Whether the lines of a merge stand where they can: all are there, but a body is turned around or fell out of its block.

What one side moved may stand elsewhere, what one side indented may be indented with all that it holds. The rest may not.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from pucs.merge.accounts import LAYOUT, QUOTED_MAX, plain
from pucs.merge.matching import matching
from pucs.merge.records import Objection
from pucs.merge.threeway import edits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pucs.merge.records import Clash, Lines, Texts


@dataclass(frozen=True, slots=True)
class Placed:
    """A line of the result."""

    text: str
    at: int
    """From 1."""
    clash: Clash | None
    """What a rule put it in the place of; None: no rule did."""

    @property
    def plain(self) -> str:
        """What it says, without indentation and a last comma."""
        return self.text.strip().rstrip(",")


def disarranged(texts: Texts, placed: Iterable[Placed]) -> Iterator[Objection]:
    """Yield lines that stand before or between others, or deeper or less deep, than any version explains."""
    lines = [line for line in placed if line.plain and not LAYOUT.issuperset(line.plain)]
    yield from _torn(texts, lines)
    yield from _turned(texts, lines)
    yield from _shifted(texts, lines)


def _torn(texts: Texts, lines: Sequence[Placed]) -> Iterator[Objection]:
    """Yield where lines that a side added together stand in another order, or two such runs alternate."""
    runs = _runs(texts)
    marks = [(line, *runs[line.plain]) for line in lines if line.plain in runs]
    left = Counter(run for _, run, _ in marks)
    last: dict[int, int] = {}
    open_runs: list[int] = []
    for line, run, place in marks:
        if place < last.get(run, -1):
            yield _objection("torn from the lines that it was added with", line)
        last[run] = place
        while open_runs and open_runs[-1] != run and not left[open_runs[-1]]:
            open_runs.pop()
        if run not in open_runs:
            open_runs.append(run)
        elif open_runs[-1] != run:
            yield _objection("torn from the lines that it was added with", line)
        left[run] -= 1


def _objection(what: str, line: Placed) -> Objection:
    return Objection(f"{what}: {line.plain[:QUOTED_MAX]}", line.at, line.plain)


def _runs(texts: Texts) -> dict[str, tuple[int, int]]:
    """Return the number of the run and the place in it of each line that one side alone added, once, among others."""
    base, ours, theirs = (plain(side) for side in (texts.base, texts.ours, texts.theirs))
    known = set(base)
    found: dict[str, tuple[int, int]] = {}
    number = 0
    for side, other in ((ours, set(theirs)), (theirs, set(ours))):
        counts = Counter(side)
        for edit in edits(matching(base, side), len(base), len(side)):
            number += 1
            new = [
                line
                for line in side[edit.first : edit.last]
                if line not in known and line not in other and counts[line] == 1
            ]
            found.update((line, (number, place)) for place, line in enumerate(new))
    return found


def _turned(texts: Texts, lines: Sequence[Placed]) -> Iterator[Objection]:
    """Yield a line that stands behind one which it stands before in all three versions, next to it in the base."""
    result = _once(line.plain for line in lines)
    base, ours, theirs = (_once(plain(side)) for side in (texts.base, texts.ours, texts.theirs))
    common = [line for line in base if line in result and line in ours and line in theirs]
    for one, other in pairwise(common):
        if ours[one] < ours[other] and theirs[one] < theirs[other] and result[one] > result[other]:
            yield _objection("turned around", lines[result[other]])


def _once(lines: Iterable[str]) -> dict[str, int]:
    """Return the places of lines that occur once."""
    found: dict[str, int] = {}
    several: set[str] = set()
    for place, line in enumerate(lines):
        if line in found:
            several.add(line)
        found[line] = place
    return {line: place for line, place in found.items() if line not in several}


def _shifted(texts: Texts, lines: Sequence[Placed]) -> Iterator[Objection]:
    """Yield a line that a rule indented as no version has it and no side shifted any line."""
    known: dict[str, set[int]] = {}
    for side in (texts.base, texts.ours, texts.theirs):
        for text in side:
            known.setdefault(text.strip().rstrip(","), set()).add(_indentation(text))
    odd: list[tuple[Placed, set[int]]] = []
    for line in lines:
        if line.clash is None:
            continue
        here = _indentation(line.text)
        there = known.get(line.plain)
        if there is None:  # a rule wrote it; then at least its place has lines as deep
            clash = line.clash
            there = {_indentation(one) for one in (*clash.base, *clash.ours, *clash.theirs)}
        if here not in there:
            odd.append((line, {here - one for one in there}))
    if not odd:
        return
    shifts = _shifts(texts.base, texts.ours) | _shifts(texts.base, texts.theirs)
    for line, by in odd:
        if not by & shifts:
            yield _objection("indented as no version has it", line)


def _shifts(base: Lines, side: Lines) -> set[int]:
    """Return by how many columns a side moved lines of the base."""
    before, after = ([line.strip().rstrip(",") for line in lines] for lines in (base, side))
    pairs = ((base[i], side[j]) for i, j in matching(before, after) if before[i])
    return {_indentation(new) - _indentation(old) for old, new in pairs}


def _indentation(line: str) -> int:
    wide = line.expandtabs()
    return len(wide) - len(wide.lstrip())
