"""A clash seen as one bracket: what stands before it, the row of elements in it, what stands behind it.

A clash is often a few lines in the middle of a bracket, so head and tail may lie outside of it. What is found here holds
for all three versions: the same bracket, opened by the same code, of which the lines of the clash hold whole elements.
"""

from __future__ import annotations

from dataclasses import dataclass
from keyword import iskeyword
from typing import TYPE_CHECKING

from pucs.merge.python.lexing import CLOSE, OPEN, tokens
from pucs.merge.python.rows import row
from pucs.merge.texts import split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pucs.merge.python.lexing import Layout, Token
    from pucs.merge.python.rows import KeyOf, Row
    from pucs.merge.python.scene import Scene
    from pucs.merge.records import Clash, Lines

TOKENS_MAX = 20_000
"""Tokens of one version of a clash beyond which nobody looks for brackets: about 2,000 lines, and 0.1 s."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One version of a clash as a bracket."""

    head: str
    """Up to the opening bracket; empty: it was opened before."""
    row: Row
    lead: str
    """White space before the closing bracket."""
    tail: str
    """From the closing bracket to the end of its line; empty: it is closed later."""
    tail_keys: tuple[str, ...]
    rest: int
    """How many lines of the clash follow the tail."""
    flat: bool
    """Everything between the brackets stands on one line with them."""


@dataclass(frozen=True, slots=True)
class Bracket:
    """The three versions of a clash as one bracket."""

    sign: str
    """``(``, ``[`` or ``{``."""
    header: tuple[str, ...]
    """The code of the statement before the bracket, as far as it is known."""
    opened: bool
    closed: bool
    ends: bool
    """The last element of the clash is the last of the bracket."""
    frames: tuple[Frame, Frame, Frame]

    @property
    def signature(self) -> bool:
        """Whether it holds the parameters of a function."""
        return "def" in self.header[-2:-1]

    @property
    def imports(self) -> bool:
        """Whether it holds the names that a statement imports."""
        return "from" in self.header and self.header[-1:] == ("import",)

    @property
    def called(self) -> bool:
        """Whether what stands before it is called or subscripted, or nobody knows."""
        before = self.header[-1:] or ("",)
        return not before[0] or (
            (before[0][-1] in ")]\"'" or before[0].isidentifier()) and not iskeyword(before[0])
        )


@dataclass(frozen=True, slots=True)
class _Side:
    text: str
    every: list[Token]
    code: list[Token]
    layout: Layout
    first: int
    last: int

    @property
    def stack(self) -> str:
        return self.layout.stacks[self.first]


def brackets(clash: Clash, scene: Scene, key: KeyOf) -> Iterator[Bracket]:
    """Yield the brackets around everything that differs, the innermost first."""
    sides = _sides(clash, scene)
    if sides is None or len({side.stack for side in sides}) != 1:
        return
    common = 0
    for trio in zip(*(side.code for side in sides), strict=False):
        if len({token.key for token in trio}) != 1:
            break
        common += 1
    opened: list[tuple[str, int]] = [(sign, -1) for sign in sides[0].stack]
    for index, token in enumerate(sides[0].code[:common]):
        if token.kind == "sign" and token.text in OPEN:
            opened.append((token.text, index))
        elif token.kind == "sign" and token.text in CLOSE:
            if not opened:
                return
            opened.pop()
    for level in range(len(opened), 0, -1):
        found = _bracket(sides, opened, level, common, key)
        if found is not None:
            yield found


def _sides(clash: Clash, scene: Scene) -> list[_Side] | None:
    found: list[_Side] = []
    places = (clash.at.base, clash.at.ours, clash.at.theirs)
    for layout, at, lines in zip(scene.layouts, places, (clash.base, clash.ours, clash.theirs), strict=True):
        last = at + len(lines)
        if at < 0 or last >= len(layout.starts) or at in layout.strings or last in layout.strings:
            return None
        text = "".join(lines)
        every = tokens(text)
        if len(every) > TOKENS_MAX:
            return None
        found.append(_Side(text, every, [one for one in every if one.kind != "comment"], layout, at, last))
    return found


