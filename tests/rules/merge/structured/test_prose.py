"""Change logs, Markdown, reStructuredText and lists of lines take the entries of both sides."""

import pytest

from pucs.merge.records import Tier
from pucs.merge.structured.prose import Prose
from pucs.merge.structured.weaving import Weaver
from pucs.merge.texts import split
from tests.rules.merge.structured.merged import left_open, merged, settled

CHANGES = """\
# Changelog

## Unreleased

- Fix the cart (#1)

## 1.2.0

- Begin
"""


def test_both_add_an_entry_at_the_top() -> None:
    """Both entries are there, ours first."""
    at = "- Fix the cart (#1)\n"
    ours, theirs = CHANGES.replace(at, "- Ours (#2)\n" + at), CHANGES.replace(at, "- Theirs (#3)\n" + at)
    assert settled("CHANGELOG.md", CHANGES, ours, theirs) == CHANGES.replace(
        at, "- Ours (#2)\n- Theirs (#3)\n" + at
    )


def test_both_add_an_entry_at_the_end_of_a_section() -> None:
    """The blank line before the next section stays one."""
    at = "- Fix the cart (#1)\n"
    ours, theirs = CHANGES.replace(at, at + "- Ours\n  over lines\n"), CHANGES.replace(at, at + "- Theirs\n")
    assert settled("CHANGELOG.md", CHANGES, ours, theirs) == CHANGES.replace(
        at, at + "- Ours\n  over lines\n- Theirs\n"
    )


@pytest.mark.parametrize("swapped", [False, True])
def test_versions_stand_newest_first(swapped: bool) -> None:  # noqa: FBT001 - given by pytest
    """Whoever added it: 1.10 stands above 1.3, and what is not released yet above both."""
    base = "Changes\n=======\n\n1.2\n---\n\n* Old\n"
    one = base.replace("1.2\n", "Unreleased\n----------\n\n* Next\n\n1.3\n---\n\n* Three\n\n1.2\n")
    other = base.replace("1.2\n", "1.10\n----\n\n* Ten\n\n1.2\n")
    sides = (other, one) if swapped else (one, other)
    found = settled("docs/changes.rst", base, *sides)
    assert [line for line in found.split("\n") if line.startswith(("Unr", "1."))] == [
        "Unreleased",
        "1.10",
        "1.3",
        "1.2",
    ]
    assert all(entry in found for entry in ("* Next", "* Ten", "* Three", "* Old"))


def test_an_entry_that_both_have_is_there_once() -> None:
    """A fix that was taken over from another branch brings its entry along."""
    at = "- Fix the cart (#1)\n"
    ours = CHANGES.replace(at, at + "- Both (#5)\n- Ours (#6)\n")
    theirs = CHANGES.replace(at, at + "- Both (#5)\n- Theirs (#7)\n")
    found = settled("CHANGELOG.md", CHANGES, ours, theirs)
    assert [found.count(entry) for entry in ("(#5)", "(#6)", "(#7)")] == [1, 1, 1]


def test_one_releases_while_the_other_adds_an_entry() -> None:
    """The new entry goes to the section that is still open, not into the release."""
    ours = CHANGES.replace("## Unreleased\n", "## Unreleased\n\n## 1.3.0\n")
    theirs = CHANGES.replace("- Fix the cart (#1)\n", "- Late (#9)\n- Fix the cart (#1)\n")
    found = settled("CHANGELOG.md", CHANGES, ours, theirs)
    assert (
        found.index("Unreleased") < found.index("Late") < found.index("1.3.0") < found.index("Fix the cart")
    )


def test_one_entry_in_two_wordings_stays_a_conflict() -> None:
    """Nobody wants the same news twice."""
    at = "- Fix the cart (#1)\n"
    ours = CHANGES.replace(at, at + "- Speed up the search of products a lot (#8)\n")
    theirs = CHANGES.replace(at, at + "- Speed up the search of products (#8)\n")
    assert left_open("CHANGELOG.md", CHANGES, ours, theirs) == "both sides added nearly the same"


