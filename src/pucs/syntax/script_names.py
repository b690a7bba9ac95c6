"""Which names a JavaScript or TypeScript file reads, scope by scope, from what one query finds in its tree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pucs.syntax.facts import USE_LINES_MAX, UseFact
from pucs.syntax.python_names import PARTS_MAX

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tree_sitter import Node

NAMES: Final = """
[(identifier) (shorthand_property_identifier) (shorthand_property_identifier_pattern)] @name
[(function_declaration) (function_expression) (generator_function) (generator_function_declaration) (arrow_function)
 (method_definition) (statement_block) (for_statement) (for_in_statement) (catch_clause)] @scope
(variable_declarator name: (_) @bind)
(formal_parameters) @bind
(arrow_function parameter: (identifier) @bind)
(catch_clause parameter: (_) @bind)
(for_in_statement left: (_) @bind)
(function_expression name: (_) @bind)
(function_declaration name: (_) @named)
(generator_function_declaration name: (_) @named)
(class_declaration name: (_) @bind)
(import_statement) @bind
(export_clause) @bind
(namespace_export) @bind
(assignment_pattern right: (_) @value)
(object_assignment_pattern right: (_) @value)
(decorator) @value
"""
"""What is looked for in any script; ``bind``: names below are bound, but in a ``value``."""
TYPED_NAMES: Final = """
(type_identifier) @name
(type_annotation) @value
(required_parameter value: (_) @value)
(optional_parameter value: (_) @value)
(type_parameter name: (_) @bind)
(interface_declaration name: (_) @bind)
(type_alias_declaration name: (_) @bind)
(enum_declaration name: (_) @bind)
(abstract_class_declaration name: (_) @bind)
(internal_module name: (_) @bind)
"""
_CHAIN: Final = re.compile(rb"(?:\s*+\??\.\s*+[A-Za-z_$][\w$]*+){1,%d}" % (PARTS_MAX - 1))
_SPACE: Final = re.compile(r"[\s?]+")
_SCOPE, _BIND, _NAMED, _VALUE, _NAME = range(5)
_KINDS: Final = {"scope": _SCOPE, "bind": _BIND, "named": _NAMED, "value": _VALUE}


_Read = tuple[bytes, int, int, "_Scope | None"]
"""A name, where it ends, its line, and the scope that reads it."""


class _Scope:
    """Names bound in one block or function."""

    __slots__ = ("around", "bound")

    def __init__(self, around: _Scope | None) -> None:
        self.around = around
        self.bound: set[bytes] = set()

    def binds(self, name: bytes) -> bool:
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.bound:
                return True
            scope = scope.around
        return False


def uses(
    source: bytes, captures: Mapping[str, Sequence[Node]], known: Collection[str]
) -> tuple[UseFact, ...]:
    """Return where a file reads names of its own module (``known``), with what is taken from them."""
    names = {name.encode() for name in known}
    # Of what begins at one place the longer comes first, and a scope before what it binds.
    events: list[tuple[int, int, int, Node]] = []
    for node in captures.get("name", ()):
        start, end = node.start_byte, node.end_byte
        if source[start:end] in names:
            events.append((start, -end, _NAME, node))
    if not events:
        return ()
    for word, kind in _KINDS.items():
        events += [(node.start_byte, -node.end_byte, kind, node) for node in captures.get(word, ())]
    events.sort(key=lambda event: event[:3])
    return _told(source, _read(source, events))


def _read(source: bytes, events: Sequence[tuple[int, int, int, Node]]) -> list[_Read]:
    """Return the names that are read, and bind the others in their scopes."""
    found: list[_Read] = []
    around: list[tuple[int, int]] = []
    scopes: list[_Scope] = []
    for start, negative_end, kind, node in events:
        while around and around[-1][0] <= start:
            if around.pop()[1] == _SCOPE:
                scopes.pop()
        if kind != _NAME:
            around.append((-negative_end, kind))
            if kind == _SCOPE:
                scopes.append(_Scope(scopes[-1] if scopes else None))
            continue
        name, inside = source[start:-negative_end], around[-1][1] if around else _VALUE
        if inside in {_VALUE, _SCOPE}:
            found.append((name, -negative_end, node.start_point[0] + 1, scopes[-1] if scopes else None))
        else:
            # The name of a function belongs to what is around it.
            outwards = 2 if inside == _NAMED else 1
            if len(scopes) >= outwards:
                scopes[-outwards].bound.add(name)
    return found


def _told(source: bytes, found: Sequence[_Read]) -> tuple[UseFact, ...]:
    lines: dict[str, list[int]] = {}
    for raw, end, line, scope in found:
        if scope is not None and scope.binds(raw):
            continue
        name = raw.decode("utf-8", "replace")
        if chain := _CHAIN.match(source, end):
            name += _SPACE.sub("", chain[0].decode("utf-8", "replace"))
        known = lines.setdefault(name, [])
        if not known or known[-1] != line:
            known.append(line)
    return tuple(
        UseFact(name, tuple(sorted(set(where)))[:USE_LINES_MAX]) for name, where in sorted(lines.items())
    )
