"""YAML, TOML and files with sections are merged by their keys."""

import tomllib

import pytest
import yaml

from pucs.merge.records import Tier
from pucs.merge.structured import forms
from pucs.merge.texts import split
from tests.rules.merge.structured.merged import left_open, merged, settled

WORKFLOW = """\
# Runs on every push.
on: [push]
jobs:
  test:
    runs-on: ubuntu  # cheap
    steps:
      - uses: actions/checkout
      - name: install
        run: |
          pip install .

          # not a comment of YAML
          pip list

  lint:
    runs-on: ubuntu
"""


def test_both_add_a_job() -> None:
    """Keys of one mapping are added side by side, blank lines and comments stay."""
    ours = WORKFLOW + "\n  docs:\n    runs-on: ubuntu\n"
    theirs = WORKFLOW + "\n  build:\n    runs-on: windows\n"
    assert settled(".github/workflows/ci.yml", WORKFLOW, ours, theirs) == (
        WORKFLOW + "\n  docs:\n    runs-on: ubuntu\n\n  build:\n    runs-on: windows\n"
    )


def test_steps_added_at_one_place_are_a_guess() -> None:
    """Which of two steps comes first may matter: both are there, ours first, and someone has to look."""
    at = "      - name: install\n"
    ours = WORKFLOW.replace(at, "      - run: one\n" + at)
    theirs = WORKFLOW.replace(at, "      - run: two\n" + at)
    assert not merged("ci.yml", WORKFLOW, ours, theirs, accept=Tier.AUTO).clean
    assert settled("ci.yml", WORKFLOW, ours, theirs, accept=Tier.REVIEW) == WORKFLOW.replace(
        at, "      - run: one\n      - run: two\n" + at
    )


def test_steps_in_the_place_of_others_are_a_guess() -> None:
    """One side adds a last step, the other puts new ones in the place of all: which comes first, nobody can tell."""
    base = "steps:\n  - run: make all of it\n  - run: upload the logs\n"
    ours = base + "  - run: upload a trace\n"
    theirs = "steps:\n  - uses: somebody/builds@main\n    with:\n      all: yes\n"
    assert not merged("ci.yml", base, ours, theirs, accept=Tier.AUTO).clean


def test_an_entry_beside_a_comment_of_the_other_side_is_a_guess() -> None:
    """The comment at the end may say that this very entry does not work."""
    base = "include:\n  - os: mac\n    node: 16\n"
    ours = base + "  - os: windows\n    node: 18\n"
    theirs = base + "  # broken:\n  # - os: windows\n  #   node: 18\n"
    assert not merged("ci.yml", base, ours, theirs, accept=Tier.AUTO).clean
    assert settled("ci.yml", base, ours, theirs, accept=Tier.REVIEW)


def test_another_name_for_a_step_that_the_other_side_changed_is_a_guess() -> None:
    """What an entry begins with says what it is: the other side's change may be one of something else."""
    base = "steps:\n  - name: Set up the builder\n    uses: fast/builder@v1\n    id: builder\n"
    ours = base.replace("builder\n    uses", "fast builder\n    uses")
    theirs = base.replace("fast/builder@v1", "plain/builder@v3")
    assert not merged("ci.yml", base, ours, theirs, accept=Tier.AUTO).clean
    assert settled("ci.yml", base, ours, theirs, accept=Tier.REVIEW)


def test_an_addition_in_words_that_the_other_side_took_out_is_a_guess() -> None:
    """One side moved everything to another branch, the other added an entry with the old one."""
    base = '[dependencies]\na = { git = "x", branch = "main" }\nb = { git = "x", branch = "main" }\n'
    ours = base.replace('"main"', '"next"')
    theirs = base + 'c = { git = "y", branch = "main" }\n'
    assert not merged("Cargo.toml", base, ours, theirs, accept=Tier.AUTO).clean
    assert settled("Cargo.toml", base, ours, theirs, accept=Tier.REVIEW) == ours + theirs.removeprefix(base)


def test_another_name_for_what_the_other_side_deleted_is_a_guess() -> None:
    """Both took the old name away: one put a new one in its place, the other wanted it gone."""
    base = '[dependencies]\ncrypto = { path = "crypto" }\nserde = "1"\n'
    ours = '[dependencies]\nring = "0.14"\nserde = "1"\n'
    theirs = base.replace("crypto =", "push-crypto =")
    assert not merged("Cargo.toml", base, ours, theirs, accept=Tier.AUTO).clean


def test_an_addition_with_a_version_that_the_other_side_raised_is_a_guess() -> None:
    """All packages of a workspace have one version, the new one as well."""
    base = '[dependencies]\na = { path = "a", version = "1.0.1" }\nb = { path = "b", version = "1.0.1" }\n'
    ours = base + 'c = { path = "c", version = "1.0.1" }\n'
    assert not merged("Cargo.toml", base, ours, base.replace("1.0.1", "1.0.2"), accept=Tier.AUTO).clean


