"""The registry of state files, and the levels of the log."""

from __future__ import annotations

import pytest

from pucs.crosslog.records import Level
from pucs.crosslog.statefiles import FILES, named

PROMISED = {
    "file_locks.json", "pucs_locks.json", "pucs_intents.json", "pucs_session.json", "pucs_log.json",
    "orchestrator_state.json", "overnight_state.json", "agent_state.json", "handoffs.json", "handoff.json",
    "agent_activity.jsonl", "conflict_warnings.jsonl", "circuit_breaker.json", "ric.json", "*.json", "*.log",
}  # fmt: skip


def test_every_file_of_the_designs_is_registered() -> None:
    """Each once, with a home, a writer and where it is described; made now, or with a subject that is named."""
    assert {file.name for file in FILES} == PROMISED
    assert len(FILES) == len(PROMISED)
    for file in FILES:
        document = file.document()
        assert all(document[key] for key in ("name", "home", "format", "source", "writer", "about")), (
            file.name
        )
        assert file.exported != bool(file.later), file.name
        assert file.exported or not file.imported, file.name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("file_locks.json", "file_locks.json"),
        ("/some/where/.claude/state/pucs_locks.json", "pucs_locks.json"),
        ("state/logs/ann.log", "*.log"),
        ("logs/overnight_state.json", "overnight_state.json"),
        (".claude/traces/workflow_1.json", "*.json"),
    ],
)
def test_a_path_is_told_by_its_end(path: str, name: str) -> None:
    """The name alone where it is a fixed one; with its directory where any name will do."""
    file = named(path)
    assert file is not None
    assert file.name == name


@pytest.mark.parametrize(
    "path", ["", "ann.log", "other/ann.log", "workflow.json", "traces/x.log", "File_Locks.json"]
)
def test_other_files_are_nobodys(path: str) -> None:
    """A log outside the logs, a trace outside the traces, a name in other letters."""
    assert named(path) is None


def test_levels_are_in_order() -> None:
    """What matters less than each."""
    assert Level.DEBUG.below() == ()
    assert Level.CHANGE.below() == (Level.DEBUG, Level.INFO)
    assert Level.ERROR.below() == (Level.DEBUG, Level.INFO, Level.CHANGE, Level.CONFLICT)
