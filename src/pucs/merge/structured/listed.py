"""Files that are lists of lines: requirements, patterns to ignore, owners, authors, examples of an environment."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pucs.merge.structured.outline import Kind, Node, Unreadable, blank, unique

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pucs.merge.records import Lines

_REQUIREMENT = re.compile(r"([A-Za-z0-9][\w.-]*(?:\[[\w,.\s-]*\])?)\s*(?:[<>=!~;@#]|$)")
_SETTING = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)=")
_GENERATED = re.compile(r"(?i)\bauto-?generated\b|\bgenerated (by|with|from)\b|\bcompiled (by|with|from)\b")
GENERATED_WITHIN = 10
"""Lines in which a program says that it wrote a file: it does so at the top."""
_NAMED = {"requirement": _REQUIREMENT, "setting": _SETTING}
_SEPARATORS = re.compile(r"[-_.]+")


def outline(lines: Lines, name: str) -> Node:
    """Return a list of lines as an outline; ``name`` is what the lines are: ``requirement``, ``setting``, ``rule``, else any.

    Indented lines belong to the one above. Of rules the last one that fits counts, and so it does where one takes back
    what another says: ``!``.

    Raises:
        Unreadable: a program wrote it, and merged text would pass for what that program never said.
    """
    if any(line.startswith("#") and _GENERATED.search(line) for line in lines[:GENERATED_WITHIN]):
        raise Unreadable("generated")
    kids: list[Node] = []
    gaps: list[Lines] = []
    gap: list[str] = []
    for line in lines:
        if blank(line):
            gap.append(line)
        elif line[0].isspace() and kids and not gap:
            kids[-1] = replace(kids[-1], head=(*kids[-1].head, line))
        else:
            gaps.append(tuple(gap))
            gap = []
            kids.append(_entry(line, name))
    ordered = name == "rule" or (not name and any(kid.key.startswith("!") for kid in kids))
    kind = Kind.ROW if ordered else Kind.MAP
    return Node("", kids=unique(kids), gaps=tuple(gaps), foot=tuple(gap), kind=kind)


def _entry(line: str, name: str) -> Node:
    text = line.strip()
    found = _NAMED[name].match(text) if name in _NAMED else None
    if found:
        key = _SEPARATORS.sub("-", found[1]).casefold() if name == "requirement" else found[1]
        return Node(key, (line,), name=found[1])
    return Node(text, (line,), loose=text.startswith("#") or name == "requirement")


def misheaded(versions: Sequence[Lines], merged: Lines, name: str) -> str:
    """Return a comment that is about other lines of a list in the merge than where it was written, empty if there is none.

    What a side wrote one over stands below it, and what the other side added does not.
    """
    base, ours, theirs, found = ([*_told(lines, name)] for lines in (*versions, merged))
    known = {one.key for one in base}
    for side, other in ((ours, theirs), (theirs, ours)):
        for comment, _ in sorted(_over(side) - _over(base) - _over(found)):
            return comment
        here, there = ({one.key for one in rows} - known for rows in (side, other))
        for one in found:
            if one.key in here - there and one.heading in there - here:
                return one.heading
    return ""


class _Told(NamedTuple):
    """A part of a list and what is above it."""

    key: str
    above: str
    heading: str
    """The comment over the lines among which it stands, empty if there is none."""


def _told(lines: Lines, name: str) -> Iterator[_Told]:
    above = heading = ""
    node = outline(lines, name)
    for kid, gap in zip(node.kids, node.gaps, strict=True):
        heading = kid.key if kid.key.startswith("#") else "" if gap else heading
        yield _Told(kid.key, above, heading)
        above = kid.key


def _over(rows: Sequence[_Told]) -> set[tuple[str, str]]:
    """Return comments with the key of the part that follows."""
    return {(one.above, one.key) for one in rows if one.above.startswith("#")}
