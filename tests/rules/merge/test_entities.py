"""The merge of a Python file by what it defines."""

from __future__ import annotations

from textwrap import dedent

import pytest

from pucs.merge.pieces import by_lines, lines_of, side_of, withdrawn
from pucs.merge.python.entities import LINES_MAX, by_entities
from pucs.merge.python.entities_order import PLACE_MAX
from pucs.merge.python.scene import Scene
from pucs.merge.records import Clash, Place, Settled, Texts, Tier, clashes
from pucs.merge.texts import split

BASE = """
import os

LIMIT = 1


def first(a):
    return a + 1


class Shop:
    open = True

    def buy(self, what):
        \"\"\"Buy it.\"\"\"
        price = what.price
        self.money -= price
        return price

    def sell(self, what):
        return what


def last(a):
    for one in a:
        print(one)
    return a
"""


def woven(ours: str, theirs: str, base: str = BASE) -> tuple[str, list[tuple[str, Tier]], list[Clash]]:
    """Return the merged text, empty if there is a clash, what was settled, and what was not."""
    texts = Texts(*(split(dedent(side)) for side in (base, ours, theirs)))
    pieces = by_entities(Scene(texts), ())
    assert pieces is not None
    lines = lines_of(pieces)
    settled = [(one.resolver, one.tier) for one in pieces if isinstance(one, Settled)]
    return "".join(lines or ()), settled, clashes(pieces)


def changed(*pairs: tuple[str, str], of: str = BASE) -> str:
    """Return a text with each first string replaced by the second, once."""
    for old, new in pairs:
        assert of.count(old) == 1, old
        of = of.replace(old, new)
    return of


def function(name: str, body: str = "pass", indent: str = "") -> str:
    return f"{indent}def {name}(self):\n{indent}    {body}\n"


NEAR_END = "    return a\n"


def test_functions_that_both_append_are_both_kept_ours_first() -> None:
    """With the blank lines that each had above it."""
    ours, theirs = BASE + "\n\n" + function("mine", "ours()"), BASE + "\n\n" + function("other", "theirs()")
    found = BASE + "\n\n" + function("mine", "ours()") + "\n\n" + function("other", "theirs()")
    assert woven(ours, theirs) == (found, [("definitions", Tier.AUTO)], [])


def test_what_both_add_alike_is_there_once() -> None:
    """Where both add it in one place; what only one adds stands beside it."""
    same = "\n\n" + function("same")
    found, settled, _ = woven(BASE + same, BASE + same + "\n\n" + function("more"))
    assert found == BASE + same + "\n\n" + function("more")
    assert settled == [("definitions", Tier.AUTO)]


def test_the_same_function_in_two_places_is_there_once() -> None:
    """Lines alone would have it twice, and nobody would be told."""
    same = function("same") + "\n\n"
    found, _, left = woven(
        changed(("class Shop", same + "class Shop")), changed(("def last", same + "def last"))
    )
    assert not left
    assert found.count("def same") == 1


def test_functions_of_one_name_with_different_bodies_are_a_conflict() -> None:
    """Wherever they stand; neither is dropped."""
    ours = changed(("class Shop", function("new", "return 1") + "\n\nclass Shop"))
    theirs = changed(("def last", function("new", "return 2") + "\n\ndef last"))
    for one, other in (
        (ours, theirs),
        (BASE + function("new", "return 1"), BASE + function("new", "return 2")),
    ):
        found, _, left = woven(one, other)
        assert not found
        assert [(clash.entity, clash.reason) for clash in left] == [("new", "added by both sides")]
        assert "    return 1\n" in left[0].ours
        assert "    return 2\n" in left[0].theirs


def test_of_two_functions_of_one_name_the_one_that_holds_the_other_is_proposed() -> None:
    """Every line of the shorter one stands in it, so nothing is lost; which is meant is a guess."""
    ours, theirs = function("new", "one()"), function("new", "one()\n    two()")
    found, settled, _ = woven(BASE + ours, BASE + theirs)
    assert found == BASE + theirs
    assert settled == [("definitions", Tier.REVIEW)]


def test_methods_that_both_add_are_both_kept() -> None:
    """At the end, in the middle and at the top of a class, even of one that had none."""
    mine, other = function("mine", indent="    "), function("other", "return 2", indent="    ")
    ends = "        return what\n"
    found, _, _ = woven(changed((ends, f"{ends}\n{mine}")), changed((ends, f"{ends}\n{other}")))
    assert found == changed((ends, f"{ends}\n{mine}\n{other}"))

    bare = "class A:\n    x = 1\n"
    found, _, _ = woven(f"{bare}\n{mine}", f"{bare}\n{other}", bare)
    assert found == f"{bare}\n{mine}\n{other}"

    head, old = "class A:\n", function("old", "return 0", indent="    ")
    found, _, _ = woven(f"{head}{mine}\n{old}", f"{head}{other}\n{old}", head + old)
    assert found == f"{head}{mine}\n{other}\n{old}"


