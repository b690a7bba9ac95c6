"""What to do with a few lines that both sides changed: the rules below the parts of an outline."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pucs.merge.records import Tier
from pucs.merge.structured.orders import version
from pucs.merge.structured.weaving import Bit
from pucs.merge.threeway import regions

if TYPE_CHECKING:
    from pucs.merge.records import Lines

_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")
_NUMBER = re.compile(r"v?\d+(?:\.\d+)+(?:[-.]?(?:a|alpha|b|beta|rc|c|pre|dev)[-.]?\d*)?", re.IGNORECASE)
TOKENS_MAX = 2_000
"""Words and signs of a paragraph that are merged word by word; longer ones are lists or tables without a form."""
_WORDS_AROUND = 2
"""Unchanged tokens that have to stand between words that different sides changed."""


def higher_version(base: Lines, ours: Lines, theirs: Lines) -> Bit | None:
    """Take the higher of two versions when nothing else in the lines differs: a guess that is nearly always right."""
    mine, other = "".join(ours), "".join(theirs)
    if not base or _NUMBER.sub("", mine) != _NUMBER.sub("", other) != _NUMBER.sub("", "".join(base)):
        return None
    here, there = _NUMBER.findall(mine), _NUMBER.findall(other)
    changed = [(version(a), version(b)) for a, b in zip(here, there, strict=False) if a != b]
    if len(here) != len(there) or not changed:
        return None
    if all(a > b for a, b in changed):
        return Bit(ours, "version", Tier.REVIEW)
    if all(a < b for a, b in changed):
        return Bit(theirs, "version", Tier.REVIEW)
    return None


def words(base: Lines, ours: Lines, theirs: Lines) -> Bit | None:
    """Merge prose word by word: a guess, because words mean something together."""
    rows = [_TOKEN.findall("".join(lines)) for lines in (base, ours, theirs)]
    if not base or max(map(len, rows)) > TOKENS_MAX:
        return None
    found: list[str] = []
    for region in regions(rows[0], rows[1], rows[2], apart=_WORDS_AROUND):
        if region.changed == "clash":
            return None
        side, span = (rows[2], region.theirs) if region.changed == "theirs" else (rows[1], region.ours)
        found.extend(side[slice(*span)])
    return Bit(tuple("".join(found).splitlines(keepends=True)), "words", Tier.REVIEW)
