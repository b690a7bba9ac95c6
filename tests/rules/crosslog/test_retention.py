"""What an entry speaks of, whatever somebody wrote into its details."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.crosslog.records import Entry, Level
from pucs.crosslog.retention import References, references


def entry(**details: Any) -> Entry:
    return Entry(
        timestamp="now", session="S", agent="ann", stream="", level=Level.INFO, action="x", details=details
    )


@pytest.mark.parametrize(
    ("details", "spoken"),
    [
        ({}, References()),
        ({"tokens": [3, 1], "token": 9}, References(tokens=frozenset({1, 3, 9}))),
        ({"conflict": 4}, References(conflicts=frozenset({4}))),
        ({"intent": 2, "conflicts": [5, 6]}, References(intents=frozenset({2}), conflicts=frozenset({5, 6}))),
        ({"message": 7, "to": "bob"}, References(messages=frozenset({7}))),
        ({"message": 7, "to": ["bob", "cid", "dan"]}, References(messages=frozenset({7, 8, 9}))),
        ({"messages": [1, 2]}, References(messages=frozenset({1, 2}))),
        ({"handoff": 3, "to": ["bob"]}, References(handoffs=frozenset({3}))),
        ({"task": "T-1"}, References(tasks=frozenset({"T-1"}))),
        ({"task": "", "conflict": 0, "tokens": []}, References()),
        ({"task": 7, "conflict": "4", "tokens": {"a": 1}, "message": True, "intent": -1}, References()),
        ({"tokens": [None, 2.5, "1", [3], 4], "conflict": 2**70}, References(tokens=frozenset({4}))),
    ],
)
def test_what_is_spoken_of_is_found_by_its_type(details: dict[str, Any], spoken: References) -> None:
    """Numbers and names in their places count; anything else is an agent's words."""
    assert references(entry(**details)) == spoken


WORDS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([
    "token",
    "tokens",
    "conflict",
    "conflicts",
    "intent",
    "message",
    "messages",
    "to",
    "task",
])


@given(st.dictionaries(NAMES, WORDS))
def test_no_details_can_break_it(details: dict[str, Any]) -> None:
    """Whatever JSON an agent logs, only usable keys come out."""
    spoken = references(entry(**details))
    numbers = spoken.tokens | spoken.conflicts | spoken.intents | spoken.messages
    assert all(number > 0 for number in numbers)
    assert all(spoken.tasks)
