"""Shapes: what they read, what they complain about, and what they tell editors."""

from __future__ import annotations

from typing import Any

import pytest

from pucs.core.documents import Problems, load
from pucs.core.errors import ConfigurationError
from pucs.core.shapes import (
    INVALID,
    Field,
    Flag,
    Later,
    Listed,
    Named,
    Number,
    Reading,
    Shape,
    Table,
    Text,
    Texts,
    plain,
)

ENVIRONMENT = {"HERE": "there", "FOUR": "4", "EMPTY": "", "YES": "yes"}
PATH = Table(
    {"path": Field(shape=Text(), doc="P.", required=True), "n": Field(shape=Number(), doc="N.", to="m")},
    "path",
)


def read(shape: Shape, text: str) -> Any:
    problems = Problems("f")
    table = Table({"k": Field(shape=shape, doc="D.")})
    values = table.read(load(f"k: {text}\n", problems), Reading(problems, ENVIRONMENT))
    problems.settle()
    return plain(values).get("k")


@pytest.mark.parametrize(
    ("shape", "text", "expected"),
    [
        (Text(), "x", "x"),
        (Text(), "'3'", "3"),
        (Text(), "~", None),
        (Text(numbers=True), "007", "007"),
        (Text(), "a ${HERE} $$5 ${NONE:-b}", "a there $5 b"),
        (Text(), "${EMPTY}", ""),
        (Text(), "${EMPTY:-x}", "x"),
        (Text(), "${FOUR}", "4"),
        (Text(numbers=True), "${FOUR}", "4"),
        (Text(), "${NONE:-}", ""),
        (Text(expand=False), "echo $HOME ${X}", "echo $HOME ${X}"),
        (Text(choices=("INFO", "ERROR")), "info", "INFO"),
        (Number(), "1.5", 1.5),
        (Number(scale=60), "2", 120.0),
        (Number(whole=True), "${FOUR}", 4),
        (Number(whole=True), "3.0", 3),
        (Flag(), "true", True),
        (Flag(), "${YES}", True),
        (Texts(), "a, b,", ("a", "b")),
        (Texts(), "[a, 'b, c']", ("a", "b, c")),
        (Texts(), "[]", ()),
        (Texts(numbers=True), "[1, b]", ("1", "b")),
        (Texts(numbers=True), "1", ("1",)),
        (Listed(Number(whole=True)), "[1, 2]", (1, 2)),
        (Named(Number(whole=True)), "{a: 1}", {"a": 1}),
        (PATH, "x", {"path": "x"}),
        (PATH, "{path: x, n: 1}", {"path": "x", "m": 1.0}),
        (Later(), "{a: [b]}", None),
    ],
)
def test_value_is_read(shape: Shape, text: str, expected: Any) -> None:
    """A value that fits its shape becomes plain data."""
    assert read(shape, text) == expected


