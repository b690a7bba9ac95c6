"""Bodies as bags of words, and literals of a file."""

import re

import pytest

from pucs.syntax.bodies import bodies, literals

SOURCE = b'''
def plain(one, *, two=3, **rest):
    """Not counted."""
    if one:
        return one.total(two=two)


class Thing:
    """Not counted."""
    size: int = 1

    def method(self):
        "Not counted."
        return "text"


if True:
    def guarded(): return 1

try:
    import far
except ImportError:
    def stand_in(): return 1
'''


def test_words_are_names_literals_and_statements() -> None:
    """Documentation and the definition's own name are left out; a method is asked for with its class."""
    found = bodies(SOURCE, ["plain", "Thing.method", "Thing", "gone", "Thing.gone"])
    assert sorted(found) == ["Thing", "Thing.method", "plain"]
    words = ["one", "two", "3", "rest", "one", "one", "total", "two", "two", "<If>", "<Return>"]
    assert sorted(found["plain"].elements()) == sorted(words)
    assert sorted(found["Thing.method"].elements()) == sorted(["self", "'text'", "<Return>"])
    assert "Thing" not in found["Thing"]
    assert found["Thing"]["method"] == 1


def test_definitions_under_conditions_count_and_those_for_failed_imports_do_not() -> None:
    """What is defined where an import fails stands in for what it could not get."""
    assert sorted(bodies(SOURCE, ["guarded", "stand_in"])) == ["guarded"]


@pytest.mark.parametrize(
    "source", [b"def f(:", b"\0", b"x = " + b"(" * 10_000, "def f(): 'ü'".encode("utf-16")]
)
def test_what_cannot_be_parsed_has_no_bodies(source: bytes) -> None:
    """Nothing is raised."""
    assert bodies(source, ["f"]) == {}
    assert literals(source, re.compile("x")) == []


def test_literals_are_found_where_they_are_values() -> None:
    """Documentation is prose, and so is what stands deep in a sentence."""
    source = b'"""a/b"""\nX = "a/b"\n\ndef f():\n    "a/b"\n    return ["cd a/b", "it may well be in a/b", f"a/b{X}"]\n'
    assert literals(source, re.compile("a/b")) == [(2, "a/b"), (6, "a/b"), (6, "a/b")]
