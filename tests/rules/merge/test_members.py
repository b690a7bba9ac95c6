"""Brackets whose elements both sides changed: lists, sets, dictionaries, arguments."""

from __future__ import annotations

import pytest

from pucs.merge.python.members import members
from tests.rules.merge.clashing import merged, tiers


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        pytest.param(
            "X = [\n    'a',\n]\n", "X = [\n    'a',\n    'b',\n]\n", "X = [\n    'a',\n    'c',\n]\n",
            "X = [\n    'a',\n    'b',\n    'c',\n]\n", id="a line for each",
        ),
        pytest.param(
            "X = {\n    'a': 1\n}\n", "X = {\n    'a': 1,\n    'b': 2\n}\n", "X = {\n    'a': 1,\n    'c': 3\n}\n",
            "X = {\n    'a': 1,\n    'b': 2,\n    'c': 3\n}\n", id="no comma behind the last",
        ),
        pytest.param("X = [1]\n", "X = [1, 2]\n", "X = [1, 3]\n", "X = [1, 2, 3]\n", id="one line"),
        pytest.param(
            "__all__ = ['a', 'd']\n", "__all__ = ['a', 'c', 'd']\n", "__all__ = ['a', 'b', 'd']\n",
            "__all__ = ['a', 'b', 'c', 'd']\n", id="sorted stays sorted",
        ),
        pytest.param(
            "X = [\n    # first\n    'a',\n]\n", "X = [\n    # first\n    'a',\n    # second\n    'b',  # two\n]\n",
            "X = [\n    # first\n    'a',\n    'c',\n]\n",
            "X = [\n    # first\n    'a',\n    # second\n    'b',  # two\n    'c',\n]\n", id="comments",
        ),
        pytest.param(
            "f(\n    a=1,\n)\n", "f(\n    a=1,\n    b=2,\n)\n", "f(\n    a=1,\n    c=3,\n)\n",
            "f(\n    a=1,\n    b=2,\n    c=3,\n)\n", id="named arguments",
        ),
        pytest.param(
            "X = [\n    ('a, b', [1]),\n]\n", "X = [\n    ('a, b', [1]),\n    ('c]', (2,)),\n]\n",
            "X = [\n    ('a, b', [1]),\n    ('d', {3}),\n]\n",
            "X = [\n    ('a, b', [1]),\n    ('c]', (2,)),\n    ('d', {3}),\n]\n", id="brackets and commas inside",
        ),
        pytest.param(
            "X = {\n    'a': f(\n        1,\n    ),\n}\n", "X = {\n    'a': f(\n        1,\n    ),\n    'b': g(\n        2,\n    ),\n}\n",
            "X = {\n    'a': f(\n        1,\n    ),\n    'c': 3,\n}\n",
            "X = {\n    'a': f(\n        1,\n    ),\n    'b': g(\n        2,\n    ),\n    'c': 3,\n}\n", id="elements over lines",
        ),
        pytest.param(
            "X = ['a', 'b']\n", "X = [\n    'a',\n    'b',\n    'c',\n]\n", "X = ['b']\n", "X = [\n    'b',\n    'c',\n]\n",
            id="one side wrapped it, the other dropped one",
        ),
        pytest.param("X = (1,)\n", "X = (1, 2)\n", "X = (0, 1,)\n", "X = (0, 1, 2)\n", id="tuple"),
        pytest.param("f(a, b)\n", "f(x, b)\n", "f(a, y)\n", "f(x, y)\n", id="neighbouring arguments"),
        pytest.param("X = {\n}\n", "X = {\n    1,\n}\n", "X = {\n    2,\n}\n", "X = {\n    1,\n    2,\n}\n", id="empty before"),
        pytest.param(
            "X = [\n\t'a',\n]\n", "X = [\n\t'a',\n\t'b',\n]\n", "X = [\n\t'a',\n\t'c',\n]\n", "X = [\n\t'a',\n\t'b',\n\t'c',\n]\n",
            id="tabs",
        ),
    ],
)  # fmt: skip
def test_elements_of_both_sides_are_kept(base: str, ours: str, theirs: str, expected: str) -> None:
    """Each side's elements are in the result, ours first, in the form that the bracket had."""
    assert merged(members, base, ours, theirs) == expected


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        pytest.param("X = {'a': 1}\n", "X = {'a': 2}\n", "X = {'a': 3}\n", id="one value"),
        pytest.param(
            "X = {\n}\n", "X = {\n    'a': 1,\n}\n", "X = {\n    'a': 2,\n}\n", id="one key added twice"
        ),
        pytest.param("X = ['a']\n", "X = ['b']\n", "X = ['c']\n", id="two for one"),
        pytest.param("X = ['a', 'b']\n", "X = ['b']\n", "X = ['c', 'b']\n", id="dropped and replaced"),
        pytest.param("X = [1, 1]\n", "X = [1, 1, 2]\n", "X = [1, 1, 3]\n", id="elements that occur twice"),
        pytest.param(
            "X = [\n]\n",
            "X = [\n    path('a', x),\n]\n",
            "X = [\n    path('a', y),\n]\n",
            id="two about the same thing",
        ),
        pytest.param("X = [a, b, c]\n", "X = [b, a, c]\n", "X = [a, c, b]\n", id="two orders"),
        pytest.param("X = [1\n", "X = [1, 2\n", "X = [1, 3\n)\n", id="broken"),
        pytest.param("X = [,]\n", "X = [,1]\n", "X = [,2]\n", id="no row of elements"),
        pytest.param("X = 'a'\n", "X = 'b'\n", "X = 'c'\n", id="no bracket"),
    ],
)
def test_contending_elements_stay_a_clash(base: str, ours: str, theirs: str) -> None:
    """What both changed is left."""
    assert merged(members, base, ours, theirs) is None


