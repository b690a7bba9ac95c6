"""Finds what one side did away with in the whole file while the other side went on to use it.

Whoever renames a function, or calls it in another way, changes every use there is; lines that the other side adds
meanwhile still have the old one, and no line of text tells that the two do not go together.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from keyword import iskeyword
from typing import TYPE_CHECKING, Final

from pucs.merge.matching import matching
from pucs.merge.python.lexing import NAMES_AND_STRINGS

if TYPE_CHECKING:
    from pucs.merge.records import Lines, Texts

PLACES_MIN: Final = 3
"""From how many places that a side changed or deleted a word has to be gone: from fewer it may just have gone with those."""
CHARS_MIN: Final = 3
"""Shorter names are those of loops and formulas; they come and go."""


def outdated(texts: Texts) -> bool:
    """Tell whether a name or a string that one side has no more is in more places of the other side than in the base."""
    base, ours, theirs = (_said(lines) for lines in (texts.base, texts.ours, texts.theirs))
    for side, other, lines in ((ours, theirs, texts.ours), (theirs, ours, texts.theirs)):
        gone = {word for word, count in base.items() if count >= PLACES_MIN and not side[word]}
        words = {word for word in gone if other[word] > base[word]}
        if words and max(_places(texts.base, lines, words).values(), default=0) >= PLACES_MIN:
            return True
    return False


def _said(lines: Lines) -> Counter[str]:
    """Return how often names and strings stand in a text, comments, numbers and keywords left out."""
    found = Counter(NAMES_AND_STRINGS.findall("".join(lines)))
    said: Counter[str] = Counter()
    for (string, name), count in found.items():
        word = name or string.strip("\"'")
        for part in {word, *word.split(".")}:  # a string may name what is in a package
            if len(part) >= CHARS_MIN and not iskeyword(name):
                said[part] += count
    return said


def _places(base: Lines, side: Lines, words: set[str]) -> Counter[str]:
    """Return in how many of the places that a side changed each of these words stood; lines in the stead of lines count each."""
    kept = [(-1, -1), *matching(base, side), (len(base), len(side))]
    found: Counter[str] = Counter()
    for (last, before), (index, now) in pairwise(kept):
        gone = base[last + 1 : index]
        # As many lines in their stead: each was written anew.
        rewritten = len(gone) == now - before - 1
        for lines in ((line,) for line in gone) if rewritten else (gone,):
            found.update(words & _said(lines).keys())
    return found
