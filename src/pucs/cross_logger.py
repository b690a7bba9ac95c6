"""The log functions of the second design (001 §3.5, §3.6), on the one cross-log.

They act in the repository around the current directory, or in ``PUCS_REPO``.

    from pucs.cross_logger import get_stream_log, log_activity, log_conflict, record_handoff
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pucs.classic.crosslog import read, said, say
from pucs.classic.handing import give
from pucs.classic.places import STATE_DIRECTORY, here
from pucs.conflicts.records import Severity
from pucs.core.errors import Usage
from pucs.crosslog.records import Entry, Level

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

ACTIVITY_LOG = STATE_DIRECTORY / "agent_activity.jsonl"
"""Where ``pucs export`` writes what agents did; the truth is the store."""
CONFLICT_LOG = STATE_DIRECTORY / "conflict_warnings.jsonl"
"""Where ``pucs export`` writes warnings of conflicts; the truth is the store."""


def log_activity(agent_id: str, stream: str, action: str, **kwargs: Any) -> None:
    """Log what an agent did, with anything else worth knowing by keyword; ``file`` and ``files`` name files.

    Raises:
        Usage: the action is empty or too long, or a file is outside the repository.
        NotFound: there is no such stream.
        Refused: the agent has ended, or no session is active.
    """
    named = kwargs.get("files", ())
    files = [
        *([named] if isinstance(named, str) else named),
        *([kwargs["file"]] if kwargs.get("file") else []),
    ]
    say(here(), agent_id, stream, Level.INFO.value, action=action, files=files, details=kwargs)


def log_conflict(agent_id: str, warning: str, severity: str = "medium") -> None:
    """Log a warning of a conflict that may come; ``severity`` is ``low``, ``medium`` or ``high``.

    Raises:
        Usage: there is no such severity, or the warning is empty or too long.
        Refused: the agent has ended, or no session is active.
    """
    if severity.upper() not in Severity.__members__:
        raise Usage(f"There is no severity {severity!r}.", remedy=f"Severities: {', '.join(Severity)}.")
    details = {"warning": warning, "severity": severity.lower()}
    say(here(), agent_id, "", Level.CONFLICT.value, action=warning, details=details)


def get_stream_log(stream: str, since: datetime | None = None) -> list[dict[str, Any]]:
    """Return the log entries of a stream, oldest first, from ``since`` on; a naive time is local.

    Each has ``timestamp``, ``agent``, ``stream`` and ``action``, and what was logged with it.
    """
    return [_document(entry) for entry in read(here(), stream=stream, since=since)]


def record_handoff(
    from_agent: str, to_agents: Sequence[str], completed_tasks: Sequence[str], context: Mapping[str, Any]
) -> None:
    """Record what dependent agents have to know; a row of its own, so that none overwrites another.

    ``new_interfaces``, ``breaking_changes``, ``test_status`` and ``notes`` of the context have their places; the rest is
    kept with it. Locks stay with the giver. Receivers get a message, and may be agents that nobody has started yet.

    Raises:
        Usage: an agent cannot be named so, or there is too much of something.
        Refused: the giver or a receiver has ended, or no session is active.
    """
    give(here(), from_agent, to_agents, context=context, completed=completed_tasks, transfer=False)


def _document(entry: Entry) -> dict[str, Any]:
    more = {"files": list(entry.files)} if entry.files else {}
    own = {
        "timestamp": entry.timestamp,
        "agent": entry.agent,
        "stream": entry.stream,
        "action": entry.action,
    }
    return {**own, **more, **said(entry), **own}
