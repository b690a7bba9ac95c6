"""The log functions and classes of the designs: one cross-log behind all of them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pucs import agent_lock, cross_logger, intent_signal, stream_locks
from pucs.classic import agent_entries, looking
from pucs.classic.agent_log import (
    AgentEventType,
    AgentLogger,
    LogCategory,
    LogLevel,
    create_agent_logger,
)
from pucs.classic.crosslog import CrossLogger
from pucs.core.errors import NotFound, Refused, Usage
from pucs.streams.checks import TestResult

pytestmark = pytest.mark.git

FILL = "execution/fill_predictor.py"


def test_log_returns_an_id_and_the_entry_is_found(older: Path) -> None:
    """By stream and by file, with everything that was said, and nothing that was not."""
    logger = CrossLogger()
    details = {
        "lines_changed": 45,
        "files": 1,
        "agent": "odd names too",
        "when": datetime(2025, 12, 6, tzinfo=UTC),
    }
    entry_id = logger.log(
        "exec-agent-1", "execution", "CHANGE", "Modified fill_predictor.py", [FILL], details
    )
    assert isinstance(entry_id, str)
    [found] = logger.get_stream_log("execution")
    assert found.id == entry_id
    assert (found.agent_id, found.work_stream, found.level) == ("exec-agent-1", "execution", "CHANGE")
    assert (found.action, found.files) == ("Modified fill_predictor.py", (FILL,))
    assert found.details == {**details, "when": "2025-12-06 00:00:00+00:00"}
    assert datetime.fromisoformat(found.timestamp).utcoffset() == timedelta(0)
    assert [one.id for one in logger.get_file_history(f"./{FILL}")] == [entry_id]
    assert logger.get_file_history("llm/sentiment.py") == []


def test_a_file_history_holds_modifications_only(older: Path) -> None:
    """Locks on a file, and what was merely said about it, are no modifications; a directory has those below it."""
    logger = CrossLogger()
    assert agent_lock.acquire_lock(FILL, "exec-agent-1", "execution", "T")
    logger.log("exec-agent-1", "execution", "INFO", "Looked at it", [FILL])
    change = logger.log("exec-agent-1", "execution", "CHANGE", "Changed it", [FILL])
    assert [entry.id for entry in logger.get_file_history(FILL)] == [change]
    assert [entry.id for entry in logger.get_file_history("execution/")] == [change]


def test_patterns_name_a_file_that_several_agents_changed(older: Path) -> None:
    """What nobody did is no pattern; two agents who changed one file are."""
    logger = CrossLogger()
    assert logger.detect_patterns() == []
    for agent in ("exec-agent-1", "exec-agent-2"):
        logger.log(agent, "execution", "CHANGE", "Changed it", [FILL])
    [found] = logger.detect_patterns()
    assert found.kind == "SHARED_FILE"
    assert found.files == (FILL,)
    assert found.agents == ("exec-agent-1", "exec-agent-2")
    assert found.remedy


def test_levels_and_streams_are_known_ones(older: Path) -> None:
    """A level or a stream that is mistyped is told, and nothing is written."""
    logger = CrossLogger()
    assert logger.LOG_LEVELS == ["DEBUG", "INFO", "CHANGE", "CONFLICT", "ERROR"]
    with pytest.raises(Usage, match="DEBUG, INFO, CHANGE, CONFLICT, ERROR"):
        logger.log("exec-agent-1", "execution", "LOUD", "Hello")
    with pytest.raises(NotFound, match="Streams: execution"):
        logger.log("exec-agent-1", "executions", "INFO", "Hello")
    assert logger.get_stream_log("all")[-1].action == "session started"


def test_since_takes_aware_and_local_times(older: Path) -> None:
    """What was logged before is left out, whatever clock the time was read on."""
    logger = CrossLogger()
    logger.log("exec-agent-1", "execution", "INFO", "First")
    for now in (datetime.now(UTC), datetime.now()):  # noqa: DTZ005 - as the design reads the clock
        assert len(logger.get_stream_log("execution", since=now - timedelta(hours=1))) == 1
        assert logger.get_stream_log("execution", since=now + timedelta(hours=1)) == []
    assert logger.get_stream_log("EXECUTION") == logger.get_stream_log("execution")
    assert logger.get_stream_log("nothing") == []


def test_activities_come_back_as_they_were_logged(older: Path) -> None:
    """The four lines of the second design, with its keys; streams are kept apart."""
    cross_logger.log_activity("exec-agent-1", "execution", "started", task="Fill predictor enhancement")
    cross_logger.log_activity("exec-agent-1", "execution", "locked", file=FILL)
    cross_logger.log_activity("exec-agent-1", "execution", "completed", files_modified=3, tests_passed=True)
    cross_logger.log_activity("exec-agent-1", "execution", "released", file=FILL)
    cross_logger.log_activity("llm-agent-1", "llm", "started", task="Sentiment")
    found = cross_logger.get_stream_log("execution")
    assert [entry["action"] for entry in found] == ["started", "locked", "completed", "released"]
    assert {entry["agent"] for entry in found} == {"exec-agent-1"}
    assert found[0]["task"] == "Fill predictor enhancement"
    assert found[1]["file"] == FILL
    assert (found[2]["files_modified"], found[2]["tests_passed"]) == (3, True)
    since = datetime.fromisoformat(found[2]["timestamp"])
    assert [entry["action"] for entry in cross_logger.get_stream_log("execution", since=since)][-2:] == [
        "completed",
        "released",
    ]


@pytest.mark.slow
@pytest.mark.process
def test_no_entry_of_many_processes_is_lost(older: Path) -> None:
    """Four programs that log at once leave every entry, in one order; files rewritten whole kept one in forty."""
    code = (
        "import sys\nfrom pucs.cross_logger import log_activity\n"
        "for number in range(25):\n    log_activity(sys.argv[1], 'execution', 'step', number=number)\n"
    )
    names = [f"exec-agent-{number}" for number in range(4)]
    running = [subprocess.Popen([sys.executable, "-c", code, name]) for name in names]
    assert [process.wait(50) for process in running] == [0, 0, 0, 0]
    found = cross_logger.get_stream_log("execution")
    assert len(found) == 100
    for name in names:
        assert [entry["number"] for entry in found if entry["agent"] == name] == list(range(25))


def test_a_warning_has_its_severity(older: Path) -> None:
    """It stands in the one log as a conflict; a severity nobody knows is told."""
    warning = "news_analyzer.py imports from sentiment.py - llm-agent-1 has lock"
    cross_logger.log_conflict("llm-agent-2", warning)
    cross_logger.log_conflict(
        "risk-agent-1", "volatility_surface.py depends on risk_manager.py", severity="high"
    )
    found = [entry for entry in CrossLogger().get_stream_log("all") if entry.level == "CONFLICT"]
    assert [(entry.agent_id, entry.details["severity"]) for entry in found] == [
        ("llm-agent-2", "medium"),
        ("risk-agent-1", "high"),
    ]
    assert found[0].details["warning"] == warning
    with pytest.raises(Usage, match="low, medium, high"):
        cross_logger.log_conflict("risk-agent-1", "Something", severity="urgent")


def test_both_orders_of_an_agents_log_mean_the_same(newer: Path) -> None:
    """Level, category, event and message, or level, message, category and data: parts are told by their types."""
    logger = AgentLogger("exec-agent-1", "EXEC")
    first = logger.log(LogLevel.INFO, LogCategory.AGENT, "checkpoint", "Half way", {"done": 5})
    second = logger.log(LogLevel.INFO, "Half way", LogCategory.AGENT, {"done": 5}, event_type="checkpoint")
    third = logger.log(level=LogLevel.INFO, message="Half way", category=LogCategory.AGENT, data={"done": 5})
    assert first.data == second.data == third.data == {"done": 5}
    assert [(entry.event_type, entry.message) for entry in (first, second, third)] == [
        ("checkpoint", "Half way"),
        ("checkpoint", "Half way"),
        ("note", "Half way"),
    ]
    louder = logger.log(LogLevel.ERROR, LogCategory.RISK, "limit", "Too much", None)
    assert (louder.level, louder.category) == (LogLevel.ERROR, LogCategory.RISK)
    assert logger.log("intent_signaled", data={"files": [FILL]}).event_type == "intent_signaled"
    for wrong in ((LogLevel.INFO, LogCategory.AGENT), ("a", "b", "c"), (LogLevel.INFO, "text", 5)):
        with pytest.raises(Usage, match="log"):
            logger.log(*wrong)


def test_a_session_can_be_named(newer: Path) -> None:
    """The design had no such argument; a session that does not exist is told at once."""
    assert AgentLogger("exec-agent-1", session_id="PUCS-20251207-001").session_id == "PUCS-20251207-001"
    assert create_agent_logger("exec-agent-1").session_id == "PUCS-20251207-001"
    with pytest.raises(NotFound, match="PUCS-1999"):
        AgentLogger("exec-agent-1", session_id="PUCS-1999")


def test_an_agents_life_in_its_words(newer: Path) -> None:
    """Every method leaves one entry with the documented event type, level in the log and files."""
    logger = AgentLogger("exec-agent-1", "EXEC", newer)
    logger.log_session_start("Fill predictor", cwd="/somewhere", context={"phase": 1})
    logger.log_task_started("T-1", {"priority": 1})
    logger.log_file_created("execution/new.py", "A helper")
    logger.log_file_modified(FILL, "Added ML model")
    logger.log_file_modified(FILL, "Tuned it")
    logger.log_file_deleted("execution/old.py", "Unused")
    logger.log_analysis("coverage", {"percent": 80}, [FILL])
    logger.log_research("boosting", ["a book"], "Trees work")
    logger.log_plan_created("ML", ["one", "two"], "docs/plan.md")
    logger.log_redundancy_avoided("new breaker", "circuit_breaker.py", "models/circuit_breaker.py")
    logger.log_git_commit("abc1234def", "feat: Add ML model", [FILL])
    logger.log_git_push("stream/exec", success=False, error="no network")
    logger.log_task_completed("T-1", duration_seconds=120, result="good")
    logger.log_task_failed("T-2", "boom", recoverable=False)
    logger.audit("deploy", "model", "SUCCESS", details={"by": "hand"})
    logger.log_session_end("completed", "Done", ["one error"])
    entries = logger.get_entries(agent_id="exec-agent-1")
    own = [entry for entry in entries if "log_level" not in entry.fields and entry.data]
    assert [entry.event_type for entry in entries if entry.event_type in set(AgentEventType)][-15:] == [
        "session_start", "session_start", "task_started", "file_created", "file_modified", "file_modified", "file_deleted",
        "codebase_analyzed", "research_completed", "plan_created", "git_commit", "git_push", "task_completed",
        "task_failed", "session_end",
    ]  # fmt: skip
    assert own[-1].data["tasks_completed"] == ["T-1"]
    assert own[-1].data["files_modified"] == ["execution/new.py", FILL, "execution/old.py", "docs/plan.md"]
    assert own[-1].data["git_commits"] == ["abc1234def"]
    assert own[-1].fields["outcome"] == "completed"
    changes = CrossLogger().get_file_history(FILL)
    assert [entry.action for entry in changes] == [f"Modified: {FILL}"] * 2 + [
        "Committed: abc1234d - feat: Add ML model"
    ]
    errors = [entry.action for entry in CrossLogger().get_stream_log("EXEC") if entry.level == "ERROR"]
    assert errors == ["Pushed to origin/stream/exec (failed: no network)", "Failed: T-2 - boom"]


def test_starting_a_session_claims_the_stream(newer: Path) -> None:
    """The agent is known and works for its stream from then on; a full stream is told."""
    for number in (1, 2):
        AgentLogger(f"risk-agent-{number}", "RISK").log_session_start("Limits")
    with pytest.raises(Refused, match="RISK has its 2 agents"):
        AgentLogger("risk-agent-3", "RISK").log_session_start("Limits")


def test_entries_export_as_lines_of_the_design(newer: Path, tmp_path: Path) -> None:
    """One JSON document a line, with its keys; what PUCS logged itself has the event type that fits."""
    logger = AgentLogger("exec-agent-1", "EXEC")
    assert stream_locks.acquire_lock(FILL, "exec-agent-1", "EXEC", "ML model")
    assert not stream_locks.acquire_lock(FILL, "exec-agent-2", "EXEC", "Slippage")
    logger.log_file_modified(FILL, "Added ML model")
    assert stream_locks.release_lock(FILL, "exec-agent-1")
    target = tmp_path / "state" / "agent_activity.jsonl"
    count = logger.export_jsonl(target)
    lines = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == count
    assert [line["event_type"] for line in lines if line["event_type"].startswith(("lock", "file"))] == [
        "lock_acquired",
        "lock_blocked",
        "file_modified",
        "lock_released",
    ]
    [modified] = [line for line in lines if line["event_type"] == "file_modified"]
    assert modified.keys() >= {
        "entry_id", "timestamp", "level", "category", "event_type", "message", "data", "source", "session_id", "resource",
        "agent_id", "stream_id", "files_affected", "git_info", "task_info",
    }  # fmt: skip
    assert modified["data"] == {"file_path": FILL, "changes": "Added ML model"}
    assert (modified["source"], modified["stream_id"]) == ("agent:exec-agent-1", "EXEC")


def test_every_action_that_has_an_event_is_still_logged(project: Path) -> None:
    """The table from PUCS's own actions to the events of the logger names no action that has been renamed since."""
    sources = "".join(
        path.read_text(encoding="utf-8") for path in (project / "src/pucs/coordinator").glob("*.py")
    )
    built = {f"tests {result.value}" for result in TestResult}
    assert [
        action
        for action in agent_entries._EVENT_OF_ACTION
        if f'"{action}"' not in sources and action not in built
    ] == []


