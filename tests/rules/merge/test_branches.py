"""Branches that both sides add to one chain: which go together for certain, which only as a guess."""

from __future__ import annotations

import pytest

from pucs.merge.python.branches import branches
from tests.rules.merge.clashing import merged, tiers

ELIF = "def f(x, y):\n    if x == 'a':\n        return 1\n{}    else:\n        return 0\n"
CASE = "def f(x):\n    match x:\n        case 'a':\n            return 1\n{}        case _:\n            return 0\n"
EXCEPT = "def f(x):\n    try:\n        return x()\n    except OSError:\n        return 1\n{}"
ROW = "def f(x, y):\n    if x == 'a':\n        return 1\n{}    return 0\n"
FORMS = {"elif": ELIF, "case": CASE, "except": EXCEPT, "if": ROW}
BODIES = {"elif": 8, "case": 12, "except": 8, "if": 8}


def branch(head: str, body: str) -> str:
    """Return a branch in the indentation of its form."""
    word = head.split(maxsplit=1)[0]
    return f"{' ' * (BODIES[word] - 4)}{head}:\n{' ' * BODIES[word]}{body}\n"


@pytest.mark.parametrize(
    ("ours", "theirs", "tier"),
    [
        ("elif x == 'b'", "elif x == 'c'", "auto"),
        ("elif 'b' == x", "elif x in ('c', 'd')", "auto"),
        ("elif x == 'b' and y", "elif x == 'c'", "auto"),
        ("elif x.kind == Kind.B", "elif x.kind == Kind.C", "auto"),
        ("elif x == 'b' and y", "elif x == 'b' and not y", "review"),
        ("elif x() == 'b'", "elif x() == 'c'", "review"),
        ("elif x == y", "elif x == 'c'", "review"),
        ("elif isinstance(x, int)", "elif isinstance(x, str)", "review"),
        ("case 'b'", "case 'c' | 'd'", "auto"),
        ("case ['b', _]", "case ['c', *_]", "auto"),
        ("case Kind.B if x", "case Kind.C", "auto"),
        ("case None", "case int()", "review"),
        ("except ValueError", "except KeyError as error", "auto"),
        ("except (ValueError, TypeError)", "except KeyError", "auto"),
        ("except UnicodeDecodeError", "except ValueError", "review"),
        ("except ValueError", "except Odd", "review"),
        ("if x == 'b'", "if x == 'c'", "auto"),
        ("if not x", "if y", "review"),
    ],
)
def test_branches_of_both_sides_stay(ours: str, theirs: str, tier: str) -> None:
    """Certain is what can never both be meant; where order may count, it is a guess."""
    form = FORMS[ours.split(maxsplit=1)[0]]
    mine, its = branch(ours, "return 2"), branch(theirs, "return 3")
    assert merged(branches, form.format(""), form.format(mine), form.format(its)) == form.format(mine + its)
    assert tiers(branches, form.format(""), form.format(mine), form.format(its)) == {tier}


def test_complaints_about_different_things_are_certain() -> None:
    """Two checks that raise: which comes first says only what is told first."""
    mine, its = branch("if not len(x)", "raise ValueError(x)"), branch("if len(y) > 3", "raise ValueError(y)")
    assert tiers(branches, ROW.format(""), ROW.format(mine), ROW.format(its)) == {"auto"}
    its = branch("if len(x) > 3", "raise ValueError(y)")
    assert tiers(branches, ROW.format(""), ROW.format(mine), ROW.format(its)) == {"review"}


def test_else_of_one_side_stays_last() -> None:
    """Else the other side's branch is never reached, or nothing can be read."""
    base = "if x == 'a':\n    f()\n\ng()\n"
    ours = base.replace("f()\n", "f()\nelse:\n    h()\n")
    theirs = base.replace("f()\n", "f()\nelif x == 'b':\n    i()\n")
    expected = base.replace("f()\n", "f()\nelif x == 'b':\n    i()\nelse:\n    h()\n")
    assert merged(branches, base, ours, theirs) == expected
    assert tiers(branches, base, ours, theirs) == {"review"}


def test_narrower_handler_comes_first() -> None:
    """Behind the wider one it would never be taken."""
    wide, narrow = branch("except ValueError", "return 2"), branch("except UnicodeError", "return 3")
    for mine, its in ((wide, narrow), (narrow, wide)):
        versions = [EXCEPT.format(part) for part in ("", mine, its)]
        assert merged(branches, *versions) == EXCEPT.format(narrow + wide)
        assert tiers(branches, *versions) == {"review"}


def test_handlers_stand_before_what_is_done_in_any_case() -> None:
    """Whoever wrote which."""
    finally_, handler = "    finally:\n        x.close()\n", branch("except KeyError", "return 2")
    for mine, its in ((finally_, handler), (handler, finally_)):
        versions = [EXCEPT.format(part) for part in ("", mine, its)]
        assert merged(branches, *versions) == EXCEPT.format(handler + finally_)
        assert tiers(branches, *versions) == {"auto"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("elif x == 'b'", "elif x == 'b'"),
        ("elif x == 1", "elif x == True"),
        ("elif x in ('b', 'c')", "elif x == 'c'"),
        ("case 'b' | 'c'", "case 'c' | 'd'"),
        ("except (ValueError, KeyError)", "except (UnicodeError, LookupError)"),
        ("case 'b'", "case other"),
    ],
)
def test_branch_that_would_hide_another_stays_a_clash(ours: str, theirs: str) -> None:
    """The same condition or constant twice, and a case that takes everything: one of them would never be taken."""
    form = FORMS[ours.split(maxsplit=1)[0]]
    mine, its = branch(ours, "return 2"), branch(theirs, "return 3")
    assert merged(branches, form.format(""), form.format(mine), form.format(its)) is None


@pytest.mark.parametrize(
    "theirs",
    [
        "    if y:\n        x = 1\n",
        "    x = y\n",
        "    # a word\n",
        "    if y:\n        return 1\n    x = 2\n",
    ],
)
def test_other_statements_are_left_to_other_rules(theirs: str) -> None:
    """Only branches that leave what they are in can stand in a row without regard to each other."""
    mine = branch("if x == 'b'", "return 2")
    assert merged(branches, ROW.format(""), ROW.format(mine), ROW.format(theirs)) is None
