"""A Python file as a tree of segments, however broken it is."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.merge.python.segments import DEPTH_MAX, Kind, entity_at, entity_of, segments
from pucs.merge.records import Clash, Place, Texts
from pucs.merge.texts import split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.merge.python.segments import Segment
    from pucs.merge.records import Lines

FILE = split(
    dedent('''
    """A shop."""

    import os
    import sys  # for the path

    LIMIT = 3

    # Sells things.
    @final
    class Shop(Base):
        """Where things are."""

        open = True

        # Not for children.
        @property
        # really
        def price(self):
            return 1
            # the end

        async def sell(self): pass
        # nothing more


    def free():
        def inner():
            pass
        return inner
    # behind
    ''')
)


def hold_together(level: Sequence[Segment], first: int, last: int, lines: Lines) -> None:
    """Every line is in one segment of a level, and what is said of each is true."""
    at = first
    for one in level:
        assert one.first == at
        assert one.first <= one.start <= one.last
        assert not any(line.strip() for line in lines[one.first : one.start])
        at = one.last
        if one.is_definition:
            assert one.start <= one.head < one.body <= one.last
            assert all(one.start <= top < end <= one.head for top, end in one.decorators)
        if one.members:
            hold_together(one.members, one.body, one.last, lines)
    assert at == last


def test_a_file_is_imports_definitions_and_statements() -> None:
    """Comments above a definition and in its body are its own; those behind it are not."""
    found = segments(FILE)
    hold_together(found, 0, len(FILE), FILE)
    assert [one.kind for one in found] == [
        Kind.STATEMENTS,
        Kind.IMPORTS,
        Kind.STATEMENTS,
        Kind.CLASS,
        Kind.FUNCTION,
        Kind.STATEMENTS,
    ]
    shop, free = found[3], found[4]
    assert FILE[shop.start] == "# Sells things.\n"
    assert FILE[shop.last - 1] == "    # nothing more\n"
    assert FILE[free.last - 1] == "    return inner\n"
    assert [(one.kind, one.name) for one in shop.members] == [
        (Kind.STATEMENTS, ""),
        (Kind.FUNCTION, "price"),
        (Kind.FUNCTION, "sell"),
        (Kind.STATEMENTS, ""),
    ]
    price = shop.members[1]
    assert FILE[price.start].strip() == "# Not for children."
    assert [FILE[first].strip() for first, _ in price.decorators] == ["@property"]
    assert FILE[price.last - 1].strip() == "# the end"


def test_a_line_knows_the_definition_around_it() -> None:
    """The innermost one; none between definitions."""
    names = {line.strip(): entity_at(FILE, index) for index, line in enumerate(FILE)}
    assert names["return 1"] == "Shop.price"
    assert names["open = True"] == "Shop"
    assert names["pass"] == "free.inner"
    assert names["LIMIT = 3"] == ""


def test_a_clash_is_labelled_by_the_first_version_that_has_lines_there() -> None:
    """Where ours deleted everything, the base tells what it was."""
    index = FILE.index("        return 1\n")
    texts = Texts(FILE, FILE[:index] + FILE[index + 1 :], FILE)
    clash = Clash(("        return 1\n",), (), ("        return 2\n",), Place(index, index, index))
    assert entity_of(texts, clash) == "Shop.price"
    assert entity_of(texts, Clash((), (), ("x\n",))) == ""


@pytest.mark.parametrize(
    "source",
    [
        "print 'two'\ndef f():\n    exec code in names\n\nclass A: pass\n",
        "def broken(:\n    x =\n\ndef whole():\n    pass\n",
        "<<<<<<< ours\ndef a(): pass\n=======\n>>>>>>> theirs\n",
        "class A:\ndef b(): pass\n",
        "x = '''\n# no comment'''\ndef f():\n    pass",
        "\n\n\n",
        "\udc80\udcff = 1\r\ndef \udc80():\n\tpass\n",
        "\f\ndef f():\n\f\n    pass\n",
    ],
)
def test_broken_code_has_segments_too(source: str) -> None:
    """Nothing is lost and nothing raised."""
    lines = split(source)
    hold_together(segments(lines), 0, len(lines), lines)


@given(st.lists(st.integers(0, len(FILE) - 1), max_size=40))
def test_any_lines_in_any_order_have_segments(indexes: list[int]) -> None:
    """A file cut to pieces is still covered without gaps."""
    lines = tuple(FILE[index] for index in indexes)
    hold_together(segments(lines), 0, len(lines), lines)


def test_deep_nesting_ends_somewhere() -> None:
    """Definitions beyond the limit are lines of the last one told apart."""
    depth = DEPTH_MAX * 20
    lines = (*(f"{' ' * level}class C{level}:\n" for level in range(depth)), f"{' ' * depth}pass\n")
    hold_together(segments(lines), 0, len(lines), lines)
    assert entity_at(lines, depth).count(".") == DEPTH_MAX