def test_elements_of_both_sides_of_a_list_are_certain_and_changed_ones_a_guess() -> None:
    """Additions need no second look; a changed argument beside an added one does."""
    base, ours, theirs = (
        "X = [\n    'a',\n]\n",
        "X = [\n    'a',\n    'b',\n]\n",
        "X = [\n    'a',\n    'c',\n]\n",
    )
    assert tiers(members, base, ours, theirs) == {"auto"}
    assert tiers(members, "f(a=1)\n", "f(a=2)\n", "f(a=1, b=2)\n") == {"review"}
    assert tiers(members, "f(a)\n", "f(a, b)\n", "f(a, c)\n") == {"review"}


def test_what_follows_the_bracket_stays_a_smaller_clash() -> None:
    """The bracket is settled, the lines behind it are not."""
    base = "X = ['a']\nb = 1\n"
    ours = "X = ['a', 'b']\nb = 2\n"
    theirs = "X = ['a', 'c']\nb = 3\n"
    assert merged(members, base, ours, theirs) is None
    assert tiers(members, base, ours, theirs) == {"auto"}


def test_comment_behind_a_bracket_survives() -> None:
    """A comment that one side wrote behind the opening bracket stays in the form of the other."""
    base = "X = [\n    1,\n]\n"
    ours = "X = [  # numbers\n    1,\n    2,\n]\n"
    theirs = "X = [\n    1,\n    3,\n    4,\n]\n"
    assert merged(members, base, ours, theirs) == "X = [  # numbers\n    1,\n    2,\n    3,\n    4,\n]\n"


def test_row_that_outgrows_its_line_is_wrapped() -> None:
    """A line longer than lines are here becomes several."""
    words = [f"'word_number_{n}'" for n in range(6)]
    base = f"X = [{', '.join(words[:4])}]\n" + "# " + "x" * 75 + "\n"
    ours, theirs = base.replace("]", f", {words[4]}]"), base.replace("]", f", {words[5]}]")
    found = merged(members, base, ours, theirs)
    assert found is not None
    assert max(map(len, found.splitlines())) < 100
    assert found.index(words[4]) < found.index(words[5])
