"""A Python file as a tree of segments: imports, definitions, and what stands between them.

Every line belongs to exactly one segment of its level; blank lines belong to what follows them, a comment block directly
above a definition to the definition. Definitions hold the segments of their bodies, so that a class can be merged member
by member. Broken code and Python 2 have segments too: what cannot be told apart is one stretch of statements.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from pucs.merge.records import Clash, Lines, Texts

DEPTH_MAX = 12
"""Definitions inside definitions that are told apart; deeper ones are lines of the one around them."""
VERSIONS_MAX = 8
"""Texts whose segments are remembered: three versions and a few results of one merge."""
_IMPORTS = frozenset({"import_statement", "import_from_statement", "future_import_statement"})
_DEFINITIONS = frozenset({"function_definition", "class_definition", "decorated_definition"})


class Kind(Enum):
    """What a segment is."""

    IMPORTS = "imports"
    CLASS = "class"
    FUNCTION = "function"
    STATEMENTS = "statements"
    """Anything else, comments too; at the end of a file perhaps nothing but blank lines."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Neighbouring lines of one file, as indexes from 0."""

    kind: Kind
    first: int
    """With the blank lines above."""
    start: int
    """The first line that is not blank; a definition's comments and decorators count."""
    last: int
    """Exclusive."""
    name: str = ""
    """Of a definition."""
    column: int = 0
    """How far a definition is indented."""
    decorators: tuple[tuple[int, int], ...] = ()
    """First and last line (exclusive) of each decorator."""
    head: int = 0
    """The line of ``def`` or ``class``."""
    body: int = 0
    """The first line after the colon of a definition; ``last`` if all stands on one line."""
    members: tuple[Segment, ...] = ()
    """What a class's body consists of, without gaps, and a function's if it has definitions in it; else empty."""

    @property
    def is_definition(self) -> bool:
        """Whether it is a class or a function."""
        return self.kind in (Kind.CLASS, Kind.FUNCTION)


@lru_cache(maxsize=VERSIONS_MAX)
def segments(lines: Lines) -> tuple[Segment, ...]:
    """Return the segments of a file, which cover its lines without gaps. Nothing is raised."""
    import tree_sitter  # noqa: PLC0415 - loaded when a conflict needs it
    import tree_sitter_python  # noqa: PLC0415

    if not lines:
        return ()
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))
    root = parser.parse("".join(lines).encode("utf-8", "surrogateescape")).root_node
    return _level(lines, root, (0, len(lines)), 0, 0)


def path_to(lines: Lines, index: int) -> tuple[Segment, ...]:
    """Return the definitions around a line, the outermost first."""
    found: list[Segment] = []
    level = segments(lines)
    while level:
        around = next((one for one in level if one.start <= index < one.last and one.is_definition), None)
        if around is None:
            break
        found.append(around)
        level = around.members
    return tuple(found)


def entity_at(lines: Lines, index: int) -> str:
    """Return the qualified name of the innermost definition around a line, empty if there is none."""
    return ".".join(one.name for one in path_to(lines, index))


def entity_of(texts: Texts, clash: Clash) -> str:
    """Return the qualified name of the innermost definition around a clash, of the first version that has lines there."""
    at = clash.at
    for version, lines, first in (
        (texts.ours, clash.ours, at.ours),
        (texts.base, clash.base, at.base),
        (texts.theirs, clash.theirs, at.theirs),
    ):
        said = next((index for index, line in enumerate(lines) if line.strip()), None)
        if first >= 0 and said is not None:
            return entity_at(version, first + said)
    return ""


