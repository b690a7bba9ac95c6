"""Merges in which one side goes on to use what the other has done away with are guesses."""

from __future__ import annotations

import pytest

from pucs.merge.python.language import Python
from pucs.merge.records import Settled, Texts
from pucs.merge.texts import split

BASE = "a = old(1)\nA = 1\nb = old(2)\nB = 1\nc = old(3)\nC = 1\nLIMIT = 1\nNAME = 'a'\n"
RENAMED = BASE.replace("old", "new").replace("LIMIT = 1", "LIMIT = 2")


def tiers(base: str, ours: str, theirs: str) -> set[str]:
    """Return how far the resolutions of a merge are trusted, whichever way it is tried."""
    attempts = Python().attempts(Texts(split(base), split(ours), split(theirs)))
    return {piece.tier.value for pieces in attempts for piece in pieces if isinstance(piece, Settled)}


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        (BASE.replace("'a'", "'b'"), "auto"),
        (BASE.replace("'a'", "old('b')"), "review"),
        (BASE.replace("'a'", "'b'  # old"), "auto"),
        (BASE.replace("'a'", "'old'"), "review"),
    ],
    ids=["no new use", "a new use", "in a comment", "as a string"],
)
def test_a_new_use_of_what_the_other_side_renamed_everywhere_makes_the_merge_a_guess(
    theirs: str, expected: str
) -> None:
    """The renaming did not reach the new line, whichever side made it."""
    assert tiers(BASE, RENAMED, theirs) == {expected}
    assert tiers(BASE, theirs, RENAMED) == {expected}


def test_a_renamed_package_counts_in_whole_strings_too() -> None:
    """Each string names something else in it, and none of them stands twice."""
    base = "ALL = [\n    'shop.cart',\n    'shop.till',\n    'shop.list',\n    'shop.page',\n]\nLIMIT = 1\nNAME = 'a'\n"
    ours = base.replace("shop", "market").replace("LIMIT = 1", "LIMIT = 2")
    theirs = base.replace("    'shop.page',\n", "    'shop.page',\n    'shop.news',\n").replace("'a'", "'b'")
    assert tiers(base, ours, theirs) == {"review"}
    assert tiers(base, ours, base.replace("'a'", "'b'")) == {"auto"}


def test_what_was_deleted_in_one_place_may_come_anew() -> None:
    """A block that is gone tells nothing of a new use."""
    base = "a = old(1)\nb = old(2)\nc = old(3)\nA = 1\nB = 1\nLIMIT = 1\nNAME = 'a'\n"
    ours = "A = 1\nB = 1\nLIMIT = 2\nNAME = 'a'\n"
    assert tiers(base, ours, base.replace("'a'", "old('b')")) == {"auto"}
