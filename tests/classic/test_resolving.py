"""What the designs' resolvers answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from pucs import stream_locks
from pucs.classic.places import here
from pucs.classic.planning import IntentSignal
from pucs.classic.resolving import ConflictResolver, PUCSConflictResolver
from pucs.conflicts.records import Change, ConflictInfo, Status, Strategy
from pucs.coordinator.conflicts import conflicts


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


FILL = "execution/fill_predictor.py"
BEFORE = b"def predict(order):\n    return 0.5\n\n\ndef train(orders):\n    return None\n"
PREDICTS = BEFORE.replace(b"0.5", b"0.7")
TRAINS = BEFORE.replace(b"None", b"len(orders)")


def changed(agent: str, after: bytes, before: bytes = BEFORE) -> Change:
    return Change(agent=agent, before=before, after=after)


@pytest.mark.git
def test_changes_of_different_functions_merge(older: Path) -> None:
    """Both are in the result, in whichever order they are given."""
    resolver = ConflictResolver()
    merged = resolver.auto_merge(FILL, changed("exec-agent-1", PREDICTS), changed("exec-agent-2", TRAINS))
    assert merged.success
    assert merged.content == PREDICTS.replace(b"None", b"len(orders)")
    assert resolver.auto_merge(FILL, changed("b", TRAINS), changed("a", PREDICTS)) == merged


@pytest.mark.git
def test_changes_of_one_function_do_not_merge(older: Path) -> None:
    """Neither on the same line, nor on different lines of one function, nor from different versions."""
    resolver = ConflictResolver()
    same = resolver.auto_merge(FILL, changed("a", PREDICTS), changed("b", BEFORE.replace(b"0.5", b"0.9")))
    assert (same.success, same.content, same.conflicts) == (False, b"", 1)
    long = b"def f():\n    a = 1\n    b = 2\n    c = 3\n    d = 4\n    e = 5\n    return a\n"
    one = changed("a", long.replace(b"a = 1", b"a = 9"), long)
    other = changed("b", long.replace(b"e = 5", b"e = 9"), long)
    apart = resolver.auto_merge(FILL, one, other)
    assert not apart.success
    assert "f" in apart.reason
    elsewhere = resolver.auto_merge(FILL, changed("a", PREDICTS), changed("b", long, long))
    assert elsewhere.reason == "the two changes do not start from the same version"


@pytest.mark.git
def test_a_recorded_conflict_is_resolved_in_its_record(newer: Path) -> None:
    """What overlaps in two plans is divided, queued or left to a person, and the record says which."""
    assert "QUEUE" in ConflictResolver.STRATEGIES
    intents = IntentSignal()
    assert intents.signal_intent("exec-agent-1", "EXEC", [FILL], "Adding ML model", 45).success
    [overlap] = intents.signal_intent("exec-agent-2", "EXEC", [FILL], "Slippage", 45).conflicts
    assert overlap.conflict
    resolution = ConflictResolver().resolve(overlap)
    assert resolution.conflict == overlap.conflict
    assert resolution.strategy in {Strategy.PARTITION, Strategy.QUEUE, Strategy.ARBITRATE}
    assert resolution.message
    [record] = [one for one in conflicts(here().context) if one.id == overlap.conflict]
    assert record.status is resolution.status


@pytest.mark.git
def test_a_conflict_without_a_record_gets_advice(newer: Path) -> None:
    """Whoever only looked is told which strategy fits; nothing is recorded."""
    assert stream_locks.acquire_lock(FILL, "exec-agent-1", "EXEC", "ML model")
    [seen] = IntentSignal().check_conflicts([FILL])
    before = conflicts(here().context)
    advice = ConflictResolver().resolve(seen)
    assert (advice.conflict, advice.strategy, advice.status) == (0, Strategy.QUEUE, Status.OPEN)
    assert conflicts(here().context) == before
