"""YAML as an outline: keys of mappings and items of lists where they stand on lines of their own.

Positions come from the parser's own marks. What is written between brackets, and text in blocks, is lines to the merge;
so is a file of several documents.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import yaml

from pucs.merge.records import Objection
from pucs.merge.structured.brackets import SETS
from pucs.merge.structured.counts import READ_AGAIN, miscounted
from pucs.merge.structured.leaves import higher_version, inline
from pucs.merge.structured.outline import DEPTH_MAX, Kind, Node, Unreadable, blank, divided, unique

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.merge.records import Lines
    from pucs.merge.structured.weaving import Leaf

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
BYTES_MAX = 300_000
"""Largest text that is read: the parser takes a second for it where it is not compiled."""
_VALUES_MAX = 200_000
"""Values of one text, those of aliases counted each time: more is a text made to be too large."""
_DASH = re.compile(r"\s*-(\s|$)")


@dataclass(frozen=True, slots=True)
class Yaml:
    """YAML files; see ``language.Form``."""

    name: str = "yaml"
    leaves: Sequence[Leaf] = (inline, higher_version)

    def outlines(self, versions: Sequence[Lines]) -> tuple[Node, ...]:
        """See ``Form``."""
        return tuple(outline(lines) for lines in versions)

    def doubts(self, versions: Sequence[Lines], merged: Lines, *, guesses: int) -> str:
        """See ``Form``."""
        try:
            base, ours, theirs, found = (data(lines) for lines in (*versions, merged))
        except (Unreadable, RecursionError) as error:
            return str(error) or "too deep"
        return miscounted(base, ours, theirs, found, missing=guesses)

    def objections(self, versions: Sequence[Lines], merged: Lines) -> tuple[Objection, ...]:
        """See ``Form``."""
        try:
            for lines in versions:
                data(lines)
        except (Unreadable, RecursionError):
            return ()
        try:
            data(merged)
        except (Unreadable, RecursionError) as error:
            return (Objection(f"it is no YAML any more: {error}", broken=True),)
        return ()


def composed(lines: Lines) -> yaml.Node | None:
    """Return the parser's tree of a text, None if it is empty.

    Raises:
        Unreadable: it is no YAML, holds several documents, or is too large.
    """
    text = "".join(lines)
    if len(text) > BYTES_MAX:
        raise Unreadable("too large")
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(str(error).partition("\n")[0]) from error
    return node


@lru_cache(maxsize=READ_AGAIN)
def data(lines: Lines) -> Any:
    """Return what a text says: scalars with their tags, as they are written.

    Raises:
        Unreadable: it cannot be read, or names a key twice.
    """
    return _data(composed(lines), [_VALUES_MAX], 0)


def _data(node: yaml.Node | None, left: list[int], depth: int) -> Any:
    left[0] -= 1
    if left[0] < 0 or depth > DEPTH_MAX:
        raise Unreadable("too many values")
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = str(_data(key, left, depth + 1))
            if name in found:
                raise Unreadable(f"{key.value} is there twice")
            found[name] = _data(value, left, depth + 1)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_data(value, left, depth + 1) for value in node.value]
    return None if node is None else (node.tag, str(node.value))


def outline(lines: Lines) -> Node:
    """Return a YAML text as an outline.

    Raises:
        Unreadable: it cannot be read, or it cannot be told which lines are whose.
    """
    node = composed(lines)
    if node is None:
        return Node("", tuple(lines))
    data(lines)
    first = node.start_mark.line
    while first and not blank(lines[first - 1]) and lines[first - 1].startswith("#"):
        first -= 1
    end = len(lines)
    while end > first and blank(lines[end - 1]):
        end -= 1
    reader = _Reader(lines)
    found = reader.parts(node, first, end, 0)
    if found is None:
        return Node("", tuple(lines))
    kids, gaps, foot, kind = found
    return Node("", tuple(lines[:first]), kids, gaps, (*foot, *lines[end:]), kind=kind)


class _Reader:
    """Finds which lines belong to which part."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines

    def parts(
        self, node: yaml.Node, first: int, end: int, depth: int, key: str = ""
    ) -> tuple[tuple[Node, ...], tuple[Lines, ...], Lines, Kind] | None:
        """Return the parts of a mapping or list that has the lines from ``first`` to ``end``; None: it has none.

        With them the lines after the last one that are comments of no part.
        """
        if not isinstance(node, (yaml.MappingNode, yaml.SequenceNode)) or node.flow_style or not node.value:
            return None
        column = node.start_mark.column
        starts = self._starts(node, column, first, end)
        if starts is None or depth > DEPTH_MAX:
            return None
        kids: list[Node] = []
        gaps: list[Lines] = []
        at = first
        for index, start in enumerate(starts):
            limit = starts[index + 1] if index + 1 < len(starts) else end
            stop = self._content_end(start, limit, column)
            gap, lead = divided(self.lines[at:start])
            gaps.append(gap)
            kids.append(self._part(node, index, lead, (start, stop), depth))
            at = stop
        kind = Kind.MAP
        if isinstance(node, yaml.SequenceNode):
            kind = Kind.LIST if SETS.search(key) else Kind.ROW
        return unique(kids), tuple(gaps), tuple(self.lines[at:end]), kind

    def _starts(self, node: yaml.CollectionNode, column: int, first: int, end: int) -> list[int] | None:
        """Return the line in which each part begins, None if two share one."""
        starts: list[int] = []
        for entry in node.value:
            if isinstance(node, yaml.MappingNode):
                mark = entry[0].start_mark
                if mark.column != column:
                    return None
                line = mark.line
            else:
                line = entry.start_mark.line
                while line >= first and not (
                    _DASH.match(self.lines[line]) and _indent(self.lines[line]) == column
                ):
                    line -= 1
            if not first <= line < end or (starts and line <= starts[-1]):
                return None
            starts.append(line)
        return starts

    def _content_end(self, start: int, limit: int, column: int) -> int:
        """Return where a part ends: blank lines and comments that are not indented deeper stand before the next one."""
        stop = limit
        while stop > start + 1:
            line = self.lines[stop - 1]
            if not blank(line) and not (line.lstrip().startswith("#") and _indent(line) <= column):
                break
            stop -= 1
        return stop

    def _part(
        self, node: yaml.CollectionNode, index: int, lead: Lines, span: tuple[int, int], depth: int
    ) -> Node:
        """Return one entry of a mapping, or one item of a list."""
        start, stop = span
        lines = tuple(self.lines[start:stop])
        entry = node.value[index]
        if isinstance(node, yaml.MappingNode):
            key, value = entry
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "".join(lines)
            loose = False
        else:
            value, name, loose = entry, " ".join("".join(lines).split()), True
        begin = value.start_mark.line
        whole = Node(name, (*lead, *lines), loose=loose, name="" if loose else name)
        if begin == start and loose and isinstance(value, yaml.MappingNode) and not value.flow_style:
            return self._item(value, whole, lead, start, stop)
        if not start < begin < stop:
            return whole
        while begin > start + 1 and self.lines[begin - 1].lstrip().startswith("#"):
            begin -= 1
        found = self.parts(value, begin, stop, depth + 1, name)
        if found is None:
            return whole
        kids, gaps, foot, kind = found
        head = (*lead, *self.lines[start:begin])
        return replace(whole, head=head, kids=kids, gaps=gaps, foot=foot, kind=kind)

    def _item(self, value: yaml.MappingNode, whole: Node, lead: Lines, start: int, stop: int) -> Node:
        """Return an item whose first key stands behind its dash: that key stays with the dash, the others are parts."""
        if len(value.value) == 1:
            return whole
        rest = yaml.MappingNode(
            value.tag, value.value[1:], value.value[1][0].start_mark, value.end_mark, flow_style=False
        )
        begin = rest.start_mark.line
        while begin > start + 1 and self.lines[begin - 1].lstrip().startswith("#"):
            begin -= 1
        if begin <= start:
            return whole
        found = self.parts(rest, begin, stop, 1)
        if found is None:
            return whole
        kids, gaps, foot, kind = found
        return replace(
            whole, head=(*lead, *self.lines[start:begin]), kids=kids, gaps=gaps, foot=foot, kind=kind
        )


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
