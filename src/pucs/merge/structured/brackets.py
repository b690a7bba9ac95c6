"""Values between brackets and commas, as JSON and TOML have them: which elements stand on lines of their own.

A list or table is a part with parts if every element begins a line and the bracket that closes it does; all other values
are single lines to the merge.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from pucs.merge.structured.counts import READ_AGAIN
from pucs.merge.structured.outline import DEPTH_MAX, SEPARATOR, Kind, Node, Unreadable, divided, unique

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pucs.merge.records import Lines

SETS = re.compile(
    r"(?i)depend|require|deps|packages?$|classifiers|keywords|ignore|exclude|include|select|extend|authors|maintainers"
    r"|contributors|members|files|paths|types|plugins|markers|words|imports|modules|tags|topics|extras|browserslist"
)
"""Names of lists whose order says nothing, so that both sides may add to them."""


@dataclass(frozen=True, slots=True)
class Token:
    """A sign or a value of a text, with its place."""

    text: str
    start: tuple[int, int]
    """Line and column, from 0."""
    end: tuple[int, int]
    first: bool
    """Nothing but space stands before it in its line."""


@lru_cache(maxsize=READ_AGAIN)
def tokens(lines: Lines, pattern: re.Pattern[str]) -> tuple[Token, ...]:
    """Return what a text is made of, without space and comments; the pattern names those ``skip``.

    Raises:
        Unreadable: something is none of what the pattern knows.
    """
    text = "".join(lines)
    found: list[Token] = []
    starts = [0]
    for one in lines:
        starts.append(starts[-1] + len(one))
    at, line, filled = 0, 0, -1
    while at < len(text):
        match = pattern.match(text, at)
        if match is None or match.end() == at:
            raise Unreadable(f"line {line + 1}")
        start = (line, at - starts[line])
        at = match.end()
        while line + 1 < len(starts) - 1 and starts[line + 1] <= at:
            line += 1
        if match.lastgroup == "skip":
            continue
        end = (line, at - starts[line])
        found.append(Token(match[0], start, end, start[0] > filled))
        filled = end[0]
    return tuple(found)


class Brackets:
    """Builds outlines of the values in one text."""

    def __init__(
        self, lines: Lines, found: Sequence[Token], name_of: Callable[[Sequence[Token]], str]
    ) -> None:
        """Read tokens; ``name_of`` gives the name of an element of a table from its tokens.

        Raises:
            Unreadable: brackets do not match, or are too deep.
        """
        self.lines = list(lines)
        self.tokens = found
        self.name_of = name_of
        self.closed: dict[int, int] = {}
        """Index of the opening bracket for each closing one."""
        stack: list[int] = []
        for index, token in enumerate(found):
            if token.text in "{[":
                stack.append(index)
            elif token.text in "}]":
                if not stack or found[stack[-1]].text + token.text not in {"{}", "[]"}:
                    raise Unreadable(f"line {token.start[0] + 1}")
                self.closed[index] = stack.pop()
            if len(stack) > DEPTH_MAX:
                raise Unreadable(f"line {token.start[0] + 1}: too deep")
        if stack:
            raise Unreadable("a bracket is not closed")

    def element(self, first: int, last: int, line: int, *, key: str, loose: bool = False) -> Node:
        """Return the element between two tokens as a part; it has the lines from ``line`` on."""
        end = self.tokens[last].end[0] + 1
        name = "" if loose else key
        opening = self.closed.get(last)
        kids = None if opening is None or opening < first else self._kids(opening, last)
        if kids is None or opening is None:
            return Node(key, tuple(self.lines[line:end]), loose=loose, name=name)
        nodes, gaps, rest, trailing = kids
        kind = Kind.MAP
        if self.tokens[opening].text == "[":
            kind = Kind.LIST if SETS.search(key) and not loose else Kind.ROW
        head = tuple(self.lines[line : self.tokens[opening].start[0] + 1])
        foot = tuple(self.lines[rest:end])
        return Node(
            key,
            head,
            unique(nodes),
            tuple(gaps),
            foot,
            kind=kind,
            loose=loose,
            trailing=trailing,
            name=name,
        )

    def _kids(self, opening: int, closing: int) -> tuple[list[Node], list[Lines], int, bool] | None:
        """Return the elements between brackets, the line after the last one, and whether a comma follows it."""
        found = self._elements(opening, closing)
        if not found or not self.tokens[closing].first:
            return None
        line = self.tokens[opening].end[0]
        for first, last, comma in found:
            if not self.tokens[first].first or self.tokens[first].start[0] <= line:
                return None
            line = self.tokens[last].end[0]
            if comma is not None and self.tokens[comma].end[0] != line:
                return None
        if self.tokens[closing].start[0] <= line:
            return None
        nodes: list[Node] = []
        gaps: list[Lines] = []
        line = self.tokens[opening].end[0] + 1
        table = self.tokens[opening].text == "{"
        for first, last, comma in found:
            self._separate(last, comma)
            gap, _ = divided(self.lines[line : self.tokens[first].start[0]])
            gaps.append(gap)
            inside = self.tokens[first : last + 1]
            key = self.name_of(inside) if table else " ".join(token.text for token in inside)
            nodes.append(self.element(first, last, line + len(gap), key=key, loose=not table))
            line = self.tokens[last].end[0] + 1
        return nodes, gaps, line, found[-1][2] is not None

    def _elements(self, opening: int, closing: int) -> list[tuple[int, int, int | None]]:
        """Return first and last token of each element and the comma after it."""
        found: list[tuple[int, int, int | None]] = []
        depth = 0
        first = opening + 1
        for index in range(opening + 1, closing):
            text = self.tokens[index].text
            depth += (text in "{[") - (text in "}]")
            if text == "," and not depth:
                if index == first:
                    raise Unreadable(f"line {self.tokens[index].start[0] + 1}: a comma too many")
                found.append((first, index - 1, index))
                first = index + 1
        if first < closing:
            found.append((first, closing - 1, None))
        return found

    def _separate(self, last: int, comma: int | None) -> None:
        """Put the separator in the place where a comma stands or would stand."""
        row, column = self.tokens[last].end
        line = self.lines[row]
        if comma is None:
            self.lines[row] = line[:column] + SEPARATOR + line[column:]
        else:
            column = self.tokens[comma].start[1]
            self.lines[row] = line[:column] + SEPARATOR + line[column + 1 :]
