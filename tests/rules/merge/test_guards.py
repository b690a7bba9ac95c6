"""What guards hold against a merge, seen on results that nobody should get."""

from __future__ import annotations

from textwrap import dedent

import pytest

from pucs.merge import guards, languages
from pucs.merge.pieces import by_lines
from pucs.merge.records import Clash, Kept, Lines, Objection, Piece, Settled, Texts, Tier
from pucs.merge.texts import split


def cut(text: str) -> Lines:
    """Return the lines of an indented text."""
    return split(dedent(text).lstrip("\n"))


def three(base: str, ours: str, theirs: str) -> Texts:
    """Return three versions."""
    return Texts(cut(base), cut(ours), cut(theirs))


def settled(texts: Texts, lines: Lines, rule: str = "wording", tier: Tier = Tier.AUTO) -> Settled:
    """Return a whole file as what a rule made of it."""
    return Settled(lines, rule, tier, Clash(texts.base, texts.ours, texts.theirs))


def words(found: tuple[Objection, ...]) -> list[str]:
    """Return what objections say."""
    return [one.words for one in found]


BOTH = three("a\nb\nc\nd\n", "a\nB1\nB2\nc\nd\n", "a\nb\nc\nD1\nD2\n")
"""Ours rewrites ``b``, theirs rewrites ``d``."""


