"""JSON is merged by its members, and keeps its commas, comments and indentation."""

import json

from pucs.merge.records import Tier
from tests.rules.merge.structured.merged import left_open, merged, settled

PACKAGE = """\
{
  "name": "shop",
  "dependencies": {
    "axios": "^1.0.0",
    "react": "^18.0.0"
  }
}
"""


def test_both_add_a_last_member_and_the_commas_are_right() -> None:
    """Each side adds a dependency after the last one: both are there, the former last ones have commas now."""
    ours = PACKAGE.replace('"^18.0.0"', '"^18.0.0",\n    "vite": "^5.0.0"')
    theirs = PACKAGE.replace('"^18.0.0"', '"^18.0.0",\n    "zod": "^3.0.0"')
    assert settled("package.json", PACKAGE, ours, theirs) == PACKAGE.replace(
        '"^18.0.0"', '"^18.0.0",\n    "vite": "^5.0.0",\n    "zod": "^3.0.0"'
    )


def test_one_deletes_the_last_member_and_the_other_adds_one() -> None:
    """No comma is left before the closing bracket, and none is missing."""
    base = '{\n  "a": 1,\n  "b": 2\n}\n'
    assert settled("x.json", base, '{\n  "a": 1\n}\n', '{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}\n') == (
        '{\n  "a": 1,\n  "c": 3\n}\n'
    )


def test_both_add_the_file() -> None:
    """Members of both are there once: a guess, because a member may be one that the other side took away."""
    ours = '{\n  "a": 1,\n  "b": {\n    "x": 1\n  }\n}\n'
    theirs = '{\n  "a": 1,\n  "b": {\n    "y": 2\n  }\n}\n'
    assert not merged("x.json", None, ours, theirs, accept=Tier.AUTO).clean
    found = settled("x.json", None, ours, theirs, accept=Tier.REVIEW)
    assert json.loads(found) == {"a": 1, "b": {"x": 1, "y": 2}}


def test_both_add_the_file_and_one_has_all_of_it() -> None:
    """The side that has what the other has, and more, is the merge."""
    ours = '{\n  "a": 1,\n  "b": 2\n}\n'
    assert settled("x.json", None, ours, '{\n  "b": 2\n}\n') == ours


def test_both_fill_an_empty_object() -> None:
    """An object that was empty in one line takes the members of both sides."""
    base = '{\n  "scripts": {}\n}\n'
    ours = '{\n  "scripts": {\n    "build": "b"\n  }\n}\n'
    theirs = '{\n  "scripts": {\n    "test": "t"\n  }\n}\n'
    assert json.loads(settled("x.json", base, ours, theirs)) == {"scripts": {"build": "b", "test": "t"}}


def test_two_values_of_one_member_stay_a_conflict() -> None:
    """Nobody can tell which of two values is meant, and the label names the member."""
    base = '{\n  "a": {\n    "port": "x"\n  }\n}\n'
    found = merged("x.json", base, base.replace('"x"', '"y"'), base.replace('"x"', '"z"'))
    assert [(one.entity, one.reason) for one in found.conflicts] == [("a.port", "both sides changed it")]


def test_the_higher_of_two_versions_is_a_guess() -> None:
    """It is proposed, and without leave it stays a conflict."""
    ours, theirs = PACKAGE.replace("1.0.0", "1.2.0"), PACKAGE.replace("1.0.0", "1.10.0")
    assert not merged("package.json", PACKAGE, ours, theirs, accept=Tier.AUTO).clean
    assert settled("package.json", PACKAGE, ours, theirs, accept=Tier.REVIEW) == theirs


def test_a_pinned_version_is_not_set_against_a_range() -> None:
    """Only the numbers may differ between two versions that are compared."""
    ours, theirs = PACKAGE.replace("^1.0.0", "^2.0.0"), PACKAGE.replace("^1.0.0", "npm:other@1.5.0")
    assert left_open("package.json", PACKAGE, ours, theirs) == "both sides changed it"


