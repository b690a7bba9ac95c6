"""The registry of the state files that the designs name: who wrote each, in which form, and what PUCS does with it.

None of them is ever the truth: the store is. A file is made from it by an export, and read into it by an import.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class FileFormat(StrEnum):
    """How a file is written."""

    JSON = "JSON"
    JSON_LINES = "JSON lines"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFile:
    """One state file of the designs."""

    name: str
    """File name; ``*`` stands for an agent or a time."""
    home: str
    """Directory that the designs keep it in."""
    format: FileFormat
    source: str
    """Where the designs describe it."""
    writer: str
    """Who writes it there."""
    about: str
    exported: bool = False
    imported: bool = False
    later: str = ""
    """The subject with which it comes, while there is nothing in the store that it could be made of."""

    def document(self) -> dict[str, Any]:
        """Return the entry of the registry as its JSON document."""
        return {
            "name": self.name,
            "home": self.home,
            "format": self.format.value,
            "source": self.source,
            "writer": self.writer,
            "about": self.about,
            "exported": self.exported,
            "imported": self.imported,
            "later": self.later,
        }


_STATE = ".claude/state"
FILES: tuple[StateFile, ...] = (
    StateFile(
        name="file_locks.json",
        home=_STATE,
        format=FileFormat.JSON,
        source="001 §3.3",
        writer="agent_lock",
        about="exclusive leases, version 1",
        exported=True,
        imported=True,
    ),
    StateFile(
        name="pucs_locks.json",
        home=_STATE,
        format=FileFormat.JSON,
        source="002 §4.1",
        writer="stream_locks",
        about="exclusive leases, version 2",
        exported=True,
        imported=True,
    ),
    StateFile(
        name="pucs_intents.json",
        home=_STATE,
        format=FileFormat.JSON,
        source="002 §4.2",
        writer="intent_signal",
        about="what agents plan to change",
        exported=True,
        imported=True,
    ),
    StateFile(
        name="pucs_session.json",
        home=_STATE,
        format=FileFormat.JSON,
        source="002 §4.3",
        writer="pucs init",
        about="the session with its streams and agents",
        exported=True,
    ),
    StateFile(
        name="pucs_log.json",
        home=_STATE,
        format=FileFormat.JSON_LINES,
        source="000 §10",
        writer="CrossLogger",
        about="the whole log; logging.persist_path names another place for it",
        exported=True,
        imported=True,
    ),
    StateFile(
        name="orchestrator_state.json",
        home=_STATE,
        format=FileFormat.JSON,
        source="001 §9",
        writer="the orchestrator",
        about="streams as pucs state shows them",
        exported=True,
    ),
    StateFile(
        name="handoffs.json",
        home=_STATE,
        format=FileFormat.JSON,
        source="001 §3.6",
        writer="record_handoff",
        about="every hand-off",
        exported=True,
        imported=True,
    ),
    StateFile(
        name="handoff.json",
        home=_STATE,
        format=FileFormat.JSON,
        source="002 §3.2",
        writer="AgentLogger",
        about="the newest hand-off",
        exported=True,
        imported=True,
    ),
    StateFile(
        name="agent_activity.jsonl",
        home=_STATE,
        format=FileFormat.JSON_LINES,
        source="001 §3.5, 002 §3.1",
        writer="log_activity, AgentLogger",
        about="what agents did; each line has the keys of both designs",
        exported=True,
        imported=True,
    ),
    StateFile(
        name="conflict_warnings.jsonl",
        home=_STATE,
        format=FileFormat.JSON_LINES,
        source="001 §3.5",
        writer="log_conflict",
        about="warnings of conflicts with their severity",
        exported=True,
        imported=True,
    ),
    StateFile(
        name="*.log",
        home=f"{_STATE}/logs",
        format=FileFormat.TEXT,
        source="001 §9",
        writer="agents",
        about="what one agent did, for reading",
        exported=True,
    ),
    StateFile(
        name="agent_state.json",
        home=_STATE,
        format=FileFormat.JSON,
        source="beside 002 §7.1",
        writer="agents",
        about="state of one agent's work",
        later="recovery of a session",
    ),
    StateFile(
        name="overnight_state.json",
        home="logs",
        format=FileFormat.JSON,
        source="002 §7.1",
        writer="OvernightStateManager",
        about="goal, progress, restarts and blockers of a session",
        later="recovery of a session",
    ),
    StateFile(
        name="circuit_breaker.json",
        home=_STATE,
        format=FileFormat.JSON,
        source="002 §3.3",
        writer="AgentCircuitBreaker",
        about="failures counted by agent",
        later="circuit breakers",
    ),
    StateFile(
        name="ric.json",
        home=_STATE,
        format=FileFormat.JSON,
        source="002 §7.1",
        writer="the RIC loop",
        about="phase and iteration of the loop",
        later="phases and milestones",
    ),
    StateFile(
        name="*.json",
        home=".claude/traces",
        format=FileFormat.JSON,
        source="002 §9.2",
        writer="Tracer",
        about="spans of one workflow",
        later="tracing",
    ),
)
"""Every state file of the designs."""
LOGS = "logs"
"""Directory of agents' logs, inside the one of the export."""


def named(path: str) -> StateFile | None:
    """Return the registered file that a path (``/``-separated, the end of it is enough) stands for."""
    parts = path.split("/")
    directory, name = (parts[-2] if len(parts) > 1 else ""), parts[-1]
    for file in FILES:
        if "*" not in file.name and file.name == name:
            return file
    for file in FILES:
        ending = file.name.removeprefix("*")
        if ending != file.name and name.endswith(ending) and directory == file.home.rpartition("/")[2]:
            return file
    return None
