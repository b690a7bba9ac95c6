"""Python text as tokens whose layout stands beside them, so that layout and meaning are merged apart.

The lexer is a few patterns and takes any fragment, broken or not: hunks begin and end anywhere. Words inside strings
and comments are tokens of their own, so that prose merges by words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.merge.matching import matching

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOKEN = re.compile(
    r"(?P<layout>(?:,(?=\s*[)\]}]))?(?:\s|\\\n)*)(?P<text>\w+|\*\*=?|//=?|->|:=|[=!<>+*/%&|^@-]=|<<|>>|\.\.\.|\"\"\"|'''|[^\w\s]|$)"
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a number, an operator, a quote; the last one of a text is empty and holds the layout at its end."""

    layout: str
    """White space before it, and the comma after the last element before a closing bracket."""
    text: str

    @property
    def key(self) -> str:
        """What makes two tokens the same: the kind of quote does not."""
        return _QUOTES.get(self.text, self.text)


_QUOTES = {"'": '"', "'''": '"""'}


def tokens(text: str) -> list[Token]:
    """Return the tokens of any text; their layouts and texts in a row are the text."""
    found = [Token(match["layout"], match["text"]) for match in _TOKEN.finditer(text)]
    # At the end of the text the pattern matches once with and once without the last layout.
    while len(found) > 1 and not found[-1].text and not found[-2].text:
        found.pop()
    if not found or found[-1].text:
        found.append(Token("", ""))
    return found


def aligned(base: Sequence[str], side: Sequence[str]) -> list[tuple[int, int]]:
    """Return which tokens correspond, without short runs of punctuation that tie unlike text together."""
    pairs = matching(base, side)
    while True:
        kept = _without_islands(pairs, base, side)
        if len(kept) == len(pairs):
            return kept
        pairs = kept


def _without_islands(
    pairs: Sequence[tuple[int, int]], base: Sequence[str], side: Sequence[str]
) -> list[tuple[int, int]]:
    runs: list[list[tuple[int, int]]] = []
    for i, j in pairs:
        if runs and runs[-1][-1] == (i - 1, j - 1):
            runs[-1].append((i, j))
        else:
            runs.append([(i, j)])
    kept: list[tuple[int, int]] = []
    before = (0, 0)
    for index, run in enumerate(runs):
        first, last = run[0], run[-1]
        after = runs[index + 1][0] if index + 1 < len(runs) else (len(base), len(side))
        gap_before = max(first[0] - before[0], first[1] - before[1])
        gap_after = max(after[0] - last[0], after[1] - last[1]) - 1
        weight = sum(_weight(base[i]) for i, _ in run)
        edge = (index == 0 and first == (0, 0)) or last == (len(base) - 1, len(side) - 1)
        if not edge and weight < min(gap_before, gap_after) * ISLAND:
            continue
        before = (last[0] + 1, last[1] + 1)
        kept.extend(run)
    return kept


ISLAND = 0.5
"""Weight of a run of common tokens, in tokens changed on its lesser side, below which it is chance."""
_WORD = 1.0
_SIGN = 0.2


def _weight(token: str) -> float:
    return _WORD if token[:1].isalnum() or token[:1] == "_" else _SIGN
