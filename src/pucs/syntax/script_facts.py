"""Tells the facts of a JavaScript or TypeScript file from its syntax tree (tree-sitter); nothing is executed.

What stands around a mistake is told as far as the parser finds its way. The tree is never walked as a whole: a query finds
imports and names, and only statements of the module itself are looked at one by one.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from pucs.syntax.definitions import SOURCE_BYTES_MAX
from pucs.syntax.facts import (
    WHOLE,
    DefinitionFact,
    DefinitionKind,
    FileFacts,
    Language,
)
from pucs.syntax.script_imports import HEAD_BYTES, IMPORTS, TYPED_IMPORTS, ImportReader, line_imports
from pucs.syntax.script_names import NAMES, TYPED_NAMES, uses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tree_sitter import Node, Parser, Query, Tree

JAVASCRIPT: Final = "javascript"
TYPESCRIPT: Final = "typescript"
TSX: Final = "tsx"
DECLARATIONS: Final = "declarations"
"""TypeScript without code (``.d.ts``): whatever it imports are types."""

_SIGNATURE_MAX: Final = 400
_SAID_MAX: Final = 200
_OPENING, _CLOSING = (b"(", b"[", b"{"), (b")", b"]", b"}")
_UNBALANCED_MAX: Final = 1000
"""Brackets that are never closed, in texts too: to find a way through more of them takes the parser minutes."""
_BROKEN_CHILDREN_MAX: Final = 2000
"""Parts of a file that do not come together to anything: no script, and to look through them takes minutes."""
_DENSE_BYTES_MIN: Final = 20_000
_DENSE_LINE_BYTES: Final = 500
"""Mean length of lines from which on a file was written by a program: nobody asks where it uses its names."""
_NAMES: Final = {Language.JAVASCRIPT: "JavaScript", Language.TYPESCRIPT: "TypeScript"}
_TYPE_STAR: Final = re.compile(rb"\bexport[ \t]++type[ \t]*+\*")
"""What TypeScript knows and its grammar here does not."""
_SPACE: Final = re.compile(r"\s+")
_LICENCE: Final = re.compile(r"@licen[cs]e|copyright|SPDX-", re.IGNORECASE)
_FILE_TAG: Final = re.compile(r"@(?:file|fileoverview|overview|module|packageDocumentation)\b[ \t]*(.*)")
_DEPRECATED: Final = re.compile(r"@deprecated\b[ \t]*(.*)")
_ATTACHED: Final = frozenset({
    "export_statement",
    "function_declaration",
    "class_declaration",
    "abstract_class_declaration",
    "lexical_declaration",
    "variable_declaration",
    "interface_declaration",
    "type_alias_declaration",
    "enum_declaration",
    "ambient_declaration",
})
_FUNCTIONS: Final = frozenset({"arrow_function", "function_expression", "generator_function"})


class _Grammar(NamedTuple):
    parser: Parser
    query: Query


@cache
def _grammar(kind: str) -> _Grammar:
    from tree_sitter import Language as Grammar, Parser, Query  # noqa: PLC0415, I001 - loaded where there is a script

    if kind == JAVASCRIPT:
        import tree_sitter_javascript  # noqa: PLC0415

        grammar = Grammar(tree_sitter_javascript.language())
        return _Grammar(Parser(grammar), Query(grammar, NAMES + IMPORTS))
    import tree_sitter_typescript  # noqa: PLC0415

    typed = tree_sitter_typescript
    grammar = Grammar(typed.language_tsx() if kind == TSX else typed.language_typescript())
    return _Grammar(Parser(grammar), Query(grammar, NAMES + TYPED_NAMES + IMPORTS + TYPED_IMPORTS))


def script_facts(kind: str, source: bytes) -> FileFacts:
    """Return the facts of a script; ``kind`` is how it is written: ``JAVASCRIPT`` and the like."""
    language = Language.JAVASCRIPT if kind == JAVASCRIPT else Language.TYPESCRIPT
    if len(source) > SOURCE_BYTES_MAX:
        return _by_line(language, source, f"larger than {SOURCE_BYTES_MAX} bytes")
    problem = ""
    if source.startswith((b"\xff\xfe", b"\xfe\xff")):
        source = source.decode("utf-16", "replace").encode("utf-8", "replace")
    source = source.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in source:
        problem = "holds a zero byte"
        source = source.replace(b"\0", b" ")
    try:
        source.decode()
    except UnicodeDecodeError:
        source = source.decode("latin-1").encode()
    if abs(sum(map(source.count, _OPENING)) - sum(map(source.count, _CLOSING))) > _UNBALANCED_MAX:
        return _by_line(language, source, "nested too deeply, or no script")
    grammar, tree = _parsed(kind, source)
    root = tree.root_node
    if root.is_error and root.child_count > _BROKEN_CHILDREN_MAX:
        return _by_line(language, source, f"not understood as {_NAMES[language]}")
    return _Reader(kind, language, source, grammar, tree).facts(problem)


def _parsed(kind: str, source: bytes) -> tuple[_Grammar, Tree]:
    """Parse a file; JavaScript that is none may have types (Flow), which the other grammar knows."""
    grammar = _grammar(TYPESCRIPT if kind == DECLARATIONS else kind)
    if kind != JAVASCRIPT:
        source = _TYPE_STAR.sub(lambda match: match[0].replace(b"type", b"    "), source)
    tree = grammar.parser.parse(source)
    if kind == JAVASCRIPT and tree.root_node.has_error:
        other = _grammar(TSX)
        typed = other.parser.parse(source)
        if not typed.root_node.has_error:
            return other, typed
    return grammar, tree


def _by_line(language: Language, source: bytes, problem: str) -> FileFacts:
    """Return what single lines show of a file that is too large."""
    return FileFacts(
        language, _line_count(source), tuple(line_imports(source[:HEAD_BYTES], 1)), problem=problem
    )


def _line_count(source: bytes) -> int:
    return source.count(b"\n") + (not source.endswith(b"\n") and source != b"")


class _Reader(ImportReader):
    """One look through one tree."""

    def __init__(self, kind: str, language: Language, source: bytes, grammar: _Grammar, tree: Tree) -> None:
        super().__init__(source, types_only=kind == DECLARATIONS)
        self._language = language
        self._grammar = grammar
        self._root = tree.root_node
        self._definitions: list[DefinitionFact] = []
        self._aliases: list[tuple[str, str]] = []
        self._exported = False
        """Whether the statement that is read stands behind ``export``."""

    def facts(self, problem: str) -> FileFacts:
        from tree_sitter import QueryCursor  # noqa: PLC0415 - loaded where there is a script

        # The library gives what it captures in no order.
        captures = {
            name: sorted(nodes, key=lambda node: node.start_byte)
            for name, nodes in QueryCursor(self._grammar.query).captures(self._root).items()
        }
        for statement in self._root.named_children:
            self._statement(statement)
        self._calls(captures)
        self._references()
        self._around_mistakes(captures.get("error", ()))
        lines = _line_count(self._source)
        dense = len(self._source) > _DENSE_BYTES_MIN and len(self._source) > lines * _DENSE_LINE_BYTES
        known = {bound for fact in self._imports for bound in (fact.bound, *(pair[1] for pair in fact.names))}
        known |= {definition.name for definition in self._definitions}
        description, deprecated = self._documentation()
        return FileFacts(
            language=self._language,
            lines=lines,
            imports=tuple(sorted(self._imports, key=lambda fact: fact.line)),
            definitions=tuple(self._definitions),
            uses=() if dense else uses(self._source, captures, known - {"", "*"}),
            exports=tuple(dict.fromkeys(self._exports)),
            aliases=tuple(dict.fromkeys(self._aliases)),
            description=description,
            deprecated=deprecated,
            problem=problem or self._mistake(),
        )

    def _mistake(self) -> str:
        """Return where the file is not what its name says; empty: nowhere."""
        if not self._root.has_error:
            return ""
        node = self._root
        while True:
            inner = next((child for child in node.children if child.has_error or child.is_missing), None)
            if inner is None or node.is_error:
                return f"line {node.start_point[0] + 1}: not understood as {_NAMES[self._language]}"
            node = inner

    # Exports and definitions ------------------------------------------------------------------------------------------

    def _statement(self, node: Node, *, exported: bool = False) -> None:
        read = self._READ.get(node.type)
        if read is not None:
            self._exported = exported
            read(self, node)

    def _export(self, node: Node) -> None:
        words = {child.type for child in node.children if not child.is_named}
        source = self._string(node.child_by_field_name("source"))
        if source:
            self._re_export(node, source, typing="type" in words)
            return
        if declaration := node.child_by_field_name("declaration"):
            before = len(self._definitions)
            self._statement(declaration, exported=True)
            if "default" in words:
                name = self._definitions[before].name if len(self._definitions) > before else ""
                self._alias("default", name)
            return
        for clause in node.named_children:
            if clause.type == "export_clause":
                for part in clause.named_children:
                    if part.type == "export_specifier":
                        local, public = self._specifier(part)
                        self._alias(public, local)
        value = node.child_by_field_name("value")
        if value is None and "=" in words:  # export = value
            value = next((child for child in node.named_children if child.type != "comment"), None)
        if value is not None:
            self._whole("default" if "default" in words else WHOLE, value, node)

    def _alias(self, public: str, local: str) -> None:
        self._exports.append(public)
        if local and public != local:
            self._aliases.append((public, local))

    def _whole(self, public: str, value: Node, statement: Node) -> None:
        """Note what is exported as one thing: a name of the module, or something made on the spot."""
        if value.type == "identifier":
            self._alias(public, self._text(value))
            return
        if public == WHOLE and value.type == "object":
            for part in value.named_children:
                self._member(part)
            return
        if value.type == "call_expression" and public == WHOLE:
            function = self._text(value.child_by_field_name("function"))
            if function == "require":
                return
        name = self._text(value.child_by_field_name("name"))
        self._exports.append(public)
        if name and value.type in {"class", "function_expression"}:
            self._define(name, value, statement)
            self._aliases.append((public, name))
        else:
            self._define(public, value, statement)

    def _member(self, part: Node) -> None:
        """Note one member of an object that is a module's ``module.exports``."""
        if part.type == "shorthand_property_identifier":
            self._exports.append(self._text(part))
        elif part.type == "pair":
            value = part.child_by_field_name("value")
            public = self._text(part.child_by_field_name("key")).strip("'\"")
            if value is not None and value.type == "identifier":
                self._alias(public, self._text(value))
            elif value is not None:
                self._exports.append(public)
                self._define(public, value, part)
        elif part.type == "method_definition":
            name = self._text(part.child_by_field_name("name"))
            self._exports.append(name)
            self._add(name, DefinitionKind.FUNCTION, part, signature=self._signature(part))

    def _declare(self, node: Node) -> None:
        for declarator in node.named_children:
            if declarator.type != "variable_declarator":
                continue
            name, value = declarator.child_by_field_name("name"), declarator.child_by_field_name("value")
            if name is None:
                continue
            if name.type == "identifier":
                names = [self._text(name)]
                if value is None or not self._imports_whole(value):
                    self._define(names[0], value, node)
            else:
                names = [bound for _, bound in self._pattern(name)]
                if value is None or not self._imports_whole(value):
                    for bound in names:
                        self._add(bound, DefinitionKind.VARIABLE, node)
            if self._exported:
                self._exports += names

    def _define(self, name: str, value: Node | None, statement: Node) -> None:
        """Note a name by what it is given."""
        if value is not None and value.type in _FUNCTIONS:
            self._add(name, DefinitionKind.FUNCTION, statement, signature=self._signature(value))
        elif value is not None and value.type == "class":
            self._class(value, name=name)
        else:
            self._add(name, DefinitionKind.VARIABLE, statement)

    def _function(self, node: Node) -> None:
        name = self._text(node.child_by_field_name("name")) or "default"
        if any(one.name == name and one.kind is DefinitionKind.FUNCTION for one in self._definitions[-1:]):
            return  # a further signature of the same function
        self._add(name, DefinitionKind.FUNCTION, node, signature=self._signature(node))
        if self._exported:
            self._exports.append(name)

    def _class(self, node: Node, *, name: str = "") -> None:
        name = name or self._text(node.child_by_field_name("name")) or "default"
        decorators = [
            self._dotted(part)
            for holder in (node, node.parent if node.parent is not None else node)
            for one in holder.children
            if one.type == "decorator"
            for part in one.named_children[:1]
        ]
        self._add(
            name,
            DefinitionKind.CLASS,
            node,
            bases=tuple(self._bases(node)),
            decorators=tuple(dict.fromkeys(filter(None, decorators))),
        )
        if self._exported:
            self._exports.append(name)
        body = node.child_by_field_name("body")
        seen = set[str]()
        for part in body.named_children if body is not None else ():
            inner = self._text(part.child_by_field_name("name") or part.child_by_field_name("property"))
            if not inner or not inner.isprintable() or len(inner) > _SAID_MAX or inner.startswith("["):
                continue
            value = part.child_by_field_name("value")
            callable_ = "method" in part.type or (value is not None and value.type in _FUNCTIONS)
            if callable_ and inner not in seen:
                seen.add(inner)
                signature = self._signature(value if value is not None else part)
                self._add(f"{name}.{inner}", DefinitionKind.METHOD, part, signature=signature)

    def _bases(self, node: Node) -> Iterator[str]:
        for heritage in node.named_children:
            if heritage.type in {"class_heritage", "extends_type_clause"}:
                clauses = [one for one in heritage.named_children if one.type.endswith("_clause")] or [
                    heritage
                ]
                for clause in clauses:
                    for base in clause.named_children:
                        if base.type != "type_arguments" and (name := self._dotted(base)):
                            yield name

    def _dotted(self, node: Node) -> str:
        """Return a chain of names as written; empty if it is none."""
        if node.type == "call_expression":
            node = node.child_by_field_name("function") or node
        if node.type == "generic_type":
            node = node.child_by_field_name("name") or node.named_children[0]
        text = self._text(node)
        return text if re.fullmatch(r"[\w$]+(?:\.[\w$]+)*", text) and len(text) <= _SAID_MAX else ""

    def _type(self, node: Node) -> None:
        name = self._text(node.child_by_field_name("name"))
        classlike = node.type in {"interface_declaration", "enum_declaration"}
        kind = DefinitionKind.CLASS if classlike else DefinitionKind.VARIABLE
        if name and name.isprintable() and '"' not in name and "'" not in name:
            self._add(name, kind, node, bases=tuple(self._bases(node)))
            if self._exported:
                self._exports.append(name)

    def _ambient(self, node: Node) -> None:
        exported = self._exported
        for inner in node.named_children:
            self._statement(inner, exported=exported)

    def _expression(self, node: Node) -> None:
        """Read ``module.exports = ...``, ``exports.name = ...`` and what stands for ``namespace``."""
        inner = node.named_children[0] if node.named_children else None
        if inner is None:
            return
        if inner.type == "internal_module":
            self._type(inner)
        if inner.type != "assignment_expression":
            return
        target = self._text(inner.child_by_field_name("left"))[:_SAID_MAX]
        value = inner.child_by_field_name("right")
        while value is not None and value.type == "assignment_expression":
            value = value.child_by_field_name("right")
        if value is None:
            return
        if target == "module.exports":
            self._whole(WHOLE, value, node)
        elif match := re.fullmatch(r"(?:module\.)?exports\.([\w$]+)", target):
            public = match[1]
            if value.type == "identifier":
                self._alias(public, self._text(value))
            else:
                self._exports.append(public)
                self._define(public, value, node)

    def _add(
        self,
        name: str,
        kind: DefinitionKind,
        node: Node,
        *,
        signature: str = "",
        bases: tuple[str, ...] = (),
        decorators: tuple[str, ...] = (),
    ) -> None:
        first, last = node.start_point[0] + 1, node.end_point[0] + 1
        self._definitions.append(DefinitionFact(name, kind, first, last, signature, bases, decorators))

    def _signature(self, node: Node) -> str:
        """Return the head of a function as written, white space apart."""
        body = node.child_by_field_name("body")
        end = body.start_byte if body is not None else node.end_byte
        end = min(end, node.start_byte + 2 * _SIGNATURE_MAX)
        text = self._source[node.start_byte : end].decode("utf-8", "replace")
        return _SPACE.sub(" ", text).strip().removesuffix("=>").rstrip(" ;")[:_SIGNATURE_MAX]

    _READ: ClassVar[dict[str, Callable[..., None]]] = {
        "import_statement": ImportReader.read_import,
        "export_statement": _export,
        "lexical_declaration": _declare,
        "variable_declaration": _declare,
        "function_declaration": _function,
        "generator_function_declaration": _function,
        "function_signature": _function,
        "class_declaration": _class,
        "abstract_class_declaration": _class,
        "interface_declaration": _type,
        "enum_declaration": _type,
        "type_alias_declaration": _type,
        "internal_module": _type,
        "ambient_declaration": _ambient,
        "expression_statement": _expression,
    }

    # Documentation ----------------------------------------------------------------------------------------------------

    def _documentation(self) -> tuple[str, str]:
        """Return the first line of the file's own doc comment, and in which words it says that it is deprecated.

        A comment directly before the first definition is that one's, unless it says that it is the file's.
        """
        children: Sequence[Node] = self._root.children[:12]
        for at, node in enumerate(children):
            if node.type == "hash_bang_line":
                continue
            if node.type != "comment":
                break
            text = self._text(node)[:4000]
            if not text.startswith("/**") or _LICENCE.search(text):
                continue
            behind = children[at + 1] if at + 1 < len(children) else None
            own = _FILE_TAG.search(text)
            gap = behind is not None and behind.start_point[0] > node.end_point[0] + 1
            if own is None and behind is not None and behind.type in _ATTACHED and not gap:
                break
            lines = [line.strip(" \t*/").strip() for line in text[3:].removesuffix("*/").splitlines()]
            said = next((line for line in lines if line and not line.startswith("@")), "")
            if own is not None and own[1].strip(" */"):
                said = own[1].strip(" */")
            deprecated = _DEPRECATED.search(text)
            words = (deprecated[1].strip(" */") or "marked @deprecated") if deprecated is not None else ""
            return said[:_SAID_MAX], words[:_SAID_MAX]
        return "", ""
