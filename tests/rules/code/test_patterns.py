"""Patterns of a division: each matches what it should and nothing that is another's."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pucs.code.patterns import escaped, patterns
from pucs.streams.patterns import matches

DIRECTORIES = st.lists(st.sampled_from(["a", "b", "[id]", "!x", "a,b", "*"]), max_size=3).map(
    lambda parts: "".join(f"{part}/" for part in parts)
)
STEMS = st.sampled_from(["one", "one_two", "one_two_three", "one_", "_", "", "{x}", "two", "\\", "!"])
PATHS = st.builds(
    lambda *parts: "".join(parts), DIRECTORIES, STEMS, st.sampled_from([".py", ".pyi", ".d.ts", ".ts", "-x"])
)
DIVISIONS = st.dictionaries(PATHS, st.sampled_from(["first", "second", "nobody", "foreign"]), max_size=25)


@settings(max_examples=40)
@given(division=DIVISIONS, stems=st.booleans())
@example(division={"a/.py": "first", "a/.js": "first", "a/b.py": "second"}, stems=False)
@example(division={"a/one_b.py": "first", "a/one_c.py": "first", "a/one_.py": "second"}, stems=True)
@example(division={"!a.py": "first", "b/x": "second", "b/y": "second", "b/z.py": "first"}, stems=True)
def test_patterns_match_the_files_of_their_owner_and_nobody_elses(
    *, division: dict[str, str], stems: bool
) -> None:
    """Read as a configuration would read them, patterns give back the division."""
    owner_of = {path: owner for path, owner in division.items() if owner in ("first", "second")}
    nobodys = [path for path, owner in division.items() if owner == "nobody"]
    found = patterns(owner_of, nobodys=nobodys, stems=stems)
    assert found.keys() == set(owner_of.values())
    for path in [*owner_of, *nobodys]:
        owners = {owner for owner, globs in found.items() if any(matches(glob, path) for glob in globs)}
        assert owners == ({owner_of[path]} if path in owner_of else set()), (path, found)


@settings(max_examples=20)
@given(DIVISIONS)
def test_the_order_of_files_does_not_matter(division: dict[str, str]) -> None:
    """The same division has the same patterns."""
    assert patterns(dict(reversed(division.items())), stems=True) == patterns(division, stems=True)


@pytest.mark.parametrize(
    ("mine", "others", "expected"),
    [
        (["a/x.py", "a/b/y.py"], ["c/z.py"], ("a/",)),
        (["a/x.py", "a/y.py"], ["a/b/z.py"], ("a/*.py",)),
        (["a/x.py", "a/y.ts", "a/z.ts"], ["a/y.py"], ("a/x.py", "a/*.ts")),
        (["a/x.py"], ["a/y.py"], ("a/x.py",)),
        (["x.py"], ["a/y.py"], ("x.py",)),
        (["a/x_1.py", "a/x_2.py", "a/y.py"], ["a/z.py"], ("a/x_*.py", "a/y.py")),
    ],
)
def test_whole_directories_come_first_then_endings_then_beginnings(
    mine: list[str], others: list[str], expected: tuple[str, ...]
) -> None:
    """What is left over is named path by path."""
    owner_of = dict.fromkeys(mine, "me") | dict.fromkeys(others, "you")
    assert patterns(owner_of, stems=True)["me"] == expected


def test_without_stems_such_files_are_named_one_by_one() -> None:
    """Beginnings count only where it was asked for."""
    found = patterns({"a/x_1.py": "me", "a/x_2.py": "me", "a/z.py": "you"})
    assert found == {"me": ("a/x_1.py", "a/x_2.py"), "you": ("a/z.py",)}


def test_special_characters_stand_for_themselves() -> None:
    """A path is no pattern by accident."""
    assert escaped("a[b]/{c},*?.py") == r"a\[b\]/\{c\}\,\*\?.py"
    assert escaped("!a") == r"\!a"
