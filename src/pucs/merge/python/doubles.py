"""What stands twice in a Python text where once is meant: the mark of two sides' versions put one after the other.

Each fault is told once, without its line, so that a side that has it too clears it.
"""

from __future__ import annotations

import ast
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from pucs.merge.records import Objection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pucs.merge.records import Lines

_ENDS: Final = (ast.Return, ast.Raise, ast.Break, ast.Continue)
_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_BLOCKS: Final = (
    ast.Module,
    *_DEFINITIONS,
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.Try,
    ast.TryStar,
    ast.With,
    ast.AsyncWith,
)
_TOLD: Final = frozenset({
    *_BLOCKS,
    ast.ExceptHandler,
    ast.match_case,
    ast.List,
    ast.Set,
    ast.Tuple,
    ast.Dict,
})
"""Kinds of nodes that something is said about."""
_LEAVES: Final = frozenset({ast.Load, ast.Store, ast.Del, ast.Name, ast.Constant, str, type(None)})
"""What holds no other nodes, or no more than its own."""
_SEVERAL: Final = frozenset({
    "overload",
    "register",
    "setter",
    "getter",
    "deleter",
    "dispatch",
    "singledispatch",
})
"""Decorators whose functions share one name by design."""
_QUOTED_MAX: Final = 60
_MEMBERS_MIN: Final = 3
"""Strings from which on a row of them is a list of names; shorter ones are arguments and pairs."""


def doubles(tree: ast.Module, lines: Lines) -> tuple[Objection, ...]:
    """Return what is doubled: definitions, statements in a row, handlers, conditions, keys, members of lists of names."""
    found: dict[str, Objection] = {}
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    # The parser counts lines that end with a carriage return alone, too.
    rows = "".join(lines).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    while waiting:
        node, scope = waiting.pop()
        kind = type(node)
        inner = f"{scope}{node.name}." if isinstance(node, _DEFINITIONS) else scope
        if kind in _TOLD:
            try:
                for words, line, about in _faults(node, inner, rows):
                    found.setdefault(words, Objection(words, line, about))
            except (RecursionError, ValueError):  # expressions thousands deep, numbers too long to write out
                pass
        for field in node._fields:
            value = getattr(node, field, None)
            if type(value) is list:
                waiting.extend((one, inner) for one in value if type(one) not in _LEAVES)
            elif isinstance(value, ast.AST) and type(value) not in _LEAVES:
                waiting.append((value, inner))
    return tuple(sorted(found.values(), key=lambda one: one.line))


_Fault = tuple[str, int, str]


def _faults(node: ast.AST, scope: str, rows: Sequence[str]) -> Iterator[_Fault]:
    if isinstance(node, (ast.List, ast.Set, ast.Tuple)):
        yield from _members(node)
    elif isinstance(node, ast.Dict):
        yield from _keys(node)
    else:
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, ())
            if isinstance(body, list) and body:
                yield from _defined(body, scope)
                yield from _in_a_row(body, rows)
                if isinstance(node, (ast.Module, ast.ClassDef)):
                    yield from _assigned(body, scope)
        if isinstance(node, ast.Try | ast.TryStar):
            yield from _alike((one.type for one in node.handlers), "handler")
        if isinstance(node, ast.If):
            yield from _alike(_conditions(node), "condition")
        if isinstance(node, _DEFINITIONS):
            yield from _alike(node.decorator_list, "decorator")


def _defined(body: Sequence[ast.stmt], scope: str) -> Iterator[_Fault]:
    seen: set[str] = set()
    for statement in body:
        if not isinstance(statement, _DEFINITIONS) or statement.name == "_":
            continue
        if any(_last_name(decorator) in _SEVERAL for decorator in statement.decorator_list):
            continue
        if statement.name in seen:
            yield f"`{scope}{statement.name}` is defined twice", statement.lineno, statement.name
        seen.add(statement.name)


def _last_name(decorator: ast.expr) -> str:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""