def test_what_others_put_into_details_harms_no_reader(newer: Path) -> None:
    """An entry that only looks like the logger's own is read as well as can be, and exported under its own number."""
    details = {
        "event_type": "odd",
        "log_level": ["loud"],
        "category": "weird",
        "data": 5,
        "entry_id": "1",
        "message": 7,
    }
    number = CrossLogger().log("llm-agent-1", "LLM", "ERROR", "Something", details=details)
    entry = AgentLogger("exec-agent-1").get_entries(agent_id="llm-agent-1")[-1]
    assert (entry.event_type, entry.level, entry.category) == ("odd", LogLevel.ERROR, LogCategory.AGENT)
    assert (entry.message, entry.data) == ("Something", {})
    assert entry.to_dict()["entry_id"] == number


def test_a_check_before_a_change_sees_locks_boundaries_and_dependents(newer: Path) -> None:
    """The design matched words and knew no other agent; this looks at the path, and has the documented keys."""
    logger = AgentLogger("exec-agent-1", "EXEC")
    free = logger.check_conflicts_before_change(FILL)
    assert set(free) == {
        "proposed_feature", "matched_categories", "existing_count", "existing_implementations", "warnings",
        "recommendations", "conflict_risk",
    }  # fmt: skip
    assert (free["proposed_feature"], free["conflict_risk"], free["warnings"]) == (FILL, "low", [])
    assert free["matched_categories"] == ["EXEC", "API"], "API depends on execution"
    assert stream_locks.acquire_lock(FILL, "exec-agent-2", "EXEC", "Slippage")
    held = logger.check_conflicts_before_change(FILL)
    assert held["conflict_risk"] == "high"
    assert held["existing_count"] == len(held["existing_implementations"]) == 2
    assert "Slippage" in held["warnings"][0]
    assert held["recommendations"][0] == "Wait for exec-agent-2 or work on different files"
    assert held["recommendations"][-1] == "Keep its interface, or tell the agents of API"
    own = AgentLogger("exec-agent-2", "EXEC").check_conflicts_before_change(FILL)
    assert own["conflict_risk"] == "low", "one's own lock is no conflict"
    intent_signal.signal_intent("exec-agent-2", "EXEC", ["execution/fill_ml_model.py"], "Models", 30)
    planned = logger.check_conflicts_before_change("execution/fill_ml_model.py")
    assert (planned["conflict_risk"], planned["existing_implementations"][0]["kind"]) == (
        "medium",
        "INTENT_OVERLAP",
    )
    crossed = logger.check_conflicts_before_change("llm/sentiment.py")
    assert crossed["conflict_risk"] == "high"
    assert crossed["matched_categories"] == ["LLM", "SCAN"]
    shared = logger.check_conflicts_before_change("config/__init__.py")
    assert shared["matched_categories"] == ["EXEC", "LLM", "SCAN", "RISK"]
    checks = [
        entry for entry in logger.get_entries(agent_id="exec-agent-1") if entry.event_type == "conflict_check"
    ]
    assert [entry.data["risk_level"] for entry in checks] == [
        "low",
        "high",
        "medium",
        "high",
        "low",
    ]


