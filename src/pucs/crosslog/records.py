"""Entries and the questions one can ask of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How much an entry matters (000 §3.5 ``LOG_LEVELS``)."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    CHANGE = "CHANGE"
    CONFLICT = "CONFLICT"
    ERROR = "ERROR"

    def below(self) -> tuple[Level, ...]:
        """Return the levels that matter less."""
        levels = tuple(Level)
        return levels[: levels.index(self)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the cross-log."""

    seq: int = 0
    """Order in the store; 0 while not written."""
    timestamp: str
    """Wall time, ISO 8601 UTC."""
    session: str
    agent: str
    """Who did it; empty for PUCS itself."""
    stream: str
    level: Level
    action: str
    """What was done, in a stable word or a short sentence."""
    files: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    """Anything else, as JSON; ``door`` says through which surface it came."""

    def document(self) -> dict[str, Any]:
        """Return the entry as its JSON document (DESIGN §7)."""
        return {
            "seq": self.seq,
            "timestamp": self.timestamp,
            "agent": self.agent,
            "stream": self.stream,
            "level": self.level.value,
            "action": self.action,
            "files": list(self.files),
            "details": self.details,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which entries to read; every field narrows."""

    session: str = ""
    stream: str = ""
    """Stream name; empty: all."""
    agent: str = ""
    file: str = ""
    """Canonical resource; a directory asks for everything below it."""
    since: str = ""
    """Wall time; entries at or after it."""
    after_seq: int = 0
    """Only entries behind this one."""
    level: Level | None = None
    """Only this level."""
    least: Level | None = None
    """Only this level and those above it."""
    actions: tuple[str, ...] = ()
    """Only these actions; empty: all."""
    limit: int = 1000
    """The newest so many, returned oldest first."""
