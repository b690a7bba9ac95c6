"""Files as parts, so that two agents' changes can be applied to the parts, and what a merge owes is known beforehand.

`read` takes a file of the shape in `pair_templates` apart, `File.text` writes it again. An edit is a function that
changes a file's parts; it finds them by the names they had before anybody changed anything.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

WIDTH = 88
"""Longest signature or import that is written on one line."""


@dataclass(slots=True)
class Function:
    """A function or a method."""

    key: str
    """Its name before anybody changed anything, with its class."""
    name: str
    parameters: list[str]
    body: list[str]
    """Lines without the indentation that all have."""
    doc: list[str] = field(default_factory=list)
    decorators: list[str] = field(default_factory=list)
    returns: str = ""
    above: list[str] = field(default_factory=list)
    """Comments."""
    word: str = "def"
    wrapped: bool = False
    """One parameter a line."""

    def lines(self) -> list[str]:
        """Return its source."""
        returns = f" -> {self.returns}" if self.returns else ""
        head = [f"{self.word} {self.name}({', '.join(self.parameters)}){returns}:"]
        if self.wrapped or len(head[0]) > WIDTH:
            head = [
                f"{self.word} {self.name}(",
                *(f"    {one}," for one in self.parameters),
                f"){returns}:",
            ]
        return [*self.above, *self.decorators, *head, *indented([*docstring(self.doc), *self.body])]


@dataclass(slots=True)
class Code:
    """Statements that stand together: constants, or a bracket with one entry a line."""

    key: str
    rows: list[str]

    def lines(self) -> list[str]:
        """Return its source."""
        return self.rows


@dataclass(slots=True)
class Class:
    """A class: loose rows such as fields, then methods."""

    key: str
    head: str
    doc: list[str]
    rows: list[str]
    methods: list[Function]
    decorators: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return its source."""
        blocks = [docstring(self.doc), self.rows, *(one.lines() for one in self.methods)]
        return [*self.decorators, self.head, *indented(joined([one for one in blocks if one], 1))]


Part: TypeAlias = Function | Code | Class


@dataclass(slots=True)
class File:
    """A module."""

    doc: list[str]
    imports: list[tuple[str, list[str]]]
    """Modules and what is taken out of them; nothing: the module itself."""
    parts: list[Part]

    def text(self) -> str:
        """Return its source."""
        blocks = [docstring(self.doc), [line for one in self.imports for line in imported(*one)]]
        text = joined([one for one in blocks if one], 1)
        before: Part | None = None
        for part in self.parts:
            apart = 1 if isinstance(part, Code) and (before is None or isinstance(before, Code)) else 2
            text += [*([""] * apart if text else []), *part.lines()]
            before = part
        return "\n".join(text) + "\n"

    def copied(self) -> File:
        """Return the same file for somebody else to change."""
        return copy.deepcopy(self)

    def functions(self) -> list[Function]:
        """Return functions and methods."""
        found: list[Function] = []
        for part in self.parts:
            if isinstance(part, Function):
                found.append(part)
            elif isinstance(part, Class):
                found.extend(part.methods)
        return found

    def classes(self) -> list[Class]:
        """Return classes."""
        return [part for part in self.parts if isinstance(part, Class)]

    def codes(self) -> list[Code]:
        """Return what stands outside functions and classes."""
        return [part for part in self.parts if isinstance(part, Code)]

    def function(self, key: str) -> Function:
        """Return the function that once had this name."""
        return next(one for one in self.functions() if one.key == key)

    def class_(self, key: str) -> Class:
        """Return the class that once had this name."""
        return next(one for one in self.classes() if one.key == key)

    def code(self, key: str) -> Code:
        """Return statements by the first name that they assign."""
        return next(one for one in self.codes() if one.key == key)

    def row_of(self, function: Function) -> list[Part] | list[Function]:
        """Return the row that a function stands in: the file's, or a class's methods."""
        for part in self.parts:
            if isinstance(part, Class) and any(one is function for one in part.methods):
                return part.methods
        return self.parts


Edit: TypeAlias = Callable[[File], None]


def applied(file: File, *edits: Edit) -> File:
    """Return the file with some edits made, one after the other."""
    changed = file.copied()
    for edit in edits:
        edit(changed)
    return changed


def indented(lines: list[str]) -> list[str]:
    """Return lines one level deeper."""
    return [f"    {line}" if line else "" for line in lines]