def test_changes_of_neighbouring_definitions_do_not_meet() -> None:
    """Lines would be a conflict: one side changes the last line above a function, the other adds or removes one there."""
    ours = changed(("    return a + 1\n", "    return a + 2\n"))
    new = "    return a + 1\n\n\n" + function("new")
    found, _, _ = woven(ours, changed(("    return a + 1\n", new)))
    assert found == changed(("    return a + 1\n", new.replace("+ 1", "+ 2")))
    texts = Texts(split(BASE), split(ours), split(changed(("    return a + 1\n\n\n", new + "\n\n# note\n"))))
    pieces = by_entities(Scene(texts), ())
    assert pieces is not None
    assert "# note\n" in (lines_of(pieces) or ())


def test_what_lines_cannot_merge_and_definitions_can_is_told() -> None:
    """One side deletes a function, the other changes the end of the one above."""
    base = "def a():\n    return 1\ndef b():\n    return 2\n"
    found, settled, _ = woven(
        "def a():\n    return 1\n", "def a():\n    return 3\ndef b():\n    return 2\n", base
    )
    assert found == "def a():\n    return 3\n"
    assert settled == [("entities", Tier.AUTO)]


def test_one_side_deletes_and_the_other_changes_is_a_conflict() -> None:
    """Told with who did what, all of it in the clash."""
    gone = changed((BASE[BASE.index("class Shop") : BASE.index("def last")], ""))
    kept = changed(("self.money -= price", "self.money -= 2 * price"))
    for ours, theirs, reason in (
        (gone, kept, "ours deleted it, theirs changed it"),
        (kept, gone, "theirs deleted it, ours changed it"),
    ):
        found, _, left = woven(ours, theirs)
        assert not found
        assert [(one.entity, one.reason) for one in left] == [("Shop", reason)]
        assert "        self.money -= 2 * price\n" in (*left[0].ours, *left[0].theirs)


def test_what_one_side_deletes_and_the_other_left_alone_is_gone() -> None:
    """Also where the other side adds something in its place."""
    gone = changed(("def first(a):\n    return a + 1\n\n\n", ""))
    more = changed(("    return a + 1\n", "    return a + 1\n\n\n" + function("new")))
    found, _, _ = woven(gone, more)
    assert found == changed(("def first(a):\n    return a + 1\n", function("new")))


def test_a_moved_function_takes_the_other_sides_change_along() -> None:
    """It stands where it was moved to, once."""
    body = "def first(a):\n    return a + 1\n"
    moved = changed((f"{body}\n\n", "")) + f"\n\n{body}"
    theirs = changed(("return a + 1", "return a + 2"))
    for ours, other in ((moved, theirs), (theirs, moved)):
        found, _, left = woven(ours, other)
        assert not left
        assert found == moved.replace("a + 1", "a + 2")


def test_a_renamed_function_takes_the_other_sides_change_along() -> None:
    """As a proposal: what is alike need not be the same."""
    ours = changed(("def buy(self, what):", "def purchase(self, what):"))
    theirs = changed(("self.money -= price", "self.money -= 2 * price"), ("def sell", "def trade"))
    found, settled, _ = woven(ours, theirs)
    assert found == changed(
        ("def buy", "def purchase"),
        ("self.money -= price", "self.money -= 2 * price"),
        ("def sell", "def trade"),
    )
    assert settled == [("renamed", Tier.REVIEW)]


def test_a_renamed_and_moved_method_takes_the_other_sides_change_along() -> None:
    """Into another class, under the same name, with the change in it."""
    other = "\n\nclass Other:\n    closed = True\n"
    start, end = BASE.index("    def buy"), BASE.index("    def sell")
    method = BASE[start:end]
    base = BASE + other
    ours = changed((method, ""), of=base) + f"\n{method.rstrip()}\n"
    theirs = changed(("self.money -= price", "self.money -= 2 * price"), of=base)
    found, settled, left = woven(ours, theirs, base)
    assert not left
    assert found == ours.replace("-= price", "-= 2 * price")
    assert settled == [("moved", Tier.REVIEW)]


def test_decorators_of_both_sides_are_put_on_ours_first() -> None:
    """A proposal, since some do not commute; what is said twice is there once."""
    ours = changed(("def first", "@cached\n@traced\ndef first"))
    theirs = changed(("def first", "@traced\n@timed\ndef first"))
    found, settled, _ = woven(ours, theirs)
    assert found == changed(("def first", "@cached\n@traced\n@timed\ndef first"))
    assert settled == [("decorators", Tier.REVIEW)]


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        ("@limit(1)", "@limit(2)"),
        ('@option("--a", help="x")', '@option("--a", help="y")'),
        ("@cached", "@cached()"),
    ],
)
def test_decorators_about_one_thing_are_a_conflict(mine: str, other: str) -> None:
    """Their name, and their first argument where that is a string, tells what they are about."""
    ours, theirs = (changed(("def first", f"{one}\ndef first")) for one in (mine, other))
    found, _, left = woven(ours, theirs)
    assert not found
    assert [one.entity for one in left] == ["first"]


