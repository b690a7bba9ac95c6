"""Where a Python file binds and reads names: what has to be known before one of them may be changed."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

_TYPE_PARAMETERS: Final = frozenset({"TypeVar", "ParamSpec", "TypeVarTuple"})
"""Of newer Pythons."""
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """One import statement in its place."""

    node: ast.Import | ast.ImportFrom
    block: list[ast.stmt]
    """The statements of its block, itself among them."""
    functions: tuple[int, ...]
    """The functions around it, by number."""


class Chain(NamedTuple):
    """One chain of names that is read: ``a.b.c``."""

    nodes: tuple[ast.expr, ...]
    """``a``, ``a.b``, ``a.b.c``."""
    parts: tuple[str, ...]
    functions: tuple[int, ...]


@dataclass(slots=True)
class Occurrences:
    """All of one file."""

    statements: list[Statement] = field(default_factory=list)
    chains: defaultdict[str, list[Chain]] = field(default_factory=lambda: defaultdict(list))
    """By the name that they begin with, in no order."""
    bound: Counter[str] = field(default_factory=Counter)
    """How often a name is bound by anything but an import, in whatever scope."""
    quoted: set[str] = field(default_factory=set)
    """Names that are read in strings which are expressions, such as quoted annotations and parts of ``__all__``."""
    strings: list[ast.Constant] = field(default_factory=list)
    """String literals, parts of formatted ones left out."""
    formatted: list[ast.Constant] = field(default_factory=list)
    """Parts of formatted strings."""


def occurrences(tree: ast.Module) -> Occurrences:
    """Return what occurs where."""
    found = Occurrences()
    waiting: list[tuple[Any, tuple[int, ...]]] = [(tree, ())]
    count = 0
    while waiting:
        node, functions = waiting.pop()
        if isinstance(node, ast.Name | ast.Attribute):
            _chain(found, node, functions, waiting)
            continue
        if isinstance(node, ast.JoinedStr):
            found.formatted += [part for part in node.values if isinstance(part, ast.Constant)]
            waiting += [(part, functions) for part in node.values if not isinstance(part, ast.Constant)]
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.strings.append(node)
            _quoted(found, node.value)
        found.bound.update(_bound(node))
        inner = functions
        if isinstance(node, _FUNCTIONS):
            count += 1
            inner = (*functions, count)
        for _, value in ast.iter_fields(node):
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, ast.Import | ast.ImportFrom):
                    found.statements.append(Statement(item, value, inner))
                elif isinstance(item, ast.AST):
                    waiting.append((item, inner))
    found.statements.sort(key=lambda one: (one.node.lineno, one.node.col_offset))
    return found


def _bound(node: Any) -> list[str]:
    """Return the names that a node binds by being there."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.arg():
            return [node.arg]
        case ast.Global() | ast.Nonlocal():
            return list(node.names)
        case ast.ExceptHandler() | ast.MatchAs() | ast.MatchStar():
            return [node.name] if node.name else []
        case ast.MatchMapping():
            return [node.rest] if node.rest else []
    return [node.name] if type(node).__name__ in _TYPE_PARAMETERS else []


def _chain(found: Occurrences, node: ast.expr, functions: tuple[int, ...], waiting: list[Any]) -> None:
    nodes = [node]
    while isinstance(node, ast.Attribute):
        node = node.value
        nodes.append(node)
    if not isinstance(node, ast.Name):
        waiting.append((node, functions))
        return
    if not isinstance(node.ctx, ast.Load):
        found.bound[node.id] += 1
        return
    nodes.reverse()
    parts = (node.id, *(one.attr for one in nodes if isinstance(one, ast.Attribute)))
    found.chains[node.id].append(Chain(tuple(nodes), parts, functions))


def _quoted(found: Occurrences, text: str) -> None:
    """Note the names in a text that may be an annotation: a short one that is an expression."""
    if len(text) > QUOTED_MAX or not any(sign.isalpha() or sign == "_" for sign in text):
        return
    if text.isidentifier():
        found.quoted.add(text)
        return
    try:
        inside = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    found.quoted.update(one.id for one in ast.walk(inside) if isinstance(one, ast.Name))


QUOTED_MAX: Final = 300
"""Longest text that is taken for an annotation."""
