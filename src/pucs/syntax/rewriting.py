"""Changes single places of a Python file and leaves every other byte as it was: encoding, marks, line ends, comments.

Places come from the syntax tree; where the tree does not tell (the module of ``from a import b``, commas, comments), from
the tokens of that one statement.
"""

from __future__ import annotations

import ast
import re
import tokenize
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pucs.syntax.definitions import SOURCE_BYTES_MAX, Unparsable, decoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LINE: Final = re.compile("[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_SPACE: Final = " \t\f"


class Unchangeable(ValueError):
    """A place does not look as the tree says; nothing may be changed there."""


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Characters from ``start`` to ``end`` become ``text``."""

    start: int
    end: int
    text: str


class Source:
    """One Python file whose places can be found and changed."""

    def __init__(self, source: bytes) -> None:
        """Read a file.

        Raises:
            Unparsable: not Python, too large, or not to be written back as it was.
        """
        if len(source) > SOURCE_BYTES_MAX:
            raise Unparsable(f"larger than {SOURCE_BYTES_MAX} bytes")
        try:
            self.text, self._encoding = decoded(source)
            self.tree = _parsed(self.text)
        except SyntaxError as error:
            raise Unparsable(error.msg or "not Python", error.lineno or 0) from error
        except (RecursionError, MemoryError) as error:
            raise Unparsable("nested too deeply") from error
        except ValueError as error:
            raise Unparsable(str(error)) from error
        if self.text.encode(self._encoding) != source:
            raise Unparsable(f"cannot be written back in {self._encoding} as it was")
        self._starts = [match.start() for match in _LINE.finditer(self.text)]
        self._starts.append(len(self.text))
        self._ascii = self.text.isascii()

    def offset(self, line: int, column: int) -> int:
        """Return the place of a line from 1 and a column in bytes of UTF-8, as the tree counts."""
        start = self._starts[line - 1]
        if self._ascii:
            return start + column
        return start + len(self.text[start : self._starts[line]].encode()[:column].decode())

    def span(self, node: ast.expr | ast.stmt | ast.alias) -> tuple[int, int]:
        """Return where a node begins and ends."""
        return self.offset(node.lineno, node.col_offset), self.offset(
            node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        )

    def line_start(self, place: int) -> int:
        """Return where the line of a place begins."""
        return max(self.text.rfind("\n", 0, place), self.text.rfind("\r", 0, place)) + 1

    def line_end(self, place: int) -> int:
        """Return where the line of a place ends, before its end mark."""
        ends = [at for mark in "\r\n" if (at := self.text.find(mark, place)) >= 0]
        return min(ends, default=len(self.text))

    def after_line(self, place: int) -> int:
        """Return where the next line begins."""
        end = self.line_end(place)
        return end + 2 if self.text.startswith("\r\n", end) else min(end + 1, len(self.text))

    def line_mark(self, place: int) -> str:
        """Return how the line of a place ends; of a last line without an end, how the first one does."""
        end = self.line_end(place)
        if end == len(self.text):
            end = self.line_end(0)
        return (
            self.text[end : end + 2]
            if self.text.startswith("\r\n", end)
            else self.text[end : end + 1] or "\n"
        )

    def changed(self, edits: Iterable[Edit]) -> bytes:
        """Return the file with edits made.

        Raises:
            Unchangeable: two edits overlap, the encoding has no such characters, or the result is no Python any more.
        """
        parts: list[str] = []
        done = 0
        for edit in sorted(set(edits)):
            if edit.start < done:
                raise Unchangeable("two changes meet in one place")
            parts += (self.text[done : edit.start], edit.text)
            done = edit.end
        text = "".join((*parts, self.text[done:]))
        try:
            _parsed(text)
            return text.encode(self._encoding)
        except SyntaxError as error:
            raise Unchangeable(f"it would not parse any more: line {error.lineno}: {error.msg}") from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise Unchangeable(f"it could not be written: {error}") from error


def _parsed(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a doubtful escape in somebody's file is no business of ours
        return ast.parse(text)


@dataclass(frozen=True, slots=True)
class Entry:
    """One name of an import statement, where it stands."""

    start: int
    end: int
    after: int
    """Behind its comma, or its end."""
    comment: str
    """Comment behind it, on a line that it has to itself."""
    line: tuple[int, int] | None
    """The lines that it has to itself, with their end; None: it shares them."""


class Layout:
    """How one import statement is laid out."""

    def __init__(self, source: Source, node: ast.Import | ast.ImportFrom) -> None:
        """Find its parts.

        Raises:
            Unchangeable: they are not where they should be.
        """
        self.source, self.node = source, node
        self.start, self.end = source.span(node)
        self._tokens = list(_tokens(source.text[self.start : self.end], self.start))
        words = [token for token in self._tokens if token[0] != tokenize.COMMENT]
        if not words or words[0][1] != ("from" if isinstance(node, ast.ImportFrom) else "import"):
            raise Unchangeable("the statement is not where it should be")
        self.module = (self.start, self.start)
        if isinstance(node, ast.ImportFrom):
            verb = next(number for number, token in enumerate(words) if number and token[1] == "import")
            self.module = (words[1][2], words[verb - 1][3])
            words = words[verb:]
        self.closed = words[1][1] == "("
        """The names stand in parentheses."""
        self.comments = any(token[0] == tokenize.COMMENT for token in self._tokens)
        """There are comments between the names."""
        self.entries = tuple(self._entry(alias) for alias in node.names)
        self.indent = source.text[source.line_start(self.start) : self.start]
        rest = source.text[self.end : source.line_end(self.end)].strip(_SPACE)
        self.comment_behind = rest.startswith("#")
        self.alone = not self.indent.strip(_SPACE) and (not rest or self.comment_behind)
        """No other statement shares its lines."""

    def _entry(self, alias: ast.alias) -> Entry:
        source = self.source
        start, end = source.span(alias)
        inner = [token for token in self._tokens if token[2] >= end]
        after = inner[0][3] if inner and inner[0][1] == "," else end
        first, last = source.line_start(start), source.line_end(after)
        comment = next(
            (token[1] for token in inner if token[0] == tokenize.COMMENT and after <= token[2] < last), ""
        )
        rest = source.text[after:last].strip(_SPACE)
        alone = (
            self.closed
            and first > self.start
            and not source.text[first:start].strip(_SPACE)
            and rest == comment
            and source.after_line(after) <= self.end
        )
        return Entry(start, end, after, comment, (first, source.after_line(after)) if alone else None)

    def module_edit(self, module: str) -> Edit:
        """Return the edit that imports from another module."""
        start, end = self.module
        text = self.source.text
        before = "" if text[start - 1] in f"{_SPACE}\\\r\n" else " "
        return Edit(start, end, f"{before}{module}" + ("" if text[end] in f"{_SPACE}\\\r\n" else " "))

    def without(self, removed: set[int]) -> Iterator[Edit]:
        """Give the edits that take some of the names away, not all."""
        kept = [number for number in range(len(self.entries)) if number not in removed]
        text = self.source.text
        for number in sorted(removed):
            entry = self.entries[number]
            if entry.line is not None:
                yield Edit(*entry.line, "")
            elif number < kept[-1]:
                end = entry.after
                while text[end : end + 1] and text[end] in _SPACE:
                    end += 1
                yield Edit(entry.start, end, "")
        behind = [self.entries[number] for number in sorted(removed) if number > kept[-1]]
        sharing = [entry for entry in behind if entry.line is None]
        if not sharing:
            return
        before = self.entries[kept[-1]]
        between = text[before.end : behind[-1].end]
        if not self.closed or ("#" not in between and "\n" not in between and "\r" not in between):
            yield Edit(before.end, behind[-1].end, "")
            return
        for entry in sharing:
            start = entry.start
            while text[start - 1] in _SPACE and text[start - 1 : start] != "":
                start -= 1
            yield Edit(start if text[start - 1] not in "\r\n" else entry.start, entry.after, "")

    def statements(self, added: Iterable[str], *, instead: bool = False) -> Edit:
        """Return the edit that puts statements behind this one, or in its place."""
        if not self.alone:
            joined = "; ".join(added)
            return Edit(self.start if instead else self.end, self.end, joined if instead else f"; {joined}")
        mark = self.source.line_mark(self.end)
        joined = f"{mark}{self.indent}".join(one.replace("\n", mark + self.indent) for one in added)
        if instead:
            return Edit(self.start, self.end, joined)
        place = self.source.line_end(self.end)
        return Edit(place, place, f"{mark}{self.indent}{joined}")

    def gone(self, *, only: bool) -> Edit:
        """Return the edit that takes the statement away; ``only``: nothing else is in its block."""
        if only or not self.alone:
            return Edit(self.start, self.end, "pass")
        return Edit(self.source.line_start(self.start), self.source.after_line(self.end), "")


def _tokens(text: str, offset: int) -> Iterator[tuple[int, str, int, int]]:
    """Give kind, text, start and end of the tokens of a statement, white space left out."""
    lines = _LINE.findall(text)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    kinds = {tokenize.NAME, tokenize.OP, tokenize.COMMENT}
    try:
        for token in tokenize.generate_tokens(iter([*lines, ""]).__next__):
            if token.type in kinds:
                yield (
                    token.type,
                    token.string,
                    offset + starts[token.start[0] - 1] + token.start[1],
                    offset + starts[token.end[0] - 1] + token.end[1],
                )
    except (tokenize.TokenError, SyntaxError, IndexError) as error:
        raise Unchangeable("the statement cannot be taken apart") from error


def literal(source: Source, node: ast.Constant, value: str) -> tuple[int, int] | None:
    """Return where a string stands between its quotes, if it is written out plainly and in one piece."""
    start, end = source.span(node)
    written = source.text[start:end]
    at = written.find(value)
    if at < 1:
        return None
    head, tail = written[:at], written[at + len(value) :]
    quotes = head.lstrip("rRuU")
    plain = quotes == tail and quotes in {"'", '"', "'''", '"""'}
    return (start + at, start + at + len(value)) if plain else None
