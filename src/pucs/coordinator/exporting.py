"""Exporting: the state files of the designs, made from the store (REQUIREMENTS A14).

Texts are made here, of one moment; writing them is the door's. Times are ISO 8601 UTC with ``Z``. What a form has no
place for is left out and named, never bent into it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pucs.coordinator.liveness import standing
from pucs.core.errors import NotFound, Refused, Usage
from pucs.core.modes import Mode
from pucs.crosslog import statefiles
from pucs.crosslog.records import Entry, Level, Query
from pucs.locks.records import LeaseState
from pucs.messages import forms

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from pucs.coordinator.context import Context
    from pucs.coordinator.ports import Transaction
    from pucs.locks.records import Lease
    from pucs.streams.records import Session

ENTRIES_MAX = 100_000
"""Newest entries that are exported: more than any session has had, and it bounds the size of a file."""
AGENT_LOGS_MAX = 1_000
"""Agents with a log of their own: the most that a session is measured with."""
DEFAULT_SEVERITY = "medium"
"""Severity of a warning that has none of its own (001 §3.5)."""
_LOG_LEVELS = {
    Level.DEBUG: "debug",
    Level.INFO: "info",
    Level.CHANGE: "info",
    Level.CONFLICT: "warning",
    Level.ERROR: "error",
}
"""Levels as ``AgentLogger`` writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """One state file as text."""

    path: str
    """Relative to the directory of the export; agents' logs are in one of their own."""
    text: str
    items: int
    """Leases, intents, hand-offs, entries it holds."""
    left_out: tuple[str, ...] = ()
    """What the form has no place for, in one sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """What is exported, as of one moment."""

    session: Session
    tx: Transaction
    leases: Sequence[Lease]
    least: Level
    state: Mapping[str, Any]

    def entries(self, **narrowed: Any) -> list[Entry]:
        return self.tx.entries.select(
            Query(session=self.session.id, least=self.least, limit=ENTRIES_MAX, **narrowed)
        )


def documents(context: Context, *, only: Collection[str] = ()) -> list[Exported]:
    """Return the state files whose data exist, all or those named in ``only`` (``logs`` means every agent's log).

    Raises:
        Usage: an unknown name, or one that nothing in the store can be made into yet.
        Refused: there is no session yet.
    """
    from pucs.coordinator.status import state_in  # noqa: PLC0415 - here, because status shows what is exported too

    wanted = _wanted(only)
    now = context.clock.now()
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.latest()
        if session is None and context.session:
            raise NotFound(f"There is no session {context.session!r}.", remedy="See: pucs status")
        if session is None:
            raise Refused("There is no session yet.", remedy="Start one with: pucs init")
        leases = [
            lease
            for lease in standing(context.processes, now, tx.leases.live())
            if lease.session == session.id and lease.state is LeaseState.HELD
        ]
        moment = _Moment(
            session=session,
            tx=tx,
            leases=leases,
            least=Level(tx.sessions.configuration().logging_level),
            state=state_in(context, tx, session),
        )
        return [exported for name in wanted for exported in _MAKERS[name](moment)]


def _wanted(only: Collection[str]) -> list[str]:
    for name in only:
        registered = statefiles.named(name)
        if name in _MAKERS:
            continue
        if registered is not None and registered.later:
            raise Usage(
                f"{name} cannot be exported yet: it comes with {registered.later}.",
                remedy="See: pucs export --list",
            )
        raise Usage(f"There is no state file {name!r}.", remedy=f"Names: {', '.join(_MAKERS)}.")
    return [name for name in _MAKERS if not only or name in only]


def _json(path: str, document: Any, items: int, left_out: Iterable[str] = ()) -> list[Exported]:
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return [Exported(path=path, text=text, items=items, left_out=tuple(left_out))]


def _lines(path: str, lines: Sequence[Mapping[str, Any]]) -> list[Exported]:
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    return [Exported(path=path, text=text, items=len(lines))]


def _locks(
    moment: _Moment, path: str, version: int, write: Callable[[Lease], dict[str, Any]]
) -> list[Exported]:
    own = [lease for lease in moment.leases if lease.mode is Mode.EXCLUSIVE]
    others = len(moment.leases) - len(own)
    left_out = [f"not exclusive, so without a place here: {others}"] if others else []
    locks = {lease.resource: write(lease) for lease in own}
    return _json(path, {"locks": locks, "version": version}, len(locks), left_out)


def _file_locks(moment: _Moment) -> list[Exported]:
    """Return 001's locks (001 §3.3)."""
    return _locks(
        moment,
        "file_locks.json",
        1,
        lambda lease: {
            "agent": lease.agent,
            "stream": lease.stream,
            "acquired": lease.granted_at,
            "expires": lease.expires_at,
            "task": lease.task,
        },
    )


def _pucs_locks(moment: _Moment) -> list[Exported]:
    """Return 002's locks (002 §4.1)."""
    return _locks(
        moment,
        "pucs_locks.json",
        2,
        lambda lease: {
            "agent_id": lease.agent,
            "stream_id": lease.stream,
            "acquired_at": lease.granted_at,
            "expires_at": lease.expires_at,
            "task": lease.task,
        },
    )


def _intents(moment: _Moment) -> list[Exported]:
    """Return 002's intents (002 §4.2)."""
    found = [
        {
            "agent_id": intent.agent,
            "stream_id": intent.stream,
            "files": list(intent.resources),
            "description": intent.description,
            "estimated_duration_min": _plain(intent.estimated_duration_s / 60),
            "signaled_at": intent.declared_at,
        }
        for intent in moment.tx.intents.open(moment.session.id)
    ]
    return _json("pucs_intents.json", {"intents": found}, len(found))


def _plain(figure: float) -> float:
    """Return a whole number as one: the designs count in whole minutes."""
    return int(figure) if figure == int(figure) else round(figure, 3)


def _session(moment: _Moment) -> list[Exported]:
    """Return 002's session (002 §4.3)."""
    streams = {
        name: {"status": stream["status"], "agents": stream["agents"]}
        for name, stream in moment.state["streams"].items()
    }
    agents = [agent.id for agent in moment.tx.agents.all(moment.session.id) if agent.active]
    document = {
        "session_id": moment.session.id,
        "started_at": moment.session.started_at,
        "streams": streams,
        "agents": agents,
    }
    return _json("pucs_session.json", document, len(agents))


def _orchestrator(moment: _Moment) -> list[Exported]:
    """Return 001's orchestrator state (001 §9)."""
    streams = moment.state["streams"]
    document = {"streams": streams, "started_at": moment.session.started_at}
    return _json("orchestrator_state.json", document, len(streams))


def _handoffs(moment: _Moment) -> list[Exported]:
    """Return 001's hand-offs, every one (001 §3.6)."""
    found = [forms.as_001(handoff) for handoff in moment.tx.handoffs.all(moment.session.id)]
    return _json("handoffs.json", {"handoffs": found}, len(found))


def _handoff(moment: _Moment) -> list[Exported]:
    """Return 002's one hand-off, the newest (002 §3.2); no file without any."""
    found = moment.tx.handoffs.all(moment.session.id)
    if not found:
        return []
    older = len(found) - 1
    left_out = [f"older hand-offs, which handoffs.json has: {older}"] if older else []
    return _json("handoff.json", forms.as_002(found[-1]), 1, left_out)


def _log(moment: _Moment) -> list[Exported]:
    """Return the log as it is printed by ``pucs log --json``."""
    return _lines("pucs_log.json", [entry.document() for entry in moment.entries()])


def _activity(moment: _Moment) -> list[Exported]:
    """Return what agents did, with the keys of 001 and of ``AgentLogger`` on each line."""
    lines = [activity(entry) for entry in moment.entries() if entry.agent]
    return _lines("agent_activity.jsonl", lines)


def activity(entry: Entry) -> dict[str, Any]:
    """Return an entry as a line of ``agent_activity.jsonl``.

    The keys of 001 (with what else was said in single values), then those of ``AgentLogger``; ``pucs_level`` tells our
    own level, which neither has.
    """
    details = {key: value for key, value in entry.details.items() if key != "door"}
    said = {
        key: details[key]
        for key in ("event_type", "message", "category")
        if isinstance(details.get(key), str)
    }
    data = details.get("data") if "event_type" in said else None
    line = {
        "timestamp": entry.timestamp,
        "agent": entry.agent,
        "stream": entry.stream,
        "action": entry.action,
        **({"file": entry.files[0]} if len(entry.files) == 1 else {}),
        "entry_id": str(entry.seq),
        "level": details.get("log_level") or _LOG_LEVELS[entry.level],
        "category": said.get("category", "agent"),
        "event_type": said.get("event_type", entry.action),
        "message": said.get("message", entry.action),
        "data": data if isinstance(data, dict) else details,
        "source": f"agent:{entry.agent}",
        "session_id": entry.session,
        "agent_id": entry.agent,
        "stream_id": entry.stream or None,
        "files_affected": list(entry.files),
        "git_info": details.get("git_info", {}),
        "task_info": details.get("task_info", {}),
        "pucs_level": entry.level.value,
    }
    plain = {key: value for key, value in details.items() if isinstance(value, (str, int, float, bool))}
    return {**{key: value for key, value in plain.items() if key not in line}, **line}


def _warnings(moment: _Moment) -> list[Exported]:
    """Return warnings of conflicts with their severity (001 §3.5)."""
    lines = [
        {
            "timestamp": entry.timestamp,
            "agent": entry.agent,
            "warning": _warning(entry),
            "severity": _severity(moment.tx, entry),
            "action": entry.action,
            "files": list(entry.files),
        }
        for entry in moment.entries(level=Level.CONFLICT)
    ]
    return _lines("conflict_warnings.jsonl", lines)


def _warning(entry: Entry) -> str:
    """Return what an entry warns of: an agent's own words, or PUCS's with the files and who stood in the way."""
    said = entry.details.get("warning")
    if isinstance(said, str) and said:
        return said
    if "severity" in entry.details:
        return entry.action
    files = f": {', '.join(entry.files[:5])}" if entry.files else ""
    behind = entry.details.get("behind")
    by = f" ({', '.join(map(str, behind))})" if isinstance(behind, list) and behind else ""
    return f"{entry.action}{files}{by}"


def _severity(tx: Transaction, entry: Entry) -> str:
    said = entry.details.get("severity")
    if isinstance(said, str):
        return said
    number = entry.details.get("conflict")
    conflict = tx.conflicts.get(number) if isinstance(number, int) else None
    return conflict.severity.value if conflict is not None else DEFAULT_SEVERITY


def _agent_logs(moment: _Moment) -> list[Exported]:
    """Return one log for reading for each agent (001 §9)."""
    by_agent: dict[str, list[str]] = {}
    for entry in moment.entries():
        if entry.agent:
            files = f"  {', '.join(entry.files)}" if entry.files else ""
            words = " ".join(entry.action.split()) + files
            by_agent.setdefault(entry.agent, []).append(f"{entry.timestamp} {entry.level.value:<8} {words}\n")
    return [
        Exported(path=f"{statefiles.LOGS}/{agent}.log", text="".join(lines), items=len(lines))
        for agent, lines in sorted(by_agent.items())[:AGENT_LOGS_MAX]
    ]


_MAKERS: dict[str, Callable[[_Moment], list[Exported]]] = {
    "file_locks.json": _file_locks,
    "pucs_locks.json": _pucs_locks,
    "pucs_intents.json": _intents,
    "pucs_session.json": _session,
    "pucs_log.json": _log,
    "orchestrator_state.json": _orchestrator,
    "handoffs.json": _handoffs,
    "handoff.json": _handoff,
    "agent_activity.jsonl": _activity,
    "conflict_warnings.jsonl": _warnings,
    statefiles.LOGS: _agent_logs,
}
"""How each file is made, in the order in which they are written."""
EXPORTABLE = tuple(_MAKERS)


def registry() -> list[dict[str, Any]]:
    """Return the registry of every state file the designs name."""
    return [file.document() for file in statefiles.FILES]