def _bracket(
    sides: Sequence[_Side], opened: Sequence[tuple[str, int]], level: int, common: int, key: KeyOf
) -> Bracket | None:
    sign, index = opened[level - 1]
    if index < 0 and (
        level != len(sides[0].stack)
        or any(side.layout.before[side.first] not in {",", sign} for side in sides)
    ):
        return None  # the clash begins inside an element
    closes = [_close(side.code, common, len(opened), level) for side in sides]
    closed = closes[0] is not None
    if any((close is not None) != closed for close in closes):
        return None
    ends = closed or all(_at_end(side) for side in sides)
    if not closed and not ends and any(side.layout.before[side.last] not in {",", sign} for side in sides):
        return None
    open_there = "".join(one for one, _ in opened[:level])
    if not closed and any(side.layout.stacks[side.last] != open_there for side in sides):
        return None
    found: list[Frame] = []
    for side, close in zip(sides, closes, strict=True):
        frame = _frame(side, index, close, key)
        if frame is None:
            return None
        found.append(frame)
    return Bracket(
        sign, _header(sides[0], index, level), index >= 0, closed, ends, (found[0], found[1], found[2])
    )


def _header(side: _Side, index: int, level: int) -> tuple[str, ...]:
    """Return the code before a bracket, as far back as its statement or the clash begins."""
    if index >= 0:
        return tuple(token.text for token in side.code[:index])
    first = side.layout.starts[side.first]
    found: list[str] = []
    opened: list[int] = []
    for token in tokens("".join(side.layout.lines[first : side.first])):
        if token.kind == "comment":
            continue
        if token.kind == "sign" and token.text in OPEN:
            opened.append(len(found))
        elif token.kind == "sign" and token.text in CLOSE and opened:
            opened.pop()
        found.append(token.text)
    return tuple(found[: opened[level - 1]]) if len(opened) >= level else ()


def _at_end(side: _Side) -> bool:
    after = side.layout.after(side.last)
    return bool(after) and after in CLOSE


def _close(code: Sequence[Token], start: int, depth: int, level: int) -> int | None:
    """Return the token that closes the bracket of a level, None: it stays open."""
    for index in range(start, len(code)):
        if code[index].kind == "sign":
            depth += (code[index].text in OPEN) - (code[index].text in CLOSE)
            if depth < level:
                return index
    return None


def _frame(side: _Side, index: int, close: int | None, key: KeyOf) -> Frame | None:
    text = side.text
    begin = side.code[index].end if index >= 0 else 0
    end = side.code[close].start if close is not None else len(text)
    inner = [token for token in side.every if begin <= token.start < end]
    head = text[:begin]
    if index >= 0 and inner and inner[0].kind == "comment" and "\n" not in text[begin : inner[0].start]:
        head = text[: inner[0].end]  # a comment behind the opening bracket is about all of it
        inner = inner[1:]
    found = row(text, inner, key)
    if found is None:
        return None
    flat = index >= 0 and close is not None and "\n" not in text[begin:end]
    if close is None:
        return Frame(head, found, "", "", (), 0, flat)
    stop = text.find("\n", end) + 1
    code = [token for token in side.every if token.start >= end and (not stop or token.start < stop)]
    if not stop or code[-1].end > stop:  # the last line has no end, or a string goes on
        code = [token for token in side.every if token.start >= end]
        stop = len(text)
    lead = text[len(text[:end].rstrip()) : end]
    keys = tuple(token.key for token in code)
    return Frame(head, found, lead, text[end:stop], keys, len(split(text[stop:])), flat)


def rest(clash: Clash, bracket: Bracket) -> tuple[Lines, Lines, Lines]:
    """Return the lines of the clash behind the bracket's line, of each version."""
    sides = (clash.base, clash.ours, clash.theirs)
    b, o, t = (side[len(side) - frame.rest :] for side, frame in zip(sides, bracket.frames, strict=True))
    return b, o, t
