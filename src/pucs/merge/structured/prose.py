"""Markdown, reStructuredText and plain change logs as outlines: sections by headings, list items, table rows, paragraphs.

It reads what people write, not all that the formats allow. What it does not know is a paragraph: lines that stay together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pucs.merge.structured.orders import version_key
from pucs.merge.structured.outline import DEPTH_MAX, Kind, Node, blank, unique

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pucs.merge.records import Lines

_ATX = re.compile(r"(#{1,6})\s+\S")
_RULE = re.compile(r"([=\-~^\"'`*+.:_#<>])\1{2,}\s*$")
_BOLD = re.compile(r"(\*\*|__)[^*_]+\1:?\s*$")
_FENCE = re.compile(r"\s*(```+|~~~+)")
_ITEM = re.compile(r"(\s*)([-*+•]|\d+[.)]|#\.)\s+\S")
_ANCHOR = re.compile(r"(\.\. _[^:]+:\s*$|\([\w.-]+\)=\s*$|<a (name|id)=[^>]*>\s*(</a>)?\s*$)")
_REFERENCE = re.compile(r"\s{0,3}(\[[^\]]+\]:\s|\.\. _[^:]+:\s+\S|\.\. \|[^|]+\| )")
_ROWS = re.compile(r"\s*\|")
_DELIMITERS = re.compile(r"\s*\|?[\s:|-]+\|[\s:|-]*$")
_DIRECTIVE = re.compile(r"\.\. \S")
_SPACE = re.compile(r"\s+")
_BOLD_LEVEL = 90
"""Level of a line in bold type that stands for a heading: below all real ones."""


@dataclass(frozen=True, slots=True)
class _Heading:
    first: int
    end: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class Prose:
    """A reader of one kind of prose; the versions of a file are read by one reader, so that their levels agree."""

    markdown: bool
    rules: tuple[str, ...] = ()
    """How headings are underlined, the highest level first."""

    def among(self, versions: Sequence[Lines]) -> Prose:
        """Return a reader that knows the headings of all versions."""
        if self.markdown:
            return replace(self, rules=("=", "-"))
        found: dict[str, None] = {}
        for lines in versions:
            for at in range(1, len(lines)):
                style = _style(lines, at)
                if style:
                    found.setdefault(style)
        return replace(self, rules=tuple(found))

    def outline(self, lines: Lines) -> Node:
        """Return the outline of a text."""
        headings = list(self._headings(lines))
        gaps_and_blocks = self._blocks(lines, 0, headings[0].first if headings else len(lines))
        root = _Section(Node("", kind=Kind.LIST), 0, gaps_and_blocks)
        stack = [root]
        for index, heading in enumerate(headings):
            end = headings[index + 1].first if index + 1 < len(headings) else len(lines)
            head = lines[heading.first : heading.end]
            key = f"#{version_key(heading.title) or heading.title.casefold()}"
            node = Node(key, head, kind=Kind.LIST, apart=True, name=heading.title)
            section = _Section(node, heading.level, self._blocks(lines, heading.end, end))
            while stack[-1].level >= heading.level:
                _close(stack)
            stack.append(section)
        while len(stack) > 1:
            _close(stack)
        return root.closed()[0]

    def _headings(self, lines: Lines) -> Iterator[_Heading]:
        """Yield the headings, with the anchors that stand before them."""
        at = 0
        if self.markdown and lines and lines[0].rstrip() == "---":
            at = next((k + 1 for k in range(1, len(lines)) if lines[k].rstrip() == "---"), 0)
        done = at
        while at < len(lines):
            fence = _FENCE.match(lines[at])
            if fence:
                at = _after_fence(lines, at, fence[1])
                continue
            found = self._heading(lines, at)
            if found is None:
                at += 1
                continue
            first = _with_anchors(lines, found.first, done)
            yield replace(found, first=first)
            at = done = found.end

    def _heading(self, lines: Lines, at: int) -> _Heading | None:
        """Return the heading that begins at a line."""
        line = lines[at]
        sharp = _ATX.match(line)
        if sharp and (self.markdown or not self.rules):
            return _Heading(at, at + 1, len(sharp[1]), line.strip("# \n"))
        over = _RULE.match(line)
        if (
            over
            and at + 2 < len(lines)
            and not blank(lines[at + 1])
            and lines[at + 2].rstrip() == line.rstrip()
        ):
            style = line[0] * 2
            if style in self.rules:
                return _Heading(at, at + 3, self.rules.index(style) + 1, lines[at + 1].strip())
        if at + 1 < len(lines) and (at == 0 or blank(lines[at - 1]) or _ANCHOR.match(lines[at - 1])):
            style = _style(lines, at + 1)
            if style and style in self.rules:
                return _Heading(at, at + 2, self.rules.index(style) + 1, line.strip())
        if _BOLD.match(line) and (at == 0 or blank(lines[at - 1])):
            return _Heading(at, at + 1, _BOLD_LEVEL, line.strip())
        return None

    def _blocks(self, lines: Lines, at: int, end: int) -> list[tuple[Lines, Node | None]]:
        """Return the blocks between two lines, each with the blank lines before it; the last one may be blank only."""
        found: list[tuple[Lines, Node | None]] = []
        while at < end:
            start = at
            while at < end and blank(lines[at]):
                at += 1
            gap = lines[start:at]
            if at == end:
                found.append((gap, None))
                break
            node, at = _block(lines, at, end, markdown=self.markdown)
            found.append((gap, node))
        return found


class _Section:
    """A section while its parts are gathered."""

    def __init__(self, node: Node, level: int, blocks: list[tuple[Lines, Node | None]]) -> None:
        self.node = node
        self.level = level
        self.blocks = blocks

    def closed(self) -> tuple[Node, Lines]:
        """Return the section, and the blank lines after it."""
        rest: Lines = ()
        blocks = list(self.blocks)
        if blocks and blocks[-1][1] is None:
            rest = blocks.pop()[0]
        kids = unique([node for _, node in blocks if node is not None])
        gaps = tuple(gap for gap, _ in blocks)
        if self.level == 0:
            return replace(self.node, kids=kids, gaps=gaps, foot=rest), ()
        return replace(self.node, kids=kids, gaps=gaps), rest


def _close(stack: list[_Section]) -> None:
    """Hand the innermost section over to the one around it."""
    section = stack.pop()
    node, rest = section.closed()
    blocks = stack[-1].blocks
    gap: Lines = ()
    if blocks and blocks[-1][1] is None:
        gap = blocks.pop()[0]
    blocks.append((gap, node))
    if rest:
        blocks.append((rest, None))


def _style(lines: Lines, at: int) -> str:
    """Return how the line before is underlined by this one: its sign, twice if there is one above; empty: not at all."""
    found = _RULE.match(lines[at])
    above = lines[at - 1]
    if not found or blank(above) or above[:1].isspace() or _RULE.match(above) or _ITEM.match(above):
        return ""
    if len(lines[at].rstrip()) + 3 < len(above.rstrip()):
        return ""
    over = at >= 2 and lines[at - 2].rstrip() == lines[at].rstrip()  # noqa: PLR2004 - the line above the title
    return found[1] * 2 if over else found[1]


def _with_anchors(lines: Lines, at: int, stop: int) -> int:
    """Return where a heading begins if anchors for it stand before it."""
    first = at
    while at > stop:
        at -= 1
        if _ANCHOR.match(lines[at]):
            first = at
        elif not blank(lines[at]):
            break
    return first


def _after_fence(lines: Lines, at: int, sign: str) -> int:
    """Return the line after a block of code between fences."""
    for k in range(at + 1, len(lines)):
        if lines[k].strip().startswith(sign) and not lines[k].strip().strip(sign[0]):
            return k + 1
    return at + 1


def _block(lines: Lines, at: int, end: int, *, markdown: bool) -> tuple[Node, int]:
    """Return the block that begins at a line, and where it ends."""
    line = lines[at]
    fence = _FENCE.match(line) if markdown else None
    if fence:
        stop = min(end, _after_fence(lines, at, fence[1]))
        return _leaf(lines[at:stop]), stop
    if _ITEM.match(line):
        return _item(lines, at, end, depth=0)
    if _REFERENCE.match(line):
        return Node(f"[{_label(line)}", (line,), name=""), at + 1
    if markdown and _ROWS.match(line) and at + 1 < end and _DELIMITERS.match(lines[at + 1]):
        return _table(lines, at, end)
    if _DIRECTIVE.match(line):
        stop = _indented(lines, at + 1, end, 0)
        return _directive(lines[at:stop]), stop
    stop = at + 1
    while (
        stop < end
        and not blank(lines[stop])
        and not _ITEM.match(lines[stop])
        and not _REFERENCE.match(lines[stop])
    ):
        stop += 1
    return _leaf(lines[at:stop]), stop


def _leaf(lines: Lines) -> Node:
    return Node(_said(lines), lines, loose=True, apart=True)


def _said(lines: Sequence[str]) -> str:
    """Return what lines say, however they are wrapped."""
    return _SPACE.sub(" ", "".join(lines)).strip()


def _label(line: str) -> str:
    """Return the label of a reference."""
    return re.split(r"\]:|: |\| ", line.strip(), maxsplit=1)[0]


def _indented(lines: Lines, at: int, end: int, indent: int) -> int:
    """Return where lines end that are indented by more than ``indent``; blank lines after them do not belong to them."""
    stop = at
    while at < end:
        if not blank(lines[at]):
            if _indent(lines[at]) <= indent:
                break
            stop = at + 1
        at += 1
    return stop


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _item(lines: Lines, at: int, end: int, *, depth: int) -> tuple[Node, int]:
    """Return the item of a list that begins at a line, with the items in it, and where it ends."""
    indent = _indent(lines[at])
    stop = _indented(lines, at + 1, end, indent)
    while stop < end and stop > at and not blank(lines[stop]) and not blank(lines[stop - 1]):
        # Text that goes on without being indented.
        if _ITEM.match(lines[stop]) or _indent(lines[stop]) < indent or _FENCE.match(lines[stop]):
            break
        stop = max(stop + 1, _indented(lines, stop + 1, end, indent))
    first = at + 1
    while first < stop and not _ITEM.match(lines[first]) and not blank(lines[first]):
        first += 1
    head_end = first
    kids: list[Node] = []
    gaps: list[Lines] = []
    at_kid = first
    while at_kid < stop and depth < DEPTH_MAX:
        start = at_kid
        while at_kid < stop and blank(lines[at_kid]):
            at_kid += 1
        if at_kid >= stop or not _ITEM.match(lines[at_kid]) or _indent(lines[at_kid]) <= indent:
            kids, gaps, head_end = [], [], stop  # paragraphs in an item: it stays whole
            break
        gaps.append(lines[start:at_kid])
        kid, at_kid = _item(lines, at_kid, stop, depth=depth + 1)
        kids.append(kid)
    if at_kid < stop and head_end != stop:
        kids, gaps, head_end = [], [], stop
    head = lines[at:head_end]
    kind = Kind.LIST if kids else Kind.LEAF
    said = _said(head)
    return Node(said, head, unique(kids), tuple(gaps), kind=kind, loose=True), stop


def _table(lines: Lines, at: int, end: int) -> tuple[Node, int]:
    """Return the table that begins at a line, its rows as parts."""
    stop = at + 2
    while stop < end and _ROWS.match(lines[stop]):
        stop += 1
    cells = [line.strip().strip("|").split("|")[0].strip() for line in lines[at + 2 : stop]]
    named = len(set(cells)) == len(cells) and all(cells)
    rows = [
        Node(f"|{cell}" if named else _said([line]), (line,), loose=not named)
        for cell, line in zip(cells, lines[at + 2 : stop], strict=True)
    ]
    key = f"|{_said([lines[at]])}"
    return Node(key, lines[at : at + 2], unique(rows), ((),) * len(rows), kind=Kind.LIST, apart=True), stop


def _directive(lines: Lines) -> Node:
    """Return a directive: the entries of a table of contents are parts, everything else stays together."""
    if not lines[0].startswith(".. toctree::"):
        return _leaf(lines)
    first = next((k for k in range(1, len(lines)) if blank(lines[k])), len(lines))
    while first < len(lines) and blank(lines[first]):
        first += 1
    entries = lines[first:]
    if any(map(blank, entries)):
        return _leaf(lines)
    kids = unique([Node(line.strip(), (line,)) for line in entries])
    return Node(".. toctree", lines[:first], kids, ((),) * len(kids), kind=Kind.LIST, apart=True)