@pytest.mark.parametrize(
    ("shape", "text", "complaint"),
    [
        (Text(), "3", "expected a text; put it in quotes, found the number 3"),
        (Text(), "yes", "expected a text; put it in quotes, found yes/no (yes)"),
        (Text(), "[x]", "expected a text, found a list"),
        (Text(empty=False), "''", "expected a text that is not empty, found text ''"),
        (
            Text(choices=("INFO", "ERROR")),
            "EROR",
            "expected one of INFO, ERROR, found 'EROR'; did you mean 'ERROR'?",
        ),
        (Text(), "${NONE}", "the variable NONE is not set; set it or write ${NONE:-default}"),
        (
            Text(),
            "${no closing",
            "'${no closing' is no variable; write ${NAME}, ${NAME:-default}, or $$ for a dollar",
        ),
        (Text(), "${1x}", "'${1x}' is no variable; write ${NAME}, ${NAME:-default}, or $$ for a dollar"),
        (Number(), "x", "expected a number, found text 'x'"),
        (Number(), "'${FOUR}'", "expected a number, found text '${FOUR}'"),
        (Number(), "true", "expected a number, found yes/no (true)"),
        (Number(), ".inf", "expected a number, found the number .inf"),
        (Number(), "[1]", "expected a number, found a list"),
        (Number(whole=True), "1.5", "expected a whole number, found the number 1.5"),
        (Number(), "-1", "expected a number of at least 0, found -1"),
        (Number(above=True), "0", "expected a number of more than 0, found 0"),
        (Number(maximum=5), "6", "expected a number of at most 5, found 6"),
        (Flag(), "maybe", "expected true or false, found text 'maybe'"),
        (Flag(), "[]", "expected true or false, found a list"),
        (Texts(), "{a: b}", "expected a text or a list of texts, found a mapping"),
        (Texts(), "3", "expected a text; put it in quotes, found the number 3"),
        (Texts(), "[a, [b]]", "expected a text, found a list"),
        (Listed(Text()), "x", "expected a list, found text 'x'"),
        (Listed(Flag()), "[yes, 3]", "expected true or false, found the number 3"),
        (Named(Text()), "[x]", "expected a mapping, found a list"),
        (Named(Flag()), "{a: x}", "expected true or false, found text 'x'"),
        (PATH, "3", "expected a text; put it in quotes, found the number 3"),
        (PATH, "[x]", "expected a mapping, found a list"),
        (PATH, "{path: ~}", "the key 'path' is missing"),
        (PATH, "{path: x, pth: y}", "the key 'pth' is not known; did you mean 'path'?"),
        (PATH, "{path: x, colour: y}", "the key 'colour' is not known; known are path, n"),
    ],
)
def test_wrong_value_is_told(shape: Shape, text: str, complaint: str) -> None:
    """A value that does not fit is told about with what was expected."""
    with pytest.raises(ConfigurationError) as caught:
        read(shape, text)
    (problem,) = caught.value.fields["problems"]
    assert problem.message == complaint
    assert problem.line == 1
    assert problem.column


def test_later_key_warns() -> None:
    """A key of a later version is accepted with a warning."""
    problems = Problems("f")
    table = Table({"k": Field(shape=Later(), doc="D.")})
    table.read(load("k: 1\n", problems), Reading(problems))
    assert problems.warnings == ["f:1:4: this key is not used yet"]


def test_schema_describes_shapes() -> None:
    """Editors learn types, bounds, choices, and which keys there are."""
    table = Table({
        "t": Field(shape=Text(choices=("a",), empty=False), doc="T."),
        "n": Field(shape=Number(minimum=1, maximum=2, whole=True), doc="N."),
        "s": Field(shape=Texts(numbers=True), doc="S."),
        "l": Field(shape=Listed(PATH), doc="L."),
        "m": Field(shape=Named(Flag()), doc="M."),
        "x": Field(shape=Later(), doc="X."),
        "a": Field(shape=Number(above=True, maximum=1), doc="A."),
    })
    numbers = {"type": ["string", "number"]}
    path = {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "P."},
            "n": {"type": "number", "minimum": 0, "maximum": 1e9, "description": "N."},
        },
        "additionalProperties": False,
        "required": ["path"],
    }
    assert table.schema() == {
        "type": "object",
        "properties": {
            "t": {"type": "string", "enum": ["a"], "minLength": 1, "description": "T."},
            "n": {"type": "integer", "minimum": 1, "maximum": 2, "description": "N."},
            "s": {
                "oneOf": [numbers, {"type": "array", "items": {**numbers, "minLength": 1}}],
                "description": "S.",
            },
            "l": {"type": "array", "items": {"oneOf": [{"type": "string"}, path]}, "description": "L."},
            "m": {"type": "object", "additionalProperties": {"type": "boolean"}, "description": "M."},
            "x": {"description": "X."},
            "a": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "description": "A."},
        },
        "additionalProperties": False,
    }


def test_invalid_has_a_name() -> None:
    """The mark of a value that could not be read says so in a traceback."""
    assert repr(INVALID) == "INVALID"
