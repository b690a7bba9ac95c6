"""Which names Python expressions read, scope by scope: what a function binds itself is not a use of the module's."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Found = dict[str, list[int]]
"""Lines of each dotted name."""

_FIELDS: Final[dict[type, tuple[str, ...]]] = {}
"""Fields of each kind of node that hold nodes, as far as they were met."""
_NO_NODES: Final = frozenset(
    "arg attr conversion ctx id is_async kwd_attrs name op ops rest".split()  # noqa: SIM905 - one line
)
"""Fields that hold names and marks."""
PARTS_MAX: Final = 5
"""Parts of a dotted name that are kept."""
_STRING_MAX: Final = 200
_DOTTED: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")


class Scope:
    """Names of one function, class or module while it is read."""

    __slots__ = ("around", "bound", "globals", "hides", "loads")

    def __init__(self, around: Scope | None = None, *, module: bool = False) -> None:
        self.bound: set[str] = set()
        self.globals: set[str] = set()
        """Names that mean something further out although they are bound here."""
        self.loads: Found = {}
        self.around = around
        """Of a class: the scope that its methods see instead of it."""
        self.hides: set[str] = set() if module else self.bound
        """Names whose use here is nobody else's concern; of a module, none."""

    def note(self, name: str, top: str, line: int) -> None:
        """Note that a dotted name is read."""
        if top in self.hides and top not in self.globals:
            return
        lines = self.loads.get(name)
        if lines is None:
            self.loads[name] = [line]
        else:
            lines.append(line)

    def leave(self, outer: Scope) -> None:
        """Hand what this scope did not bind itself to the one around it."""
        hidden = self.bound - self.globals
        loads = (outer.around or outer).loads
        for name, lines in self.loads.items():
            if name.partition(".")[0] not in hidden:
                known = loads.get(name)
                if known is None:
                    loads[name] = lines
                else:
                    known += lines


class Names:
    """Notes the names that expressions read in scopes, and dotted names in strings."""

    def __init__(self) -> None:
        self.strings: Found = {}

    def expression(self, root: ast.AST, scope: Scope) -> None:
        """Note every dotted name that is read below, and bind those that are written."""
        stack: list[Any] = [root]
        pop = stack.pop
        read_of = self._READ
        while stack:
            node = pop()
            kind = type(node)
            if kind is ast.Name:
                if type(node.ctx) is ast.Load:
                    scope.note(node.id, node.id, node.lineno)
                else:
                    scope.bound.add(node.id)
            elif kind is ast.Constant:
                if type(node.value) is str and "." in node.value:
                    self._string(node.value, node.lineno)
            elif kind is ast.Call:
                stack.append(node.func)
                if node.args:
                    stack += node.args
                if node.keywords:
                    stack += [each.value for each in node.keywords]
            elif read := read_of.get(kind):
                read(self, node, scope, stack)
            else:
                _children(node, stack)

    def annotation(self, node: ast.expr, scope: Scope) -> None:
        """Read an annotation, in which quoted text is code too."""
        if type(node) is not ast.Name:
            for text, line in _quoted(node):
                try:
                    inside = ast.parse(text.strip(), mode="eval").body
                except (SyntaxError, ValueError, RecursionError, MemoryError):
                    continue
                for each in ast.walk(inside):
                    if isinstance(each, ast.expr):
                        each.lineno = line
                self.expression(inside, scope)
        self.expression(node, scope)

    def arguments(self, arguments: ast.arguments, inner: Scope, outer: Scope) -> None:
        """Bind the arguments of a function in it; what they are by default is read outside."""
        every = arguments.posonlyargs + arguments.args + arguments.kwonlyargs
        every += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
        for argument in every:
            inner.bound.add(argument.arg)
            if argument.annotation is not None:
                self.annotation(argument.annotation, outer)
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self.expression(default, outer)

    def _string(self, value: str, line: int) -> None:
        if len(value) <= _STRING_MAX and _DOTTED.fullmatch(value):
            self.strings.setdefault(value, []).append(line)

    def _attribute(self, node: ast.Attribute, scope: Scope, stack: list[Any]) -> None:
        inner: Any = node.value
        parts = [node.attr]
        while type(inner) is ast.Attribute:
            parts.append(inner.attr)
            inner = inner.value
        if type(inner) is not ast.Name:
            stack.append(inner)
            return
        top = inner.id
        if top in scope.hides and top not in scope.globals:
            return
        parts.append(top)
        scope.note(".".join(parts[: -PARTS_MAX - 1 : -1]), top, node.lineno)

    def _lambda(self, node: ast.Lambda, scope: Scope, _stack: list[Any]) -> None:
        inner = Scope()
        self.arguments(node.args, inner, scope)
        self.expression(node.body, inner)
        inner.leave(scope)

    def _comprehension(
        self,
        node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
        scope: Scope,
        stack: list[Any],
    ) -> None:
        stack.append(node.generators[0].iter)  # what it runs over first is read outside
        inner = Scope()
        for number, each in enumerate(node.generators):
            self.expression(each.target, inner)
            if number:
                self.expression(each.iter, inner)
            for test in each.ifs:
                self.expression(test, inner)
        for value in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self.expression(value, inner)
        inner.leave(scope)

    def _pattern(
        self, node: ast.MatchAs | ast.MatchStar | ast.MatchMapping, scope: Scope, stack: list[Any]
    ) -> None:
        bound = node.rest if isinstance(node, ast.MatchMapping) else node.name
        if bound:
            scope.bound.add(bound)
        _children(node, stack)

    def _nothing(self, node: None, scope: Scope, stack: list[Any]) -> None:
        pass

    _READ: ClassVar[dict[type, Callable[..., None]]] = {
        type(None): _nothing,
        ast.MatchSingleton: _nothing,
        ast.Attribute: _attribute,
        ast.Lambda: _lambda,
        ast.ListComp: _comprehension,
        ast.SetComp: _comprehension,
        ast.DictComp: _comprehension,
        ast.GeneratorExp: _comprehension,
        ast.MatchAs: _pattern,
        ast.MatchStar: _pattern,
        ast.MatchMapping: _pattern,
    }


