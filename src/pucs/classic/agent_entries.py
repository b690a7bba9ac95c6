"""What ``AgentLogger`` writes and reads: its closed sets, one entry, and how it lies in the cross-log."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pucs.classic.crosslog import said
from pucs.crosslog.records import Entry, Level

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENT_KEY = "event_type"
"""Detail that tells an entry of ``AgentLogger`` from any other."""
UNNAMED_EVENT = "note"
"""Event type of an entry that names none, as 002 §3.1 logs it."""


class LogLevel(StrEnum):
    """How much an entry matters to a person who reads along."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"
    AUDIT = "audit"


class LogCategory(StrEnum):
    """What part of the work an entry belongs to."""

    EXECUTION = "execution"
    RISK = "risk"
    STRATEGY = "strategy"
    POSITION = "position"
    TRADE = "trade"
    SYSTEM = "system"
    ERROR = "error"
    PERFORMANCE = "performance"
    AGENT = "agent"
    REASONING = "reasoning"
    AUDIT = "audit"
    AUTHENTICATION = "authentication"
    CONFIGURATION = "configuration"
    HOOK = "hook"


class AgentEventType(StrEnum):
    """What happened; PUCS's own entries are read as one of these where one fits."""

    SESSION_START = "session_start"
    SESSION_END = "session_end"
    SESSION_HANDOFF = "session_handoff"
    SESSION_CHECKPOINT = "session_checkpoint"
    FILE_CREATED = "file_created"
    FILE_MODIFIED = "file_modified"
    FILE_DELETED = "file_deleted"
    FILE_READ = "file_read"
    FILE_LOCKED = "file_locked"
    FILE_UNLOCKED = "file_unlocked"
    TASK_STARTED = "task_started"
    TASK_COMPLETED = "task_completed"
    TASK_FAILED = "task_failed"
    TASK_BLOCKED = "task_blocked"
    GIT_COMMIT = "git_commit"
    GIT_PUSH = "git_push"
    GIT_PULL = "git_pull"
    GIT_MERGE = "git_merge"
    GIT_CONFLICT = "git_conflict"
    LOCK_ACQUIRED = "lock_acquired"
    LOCK_RELEASED = "lock_released"
    LOCK_BLOCKED = "lock_blocked"
    CONFLICT_DETECTED = "conflict_detected"
    CONFLICT_RESOLVED = "conflict_resolved"
    CODEBASE_ANALYZED = "codebase_analyzed"
    RESEARCH_COMPLETED = "research_completed"
    PLAN_CREATED = "plan_created"
    VERIFICATION_COMPLETED = "verification_completed"


