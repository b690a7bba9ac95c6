"""Signatures that both sides changed, parameter by parameter."""

from __future__ import annotations

import ast

import pytest

from pucs.merge.python.parameters import parameters
from tests.rules.merge.clashing import merged, tiers


def signature(text: str) -> str:
    return f"def f({text}):\n    pass\n"


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        ("a", "a, b=1", "a, c=2", "a, b=1, c=2"),
        ("a", "a, b=1", "a, c", "a, c, b=1"),
        ("a, b=1", "a, b=2", "a, b=1, c=3", "a, b=2, c=3"),
        ("a, b=1", "a, b: int = 1", "a, b=2", "a, b: int = 2"),
        ("a, b", "b", "a, b, c", "b, c"),
        ("a", "a, **k", "a, *, b", "a, *, b, **k"),
        ("a", "a, *args", "a, b", "a, b, *args"),
        ("a=lambda x, y: x", "a=lambda x, y: x, b=(1, 2)", "a=lambda x, y: x, c={'d': ','}", None),
        ("self", "self, b: dict[str, int] | None = None", "self, c: str = 'x'", None),
        ("a, /, b", "a, /, b, c", "a, x, /, b", "a, x, /, b, c"),
        ("", "a", "b", "a, b"),
    ],
)
def test_parameters_of_both_sides_are_kept(base: str, ours: str, theirs: str, expected: str | None) -> None:
    """Each side's parameters are in the result, in an order that Python takes."""
    found = merged(parameters, signature(base), signature(ours), signature(theirs))
    assert found is not None
    ast.parse(found)
    if expected is not None:
        assert found == signature(expected)


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        ("a=1", "a=2", "a=3"),
        ("a", "a, b=1", "a, b=2"),
        ("a", "b", "c"),
        ("a: int", "a: str", "a: bytes"),
        ("a", "*args, a", "*rest, a"),
        ("a, b", "b, a", "a, b, c"),
    ],
)
def test_contending_parameters_stay_a_clash_or_stand_in_order(base: str, ours: str, theirs: str) -> None:
    """One parameter that both changed is left; a new order is taken over."""
    found = merged(parameters, signature(base), signature(ours), signature(theirs))
    assert found in {None, signature("b, a, c")}


def test_form_of_the_side_that_wrapped_it_is_kept() -> None:
    """A signature that one side wrote over lines stays so."""
    base = "def f(a, b):\n    pass\n"
    ours = "def f(\n    a: int,  # first\n    b: int,\n) -> None:\n    pass\n"
    theirs = "def f(a, b, c=1):\n    pass\n"
    expected = "def f(\n    a: int,  # first\n    b: int,\n    c=1,\n) -> None:\n    pass\n"
    assert merged(parameters, base, ours, theirs) == expected


def test_clash_in_the_middle_of_a_signature_is_settled() -> None:
    """The lines of a clash need not hold the name of the function."""
    base = "def f(\n    a,\n):\n    pass\n"
    assert (
        merged(
            parameters, base, base.replace("a,\n", "a,\n    b=1,\n"), base.replace("a,\n", "a,\n    c=1,\n")
        )
        == "def f(\n    a,\n    b=1,\n    c=1,\n):\n    pass\n"
    )


def test_two_required_parameters_are_a_guess_unless_it_is_a_test() -> None:
    """Callers name parameters by their place, except of a test, whose fixtures have names."""
    base, ours, theirs = signature("a"), signature("a, b"), signature("a, c")
    assert tiers(parameters, base, ours, theirs) == {"review"}
    tested = [text.replace("def f", "def test_f") for text in (base, ours, theirs)]
    assert tiers(parameters, *tested) == {"auto"}
    assert tiers(parameters, base, signature("a, b=1"), signature("a, c=1")) == {"auto"}
    assert tiers(parameters, signature("a, b"), signature("a"), signature("a, b, c=1")) == {"review"}


def test_body_that_both_changed_stays_a_smaller_clash() -> None:
    """The signature is settled, the body is not."""
    base, ours, theirs = (f"def f(a{p}):\n    return {r}\n" for p, r in (("", 0), (", b=1", 1), (", c=1", 2)))
    assert merged(parameters, base, ours, theirs) is None
    assert tiers(parameters, base, ours, theirs) == {"auto"}
