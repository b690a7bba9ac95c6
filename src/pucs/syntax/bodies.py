"""What bodies of definitions consist of, as bags of words that tell how alike two of them are."""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Final

from pucs.syntax.definitions import SOURCE_BYTES_MAX, decoded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

TEXT_CHARACTERS_MAX: Final = 40
"""How much of a literal counts, with its length."""

WORDS_BEFORE_MAX: Final = 3
"""Words of a literal before a match, such as a command's; with more it is prose."""

_Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def bodies(source: bytes, names: Collection[str]) -> dict[str, Counter[str]]:
    """Return the words of some definitions of a Python file, by qualified name; what is not there is left out.

    Words are names, attributes, parameters, literals and kinds of statements; documentation and the definition's own name
    do not count, nor does order. Of a name that is defined twice the last one counts. Nothing is raised.
    """
    tree = parsed(source)
    if tree is None:
        return {}
    wanted = set(names)
    outer = {name.partition(".")[0] for name in wanted}
    found: dict[str, Counter[str]] = {}
    for node in _definitions(tree.body):
        if node.name not in outer:
            continue
        if node.name in wanted:
            found[node.name] = Counter(_words(node))
        if isinstance(node, ast.ClassDef):
            for inner in _definitions(node.body):
                if (name := f"{node.name}.{inner.name}") in wanted:
                    found[name] = Counter(_words(inner))
    return found


def literals(source: bytes, pattern: re.Pattern[str]) -> list[tuple[int, str]]:
    """Return line and match of each text in a Python file that a pattern is found in, documentation apart."""
    tree = parsed(source)
    if tree is None:
        return []
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | _Definition) and node.body and isinstance(node.body[0], ast.Expr)
    }
    return sorted(
        (node.lineno, match[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
        # Deep in a sentence it is an example.
        if (match := pattern.search(node.value))
        and len(node.value[: match.start()].split()) <= WORDS_BEFORE_MAX
    )


def parsed(source: bytes) -> ast.Module | None:
    """Return the tree of a Python file; None: it is none, or too large."""
    if len(source) > SOURCE_BYTES_MAX or b"\0" in source:
        return None
    try:
        text, _ = decoded(source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a doubtful escape in somebody's file is no business of ours
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _definitions(body: list[ast.stmt]) -> Iterator[_Definition]:
    """Give the definitions of a block, those under ``if`` and ``try`` too."""
    for node in body:
        if isinstance(node, _Definition):
            yield node
        elif isinstance(node, ast.If):
            yield from _definitions(node.body)
            yield from _definitions(node.orelse)
        elif isinstance(node, ast.Try):
            yield from _definitions([*node.body, *node.orelse])


def _words(definition: _Definition) -> Iterator[str]:
    waiting: list[ast.AST] = [definition]
    while waiting:
        node = waiting.pop()
        inner = list(ast.iter_child_nodes(node))
        if isinstance(node, _Definition):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                inner.remove(first)
            if node is not definition:
                yield node.name
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.arg | ast.keyword):
            yield node.arg or "**"
        elif isinstance(node, ast.Constant):
            text = repr(node.value)
            yield text if len(text) <= TEXT_CHARACTERS_MAX else f"{text[:TEXT_CHARACTERS_MAX]}{len(text)}"
        elif isinstance(node, ast.stmt) and not isinstance(node, ast.Expr):
            yield f"<{type(node).__name__}>"
        waiting += inner