def test_an_entry_deleted_here_and_reworded_there_stays_a_conflict() -> None:
    """A deletion does not swallow the other side's words."""
    at = "- Fix the cart (#1)\n"
    reason = left_open(
        "CHANGELOG.md", CHANGES, CHANGES.replace(at, ""), CHANGES.replace(at, "- Fix the cart twice (#1)\n")
    )
    assert reason == "one side deleted what the other changed"


def test_a_paragraph_is_merged_word_by_word_as_a_guess() -> None:
    """Both sides changed other words of one sentence."""
    base = "# Shop\n\nThe shop sells red apples and pears to all of its customers.\n"
    ours, theirs = base.replace("red", "green"), base.replace("all of its", "many")
    assert not merged("README.md", base, ours, theirs, accept=Tier.AUTO).clean
    found = settled("README.md", base, ours, theirs, accept=Tier.REVIEW)
    assert found == base.replace("red", "green").replace("all of its", "many")


def test_rows_sections_and_references() -> None:
    """Rows of tables, sections and link targets of both sides are there, as a guess: nothing proves prose."""
    base = "# A\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n## End\n\ntext\n\n[one]: http://1\n"
    ours = base.replace("| 1 | 2 |\n", "| 1 | 2 |\n| o | o |\n").replace("## End", "## Ours\n\nwe\n\n## End")
    ours += "[ours]: http://o\n"
    theirs = base.replace("| 1 | 2 |\n", "| 1 | 2 |\n| t | t |\n").replace(
        "## End", "## Theirs\n\nthey\n\n## End"
    )
    theirs += "[theirs]: http://t\n"
    assert not merged("README.md", base, ours, theirs, accept=Tier.AUTO).clean
    assert settled("README.md", base, ours, theirs, accept=Tier.REVIEW) == (
        "# A\n\n| x | y |\n|---|---|\n| 1 | 2 |\n| o | o |\n| t | t |\n\n## Ours\n\nwe\n\n## Theirs\n\nthey\n\n"
        "## End\n\ntext\n\n[one]: http://1\n[ours]: http://o\n[theirs]: http://t\n"
    )


def test_headings_in_code_are_code() -> None:
    """A line between fences that looks like a heading opens no section; code that both changed stays a conflict."""
    base = "# A\n\n```sh\n# comment\nrun\n```\n"
    left_open("README.md", base, base.replace("run", "run one"), base.replace("run", "run two"))


def test_requirements_are_known_by_their_names() -> None:
    """New ones of both sides are there; two pins of one are the higher one as a guess, and never two lines."""
    base = "click==8.0.0\nyaml==6.0\n"
    assert settled("requirements.txt", base, base + "rich\n", base + "apsw\n") == base + "rich\napsw\n"
    found = merged("requirements.txt", base, base.replace("8.0.0", "8.1.0"), base.replace("8.0.0", "8.2.0"))
    assert found.content.decode() == base.replace("8.0.0", "8.2.0")
    assert found.tier is Tier.REVIEW


def test_patterns_to_ignore() -> None:
    """Both add a pattern at the end, which has no line feed."""
    assert settled(".gitignore", "*.pyc", "*.pyc\n/dist", "*.pyc\n/build") == "*.pyc\n/dist\n/build"


def test_what_is_no_structured_file_is_git_s() -> None:
    """Files of other names are left alone."""
    left_open("notes.dat", "a\n", "a\nb\n", "a\nc\n")


def test_a_paragraph_that_both_rewrote_stays_a_conflict() -> None:
    """Two texts in the place of one are two versions of it, however little they have in common."""
    base = "# A\n\nThe first of all sentences says what a reader expects from it here.\n\nEnd.\n"
    old = base.split("\n")[2]
    ours = base.replace(old, "Wholly other words, by ours, in a row.")
    theirs = base.replace(old, "Nothing alike: theirs wrote that in a hurry!")
    assert left_open("README.md", base, ours, theirs) in {"both sides changed it", "both sides rewrote it"}


def test_a_row_that_both_added_in_other_words_stays_a_conflict() -> None:
    """The first cell names a row: one name with two rows is not what either side meant."""
    base = "| name | use |\n|---|---|\n| a | first |\n"
    reason = left_open(
        "README.md", base, base + "| b | by ours |\n", base + "| b | what theirs say of it |\n"
    )
    assert reason == "both sides changed it"