def _assigned(body: Sequence[ast.stmt], scope: str) -> Iterator[_Fault]:
    """Yield names of a module or class that get a value twice, the second one not made from the first."""
    before: dict[str, ast.Assign | ast.AnnAssign] = {}
    for statement in body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            continue
        name = _target(statement)
        if not name.isidentifier() or name == "_":
            continue
        one = before.get(name)
        declared = one is not None and one.value is None and isinstance(statement, ast.Assign)
        if one is not None and not declared and not _uses(statement.value, name):
            yield f"`{scope}{name}` gets a value twice", statement.lineno, name
        before[name] = statement


def _uses(value: ast.AST | None, name: str) -> bool:
    return value is not None and any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(value))


def _in_a_row(body: Sequence[ast.stmt], rows: Sequence[str]) -> Iterator[_Fault]:
    for one, other in pairwise(body):
        quoted = rows[other.lineno - 1].strip()[:_QUOTED_MAX]
        if isinstance(one, _ENDS):
            yield f"it is never reached: {quoted}", other.lineno, ""
        elif type(one) is type(other) and _same(one, other, rows):
            yield f"it stands twice in a row: {quoted}", other.lineno, ""
        elif isinstance(one, ast.Assign | ast.AnnAssign) and isinstance(other, ast.Assign | ast.AnnAssign):
            yield from _at_once(one, other)
        elif _is_text(one) and _is_text(other):
            yield f"two texts stand in a row: {quoted}", other.lineno, ""


def _at_once(one: ast.Assign | ast.AnnAssign, other: ast.Assign | ast.AnnAssign) -> Iterator[_Fault]:
    target = _target(one)
    if target and target == _target(other) and one.value is not None and not _reads(other.value, target):
        yield f"`{target}` gets another value at once", other.lineno, target


def _same(one: ast.stmt, other: ast.stmt, rows: Sequence[str]) -> bool:
    """Tell whether two statements, each on lines of its own, read the same."""
    spans = [(each.lineno - 1, each.end_lineno or each.lineno) for each in (one, other)]
    (first, last), (second, end) = spans
    if last > second or last - first != end - second:
        return False
    return all(rows[first + at].strip() == rows[second + at].strip() for at in range(last - first))


def _target(statement: ast.Assign | ast.AnnAssign) -> str:
    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    if isinstance(target, ast.Name | ast.Attribute) and not (
        isinstance(statement, ast.Assign) and len(statement.targets) > 1
    ):
        return ast.unparse(target)
    return ""


def _reads(value: ast.expr | None, target: str) -> bool:
    root = target.partition(".")[0]
    return value is not None and (_uses(value, root) if "." not in target else target in ast.unparse(value))


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _conditions(node: ast.If) -> Iterator[ast.expr]:
    """Yield the conditions of an ``if`` and of its ``elif`` next to it."""
    yield node.test
    if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        yield node.orelse[0].test


def _alike(expressions: Iterable[ast.expr | None], what: str) -> Iterator[_Fault]:
    seen: set[str] = set()
    for one in expressions:
        if one is None:
            continue
        said = ast.unparse(one)
        if said in seen:
            yield f"a {what} stands twice: {said[:_QUOTED_MAX]}", one.lineno, ""
        seen.add(said)


def _members(node: ast.List | ast.Set | ast.Tuple) -> Iterator[_Fault]:
    strings = [one for one in node.elts if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    if len(strings) < _MEMBERS_MIN or len(strings) < len(node.elts):
        return
    counts = Counter(str(one.value) for one in strings)
    for one in strings:
        if counts[str(one.value)] > 1:
            yield f"a list of names has {one.value!r:.{_QUOTED_MAX}} twice", one.lineno, str(one.value)


def _keys(node: ast.Dict) -> Iterator[_Fault]:
    counts = Counter(repr(key.value) for key in node.keys if isinstance(key, ast.Constant))
    for key in node.keys:
        if isinstance(key, ast.Constant) and counts[repr(key.value)] > 1:
            yield f"{key.value!r:.{_QUOTED_MAX}} is a key twice", key.lineno, ""