_E = AgentEventType
_EVENT_OF_ACTION = {
    "adopted": _E.SESSION_START,
    "registered": _E.SESSION_START,
    "terminated": _E.SESSION_END,
    "retired": _E.SESSION_END,
    "failed": _E.SESSION_END,
    "paused": _E.TASK_BLOCKED,
    "task started": _E.TASK_STARTED,
    "task done": _E.TASK_COMPLETED,
    "task failed": _E.TASK_FAILED,
    "attempt failed": _E.TASK_FAILED,
    "lock granted": _E.LOCK_ACQUIRED,
    "lock claimed": _E.LOCK_ACQUIRED,
    "lock released": _E.LOCK_RELEASED,
    "lease expired": _E.LOCK_RELEASED,
    "lease reclaimed": _E.LOCK_RELEASED,
    "lease parked": _E.LOCK_RELEASED,
    "kept": _E.SESSION_CHECKPOINT,
    "tests passed": _E.VERIFICATION_COMPLETED,
    "tests failed": _E.VERIFICATION_COMPLETED,
    "lock denied": _E.LOCK_BLOCKED,
    "lock queued": _E.LOCK_BLOCKED,
    "lock refused": _E.LOCK_BLOCKED,
    "handed over": _E.SESSION_HANDOFF,
    "intent signaled": _E.PLAN_CREATED,
    "boundary refused": _E.CONFLICT_DETECTED,
    "conflict resolved": _E.CONFLICT_RESOLVED,
    "landed": _E.GIT_MERGE,
    "merged": _E.GIT_MERGE,
    "merged by rule": _E.GIT_MERGE,
    "synced": _E.GIT_PULL,
    "landing conflicts": _E.GIT_CONFLICT,
    "sync conflicts": _E.GIT_CONFLICT,
    "target conflicts": _E.GIT_CONFLICT,
    "not merged": _E.GIT_CONFLICT,
}
"""Event of each of PUCS's own actions that has one."""
_CHANGES = frozenset({_E.FILE_CREATED, _E.FILE_MODIFIED, _E.FILE_DELETED, _E.GIT_COMMIT, _E.GIT_MERGE})
_CONFLICTS = frozenset({_E.CONFLICT_DETECTED, _E.GIT_CONFLICT, _E.LOCK_BLOCKED, _E.TASK_BLOCKED})
_FACTS = ("data", "git_info", "task_info")
_LEVEL_OF = {
    Level.DEBUG: LogLevel.DEBUG,
    Level.INFO: LogLevel.INFO,
    Level.CHANGE: LogLevel.INFO,
    Level.CONFLICT: LogLevel.WARNING,
    Level.ERROR: LogLevel.ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLogEntry:
    """One entry as ``AgentLogger`` knows it."""

    entry_id: str
    """Number of the entry in the cross-log; grows with time."""
    timestamp: str
    """ISO 8601, UTC."""
    level: LogLevel
    category: LogCategory
    event_type: str
    """An ``AgentEventType`` where one fits, else a word of the caller's or PUCS's own action."""
    message: str
    data: dict[str, Any] = field(default_factory=dict)
    agent_id: str
    """Empty for PUCS itself."""
    stream_id: str | None = None
    session_id: str
    files_affected: tuple[str, ...] = ()
    """Canonical names."""
    git_info: dict[str, Any] = field(default_factory=dict)
    task_info: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    """Whatever else was given: ``resource``, ``outcome``, ``actor``, ``duration_ms``, ``correlation_id``."""

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as a line of ``agent_activity.jsonl`` holds it."""
        own = {
            "entry_id": self.entry_id,
            "timestamp": self.timestamp,
            "level": self.level.value,
            "category": self.category.value,
            "event_type": self.event_type,
            "message": self.message,
            "data": self.data,
            "source": f"agent:{self.agent_id}" if self.agent_id else "pucs",
            "session_id": self.session_id,
            "agent_id": self.agent_id,
            "stream_id": self.stream_id,
            "files_affected": list(self.files_affected),
            "git_info": self.git_info,
            "task_info": self.task_info,
        }
        return {**{key: value for key, value in self.fields.items() if key not in own}, **own}

    def to_json(self) -> str:
        """Return one line of ``agent_activity.jsonl``, without its end."""
        return json.dumps(self.to_dict(), ensure_ascii=False)


def level_in_log(level: LogLevel, event_type: str) -> Level:
    """Return the level under which an entry stands in the cross-log."""
    if level in {LogLevel.ERROR, LogLevel.CRITICAL}:
        return Level.ERROR
    if event_type in _CHANGES:
        return Level.CHANGE
    if event_type in _CONFLICTS:
        return Level.CONFLICT
    return Level.DEBUG if level is LogLevel.DEBUG else Level.INFO


def details_in_log(
    level: LogLevel, category: LogCategory, event_type: str, message: str, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the details under which an entry stands in the cross-log; ``read_back`` undoes it."""
    return {
        EVENT_KEY: event_type,
        "log_level": level.value,
        "category": category.value,
        "message": message,
        **fields,
    }


def read_back(entry: Entry) -> AgentLogEntry:
    """Return any entry of the cross-log as ``AgentLogger`` knows it; PUCS's own get the event type that fits.

    Anybody may have written the details, so what is not of its kind is left among the fields.
    """
    details = said(entry)
    if not isinstance(details.get(EVENT_KEY), str):
        event = _EVENT_OF_ACTION.get(entry.action)
        details = {EVENT_KEY: event.value if event else entry.action, "data": details}
    facts = {name: details.pop(name) for name in _FACTS if isinstance(details.get(name), dict)}
    return AgentLogEntry(
        entry_id=str(entry.seq),
        timestamp=entry.timestamp,
        level=LogLevel(details.pop("log_level"))
        if details.get("log_level") in list(LogLevel)
        else _LEVEL_OF[entry.level],
        category=LogCategory(details.pop("category"))
        if details.get("category") in list(LogCategory)
        else LogCategory.AGENT,
        event_type=details.pop(EVENT_KEY),
        message=details.pop("message") if isinstance(details.get("message"), str) else entry.action,
        agent_id=entry.agent,
        stream_id=entry.stream or None,
        session_id=entry.session,
        files_affected=entry.files,
        fields=details,
        **facts,
    )
