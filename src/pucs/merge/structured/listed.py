"""Files that are lists of lines: requirements, patterns to ignore, owners, authors, examples of an environment."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pucs.merge.structured.outline import Kind, Node, blank, unique

if TYPE_CHECKING:
    from pucs.merge.records import Lines

_REQUIREMENT = re.compile(r"([A-Za-z0-9][\w.-]*(?:\[[\w,.\s-]*\])?)\s*(?:[<>=!~;@#]|$)")
_SETTING = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)=")
_SEPARATORS = re.compile(r"[-_.]+")


def outline(lines: Lines, name: str) -> Node:
    """Return a list of lines as an outline; ``name`` is what the lines are: ``requirement``, ``setting``, else any."""
    kids: list[Node] = []
    gaps: list[Lines] = []
    gap: list[str] = []
    for line in lines:
        if blank(line):
            gap.append(line)
            continue
        gaps.append(tuple(gap))
        gap = []
        kids.append(_entry(line, name))
    return Node("", kids=unique(kids), gaps=tuple(gaps), foot=tuple(gap), kind=Kind.LIST)


def _entry(line: str, name: str) -> Node:
    text = line.strip()
    found = {"requirement": _REQUIREMENT, "setting": _SETTING}[name].match(text) if name else None
    if found:
        key = _SEPARATORS.sub("-", found[1]).casefold() if name == "requirement" else found[1]
        return Node(key, (line,), name=found[1])
    return replace(Node(text, (line,)), loose=text.startswith("#"))
