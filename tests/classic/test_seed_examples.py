"""Every usage example of the three designs, run as it is written there; only the lines that import are changed.

What an example prints is compared where the design says what it prints, or what it has to come to.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from pucs.classic.places import here

pytestmark = pytest.mark.git

AGENT_COMMANDS = """
from pucs import PUCSClient

# Initialize client
pucs = PUCSClient(agent_id="exec-agent-1", stream="execution")

# Signal intent before starting work
intent_result = pucs.signal_intent(
    files=["execution/fill_predictor.py", "execution/fill_ml_model.py"],
    description="Adding gradient boosting model for fill prediction",
    estimated_duration_min=45
)

if intent_result.conflicts:
    # Handle conflicts
    for conflict in intent_result.conflicts:
        print(f"Conflict: {conflict.file} - {conflict.holder}")
else:
    # Acquire locks and proceed
    locks = pucs.acquire_locks(intent_result.files)

    # ... do work ...

    # Log changes
    pucs.log_change(
        action="Modified fill_predictor.py",
        files=["execution/fill_predictor.py"],
        details={"lines_added": 120, "functions_added": 3}
    )

    # Release locks when done
    pucs.release_locks()
"""
"""000 §9 and 001 §10, "Agent Commands"."""


def run_code(code: str) -> dict[str, object]:
    """Run an example and return the names it leaves."""
    names: dict[str, object] = {}
    exec(compile(code, "example", "exec"), names)  # noqa: S102 - the examples of the designs
    return names


def sh(line: str, *, status: int = 0) -> str:
    """Run a line of a shell example and return what it printed."""
    done = subprocess.run(["bash", "-c", line], check=False, capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_000_9_agent_commands(older: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without conflicts the agent locks, logs and releases."""
    from pucs import CrossLogger, LockManager  # noqa: PLC0415

    names = run_code(AGENT_COMMANDS)
    assert getattr(names["locks"], "granted", False)
    assert capsys.readouterr().out == ""
    assert not LockManager().check_lock("execution/fill_predictor.py").locked
    [change] = CrossLogger().get_file_history("execution/fill_predictor.py")
    assert change.details == {"lines_added": 120, "functions_added": 3}


