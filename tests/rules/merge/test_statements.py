"""Clashes settled statement by statement and word by word."""

from __future__ import annotations

import pytest

from pucs.merge.pieces import lines_of, settle
from pucs.merge.python.scene import Scene
from pucs.merge.python.statements import formatting, statements
from pucs.merge.python.tokens import tokens, units
from pucs.merge.records import Clash, Texts
from pucs.merge.texts import split
from tests.rules.merge.clashing import tiers


def merged(base: str, ours: str, theirs: str) -> str | None:
    """The merge of one clash, None if any of it is left."""
    sides = [split(side) for side in (base, ours, theirs)]
    scene = Scene(Texts(sides[0], sides[1], sides[2]))
    resolvers = [lambda clash, rule=rule: rule(clash, scene) for rule in (formatting, statements)]
    lines = lines_of(settle([Clash(sides[0], sides[1], sides[2])], resolvers))
    return None if lines is None else "".join(lines)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        ("a = 1\nb = 2\n", "a = 10\nb = 2\n", "a = 1\nb = 20\n", "a = 10\nb = 20\n"),
        ("f(a, 1)\n", "g(a, 1)\n", "f(a, 2)\n", "g(a, 2)\n"),
        (
            "x = f(a, b)\n",
            "x = f(\n    a,\n    b,\n)\n",
            "x = f(a, b + 1)\n",
            "x = f(\n    a,\n    b + 1,\n)\n",
        ),
        ("s = 'it'\nt = 1\n", 's = "it"\nt = 1\n', "s = 'that'\nt = 1\n", 's = "that"\nt = 1\n'),
        (
            "    a = x\n    return a\n",
            "    try:\n        a = x\n        return a\n    finally:\n        close()\n",
            "    a = x + 1\n    log(a)\n    return a\n",
            "    try:\n        a = x + 1\n        log(a)\n        return a\n    finally:\n        close()\n",
        ),
        ("x = 1\n", "x = 2  # two\n", "x = 2\n", "x = 2  # two\n"),
        ("x = 1\n", "", "x  =  1\n", ""),
        (
            "x = 1\n",
            "\nx = 1\n",
            "try:\n    x = 1\nfinally:\n    y()\n",
            "try:\n    x = 1\nfinally:\n    y()\n",
        ),
        ("\n", "", "import a\n\n", "import a\n"),
    ],
    ids=[
        "neighbours",
        "two words",
        "wrapped",
        "quotes",
        "indented",
        "further",
        "deleted",
        "blank line and indentation",
        "blank line",
    ],
)
def test_changes_that_do_not_meet_are_both_made(base: str, ours: str, theirs: str, expected: str) -> None:
    """Whichever side is ours."""
    assert merged(base, ours, theirs) == expected
    assert merged(base, theirs, ours) == expected


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        ("x = 1\n", "x = 2\n", "x = 3\n"),
        ("x = 1\n", "", "x = 2\n"),
        ("x = 1\n", "", "x = 1\ny = x\n"),
        ("from a import b\n", "from c.a import b\n", "from .a import b\n"),
        ("f(x.upper())\n", "f(g(x.upper()))\n", "f(g(x).upper())\n"),
        ("x = 1\n", "x = 1\na = 2\n", "x = 1\nb = 3\n"),
        ("x = f(a)\n", "# x = f(a)\n", "x = f(a, 1)\n"),
        (
            "if a:\n    x = 1\n",
            "if a:\n    x = 1\nelse:\n    x = 2\n",
            "for i in a:\n    if i:\n        x = 1\n",
        ),
        (
            "from a import b\n",
            "try:\n    from c import b\nexcept E:\n    from a import b\n",
            "from c import b\n",
        ),
    ],
    ids=[
        "same word",
        "deleted and changed",
        "deleted and built on",
        "one name",
        "brackets",
        "insertions",
        "commented out and changed",
        "branch of a block built anew",
        "the same in two ways",
    ],
)
def test_changes_that_meet_stay_a_clash(base: str, ours: str, theirs: str) -> None:
    """Nothing is guessed where both sides changed the same thing, whichever side is ours."""
    assert merged(base, ours, theirs) is None
    assert merged(base, theirs, ours) is None


def test_a_repeated_line_does_not_tie_unlike_places_together() -> None:
    """Statements pair by likeness in order; what one side adds stays whole."""
    base = "check(a)\ncheck(b)\n"
    ours = "verify(a)\nverify(b)\n"
    theirs = "check(a)\ncheck(b)\ncheck(c)\n"
    assert merged(base, ours, theirs) == "verify(a)\nverify(b)\ncheck(c)\n"


@pytest.mark.parametrize(
    "text", ["", "a", "a\n", "f(a,\n  b,\n)\n", "x = 'it'  # c\n\n", "\\\n a", '"""(', "\t\x0c\n"]
)
def test_tokens_and_units_are_the_text(text: str) -> None:
    """Nothing of any text is lost or added by looking at it."""
    assert "".join(token.layout + token.text for token in tokens(text)) == text
    assert "".join(token.layout + token.text for token in tokens(text, fragment=True)) == text
    assert "".join(unit.text for unit in units(split(text))) == ("\n" + text).removesuffix("\n")


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        (
            "# was old\na = f(k.pop('old'))\n",
            "# was old\na = f(k.pop('new'))\n",
            "# or old\nif 'old' in k:\n    a = f(k.pop('old'))\nelse:\n    a = g()\n",
        ),
        (
            "MAJOR = 2\nMINOR = 2\nMICRO = 0\n",
            "MAJOR = 2\nMINOR = 2\nMICRO = 1\n",
            "MAJOR = 2\nMINOR = 3\nMICRO = 0\n",
        ),
    ],
    ids=["a word that one side has replaced but for a comment", "parts of one version"],
)
def test_what_meets_in_one_meaning_is_a_guess(base: str, ours: str, theirs: str) -> None:
    """Different statements, but one thing is said by them."""
    assert "review" in tiers(statements, base, ours, theirs)


def test_of_two_like_statements_nobody_knows_which_one_is_gone() -> None:
    """One side deleted one of them, the other changed one: perhaps the same."""
    base = "try:\n    m = load()\nexcept IOError:\n    continue\nif 'a' not in m:\n    continue\n"
    ours = "try:\n    m = read()\nexcept OSError:\n    continue\n"
    assert merged(base, ours, base.replace("m:\n    continue", "m:\n    m['a'] = []")) is None
