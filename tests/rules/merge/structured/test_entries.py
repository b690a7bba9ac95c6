"""Entries of change logs and lists that stand for themselves and still do not go together."""

import pytest

from pucs.merge.records import Tier
from tests.rules.merge.structured.merged import left_open, merged, settled

LOG = "# Changes\n\n## 1.3 (unreleased)\n\n- First of them (#1)\n\n## 1.2 (2024-01-31)\n\n- Old\n"
ENTRY = "- First of them (#1)\n"


@pytest.mark.parametrize("dated", ["1.3 (2024-05-01)", "1.3"])
def test_nothing_is_added_to_what_the_other_side_has_released(dated: str) -> None:
    """The release is out without the entry, wherever its text stands."""
    ours = LOG.replace("1.3 (unreleased)", dated).replace("(#1)", "(#1, #2)")
    theirs = LOG.replace(ENTRY, ENTRY + "- Late (#9)\n")
    assert left_open("CHANGES.md", LOG, ours, theirs) == "ours released what theirs adds to"
    assert left_open("CHANGES.md", LOG, theirs, ours) == "theirs released what ours adds to"


def test_a_release_that_both_wrote_of_is_not_told_twice() -> None:
    """Both have it with a date: their words are about the same things."""
    at = "# Changes\n\n"
    ours = LOG.replace(at, at + "## 1.3.1 (2024-06-01)\n\n- The last one lacked files.\n\n")
    theirs = LOG.replace(at, at + "## 1.3.1 (2024-06-01)\n\n- Some were missing from 1.3.\n\n")
    assert left_open("CHANGES.md", LOG, ours, theirs) == "both sides wrote of one release"


def test_what_is_not_released_stands_above_new_releases_in_a_log_out_of_order() -> None:
    """That old versions are not in order changes nothing about what stands at the top."""
    base = "# 1.2.0\n- a\n\n# 1.1.0\n- b\n\n# 1.1.5\n- c\n"
    ours, theirs = f"# 1.4.0\n- d\n\n# 1.3.0\n- e\n\n{base}", f"# Next\n  [ADDED] f\n\n{base}"
    found = settled("changelog.md", base, ours, theirs)
    assert [line for line in found.split("\n") if line.startswith("#")][:4] == [
        "# Next",
        "# 1.4.0",
        "# 1.3.0",
        "# 1.2.0",
    ]


def test_a_paragraph_does_not_come_below_the_other_side_s_heading() -> None:
    """What stands behind a heading belongs to it."""
    base = "Changes\n=======\n\n3.0.4\n-----\n\n* Old\n"
    ours = base.replace("3.0.4\n", "3.1.0\n-----\n\n* New\n\n3.0.4\n")
    theirs = base.replace("3.0.4\n", "Older ones are elsewhere.\n\n3.0.4\n")
    found = settled("CHANGES.rst", base, ours, theirs)
    assert found.index("elsewhere") < found.index("3.1.0") < found.index("3.0.4")


def test_an_entry_without_a_heading_and_a_new_section_stay_a_conflict() -> None:
    """Nobody knows whether the entry belongs to it."""
    base = "# 1.2.0\n- a\n"
    left_open("changelog.md", base, f"# 1.3.0\n- b\n\n{base}", f"- c\n\n{base}")


@pytest.mark.parametrize(
    ("path", "base", "ours", "theirs"),
    [
        ("CHANGES.md", "# C\n\nSee below.\n\n## 1.0\n\n- a\n\n## 0.9\n\n- b\n", "# C\n\nMoved.\n", "## 1.0"),
        ("requirements.txt", "-e .[test]\na\nb\nc\nd\n", "-e .[doc]\n", "d\n"),
    ],
)
def test_nothing_is_added_to_a_list_that_the_other_side_has_moved_away(
    path: str, base: str, ours: str, theirs: str
) -> None:
    """The addition is wanted where the rest went."""
    added = "## 1.1\n\n- c\n\n## 1.0" if path == "CHANGES.md" else "d\ne\n"
    assert (
        left_open(path, base, ours, base.replace(theirs, added))
        == "one side added to what the other took away"
    )


def test_none_beside_an_entry_stays_a_conflict() -> None:
    """A section that has an entry does not say that there is none."""
    base = "# C\n\n## Master\n\n- a (#1)\n\n## 1.0\n\n- x\n"
    ours = base.replace("- a (#1)\n", "- b (#2)\n- a (#1)\n")
    theirs = base.replace("- a (#1)\n", "- None.\n\n## 1.1\n\n- a (#1)\n")
    left_open("CHANGELOG.md", base, ours, theirs)


def test_an_entry_beside_a_release_that_is_an_entry_itself_stays_a_conflict() -> None:
    """Above the line of the release it is not in it, below it is."""
    base = "Changelog\n=========\n\n* :bug:`1` Old\n"
    ours = base.replace("* :bug", "* :release:`1.14.2 <2014-12-19>`\n* :bug")
    left_open("changelog.rst", base, ours, base.replace("* :bug", "* :bug:`2` New\n* :bug"))