def test_an_addition_of_a_kind_that_the_other_side_deleted_is_a_guess() -> None:
    """One side dropped all jobs for a version, the other added one more."""
    base = "".join(
        f"{name}:\n  run: tox -e {name}\n" for name in ("py38-a", "py39-a", "py38-b", "py39-b", "py38-c")
    )
    theirs = "".join(f"{name}:\n  run: tox -e {name}\n" for name in ("py39-a", "py39-b"))
    ours = base + "py38-d:\n  run: tox -e py38-d\n"
    assert not merged("ci.yml", base, ours, theirs, accept=Tier.AUTO).clean


def test_a_step_that_one_side_left_in_comments_stays_a_conflict() -> None:
    """A place without an answer is shown, even where the lines of the result seem to fit those of a side."""
    run = "      - name: if exists, run {0}\n        run: cd examples/${{{{ dir }}}} && cat package.json && pnpm {0}\n"
    new = "      - name: if exists, run {0}\n        run: pnpm --filter ./examples/${{{{ dir }}}} --if-present {0}\n"
    head = "jobs:\n  e2e:\n    steps:\n      - run: node -v\n\n"
    base = head + run.format("lint") + run.format("build") + run.format("start")
    note = "      # - name: wait\n      #   run: |\n      #     until ready; do\n      #       sleep 1\n      #     done\n\n"
    old = "".join("      # " + line[6:] + "\n" for line in new.format("lint").splitlines())
    ours = (
        head
        + note
        + "      # nothing has `lint` here\n"
        + old
        + "\n"
        + new.format("build")
        + new.format("start")
    )
    theirs = head + new.format("lint") + new.format("build") + new.format("start")
    left_open("ci.yml", base, ours, theirs)


def test_neighbouring_keys_changed_by_different_sides() -> None:
    """Lines that touch are different keys: both changes are taken."""
    base = "a: 1\nb: 2\n"
    assert settled("x.yaml", base, "a: 9\nb: 2\n", "a: 1\nb: 8\n") == "a: 9\nb: 8\n"


def test_elements_between_brackets() -> None:
    """Lists in one line take the elements of both sides."""
    base = "branches: [main, next]\n"
    found = settled("x.yml", base, "branches: [main, next, docs]\n", "branches: [main, next, fix]\n")
    assert found == "branches: [main, next, docs, fix]\n"


@pytest.mark.parametrize(
    "base",
    [
        "a: &x\n  k: 1\nb: *x\n",
        "a: &x\n  k: 1\nb:\n  <<: *x\n  m: 2\n",
        "a:\n- x: 1\n  y: 2\n- x: 3\n  y: 4\n",
        "? complex key\n: value\nb: 1\n",
        "- - a\n  - b\n- - c\n",
        "a: >-\n  folded\n  text\n\n\nb: 'two\n  lines'\n",
    ],
)
def test_unusual_constructs_keep_their_meaning(base: str) -> None:
    """Anchors, merge keys, lists in lists, texts over lines: the result says what both sides said, or is a conflict."""
    other = base.startswith("-")
    ours = base + ("- ours\n" if other else "ours: 1\n")
    theirs = base + ("- theirs\n" if other else "theirs: 1\n")
    found = merged("x.yml", base, ours, theirs)
    if found.clean:
        said = yaml.safe_load(found.content)
        expected = yaml.safe_load(base + ("- ours\n- theirs\n" if other else "ours: 1\ntheirs: 1\n"))
        assert said == expected


@pytest.mark.parametrize(
    "base", ["a: 1\n---\nb: 2\n", "a: [1\n", "\ta: 1\n", "a: 1\na: 2\n", "{{ jinja }}: x: y\n"]
)
def test_what_is_not_understood_stays_a_conflict(base: str) -> None:
    """Several documents, broken text, tabs, keys named twice: git's result stays."""
    left_open("x.yml", base, base + "x: 1\n", base + "y: 2\n")


PROJECT = """\
[project]
name = "shop"
dependencies = [
    "click>=8", # the command line
    "yaml>=6",
]

[tool.ruff]
line-length = 100
"""


def test_both_add_a_dependency() -> None:
    """Elements of a list over several lines are added side by side."""
    ours = PROJECT.replace('    "yaml>=6",\n', '    "yaml>=6",\n    "rich>=14",\n')
    theirs = PROJECT.replace('    "yaml>=6",\n', '    "yaml>=6",\n    "zope>=5",\n')
    found = settled("pyproject.toml", PROJECT, ours, theirs)
    assert tomllib.loads(found)["project"]["dependencies"] == ["click>=8", "yaml>=6", "rich>=14", "zope>=5"]
    assert "# the command line" in found


def test_both_add_a_table() -> None:
    """Tables of both sides are there, a blank line between them."""
    ours = PROJECT + "\n[tool.mypy]\nstrict = true\n"
    theirs = PROJECT + "\n[tool.pytest]\ntimeout = 60\n"
    assert settled("pyproject.toml", PROJECT, ours, theirs) == (
        PROJECT + "\n[tool.mypy]\nstrict = true\n\n[tool.pytest]\ntimeout = 60\n"
    )


