"""How close a merge comes to what people committed in its place, judged without knowing how it was made.

Python, JSON and TOML are compared by what they say as well, everything else by its bytes alone. That people committed
something else does not make a merge wrong: they add, drop and rewrite things while they merge.
"""

from __future__ import annotations

import ast
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from pucs.syntax.bodies import parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BLOCKS: Final = ("body", "orelse", "finalbody")
"""Fields of a syntax tree that hold statements."""
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Verdict(StrEnum):
    """What comparing says."""

    EXACT = "exact"
    """The same bytes."""
    SPACE = "white space"
    """The same but for white space, and it says the same."""
    SYNTAX = "same syntax"
    """The same syntax tree, or the same values: comments and layout differ."""
    ORDER = "other order"
    """The same but for the order of imports, definitions, names in ``__all__``, or keys."""
    DIFFERS = "differs"
    UNPARSABLE = "does not parse"
    """Although all three versions do, and what people committed."""
    CONFLICT = "conflict"
    """There is no merge to compare."""


AGREE: Final = frozenset({Verdict.EXACT, Verdict.SPACE, Verdict.SYNTAX, Verdict.ORDER})


class _Said(NamedTuple):
    """What a file says."""

    ordered: str
    unordered: str
    shape: str
    """What there is without its text: equal where only white space inside strings differs."""


def verdict(path: str, merged: bytes, committed: bytes, versions: Sequence[bytes] = ()) -> Verdict:
    """Compare a merge without conflicts with what people committed; ``versions`` are those that were merged.

    Takes any bytes and raises nothing.
    """
    if merged == committed:
        return Verdict.EXACT
    read = _reader(path)
    mine, theirs = (read(merged), read(committed)) if read else (None, None)
    if read and mine is None and theirs is not None and all(read(one) is not None for one in versions):
        return Verdict.UNPARSABLE
    same = (mine is None and theirs is None) or (
        mine is not None and theirs is not None and mine.shape == theirs.shape
    )
    if same and b"".join(merged.split()) == b"".join(committed.split()):
        return Verdict.SPACE
    if mine is None or theirs is None:
        return Verdict.DIFFERS
    if mine.ordered == theirs.ordered:
        return Verdict.SYNTAX
    return Verdict.ORDER if mine.unordered == theirs.unordered else Verdict.DIFFERS


def _reader(path: str) -> Callable[[bytes], _Said | None] | None:
    """Return what reads files of this name; it answers None where a file cannot be read."""
    for endings, read in (((".py", ".pyi"), _python), ((".json",), _json), ((".toml",), _toml)):
        if path.endswith(endings):
            return read
    return None


def _python(source: bytes) -> _Said | None:
    tree = parsed(source)
    if tree is None:
        return None
    try:
        shape = " ".join(type(node).__name__ for node in ast.walk(tree))
        return _Said(ast.dump(tree), ast.dump(_InOrder().visit(tree)), shape)
    except RecursionError:
        return None


def _json(source: bytes) -> _Said | None:
    try:
        return _values(json.loads(source))
    except (ValueError, RecursionError):
        return None


def _toml(source: bytes) -> _Said | None:
    import tomllib  # noqa: PLC0415 - few files are TOML

    try:
        return _values(tomllib.loads(source.decode()))
    except (ValueError, RecursionError):
        return None


def _values(found: object) -> _Said:
    ordered = json.dumps(found, default=str)
    return _Said(ordered, json.dumps(found, default=str, sort_keys=True), "".join(ordered.split()))


class _InOrder(ast.NodeTransformer):
    """Puts imports first, one name each, then definitions, each in a fixed order; other statements keep theirs."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Order the blocks of a node, innermost first."""
        super().generic_visit(node)
        for name in _BLOCKS:
            block = getattr(node, name, None)
            if isinstance(block, list):
                setattr(node, name, _in_order(block))
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Forget the ``u`` before a string."""
        node.kind = None
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        """Order the names of ``__all__``."""
        named = any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)
        if named and isinstance(node.value, (ast.List, ast.Tuple)):
            node.value.elts.sort(key=ast.dump)
        return self.generic_visit(node)


def _in_order(block: list[ast.stmt]) -> list[ast.stmt]:
    imports: list[ast.stmt] = []
    definitions: list[ast.stmt] = []
    rest: list[ast.stmt] = []
    for statement in block:
        if isinstance(statement, ast.Import):
            imports += [ast.Import([name]) for name in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            imports += [ast.ImportFrom(statement.module, [name], statement.level) for name in statement.names]
        elif isinstance(statement, _DEFINITIONS):
            definitions.append(statement)
        else:
            rest.append(statement)
    return [*sorted(imports, key=ast.dump), *sorted(definitions, key=ast.dump), *rest]