def test_deleting_what_the_other_changed_stays_a_conflict() -> None:
    """A member that one side took away and the other changed is neither kept nor dropped."""
    base = '{\n  "a": {\n    "x": "1"\n  },\n  "b": 2\n}\n'
    reason = left_open("x.json", base, '{\n  "b": 2\n}\n', base.replace('"1"', '"9"'))
    assert reason == "one side deleted what the other changed"


def test_comments_and_last_commas_stay() -> None:
    """A settings file with comments keeps them beside the lines that they stand with."""
    base = '{\n  // how strict\n  "strict": true, // always\n  "lib": [\n    "dom",\n  ],\n}\n'
    ours = base.replace('    "dom",\n', '    "dom",\n    /* modern */ "es2022",\n')
    theirs = base.replace('    "dom",\n', '    "dom",\n    "webworker",\n').replace("// always", "// still")
    found = settled("tsconfig.json", base, ours, theirs, accept=Tier.REVIEW)
    assert found == base.replace(
        '    "dom",\n', '    "dom",\n    /* modern */ "es2022",\n    "webworker",\n'
    ).replace("// always", "// still")


def test_a_name_twice_is_not_understood() -> None:
    """An object with one name twice means different things to different readers: git's result stays."""
    base = '{\n  "a": 1,\n  "a": 2\n}\n'
    left_open("x.json", base, base.replace("2", "3"), base.replace("2", "4"))


def test_both_add_the_same_name_with_other_values() -> None:
    """The result would have the name twice: it stays a conflict."""
    base = '{\n  "a": 1\n}\n'
    left_open("x.json", base, base.replace("1", '1,\n  "n": "x"'), base.replace("1", '1,\n  "n": "y"'))


def test_git_s_clean_merge_with_a_name_twice_is_objected_to() -> None:
    """Lines that lie apart merge clean although they say two things about one name."""
    base = "{\n" + "".join(f'  "k{n}": {n},\n' for n in range(8)) + '  "end": 0\n}\n'
    ours = base.replace('  "k1"', '  "new": 1,\n  "k1"')
    theirs = base.replace('  "k6"', '  "new": 2,\n  "k6"')
    found = merged("x.json", base, ours, theirs)
    assert found.clean
    assert found.objections == ('"new" is there twice',)


def test_lock_files_are_left_to_their_program() -> None:
    """What a program made of other files is not merged as text."""
    base = '{\n  "a": 1\n}\n'
    left_open("package-lock.json", base, base.replace("1", '1,\n  "b": 1'), base.replace("1", '1,\n  "c": 1'))


def test_broken_text_stays_git_s() -> None:
    """What is no JSON comes out as git left it."""
    for base in (
        '{\n  "a": 1,,\n}\n',
        '{\n  "a": [1\n}\n',
        "[" * 500 + "\n",
        '{\n  "a"\n}\n',
        '{\n "\udcff": 1\n',
    ):
        found = merged("x.json", base, base + "x\n", base + "y\n")
        assert not found.clean


def test_of_neighbouring_versions_each_side_has_a_higher_one() -> None:
    """Two lines of one hunk are decided one by one."""
    base = PACKAGE
    ours = base.replace("1.0.0", "1.5.0").replace("18.0.0", "18.1.0")
    theirs = base.replace("1.0.0", "1.2.0").replace("18.0.0", "18.9.0")
    found = settled("package.json", base, ours, theirs, accept=Tier.REVIEW)
    assert found == base.replace("1.0.0", "1.5.0").replace("18.0.0", "18.9.0")


def test_equal_elements_stay_as_many_as_they_are() -> None:
    """A list that says one thing twice keeps both while both sides add to it."""
    base = '{\n  "files": [\n    "a",\n    "a"\n  ]\n}\n'
    ours, theirs = (base.replace('"a"\n', f'"a",\n    "{new}"\n') for new in ("ours", "theirs"))
    assert json.loads(settled("x.json", base, ours, theirs)) == {"files": ["a", "a", "ours", "theirs"]}