def test_both_add_the_same_key_to_a_table() -> None:
    """TOML has no key twice: two values for one key stay a conflict that names it."""
    ours, theirs = PROJECT + 'target = "a"\n', PROJECT + 'target = "b"\n'
    found = merged("pyproject.toml", PROJECT, ours, theirs)
    assert [one.entity for one in found.conflicts] == ["tool.ruff.target"]


def test_tables_of_one_name_are_told_by_what_they_say() -> None:
    """Two sides add an entry each to an array of tables."""
    base = '[[overrides]]\nmodule = "a"\nignore = true\n'
    ours = base + '\n[[overrides]]\nmodule = "b.ours"\nstrict = false\n'
    theirs = base + '\n[[overrides]]\nmodule = "networkx"\nignore_missing = true\nfollow = "skip"\n'
    found = tomllib.loads(settled("x.toml", base, ours, theirs))
    assert [one["module"] for one in found["overrides"]] == ["a", "b.ours", "networkx"]


def test_tables_sorted_by_name_stay_sorted() -> None:
    """What the tables hold does not count: several of one name stand in any order."""
    names = ("anyhow", "anyhow", "bytes", "quote")
    base = "\n".join(f'[[audits.{name}]]\nversion = "{9 - at}"\n' for at, name in enumerate(names))
    mine = '[[audits.curl]]\nwho = "somebody"\ncriteria = "safe to run"\n\n'
    other = '[[audits.cap]]\ndelta = "1.0 -> 2.0"\n\n'
    ours, theirs = (base.replace("[[audits.quote", f"{new}[[audits.quote") for new in (mine, other))
    found = tomllib.loads(settled("audits.toml", base, ours, theirs))
    assert list(found["audits"]) == ["anyhow", "bytes", "cap", "curl", "quote"]


def test_texts_with_brackets_do_not_open_tables() -> None:
    """What stands in a text over several lines is no table and no key."""
    base = 'a = """\n[not.a.table]\nb = 1\n"""\nc = [ # list\n  "]",\n]\n'
    found = settled("x.toml", base, base.replace('"]",', '"]",\n  "x",'), base + "d = 1\n")
    assert tomllib.loads(found) == {"a": "[not.a.table]\nb = 1\n", "c": ["]", "x"], "d": 1}


def test_requirements_in_setup_cfg() -> None:
    """Lines of a value are entries of a list, under a key that says so."""
    base = "[options]\ninstall_requires =\n    click\npython_requires = >=3.8\n"
    ours = base.replace("    click\n", "    click\n    rich\n")
    theirs = base.replace("    click\n", "    click\n    apsw\n")
    assert settled("setup.cfg", base, ours, theirs, accept=Tier.REVIEW) == base.replace(
        "    click\n", "    click\n    rich\n    apsw\n"
    )


def test_commands_keep_their_order_only_as_a_guess() -> None:
    """Two commands added at one place of tox.ini may depend on each other."""
    base = "[testenv]\ncommands =\n    pytest\n"
    ours, theirs = base + "    coverage\n", base + "    mypy\n"
    assert not merged("tox.ini", base, ours, theirs, accept=Tier.AUTO).clean
    assert settled("tox.ini", base, ours, theirs, accept=Tier.REVIEW) == base + "    coverage\n    mypy\n"


def test_comments_stay_with_what_they_stand_under() -> None:
    """A comment that is indented like the keys in a mapping belongs to it, one before the next key to that."""
    base = "one:\n  a: 1\n  # b: 2\n# about two\ntwo:\n  c: 3\n"
    ours = base.replace("  # b: 2\n", "  # b: 2\n  ours: 1\n")
    theirs = base.replace("# about two\n", "zero: 0\n# about two\n")
    assert settled("x.yml", base, ours, theirs) == base.replace(
        "  # b: 2\n", "  # b: 2\n  ours: 1\nzero: 0\n"
    )


@pytest.mark.parametrize(
    ("path", "base", "merged_text"),
    [
        ("x.yml", "a: 1\nb: 2\n", "a: 1\n"),
        ("x.toml", "a = 1\nb = 2\n", "a = 1\nb = 2\nc = 3\n"),
        ("x.json", '{"a": [1, 2]}\n', '{"a": [1, 2, 2]}\n'),
        ("x.ini", "[a]\nb = 1\n", "[a]\n"),
    ],
)
def test_data_that_neither_side_made_is_doubted(path: str, base: str, merged_text: str) -> None:
    """A result that lost or made up a value is told from one that holds what both said."""
    form = forms.of(path)
    assert form is not None
    versions = [split(base)] * 3
    assert form.doubts(versions, split(base), guesses=0) == ""
    assert form.doubts(versions, split(merged_text), guesses=0)
