"""What a mapping in a file may hold, said once: read it, complain about all of it, describe it to editors.

A shape reads a node into plain data and notes every problem it meets; a value that could not be read is ``INVALID``
and is left out of its mapping, so that one mistake is one complaint. Texts come back as ``Placed``, so that later
checks can still name the line; ``plain`` turns them into ordinary strings.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from pucs.core.documents import Listing, Mapping, Node, Placed, Problems, Scalar, kind, resolved

if TYPE_CHECKING:
    import collections.abc

_VARIABLE = re.compile(r"\$(\$|\{(?P<name>[^}:]*)(?::-(?P<default>[^}]*))?\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _Invalid:
    """The one value of its kind."""

    def __repr__(self) -> str:
        return "INVALID"


INVALID: Final = _Invalid()
"""What a shape returns for a value it has complained about."""


@dataclass(slots=True)
class Reading:
    """What shapes need while they read one file."""

    problems: Problems
    environment: collections.abc.Mapping[str, str] = field(default_factory=dict)
    """Variables for ``${NAME}``."""

    def text(self, node: Scalar) -> str:
        """Return a text with ``${NAME}`` and ``${NAME:-default}`` replaced; ``$$`` is a dollar."""
        if "$" not in node.text:
            return node.text
        return _VARIABLE.sub(lambda match: self._replacement(match, node), node.text)

    def value(self, node: Node) -> str | int | float | bool | None:
        """Return the value of a scalar, variables replaced; an unquoted ``${N}`` may turn out a number."""
        if not isinstance(node, Scalar):
            return None
        return resolved(self.text(node), node) if isinstance(node.value, str) else node.value

    def _replacement(self, match: re.Match[str], node: Scalar) -> str:
        if match[0] == "$$":
            return "$"
        name = match["name"]
        if not match[0].endswith("}") or not _NAME.fullmatch(name):
            self.problems.add(
                node, f"{match[0]!r} is no variable; write ${{NAME}}, ${{NAME:-default}}, or $$ for a dollar"
            )
            return ""
        value = self.environment.get(name, "")
        if value or (name in self.environment and match["default"] is None):
            return value
        if match["default"] is None:
            self.problems.add(node, f"the variable {name} is not set; set it or write ${{{name}:-default}}")
        return match["default"] or ""


class Shape(Protocol):
    """What a value may look like."""

    def read(self, node: Node, reading: Reading) -> Any:
        """Return the value as plain data, or INVALID after noting what is wrong with it."""
        ...

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the value."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text; without quotes it may look like a number only where ``numbers`` says so (ids)."""

    numbers: bool = False
    expand: bool = True
    """Replace ``${NAME}``; shell commands keep theirs for the shell."""
    choices: tuple[str, ...] = ()
    empty: bool = True
    """May be the empty text."""

    def read(self, node: Node, reading: Reading) -> Any:
        """Return the text with its place."""
        if not isinstance(node, Scalar):
            return _wrong(node, "a text", reading)
        number = isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
        if not isinstance(node.value, str) and not (number and self.numbers):
            return _wrong(node, "a text; put it in quotes", reading)
        value = reading.text(node) if self.expand else node.text
        if not value and not self.empty:
            return _wrong(node, "a text that is not empty", reading)
        if self.choices:
            value = next((choice for choice in self.choices if choice.lower() == value.lower()), value)
            if value not in self.choices:
                reading.problems.add(
                    node,
                    f"expected one of {', '.join(self.choices)}, found {value!r}{_hint(value, self.choices)}",
                )
                return INVALID
        return Placed(value, node.line, node.column)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the text."""
        schema: dict[str, Any] = {"type": ["string", "number"] if self.numbers else "string"}
        if self.choices:
            schema["enum"] = list(self.choices)
        if not self.empty:
            schema["minLength"] = 1
        return schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number within bounds; ``scale`` turns the unit people write into seconds or bytes."""

    minimum: float = 0
    maximum: float = 1e9
    whole: bool = False
    above: bool = False
    """The minimum itself is too small."""
    scale: float = 1

    def read(self, node: Node, reading: Reading) -> Any:
        """Return the number in the unit that records use."""
        wanted = "a whole number" if self.whole else "a number"
        value = reading.value(node)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            return _wrong(node, wanted, reading)
        if self.whole and value != int(value):
            return _wrong(node, wanted, reading)
        if value < self.minimum or (self.above and value == self.minimum):
            bound = "more than" if self.above else "at least"
            reading.problems.add(node, f"expected {wanted} of {bound} {self.minimum:g}, found {value:g}")
            return INVALID
        if value > self.maximum:
            reading.problems.add(node, f"expected {wanted} of at most {self.maximum:g}, found {value:g}")
            return INVALID
        return int(value * self.scale) if self.whole else float(value * self.scale)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the number as written."""
        lower = "exclusiveMinimum" if self.above else "minimum"
        return {"type": "integer" if self.whole else "number", lower: self.minimum, "maximum": self.maximum}


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    def read(self, node: Node, reading: Reading) -> Any:
        """Return the truth."""
        value = reading.value(node)
        return value if isinstance(value, bool) else _wrong(node, "true or false", reading)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a flag."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Several texts: a list, or one text that ``split`` takes apart (commas)."""

    split: collections.abc.Callable[[str], tuple[str, ...]] = lambda text: tuple(
        part for part in (piece.strip() for piece in text.split(",")) if part
    )
    numbers: bool = False
    expand: bool = True

    def read(self, node: Node, reading: Reading) -> Any:
        """Return the texts in order, each with its place."""
        one = Text(empty=False, numbers=self.numbers, expand=self.expand)
        if isinstance(node, Listing):
            values = [one.read(item, reading) for item in node.items]
            return tuple(value for value in values if value is not INVALID)
        if isinstance(node, Mapping):
            return _wrong(node, "a text or a list of texts", reading)
        value = Text(numbers=self.numbers, expand=self.expand).read(node, reading)
        if value is INVALID:
            return INVALID
        return tuple(Placed(part, value.line, value.column) for part in self.split(value))

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of one text or a list."""
        one = Text(empty=False, numbers=self.numbers).schema()
        return {"oneOf": [Text(numbers=self.numbers).schema(), {"type": "array", "items": one}]}


@dataclass(frozen=True, slots=True)
class Listed:
    """A list whose items all have one shape."""

    item: Shape

    def read(self, node: Node, reading: Reading) -> Any:
        """Return the items that could be read."""
        if not isinstance(node, Listing):
            return _wrong(node, "a list", reading)
        values = [self.item.read(item, reading) for item in node.items]
        return tuple(value for value in values if value is not INVALID)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the list."""
        return {"type": "array", "items": self.item.schema()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One key of a table."""

    shape: Shape
    doc: str
    """One sentence for editors."""
    to: str = ""
    """Name in the result; empty: the key itself."""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping with known keys."""

    fields: collections.abc.Mapping[str, Field]
    short: str = ""
    """Key that a bare text stands for, where that is allowed."""

    def read(self, node: Node, reading: Reading) -> Any:
        """Return the values by name, without those that are absent or wrong; ``""`` holds the table's place."""
        if self.short and isinstance(node, Scalar) and node.value is not None:
            value = self.fields[self.short].shape.read(node, reading)
            if value is INVALID:
                return INVALID
            return {"": Placed("", node.line, node.column), self.fields[self.short].to or self.short: value}
        if not isinstance(node, Mapping):
            return _wrong(node, "a mapping", reading)
        values: dict[str, Any] = {"": Placed("", node.line, node.column)}
        for key, child in node.entries.items():
            known = self.fields.get(key)
            if known is None:
                message = (
                    f"the key {str(key)!r} is not known{_hint(key, self.fields) or _choice(self.fields)}"
                )
                reading.problems.add(key, message)
            elif not (isinstance(child, Scalar) and child.value is None):
                value = known.shape.read(child, reading)
                if value is not INVALID:
                    values[known.to or key] = value
        for name, wanted in self.fields.items():
            if wanted.required and _absent(node, name):
                reading.problems.add(node, f"the key {name!r} is missing")
        return values

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the mapping."""
        properties = {
            key: {**known.shape.schema(), "description": known.doc} for key, known in self.fields.items()
        }
        schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
        required = [key for key, known in self.fields.items() if known.required]
        if required:
            schema["required"] = required
        if self.short:
            return {"oneOf": [self.fields[self.short].shape.schema(), schema]}
        return schema


@dataclass(frozen=True, slots=True)
class Named:
    """A mapping from names of the writer's choice to values of one shape."""

    item: Shape

    def read(self, node: Node, reading: Reading) -> Any:
        """Return the values by name, each name with its place."""
        if not isinstance(node, Mapping):
            return _wrong(node, "a mapping", reading)
        values = {key: self.item.read(child, reading) for key, child in node.entries.items()}
        return {key: value for key, value in values.items() if value is not INVALID}

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the mapping."""
        return {"type": "object", "additionalProperties": self.item.schema()}


@dataclass(frozen=True, slots=True)
class Later:
    """Something a later version will use: accepted whatever it holds, with a warning."""

    def read(self, node: Node, reading: Reading) -> Any:
        """Warn and return nothing of use."""
        reading.problems.warn(node, "this key is not used yet")
        return INVALID

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of anything."""
        return {}


def plain(value: Any) -> Any:
    """Return the same data with ordinary strings and without the places of tables."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items() if key != ""}
    return value


def _wrong(node: Node, wanted: str, reading: Reading) -> Any:
    reading.problems.add(node, f"expected {wanted}, found {kind(node)}")
    return INVALID


def _absent(node: Mapping, key: str) -> bool:
    child = next((child for known, child in node.entries.items() if known == key), None)
    return child is None or (isinstance(child, Scalar) and child.value is None)


def _hint(word: str, known: collections.abc.Iterable[str]) -> str:
    spelled = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(spelled), 1, 0.6)
    return f"; did you mean {spelled[close[0]]!r}?" if close else ""


def _choice(known: collections.abc.Iterable[str]) -> str:
    return f"; known are {', '.join(known)}"
