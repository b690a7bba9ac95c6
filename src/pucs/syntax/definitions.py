"""The definitions of one Python file, told by the standard parser: what a lease on ``file.py::Class.method`` is about.

Spans are whole lines. What stands on one line changes together: of ``a = 1; b = 2`` both symbols span the line.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from enum import StrEnum
from tokenize import detect_encoding
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SOURCE_BYTES_MAX = 2_000_000
"""Largest file that is parsed: the parser takes about a hundred bytes of memory for each, and people write none larger."""
PYTHON_SUFFIXES = (".py", ".pyi")
"""Files whose definitions are known; any other file is leased whole."""

_LINE_END = re.compile("\r\n|\r|\n")
_COOKIE = re.compile(r"[ \t\f]*#(!|.*?coding[:=])")
_NOBODY = -1
_MODULE = 0


class Unparsable(ValueError):
    """The bytes are no Python source that can be told apart into definitions."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.line = line
        """Line of the trouble, from 1; 0: the file as a whole."""


class SymbolKind(StrEnum):
    """What a symbol is; of a name with several definitions, what the first one is."""

    FUNCTION = "function"
    CLASS = "class"
    METHOD = "method"
    VARIABLE = "variable"
    """A simple name assigned at module or class level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One symbol of a file, with all places that define it: overloads, setters, variants under ``if`` and ``try``."""

    name: str
    """Qualified, ``Class.method``; a function inside a function belongs to the outer one and is no symbol."""
    kind: SymbolKind
    first_line: int
    """First line of the first place, from 1, with decorators and the comment block directly above."""
    last_line: int
    """Last line of the last place, with comments that are indented as its body is."""
    spans: tuple[tuple[int, int], ...]
    """First and last line of each place, in order."""
    parent: str
    """Qualified name of the class around it, empty at module level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One name that a module imports."""

    module: str
    """With leading dots if relative; of a plain ``import`` the module itself."""
    name: str
    """Imported name, ``*`` for all; empty for a plain ``import``."""
    bound: str
    """The name it has in this module."""
    context: tuple[str, ...]
    """Headers of the blocks around it: ``if TYPE_CHECKING:``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What one file consists of: symbols, imports, and the rest."""

    symbols: tuple[Definition, ...]
    """In the order of their first lines, a class before its members."""
    texts: Mapping[str, tuple[str, ...]]
    """Own text of each symbol with the blocks it stands in; of a class without its members and the blank lines around."""
    imports: tuple[Import, ...]
    """Imports at module level, in order."""
    above_imports: tuple[str, ...]
    """Comment lines directly above imports."""
    loose: tuple[str, ...]
    """Lines of the module that belong to no symbol and no import, blank ones between statements left out."""
    lines: tuple[str, ...]
    """All lines, without their ends."""
    form: tuple[str, bool]
    """Encoding, and whether a line ends with a carriage return."""

    def names(self) -> frozenset[str]:
        """Return the qualified names of all symbols."""
        return frozenset(self.texts)

    def source(self, symbol: Definition) -> str:
        """Return all text of a symbol, members included."""
        return "\n".join(line for first, last in symbol.spans for line in self.lines[first - 1 : last])


def supports(path: str) -> bool:
    """Tell whether the definitions of a file of this name are known."""
    return path.endswith(PYTHON_SUFFIXES)


