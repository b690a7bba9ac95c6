"""What to do with a few lines that both sides changed: the rules below the parts of an outline."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pucs.merge.records import Tier
from pucs.merge.structured.orders import merged_order, version
from pucs.merge.structured.outline import Kind, separated
from pucs.merge.structured.weaving import Bit
from pucs.merge.threeway import regions

if TYPE_CHECKING:
    from pucs.merge.records import Lines

_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")
_NUMBER = re.compile(
    r"v?\d+(?:\.\d+)+(?:[-.]?(?:alpha|a|beta|b|rc|canary|c|pre|dev|next)[-.]?\d*)?", re.IGNORECASE
)
TOKENS_MAX = 2_000
"""Words and signs of a paragraph that are merged word by word; longer ones are lists or tables without a form."""
_WORDS_AROUND = 2
"""Unchanged tokens that have to stand between words that different sides changed."""


def higher_version(base: Lines, ours: Lines, theirs: Lines) -> Bit | None:
    """Take the higher of two versions when nothing else in the lines differs: a guess that is nearly always right."""
    mine, other = "".join(ours), "".join(theirs)
    if not base or _NUMBER.sub("", mine) != _NUMBER.sub("", other):
        return None
    here, there = _NUMBER.findall(mine), _NUMBER.findall(other)
    changed = [(version(a), version(b)) for a, b in zip(here, there, strict=False) if a != b]
    if len(here) != len(there) or not changed:
        return None
    versions = tuple(tuple(separated(lines, "")) for lines in (base, ours, theirs))
    if all(a > b for a, b in changed):
        return Bit(ours, "version", Tier.REVIEW, versions=versions)
    if all(a < b for a, b in changed):
        return Bit(theirs, "version", Tier.REVIEW, versions=versions)
    return None


def words(base: Lines, ours: Lines, theirs: Lines) -> Bit | None:
    """Merge prose word by word: a guess, because words mean something together."""
    rows = [_TOKEN.findall("".join(lines)) for lines in (base, ours, theirs)]
    code = base[:1] and base[0].startswith(("```", "~~~"))
    if not base or code or max(map(len, rows)) > TOKENS_MAX:
        return None
    found: list[str] = []
    for region in regions(rows[0], rows[1], rows[2], apart=_WORDS_AROUND):
        if region.changed == "clash":
            return None
        side, span = (rows[2], region.theirs) if region.changed == "theirs" else (rows[1], region.ours)
        found.extend(side[slice(*span)])
    return Bit(tuple("".join(found).splitlines(keepends=True)), "words", Tier.REVIEW)


_LIST = re.compile(r"(.*?[\[{(])([^\[\](){}\n]*)([\])}].*)", re.DOTALL)
_ELEMENT = re.compile(r"""\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|[^,"'])*?)\s*(?:,|$)""")


def inline(base: Lines, ours: Lines, theirs: Lines) -> Bit | None:
    """Merge the elements of a list that stands in one line: ``[a, b]``; a row of arguments is a guess."""
    found = [_LIST.fullmatch("".join(lines)) for lines in (base, ours, theirs)]
    if not all(len(lines) == 1 for lines in (base, ours, theirs)):
        return None
    was, mine, other = found
    if was is None or mine is None or other is None:
        return None
    ends = [_either(was[group], mine[group], other[group]) for group in (1, 3)]
    rows = [_elements(match[2]) for match in (was, mine, other)]
    if any(end is None for end in ends) or any(len(set(row)) != len(row) for row in rows):
        return None
    alive = {one for one in (*rows[1], *rows[2]) if (one in rows[1] and one in rows[2]) or one not in rows[0]}
    order = merged_order(rows[0], rows[1], rows[2], alive, Kind.MAP)
    if order is None or any(_changed(row, rows[0]) for row in rows[1:]):
        return None
    space = " " if ", " in mine[2] or ", " in other[2] or "," not in mine[2] else ""
    pad = mine[2][: len(mine[2]) - len(mine[2].lstrip())]
    line = f"{ends[0]}{pad}{f',{space}'.join(order)}{pad}{ends[1]}"
    return Bit((line,), "members")


def _changed(side: list[str], base: list[str]) -> bool:
    """Tell whether a side took elements away and put others in: values may have been changed for others."""
    return bool(set(base) - set(side)) and bool(set(side) - set(base))


def _elements(text: str) -> list[str]:
    return [element for element in (match[1].strip() for match in _ELEMENT.finditer(text)) if element]


def _either(base: str, ours: str, theirs: str) -> str | None:
    """Return what one side made of a text, None: both changed it."""
    if theirs in (ours, base):
        return ours
    return theirs if base == ours else None
