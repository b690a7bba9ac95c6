"""Sentences in one string are merged line by line, as a guess."""

from __future__ import annotations

from pucs.merge.markers import rendered
from pucs.merge.merging import LineMerge, merge
from pucs.merge.pieces import by_lines
from pucs.merge.records import Merged, Tier, Versions
from pucs.merge.texts import split

BASE = (
    'def due():\n    """Return when it is due.\n\n    Counted from the issue.\n    Weekends count.\n    """\n'
)
OURS = BASE.replace("issue", "delivery")
THEIRS = BASE.replace("Weekends count", "Holidays count, too")


def merged(ours: str, theirs: str, accept: Tier) -> Merged:
    """Merge two changes of the docstring."""
    lines, conflicts = rendered(by_lines(split(BASE), split(ours), split(theirs)))
    versions = Versions(BASE.encode(), ours.encode(), theirs.encode())
    return merge("a.py", versions, LineMerge("".join(lines).encode(), len(conflicts)), accept=accept)


def test_sentences_that_touch_are_merged_where_guesses_are_accepted() -> None:
    """Each side changed a line of its own; together they may say something else, so that somebody has to look."""
    found = merged(OURS, THEIRS, Tier.REVIEW)
    assert found.content.decode() == OURS.replace("Weekends count", "Holidays count, too")
    assert [(one.resolver, one.tier) for one in found.resolutions] == [("prose", Tier.REVIEW)]
    assert not merged(OURS, THEIRS, Tier.AUTO).clean


def test_one_sentence_said_in_two_ways_stays_a_conflict() -> None:
    """Nobody knows which is meant."""
    assert not merged(OURS, BASE.replace("the issue", "today"), Tier.REVIEW).clean
