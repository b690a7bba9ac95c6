"""Two insertions at one place."""

from __future__ import annotations

import pytest

from pucs.merge.python.inserts import inserts
from tests.rules.merge.clashing import merged, tiers

BASE = "A = 1\n\n\nZ = 2\n"


def inserted(text: str) -> str:
    return BASE.replace("Z", text + "Z")


@pytest.mark.parametrize(
    ("ours", "theirs", "between"),
    [
        pytest.param("def f():\n    return 1\n\n\n", "def g():\n    return 1\n\n\n", "", id="functions"),
        pytest.param(
            "@d\ndef f():\n    pass\n\n\n", "class G:\n    x = 1\n\n\n", "", id="a decorated one and a class"
        ),
        pytest.param("b = f()\n", "c = g()\n", "", id="assignments"),
        pytest.param("self.b = 1\n", "self.c = b\n", "", id="attributes"),
        pytest.param("b: int = 1\n", "c: int = 2\n", "", id="fields"),
        pytest.param("p.add('--b')\n", "p.add('--c')\n", "", id="registrations"),
        pytest.param("assert f(1) == 2\n", "assert f(2) == 3\n", "", id="assertions"),
    ],
)
def test_independent_insertions_are_both_kept(ours: str, theirs: str, between: str) -> None:
    """Ours stand first, whole, then theirs."""
    assert merged(inserts, BASE, inserted(ours), inserted(theirs)) == inserted(ours + between + theirs)
    assert tiers(inserts, BASE, inserted(ours), inserted(theirs)) == {"auto"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param("def f():\n    return 1\n\n\n", "def f():\n    return 2\n\n\n", id="one name"),
        pytest.param("b = 1\n", "b = 2\n", id="one variable"),
        pytest.param("b = 1\n", "c = b\n", id="one reads the other"),
        pytest.param("b = c\n", "c = 1\n", id="the other way round"),
        pytest.param("if c:\n    b = 1\n", "c = 1\n", id="a block that reads the other"),
        pytest.param("if x:\n    return 1\n", "c = 1\n", id="a block that leaves"),
        pytest.param("for c in x:\n    pass\n", "c = 1\n", id="a loop over the same name"),
        pytest.param("return 1\n", "c = 1\n", id="leaves"),
        pytest.param("b = yield\n", "c = 1\n", id="yields"),
        pytest.param("b, c = f()\n", "c = 1\n", id="unpacks"),
        pytest.param("b += 1\n", "b += 2\n", id="adds to"),
        pytest.param("p.add('--b', 1)\n", "p.add('--b', 2)\n", id="one registration twice"),
        pytest.param("RED = 1\n", "BLUE = 1\n", id="one number for two names"),
        pytest.param("b: int = 1\n", "c: int\n", id="a field with and one without a default"),
        pytest.param("else:\n    pass\n", "c = 1\n", id="a piece of a statement"),
        pytest.param("# b\n", "# c\n", id="comments alone"),
    ],
)
def test_dependent_insertions_stay_a_clash(ours: str, theirs: str) -> None:
    """Whatever may depend on order or place is left."""
    assert merged(inserts, BASE, inserted(ours), inserted(theirs)) is None


def test_method_stands_before_a_function() -> None:
    """What belongs to the class above comes first, whosever it is."""
    base = "class A:\n    def a(self):\n        pass\n"
    ours = base + "\n\ndef f():\n    pass\n"
    theirs = base + "\n    def b(self):\n        pass\n"
    assert merged(inserts, base, ours, theirs) == theirs + "\n\ndef f():\n    pass\n"


def test_different_calls_are_a_guess() -> None:
    """Calls of different things may depend on their order, and so may blocks."""
    assert tiers(inserts, BASE, inserted("start(1)\n"), inserted("stop(2)\n")) == {"review"}
    assert tiers(inserts, BASE, inserted("p.add(1)\nb = 1\n"), inserted("p.add(2)\n")) == {"review"}
    assert tiers(inserts, BASE, inserted("if x:\n    b = 1\n"), inserted("c = 1\n")) == {"review"}


def test_changed_lines_are_no_insertion() -> None:
    """A clash over lines of the base is for others."""
    assert merged(inserts, "a = 1\n", "b = 1\n", "c = 1\n") is None


@pytest.mark.parametrize("code", ["check(a)\n", "b = a\n", "if a:\n        check(a)\n"])
def test_docstring_comes_first_whoever_wrote_it(code: str) -> None:
    """Behind a statement it would be a text that nobody reads; before one it changes nothing."""
    base = "def f(a):\n    g(a)\n"
    ours, theirs = (
        base.replace("    g", f"    {code}    g"),
        base.replace("    g", '    """Say it."""\n    g'),
    )
    expected = base.replace("    g", f'    """Say it."""\n    {code}    g')
    assert merged(inserts, base, ours, theirs) == expected
    assert merged(inserts, base, theirs, ours) == expected
    assert tiers(inserts, base, ours, theirs) == {"auto"}
