"""Whether a merge says what people committed, judged without any code of the product (a run counts where it disagrees)."""

from __future__ import annotations

import ast
import warnings
from contextlib import suppress
from typing import Any

RIGHT = frozenset({"exact", "white space", "same syntax", "other order"})
BLOCKS = frozenset({"body", "orelse", "finalbody"})


def judged(merged: bytes, human: bytes) -> str:
    """Return the verdict, in the product's words, without looking at what went into the merge."""
    if merged == human:
        return "exact"
    if b"".join(merged.split()) == b"".join(human.split()):
        return "white space"
    mine, theirs = tree(merged), tree(human)
    if mine is None:
        return "does not parse"
    if theirs is not None:
        with suppress(RecursionError):
            if ast.dump(mine) == ast.dump(theirs):
                return "same syntax"
            if form(mine) == form(theirs):
                return "other order"
    return "differs"


def tree(source: bytes) -> ast.AST | None:
    """Return the syntax tree of a file, None if it has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def compiles(source: bytes) -> bool:
    """Tell whether Python would take a file: some of what parses, it refuses (a late future import, a stray return)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(source, "merged", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def form(node: Any) -> Any:
    """Return a tree as nested tuples in which the order of imports, definitions and exported names does not show."""
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.Assign) and _exports(node):
        assert isinstance(node.value, (ast.List, ast.Tuple))
        return ("__all__", *sorted(ast.dump(each) for each in node.value.elts))
    parts: list[Any] = [type(node).__name__]
    for name, value in ast.iter_fields(node):
        if name in {"kind", "type_comment"}:
            continue
        if name in BLOCKS and isinstance(value, list):
            parts.append((name, _block(value)))
        elif isinstance(value, list):
            parts.append((name, tuple(form(each) for each in value)))
        else:
            parts.append((name, form(value)))
    return tuple(parts)


def _exports(node: ast.Assign) -> bool:
    named = any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)
    return named and isinstance(node.value, (ast.List, ast.Tuple))


def _block(statements: list[ast.stmt]) -> Any:
    imports: list[str] = []
    definitions: list[str] = []
    rest: list[Any] = []
    for each in statements:
        if isinstance(each, ast.Import):
            imports += [repr(("import", name.name, name.asname)) for name in each.names]
        elif isinstance(each, ast.ImportFrom):
            imports += [repr((each.level, each.module, name.name, name.asname)) for name in each.names]
        elif isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            definitions.append(repr(form(each)))
        else:
            rest.append(form(each))
    return (tuple(sorted(imports)), tuple(sorted(definitions)), tuple(rest))