def test_000_9_agent_commands_with_a_conflict(older: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever has the file is named, by file and holder."""
    from pucs import LockManager  # noqa: PLC0415

    assert LockManager().acquire_lock("exec-agent-2", "execution/fill_ml_model.py").granted
    names = run_code(AGENT_COMMANDS)
    assert "locks" not in names
    assert capsys.readouterr().out == "Conflict: execution/fill_ml_model.py - exec-agent-2\n"


def test_000_3_3_lock_manager(older: Path) -> None:
    """The calls of the class with its documented defaults, by position and by keyword."""
    from pucs import LockManager  # noqa: PLC0415

    locks = LockManager()
    result = locks.acquire_lock("exec-agent-1", "execution/fill_predictor.py")
    assert result.granted
    result = locks.acquire_lock(
        agent_id="exec-agent-2",
        file_path="execution/fill_predictor.py",
        lock_type="EXCLUSIVE",
        duration_min=30,
    )
    assert not result.granted
    assert result.wait_time > 0
    assert result.queue_position == 1
    assert locks.check_lock(file_path="execution/fill_predictor.py").agent_id == "exec-agent-1"
    assert locks.get_queue(file_path="execution/fill_predictor.py") == []
    assert locks.release_lock(agent_id="exec-agent-1", file_path="execution/fill_predictor.py") is True


def test_000_3_4_intent_signal(older: Path) -> None:
    """The calls of the class with its documented arguments."""
    from pucs import IntentSignal  # noqa: PLC0415

    intents = IntentSignal()
    result = intents.signal_intent(
        agent_id="exec-agent-1",
        work_stream="execution",
        files=["execution/fill_predictor.py"],
        description="Adding ML model feature",
        estimated_duration_min=30,
    )
    assert result.success
    assert result.conflicts == []
    [conflict] = intents.check_conflicts(proposed_files=["execution/fill_predictor.py"])
    assert conflict.holder == "exec-agent-1"
    intents.signal_intent("exec-agent-2", "execution", ["execution/fill_predictor.py"], "Training faster", 30)
    partition = intents.negotiate_partition(
        agent_a="exec-agent-1", agent_b="exec-agent-2", shared_module="execution/fill_predictor.py"
    )
    assert partition.success or partition.queued == ("exec-agent-2",)


def test_000_3_5_cross_logger(older: Path) -> None:
    """The example in the docstring of `log`, and the three questions."""
    from pucs import CrossLogger  # noqa: PLC0415

    logger = CrossLogger()
    log = logger.log
    entry_id = log("exec-agent-1", "execution", "CHANGE",
        "Modified fill_predictor.py",
        files=["execution/fill_predictor.py"],
        details={"lines_changed": 45, "functions_added": 2})  # fmt: skip
    assert [entry.id for entry in logger.get_stream_log("execution")] == [entry_id]
    assert [entry.id for entry in logger.get_file_history("execution/fill_predictor.py")] == [entry_id]
    assert logger.detect_patterns() == []


def test_000_4_2_conflict_resolver(older: Path) -> None:
    """The table, the flow on a conflict that was signalled, and the merge of two changes."""
    from pucs import Change, ConflictResolver, IntentSignal  # noqa: PLC0415

    resolver = ConflictResolver()
    assert resolver.STRATEGIES == {
        "QUEUE": "Second agent waits for first to complete",
        "PARTITION": "Split work into non-overlapping scopes",
        "MERGE": "Attempt automatic merge of changes",
        "ARBITRATE": "Coordinator decides which change wins",
        "ROLLBACK": "Revert one agent's changes",
    }
    intents = IntentSignal()
    intents.signal_intent("exec-agent-1", "execution", ["execution/fill_predictor.py"], "Adding ML model", 30)
    second = intents.signal_intent(
        "exec-agent-2", "execution", ["execution/fill_predictor.py"], "Slippage", 30
    )
    [resolution] = [resolver.resolve(conflict) for conflict in second.conflicts]
    assert resolution.strategy.value in resolver.STRATEGIES
    before = (older / "execution/fill_predictor.py").read_bytes()
    result = resolver.auto_merge(
        "execution/fill_predictor.py",
        change_a=Change(agent="exec-agent-1", before=before, after=before.replace(b"0.5", b"0.7")),
        change_b=Change(agent="exec-agent-2", before=before, after=before.replace(b"None", b"len(orders)")),
    )
    assert result.success
    assert result.content == before.replace(b"0.5", b"0.7").replace(b"None", b"len(orders)")


def test_000_6_2_messages() -> None:
    """The constants are the words they are compared with."""
    from pucs import AgentMessage, CoordinatorMessage  # noqa: PLC0415

    agent = ["register", "claim_stream", "signal_intent", "acquire_lock", "release_lock", "log_action",
             "report_conflict", "request_help", "complete_task", "handoff"]  # fmt: skip
    coordinator = ["registered", "stream_assigned", "lock_granted", "lock_denied", "conflict_alert",
                   "task_assigned", "pause", "resume", "terminate"]  # fmt: skip
    assert [getattr(AgentMessage, word.upper()) for word in agent] == agent
    assert [getattr(CoordinatorMessage, word.upper()) for word in coordinator] == coordinator
    assert (len(AgentMessage), len(CoordinatorMessage)) == (10, 9)


@pytest.mark.process
@pytest.mark.slow
def test_000_9_starting_a_session(stand_in: Callable[[str], Path]) -> None:
    """The session of the first design at the command line, `python scripts/pucs.py` being `pucs` now.

    Left out is `dashboard`, which is not built yet. `launch-stream` starts agents for the tasks there are, so there are some.
    """
    stand_in("older-bare")
    sh('pucs init --session "PUCS-20251206-001"')
    for stream in ("execution", "llm", "scanners"):
        add_task(stream)
    sh("pucs launch-stream execution --agents 3")
    sh("pucs launch-stream llm --agents 4")
    sh("pucs launch-stream scanners --agents 2")
    assert "landed" in sh('pucs log --stream all --since "1h"')
    assert "No unresolved conflicts" in sh("pucs conflicts --unresolved")
    assert "PUCS-20251206-001 is finalized" in sh("pucs finalize")


def add_task(stream: str) -> None:
    """Give a stream a task that makes a file of its own."""
    command = f"echo VALUE = 1 >{stream}/made.py"
    sh(
        f'pucs task add --id T-{stream} --title "feat: Work" --stream {stream} --files {stream}/made.py --command "{command}"'
    )


def test_001_3_3_agent_lock(older: Path) -> None:
    """The life of the lock that the format of the design shows."""
    from pucs.agent_lock import LOCK_DURATION_MINUTES, LOCK_FILE, acquire_lock, check_lock, release_lock  # noqa: PLC0415

    assert (str(LOCK_FILE), LOCK_DURATION_MINUTES) == (".claude/state/file_locks.json", 60)
    assert acquire_lock("llm/sentiment.py", "agent-llm-1", "llm", "Consolidate sentiment to package")
    lock = check_lock("llm/sentiment.py")
    assert lock is not None
    assert lock["agent"] == "agent-llm-1"
    assert lock["stream"] == "llm"
    assert lock["task"] == "Consolidate sentiment to package"
    assert lock["acquired"] < lock["expires"]
    assert not acquire_lock(file_path="llm/sentiment.py", agent_id="agent-llm-2", stream="llm", task="Other")
    assert release_lock("llm/sentiment.py", "agent-llm-1")
    assert check_lock("llm/sentiment.py") is None


def test_001_3_5_cross_logger(older: Path) -> None:
    """The four lines of the activity log and the two warnings that the design shows."""
    from pucs.cross_logger import ACTIVITY_LOG, CONFLICT_LOG, get_stream_log, log_activity, log_conflict  # noqa: PLC0415

    assert str(ACTIVITY_LOG) == ".claude/state/agent_activity.jsonl"
    assert str(CONFLICT_LOG) == ".claude/state/conflict_warnings.jsonl"
    log_activity("exec-agent-1", "execution", "started", task="Fill predictor enhancement")
    log_activity("exec-agent-1", "execution", "locked", file="execution/fill_predictor.py")
    log_activity("exec-agent-1", "execution", "completed", files_modified=3, tests_passed=True)
    log_activity("exec-agent-1", "execution", "released", file="execution/fill_predictor.py")
    log_conflict("llm-agent-2", "news_analyzer.py imports from sentiment.py - llm-agent-1 has lock", "medium")
    log_conflict(
        "risk-agent-1", "volatility_surface.py depends on risk_manager.py - change in progress", "high"
    )
    entries = get_stream_log("execution")
    keys = ("agent", "stream", "action", "task", "file", "files_modified", "tests_passed")
    assert [{key: entry[key] for key in keys if key in entry} for entry in entries] == [
        {"agent": "exec-agent-1", "stream": "execution", "action": "started", "task": "Fill predictor enhancement"},
        {"agent": "exec-agent-1", "stream": "execution", "action": "locked", "file": "execution/fill_predictor.py"},
        {"agent": "exec-agent-1", "stream": "execution", "action": "completed", "files_modified": 3, "tests_passed": True},
        {"agent": "exec-agent-1", "stream": "execution", "action": "released", "file": "execution/fill_predictor.py"},
    ]  # fmt: skip


@pytest.mark.process
def test_001_9_state_files(stand_in: Callable[[str], Path]) -> None:
    """The files that a session of the second design begins with; `init_pucs_state.sh` is an export now."""
    root = stand_in("older-bare")
    sh("pucs init")
    sh("pucs export")
    state = root / ".claude" / "state"
    locks = json.loads((state / "file_locks.json").read_text())
    assert locks == {"locks": {}, "version": 1}
    assert json.loads((state / "handoffs.json").read_text()) == {"handoffs": []}
    assert json.loads((state / "orchestrator_state.json").read_text()).keys() == {"streams", "started_at"}
    assert (state / "agent_activity.jsonl").exists()
    assert (state / "conflict_warnings.jsonl").read_text() == ""


@pytest.mark.process
def test_state_files_hold_what_the_functions_return(newer: Path) -> None:
    """An export to the names that the modules give has the locks, intents and entries in their documented forms."""
    from pucs import AgentLogger, agent_lock, cross_logger, intent_signal, stream_locks  # noqa: PLC0415

    file = "execution/fill_predictor.py"
    assert stream_locks.acquire_lock(file, "exec-agent-1", "EXEC", "ML model implementation")
    assert intent_signal.signal_intent("exec-agent-1", "EXEC", [file], "Adding ML model", 45).success
    cross_logger.log_conflict("llm-agent-2", "news_analyzer.py imports from sentiment.py", "high")
    entry = AgentLogger("exec-agent-1", "EXEC").log_file_modified(file, "Added ML model")
    sh("pucs export")
    lock, stream_lock = agent_lock.check_lock(file), stream_locks.check_lock(file)
    assert stream_lock is not None
    [intent] = intent_signal.get_active_intents()
    assert json.loads(agent_lock.LOCK_FILE.read_text()) == {"locks": {file: lock}, "version": 1}
    assert json.loads(stream_locks.LOCK_FILE.read_text()) == {
        "locks": {file: asdict(stream_lock)},
        "version": 2,
    }
    assert json.loads(intent_signal.INTENT_FILE.read_text()) == {"intents": [asdict(intent)]}
    lines = [json.loads(line) for line in cross_logger.ACTIVITY_LOG.read_text().splitlines()]
    [line] = [line for line in lines if line["entry_id"] == entry.entry_id]
    assert line.items() >= entry.to_dict().items()
    [warning] = [json.loads(line) for line in cross_logger.CONFLICT_LOG.read_text().splitlines()]
    assert warning.pop("timestamp")
    assert {key: warning[key] for key in ("agent", "warning", "severity")} == {
        "agent": "llm-agent-2",
        "warning": "news_analyzer.py imports from sentiment.py",
        "severity": "high",
    }


def test_001_3_6_record_handoff(older: Path) -> None:
    """The hand-off that the format of the design shows, read back in that format; a second one leaves it as it is."""
    from pucs.coordinator.handoffs import handoffs  # noqa: PLC0415
    from pucs.cross_logger import record_handoff  # noqa: PLC0415
    from pucs.messages.forms import as_001  # noqa: PLC0415

    context = {
        "new_interfaces": ["RiskEnforcementChain"],
        "breaking_changes": ["RiskManager.validate() signature changed to validate(order, context)"],
        "test_status": "all 47 tests passing",
        "notes": "Dependent modules should update imports and call signatures",
    }
    tasks = ["Risk manager refactoring", "Circuit breaker updates"]
    record_handoff("risk-agent-1", ["exec-agent-1", "api-agent-1"], tasks, context)
    record_handoff(
        from_agent="risk-agent-1", to_agents=["llm-agent-1"], completed_tasks=["More"], context={"odd": 1}
    )
    first, second = (as_001(one) for one in handoffs(here().context))
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "from_agent": "risk-agent-1",
        "to_agents": ["exec-agent-1", "api-agent-1"],
        "completed_tasks": tasks,
        "context": context,
    }
    assert second["to_agents"] == ["llm-agent-1"]
    assert second["context"]["odd"] == 1


def test_002_3_2_handoff(newer: Path) -> None:
    """The hand-off that the unified format shows, made by the logger and read back in that format."""
    from pucs import AgentLogger  # noqa: PLC0415
    from pucs.coordinator.handoffs import handoffs  # noqa: PLC0415
    from pucs.messages.forms import as_002  # noqa: PLC0415

    logger = AgentLogger("exec-agent-1", "EXEC", session_id="PUCS-20251207-001")
    logger.log_session_start("Fill predictor")
    logger.log_file_modified("execution/fill_predictor.py", "Added ML model")
    entry = logger.log_session_handoff(
        to_agent="exec-agent-2",
        completed=["Fill predictor ML model added", "Unit tests for fill_predictor.py"],
        pending=["Integration tests needed", "Documentation update"],
        warnings=["fill_predictor.py has increased complexity"],
        context={
            "commits": ["abc1234", "def5678"],
            "branch": "feature/stream-exec-fill-predictor",
            "related_files": ["execution/fill_predictor.py", "tests/test_fill_predictor.py"],
        },
    )
    assert entry.event_type == "session_handoff"
    [given] = handoffs(here().context)
    assert given.id == entry.data["handoff"]
    document = as_002(given)
    assert document.pop("timestamp").endswith("Z")
    assert document == {
        "from_agent": "exec-agent-1",
        "to_agent": "exec-agent-2",
        "session_id": "PUCS-20251207-001",
        "context": {
            "completed": ["Fill predictor ML model added", "Unit tests for fill_predictor.py"],
            "pending": ["Integration tests needed", "Documentation update"],
            "warnings": ["fill_predictor.py has increased complexity"],
            "commits": ["abc1234", "def5678"],
            "branch": "feature/stream-exec-fill-predictor",
        },
        "stream_context": {
            "stream_id": "EXEC",
            "locked_files": [],
            "related_files": ["execution/fill_predictor.py", "tests/test_fill_predictor.py"],
        },
        "files_to_review": ["execution/fill_predictor.py"],
    }


def test_002_3_1_agent_logger(newer: Path) -> None:
    """The example that fails with the logger it was written for."""
    from pucs import AgentLogger, LogCategory, LogLevel  # noqa: PLC0415

    # Create stream-aware logger (uses existing AgentLogger)
    logger = AgentLogger(
        agent_id="exec-agent-1",
        session_id="PUCS-20251207-001"
    )  # fmt: skip

    # Log stream assignment (new field, existing method)
    entry = logger.log(
        level=LogLevel.INFO,
        message="Agent assigned to EXEC stream",
        category=LogCategory.AGENT,
        data={"stream_id": "EXEC", "task": "Fill predictor enhancement"}
    )  # fmt: skip
    assert (entry.stream_id, entry.session_id) == ("EXEC", "PUCS-20251207-001")

    # File operations already supported
    logger.log_file_modified("execution/fill_predictor.py", "Added ML model")

    # Conflict detection already supported
    conflicts = logger.check_conflicts_before_change("execution/fill_predictor.py")
    assert conflicts["conflict_risk"] == "low"


def test_002_4_1_stream_locks(newer: Path) -> None:
    """The functions with their documented arguments."""
    from pucs.stream_locks import (  # noqa: PLC0415
        DEFAULT_LOCK_DURATION_MIN,
        LOCK_FILE,
        FileLock,
        acquire_lock,
        check_lock,
        cleanup_expired_locks,
        get_stream_locks,
        release_lock,
    )

    assert (str(LOCK_FILE), DEFAULT_LOCK_DURATION_MIN) == (".claude/state/pucs_locks.json", 30)
    assert acquire_lock(
        file_path="execution/fill_predictor.py",
        agent_id="exec-agent-1",
        stream_id="EXEC",
        task="ML model implementation",
        duration_min=45,
    )
    lock = check_lock("execution/fill_predictor.py")
    assert isinstance(lock, FileLock)
    assert lock.agent_id == "exec-agent-1"
    assert get_stream_locks("EXEC") == {"execution/fill_predictor.py": lock}
    assert cleanup_expired_locks() == 0
    assert release_lock("execution/fill_predictor.py", "exec-agent-1")


def test_002_4_2_intent_signal(newer: Path) -> None:
    """The functions with their documented arguments, and the texts of conflicts and suggestions."""
    from pucs.intent_signal import INTENT_FILE, ConflictInfo, IntentResult, clear_intent, signal_intent  # noqa: PLC0415
    from pucs.stream_locks import acquire_lock, check_lock  # noqa: PLC0415

    assert str(INTENT_FILE) == ".claude/state/pucs_intents.json"
    assert acquire_lock("execution/fill_predictor.py", "exec-agent-2", "EXEC", "Slippage")
    result = signal_intent(
        agent_id="exec-agent-1",
        stream_id="EXEC",
        files=["execution/fill_predictor.py"],
        description="Adding ML model",
        estimated_duration_min=45,
    )
    assert isinstance(result, IntentResult)
    assert not result.success
    [conflict] = result.conflicts
    assert isinstance(conflict, ConflictInfo)
    lock = check_lock("execution/fill_predictor.py")
    assert lock is not None
    assert conflict.details == f"Locked until {lock.expires_at} for: {lock.task}"
    assert result.suggestions[0] == "Wait for exec-agent-2 or work on different files"
    clear_intent("exec-agent-1")
    assert signal_intent("exec-agent-2", "EXEC", ["execution/fill_ml_model.py"], "Tuning", 30).success
    [overlap] = signal_intent("exec-agent-1", "EXEC", ["execution/fill_ml_model.py"], "ML", 30).conflicts
    assert overlap.details == "Agent intends to work on same files: Tuning"
    [dependency] = signal_intent("scan-agent-1", "SCAN", ["llm/sentiment.py"], "Scores", 30).conflicts
    assert (dependency.holder_agent, dependency.details) == ("N/A", "File belongs to dependency stream LLM")


def test_002_6_1_protocol(newer: Path) -> None:
    """The nine steps of the lifecycle with the calls that the design names for each."""
    from pucs import AgentLogger  # noqa: PLC0415
    from pucs.intent_signal import clear_intent, get_active_intents, signal_intent  # noqa: PLC0415
    from pucs.stream_locks import acquire_lock, get_stream_locks, release_lock  # noqa: PLC0415

    files = ["execution/fill_predictor.py", "execution/fill_ml_model.py"]
    logger = AgentLogger("exec-agent-1", stream_id="EXEC")
    logger.log_session_start("Fill predictor enhancement")
    assert signal_intent("exec-agent-1", "EXEC", files, "Adding ML model", 45).success
    logger.log("intent_signaled", data={"files": files})
    for file in files:
        assert acquire_lock(file, "exec-agent-1", "EXEC", "ML model implementation")
        logger.log_file_modified(file)
    (newer / files[0]).write_text("def predict(order):\n    return 0.7\n", encoding="utf-8")
    logger.log_git_commit("abc1234", "[PUCS-EXEC] feat: Add ML model to fill predictor", files)
    for file in files:
        assert release_lock(file, "exec-agent-1")
    clear_intent("exec-agent-1")
    logger.log_task_completed("Fill predictor enhancement")
    assert get_stream_locks("EXEC") == {}
    assert get_active_intents() == []
    assert [
        entry.event_type for entry in logger.get_entries(agent_id="exec-agent-1") if entry.data.get("files")
    ] == [
        "intent_signaled",
        "git_commit",
    ]


def test_002_8_2_conflict_resolver(newer: Path) -> None:
    """The resolver on a conflict as the intent signal returns it."""
    from pucs import PUCSConflictResolver  # noqa: PLC0415
    from pucs.intent_signal import signal_intent  # noqa: PLC0415
    from pucs.stream_locks import acquire_lock  # noqa: PLC0415

    class FallbackRouter:
        def get_fallback_suggestion(self, stream: str) -> str:
            return f"FALLBACK: {stream}"

    resolver = PUCSConflictResolver(FallbackRouter())
    assert acquire_lock("execution/fill_predictor.py", "exec-agent-2", "EXEC", "Slippage")
    result = signal_intent("exec-agent-1", "EXEC", ["execution/fill_predictor.py"], "Adding ML model", 45)
    assert [resolver.resolve(conflict) for conflict in result.conflicts] == [
        "QUEUE: Wait for exec-agent-2's lock to expire"
    ]
    result = signal_intent("scan-agent-1", "SCAN", ["llm/sentiment.py"], "Scores", 30)
    assert [resolver.resolve(conflict) for conflict in result.conflicts] == ["FALLBACK: LLM"]


@pytest.mark.slow
@pytest.mark.process
def test_002_9_1_cli_commands(stand_in: Callable[[str], Path]) -> None:
    """The quick reference as it stands there, `scripts.pucs.cli` being `pucs.cli` now."""
    stand_in("newer-bare")
    assert "PUCS-20251207-001" in sh('python -m pucs.cli init --session "PUCS-20251207-001"')
    assert "PUCS-20251207-001" in sh("python -m pucs.cli status")
    sh(
        'python -m pucs.cli intent \\\n  --agent "exec-agent-1" \\\n  --stream "EXEC" \\\n'
        '  --files "execution/fill_predictor.py,execution/fill_ml_model.py" \\\n'
        '  --description "Adding ML model" \\\n  --duration 45'
    )
    take = (
        'python -m pucs.cli lock execution/fill_predictor.py \\\n  --agent "{}" \\\n'
        '  --stream "EXEC" \\\n  --task "ML model implementation"'
    )
    sh(take.format("exec-agent-1"))
    assert "exec-agent-1" in sh(take.format("exec-agent-2") + " --duration 30", status=1)
    assert "execution/fill_predictor.py" in sh("python -m pucs.cli status")
    sh('python -m pucs.cli intent --agent exec-agent-2 --stream EXEC --files execution/fill_predictor.py '
       '--description "Slippage"', status=1)  # fmt: skip
    give = 'python -m pucs.cli unlock execution/fill_predictor.py \\\n  --agent "exec-agent-1"'
    sh(give)
    sh(give, status=1)
    sh("python -m pucs.cli cleanup")


@pytest.mark.process
def test_002_9_1_needs_a_session(
    make_repository: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `init` the design printed that there is none; here it is an error that names the remedy."""
    monkeypatch.chdir(make_repository())
    done = subprocess.run(
        ["python", "-m", "pucs", "status"], check=False, capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 4
    assert "pucs init" in done.stderr
