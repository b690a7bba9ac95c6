"""A stretch of import statements as blocks: each statement with the comments above it and the blank lines before those."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pucs.merge.python.frames import Bracket, Frame
from pucs.merge.python.import_atoms import Atom, imported
from pucs.merge.python.lexing import tokens
from pucs.merge.python.rows import WAYS, Element, Row, row
from pucs.merge.python.writing import STEP, written
from pucs.merge.texts import split

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pucs.merge.python.lexing import Layout, Token
    from pucs.merge.python.rows import Key
    from pucs.merge.records import Lines


BLOCKS_MAX = 500
"""Import statements of one version of a clash beyond which nobody looks for the place of each."""


@dataclass(frozen=True, slots=True)
class Block:
    """One import statement."""

    lines: Lines
    atoms: tuple[Atom, ...]
    indent: str
    above: Lines = ()
    """Comment lines that stand on it."""
    gap: int = 0
    """Blank lines before those."""

    @property
    def module(self) -> str:
        """What it imports from, empty for ``import name``."""
        return self.atoms[0].module

    @property
    def text(self) -> str:
        """The statement as it is written."""
        return "".join(self.lines)

    @property
    def note(self) -> str:
        """The comment behind its last line, or behind its opening bracket."""
        found = [token.text for token in tokens(self.text) if token.kind == "comment"]
        return found[-1] if found else ""


@dataclass(frozen=True, slots=True)
class Zone:
    """The imports among the lines of one version of a clash."""

    before: Lines
    """What stands before the first import, other than comments on it."""
    blocks: tuple[Block, ...]
    trail: int
    """Blank lines behind the last import."""
    after: Lines
    """From the first other statement, or comment that stands on none, to the end."""

    @property
    def middle(self) -> Lines:
        """The imports with their comments and blank lines."""
        return (*emitted(self.blocks), *("\n",) * self.trail)

    @property
    def lines(self) -> Lines:
        """All of it."""
        return (*self.before, *self.middle, *self.after)

    @property
    def atoms(self) -> dict[Atom, None]:
        """Everything imported, in order."""
        return {atom: None for block in self.blocks for atom in block.atoms}


def emitted(blocks: Sequence[Block]) -> Lines:
    """Return the lines of statements with their comments and blank lines."""
    return tuple(line for one in blocks for line in (*("\n",) * one.gap, *one.above, *one.lines))


def zones(places: Sequence[tuple[Layout, int, int]]) -> list[Zone] | None:
    """Read lines of several versions, each from its first to its last (exclusive), for imports of one indentation.

    None: they are cut through a statement, or other statements stand among the imports.
    """
    if any(first < 0 or last >= len(one.starts) or not one.whole(first, last) for one, first, last in places):
        return None
    indents = [
        _indent(one.lines[start])
        for one, first, last in places
        for start, end in one.statements(first, last)
        if imported(one.lines[start:end])
    ]
    found = [_zone(*place, min(indents, key=len, default="")) for place in places]
    complete = [one for one in found if one is not None and len(one.blocks) <= BLOCKS_MAX]
    return complete if len(complete) == len(found) else None


def _zone(layout: Layout, first: int, last: int, indent: str) -> Zone | None:
    lines = layout.lines[first:last]
    spans = [(start - first, end - first) for start, end in layout.statements(first, last)]
    read = [imported(lines[start:end]) if _indent(lines[start]) == indent else () for start, end in spans]
    with_imports = [index for index, atoms in enumerate(read) if atoms]
    if not with_imports:
        return Zone(lines, (), 0, ())
    one, behind = _begin(lines, spans, with_imports[0]), with_imports[-1] + 1
    blocks: list[Block] = []
    above: list[str] = []
    gap = 0
    for (start, end), atoms in list(zip(spans, read, strict=True))[one:behind]:
        text = lines[start].strip()
        if atoms:
            blocks.append(Block(lines[start:end], atoms, _indent(lines[start]), tuple(above), gap))
            gap, above = 0, []
        elif text.startswith("#"):
            above.extend(lines[start:end])
        elif text or above:
            return None  # another statement between imports, or a comment that stands on none
        else:
            gap += 1
    rest = spans[behind - 1][1]
    trail = next((index for index, line in enumerate(lines[rest:]) if line.strip()), len(lines) - rest)
    return Zone(lines[: spans[one][0]], tuple(blocks), trail, lines[rest + trail :])


def _begin(lines: Lines, spans: Sequence[tuple[int, int]], at: int) -> int:
    """Return where the comments on the first import, and the blank lines before those, begin."""
    while at and lines[spans[at - 1][0]].lstrip().startswith("#"):
        at -= 1
    while at and not lines[spans[at - 1][0]].strip():
        at -= 1
    return at


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _key(part: Sequence[Token]) -> Key:
    return ("item", *(token.text for token in part if token.kind != "comment"))


def key_of(atom: Atom) -> Key:
    """Return the key of the element that writes an atom."""
    name = tuple(part for piece in atom.name.split(".") for part in (".", piece))[1:]
    return ("item", *name, *(("as", atom.alias) if atom.alias else ()))


def opened(block: Block) -> tuple[str, Row, str, bool] | None:
    """Return what stands before the names of a statement, the names, what stands behind, and whether in brackets."""
    text = block.text
    every = tokens(text)
    at = next((i for i, token in enumerate(every) if token.text == "import"), None)
    if at is None:
        return None
    bracketed = at + 1 < len(every) and every[at + 1].text == "("
    if not bracketed:
        inner = [token for token in every[at + 1 :] if token.kind != "comment" and token.text != "\\"]
        found = row(text, inner, _key)
        return (text[: every[at].end] + " ", found, text[inner[-1].end :], False) if found else None
    head, inner = text[: every[at + 1].end], every[at + 2 :]
    close = next((i for i, token in enumerate(inner) if token.text == ")"), None)
    if close is None:
        return None
    tail = text[inner[close].start :]
    if inner[0].kind == "comment" and "\n" not in text[len(head) : inner[0].start]:
        head, inner, close = text[: inner[0].end], inner[1:], close - 1
    found = row(text, inner[:close], _key)
    return (head, found, tail, True) if found else None


def rewritten(block: Block, wanted: Sequence[Atom], more: Collection[Block], width: int) -> Block | None:
    """Return a statement that imports these names of its module, written as before; None: nothing can write it.

    ``more`` are statements from which comments on the names are taken.
    """
    parts = opened(block)
    if parts is None:
        return None
    head, names, tail, bracketed = parts
    known = names.by_key
    for other in more:
        found = opened(other)
        for key, element in (found[1].by_key if found else {}).items():
            known.setdefault(key, element)
    elements = [known.get(key_of(atom)) or _plain(atom) for atom in wanted]
    if bracketed:
        lines = _in_brackets((head, names, tail), elements, block.text, width)
    else:
        lines = _bare(block, head, tail, elements, width)
    return replace(block, lines=lines, atoms=tuple(wanted)) if lines else None


def _plain(atom: Atom) -> Element:
    code = f"{atom.name} as {atom.alias}" if atom.alias else atom.name
    return Element(key_of(atom), key_of(atom)[1:], code)


def _in_brackets(
    parts: tuple[str, Row, str], elements: Sequence[Element], text: str, width: int
) -> Lines | None:
    head, names, tail = parts
    inner = text[len(head) : len(text) - len(tail)]
    flat = "\n" not in text[: len(text) - len(tail)]
    lead = inner[len(inner.rstrip()) :]
    frame = Frame(head, names, lead, tail, (), 0, flat)
    frames = (frame, frame, frame)
    bracket = Bracket("(", ("from", "import"), opened=True, closed=True, ends=True, frames=frames)
    return written(bracket, elements, "ours", tail, width)


def _bare(block: Block, head: str, tail: str, elements: Sequence[Element], width: int) -> Lines | None:
    if any(one.note or any(one.above) for one in elements):
        return _stacked(block, head, tail, elements)
    line = head + ", ".join(one.code for one in elements) + tail
    if len(line.rstrip("\n")) <= max(width, len(block.lines[0].rstrip("\n"))):
        return split(line)
    if not block.module:  # ``import a, b`` takes no brackets
        return (
            split("".join(f"{block.indent}import {one.code}\n" for one in elements))
            if not tail.strip()
            else None
        )
    return _stacked(block, head, tail, elements)


def _stacked(block: Block, head: str, tail: str, elements: Sequence[Element]) -> Lines:
    """Write a statement that had no brackets with one line for each name."""
    note = f"  {tail.strip()}" if tail.strip() else ""
    body: list[str] = []
    for one in elements:
        body.extend(f"{block.indent}{STEP}{comment}\n" for comment in one.above if comment)
        body.append(f"{block.indent}{STEP}{one.code}," + (f"  {one.note}" if one.note else "") + "\n")
    return (f"{head}({note}\n", *body, f"{block.indent})\n")


def placed(
    names: Sequence[Atom], new: Sequence[Atom], beside: Sequence[Atom], *, last: bool = False
) -> list[Atom]:
    """Put names among others: where they belong if those are sorted, else behind their neighbours in ``beside``.

    ``last``: behind what the others have there on their own.
    """
    for way in WAYS:
        keys = [key_of(one) for one in names]
        if keys == sorted(keys, key=way):
            other = [key_of(one) for one in beside]
            if len(keys) > 1 or other == sorted(other, key=way):
                return sorted([*names, *new], key=lambda atom, way=way: way(key_of(atom)))  # type: ignore[misc]
    found = list(names)
    for atom in new:
        neighbour = next((one for one in reversed(beside[: beside.index(atom)]) if one in found), None)
        at = found.index(neighbour) + 1 if neighbour else len(found)
        while last and at < len(found) and found[at] not in beside:
            at += 1
        found.insert(at, atom)
    return found