def joined(blocks: list[list[str]], apart: int) -> list[str]:
    """Return blocks below each other with so many empty lines between them."""
    found: list[str] = []
    for block in blocks:
        found += [*([""] * apart if found else []), *block]
    return found


def docstring(lines: list[str]) -> list[str]:
    """Return the lines of a docstring."""
    if len(lines) > 1:
        return [f'"""{lines[0]}', *lines[1:], '"""']
    return [f'"""{line}"""' for line in lines]


def imported(module: str, names: list[str]) -> list[str]:
    """Return the lines of an import."""
    if not names:
        return [f"import {module}"]
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return [line]
    return [f"from {module} import (", *(f"    {one}," for one in names), ")"]


def read(text: str) -> File:
    """Take a file apart. Made for the templates: what it does not know comes back as other text."""
    lines = text.splitlines()
    tree = ast.parse(text)
    file = File(_doc(tree), [], [])
    statements = [one for one in tree.body if not _is_doc(one)]
    last: Code | None = None
    for one in statements:
        if isinstance(one, ast.Import):
            file.imports.extend((alias.name, []) for alias in one.names)
        elif isinstance(one, ast.ImportFrom):
            file.imports.append((one.module or "", [alias.name for alias in one.names]))
        elif isinstance(one, ast.FunctionDef):
            file.parts.append(function(lines, one))
        elif isinstance(one, ast.ClassDef):
            file.parts.append(_class(lines, one))
        elif last is not None and file.parts[-1] is last and lines[one.lineno - 2]:
            last.rows += _source(lines, one)
            continue
        else:
            last = Code(_assigned(one), _source(lines, one))
            file.parts.append(last)
    return file


def parsed(source: str) -> Function:
    """Take the source of one function apart."""
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.FunctionDef)
    return function(source.splitlines(), node)


def function(lines: list[str], node: ast.FunctionDef, owner: str = "") -> Function:
    """Take a function apart."""
    body = [one for one in node.body if not _is_doc(one)]
    start = node.lineno - 1
    head = lines[start].strip()
    first = body[0].lineno - 1
    while lines[first - 1].strip().startswith("#"):  # a comment before the first statement
        first -= 1
    deep = body[0].col_offset
    above: list[str] = []
    top = (node.decorator_list[0].lineno if node.decorator_list else node.lineno) - 2
    decorators = [line[node.col_offset :] for line in lines[top + 1 : start]]
    while top >= 0 and lines[top].strip().startswith("#"):
        above.insert(0, lines[top].strip())
        top -= 1
    return Function(
        key=owner + node.name,
        name=node.name,
        parameters=_split(head[head.index("(") + 1 : _closing(head)]),
        body=[line[deep:] for line in lines[first : node.end_lineno]],
        doc=_doc(node),
        decorators=decorators,
        returns=head.partition(" -> ")[2].removesuffix(":"),
        above=above,
    )


def _class(lines: list[str], node: ast.ClassDef) -> Class:
    methods = [one for one in node.body if isinstance(one, ast.FunctionDef)]
    rows = [
        row for one in node.body if one not in methods and not _is_doc(one) for row in _source(lines, one)
    ]
    return Class(
        key=node.name,
        head=lines[node.lineno - 1],
        doc=_doc(node),
        rows=[row[4:] for row in rows],
        methods=[function(lines, one, f"{node.name}.") for one in methods],
        decorators=[f"@{ast.unparse(one)}" for one in node.decorator_list],
    )


def _source(lines: list[str], node: ast.stmt) -> list[str]:
    first = node.lineno - 1
    while first and lines[first - 1].strip().startswith("#"):
        first -= 1
    return lines[first : node.end_lineno]


def _is_doc(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _doc(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> list[str]:
    return (ast.get_docstring(node) or "").splitlines()


def _assigned(node: ast.stmt) -> str:
    return ast.unparse(node).partition(" ")[0].rstrip(":")


def _closing(head: str) -> int:
    depth = 0
    for index, char in enumerate(head):
        depth += (char == "(") - (char == ")")
        if char == ")" and depth == 0:
            return index
    raise AssertionError(head)


def _split(text: str) -> list[str]:
    """Return what commas outside brackets divide."""
    found, depth = [""], 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if char == "," and not depth:
            found.append("")
        else:
            found[-1] += char
    return [one.strip() for one in found if one.strip()]
