"""Files that people write: read with positions, refused with a line, bounded against hostile ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.core import documents
from pucs.core.documents import Listing, Mapping, Node, Problems, Scalar
from pucs.core.errors import ConfigurationError


def load(text: str) -> Mapping:
    problems = Problems("f.yaml")
    mapping = documents.load(text, problems)
    problems.settle()
    return mapping


def data(node: Node) -> Any:
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Listing):
        return [data(item) for item in node.items]
    return {str(key): data(value) for key, value in node.entries.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# only a comment\n", {}),
        ("~\n", {}),
        ("\ufeffa: 1\n", {"a": 1}),
        ("a: 1.5\nb: yes\nc: ~\nd: x\ne: '3'\n", {"a": 1.5, "b": True, "c": None, "d": "x", "e": "3"}),
        ("a: 2025-12-06\n", {"a": "2025-12-06"}),
        ("a: !!str 3\n", {"a": "3"}),
        ("1: {no: [x, y]}\n", {"1": {"no": ["x", "y"]}}),
        ("a: &x [1]\nb: *x\n", {"a": [1], "b": [1]}),
        (
            "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: {<<: [*x, {r: 4}]}\n",
            {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}, "c": {"p": 1, "q": 2, "r": 4}},
        ),
        ("a: ! 3\n", {"a": "3"}),
        ("a: !!int x\n", {"a": "x"}),
        ("a: !!int ''\n", {"a": ""}),
        ("a: !!bool x\n", {"a": "x"}),
    ],
)
def test_mapping_is_read(text: str, expected: dict[str, Any]) -> None:
    """A file becomes plain data."""
    assert data(load(text)) == expected


def test_nodes_know_their_place() -> None:
    """Keys and values remember line and column, counted from one."""
    mapping = load("a:\n  b: [x,\n      y]\n")
    (key,) = mapping.entries
    inner = mapping.entries[key]
    assert isinstance(inner, Mapping)
    ((name, listing),) = inner.entries.items()
    assert isinstance(listing, Listing)
    assert [(place.line, place.column) for place in (key, name, listing, *listing.items)] == [
        (1, 1),
        (2, 3),
        (2, 6),
        (2, 7),
        (3, 7),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "f.yaml:1:1: expected `key: value` lines, found a list"),
        ("a\n", "f.yaml:1:1: expected `key: value` lines, found text 'a'"),
        ("3\n", "f.yaml:1:1: expected `key: value` lines, found the number 3"),
        ("yes\n", "f.yaml:1:1: expected `key: value` lines, found yes/no (yes)"),
        ("a: 1\n\tb: 2\n", "f.yaml:2:1: a tab indents this line; YAML wants spaces"),
        ("a: 1\na: 2\n", "f.yaml:2:1: the key 'a' is written twice, first in line 1"),
        ("? [a]\n: 1\n", "f.yaml:1:3: a key is a word, not a list"),
        ("? {a: 1}\n: 1\n", "f.yaml:1:3: a key is a word, not a mapping"),
        ("<<: x\n", "f.yaml:1:5: << takes a mapping, not text 'x'"),
        ("<<: ~\n", "f.yaml:1:5: << takes a mapping, not nothing"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document begins here; one file holds one document"),
        ("a: *x\n", "f.yaml:1:4: *x stands for nothing that is complete above it"),
        ("a: &x [*x]\n", "f.yaml:1:8: *x stands for nothing that is complete above it"),
        ("a: \x07\n", "f.yaml:1:4: the character '\\x07' cannot stand in YAML"),
        ("a: 1\nb: caf\udce9\n", "f.yaml:2:7: a byte that is not UTF-8 cannot stand in YAML"),
        (
            "a: !!python/name:os.system x\n",
            "f.yaml:1:4: the tag tag:yaml.org,2002:python/name:os.system is not used here; leave it out",
        ),
        ("a: !mine {b: 1}\n", "f.yaml:1:4: the tag !mine is not used here; leave it out"),
    ],
)
def test_mistake_is_told_with_its_place(text: str, message: str) -> None:
    """A file that cannot be meant is refused with file, line and column."""
    with pytest.raises(ConfigurationError) as caught:
        load(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "line"),
    [("a:\n  b: 1\n c: 2\n", 3), ("a: [1,\n", 2), ("a: 'x\n", 2), ("a: b: c\n", 1), ("a: b\n@c\n", 2)],
)
def test_broken_syntax_names_its_line(text: str, line: int) -> None:
    """Whatever the parser says, the line is there."""
    with pytest.raises(ConfigurationError) as caught:
        load(text)
    assert str(caught.value).startswith(f"f.yaml:{line}:")


def test_hostile_files_are_refused_early() -> None:
    """Deep nesting, aliases of aliases and sheer size end in an error, quickly."""
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
    )
    for text, complaint in [
        ("[" * 100_000, "nested deeper"),
        ("a: " + "{b: " * 40, "nested deeper"),
        (laughs, "aliases counted"),
        ("#" * (documents.DOCUMENT_CHARACTERS_MAX + 1), "larger than"),
    ]:
        with pytest.raises(ConfigurationError, match=complaint):
            load(text)


def test_every_problem_is_carried_in_order() -> None:
    """One error carries all problems in the order of the file, and shows a bounded number."""
    problems = Problems("f.yaml")
    for line in range(60, 0, -1):
        problems.add(documents.Placed("", line, 1), "no")
    problems.add(None, "the whole file")
    with pytest.raises(ConfigurationError) as caught:
        problems.settle()
    assert [problem.line for problem in caught.value.fields["problems"]] == list(range(61))
    shown = str(caught.value).splitlines()
    assert shown[:2] == ["f.yaml: the whole file", "f.yaml:1:1: no"]
    assert shown[-1] == "… and 11 more"


def test_warning_carries_its_place() -> None:
    """A warning is one line with file and line, and stops nothing."""
    problems = Problems("f.yaml")
    problems.warn(documents.Placed("", 3, 4), "hm")
    problems.settle()
    assert problems.warnings == ["f.yaml:3:4: hm"]


@given(st.text(alphabet="ab:-[]{}&*<>|'\"#! \n\t,?%@", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text leads to anything but a mapping or a configuration error."""
    try:
        assert isinstance(load(text), Mapping)
    except ConfigurationError as error:
        assert str(error).startswith("f.yaml")  # noqa: PT017 - either outcome is fine
