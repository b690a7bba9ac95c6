"""JSON as an outline and as data, with the comments and last commas that settings files of editors and compilers have."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pucs.merge.records import Objection
from pucs.merge.structured.brackets import Brackets, Token, tokens
from pucs.merge.structured.counts import READ_AGAIN, miscounted
from pucs.merge.structured.leaves import higher_version, inline
from pucs.merge.structured.outline import Node, Unreadable, divided

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.merge.records import Lines
    from pucs.merge.structured.weaving import Leaf

_TOKEN = re.compile(
    r"""(?P<skip>[ \t\r\n]+|//[^\n]*|/\*.*?\*/)|[{}\[\],:]|"(?:[^"\\\n]|\\.)*"|-?\d[\w.+-]*|true|false|null""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Json:
    """JSON files; see ``language.Form``."""

    name: str = "json"
    leaves: Sequence[Leaf] = (inline, higher_version)

    def outlines(self, versions: Sequence[Lines]) -> tuple[Node, ...]:
        """See ``Form``."""
        return tuple(outline(lines) for lines in versions)

    def doubts(self, versions: Sequence[Lines], merged: Lines, *, guesses: int) -> str:
        """See ``Form``."""
        base, ours, theirs, found = (data(lines)[0] for lines in (*versions, merged))
        return miscounted(base, ours, theirs, found, missing=guesses)

    def objections(self, versions: Sequence[Lines], merged: Lines) -> tuple[Objection, ...]:
        """See ``Form``."""
        try:
            known = {double for lines in versions for double in data(lines)[1]}
        except (Unreadable, RecursionError):
            return ()
        try:
            _, doubles = data(merged)
        except (Unreadable, RecursionError) as error:
            return (Objection(f"it is no JSON any more: {error}", broken=True),)
        return tuple(Objection(f"{key} is there twice", about=key) for key in doubles if key not in known)


def outline(lines: Lines) -> Node:
    """Return a JSON text as an outline.

    Raises:
        Unreadable: it is none.
    """
    found = tokens(lines, _TOKEN)
    if not found:
        return Node("", tuple(lines))
    _, doubles = data(lines)
    if doubles:
        raise Unreadable(f"{doubles[0]} is there twice")
    brackets = Brackets(lines, found, _named)
    gap, _ = divided(lines)
    node = brackets.element(0, len(found) - 1, len(gap), key="")
    end = found[-1].end[0] + 1
    if not node.kids:
        return Node("", tuple(lines))
    return replace(node, head=(*gap, *node.head), foot=(*node.foot, *lines[end:]))


def _named(found: Sequence[Token]) -> str:
    return found[0].text


@lru_cache(maxsize=READ_AGAIN)
def data(lines: Lines) -> tuple[Any, list[str]]:
    """Return what a JSON text says, scalars as they are written, and the names that one object has twice.

    Raises:
        Unreadable: it is none.
    """
    found = tokens(lines, _TOKEN)
    if not found:
        return None, []
    doubles: list[str] = []
    value, end = _value(found, 0, doubles)
    if end != len(found):
        raise Unreadable(f"line {found[end].start[0] + 1}: more than one value")
    return value, doubles


def _value(found: Sequence[Token], at: int, doubles: list[str]) -> tuple[Any, int]:
    """Return the value that begins at a token, and the token after it."""
    if at >= len(found):
        raise Unreadable("it ends too early")
    text = found[at].text
    if text in "}],:":
        raise Unreadable(f"line {found[at].start[0] + 1}: {text}")
    if text not in "{[":
        return text, at + 1
    closing = "}" if text == "{" else "]"
    names: list[str] = []
    values: list[Any] = []
    at += 1
    while at < len(found) and found[at].text != closing:
        if text == "{":
            names.append(_name(found, at))
            at += 2
        value, at = _value(found, at, doubles)
        values.append(value)
        if at >= len(found) or found[at].text not in (",", closing):
            raise Unreadable("a comma or a bracket is missing")
        at += found[at].text == ","
    if at >= len(found):
        raise Unreadable("a bracket is not closed")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            doubles.append(name)
        seen.add(name)
    return (dict(zip(names, values, strict=True)) if text == "{" else values), at + 1


def _name(found: Sequence[Token], at: int) -> str:
    """Return the name of the member that begins at a token."""
    if not found[at].text.startswith('"') or at + 1 >= len(found) or found[at + 1].text != ":":
        raise Unreadable(f"line {found[at].start[0] + 1}: no name")
    return found[at].text