def definitions(source: bytes) -> Outline:
    """Return what a Python file defines.

    Raises:
        Unparsable: not Python, not in its declared encoding, over ``SOURCE_BYTES_MAX`` or nested too deeply.
    """
    if len(source) > SOURCE_BYTES_MAX:
        raise Unparsable(f"too large: {len(source)} bytes, at most {SOURCE_BYTES_MAX} are parsed")
    try:
        text, encoding = decoded(source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a doubtful escape in an agent's file is no business of ours
            tree = ast.parse(text)
        return _Reader(_LINE_END.split(text), (encoding, "\r" in text)).read(tree)
    except SyntaxError as error:
        raise Unparsable(error.msg or "not Python", error.lineno or 0) from error
    except (RecursionError, MemoryError) as error:
        raise Unparsable("nested too deeply") from error
    except ValueError as error:
        raise Unparsable(str(error)) from error


def decoded(source: bytes) -> tuple[str, str]:
    """Return the text of a file, without its byte order mark, and the encoding that it declares."""
    encoding, _ = detect_encoding(iter(source.splitlines(keepends=True)[:2]).__next__)
    try:
        return source.decode(encoding), encoding
    except LookupError as error:
        raise Unparsable(f"{encoding} is no encoding of text") from error


class _Reader:
    """One walk over the statements of a file, which tells for every line whose it is."""

    def __init__(self, lines: list[str], form: tuple[str, bool]) -> None:
        self._lines = lines
        self._form = form
        # Line numbers start at 1. A line of a class is the class's until a member takes it.
        self._owner = [_MODULE] * (len(lines) + 1)
        self._solid = bytearray(len(lines) + 1)
        self._scopes = {"": _MODULE}
        self._kinds: dict[str, SymbolKind] = {}
        self._parents: dict[str, str] = {}
        self._spans: dict[str, list[tuple[int, int]]] = {}
        self._texts: dict[str, list[str]] = {}
        self._imports: list[Import] = []
        self._above_imports: list[str] = []

    def read(self, tree: ast.Module) -> Outline:
        """Return the outline of the parsed lines."""
        start = sum(_COOKIE.match(line) is not None for line in self._lines[:2])
        self._block(tree.body, "", (), start)
        own: list[list[str]] = [[] for _ in self._scopes]
        for number, line in enumerate(self._lines, start=1):
            owner = self._owner[number]
            if owner != _NOBODY and (self._solid[number] or line.strip()):
                own[owner].append(line)
        for name, scope in self._scopes.items():
            if scope != _MODULE:
                self._texts[name] += own[scope]
        symbols = [
            Definition(
                name=name,
                kind=kind,
                first_line=self._spans[name][0][0],
                last_line=self._spans[name][-1][1],
                spans=tuple(self._spans[name]),
                parent=self._parents[name],
            )
            for name, kind in self._kinds.items()
        ]
        return Outline(
            symbols=tuple(sorted(symbols, key=lambda symbol: symbol.first_line)),
            texts={name: tuple(texts) for name, texts in self._texts.items()},
            imports=tuple(self._imports),
            above_imports=tuple(self._above_imports),
            loose=tuple(own[_MODULE]),
            lines=tuple(self._lines),
            form=self._form,
        )

    def _block(self, body: Sequence[ast.stmt], scope: str, context: tuple[str, ...], lower: int) -> int:
        """Share out the lines of a block that begins after line ``lower``; return its last line."""
        assigned: tuple[str, ...] = ()
        for statement in body:
            first = _first_line(statement)
            last = statement.end_lineno or first
            names: tuple[str, ...] = ()
            match statement:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    last = self._trailing(last, statement.col_offset)
                    kind = SymbolKind.METHOD if scope else SymbolKind.FUNCTION
                    span = (self._above(first, lower), last)
                    self._leaf(statement.name, kind, scope, context, span=span, lower=lower)
                case ast.ClassDef():
                    last = self._trailing(last, statement.col_offset)
                    self._class(statement, scope, context, (self._above(first, lower), last), lower)
                case ast.Import() | ast.ImportFrom() if not scope:
                    self._import(statement, context, lower)
                case ast.Assign() | ast.AnnAssign() | ast.AugAssign() if names := _assigned(statement):
                    for name in names:
                        span = (self._above(first, lower), last)
                        self._leaf(name, SymbolKind.VARIABLE, scope, context, span=span, lower=lower)
                case ast.Expr(value=ast.Constant(value=str())) if assigned and first == lower + 1:
                    names = ()
                    self._described(assigned, scope, first, last)
                case ast.If() | ast.Try() | ast.TryStar() | ast.With() | ast.AsyncWith() if _opens(statement):
                    last = max(last, self._compound(statement, scope, context, lower))
                case _:
                    self._keep(first, last, scope)
            assigned, lower = names, max(lower, last)
        return lower

    def _leaf(
        self,
        name: str,
        kind: SymbolKind,
        scope: str,
        context: tuple[str, ...],
        *,
        span: tuple[int, int],
        lower: int,
    ) -> None:
        name = self._named(name, kind, scope, span)
        self._texts[name] += [*context, "\n".join(self._lines[span[0] - 1 : span[1]])]
        self._take(max(span[0], lower + 1), span[1])

    def _class(
        self,
        statement: ast.ClassDef,
        scope: str,
        context: tuple[str, ...],
        span: tuple[int, int],
        lower: int,
    ) -> None:
        name = self._named(statement.name, SymbolKind.CLASS, scope, span)
        self._texts[name] += context
        own = self._scopes.setdefault(name, len(self._scopes))
        for number in range(max(span[0], lower + 1), span[1] + 1):
            self._owner[number] = own
        header = _header_end(statement)
        self._keep(max(_first_line(statement), lower + 1), header, name)
        self._block(statement.body, name, (), header)

    def _named(self, name: str, kind: SymbolKind, scope: str, span: tuple[int, int]) -> str:
        name = _qualified(scope, name)
        self._kinds.setdefault(name, kind)
        self._parents.setdefault(name, scope)
        self._spans.setdefault(name, []).append(span)
        self._texts.setdefault(name, [])
        return name

    def _described(self, names: Iterable[str], scope: str, first: int, last: int) -> None:
        """A text directly below an assignment describes it, and belongs to it."""
        for name in names:
            qualified = _qualified(scope, name)
            start, _ = self._spans[qualified].pop()
            self._spans[qualified].append((start, last))
            self._texts[qualified].append("\n".join(self._lines[first - 1 : last]))
        self._take(first, last)

    def _import(self, statement: ast.Import | ast.ImportFrom, context: tuple[str, ...], lower: int) -> None:
        first, last = statement.lineno, statement.end_lineno or statement.lineno
        above = self._above(first, lower)
        self._above_imports += self._lines[above - 1 : first - 1]
        self._take(max(above, lower + 1), last)
        plain = isinstance(statement, ast.Import)
        module = "" if isinstance(statement, ast.Import) else "." * statement.level + (statement.module or "")
        for alias in statement.names:
            self._imports.append(
                Import(
                    module=alias.name if plain else module,
                    name="" if plain else alias.name,
                    bound=alias.asname or (alias.name.partition(".")[0] if plain else alias.name),
                    context=context,
                )
            )

    def _compound(
        self,
        statement: ast.If | ast.Try | ast.TryStar | ast.With | ast.AsyncWith,
        scope: str,
        context: tuple[str, ...],
        lower: int,
    ) -> int:
        """Definitions under ``if``, ``try`` and ``with`` are the scope's; the lines between them are loose."""
        header = _header_end(statement)
        first = statement.lineno
        self._keep(first, header, scope)
        text = "\n".join(self._lines[first - 1 : header]).strip()
        last = header
        for branch, (begin, body) in enumerate(_branches(statement)):
            last = self._block(body, scope, (*context, f"{branch}: {text}"), max(begin, last))
        if not scope and first > lower and _only_for_types(statement):
            self._take(first, header)
        return last

    def _keep(self, first: int, last: int, scope: str) -> None:
        """Leave lines to a scope, blank ones inside texts included."""
        for number in range(first, last + 1):
            self._owner[number] = self._scopes[scope]
            self._solid[number] = 1

    def _take(self, first: int, last: int) -> None:
        for number in range(first, last + 1):
            self._owner[number] = _NOBODY

    def _above(self, first: int, lower: int) -> int:
        """Return where the comment block directly above a line begins, after line ``lower``."""
        while first - 1 > lower and self._lines[first - 2].lstrip().startswith("#"):
            first -= 1
        return first

    def _trailing(self, last: int, column: int) -> int:
        """Return the last of the comments below a body that are indented deeper than its header."""
        number = last
        while number < len(self._lines):
            line = self._lines[number]
            bare = line.lstrip()
            if bare:
                if not bare.startswith("#") or len(line) - len(bare) <= column:
                    break
                last = number + 1
            number += 1
        return last


def _qualified(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name


def _first_line(statement: ast.stmt) -> int:
    decorators = getattr(statement, "decorator_list", None)
    return min(decorators[0].lineno, statement.lineno) if decorators else statement.lineno


def _header_end(statement: ast.stmt) -> int:
    """Return the last line of what stands before a compound statement's first block, comments after it left out."""
    match statement:
        case ast.ClassDef():
            parts: list[ast.expr] = [*statement.bases, *(keyword.value for keyword in statement.keywords)]
        case ast.If():
            parts = [statement.test]
        case ast.With() | ast.AsyncWith():
            parts = [item.optional_vars or item.context_expr for item in statement.items]
        case _:
            parts = []
    return max([statement.lineno, *(part.end_lineno or 0 for part in parts)])


def _branches(
    statement: ast.If | ast.Try | ast.TryStar | ast.With | ast.AsyncWith,
) -> list[tuple[int, Sequence[ast.stmt]]]:
    """Return the blocks of a compound statement, each with a line that is still before it."""
    start = _header_end(statement)
    if isinstance(statement, ast.With | ast.AsyncWith):
        return [(start, statement.body)]
    if isinstance(statement, ast.If):
        return [(start, statement.body), (start, statement.orelse)]
    handlers = [
        (max(each.lineno, (each.type and each.type.end_lineno) or 0), each.body)
        for each in statement.handlers
    ]
    return [(start, statement.body), *handlers, (start, statement.orelse), (start, statement.finalbody)]


def _opens(statement: ast.stmt) -> bool:
    """Tell whether definitions inside are definitions of the scope around; what runs as a program is one piece."""
    test = statement.test if isinstance(statement, ast.If) else None
    return not (
        isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"
    )


def _only_for_types(statement: ast.stmt) -> bool:
    """Tell whether this is an ``if TYPE_CHECKING:`` with nothing but imports, which comes and goes with them."""
    if not isinstance(statement, ast.If) or statement.orelse:
        return False
    test = statement.test
    name = test.id if isinstance(test, ast.Name) else test.attr if isinstance(test, ast.Attribute) else ""
    return name == "TYPE_CHECKING" and all(
        isinstance(each, ast.Import | ast.ImportFrom) for each in statement.body
    )


def _assigned(statement: ast.Assign | ast.AnnAssign | ast.AugAssign) -> tuple[str, ...]:
    """Return the names an assignment gives a value, none if it also sets an attribute or an item."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    names: list[str] = []
    waiting: list[ast.expr] = list(targets)
    while waiting:
        target = waiting.pop(0)
        match target:
            case ast.Name(id=name):
                names.append(name)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                waiting.extend(parts)
            case ast.Starred(value=part):
                waiting.append(part)
            case _:
                return ()
    return tuple(dict.fromkeys(names))
