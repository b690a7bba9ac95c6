"""Tells the facts of a Python file from one walk over its syntax tree; nothing is imported or executed."""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from typing import TYPE_CHECKING, Any, ClassVar, Final

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
from pucs.syntax.python_names import Names, Scope, dotted, dotted_all, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pucs.syntax.python_names import Found

_SIGNATURE_MAX: Final = 400
_SAID_MAX: Final = 200
_HEAD_BYTES: Final = 400_000
"""How much of a file that cannot be parsed is looked through line by line."""
_DEPRECATED: Final = re.compile(r"\bdeprecated\b", re.IGNORECASE)
_IMPORT_LINE: Final = re.compile(
    rb"^([ \t]*+)(?:from(?:[ \t]++|(?=\.))(\.*+)((?:(?!import\b)\w[\w.]*+)?+)[ \t]*+import\b[ \t]*+\(?([^#\n]*+)"
    rb"|import[ \t]++([\w.]++(?:[ \t]*+,[ \t]*+[\w.]++)*+))",
    re.MULTILINE,
)
"""Never takes a step back: such a file may be made of anything."""
_LINE_END: Final = re.compile("\r\n|\r|\n")
_COMMENT_BEHIND: Final = re.compile(r":\s*#")
_BUILTINS: Final = frozenset({*dir(builtins), "__file__", "__path__", "__annotations__"})
_CATCHES_IMPORTS: Final = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_PATH_CALLS: Final = frozenset({"sys.path.insert", "sys.path.append", "sys.path.extend", "site.addsitedir"})


