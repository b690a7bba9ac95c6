"""What the designs' intent signals answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pucs import intent_signal, stream_locks
from pucs.classic.locking import LockManager
from pucs.classic.planning import IntentResult, IntentSignal
from pucs.core.errors import NotFound, Usage

pytestmark = pytest.mark.git

FILL = "execution/fill_predictor.py"


def test_a_plan_that_nobody_minds_succeeds(newer: Path) -> None:
    """No conflicts, no suggestions, the files ready to be locked; one's own locks are none."""
    assert stream_locks.acquire_lock(FILL, "exec-agent-1", "EXEC", "ML model")
    answer = intent_signal.signal_intent("exec-agent-1", "EXEC", [f"./{FILL}"], "Adding ML model", 45)
    assert answer == IntentResult(success=True, files=[FILL])
    [intent] = intent_signal.get_active_intents()
    assert (intent.agent_id, intent.stream_id, intent.files) == ("exec-agent-1", "EXEC", [FILL])
    assert (intent.description, intent.estimated_duration_min) == ("Adding ML model", 45)
    assert datetime.fromisoformat(intent.signaled_at).utcoffset() == timedelta(0)
    intent_signal.clear_intent("exec-agent-1")
    intent_signal.clear_intent("exec-agent-1")
    assert intent_signal.get_active_intents() == []


def test_a_locked_file_is_told_as_in_the_design(newer: Path) -> None:
    """LOCKED, with holder, stream, until when and what for, and what to do instead."""
    assert stream_locks.acquire_lock(FILL, "exec-agent-1", "EXEC", "ML model")
    answer = intent_signal.signal_intent("exec-agent-2", "EXEC", [FILL], "Slippage", 30)
    assert not answer.success
    [conflict] = answer.conflicts
    assert (conflict.file_path, conflict.conflict_type) == (FILL, "LOCKED")
    assert (conflict.holder_agent, conflict.holder_stream) == ("exec-agent-1", "EXEC")
    lock = stream_locks.check_lock(FILL)
    assert lock is not None
    assert lock.expires_at in conflict.details
    assert "ML model" in conflict.details
    assert "Wait for exec-agent-1 or work on different files" in answer.suggestions


def test_overlapping_plans_are_told_as_in_the_design(newer: Path) -> None:
    """INTENT_OVERLAP for who comes second, with both names of each field; the plan is kept as contested."""
    files = [FILL, "execution/fill_ml_model.py"]
    assert intent_signal.signal_intent("exec-agent-1", "EXEC", files, "Adding ML model", 45).success
    answer = intent_signal.signal_intent(
        "exec-agent-2", "EXEC", [*files, "execution/smart_execution.py"], "All", 30
    )
    [conflict] = answer.conflicts
    assert conflict.conflict_type == conflict.kind == "INTENT_OVERLAP"
    assert set(conflict.file_path.split(", ")) == set(files)
    assert (conflict.file, conflict.holder) == (conflict.file_path, "exec-agent-1")
    assert "Adding ML model" in conflict.details
    assert "Coordinate with exec-agent-1 to partition work" in answer.suggestions
    assert {intent.agent_id for intent in intent_signal.get_active_intents()} == {
        "exec-agent-1",
        "exec-agent-2",
    }
    intent_signal.clear_intent("exec-agent-1")
    assert intent_signal.signal_intent("exec-agent-2", "EXEC", files, "All", 30).success


def test_a_file_of_a_stream_one_depends_on_is_told_as_in_the_design(newer: Path) -> None:
    """DEPENDENCY, held by no agent; shared code that `dependencies` names is nobody's and no conflict."""
    answer = intent_signal.signal_intent("scan-agent-1", "SCAN", ["llm/sentiment.py"], "Scores", 30)
    assert [(one.conflict_type, one.holder_agent, one.holder_stream) for one in answer.conflicts] == [
        ("DEPENDENCY", "N/A", "LLM")
    ]
    assert intent_signal.signal_intent("scan-agent-1", "SCAN", ["config/__init__.py"], "Flags", 30).success


def test_the_class_of_the_first_design_answers_the_same(older: Path) -> None:
    """Conflicts have file and holder; looking records nothing, so that a second look finds the same."""
    intents = IntentSignal()
    assert intents.check_conflicts([FILL]) == []
    first = intents.signal_intent("exec-agent-1", "execution", [FILL], "Adding ML model", 45)
    assert first.success
    assert first.files == [FILL]
    [seen] = intents.check_conflicts([FILL])
    assert (seen.file, seen.holder, seen.holder_stream) == (FILL, "exec-agent-1", "execution")
    second = intents.signal_intent("exec-agent-2", "execution", [FILL], "Slippage", 45)
    assert [(one.kind, one.holder) for one in second.conflicts] == [("INTENT_OVERLAP", "exec-agent-1")]
    assert {one.holder for one in intents.check_conflicts([FILL])} == {"exec-agent-1", "exec-agent-2"}


def test_two_agents_divide_a_module_by_its_functions(older: Path) -> None:
    """Each is proposed what it needs, ready to be leased; a module may be named as in an import."""
    intents, locks = IntentSignal(), LockManager()
    intents.signal_intent("exec-agent-1", "execution", [FILL], "Improve predict for limit orders", 30)
    intents.signal_intent("exec-agent-2", "execution", [FILL], "Let train take weights", 30)
    found = intents.negotiate_partition("exec-agent-1", "exec-agent-2", FILL)
    assert found.success
    assert found.scopes == {"exec-agent-1": (f"{FILL}::predict",), "exec-agent-2": (f"{FILL}::train",)}
    assert intents.negotiate_partition("exec-agent-1", "exec-agent-2", "execution.fill_predictor") == found
    for agent, scope in found.scopes.items():
        assert all(locks.acquire_lock(agent, symbol).granted for symbol in scope)


def test_what_cannot_be_divided_is_queued(older: Path) -> None:
    """Two who need the same function take turns; what is no file, or nobody's, is told."""
    intents = IntentSignal()
    intents.signal_intent("exec-agent-1", "execution", [FILL], "Improve predict for limit orders", 30)
    intents.signal_intent("exec-agent-2", "execution", [FILL], "Speed up predict", 30)
    found = intents.negotiate_partition("exec-agent-1", "exec-agent-2", FILL)
    assert (found.success, found.queued) == (False, ("exec-agent-2",))
    assert found.reason
    with pytest.raises(Usage):
        intents.negotiate_partition("exec-agent-1", "exec-agent-2", "execution/")
    with pytest.raises(NotFound, match="nobody"):
        intents.negotiate_partition("exec-agent-1", "nobody", FILL)


def test_what_cannot_be_planned_is_told(newer: Path) -> None:
    """No files, one string for a list, an unknown stream."""
    with pytest.raises(Usage):
        intent_signal.signal_intent("exec-agent-1", "EXEC", [], "Nothing", 30)
    with pytest.raises(Usage, match="Pass a list"):
        intent_signal.signal_intent("exec-agent-1", "EXEC", FILL, "Nothing", 30)
    with pytest.raises(NotFound, match="Streams: EXEC"):
        intent_signal.signal_intent("exec-agent-1", "TRADING", [FILL], "Nothing", 30)


def test_an_intent_is_stamped_with_an_aware_time() -> None:
    """The design stamped it with the local time of whatever machine it was on."""
    made = intent_signal.Intent("exec-agent-1", "EXEC", [FILL], "Adding ML model", 45)
    assert abs(datetime.fromisoformat(made.signaled_at) - datetime.now(UTC)) < timedelta(minutes=1)