@pytest.mark.parametrize(
    ("merged", "said"),
    [
        ("a\nB1\nB2\nc\nD1\nD2\n", []),
        ("a\nB1\nc\nD1\nD2\n", ["lost: B2"]),
        ("a\nB1\nB2\nc\nD1\n", ["lost: D2"]),
        ("B1\nB2\nc\nD1\nD2\n", ["lost: a"]),
        ("a\nB1\nB2\nb\nc\nD1\nD2\n", ["deleted or added once, but there too often: b"]),
        ("a\nB1\nB2\nc\nD1\nD2\nD1\n", ["deleted or added once, but there too often: D1"]),
        ("a\nB1\nB2\nc\nD1\nD2\nnew\n", ["deleted or added once, but there too often: new"]),
        ("a\nb\nc\nd\n", ["lost: B1", "lost: B2", "lost: D1", "lost: D2"]),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_every_line_has_to_be_as_often_as_both_sides_make_it(
    merged: str, said: list[str], *, whole: bool
) -> None:
    """Whether a rule claims the place or calls it untouched: lost, brought back, doubled and made-up lines are told."""
    lines = split(merged)
    piece: Piece = settled(BOTH, lines, "wording") if whole else Kept(lines)
    found = [one for one in words(guards.unaccounted(BOTH, (piece,))) if "torn" not in one]
    told = [one.removeprefix("wording: ") for one in found]
    assert bool(told) == bool(said)
    assert set(said) <= set(told)


def test_what_both_sides_add_may_stand_once_or_twice() -> None:
    """Nobody can tell from a line alone whether both meant the same one."""
    texts = three("a\n", "a\nx\n", "x\na\n")
    assert guards.unaccounted(texts, (Kept(("a\n", "x\n")),)) == ()
    assert guards.unaccounted(texts, (Kept(("x\n", "a\n", "x\n")),)) == ()
    assert words(guards.unaccounted(texts, (Kept(("x\n", "x\n", "a\n", "x\n")),))) != []
    assert words(guards.unaccounted(texts, (Kept(("a\n",)),))) == ["lost: x"]


def test_a_line_moved_by_one_side_and_added_by_both_is_counted_by_its_edits() -> None:
    """Net counts of that side are those of the base; the line merge of the same versions must pass."""
    texts = three("x\na\nb\nc\nd\n", "a\nb\nc\nd\nx\n", "x\na\nb\nc\nd\nx\n")
    pieces = by_lines(texts.base, texts.ours, texts.theirs)
    assert guards.unaccounted(texts, pieces) == ()


def test_a_line_that_one_side_only_moved_may_not_get_lost_on_the_way() -> None:
    """Deleted here and added there is not deleted."""
    texts = three("x = 1\na\nb\n", "a\nb\nx = 1\n", "x = 1\na\nc\n")
    assert words(guards.unaccounted(texts, (Kept(("a\n", "c\n")),))) == ["lost: x = 1"]
    assert guards.unaccounted(texts, (Kept(("a\n", "c\n", "x = 1\n")),)) == ()


def test_white_space_last_commas_and_lines_of_brackets_do_not_count() -> None:
    """Layout may move: that brackets fit is the parser's business."""
    texts = three("f(\n    a\n)\n", "f(\n    a,\n    b\n)\n", "f(\n    a\n)\n\n\n")
    assert guards.unaccounted(texts, (Kept(("f(\n", "        a,\n", "        b,\n", ")\n")),)) == ()


def test_where_a_rule_wrote_new_lines_its_words_are_counted() -> None:
    """A line that no version has is in order if each of its words is."""
    texts = three("f(a, b)\n", "f(a, b, c)\n", "g(a, b)\n")
    assert guards.unaccounted(texts, (settled(texts, ("g(a, b, c)\n",)),)) == ()
    for wrong in ("g(a, b)\n", "f(a, b, c)\n", "g(a, c)\n", "g(a, b, c, c)\n", "g(a, b, c, f)\n", ""):
        assert words(guards.unaccounted(texts, (settled(texts, split(wrong)),))) != []


def test_what_a_rule_may_supersede_is_said_by_its_name_alone() -> None:
    """The version rule takes one side as a whole; another rule that does the same has lost the other side."""
    texts = three('version = "1.0"\n', 'version = "1.1"\n', 'version = "1.2"\n')
    lines = ('version = "1.2"\n',)
    assert guards.unaccounted(texts, (settled(texts, lines, "version"),)) == ()
    assert guards.unaccounted(texts, (settled(texts, ('version = "1.3"\n',), "version"),)) != ()
    assert guards.unaccounted(texts, (settled(texts, lines, "wording"),)) != ()


def test_imports_may_say_once_what_was_said_twice() -> None:
    """Words of imports are a set, but each of the set has to be there."""
    texts = three(
        "from m import a\n", "from m import a\nfrom m import b\n", "from m import a\nfrom m import c\n"
    )
    assert guards.unaccounted(texts, (settled(texts, ("from m import a, b, c\n",), "imports"),)) == ()
    assert guards.unaccounted(texts, (settled(texts, ("from m import a, c\n",), "imports"),)) != ()


def test_a_rule_cannot_hide_behind_a_clash_that_the_versions_do_not_have() -> None:
    """A clash that claims less than it replaces leaves lines unaccounted for, one that claims more takes others'."""
    lines = ("a\n", "B1\n", "B2\n", "c\n")
    for clash in (
        Clash(("d\n",), ("d\n",), ("D1\n",)),
        Clash(("d\n",), ("d\n",), ("D1\n", "D2\n", "D3\n")),
        Clash((), (), ()),
    ):
        piece = Settled(("D1\n",), "wording", Tier.AUTO, clash)
        assert guards.unaccounted(BOTH, (Kept(lines), piece)) != ()


def test_what_still_clashes_is_out_of_the_account() -> None:
    """The lines around a conflict are judged as if it were not there."""
    base, ours, theirs = ("a\n", "b\n", "c\n"), ("A\n", "b\n", "c1\n"), ("a\n", "b\n", "c2\n")
    texts = Texts(base, ours, theirs)
    clash = Clash(("c\n",), ("c1\n",), ("c2\n",))
    assert guards.unaccounted(texts, (Kept(("A\n", "b\n")), clash)) == ()
    assert words(guards.unaccounted(texts, (Kept(("a\n", "b\n")), clash))) == [
        "lost: A",
        "deleted or added once, but there too often: a",
    ]
    assert guards.unaccounted(texts, (Kept(("A\n", "b\n", "c1\n")), clash)) != ()


def test_lines_added_together_keep_their_order() -> None:
    """All lines are there, yet a body has been turned around."""
    texts = three("a\n", "a\none\ntwo\nthree\n", "a0\na\n")
    right = ("a0\n", "a\n", "one\n", "two\n", "three\n")
    assert guards.unaccounted(texts, (Kept(right),)) == ()
    wrong = ("a0\n", "a\n", "two\n", "one\n", "three\n")
    assert "torn from the lines that it was added with: one" in words(
        guards.unaccounted(texts, (Kept(wrong),))
    )


def test_two_additions_may_follow_or_enclose_each_other_but_not_alternate() -> None:
    """A line of theirs between two of ours is a choice of place; taking turns is none."""
    texts = three("z\n", "a1\na2\nz\n", "b1\nb2\nz\n")
    for order in ("a1 a2 b1 b2", "b1 b2 a1 a2", "a1 b1 b2 a2"):
        assert guards.unaccounted(texts, (Kept(tuple(f"{word}\n" for word in (*order.split(), "z"))),)) == ()
    for order in ("a1 b1 a2 b2", "b1 a1 b2 a2"):
        assert guards.unaccounted(texts, (Kept(tuple(f"{word}\n" for word in (*order.split(), "z"))),)) != ()


def test_sorted_rules_may_put_lines_between_each_other() -> None:
    """Imports that a side added together stay imports when others come between."""
    texts = three("", "import a\nimport c\n", "import b\nimport d\n")
    lines = ("import a\n", "import b\n", "import c\n", "import d\n")
    assert guards.unaccounted(texts, (settled(texts, lines, "imports"),)) == ()
    assert guards.unaccounted(texts, (settled(texts, lines, "wording"),)) != ()


def test_lines_that_nobody_moved_stay_in_order() -> None:
    """What one side moved may stand elsewhere; two lines that all versions have in one order may not change places."""
    texts = three("a\nb\nc\nd\n", "b\nc\nd\na\n", "a\nb\nc\nd\ne\n")
    assert guards.unaccounted(texts, (Kept(("b\n", "c\n", "d\n", "a\n", "e\n")),)) == ()
    assert guards.unaccounted(texts, (Kept(("b\n", "c\n", "d\n", "e\n", "a\n")),)) == ()
    assert words(guards.unaccounted(texts, (Kept(("c\n", "b\n", "d\n", "a\n", "e\n")),))) == [
        "turned around: c"
    ]


def test_a_rule_may_not_put_a_line_deeper_than_any_version_has_it() -> None:
    """It would be part of another block; it may follow a block that one side indented."""
    base = "if a:\n    b()\nc()\nd()\n"
    texts = three(base, base.replace("d()", "d(1)"), base.replace("d()", "d()\ne()"))
    right, wrong = split("if a:\n    b()\nc()\nd(1)\ne()\n"), split("if a:\n    b()\n    c()\nd(1)\ne()\n")
    assert guards.unaccounted(texts, (settled(texts, right),)) == ()
    assert words(guards.unaccounted(texts, (settled(texts, wrong),))) == [
        "indented as no version has it: c()"
    ]
    deeper = Texts(split("c()\nd()\n"), split("if a:\n    c()\n    d()\n"), split("c()\nb()\nd()\n"))
    along = split("if a:\n    c()\n    b()\n    d()\n")
    assert guards.unaccounted(deeper, (settled(deeper, along),)) == ()


def test_a_line_without_an_end_may_only_be_the_last() -> None:
    """Written out, it would become one with the next."""
    texts = three("a\nb\n", "a\nb\n", "a\nb")
    assert words(guards.unaccounted(texts, (Kept(("a",)), Kept(("b\n",))))) == [
        "run together with the next line: a"
    ]
    assert guards.unaccounted(texts, (Kept(("a\n", "b")),)) == ()


def test_the_last_line_ends_as_both_sides_have_it() -> None:
    """With an end or without; where the sides differ, either will do."""
    texts = Texts(("a\n", "b\n"), ("a\n", "b"), ("c\n", "b"))
    assert guards.unaccounted(texts, (Kept(("c\n", "b")),)) == ()
    assert words(guards.unaccounted(texts, (Kept(("c\n", "b\n")),))) == [
        "the end of the last line is neither side's"
    ]
    texts = Texts(("a\n", "b\n"), ("a\n", "b"), ("c\n", "b\n"))
    assert guards.unaccounted(texts, (Kept(("c\n", "b\n")),)) == ()


# ---- which pieces are to blame ----


def test_only_the_place_that_an_objection_points_at_goes_back() -> None:
    """By its line, or by a name that one of the place's versions has."""
    here = Settled(("x = 1\n",), "wording", Tier.AUTO, Clash(("x = 0\n",), ("x = 1\n",), ("x = 0\n",)))
    there = Settled(("y = 1\n",), "wording", Tier.AUTO, Clash(("y = 0\n",), ("y = 1\n",), ("old = 0\n",)))
    pieces = (here, Kept(("a\n", "b\n")), there)
    assert guards.guilty(pieces, [Objection("wrong", 1)]) == {0: "wrong"}
    assert guards.guilty(pieces, [Objection("wrong", 4)]) == {2: "wrong"}
    assert guards.guilty(pieces, [Objection("wrong", 0, "old")]) == {2: "wrong"}
    assert guards.guilty(pieces, [Objection("wrong", 0, "ol")]) == {0: "wrong", 2: "wrong"}
    assert guards.guilty(pieces, [Objection("wrong", 1, "old"), Objection("too", 1)]) == {0: "wrong"}
    assert guards.guilty(pieces, [Objection("wrong", 2)]) == {0: "wrong"}
    assert guards.guilty(pieces, [Objection("wrong", 3), Objection("too", 3)]) == {2: "too"}


def test_guesses_go_back_before_what_is_proved() -> None:
    """Where a guess and a proved place may both be guilty, the guess is."""
    clash = Clash(("x\n",), ("y\n",), ("z\n",))
    pieces = (
        Settled(("y\n",), "imports", Tier.AUTO, clash),
        Settled(("z\n",), "wording", Tier.REVIEW, clash),
    )
    assert guards.guilty(pieces, [Objection("wrong", 0, "x")]) == {1: "wrong"}
    assert guards.guilty(pieces[:1], [Objection("wrong")]) == {0: "wrong"}
    assert guards.guilty((Kept(("x\n",)),), [Objection("wrong")]) == {}


def test_a_merge_with_conflicts_has_to_be_readable_with_either_side() -> None:
    """Half a statement outside the conflict cannot be mended by choosing a side."""
    python = languages.of("m.py")
    assert python is not None
    texts = three("if a:\n    b()\nc = 0\n", "if a:\n    b()\nc = 1\n", "if a:\n    b()\nc = 2\n")
    clash = Clash(("c = 0\n",), ("c = 1\n",), ("c = 2\n",))
    assert guards.objections(python, texts, (Kept(("if a:\n", "    b()\n")), clash)) == ()
    assert any(one.broken for one in guards.objections(python, texts, (Kept(("if a:\n", "b()\n")), clash)))


def test_a_fault_beside_a_conflict_counts_if_no_choice_of_a_side_removes_it() -> None:
    """A name that is missing with one side only may come back with the other."""
    python = languages.of("m.py")
    assert python is not None
    texts = three(
        "import os\nx = 0\n",
        "import os\nimport re\nx = 1\nprint(os, re)\n",
        "import os\nx = 2\n",
    )
    clash = Clash(("x = 0\n",), ("import re\n", "x = 1\n"), ("x = 2\n",))
    pieces = (Kept(("import os\n",)), clash, Kept(("print(os, re)\n",)))
    assert guards.objections(python, texts, pieces) == ()
    function = "def f():\n    return 1\n\n\n"
    texts = three("a = 1\nx = 0\n", f"{function}a = 1\nx = 1\n", f"a = 1\n{function}x = 2\n")
    clash = Clash(("x = 0\n",), ("x = 1\n",), ("x = 2\n",))
    found = guards.objections(python, texts, (Kept((*split(function), "a = 1\n", *split(function))), clash))
    assert "`f` is defined twice" in words(found)