def python_facts(source: bytes) -> FileFacts:
    """Return the facts of a Python file; one that is no Python has a problem, and the imports that its lines show."""
    if len(source) > SOURCE_BYTES_MAX:
        return _by_line(source, f"larger than {SOURCE_BYTES_MAX} bytes")
    if b"\0" in source:
        return _by_line(source, "holds a zero byte")
    try:
        text, _ = decoded(source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a doubtful escape in somebody's file is no business of ours
            return _Reader(text).facts(ast.parse(text))
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
            imports += [
                ImportFact(module, 0, (), module, line, kind)
                for module in re.split(r"[ \t]*,[ \t]*", modules)
            ]
            continue
        given = [words for part in names.strip(" \t()\\").split(",") if (words := part.split())]
        pairs = tuple((words[0], words[-1]) for words in given)
        imports.append(ImportFact(origin, len(dots), pairs, "", line, kind))
    return FileFacts(Language.PYTHON, _line_count(source), tuple(imports), problem=problem)


def _line_count(source: bytes) -> int:
    return source.count(b"\n") + (not source.endswith(b"\n") and source != b"")


class _Reader:
    """One walk over one tree.

    ``prefix`` is the qualified class around a statement with a dot, None inside functions; ``kind`` what an import
    would be there.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n") if "\r" not in text else _LINE_END.split(text)
        self._imports: list[ImportFact] = []
        self._definitions: list[DefinitionFact] = []
        self._exports: list[str] = []
        self._deprecated = ""
        self._changes_path = False
        self._names = Names()
        self._module = Scope(module=True)

    def facts(self, tree: ast.Module) -> FileFacts:
        self._body(tree.body, self._module, "", ImportKind.TOP)
        documentation = ast.get_docstring(tree, clean=False) or ""
        if not self._deprecated and (said := _DEPRECATED.search(documentation[:600])):
            start = documentation.rfind("\n", 0, said.start()) + 1
            self._deprecated = documentation[start:].split("\n", 1)[0].strip()
        return FileFacts(
            language=Language.PYTHON,
            lines=len(self._lines) - (not self._lines[-1]),
            imports=tuple(self._imports),
            definitions=tuple(self._definitions),
            uses=_told(self._uses()),
            strings=_told(self._names.strings),
            exports=tuple(_plain(name) for name in self._exports),
            description=_plain(documentation.strip().split("\n", 1)[0].strip()[:_SAID_MAX]),
            deprecated=_plain(self._deprecated[:_SAID_MAX]),
            changes_path=self._changes_path,
        )

    def _uses(self) -> Found:
        """Return what is read of the module's own names; after ``import *`` any name may be one."""
        loads, bound = self._module.loads, self._module.bound
        if "*" in bound:
            return {
                name: lines
                for name, lines in loads.items()
                if name.partition(".")[0] not in _BUILTINS - bound
            }
        return {name: lines for name, lines in loads.items() if name.partition(".")[0] in bound}

    def _body(self, body: Iterable[ast.stmt], scope: Scope, prefix: str | None, kind: ImportKind) -> None:
        for node in body:
            self._READ.get(type(node), _Reader._other)(self, node, scope, prefix, kind)

    # Blocks -----------------------------------------------------------------------------------------------------

    def _if(self, node: ast.If, scope: Scope, prefix: str | None, kind: ImportKind) -> None:
        while True:
            self._names.expression(node.test, scope)
            body, otherwise = _kinds_under(node.test, kind)
            self._body(node.body, scope, prefix, body)
            if len(node.orelse) != 1 or not isinstance(node.orelse[0], ast.If):
                break
            node, kind = node.orelse[0], otherwise  # a long chain of ``elif`` is no deep nesting
        self._body(node.orelse, scope, prefix, otherwise)

    def _try(self, node: ast.Try | ast.TryStar, scope: Scope, prefix: str | None, kind: ImportKind) -> None:
        inner = kind
        if kind is ImportKind.TOP and any(_catches_imports(handler.type) for handler in node.handlers):
            inner = ImportKind.OPTIONAL
        self._body(node.body, scope, prefix, inner)
        for handler in node.handlers:
            if handler.type is not None:
                self._names.expression(handler.type, scope)
            if handler.name:
                scope.bound.add(handler.name)
            self._body(handler.body, scope, prefix, inner)
        self._body(node.orelse, scope, prefix, inner)
        self._body(node.finalbody, scope, prefix, kind)

    def _with(
        self, node: ast.With | ast.AsyncWith, scope: Scope, prefix: str | None, kind: ImportKind
    ) -> None:
        for item in node.items:
            self._names.expression(item, scope)
            call = item.context_expr
            if (
                kind is ImportKind.TOP
                and isinstance(call, ast.Call)
                and dotted(call.func).endswith("suppress")
            ):
                kind = ImportKind.OPTIONAL if any(map(_catches_imports, call.args)) else kind
        self._body(node.body, scope, prefix, kind)

    def _match(self, node: ast.Match, scope: Scope, prefix: str | None, kind: ImportKind) -> None:
        self._names.expression(node.subject, scope)
        for case in node.cases:
            self._names.expression(case.pattern, scope)
            if case.guard is not None:
                self._names.expression(case.guard, scope)
            self._body(case.body, scope, prefix, kind)

    def _other(self, node: ast.stmt, scope: Scope, prefix: str | None, kind: ImportKind) -> None:
        """Read a statement by its fields: expressions are looked at, blocks are read on."""
        for field in node._fields:
            value = getattr(node, field)
            if type(value) is list:
                if value and isinstance(value[0], ast.stmt):
                    self._body(value, scope, prefix, kind)
                else:
                    for item in value:
                        self._names.expression(item, scope)
            elif isinstance(value, ast.expr):
                self._names.expression(value, scope)

    # Imports and definitions --------------------------------------------------------------------------------------

    def _import(self, node: ast.Import, scope: Scope, _prefix: str | None, kind: ImportKind) -> None:
        for alias in node.names:
            self._bind_import(alias.asname or alias.name.partition(".")[0], scope)
            # ``import a.b as c`` binds the module itself, ``import a.b`` its top: the use says the rest.
            self._imports.append(ImportFact(alias.name, 0, (), alias.asname or alias.name, node.lineno, kind))

    def _import_from(self, node: ast.ImportFrom, scope: Scope, _prefix: str | None, kind: ImportKind) -> None:
        names = tuple((alias.name, alias.asname or alias.name) for alias in node.names)
        for _, bound in names:
            self._bind_import(bound, scope)
        self._imports.append(ImportFact(node.module or "", node.level, names, "", node.lineno, kind))

    def _bind_import(self, name: str, scope: Scope) -> None:
        # A name that a function imports stands for the same thing as if the module had imported it.
        self._module.bound.add(name)
        if scope is not self._module:
            scope.globals.add(name)

    def _function(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef,
        scope: Scope,
        prefix: str | None,
        _kind: ImportKind,
    ) -> None:
        scope.bound.add(node.name)
        for decorator in node.decorator_list:
            self._names.expression(decorator, scope)
        if prefix is not None:
            self._definitions.append(
                DefinitionFact(
                    prefix + node.name,
                    DefinitionKind.METHOD if prefix else DefinitionKind.FUNCTION,
                    node.lineno,
                    node.end_lineno or node.lineno,
                    self._header(node),
                    decorators=dotted_all(node.decorator_list),
                )
            )
        outer = self._type_scope(node, scope)
        if node.returns is not None:
            self._names.annotation(node.returns, outer)
        inner = Scope()
        self._names.arguments(node.args, inner, outer)
        self._body(node.body, inner, None, ImportKind.LAZY)
        inner.leave(outer)
        if outer is not scope:
            outer.leave(scope)

    def _class(self, node: ast.ClassDef, scope: Scope, prefix: str | None, kind: ImportKind) -> None:
        scope.bound.add(node.name)
        outer = self._type_scope(node, scope)
        for expression in (*node.decorator_list, *node.bases, *node.keywords):
            self._names.expression(expression, outer)
        inner_prefix = None if prefix is None else f"{prefix}{node.name}."
        if prefix is not None:
            self._definitions.append(
                DefinitionFact(
                    prefix + node.name,
                    DefinitionKind.CLASS,
                    node.lineno,
                    node.end_lineno or node.lineno,
                    bases=dotted_all(node.bases),
                    decorators=dotted_all(node.decorator_list),
                )
            )
        inner = Scope(outer.around or outer)
        self._body(node.body, inner, inner_prefix, kind)
        inner.leave(outer)
        if outer is not scope:
            outer.leave(scope)

    def _type_scope(self, node: ast.AST, scope: Scope) -> Scope:
        """Return the scope of ``T`` in ``def f[T]`` of newer Pythons, around which ``scope`` is; else that itself."""
        parameters = getattr(node, "type_params", ())
        if not parameters:
            return scope
        around = Scope()
        for parameter in parameters:
            around.bound.add(parameter.name)
            self._names.expression(parameter, around)
        return around

    def _header(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        """Return the header of a function as written, in one line."""
        first, body = node.lineno - 1, node.body[0]
        decorators = getattr(body, "decorator_list", None)
        last = (decorators[0].lineno if decorators else body.lineno) - 1
        if first == last:
            text = self._lines[first].encode()[node.col_offset : body.col_offset].decode(errors="replace")
        else:
            lines = self._lines[first:last]
            while len(lines) > 1 and (not (bare := lines[-1].strip()) or bare[0] == "#"):
                lines.pop()
            text = " ".join((*lines[:-1], _uncommented(lines[-1])))
        return " ".join(text.split()).removesuffix(":")[:_SIGNATURE_MAX]

    # Values -------------------------------------------------------------------------------------------------------

    def _assign(self, node: ast.Assign, scope: Scope, prefix: str | None, _kind: ImportKind) -> None:
        for target in node.targets:
            self._target(target, node, scope, prefix)
        self._names.expression(node.value, scope)

    def _ann_assign(self, node: ast.AnnAssign, scope: Scope, prefix: str | None, _kind: ImportKind) -> None:
        self._target(node.target, node, scope, prefix)
        self._names.annotation(node.annotation, scope)
        if node.value is not None:
            self._names.expression(node.value, scope)

    def _aug_assign(self, node: ast.AugAssign, scope: Scope, prefix: str | None, _kind: ImportKind) -> None:
        if isinstance(node.target, ast.Name):
            scope.bound.add(node.target.id)
            if prefix == "" and node.target.id == "__all__":
                self._exports += texts(node.value)
        else:
            self._changes_path |= dotted(node.target) == "sys.path"
            self._names.expression(node.target, scope)
        self._names.expression(node.value, scope)

    def _target(
        self, target: ast.expr, node: ast.Assign | ast.AnnAssign, scope: Scope, prefix: str | None
    ) -> None:
        if isinstance(target, ast.Name):
            scope.bound.add(target.id)
            if prefix is not None:
                last = node.end_lineno or node.lineno
                self._definitions.append(
                    DefinitionFact(prefix + target.id, DefinitionKind.VARIABLE, node.lineno, last)
                )
            if prefix == "" and target.id == "__all__" and node.value is not None:
                self._exports = texts(node.value)
        elif isinstance(target, ast.Tuple | ast.List):
            for part in target.elts:
                self._target(part, node, scope, prefix)
        else:
            self._changes_path |= isinstance(target, ast.Attribute) and dotted(target) == "sys.path"
            self._names.expression(target, scope)

    def _alias(self, node: Any, scope: Scope, prefix: str | None, kind: ImportKind) -> None:
        """Read ``type X = ...`` of newer Pythons."""
        self._other(node, scope, prefix, kind)
        if prefix is not None:
            name = prefix + node.name.id
            self._definitions.append(
                DefinitionFact(name, DefinitionKind.VARIABLE, node.lineno, node.end_lineno)
            )

    def _global(
        self, node: ast.Global | ast.Nonlocal, scope: Scope, _prefix: str | None, _kind: ImportKind
    ) -> None:
        scope.globals.update(node.names)

    def _value(
        self, node: ast.Expr | ast.Return, scope: Scope, prefix: str | None, _kind: ImportKind
    ) -> None:
        if node.value is None:
            return
        if isinstance(node.value, ast.Call) and isinstance(node, ast.Expr):
            self._call_alone(node.value, prefix)
        self._names.expression(node.value, scope)

    def _call_alone(self, call: ast.Call, prefix: str | None) -> None:
        """Look at a call that is a statement of its own: what modules do when they are loaded."""
        if prefix is None and not isinstance(call.func, ast.Attribute):
            return
        name = dotted(call.func)
        if name in _PATH_CALLS:
            self._changes_path = True
        elif prefix == "" and name == "__all__.extend" and call.args:
            self._exports += texts(call.args[0])
        elif prefix == "" and name in {"warnings.warn", "warn"}:
            given = [*call.args, *(keyword.value for keyword in call.keywords)]
            if any(dotted(one).endswith("DeprecationWarning") for one in given):
                text = next(iter(texts(call.args[0])), "") if call.args else ""
                self._deprecated = text or "warns with DeprecationWarning when it is imported"

    _READ: ClassVar[dict[type, Callable[..., None]]] = {
        ast.FunctionDef: _function,
        ast.AsyncFunctionDef: _function,
        ast.ClassDef: _class,
        ast.Import: _import,
        ast.ImportFrom: _import_from,
        ast.If: _if,
        ast.Try: _try,
        ast.TryStar: _try,
        ast.With: _with,
        ast.AsyncWith: _with,
        ast.Match: _match,
        ast.Assign: _assign,
        ast.AnnAssign: _ann_assign,
        ast.AugAssign: _aug_assign,
        ast.Global: _global,
        ast.Nonlocal: _global,
        ast.Expr: _value,
        ast.Return: _value,
        getattr(ast, "TypeAlias", type(None)): _alias,  # newer than 3.11
    }


def _kinds_under(test: ast.expr, kind: ImportKind) -> tuple[ImportKind, ImportKind]:
    """Return what imports are where a test holds, and where it does not."""
    negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    name = dotted(test.operand if isinstance(test, ast.UnaryOp) and negated else test)
    if name.rpartition(".")[2] != "TYPE_CHECKING":
        return kind, kind
    return (kind, ImportKind.TYPING) if negated else (ImportKind.TYPING, kind)


def _catches_imports(caught: ast.expr | None) -> bool:
    """Tell whether what an ``except`` names covers a module that is not there."""
    parts = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(part is None or dotted(part).rpartition(".")[2] in _CATCHES_IMPORTS for part in parts)


def _uncommented(line: str) -> str:
    """Return the last line of a header without the comment behind its colon."""
    if len(line) > _SIGNATURE_MAX:
        return line
    for match in _COMMENT_BEHIND.finditer(line):
        before = line[: match.start()]
        if not before.count("'") % 2 and not before.count('"') % 2:  # else it stands in a string
            return before
    return line


def _plain(text: str) -> str:
    """Return text without halves of characters, which an escape may make and nothing can write down."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def _told(found: Found) -> tuple[UseFact, ...]:
    return tuple(
        UseFact(name, tuple(sorted(set(lines)))[:USE_LINES_MAX]) for name, lines in sorted(found.items())
    )
