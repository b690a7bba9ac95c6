"""What the designs' resolvers answer."""

from __future__ import annotations

import pytest

from pucs.classic.resolving import PUCSConflictResolver
from pucs.conflicts.records import ConflictInfo


class Router:
    """An object with the one method that is asked for."""

    def get_fallback_suggestion(self, stream: str) -> str:
        """Say whom to ask."""
        return f"Ask an agent of {stream}"


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("LOCKED", "QUEUE: Wait for llm-agent-1's lock to expire"),
        ("INTENT_OVERLAP", "PARTITION: Coordinate with llm-agent-1"),
        ("DEPENDENCY", "Ask an agent of LLM"),
        ("SEMANTIC", "MANUAL: Requires coordinator intervention"),
    ],
)
def test_the_resolver_of_the_third_design_says_its_sentences(kind: str, advice: str) -> None:
    """One for each kind of conflict; the router is any object that can be asked about a stream."""
    conflict = ConflictInfo("llm/sentiment.py", kind, "llm-agent-1", "LLM", "Locked until noon for: Scores")
    assert PUCSConflictResolver(Router()).resolve(conflict) == advice