def test_lines_between_definitions_and_definitions_are_settled_apart() -> None:
    """Where both change both in one place, only the lines are in conflict."""
    base = "x = 1\n"
    found, settled, left = woven("x = 2\n\n\ndef a(): pass\n", "x = 3\n\n\ndef b(): pass\n", base)
    assert not found
    assert [(one.base, one.ours, one.theirs) for one in left] == [(("x = 1\n",), ("x = 2\n",), ("x = 3\n",))]
    assert settled == [("definitions", Tier.AUTO)]


def test_an_overload_stays_beside_its_fellows() -> None:
    """Definitions of one name are told apart by their text, their decorators, and their order."""
    base = "@overload\ndef f(a: int): ...\n@overload\ndef f(a: str): ...\ndef f(a):\n    return a\n"
    ours = base.replace("a: int", "a: float")
    theirs = base.replace("return a", "return -a")
    found, _, _ = woven(ours, theirs, base)
    assert found == ours.replace("return a", "return -a")


def test_a_settled_place_can_be_put_back() -> None:
    """What it stands for is all that the versions have there: with one side in its place, that side is restored."""
    ours, theirs = BASE + "\n\n" + function("mine"), BASE + "\n\n" + function("other")
    pieces = by_entities(Scene(Texts(split(BASE), split(ours), split(theirs))), ())
    assert pieces is not None
    bare = withdrawn(pieces, review=False)
    assert any(isinstance(one, Clash) for one in bare)
    assert "".join(side_of(bare, "ours")) == ours
    assert "".join(side_of(bare, "theirs")) == theirs


@pytest.mark.parametrize(
    ("ours", "theirs"), [("x = 1", "x = 1\n"), ("x = 1\n", "x = 1"), ("", "x = 1\n"), ("x = 1\n", "")]
)
def test_the_end_of_the_last_line_is_merged_as_everything_else(ours: str, theirs: str) -> None:
    """The side that changed it counts."""
    base = "x = 1\n"
    changed_one = ours if ours != base else theirs
    assert woven(ours, theirs, base)[0] == changed_one


def test_files_whose_last_line_does_not_end_are_merged_the_same_way() -> None:
    """And the result's does not end either."""
    found, settled, _ = woven("x = 1\n\n\ndef a(): pass", "x = 1\n\n\ndef b(): pass", "x = 1")
    assert found == "x = 1\n\n\ndef a(): pass\n\n\ndef b(): pass"
    assert settled == [("definitions", Tier.AUTO)]
    assert woven("x = 1\ny = 2", "x = 1\nz = 3", "x = 1")[2]


def test_lines_in_conflict_within_a_definition_are_told_by_its_name() -> None:
    """Each definition is merged by lines for itself."""
    base = "def f():\n    a()\n    b()\n    c()\ndef g():\n    a()\n"
    ours = "def f():\n    a()\n    b(1)\n    c()\ndef g():\n    a()\n    d()\n"
    theirs = "def f():\n    a()\n    b()\n    c(2)\ndef g():\n    a()\n    e()\n"
    _, settled, left = woven(ours, theirs, base)
    assert [one.entity for one in left] == ["f", "g"]
    assert not settled


def test_each_sides_definitions_are_taken_as_that_side_has_them() -> None:
    """The same as by lines where those do not meet."""
    ours = changed(("a + 1", "a + 2"))
    theirs = changed(("print(one)", "print(one, one)"))
    texts = Texts(split(BASE), split(ours), split(theirs))
    pieces = by_entities(Scene(texts), ())
    assert pieces is not None
    assert lines_of(pieces) == lines_of(by_lines(texts.base, texts.ours, texts.theirs))


def test_more_definitions_than_can_be_ordered_in_time_stay_a_conflict() -> None:
    """The whole place, with everything in it."""
    mine, other = (tuple(f"def {side}{n}(): pass\n" for n in range(PLACE_MAX)) for side in "ot")
    assert by_entities(Scene(Texts((), mine, other)), ()) == (Clash((), mine, other, Place(0, 0, 0)),)


def test_a_file_too_large_is_left_to_its_lines() -> None:
    """None says so."""
    lines = ("x = 1\n",) * LINES_MAX
    assert by_entities(Scene(Texts(lines, (*lines, "y = 1\n"), lines)), ()) is None