def test_code_that_both_added_is_not_there_twice() -> None:
    """The same lines at two places of one block are one addition that the sides put in different places."""
    lines = ("```js\n", "first();\n", "second();\n", "third();\n", "```\n")
    new = "{ title: 'Galaxy theme' },\n"
    ours, theirs = (*lines[:2], new, *lines[2:]), (*lines[:3], new, *lines[3:])
    assert Weaver().leaf(lines, ours, theirs).open == "both sides added the same lines"


def test_requirements_that_share_a_name_are_not_mixed_up() -> None:
    """Where a name stands for more lines in one version than in another, which is which nobody knows."""
    base = "mitm; python < '3.7'\nother\n"
    ours = "mitm @ git+x; python > '3.9'\nmitm == 4; python < '3.7'\nother\n"
    theirs = "mitm >= 4.0.4; python < '3.7'\nother\n"
    left_open("requirements.txt", base, ours, theirs)


@pytest.mark.parametrize(
    "edited",
    [
        "- Fix totals of the cart when vouchers and rebates come together (#1)\n",
        "- New (#8)\n- Fix the cart for good (#1)\n",
    ],
)
def test_an_entry_is_found_again_after_an_edit(edited: str) -> None:
    """Much rewritten in its place, or a little beside a new one: deleted by the other side, it stays a conflict."""
    base = CHANGES.replace("- Fix the cart (#1)\n", "- Fix the cart of a shop (#1)\n- Other\n")
    at = "- Fix the cart of a shop (#1)\n"
    reason = left_open("CHANGELOG.md", base, base.replace(at, edited), base.replace(at, ""))
    assert reason == "one side deleted what the other changed"


def test_blank_lines_are_those_of_the_side_that_changed_them() -> None:
    """One side closes the list up, the other adds an entry."""
    base = "# A\n\n* one\n\n* two\n\n* three\n"
    theirs = base.replace("* one\n\n* two\n\n", "* one\n* two\n").replace("three", "3")
    found = settled(
        "CHANGES.md", base, base.replace("* one\n", "* one\n\n* new\n").replace("three", "3"), theirs
    )
    assert "* two\n* 3\n" in found
    assert [found.count(entry) for entry in ("* one", "* new", "* two")] == [1, 1, 1]


def test_a_name_for_several_lines_is_not_counted_through() -> None:
    """The second of three is not the second of two: the list is left to git."""
    base = "a==1.0\na==3.0\n"
    ours, theirs = "a==0.5\n" + base, "a==1.0\na==3.1\nb\n"
    found = merged("requirements.txt", base, ours, theirs)
    assert not found.clean or found.content.decode() == "a==0.5\na==1.0\na==3.1\nb\n"
    left_open("requirements.txt", base, "a==0.5\n" + base + "c\n", theirs)


def test_an_entry_moves_out_of_a_release_past_lines_that_nobody_changed() -> None:
    """Ours released and reworded the last entry, theirs added one after it: the new one goes back to the open section."""
    base = (
        "# C\n\n## Unreleased\n\n- First of the entries\n- Second\n- Third of them all\n\n## 1.0\n\n- Old\n"
    )
    ours = base.replace("## Unreleased\n", "## Unreleased\n\n## 1.1\n").replace("them all", "them")
    theirs = base.replace("- Third of them all\n", "- Third of them all\n- Late\n")
    found = settled("CHANGELOG.md", base, ours, theirs)
    assert found == base.replace("## Unreleased\n", "## Unreleased\n\n- Late\n\n## 1.1\n").replace(
        "them all", "them"
    )


def test_only_headings_outside_of_code_open_sections() -> None:
    """A comment of a shell between fences is no heading."""
    lines = split("# A\n\n```sh\n# B\n```\n\n## C\n\ntext\n")
    outline = Prose(markdown=True).among([lines]).outline(lines)
    assert [kid.name for kid in outline.kids] == ["A"]
    assert [kid.name for kid in outline.kids[0].kids] == ["", "C"]


def test_both_add_the_file_with_a_section_each() -> None:
    """A blank line stands between sections that no version has beside each other."""
    assert (
        settled("NEWS.md", None, "## 1.1\n\none\n", "## 1.0\n\ntwo\n") == "## 1.1\n\none\n\n## 1.0\n\ntwo\n"
    )
