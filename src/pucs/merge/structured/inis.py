"""Settings files with sections in square brackets (setup.cfg, tox.ini) as outlines: sections, keys, lines of a value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.merge.records import Objection
from pucs.merge.structured.brackets import SETS
from pucs.merge.structured.counts import lines_miscounted
from pucs.merge.structured.leaves import higher_version, inline
from pucs.merge.structured.outline import Kind, Node, Unreadable, blank, divided, unique

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.merge.records import Lines
    from pucs.merge.structured.weaving import Leaf

_SECTION = re.compile(r"\[(.+)\]\s*([#;].*)?$")
_KEY = re.compile(r"([^\s=:#;\[][^=:]*?)\s*(?:[=:]|$)(.*)", re.DOTALL)
_COMMENT = re.compile(r"\s*[#;]")


@dataclass(frozen=True, slots=True)
class Ini:
    """Settings files; see ``language.Form``."""

    name: str = "ini"
    leaves: Sequence[Leaf] = (inline, higher_version)

    def outlines(self, versions: Sequence[Lines]) -> tuple[Node, ...]:
        """See ``Form``."""
        return tuple(outline(lines) for lines in versions)

    def doubts(self, versions: Sequence[Lines], merged: Lines, *, guesses: int) -> str:
        """See ``Form``."""
        return "" if guesses else lines_miscounted(tuple(versions), merged)

    def objections(self, versions: Sequence[Lines], merged: Lines) -> tuple[Objection, ...]:
        """See ``Form``."""
        try:
            known = {name for lines in versions for name in doubles(outline(lines))}
            found = doubles(outline(merged))
        except Unreadable:
            return ()
        return tuple(Objection(f"{name} is there twice", about=name) for name in found if name not in known)


def doubles(node: Node) -> list[str]:
    """Return the names that one section, or the whole file, has more than once."""
    found = [kid.key.split("\0")[0] for kid in node.kids if "\0" in kid.key and not kid.loose]
    return [*found, *(name for kid in node.kids if kid.kind is Kind.MAP for name in doubles(kid))]


def outline(lines: Lines) -> Node:
    """Return a settings file as an outline.

    Raises:
        Unreadable: a line is no section, key, comment or part of a value.
    """
    root: list[Node] = []
    gaps: list[Lines] = []
    kids, kid_gaps = root, gaps
    head: Node | None = None
    line = at = 0
    while at < len(lines):
        if blank(lines[at]) or _COMMENT.match(lines[at]):
            at += 1
            continue
        gap, lead = divided(lines[line:at])
        section = _SECTION.match(lines[at])
        if section:
            if head is not None:
                root.append(_section(head, kids, kid_gaps))
            gaps.append(gap)
            name = section[1]
            head = Node(f"[{name}]", (*lead, lines[at]), kind=Kind.MAP, apart=True, name=name)
            kids, kid_gaps = [], []
            at = line = at + 1
            continue
        end = _end(lines, at)
        kids.append(_entry(lead, lines[at:end]))
        kid_gaps.append(gap)
        at = line = end
    if head is not None:
        root.append(_section(head, kids, kid_gaps))
    return Node("", kids=unique(root), gaps=tuple(gaps), foot=tuple(lines[line:]), kind=Kind.MAP)


def _section(head: Node, kids: list[Node], gaps: list[Lines]) -> Node:
    return Node(head.key, head.head, unique(kids), tuple(gaps), kind=Kind.MAP, apart=True, name=head.name)


def _end(lines: Lines, at: int) -> int:
    """Return where the value ends that begins at a line: lines that are indented go on with it."""
    stop = at = at + 1
    while at < len(lines):
        if blank(lines[at]):
            at += 1
            continue
        if not lines[at][:1].isspace():
            break
        at = stop = at + 1
    return stop


def _entry(lead: Lines, lines: Lines) -> Node:
    """Return a key with its value, whose lines are parts if the first one stands alone."""
    found = _KEY.match(lines[0])
    if found is None:
        raise Unreadable(lines[0].strip())
    key = found[1].strip()
    head = (*lead, lines[0])
    if not blank(found[2]) or len(lines) == 1 or any(map(blank, lines)):
        return Node(key, (*lead, *lines), name=key)
    kids = unique([Node(line.strip(), (line,), loose=True) for line in lines[1:]])
    kind = Kind.LIST if SETS.search(key) else Kind.ROW
    return Node(key, head, kids, ((),) * len(kids), kind=kind, name=key)
