"""Tells the facts of a Python file from one walk over its syntax tree; nothing is imported or executed."""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING, Final

from pucs.syntax.definitions import SOURCE_BYTES_MAX, decoded
from pucs.syntax.facts import (
    USE_LINES_MAX,
    DefinitionFact,
    DefinitionKind,
    FileFacts,
    ImportFact,
    ImportKind,
    Language,
    UseFact,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PARTS_MAX: Final = 5
_SIGNATURE_MAX: Final = 400
_HEAD_BYTES: Final = 400_000
"""How much of a file that cannot be parsed is looked through line by line."""
_DOTTED: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_DEPRECATED: Final = re.compile(r"\bdeprecated\b", re.IGNORECASE)
_IMPORT_LINE: Final = re.compile(
    rb"^([ \t]*)(?:from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+\(?([^#\n]*)|import[ \t]+([\w.]+(?:[ \t]*,[ \t]*[\w.]+)*))",
    re.MULTILINE,
)
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_Found = dict[str, list[int]]
"""Lines of each dotted name."""


def python_facts(source: bytes) -> FileFacts:
    """Return the facts of a Python file; one that is no Python has a problem, and the imports that its lines show."""
    if len(source) > SOURCE_BYTES_MAX:
        return _by_line(source, f"too large: {len(source)} bytes, at most {SOURCE_BYTES_MAX} are parsed")
    if b"\0" in source:
        return _by_line(source, "holds a zero byte")
    try:
        text, _ = decoded(source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a doubtful escape in somebody's file is no business of ours
            tree = ast.parse(text)
        return _Reader(text).facts(tree)
    except SyntaxError as error:
        return _by_line(source, f"line {error.lineno or 0}: {error.msg or 'not Python'}")
    except (RecursionError, MemoryError):
        return _by_line(source, "nested too deeply")
    except ValueError as error:
        return _by_line(source, str(error))


def _by_line(source: bytes, problem: str) -> FileFacts:
    """Return what single lines show: imports of old Python 2 files, or of a file in the middle of an edit."""
    imports: list[ImportFact] = []
    head = source[:_HEAD_BYTES]
    line, counted_to = 1, 0
    for match in _IMPORT_LINE.finditer(head):
        line, counted_to = line + head.count(b"\n", counted_to, match.start()), match.start()
        indent, dots, origin, names, modules = (
            (part or b"").decode("ascii", "replace") for part in match.groups()
        )
        kind = ImportKind.LAZY if indent else ImportKind.TOP
        if modules:
            for module in modules.replace(" ", "").replace("\t", "").split(","):
                imports.append(ImportFact(module, 0, (), module.partition(".")[0], line, kind))
            continue
        given = [words for part in names.strip(" \t()\\").split(",") if (words := part.split())]
        pairs = tuple((words[0], words[-1]) for words in given)
        imports.append(ImportFact(origin, len(dots), pairs, "", line, kind))
    return FileFacts(Language.PYTHON, source.count(b"\n") + 1, tuple(imports), problem=problem)


class _Scope:
    """Names of one function, class or module while it is read."""

    __slots__ = ("around", "bound", "globals", "loads")

    def __init__(self, around: _Scope | None = None) -> None:
        self.bound: set[str] = set()
        self.globals: set[str] = set()
        self.loads: _Found = {}
        self.around = around
        """Of a class: the scope that its methods see instead of it."""


class _Reader:
    """One walk over one tree."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._imports: list[ImportFact] = []
        self._definitions: list[DefinitionFact] = []
        self._strings: _Found = {}
        self._exports: list[str] = []
        self._deprecated = ""
        self._changes_path = False
        self._module = _Scope()

    def facts(self, tree: ast.Module) -> FileFacts:
        self._body(tree.body, self._module, "", ImportKind.TOP)
        documentation = ast.get_docstring(tree, clean=False) or ""
        if not self._deprecated and (said := _DEPRECATED.search(documentation[:600])):
            start = documentation.rfind("\n", 0, said.start()) + 1
            self._deprecated = documentation[start:].split("\n", 1)[0].strip()[:200]
        known = self._module.bound
        uses = {name: lines for name, lines in self._module.loads.items() if name.partition(".")[0] in known}
        return FileFacts(
            language=Language.PYTHON,
            lines=len(self._lines),
            imports=tuple(self._imports),
            definitions=tuple(self._definitions),
            uses=_told(uses),
            strings=_told(self._strings),
            exports=tuple(self._exports),
            description=documentation.strip().split("\n", 1)[0].strip()[:200],
            deprecated=self._deprecated,
            changes_path=self._changes_path,
        )

    # Statements -------------------------------------------------------------------------------------------------

    def _body(self, body: Iterable[ast.stmt], scope: _Scope, prefix: str | None, kind: ImportKind) -> None:
        """Read statements; ``prefix`` is the qualified class around them, None inside functions."""
        for statement in body:
            self._statement(statement, scope, prefix, kind)

    def _statement(self, node: ast.stmt, scope: _Scope, prefix: str | None, kind: ImportKind) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node, scope, prefix)
            case ast.ClassDef():
                self._class(node, scope, prefix, kind)
            case ast.Import():
                self._import(node, scope, kind)
            case ast.ImportFrom():
                self._import_from(node, scope, kind)
            case ast.If():
                self._expression(node.test, scope)
                inner = ImportKind.TYPING if _is_type_checking(node.test) else kind
                self._body(node.body, scope, prefix, inner)
                self._body(node.orelse, scope, prefix, kind)
            case ast.Try() | ast.TryStar():
                inner = ImportKind.OPTIONAL if kind is ImportKind.TOP else kind
                self._body(node.body, scope, prefix, inner)
                for handler in node.handlers:
                    if handler.type is not None:
                        self._expression(handler.type, scope)
                    if handler.name:
                        scope.bound.add(handler.name)
                    self._body(handler.body, scope, prefix, inner)
                self._body(node.orelse, scope, prefix, inner)
                self._body(node.finalbody, scope, prefix, kind)
            case ast.Assign():
                self._assigned(node.targets, node, scope, prefix)
                self._expression(node.value, scope)
            case ast.AnnAssign():
                self._assigned([node.target], node, scope, prefix)
                self._annotation(node.annotation, scope)
                if node.value is not None:
                    self._expression(node.value, scope)
            case ast.Global() | ast.Nonlocal():
                scope.globals.update(node.names)
            case ast.Expr(value=ast.Call() as call):
                self._call_alone(call, scope, prefix)
            case _:
                self._other(node, scope, prefix, kind)

    def _other(self, node: ast.stmt, scope: _Scope, prefix: str | None, kind: ImportKind) -> None:
        """Read a statement by its fields: expressions are looked at, blocks are read on."""
        if isinstance(node, ast.AugAssign):
            self._augmented(node, scope, prefix)
        for field in node._fields:
            value = getattr(node, field)
            if isinstance(value, ast.expr):
                self._expression(value, scope)
            elif isinstance(value, list):
                for item in value:
                    if isinstance(item, ast.stmt):
                        self._statement(item, scope, prefix, kind)
                    elif isinstance(item, ast.match_case):
                        self._expression(item.pattern, scope)
                        if item.guard is not None:
                            self._expression(item.guard, scope)
                        self._body(item.body, scope, prefix, kind)
                    elif isinstance(item, ast.AST):
                        self._expression(item, scope)

    def _import(self, node: ast.Import, scope: _Scope, kind: ImportKind) -> None:
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            self._bind_import(bound, scope)
            # ``import a.b as c`` binds the module itself, ``import a.b`` its top: the use says the rest.
            module = alias.name
            self._imports.append(
                ImportFact(module, 0, (), bound if alias.asname else module, node.lineno, kind)
            )

    def _import_from(self, node: ast.ImportFrom, scope: _Scope, kind: ImportKind) -> None:
        names = tuple((alias.name, alias.asname or alias.name) for alias in node.names)
        for _, bound in names:
            self._bind_import(bound, scope)
        self._imports.append(ImportFact(node.module or "", node.level, names, "", node.lineno, kind))

    def _bind_import(self, name: str, scope: _Scope) -> None:
        # A name that a function imports stands for the same thing as if the module had imported it.
        self._module.bound.add(name)
        if scope is not self._module:
            scope.globals.add(name)

    def _function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: _Scope, prefix: str | None
    ) -> None:
        scope.bound.add(node.name)
        for decorator in node.decorator_list:
            self._expression(decorator, scope)
        if prefix is not None:
            self._definitions.append(
                DefinitionFact(
                    prefix + node.name,
                    DefinitionKind.METHOD if prefix else DefinitionKind.FUNCTION,
                    node.lineno,
                    node.end_lineno or node.lineno,
                    self._header(node),
                    decorators=_dotted_all(node.decorator_list),
                )
            )
        if node.returns is not None:
            self._annotation(node.returns, scope)
        inner = _Scope()
        self._arguments(node.args, inner, scope)
        self._body(node.body, inner, None, ImportKind.LAZY)
        self._leave(inner, scope)

    def _class(self, node: ast.ClassDef, scope: _Scope, prefix: str | None, kind: ImportKind) -> None:
        scope.bound.add(node.name)
        for expression in (*node.decorator_list, *node.bases):
            self._expression(expression, scope)
        for keyword in node.keywords:
            self._expression(keyword.value, scope)
        inner_prefix = None if prefix is None else f"{prefix}{node.name}."
        if prefix is not None:
            self._definitions.append(
                DefinitionFact(
                    prefix + node.name,
                    DefinitionKind.CLASS,
                    node.lineno,
                    node.end_lineno or node.lineno,
                    bases=_dotted_all(node.bases),
                    decorators=_dotted_all(node.decorator_list),
                )
            )
        inner = _Scope(scope.around or scope)
        self._body(node.body, inner, inner_prefix, kind)
        self._leave(inner, scope)

    def _arguments(self, arguments: ast.arguments, inner: _Scope, outer: _Scope) -> None:
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
        for argument in every:
            inner.bound.add(argument.arg)
            if argument.annotation is not None:
                self._annotation(argument.annotation, outer)
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self._expression(default, outer)

    def _leave(self, inner: _Scope, outer: _Scope) -> None:
        """Hand what a scope did not bind itself to the one around it."""
        hidden = inner.bound - inner.globals
        loads = (outer.around or outer).loads
        for name, lines in inner.loads.items():
            if name.partition(".")[0] not in hidden:
                loads.setdefault(name, []).extend(lines)

    def _assigned(
        self, targets: Sequence[ast.expr], node: ast.Assign | ast.AnnAssign, scope: _Scope, prefix: str | None
    ) -> None:
        for target in targets:
            if isinstance(target, ast.Name):
                scope.bound.add(target.id)
                if prefix is not None:
                    self._definitions.append(
                        DefinitionFact(
                            prefix + target.id,
                            DefinitionKind.VARIABLE,
                            node.lineno,
                            node.end_lineno or node.lineno,
                        )
                    )
                if prefix == "" and target.id == "__all__" and node.value is not None:
                    self._exports = _texts(node.value)
            else:
                self._expression(target, scope)

    def _augmented(self, node: ast.AugAssign, scope: _Scope, prefix: str | None) -> None:
        if isinstance(node.target, ast.Name):
            scope.bound.add(node.target.id)
            if prefix == "" and node.target.id == "__all__":
                self._exports += _texts(node.value)

    def _call_alone(self, call: ast.Call, scope: _Scope, prefix: str | None) -> None:
        """Read a call that is a statement of its own: what modules do when they are loaded."""
        name = _dotted(call.func)
        if name in {"sys.path.insert", "sys.path.append"}:
            self._changes_path = True
        elif prefix == "" and name == "__all__.extend" and call.args:
            self._exports += _texts(call.args[0])
        elif prefix == "" and name in {"warnings.warn", "warn"}:
            given = [*call.args, *(keyword.value for keyword in call.keywords)]
            if any(_dotted(one).endswith("DeprecationWarning") for one in given):
                text = next(iter(_texts(call.args[0])), "") if call.args else ""
                self._deprecated = (text or "warns with DeprecationWarning when it is imported")[:200]
        self._expression(call, scope)

    # Expressions ------------------------------------------------------------------------------------------------

    def _expression(self, root: ast.AST, scope: _Scope) -> None:
        """Note every dotted name that is read below, and bind those that are written."""
        stack: list[ast.AST] = [root]
        while stack:
            node = stack.pop()
            kind = type(node)
            if kind is ast.Name:
                self._named(node, node.id, scope)  # type: ignore[attr-defined]
            elif kind is ast.Attribute:
                name = _dotted(node)
                if name:
                    self._note(scope, name, node.lineno)  # type: ignore[attr-defined]
                else:
                    stack.append(node.value)  # type: ignore[attr-defined]
            elif kind is ast.Constant:
                value = node.value  # type: ignore[attr-defined]
                if type(value) is str and "." in value and _DOTTED.fullmatch(value):
                    self._strings.setdefault(value, []).append(node.lineno)  # type: ignore[attr-defined]
            elif kind is ast.Lambda:
                inner = _Scope()
                self._arguments(node.args, inner, scope)  # type: ignore[attr-defined]
                self._expression(node.body, inner)  # type: ignore[attr-defined]
                self._leave(inner, scope)
            elif kind in _COMPREHENSIONS:
                inner = _Scope()
                for child in ast.iter_child_nodes(node):
                    self._expression(child, inner)
                self._leave(inner, scope)
            else:
                if kind in _PATTERNS and (
                    bound := getattr(node, "name", None) or getattr(node, "rest", None)
                ):
                    scope.bound.add(bound)
                for field in node._fields:
                    value = getattr(node, field)
                    if type(value) is list:
                        stack.extend(item for item in value if isinstance(item, ast.AST))
                    elif isinstance(value, ast.AST):
                        stack.append(value)

    def _named(self, node: ast.AST, name: str, scope: _Scope) -> None:
        if type(node.ctx) is ast.Load:  # type: ignore[attr-defined]
            self._note(scope, name, node.lineno)  # type: ignore[attr-defined]
        else:
            scope.bound.add(name)

    def _note(self, scope: _Scope, name: str, line: int) -> None:
        lines = scope.loads.get(name)
        if lines is None:
            scope.loads[name] = [line]
        else:
            lines.append(line)

    def _annotation(self, node: ast.expr, scope: _Scope) -> None:
        """Read an annotation, in which quoted text is code too."""
        for part in ast.walk(node):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                try:
                    quoted = ast.parse(part.value.strip(), mode="eval").body
                except (SyntaxError, ValueError, RecursionError):
                    continue
                for inner in ast.walk(quoted):
                    if isinstance(inner, ast.expr):
                        inner.lineno = part.lineno
                self._expression(quoted, scope)
        self._expression(node, scope)

    def _header(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        """Return the header of a function as written, in one line."""
        first, body = node.lineno - 1, node.body[0]
        last = body.lineno - 1
        if first == last:
            text = self._lines[first].encode()[node.col_offset : body.col_offset].decode(errors="replace")
        else:
            text = " ".join(self._lines[first:last])
        return " ".join(text.split()).removesuffix(":")[:_SIGNATURE_MAX]


_COMPREHENSIONS: Final = frozenset({ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp})
_PATTERNS: Final = frozenset({ast.MatchAs, ast.MatchStar, ast.MatchMapping})


def _dotted(node: ast.AST) -> str:
    """Return a chain of names as written, at most ``_PARTS_MAX`` parts of it; empty if it is none."""
    parts: list[str] = []
    while type(node) is ast.Attribute:
        parts.append(node.attr)
        node = node.value
    if type(node) is not ast.Name:
        return ""
    parts.append(node.id)
    return ".".join(parts[: -_PARTS_MAX - 1 : -1])


def _dotted_all(nodes: Iterable[ast.expr]) -> tuple[str, ...]:
    bare = (node.func if isinstance(node, ast.Call) else node for node in nodes)
    bare = (node.value if isinstance(node, ast.Subscript) else node for node in bare)
    return tuple(name for node in bare if (name := _dotted(node)))


def _texts(node: ast.AST) -> list[str]:
    """Return the strings that are written out in an expression, in order."""
    return [
        one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)
    ]


def _is_type_checking(test: ast.expr) -> bool:
    return _dotted(test).rpartition(".")[2] == "TYPE_CHECKING"


def _told(found: _Found) -> tuple[UseFact, ...]:
    return tuple(
        UseFact(name, tuple(sorted(set(lines)))[:USE_LINES_MAX]) for name, lines in sorted(found.items())
    )
