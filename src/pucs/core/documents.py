"""YAML text as plain nodes that know their line, so that every complaint can name a place.

The text is read event by event instead of through PyYAML's composer: libyaml's composer recurses in C and crashes the
process on deeply nested input, and neither composer bounds what aliases expand to ("billion laughs"). No tag is ever
executed. This module and ``shapes`` are for files that people write (configuration, tasks); nothing that a hot path
imports may import them, because they load PyYAML.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import ScalarNode
from yaml.resolver import Resolver

from pucs.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT_CHARACTERS_MAX = 4 * 1024 * 1024
"""Longest file: a hundred times a large configuration; more was not written by hand."""
DEPTH_MAX = 32
"""Deepest nesting; the deepest documented key is five levels down."""
NODES_MAX = 200_000
"""Most values once aliases are counted as often as they are used: a tasks file of 20,000 tasks."""
PROBLEMS_MAX = 50
"""Problems kept per file; whoever has more mends these first."""

_LOADER: Any = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)  # the C scanner is ten times faster, where it was built
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_RESOLVER: Any = Resolver()
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where."""

    source: str
    line: int
    """From 1; 0: the file as a whole."""
    column: int
    """From 1; 0: unknown."""
    message: str

    def __str__(self) -> str:
        """``file:line:column: message``, the form editors jump to."""
        places = [str(place) for place in (self.line, self.column) if place]
        return f"{':'.join([self.source, *places])}: {self.message}"


@dataclass(slots=True)
class Problems:
    """Collects everything wrong with one file before anything is raised."""

    source: str
    found: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What is allowed but deserves a look, each with file and line."""

    def add(self, place: Any, message: str) -> None:
        """Note a problem at a node, a ``Placed`` text, or 0 for the whole file."""
        self.found.append(
            Problem(self.source, getattr(place, "line", 0), getattr(place, "column", 0), message)
        )

    def warn(self, place: Any, message: str) -> None:
        """Note something that deserves a look."""
        at = Problem(self.source, getattr(place, "line", 0), getattr(place, "column", 0), message)
        self.warnings.append(str(at))

    def settle(self) -> None:
        """Raise everything noted so far as one error, in the order of the file.

        Raises:
            ConfigurationError: there is at least one problem; ``fields["problems"]`` lists them.
        """
        if self.found:
            raise failure(self.found)


def failure(problems: list[Problem]) -> ConfigurationError:
    """Return the one error that carries these problems, in the order of the file."""
    problems = sorted(problems, key=lambda problem: (problem.line, problem.column))
    lines = [str(problem) for problem in problems[:PROBLEMS_MAX]]
    if len(problems) > PROBLEMS_MAX:
        lines.append(f"… and {len(problems) - PROBLEMS_MAX} more")
    return ConfigurationError("\n".join(lines), problems=problems)


class Placed(str):
    """A text that remembers where it was written."""

    __slots__ = ("column", "line")
    line: int
    column: int

    def __new__(cls, text: str, line: int, column: int) -> Self:
        """Keep a text together with its place."""
        placed = super().__new__(cls, text)
        placed.line = line
        placed.column = column
        return placed


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value without parts."""

    line: int
    column: int
    text: str
    """As written, without quotes."""
    plain: bool
    """Written without quotes, so that ``3`` means a number."""
    value: str | int | float | bool | None
    """What YAML 1.1 takes it for."""
    size: int = 1


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of values."""

    line: int
    column: int
    items: tuple[Node, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """Named values."""

    line: int
    column: int
    entries: dict[Placed, Node]
    """Keys as written, each with its own place."""
    size: int


Node = Scalar | Listing | Mapping


def load(text: str, problems: Problems) -> Mapping:
    """Return the mapping that a file holds; an empty file is an empty mapping.

    Repeated keys are noted as problems. What cannot be read any further is raised.

    Raises:
        ConfigurationError: the text is not YAML, too large, too deep, or not a mapping at its top.
    """
    text = text.removeprefix("\ufeff")
    _refuse_unreadable(text, problems)
    try:
        top = _Composer(problems).compose(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        raise _stopped(problems, *_explain(error, text)) from error
    if top is None or (isinstance(top, Scalar) and top.value is None):
        return Mapping(1, 1, {}, 1)
    if not isinstance(top, Mapping):
        raise _stopped(problems, top.line, top.column, f"expected `key: value` lines, found {kind(top)}")
    return top


def kind(node: Node) -> str:
    """Return what a node is, in the words of a message."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Listing):
        return "a list"
    if node.value is None:
        return "nothing"
    if isinstance(node.value, bool):
        return f"yes/no ({node.text})"
    return f"text {node.text!r}" if isinstance(node.value, str) else f"the number {node.text}"


def resolved(text: str, node: Scalar) -> str | int | float | bool | None:
    """Return what a text means at the place of a scalar, such as a number for an unquoted ``4``."""
    if not node.plain:
        return text
    tag = _RESOLVER.resolve(ScalarNode, text, (True, False))
    return _value(tag, text)


def _value(tag: str, text: str) -> str | int | float | bool | None:
    if tag == _TAG + "str":
        return text
    scalar = ScalarNode(tag, text)
    made: Any = SafeConstructor()
    try:
        if tag == _TAG + "int":
            return int(made.construct_yaml_int(scalar))
        if tag == _TAG + "float":
            return float(made.construct_yaml_float(scalar))
        if tag == _TAG + "bool":
            return bool(made.construct_yaml_bool(scalar))
    except (ValueError, KeyError, IndexError):  # an explicit tag on something else
        return text
    return None if tag == _TAG + "null" else text


