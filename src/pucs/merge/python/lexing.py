"""Where strings, comments, brackets and statements of any Python text begin and end.

The patterns take every text, broken or of another version of Python; what they promise is only that brackets inside
strings and comments do not count, and that a statement goes on while a bracket or a string is open.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pucs.merge.records import Lines

_STRING = r'''"""(?:[^\\]|\\.)*?(?:"""|\Z)|\'\'\'(?:[^\\]|\\.)*?(?:\'\'\'|\Z)|"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?'''
_MARK = re.compile(_STRING + r"|#[^\n]*|[()\[\]{}]|\\\n|\n", re.DOTALL)
_CODE = re.compile(
    r"(?P<space>[^\S\n]+|\\\n)|(?P<newline>\n)|(?P<comment>#[^\n]*)"
    r"|(?P<string>[rRbBuUfFtT]{0,2}(?:" + _STRING + r"))"
    r"|(?P<word>\w+(?:\.\d\w*)?)"
    r"|(?P<sign>\*\*=?|//=?|>>=?|<<=?|->|:=|[!=<>+\-*/%&|^@]=|\.\.\.|.)",
    re.DOTALL,
)
_WORDS = re.compile(_STRING + r"|#[^\n]*|(\w+)", re.DOTALL)
NAMES_AND_STRINGS = re.compile(r"(" + _STRING + r")|#[^\n]*|([^\W\d]\w*)", re.DOTALL)
"""What a text says beside numbers and signs: a string or a name; both groups are empty for a comment."""
_NOTHING = re.compile(r"(?:\s|#[^\n]*|\\\n)*")
OPEN = "([{"
CLOSE = ")]}"
PAIRS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of code: ``string``, ``word``, ``sign`` or ``comment``."""

    kind: str
    text: str
    start: int
    end: int
    """Offsets in the text that was read; ``end`` exclusive."""

    @property
    def key(self) -> str:
        """What makes two tokens the same; the kind of quote does not."""
        return quoted(self.text) if self.kind == "string" else self.text


def quoted(text: str) -> str:
    """Return a string literal in one way of quoting, where that needs no escapes."""
    mark = text[-1:]
    if mark == "'" and '"' not in text and "\\" not in text:
        return text.replace("'", '"')
    return text


def tokens(text: str) -> list[Token]:
    """Return the code and comments of a text that begins outside a string."""
    return [
        Token(match.lastgroup or "", match[0], match.start(), match.end())
        for match in _CODE.finditer(text)
        if match.lastgroup not in {"space", "newline"}
    ]


@dataclass(frozen=True)
class Layout:
    """What stands open where lines of one version begin; lines count from 0, one behind the last is allowed."""

    lines: Lines
    starts: Sequence[int]
    """Per line the first line of its statement."""
    stacks: Sequence[str]
    """Per line the brackets that are open where it begins, outermost first."""
    strings: frozenset[int]
    """Lines that begin inside a string."""
    before: Sequence[str]
    """Per line the last character of code before it, empty at the start of its file."""

    def whole(self, first: int, last: int) -> bool:
        """Tell whether lines ``first`` to ``last`` (exclusive) are whole statements."""
        return self.starts[first] == first and self.starts[last] == last

    def after(self, line: int) -> str:
        """Return the first character of code at or after the start of a line, empty at the end of the file."""
        for text in self.lines[line:]:
            rest = text[_end(text) :]
            if rest:
                return rest[0]
        return ""

    def statements(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield the statements among whole lines, as ranges of lines; blank and comment lines are their own."""
        line = first
        while line < last:
            end = line + 1
            while end < last and self.starts[end] != end:
                end += 1
            yield line, end
            line = end

    @cached_property
    def uses(self) -> Counter[str]:
        """How often each word stands in the code, imports, strings and comments left out."""
        found = Counter(_WORDS.findall("".join(self.lines)))
        for first, line in enumerate(self.lines):
            if self.starts[first] == first and line.lstrip().startswith(("import ", "from ")):
                last = next(iter(self.statements(first, len(self.lines))))[1]
                found.subtract(_WORDS.findall("".join(self.lines[first:last])))
        return found


def _end(text: str) -> int:
    found = _NOTHING.match(text)
    return found.end() if found else 0


def layout(lines: Lines) -> Layout:
    """Read one version of a file."""
    text = "".join(lines)
    count = len(lines) + 1
    starts, stacks, before = [0] * count, [""] * count, [""] * count
    strings: set[int] = set()
    stack, last, line, first, at = "", "", 0, 0, 0
    for match in _MARK.finditer(text):
        gap = text[at : match.start()].rstrip()
        if gap.lstrip():
            last = gap[-1]
        mark, at = match[0], match.end()
        if mark in {"\n", "\\\n"}:
            line += 1
            if not stack and mark == "\n":
                first = line
            starts[line], stacks[line], before[line] = first, stack, last
        elif mark in OPEN:
            stack, last = stack + mark, mark
        elif mark in CLOSE:
            stack = stack[:-1] if stack.endswith(PAIRS[mark]) else stack
            last = mark
        elif mark[0] != "#":
            last = mark[-1]
            inside = mark.count("\n")
            for inner in range(line + 1, line + inside + 1):
                starts[inner], stacks[inner], before[inner] = first, stack, last
                strings.add(inner)
            line += inside
    for rest in range(line + 1, count):  # no line feed at the end of the file
        starts[rest], stacks[rest], before[rest] = (rest if not stack else first), stack, last
    return Layout(lines, starts, stacks, frozenset(strings), before)
