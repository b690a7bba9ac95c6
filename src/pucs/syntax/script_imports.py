"""Reads what a JavaScript or TypeScript file imports, in whatever way, from its syntax tree."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from pucs.syntax.facts import ImportFact, ImportKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tree_sitter import Node

HEAD_BYTES: Final = 400_000
"""How much of a file that is not parsed is looked through line by line."""
_NAMED_IMPORTS_MAX: Final = 2000
"""Calls that import whose names are looked for: a file that people write has less."""
_MISTAKES_MAX: Final = 100
_IMPORT_LINE: Final = re.compile(
    rb"^[ \t]*+(?:import|export)\b(?P<what>[^'\"\n;]{0,400})['\"](?P<from>[^'\"\n]{1,300})['\"]"
    rb"|\b(?P<call>require|import)\(\s*+['\"](?P<called>[^'\"\n]{1,300})['\"]",
    re.MULTILINE,
)
_EXPORTS_TYPES: Final = re.compile(rb"export\s++type\b")
_REFERENCE: Final = re.compile(
    rb"^[ \t]*+///[ \t]*+<reference[ \t]+path=['\"]([^'\"\n]{1,300})['\"]", re.MULTILINE
)
_REFERENCE_BYTES: Final = 4000
IMPORTS: Final = """
(call_expression function: (import) arguments: (arguments . [(string) (template_string)] @import))
((call_expression function: (identifier) @_function arguments: (arguments . (string) @require))
 (#eq? @_function "require"))
[(function_declaration) (function_expression) (generator_function) (generator_function_declaration) (arrow_function)
 (method_definition)] @function
(try_statement body: (_) @try)
(ERROR) @error
"""
TYPED_IMPORTS: Final = """
[(type_annotation) (type_alias_declaration) (interface_declaration) (type_arguments)] @type
"""
_TYPE_WORDS: Final = frozenset({"type", "typeof"})


class _Ranges:
    """Parts of a file, to tell whether a place is inside one of them."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted((node.start_byte, node.end_byte) for node in nodes):
            if not self._ends or start >= self._ends[-1]:
                self._starts.append(start)
                self._ends.append(end)

    def __contains__(self, place: int) -> bool:
        at = bisect_right(self._starts, place) - 1
        return at >= 0 and place < self._ends[at]


def line_imports(part: bytes, line: int) -> Iterator[ImportFact]:
    """Give the imports that single lines show; the first is number ``line``."""
    counted_to = 0
    for match in _IMPORT_LINE.finditer(part):
        line, counted_to = line + part.count(b"\n", counted_to, match.start()), match.start()
        module = (match["from"] or match["called"]).decode("utf-8", "replace")
        kind = ImportKind.LAZY if match["call"] == b"import" else ImportKind.TOP
        if match["what"] is not None and match["what"].lstrip().startswith(b"type "):
            kind = ImportKind.TYPING
        yield ImportFact(module, 0, (), "", line, kind)


class ImportReader:
    """Reads imports out of one tree."""

    def __init__(self, source: bytes, *, types_only: bool) -> None:
        self._source = source
        self._top = ImportKind.TYPING if types_only else ImportKind.TOP
        self._imports: list[ImportFact] = []
        self._exports: list[str] = []

    def _text(self, node: Node | None) -> str:
        return (
            "" if node is None else self._source[node.start_byte : node.end_byte].decode("utf-8", "replace")
        )

    def read_import(self, node: Node) -> None:
        """Note what an import statement brings in."""
        source = node.child_by_field_name("source")
        names: list[tuple[str, str]] = []
        bound, typed = "", any(child.type in _TYPE_WORDS for child in node.children)
        for clause in node.named_children:
            if clause.type == "import_require_clause":
                source = clause.child_by_field_name("source")
                bound = self._text(clause.named_children[0])
            elif clause.type == "import_clause":
                names, bound, only_types = self._clause(clause)
                typed = typed or only_types
        module = self._string(source)
        line, kind = node.start_point[0] + 1, ImportKind.TYPING if typed else self._top
        if module and (names or not bound):
            self._imports.append(ImportFact(module, 0, tuple(names), "", line, kind))
        if module and bound:
            self._imports.append(ImportFact(module, 0, (), bound, line, kind))

    def _clause(self, clause: Node) -> tuple[list[tuple[str, str]], str, bool]:
        """Return the names of an import, the name of the module as a whole, and whether all are marked as types."""
        names: list[tuple[str, str]] = []
        types: list[bool] = []
        bound = ""
        for part in clause.named_children:
            if part.type == "identifier":
                names.append(("default", self._text(part)))
                types.append(False)
            elif part.type == "namespace_import":
                bound = self._text(part.named_children[-1])
            elif part.type == "named_imports":
                specifiers = [one for one in part.named_children if one.type == "import_specifier"]
                names += [self._specifier(one) for one in specifiers]
                types += [one.children[0].type in _TYPE_WORDS for one in specifiers]
        return names, bound, bool(types) and all(types) and not bound

    def _specifier(self, node: Node) -> tuple[str, str]:
        """Return the names of one part of ``{a as b}``: outside and here, or here and outside."""
        name = self._text(node.child_by_field_name("name")).strip("'\"")
        alias = self._text(node.child_by_field_name("alias")).strip("'\"")
        return name, alias or name

    def _string(self, node: Node | None) -> str:
        """Return what a string says; empty: it is none, or made of parts."""
        if node is None or node.type not in {"string", "template_string"}:
            return ""
        if any(child.type == "template_substitution" for child in node.children):
            return ""
        return self._text(node)[1:-1].strip()

    def _calls(self, captures: Mapping[str, Sequence[Node]]) -> None:
        functions, tries = _Ranges(captures.get("function", ())), _Ranges(captures.get("try", ()))
        types = _Ranges(captures.get("type", ()))
        for word in ("require", "import"):
            for number, node in enumerate(captures.get(word, ())):
                module, at = self._string(node), node.start_byte
                if not module:
                    continue
                kind = ImportKind.LAZY
                if at in types:
                    kind = ImportKind.TYPING
                elif word == "require" and at not in functions:
                    kind = ImportKind.OPTIONAL if at in tries else ImportKind.TOP
                names, bound, whole = self._taken(node) if number < _NAMED_IMPORTS_MAX else ((), "", False)
                names = (("*", "*"),) if whole else names
                self._imports.append(ImportFact(module, 0, names, bound, node.start_point[0] + 1, kind))

    def _taken(self, module: Node) -> tuple[tuple[tuple[str, str], ...], str, bool]:
        """Return the names that a call binds what it imports to, and whether all of it is exported again."""
        arguments = module.parent
        node = arguments.parent if arguments is not None else None
        around = node.parent if node is not None else None
        if around is not None and around.type == "await_expression":
            around = around.parent
        part = ""
        if around is not None and around.type == "member_expression":
            part = self._text(around.child_by_field_name("property"))
            around = around.parent
        if around is None:
            return (), "", False
        if around.type == "assignment_expression":
            target = self._text(around.child_by_field_name("left"))
            return (), "", target == "module.exports" and not part
        if around.type != "variable_declarator":
            return ((part, part),) if part and part not in {"then", "catch", "finally"} else (), "", False
        name = around.child_by_field_name("name")
        if name is None:
            return (), "", False
        if name.type == "identifier":
            return (((part, self._text(name)),), "", False) if part else ((), self._text(name), False)
        return tuple(self._pattern(name)), "", False

    def _pattern(self, node: Node) -> Iterator[tuple[str, str]]:
        """Give the names of an object pattern, each with the name it is bound to."""
        for part in node.named_children if node.type == "object_pattern" else ():
            if part.type == "shorthand_property_identifier_pattern":
                yield self._text(part), self._text(part)
            elif part.type == "pair_pattern":
                value = part.child_by_field_name("value")
                if value is not None and value.type == "identifier":
                    yield self._text(part.child_by_field_name("key")).strip("'\""), self._text(value)
            elif part.type == "object_assignment_pattern":
                left = self._text(part.child_by_field_name("left"))
                yield left, left

    def _references(self) -> None:
        head = self._source[:_REFERENCE_BYTES]
        for match in _REFERENCE.finditer(head):
            path = match[1].decode("utf-8", "replace")
            path = path if path.startswith(".") else f"./{path}"
            line = head.count(b"\n", 0, match.start()) + 1
            self._imports.append(ImportFact(path, 0, (), "", line, ImportKind.TYPING))

    def _around_mistakes(self, errors: Sequence[Node]) -> None:
        """Look line by line where the parser lost its way: it knows less than people write."""
        if not errors:
            return
        known = {(fact.module, fact.line) for fact in self._imports}
        done = 0
        for error in sorted(errors, key=lambda node: node.start_byte)[:_MISTAKES_MAX]:
            start = self._source.rfind(b"\n", 0, error.start_byte) + 1
            end = self._source.find(b"\n", error.end_byte)
            end = min(end if end >= 0 else len(self._source), start + HEAD_BYTES)
            if start < done:
                continue
            done = end
            found = line_imports(self._source[start:end], error.start_point[0] + 1)
            self._imports += [fact for fact in found if (fact.module, fact.line) not in known]

    def _re_export(self, node: Node, source: str, *, typing: bool) -> None:
        line = node.start_point[0] + 1
        typing = typing or _EXPORTS_TYPES.match(self._source, node.start_byte) is not None
        kind = ImportKind.TYPING if typing else self._top
        names: list[tuple[str, str]] = []
        bound = ""
        for clause in node.named_children:
            if clause.type == "export_clause":
                parts = [part for part in clause.named_children if part.type == "export_specifier"]
                names += [self._specifier(part) for part in parts]
                if parts and all(part.children[0].type == "type" for part in parts):
                    kind = ImportKind.TYPING
            elif clause.type == "namespace_export":
                bound = self._text(clause.named_children[-1]).strip("'\"")
        if not names and not bound and any(child.type == "*" for child in node.children):
            names = [("*", "*")]
        self._exports += [bound] if bound else [public for _, public in names]
        self._imports.append(ImportFact(source, 0, tuple(names), bound, line, kind))

    def _imports_whole(self, value: Node) -> bool:
        """Tell whether a value is a module, or a part of one: its name is then bound by the import."""
        if value.type == "await_expression":
            value = value.named_children[0]
        if value.type == "member_expression":
            value = value.child_by_field_name("object") or value
        if value.type != "call_expression":
            return False
        function = value.child_by_field_name("function")
        arguments = value.child_by_field_name("arguments")
        if function is None or arguments is None or not arguments.named_children:
            return False
        called = function.type == "import" or self._text(function) == "require"
        return called and bool(self._string(arguments.named_children[0]))
