"""Finds local names that are read where nothing can have set them: the other side took away what did.

What may have set a name counts: every branch, any part of a loop, of a ``try`` or of a ``match``.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final, TypeAlias

from pucs.merge.records import Objection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_INNER: Final = (*_SCOPES, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
"""What has names of its own and is not looked into; it may run later."""


Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def functions(body: Iterable[ast.AST]) -> Iterator[Function]:
    """Yield the functions among statements, in classes, branches and other functions too."""
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield statement
        for part in ("body", "orelse", "handlers", "finalbody"):
            yield from functions(getattr(statement, part, ()))


def unset(function: Function) -> Iterator[Objection]:
    """Yield each of its names once, where it is first read without a value."""
    shared = {
        name
        for one in ast.walk(function)
        if isinstance(one, (ast.Global, ast.Nonlocal))
        for name in one.names
    }
    given = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
    faults: dict[str, int] = {}
    _run(function.body, given, _set_by(function.body) - given - shared, faults)
    for name, line in faults.items():
        yield Objection(f"`{name}` has no value yet where `{function.name}` uses it", line, name)


def _run(body: Iterable[ast.stmt], known: set[str], names: set[str], faults: dict[str, int]) -> None:
    """Read statements in the order in which they run; ``known`` grows by what they may set."""
    for statement in body:
        if isinstance(statement, ast.If):
            _read(statement.test, known, names, faults)
            known |= _set_by([statement.test])
            ways = (set(known), set(known))
            for branch, way in zip((statement.body, statement.orelse), ways, strict=True):
                _run(branch, way, names, faults)
            known |= ways[0] | ways[1]
        elif isinstance(statement, (ast.With, ast.AsyncWith)):
            for item in statement.items:
                _read(item, known, names, faults)
                known |= _set_by([item])
            _run(statement.body, known, names, faults)
        else:
            at_once = hasattr(statement, "body") or isinstance(statement, ast.Match)
            if at_once:
                known |= _set_by([statement])
            _read(statement, known, names, faults)
            known |= _set_by([statement])


def _read(node: ast.AST, known: set[str], names: set[str], faults: dict[str, int]) -> None:
    walrus = {one.target.id for one in ast.walk(node) if isinstance(one, ast.NamedExpr)}
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        _note(node.target, known, names, faults)
    for one in _own(node):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load) and one.id not in walrus:
            _note(one, known, names, faults)


def _note(name: ast.Name, known: set[str], names: set[str], faults: dict[str, int]) -> None:
    if name.id in names and name.id not in known:
        faults.setdefault(name.id, name.lineno)


def _set_by(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that may have a value after these."""
    found: set[str] = set()
    for node in nodes:
        for one in _own(node):
            if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load):
                found.add(one.id)
            elif isinstance(one, (*_SCOPES, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and one.name:
                found.add(one.name)
            elif isinstance(one, ast.alias):
                found.add(one.asname or one.name.partition(".")[0])
            elif isinstance(one, ast.MatchMapping) and one.rest:
                found.add(one.rest)
        found |= {one.target.id for one in ast.walk(node) if isinstance(one, ast.NamedExpr)}
    return found


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and what is in it, but not what is in an inner scope."""
    yield node
    if not isinstance(node, _INNER):
        for child in ast.iter_child_nodes(node):
            yield from _own(child)