def dotted(node: ast.AST) -> str:
    """Return a chain of names as written, at most ``PARTS_MAX`` parts of it; empty if it is none."""
    parts: list[str] = []
    while type(node) is ast.Attribute:
        parts.append(node.attr)
        node = node.value
    if type(node) is not ast.Name:
        return ""
    parts.append(node.id)
    return ".".join(parts[: -PARTS_MAX - 1 : -1])


def dotted_all(nodes: Iterable[ast.expr]) -> tuple[str, ...]:
    """Return the chains of names among expressions, of calls and subscripts what is called and subscripted."""
    bare = (node.func if isinstance(node, ast.Call) else node for node in nodes)
    bare = (node.value if isinstance(node, ast.Subscript) else node for node in bare)
    return tuple(name for node in bare if (name := dotted(node)))


def texts(node: ast.AST) -> list[str]:
    """Return the strings that are written out in an expression, in order."""
    return [
        one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)
    ]


def _quoted(root: ast.expr) -> list[tuple[str, int]]:
    """Return the quoted parts of an annotation with their lines; what stands in ``Literal[...]`` is a value."""
    found: list[tuple[str, int]] = []
    stack: list[Any] = [root]
    while stack:
        node = stack.pop()
        if type(node) is ast.Constant:
            if type(node.value) is str:
                found.append((node.value, node.lineno))
        elif type(node) is ast.Subscript and dotted(node.value).rpartition(".")[2] == "Literal":
            continue
        elif node is not None and type(node) is not ast.Name:
            _children(node, stack)
    return found


def _children(node: ast.AST, stack: list[Any]) -> None:
    """Push the nodes directly below one, and None where a part is left out."""
    kind = type(node)
    fields = _FIELDS.get(kind)
    if fields is None:
        fields = _FIELDS[kind] = tuple(field for field in node._fields if field not in _NO_NODES)
    for field in fields:
        value = getattr(node, field)
        if type(value) is list:
            stack += value
        else:
            stack.append(value)
