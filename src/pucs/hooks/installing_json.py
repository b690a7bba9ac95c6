"""JSON that somebody else keeps: every value with its place in the text, so that an edit changes nothing around it.

Settings files are written by people and by their programs. Parsing and dumping them again would rewrite every line; here
a member is put in or taken out where it stands, in the file's own indentation.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from pucs.core.errors import ConfigurationError

_BLANK = re.compile(r"[ \t\n\r]*")
_INDENT = re.compile(r"\n([ \t]+)\S")
_DECODER = json.JSONDecoder()
_MULTILINE = "\n"


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a document."""

    start: int
    """Where it begins in the text."""
    end: int
    """Where it ends, exclusive."""
    value: Any
    """The value itself, as ``json`` would give it."""
    children: tuple[Child, ...] = ()
    """Members of an object, items of an array, in order."""

    def get(self, key: str) -> Node | None:
        """Return a member of an object; the last of equal ones counts, as it does for every parser."""
        return next((child.node for child in reversed(self.children) if child.key == key), None)


@dataclass(frozen=True, slots=True)
class Child:
    """One member or item."""

    key: str | None
    """Name of a member, None for an item."""
    start: int
    """Where it begins, the name included."""
    node: Node


def parse(text: str, source: str) -> Node:
    """Return the document.

    Raises:
        ConfigurationError: it is no JSON; the message names ``source``, line and column.
    """
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"{source}:{error.lineno}:{error.colno}: this is no JSON: {error.msg}.",
            remedy="Nothing was changed. Mend the file, then call this again.",
        ) from error
    except RecursionError as error:
        raise ConfigurationError(
            f"{source}: this JSON is nested too deeply.", remedy="Nothing was changed."
        ) from error
    return _value(text, _skip(text, 0))


def wrong(text: str, node: Node, source: str, what: str) -> ConfigurationError:
    """Return the error that a value is not what it should be, with its line and column."""
    line = text.count("\n", 0, node.start) + 1
    column = node.start - text.rfind("\n", 0, node.start)
    return ConfigurationError(
        f"{source}:{line}:{column}: {what}.",
        remedy="Nothing was changed. Mend the file, then call this again.",
    )


def added(text: str, container: Node, value: Any, key: str | None = None) -> str:
    """Return the text with one more member or item at the end of a container."""
    newline = "\r\n" if "\r\n" in text else "\n"
    found = _INDENT.search(text)
    unit = found[1] if found else "  "
    name = "" if key is None else f"{json.dumps(key, ensure_ascii=False)}: "
    if container.children:
        first, last = container.children[0], container.children[-1]
        if _MULTILINE not in text[container.start : first.start]:
            return f"{text[: last.node.end]}, {name}{_compact(value)}{text[last.node.end :]}"
        indent = _indent(text, first.start)
        body = name + _rendered(value, indent, unit, newline)
        return f"{text[: last.node.end]},{newline}{indent}{body}{text[last.node.end :]}"
    outer = _indent(text, container.start)
    if _MULTILINE not in text.strip() and container.end - container.start != len(text.strip()):
        body = name + _compact(value)
    else:
        indent = outer + unit
        body = f"{newline}{indent}{name}{_rendered(value, indent, unit, newline)}{newline}{outer}"
    return text[: container.start + 1] + body + text[container.end - 1 :]


def removed(text: str, container: Node, position: int) -> str:
    """Return the text without one child of a container."""
    children = container.children
    if len(children) == 1:
        start, end = container.start + 1, container.end - 1
    elif position:
        start, end = children[position - 1].node.end, children[position].node.end
    else:
        start, end = children[0].start, children[1].start
    return text[:start] + text[end:]


def _value(text: str, at: int) -> Node:
    if text[at] not in "{[":
        value, end = _DECODER.raw_decode(text, at)
        return Node(at, end, value)
    named = text[at] == "{"
    children: list[Child] = []
    here = _skip(text, at + 1)
    while text[here] not in "}]":
        here = _skip(text, here + 1) if text[here] == "," else here
        start, key = here, None
        if named:
            key, here = _DECODER.raw_decode(text, here)
            here = _skip(text, _skip(text, here) + 1)
        node = _value(text, here)
        children.append(Child(key, start, node))
        here = _skip(text, node.end)
    whole = {child.key: child.node.value for child in children} if named else [c.node.value for c in children]
    return Node(at, here + 1, whole, tuple(children))


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _indent(text: str, at: int) -> str:
    """Return the blanks at the beginning of the line in which something stands."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _rendered(value: Any, indent: str, unit: str, newline: str) -> str:
    return json.dumps(value, indent=unit, ensure_ascii=False).replace("\n", newline + indent)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
