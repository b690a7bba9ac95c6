"""``CrossLogger`` and its entries (000 §3.5)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pucs.classic.places import here, since_text
from pucs.coordinator import log as cross_log
from pucs.coordinator import patterns
from pucs.core.errors import Usage
from pucs.crosslog.records import Entry, Level, Query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from pucs.classic.places import Place
    from pucs.crosslog.patterns import Pattern

ENTRIES_MAX = 100_000
"""Most entries in one answer, the newest; ten times what the design keeps (000 §10 ``max_entries``)."""
EVERY_STREAM = "all"
"""Name that stands for every stream, as at the command line (000 §9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One entry of the cross-log."""

    id: str
    """What ``log`` returned; grows with time."""
    timestamp: str
    """ISO 8601, UTC."""
    agent_id: str
    """Who did it; empty for PUCS itself."""
    work_stream: str
    """Stream it was done for; empty: none."""
    level: str
    """One of ``LOG_LEVELS``."""
    action: str
    """What was done."""
    files: tuple[str, ...] = ()
    """Files concerned, in canonical form."""
    details: dict[str, Any] = field(default_factory=dict)
    """Whatever else was said."""


class CrossLogger:
    """Reads and writes the one log of everything that agents and PUCS itself do in a session."""

    LOG_LEVELS: ClassVar[list[str]] = [level.value for level in Level]

    def __init__(self, repo: str | Path = "", store: str = "", session: str = "") -> None:
        """Act in the repository that is named, else in ``PUCS_REPO``, else around the current directory.

        Raises:
            EnvironmentFailure: not a git repository, or there is no store; the message says what to do.
        """
        self._place = here(repo, store, session)

    def log(  # noqa: PLR0917 - the positions are those of 000 §3.5
        self,
        agent_id: str,
        work_stream: str,
        level: str,
        action: str,
        files: Sequence[str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> str:
        """Log an action and return the id of its entry; one transaction.

        An agent that nobody has registered becomes known by it, and claims no stream.

        Raises:
            Usage: there is no such level, the action is empty or too long, or a file is outside the repository.
            NotFound: there is no such stream.
            Refused: the agent has ended, or no session is active.
        """
        return str(
            say(self._place, agent_id, work_stream, level, action=action, files=files or (), details=details)
        )

    def get_stream_log(self, work_stream: str, since: datetime | None = None) -> list[LogEntry]:
        """Return the log entries of a stream, oldest first, from ``since`` on; ``"all"``: of every stream."""
        return [_entry(found) for found in read(self._place, stream=work_stream, since=since)]

    def get_file_history(self, file_path: str) -> list[LogEntry]:
        """Return the modifications of a file, oldest first; of a directory, those of the files below it."""
        name = self._place.canonical([file_path])[0]
        return [_entry(found) for found in read(self._place, file=name, level=Level.CHANGE)]

    def detect_patterns(self) -> list[Pattern]:
        """Return what deserves a look in the last hour, the most urgent first.

        Files that several agents changed, a high rate of conflicts, abandoned locks, agents that starve, ping-pong.
        """
        return list(patterns.detect(self._place.context))


def say(
    place: Place,
    agent: str,
    stream: str,
    level: str,
    *,
    action: str,
    files: Sequence[str] = (),
    details: Mapping[str, Any] | None = None,
) -> int:
    """Write what an agent says into the log and return the number of the entry."""
    if level.upper() not in Level.__members__:
        raise Usage(f"There is no level {level!r}.", remedy=f"Levels: {', '.join(Level)}.")
    return cross_log.log(
        place.context,
        agent=agent,
        stream=stream,
        action=action,
        files=place.canonical(files),
        level=Level(level.upper()),
        details=as_json(details),
    )


def as_json(details: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return details as they can be stored; what JSON cannot say, as a path or a time, becomes its text."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(details or {}), default=str))
    return plain


def read(
    place: Place,
    *,
    stream: str = "",
    since: datetime | None = None,
    file: str = "",
    agent: str = "",
    level: Level | None = None,
    after_seq: int = 0,
) -> list[Entry]:
    """Return the entries of the session that match, oldest first; a stream is known without regard to case."""
    with place.context.store.read() as tx:
        session = tx.sessions.get(place.context.session) if place.context.session else tx.sessions.latest()
        known = [row.stream.name for row in tx.sessions.streams(session.id)] if session else []
    if session is None:
        return []
    named = next((name for name in known if name.casefold() == stream.casefold()), stream)
    return cross_log.entries(
        place.context,
        Query(
            session=session.id,
            stream="" if named.casefold() == EVERY_STREAM else named,
            since=since_text(since),
            file=file,
            agent=agent,
            level=level,
            after_seq=after_seq,
            limit=ENTRIES_MAX,
        ),
    )


def said(entry: Entry) -> dict[str, Any]:
    """Return the details of an entry as they were given."""
    return {key: value for key, value in entry.details.items() if key != "door"}


def _entry(entry: Entry) -> LogEntry:
    return LogEntry(
        id=str(entry.seq),
        timestamp=entry.timestamp,
        agent_id=entry.agent,
        work_stream=entry.stream,
        level=entry.level.value,
        action=entry.action,
        files=entry.files,
        details=said(entry),
    )
