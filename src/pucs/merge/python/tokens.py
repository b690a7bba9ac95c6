"""Python text as tokens whose layout stands beside them, so that layout and meaning are merged apart.

The lexer is a few patterns and takes any fragment, broken or not: hunks begin and end anywhere. Words inside strings
and comments are tokens of their own, so that prose merges by words; a dotted name is one token, because half of one
side's name and half of the other's is nobody's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pucs.merge.matching import matching

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PATTERN = (
    r"(?P<layout>(?:,(?=\s*(?:[)\]}]END)))?(?:\s|\\\n)*)"
    r"(?P<text>\w+(?:\.\w+)*|\*\*=?|//=?|->|:=|[=!<>+*/%&|^@-]=|<<|>>|\.\.\.|\"\"\"|'''|[^\w\s]|$)"
)
_TOKEN = re.compile(_PATTERN.replace("END", ""))
_TOKEN_OF_FRAGMENT = re.compile(_PATTERN.replace("END", r"|\Z"))
_TEXTUAL = re.compile(
    r"#[^\n]*|\"\"\"(?:[^\\]|\\.)*?(?:\"\"\"|\Z)|'''(?:[^\\]|\\.)*?(?:'''|\Z)"
    r"|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'",
    re.DOTALL,
)
_QUOTES = {"'": '"', "'''": '"""'}
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
QUOTES = frozenset({"'", '"', "'''", '"""'})
BRANCH = "else"
_BRANCHES = frozenset({"elif", "else", "except", "finally", "case"})
_OPENERS = _BRANCHES | {"if", "for", "while", "with", "try", "def", "class", "match"}
ISLAND = 0.5
"""Weight of a run of common tokens, in tokens changed on its lesser side, below which it is chance."""
_WORD = 1.0
_SIGN = 0.2


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a number, an operator, a quote; the last one of a text is empty and holds the layout at its end."""

    layout: str
    """White space before it, and the comma after the last element before a closing bracket."""
    text: str
    depth: int = 0
    """Change of bracket depth: 1, -1, or 0, also for brackets in strings and comments."""

    @property
    def key(self) -> str:
        """What makes two tokens the same: the kind of quote does not."""
        return _QUOTES.get(self.text, self.text)


@dataclass(frozen=True)
class Unit:
    """A logical line: a statement without the block below it, a comment line, a line of prose; blank lines lead it."""

    tokens: tuple[Token, ...]

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """What it says, layout apart."""
        return tuple(token.key for token in self.tokens)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What it says, dotted names in parts."""
        return tuple(part for key in self.keys for part in (key.split(".") if key != "..." else (key,)))

    @cached_property
    def name(self) -> str:
        """What the statement defines: ``def name``, ``class name``, ``name =``; empty: nothing that shows."""
        first, *rest = self.keys[:3]
        if first == "async":
            first, *rest = self.keys[1:4]
        if first in {"def", "class"}:
            return f"{first} {rest[0]}" if rest else ""
        return f"{first} =" if rest and rest[0] in {"=", ":"} and first[:1].isidentifier() else ""

    @cached_property
    def opens(self) -> str:
        """Keyword of the block that the statement opens, ``BRANCH`` for every branch; empty: it opens none."""
        keys = self.keys[1:] if self.keys[:1] == ("async",) else self.keys
        if keys[-1:] != (":",) or keys[0] not in _OPENERS:
            return ""
        return BRANCH if keys[0] in _BRANCHES else keys[0]

    @property
    def comment(self) -> bool:
        """Whether it says nothing to Python."""
        return self.tokens[0].text == "#"

    @cached_property
    def text(self) -> str:
        """The unit as written, from the end of the one before."""
        return "".join(token.layout + token.text for token in self.tokens)

    @cached_property
    def indent(self) -> str:
        """White space that its first line begins with."""
        return self.tokens[0].layout.rpartition("\n")[2].lstrip(",\\")

    def shifted(self, shift: tuple[str, str]) -> str:
        """Return the unit as written with the first part of each line's indentation replaced by another."""
        old, new = shift
        text = self.text
        return re.sub(rf"\n{re.escape(old)}(?=[^\n])", f"\n{new}", text)


def tokens(text: str, *, fragment: bool = False) -> list[Token]:
    """Return the tokens of any text; their layouts and texts in a row are the text.

    In a ``fragment`` a comma at the end is layout too: the bracket that it stands before may follow.
    """
    hidden = bytearray(len(text) + 1)
    for match in _TEXTUAL.finditer(text):
        hidden[match.start() : match.end()] = b"\1" * (match.end() - match.start())
    found: list[Token] = []
    for match in (_TOKEN_OF_FRAGMENT if fragment else _TOKEN).finditer(text):
        sign = match["text"]
        depth = 0 if hidden[match.start("text")] else (sign in _OPENING) - (sign in _CLOSING)
        found.append(Token(match["layout"], sign, depth))
    # At the end of the text the pattern matches once with and once without the last layout.
    while len(found) > 1 and not found[-1].text and not found[-2].text:
        found.pop()
    if not found or found[-1].text:
        found.append(Token("", ""))
    return found


def units(lines: Sequence[str]) -> list[Unit]:
    """Return the logical lines of any lines, and last a unit of the blank lines at the end, if only of none.

    Each unit begins with the line feed before it; the last line feed is left out. A bracket that the text does not open
    is none: in the middle of a list each line is a unit.
    """
    found: list[list[Token]] = []
    depth = 0
    *words, end = tokens(("\n" + "".join(lines)).removesuffix("\n"))
    for token in words:
        if not found or (depth == 0 and "\n" in token.layout and token.depth >= 0):
            found.append([])
        depth = max(0, depth + token.depth)
        found[-1].append(token)
    return [*(Unit(tuple(each)) for each in found), Unit((end,))]


def aligned(base: Sequence[str], side: Sequence[str]) -> list[tuple[int, int]]:
    """Return which tokens correspond, without short runs of punctuation that tie unlike text together."""
    pairs = matching(base, side)
    while True:
        kept = list(_without_islands(pairs, base, side))
        if len(kept) == len(pairs):
            return kept
        pairs = kept


def _without_islands(
    pairs: Sequence[tuple[int, int]], base: Sequence[str], side: Sequence[str]
) -> Iterator[tuple[int, int]]:
    runs: list[list[tuple[int, int]]] = []
    for i, j in pairs:
        if runs and runs[-1][-1] == (i - 1, j - 1):
            runs[-1].append((i, j))
        else:
            runs.append([(i, j)])
    before = (0, 0)
    for index, run in enumerate(runs):
        first, last = run[0], run[-1]
        after = runs[index + 1][0] if index + 1 < len(runs) else (len(base), len(side))
        gap_before = max(first[0] - before[0], first[1] - before[1])
        gap_after = max(after[0] - last[0], after[1] - last[1]) - 1
        weight = sum(_weight(base[i]) for i, _ in run)
        edge = first == (0, 0) or last == (len(base) - 1, len(side) - 1)
        if not edge and weight < min(gap_before, gap_after) * ISLAND:
            continue
        before = (last[0] + 1, last[1] + 1)
        yield from run


def _weight(token: str) -> float:
    return _WORD if token[:1].isalnum() or token[:1] == "_" else _SIGN