def _level(
    lines: Lines, parent: Node, extent: tuple[int, int], column: int, depth: int
) -> tuple[Segment, ...]:
    """Return the segments of some lines, which hold the children of a node."""
    first, last = extent
    found: list[Segment] = []
    at = first
    floor = first  # lines that a statement has taken: no comment above a definition begins before
    imports: tuple[int, int] | None = None
    for node in _statements(parent, column):
        start, end = node.start_point.row, _end(node)
        if node.type == "comment":
            continue
        if start < floor:
            floor = max(floor, end)
            continue
        if node.type in _IMPORTS:
            imports = (imports[0] if imports else start, end)
        else:
            if imports is not None:
                at = _between(lines, at, imports, found)
                imports = None
            if node.type in _DEFINITIONS:
                top = _above(lines, start, floor, node.start_point.column)
                if top > at:
                    found.extend(_rest(lines, at, top))
                    at = found[-1].last if found else at
                end = min(_below(lines, end, last, node.start_point.column), last)
                found.append(_definition(lines, node, (at, top, end), depth))
                at = end
        floor = max(floor, end)
    if imports is not None:
        at = _between(lines, at, imports, found)
    if at < last:
        found.append(Segment(Kind.STATEMENTS, at, _after_blanks(lines, at, last), last))
    return tuple(found)


def _statements(parent: Node, column: int) -> Iterator[Node]:
    """Yield the statements below a node, those of broken stretches too if they are indented alike."""
    waiting = [parent]
    while waiting:
        node = waiting.pop()
        if node is parent:
            waiting.extend(reversed(node.children))
        elif node.type == "ERROR":
            waiting.extend(
                child
                for child in reversed(node.children)
                if child.is_named and child.start_point.column == column
            )
        else:
            yield node


def _end(node: Node) -> int:
    """Return the line after a node."""
    return node.end_point.row + (node.end_point.column > 0)


def _above(lines: Lines, start: int, floor: int, column: int) -> int:
    """Return where the comment block directly above a definition begins."""
    while start > floor:
        line = lines[start - 1]
        bare = line.lstrip()
        if not bare.startswith("#") or len(line) - len(bare) != column:
            break
        start -= 1
    return start


def _below(lines: Lines, end: int, last: int, column: int) -> int:
    """Return where a definition ends with the comments in its body that come last."""
    at = end
    while at < last:
        line = lines[at]
        bare = line.lstrip()
        if bare:
            if not bare.startswith("#") or len(line) - len(bare) <= column:
                break
            end = at + 1
        at += 1
    return end


def _after_blanks(lines: Lines, at: int, last: int) -> int:
    while at < last and not lines[at].strip():
        at += 1
    return at


def _between(lines: Lines, at: int, imports: tuple[int, int], found: list[Segment]) -> int:
    """Add a run of imports and what stands above it; return where it ends."""
    start = _above(lines, imports[0], at, _indent(lines[imports[0]]))
    if _after_blanks(lines, at, start) < start:
        found.extend(_rest(lines, at, start))
        at = found[-1].last
    found.append(Segment(Kind.IMPORTS, at, start, imports[1]))
    return imports[1]


def _rest(lines: Lines, at: int, last: int) -> Iterator[Segment]:
    """Yield the statements in some lines; blank ones at the end are left to what follows."""
    end = last
    while end > at and not lines[end - 1].strip():
        end -= 1
    if end > at:
        yield Segment(Kind.STATEMENTS, at, _after_blanks(lines, at, end), end)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _definition(lines: Lines, node: Node, extent: tuple[int, int, int], depth: int) -> Segment:
    """Return a definition whose first line, start and end are known."""
    first, start, last = extent
    decorators = tuple(
        (child.start_point.row, _end(child)) for child in node.children if child.type == "decorator"
    )
    inner = node.child_by_field_name("definition") if node.type == "decorated_definition" else node
    name = inner and inner.child_by_field_name("name")
    if inner is None or name is None or name.text is None:
        return Segment(Kind.STATEMENTS, first, start, last)
    kind = Kind.CLASS if inner.type == "class_definition" else Kind.FUNCTION
    head = inner.start_point.row
    colons = [child.start_point.row for child in inner.children if child.type == ":"]
    block = inner.child_by_field_name("body")
    body = min(colons[-1] + 1, last) if colons else last
    members: tuple[Segment, ...] = ()
    if block is not None and block.start_point.row >= body and depth < DEPTH_MAX:
        members = _level(lines, block, (body, last), block.start_point.column, depth + 1)
        if kind is Kind.FUNCTION and not any(member.is_definition for member in members):
            members = ()
    return Segment(
        kind,
        first,
        start,
        last,
        name=name.text.decode("utf-8", "surrogateescape"),
        column=node.start_point.column,
        decorators=decorators,
        head=head,
        body=body,
        members=members,
    )