def test_sorted_lists_stay_sorted() -> None:
    """Where both sides keep the order around a place, so does the merge, whatever stands elsewhere."""
    base = "zebra\n\nAlex\nAndrey\nArmin\nBrian\nCarl\n"
    ours, theirs = base.replace("Brian", "Ben\nBrian"), base.replace("Brian", "Aziz\nBrian")
    assert settled("AUTHORS", base, ours, theirs) == base.replace("Brian", "Aziz\nBen\nBrian")


def test_one_line_of_a_list_that_both_changed_stays_one() -> None:
    """An editable requirement is the same one with other extras."""
    base = "-e .[brotli,cli,http2,socks]\n\nrich\n"
    left_open(
        "requirements.txt", base, base.replace("socks", "socks,zstd"), base.replace("brotli", "trio,brotli")
    )


def test_indented_lines_belong_to_the_requirement_above() -> None:
    """``# via`` says where it comes from."""
    base = "attrs==1\n    # via pytest\ndocutils==2\n    # via sphinx\nfilelock==3\n    # via pytest\n"
    ours = base.replace("filelock", "ephemeral==4\n    # via tests\nfilelock")
    theirs = base.replace("docutils==2\n    # via sphinx\n", "")
    assert settled("requirements.txt", base, ours, theirs) == ours.replace(
        "docutils==2\n    # via sphinx\n", ""
    )


def test_a_new_comment_stays_over_its_line() -> None:
    """Two comments over one pattern are not both about it."""
    base = "a\n"
    ours, theirs = f"{base}\n# just here\n.cache\nx.html\n", f"{base}\n# notebooks\n.cache\n"
    assert not merged(".gitignore", base, ours, theirs, accept=Tier.AUTO).clean


def test_a_line_without_a_comment_goes_before_those_with_one() -> None:
    """Behind the comment it would belong to that group."""
    found = settled(".gitignore", "a\n", "a\n\n# editors\n.idea\n", "a\nb\n")
    assert found == "a\nb\n\n# editors\n.idea\n"


def test_rules_of_which_the_last_one_counts_are_a_guess() -> None:
    """Which owner a file has depends on what comes last; so do patterns that others take back."""
    for path, base in (("CODEOWNERS", "* @all\n"), (".gitignore", "*.log\n!keep.log\n")):
        ours, theirs = f"{base}/docs @ours\n", f"{base}*.md @theirs\n"
        assert not merged(path, base, ours, theirs, accept=Tier.AUTO).clean
        assert merged(path, base, ours, theirs).tier is Tier.REVIEW


def test_what_a_program_wrote_is_left_to_the_program() -> None:
    """Pins that were never resolved together would pass for a resolution."""
    base = "# This file is autogenerated by pip-compile\na==1\nb==2\n"
    left_open("requirements.txt", base, base.replace("a==1", "a==2"), base.replace("b==2", "b==3"))


def test_steps_of_a_release_are_no_change_log() -> None:
    """A checklist is not known by the word it begins with."""
    left_open("utils/release-checklist", "* a\n* b\n", "* a\n* c\n* b\n", "* a\n* d\n* b\n")


def test_what_stood_before_a_part_that_the_other_side_replaced_stays_before_it() -> None:
    """A name is not put into the sentence that took the place of another one."""
    base = "- Ann\n\nWho wrote the examples:\n\n- Eve\n\nApply here\n"
    ours = base.replace("\nWho wrote the examples:\n\n- Eve\n", "- Ben\n\nTaken from elsewhere\nin part\n")
    theirs = base.replace("- Ann\n", "- Ann\n- Cyd\n")
    found = settled("AUTHORS", base, ours, theirs)
    assert found.index("- Cyd") < found.index("Taken") < found.index("in part") < found.index("Apply")


def test_a_line_does_not_come_below_a_comment_of_the_other_side() -> None:
    """The comment is about lines that its side knew."""
    base = "_build\n*.pyc\n"
    theirs = "# compiled\n*.py[co]\n*.so\n\n# docs\n_build\n\n# packages\n*.egg\n"
    assert not merged(".gitignore", base, f"{base}.*.swp\n", theirs, accept=Tier.AUTO).clean


def test_two_names_of_what_is_not_released_stay_a_conflict() -> None:
    """Without a number nobody can tell whether it is the other one."""
    at = "## 1.3 (unreleased)\n\n- First of them (#1)\n\n"
    base = LOG.replace(at, "")
    ours, theirs = LOG, base.replace("## 1.2", "## Unreleased\n\n- Other (#2)\n\n## 1.2")
    left_open("CHANGES.md", base, ours, theirs)