def _refuse_unreadable(text: str, problems: Problems) -> None:
    if len(text) > DOCUMENT_CHARACTERS_MAX:
        raise _stopped(problems, 0, 0, f"larger than {DOCUMENT_CHARACTERS_MAX} characters")
    bad = _UNPRINTABLE.search(text)
    if bad:
        line = text.count("\n", 0, bad.start()) + 1
        column = bad.start() - text.rfind("\n", 0, bad.start())
        what = "a byte that is not UTF-8" if "\udc80" <= bad[0] <= "\udcff" else f"the character {bad[0]!r}"
        raise _stopped(problems, line, column, f"{what} cannot stand in YAML")


def _explain(error: yaml.MarkedYAMLError, text: str) -> tuple[int, int, str]:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    lines = text.splitlines()
    written = lines[line - 1] if 0 < line <= len(lines) else ""
    indentation = written[: len(written) - len(written.lstrip())]
    if "\t" in indentation:
        return line, indentation.index("\t") + 1, "a tab indents this line; YAML wants spaces"
    message = error.problem or "not YAML"
    if error.context and mark:
        start = error.context_mark.line + 1 if error.context_mark else line
        message += f" ({error.context} that begins in line {start})"
    return line, column, message


def _stopped(problems: Problems, line: int, column: int, message: str) -> ConfigurationError:
    """Return the error for a file that cannot be read any further, with what was noted before."""
    return failure([*problems.found, Problem(problems.source, line, column, message)])


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been read yet."""

    event: Any
    anchor: str | None
    items: list[Node] = field(default_factory=list)


class _Composer:
    """Builds nodes from PyYAML's events, without recursion."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.anchors: dict[str, Node] = {}
        self.open: list[_Open] = []
        self.size = 0

    def compose(self, events: Iterator[Any]) -> Node | None:
        """Return the node of the only document; None for an empty stream."""
        top: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and top is not None:
                raise self._stop(event, "a second document begins here; one file holds one document")
            node = self._node(event)
            if node is None:
                continue
            self._bound(event, node)
            if self.open:
                self.open[-1].items.append(node)
            else:
                top = node
        return top

    def _node(self, event: Any) -> Node | None:
        """Return the node that this event completes, if any."""
        if isinstance(event, yaml.CollectionStartEvent):
            if len(self.open) >= DEPTH_MAX:
                raise self._stop(event, f"nested deeper than {DEPTH_MAX} levels")
            self._check_tag(event)
            self.open.append(_Open(event, event.anchor))
            return None
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self._stop(event, f"*{event.anchor} stands for nothing that is complete above it")
            return self.anchors[event.anchor]
        if isinstance(event, yaml.CollectionEndEvent):
            done = self.open.pop()
            made = self._collection(done)
            return self._remember(done.anchor, made)
        if isinstance(event, yaml.ScalarEvent):
            return self._remember(event.anchor, self._scalar(event))
        return None

    def _remember(self, anchor: str | None, node: Node) -> Node:
        if anchor:
            self.anchors[anchor] = node
        return node

    def _bound(self, event: Any, node: Node) -> None:
        self.size += node.size if isinstance(event, yaml.AliasEvent) else 1
        if self.size > NODES_MAX or node.size > NODES_MAX:
            raise self._stop(
                event, f"more than {NODES_MAX} values, aliases counted as often as they are used"
            )

    def _scalar(self, event: Any) -> Scalar:
        tag = event.tag
        plain = not event.style  # None, or empty from libyaml
        if tag == "!":
            tag = _TAG + "str"
        elif tag is None:
            tag = _RESOLVER.resolve(ScalarNode, event.value, event.implicit)
        else:
            self._check_tag(event)
        mark = event.start_mark
        return Scalar(mark.line + 1, mark.column + 1, event.value, plain, _value(tag, event.value))

    def _check_tag(self, event: Any) -> None:
        known = {_TAG + name for name in ("str", "int", "float", "bool", "null", "map", "seq")}
        if event.tag not in (None, "!", *known):
            self.problems.add(_place(event), f"the tag {event.tag} is not used here; leave it out")

    def _collection(self, done: _Open) -> Node:
        place = _place(done.event)
        size = 1 + sum(item.size for item in done.items)
        if isinstance(done.event, yaml.SequenceStartEvent):
            return Listing(place.line, place.column, tuple(done.items), size)
        entries: dict[Placed, Node] = {}
        inherited: list[Node] = []
        for key, value in zip(done.items[::2], done.items[1::2], strict=True):
            if not isinstance(key, Scalar):
                self.problems.add(key, f"a key is a word, not {kind(key)}")
            elif key.plain and key.text == "<<":
                inherited.extend(value.items if isinstance(value, Listing) else (value,))
            elif key.text in entries:
                first = next(known for known in entries if known == key.text)
                self.problems.add(key, f"the key {key.text!r} is written twice, first in line {first.line}")
            else:
                entries[Placed(key.text, key.line, key.column)] = value
        for node in inherited:
            if isinstance(node, Mapping):
                entries = {**node.entries, **entries}
            else:
                self.problems.add(node, f"<< takes a mapping, not {kind(node)}")
        return Mapping(place.line, place.column, entries, size)

    def _stop(self, event: Any, message: str) -> ConfigurationError:
        place = _place(event)
        return _stopped(self.problems, place.line, place.column, message)


def _place(event: Any) -> Placed:
    return Placed("", event.start_mark.line + 1, event.start_mark.column + 1)