@pytest.mark.parametrize(
    ("entry", "path", "stream", "means"),
    [
        ("scan", "indicators/rsi.py", "SCAN", True),
        ("models", "models/risk_manager.py", "RISK", True),
        ("models/risk_manager", "models/risk_manager.py", "RISK", True),
        ("models/risk", "models/risk_manager.py", "RISK", False),
        ("config", "config/__init__.py", "", True),
        ("config", "configuration.py", "", False),
        ("", "README.md", "", False),
    ],
)
def test_a_dependency_means_a_stream_or_a_path(entry: str, path: str, stream: str, means: bool) -> None:  # noqa: FBT001
    """By the name of the stream that covers a file, whatever its directory, else as a whole path."""
    assert looking._means(entry, path, stream) is means


def test_the_planning_context_names_what_others_do(newer: Path) -> None:
    """Streams, locks and open conflicts, as Markdown."""
    logger = AgentLogger("exec-agent-1", "EXEC")
    assert "## Locks\n\n- none" in logger.get_planning_context()
    assert stream_locks.acquire_lock(FILL, "exec-agent-2", "EXEC", "Slippage")
    text = logger.get_planning_context()
    assert f"- {FILL}: exec-agent-2 (EXCLUSIVE)" in text
    assert "- EXEC: 0 %, agents: exec-agent-2" in text
    intent_signal.signal_intent("exec-agent-2", "EXEC", [FILL], "Slippage", 30)
    assert f"- exec-agent-2: {FILL} (active), for: Slippage" in logger.get_planning_context()
