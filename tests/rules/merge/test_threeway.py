"""Three-way merge of sequences, and the matching it rests on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.merge.matching import matching, plainly_matching
from pucs.merge.threeway import regions

ROWS = st.lists(st.sampled_from("abcdxy"), max_size=9)


@given(ROWS, ROWS, ROWS, st.sampled_from([0, 1]))
def test_regions_lie_end_to_end_and_tell_who_changed_what(
    base: list[str], ours: list[str], theirs: list[str], apart: int
) -> None:
    """Every element of each sequence is in exactly one region, and each region is what it says."""
    at = (0, 0, 0)
    for region in regions(base, ours, theirs, apart=apart):
        assert (region.base[0], region.ours[0], region.theirs[0]) == at
        at = (region.base[1], region.ours[1], region.theirs[1])
        was, mine, other = (
            side[slice(*span)]
            for side, span in ((base, region.base), (ours, region.ours), (theirs, region.theirs))
        )
        expected = {
            "": was == mine == other,
            "ours": was == other != mine,
            "theirs": was == mine != other,
            "same": mine == other != was,
            "clash": mine != other,
        }
        assert expected[region.changed], region
    assert at == (len(base), len(ours), len(theirs))


@given(ROWS, ROWS)
def test_what_one_side_alone_changed_is_taken(base: list[str], side: list[str]) -> None:
    """With one side as it was, nothing clashes."""
    assert {region.changed for region in regions(base, side, base)} <= {"", "ours"}
    assert {region.changed for region in regions(base, base, side)} <= {"", "theirs"}
    assert {region.changed for region in regions(base, side, side)} <= {"", "same"}


@pytest.mark.parametrize(
    ("ours", "theirs", "apart", "expected"),
    [
        ("aXcd", "abcY", 1, ["", "ours", "", "theirs"]),
        ("aXcd", "abYd", 1, ["", "clash", ""]),
        ("aXcd", "abYd", 0, ["", "ours", "theirs", ""]),
        ("abXcd", "abYcd", 0, ["", "clash", ""]),
        ("aXbcd", "aYcd", 0, ["", "ours", "theirs", ""]),
        ("abXcd", "aYcd", 0, ["", "theirs", "ours", ""]),
    ],
    ids=["apart", "touching-as-in-git", "touching", "two insertions", "insertion-before", "insertion-after"],
)
def test_edits_of_both_sides_clash_where_they_meet(
    ours: str, theirs: str, apart: int, expected: list[str]
) -> None:
    """How near two edits may come is the caller's choice; two insertions at one place have no order."""
    assert [region.changed for region in regions("abcd", ours, theirs, apart=apart)] == expected


@given(ROWS, ROWS)
def test_pairs_are_equal_and_increase(one: list[str], other: list[str]) -> None:
    """Both ways of matching give a common subsequence."""
    for pairs in (matching(one, other), plainly_matching(one, other)):
        assert all(one[i] == other[j] for i, j in pairs)
        assert pairs == sorted(set(pairs))
        assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)


def test_elements_that_occur_once_are_the_skeleton() -> None:
    """A unique line keeps its partner although longer runs of common braces would tie it elsewhere."""
    one = ["def f", "}", "}", "}", "def g"]
    other = ["}", "}", "}", "def f", "def g"]
    assert (0, 3) in matching(one, other)
    assert (0, 3) not in plainly_matching(one, other)
