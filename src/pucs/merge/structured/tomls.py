"""TOML as an outline: tables by their names, keys in them, arrays whose elements stand on lines of their own."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pucs.merge.records import Objection
from pucs.merge.structured.brackets import Brackets, Token, tokens
from pucs.merge.structured.counts import READ_AGAIN, miscounted
from pucs.merge.structured.leaves import higher_version, inline
from pucs.merge.structured.outline import Kind, Node, Unreadable, divided, unique

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.merge.records import Lines
    from pucs.merge.structured.weaving import Leaf

_TOKEN = re.compile(
    r'''(?P<skip>[ \t\r\n]+|\#[^\n]*)|"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}'''
    r"""|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[{}\[\],=]|[^\s{}\[\],=#"']+""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Toml:
    """TOML files; see ``language.Form``."""

    name: str = "toml"
    leaves: Sequence[Leaf] = (inline, higher_version)

    def outlines(self, versions: Sequence[Lines]) -> tuple[Node, ...]:
        """See ``Form``."""
        return tuple(outline(lines) for lines in versions)

    def doubts(self, versions: Sequence[Lines], merged: Lines, *, guesses: int) -> str:
        """See ``Form``."""
        try:
            base, ours, theirs, found = (data(lines) for lines in (*versions, merged))
        except Unreadable as error:
            return str(error)
        return miscounted(base, ours, theirs, found, missing=guesses)

    def objections(self, versions: Sequence[Lines], merged: Lines) -> tuple[Objection, ...]:
        """See ``Form``."""
        try:
            for lines in versions:
                data(lines)
        except Unreadable:
            return ()
        try:
            data(merged)
        except Unreadable as error:
            return (Objection(f"it is no TOML any more: {error}", broken=True),)
        return ()


@lru_cache(maxsize=READ_AGAIN)
def data(lines: Lines) -> Any:
    """Return what a TOML text says.

    Raises:
        Unreadable: it is none.
    """
    try:
        return tomllib.loads("".join(lines))
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from error


@dataclass(frozen=True, slots=True)
class _Statement:
    """A header of a table, or a key with its value, by its tokens."""

    first: int
    last: int
    key: str
    header: bool
    value: int


def outline(lines: Lines) -> Node:
    """Return a TOML text as an outline.

    Raises:
        Unreadable: it is none.
    """
    data(lines)
    found = tokens(lines, _TOKEN)
    brackets = Brackets(lines, found, _named)
    root: list[Node] = []
    gaps: list[Lines] = []
    kids, kid_gaps = root, gaps
    head: Node | None = None
    line = 0
    for one in _statements(found, brackets):
        gap, _ = divided(lines[line : found[one.first].start[0]])
        begin = line + len(gap)
        line = found[one.last].end[0] + 1
        if not one.header:
            kids.append(brackets.element(one.first, one.last, begin, key=one.key))
            kid_gaps.append(gap)
            continue
        if head is not None:
            root.append(_table(head, kids, kid_gaps))
        gaps.append(gap)
        head = Node(one.key, tuple(lines[begin:line]), kind=Kind.MAP, apart=True, name=one.key.strip("[]"))
        kids, kid_gaps = [], []
    if head is not None:
        root.append(_table(head, kids, kid_gaps))
    return Node("", kids=unique(root), gaps=tuple(gaps), foot=tuple(lines[line:]), kind=Kind.MAP)


def _table(head: Node, kids: list[Node], gaps: list[Lines]) -> Node:
    """Return a table with its keys; one of several of a name is known by what it says."""
    key, loose = head.key, False
    if key.startswith("[["):
        key, loose = f"{key} {'/'.join(''.join(kid.head).strip() for kid in kids)}", True
    return replace(head, key=key, kids=unique(kids), gaps=tuple(gaps), loose=loose)


def _named(found: Sequence[Token]) -> str:
    """Return the name of a key in an inline table."""
    return found[0].text


def _statements(found: Sequence[Token], brackets: Brackets) -> list[_Statement]:
    """Return the statements of a text: each begins a line, and ends with a line outside of brackets."""
    opened = {opening: closing for closing, opening in brackets.closed.items()}
    statements: list[_Statement] = []
    at = 0
    while at < len(found):
        first = at
        header = found[at].text == "["
        at = opened[at] if header else at
        while at + 1 < len(found) and not found[at + 1].first:
            at = opened.get(at + 1, at + 1)
        texts = [token.text for token in found[first : at + 1]]
        if header:
            statements.append(_Statement(first, at, "".join(texts), header=True, value=at))
        else:
            if "=" not in texts:
                raise Unreadable(f"line {found[first].start[0] + 1}")
            sign = texts.index("=")
            statements.append(
                _Statement(first, at, "".join(texts[:sign]), header=False, value=first + sign + 1)
            )
        at += 1
    return statements
