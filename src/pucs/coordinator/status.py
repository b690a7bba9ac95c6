"""The session as documents: one for people at a glance, one exactly as seed 000 §3.2 draws it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pucs.conflicts.records import Status
from pucs.coordinator.liveness import standing
from pucs.core.errors import EnvironmentFailure, NotFound, Refused
from pucs.core.resources import overlaps
from pucs.core.severities import Severity
from pucs.crosslog.records import Query
from pucs.tasks.records import TaskState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pucs.agents.records import Agent
    from pucs.conflicts.records import Conflict
    from pucs.coordinator.context import Context
    from pucs.coordinator.ports import Transaction
    from pucs.core.instants import Instant
    from pucs.intents.records import Intent
    from pucs.locks.records import Lease, Request
    from pucs.streams.records import Session, StreamRow
    from pucs.tasks.records import Task

PATTERN_ENTRIES = 300
"""Newest entries of each kind that a glance is told patterns from; ``pucs patterns`` looks further."""
RECENT_ENTRIES = 10
"""Entries shown at a glance (000 §7.1)."""
STATE_ENTRIES = 100
"""Entries in the state document: enough to see what happened last, small enough to read whole."""


def _session(context: Context, tx: Transaction) -> Session:
    session = (
        tx.sessions.get(context.session) if context.session else tx.sessions.active() or tx.sessions.latest()
    )
    if session is None and context.session:
        raise NotFound(f"There is no session {context.session!r}.", remedy="See: pucs status")
    if session is None:
        raise Refused("There is no session yet.", remedy="Start one with: pucs init")
    return session


def status(context: Context) -> dict[str, Any]:
    """Return the session at a glance, after the defaults of conflicts that nobody decided in time.

    One read transaction where no such default is due.
    """
    glance, late = _glance(context)
    if late:
        from pucs.coordinator.conflicts import apply_defaults  # noqa: PLC0415 - seldom needed

        with suppress(EnvironmentFailure):  # who may only read still sees what there is
            apply_defaults(context)
        glance, _ = _glance(context)
    return glance


def _glance(context: Context) -> tuple[dict[str, Any], bool]:
    """Return the document, and whether the default of a conflict is due."""
    now = context.clock.now()
    with context.store.read() as tx:
        session = _session(context, tx)
        waiting = tx.requests.waiting()
        asleep = _asleep(waiting)
        leases = standing(context.processes, context.clock.now(), tx.leases.live())
        agents = tx.agents.all(session.id)
        tasks = tx.tasks.all(session.id)
        conflicts = tx.conflicts.all(session.id)
        recent = tx.entries.select(Query(session=session.id, limit=RECENT_ENTRIES))
        open_now = [conflict for conflict in conflicts if conflict.status is Status.OPEN]
        late = bool(open_now) and not session.ended_at and _any_overdue(open_now, now)
        return {
            "session": session.id,
            "state": session.state.value,
            "started_at": session.started_at,
            "branch": session.branch,
            "base": session.base,
            "target": session.target,
            "streams": [_stream(row, agents, tasks, leases) for row in tx.sessions.streams(session.id)],
            "agents": [_agent(context, agent, asleep) for agent in agents],
            "locks": [
                {
                    "resource": lease.resource,
                    "mode": lease.mode.value,
                    "agent": lease.agent,
                    "task": lease.task,
                    "token": lease.token,
                    "left_s": round(lease.left_s(now.boot_s)),
                    "expires_at": lease.expires_at,
                }
                for lease in leases
            ],
            "intents": _intents(context, tx, now, session.id),
            "queued": len(waiting),
            "suspended": sum(request.suspended for request in waiting),
            "conflicts": {
                "open": len(open_now),
                "total": len(conflicts),
            },
            "tasks": _task_counts(tasks),
            "landings": len(tx.landings.all(session.id)),
            "patterns": _pattern_counts(context, tx, session.id, now, agents),
            "tests": _tests(tx, session.id),
            "recent": [
                {
                    "seq": e.seq,
                    "timestamp": e.timestamp,
                    "agent": e.agent,
                    "level": e.level.value,
                    "action": e.action,
                    "stream": e.stream,
                    "files": list(e.files),
                    "task": e.details.get("task", ""),
                }
                for e in recent
            ],
        }, late


def _intents(context: Context, tx: Transaction, now: Instant, session: str) -> list[dict[str, Any]]:
    """Return what agents plan to change, without those plans that are over."""
    found = tx.intents.open(session)
    if found:
        from pucs.coordinator.contesting import over  # noqa: PLC0415 - a session without plans does without

        found = [intent for intent in found if not over(context, tx, now, intent)]
    return [
        {
            "agent": intent.agent,
            "stream": intent.stream,
            "state": intent.state.value,
            "files": list(intent.resources),
            "description": intent.description,
            "left_s": round(intent.left_s(now.boot_s)),
            "expires_at": intent.expires_at,
        }
        for intent in found
    ]


def _stream(
    row: StreamRow, agents: Iterable[Agent], tasks: Iterable[Task], leases: Iterable[Lease]
) -> dict[str, Any]:
    name = row.stream.name
    own = [task for task in tasks if task.stream.casefold() == name.casefold()]
    done = sum(task.state is TaskState.DONE for task in own)
    return {
        "name": name,
        "state": row.state.value,
        "branch": row.branch,
        "agents": [agent.id for agent in agents if agent.active and agent.stream == name],
        "completed_tasks": done,
        "tasks": len(own),
        "percent": round(100 * done / len(own)) if own else 0,
        "locks": sum(lease.stream == name for lease in leases),
    }


def _asleep(waiting: Iterable[Request]) -> dict[str, list[str]]:
    """Return what each suspended agent waits for."""
    found: dict[str, list[str]] = {}
    for request in waiting:
        if request.suspended:
            found.setdefault(request.agent, []).extend(name for name, _ in request.resources)
    return found


def _agent(context: Context, agent: Agent, asleep: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    alive = context.processes.alive(agent.owner) if agent.owner is not None and agent.active else None
    life = "ended" if not agent.active else {True: "alive", False: "dead", None: "unknown"}[alive]
    return {
        "id": agent.id,
        "stream": agent.stream,
        "phase": agent.phase.value,
        "life": life,
        "program": agent.program,
        "enforcement": agent.enforcement.value,
        "incarnation": agent.incarnation,
        "task": agent.task,
        "halt": agent.halt.value,
        "halted_by": agent.halted_by,
        "halted_because": agent.halted_because,
        "worktree": agent.worktree,
        "waits_for": list(asleep.get(agent.id, ())),
    }


def _any_overdue(conflicts: Iterable[Conflict], now: Instant) -> bool:
    from pucs.conflicts.rules import overdue  # noqa: PLC0415 - most glances meet no open conflict

    return any(overdue(conflict, now) for conflict in conflicts)


def _pattern_counts(
    context: Context, tx: Transaction, session: str, now: Instant, agents: Sequence[Agent]
) -> dict[str, int]:
    counts = dict.fromkeys((severity.value for severity in Severity), 0)
    if not agents:
        return counts  # a session in which nobody has worked shows no pattern, and starts faster for it
    from pucs.coordinator.patterns import SINCE_S, detect_in  # noqa: PLC0415 - see above

    for pattern in detect_in(context, tx, session, now, since_s=SINCE_S, limit=PATTERN_ENTRIES):
        counts[pattern.severity.value] += 1
    return counts


def _tests(tx: Transaction, session: str) -> dict[str, Any]:
    """Return the newest test run of each stream; ``passed`` is None while nothing was tested (001 §7.1)."""
    runs = tx.test_runs.latest(session)
    return {
        "passed": all(run.result.value == "passed" for run in runs) if runs else None,
        "streams": {
            run.stream or "merged": {"result": run.result.value, "at": run.at, "commit": run.commit}
            for run in runs
        },
    }


def _task_counts(tasks: Iterable[Task]) -> dict[str, int]:
    counts = dict.fromkeys((state.value for state in TaskState), 0)
    for task in tasks:
        counts[task.state.value] += 1
    return counts


def agents_document(context: Context) -> list[dict[str, Any]]:
    """Return every agent of the session with what is known of its life; unknown is said to be unknown (DESIGN §3.8)."""
    with context.store.read() as tx:
        session = _session(context, tx)
        asleep = _asleep(tx.requests.waiting())
        return [
            {**_agent(context, agent, asleep), **_programs(tx, agent)} for agent in tx.agents.all(session.id)
        ]


def _programs(tx: Transaction, agent: Agent) -> dict[str, str]:
    """Return when a program of this incarnation of an agent first called in, and of one that has ended which the last was."""
    called = [
        one
        for one in tx.conversations.of_agent(agent.id)
        if one.session == agent.session and one.begun_at >= agent.registered_at
    ]
    last = {"program": called[-1].program} if called and not agent.active else {}
    return {"called_in_at": called[0].begun_at if called else "", **last}


def state(context: Context) -> dict[str, Any]:
    """Return the document of seed 000 §3.2, exactly; one read transaction."""
    with context.store.read() as tx:
        return state_in(context, tx, _session(context, tx))


def state_in(context: Context, tx: Transaction, session: Session) -> dict[str, Any]:
    """Return the document of seed 000 §3.2 inside an open transaction."""
    from pucs.coordinator.partition import critical_files  # noqa: PLC0415 - the glance at a session does without

    leases = standing(context.processes, context.clock.now(), tx.leases.live())
    agents = tx.agents.all(session.id)
    tasks = tx.tasks.all(session.id)
    plans = {intent.agent: intent for intent in tx.intents.open(session.id)}
    entries = tx.entries.select(Query(session=session.id, limit=STATE_ENTRIES))
    return {
        "session_id": session.id,
        "started_at": session.started_at,
        "streams": {
            row.stream.name: _stream_state(row, agents, tasks, leases, plans)
            for row in tx.sessions.streams(session.id)
        },
        "critical_files": {
            file.path: _critical_state(
                tx, [lease for lease in leases if critical_files(lease.resource, [file])]
            )
            for file in tx.sessions.configuration().critical_files
        },
        "conflicts": [conflict.document() for conflict in tx.conflicts.all(session.id)],
        "cross_log": [entry.document() for entry in entries],
    }


def _stream_state(
    row: StreamRow,
    agents: Iterable[Agent],
    tasks: Iterable[Task],
    leases: Iterable[Lease],
    plans: Mapping[str, Intent],
) -> dict[str, Any]:
    short = _stream(row, agents, tasks, leases)
    return {
        "status": short["state"],
        "agents": short["agents"],
        "locked_files": [
            {
                "path": lease.resource,
                "agent": lease.agent,
                "intent": lease.task or _planned(lease, plans.get(lease.agent)),
                "locked_at": lease.granted_at,
                "expires_at": lease.expires_at,
            }
            for lease in leases
            if lease.stream == row.stream.name
        ],
        "completed_tasks": short["completed_tasks"],
        "pending_tasks": short["tasks"] - short["completed_tasks"],
    }


def _planned(lease: Lease, plan: Intent | None) -> str:
    """Return what an agent said it plans with what it holds, empty if it said nothing."""
    meant = plan is not None and any(overlaps(lease.resource, name) for name in plan.resources)
    return plan.description if plan is not None and meant else ""


def _critical_state(tx: Transaction, leases: list[Lease]) -> dict[str, Any]:
    queued = [request.agent for lease in leases for request in tx.requests.overlapping((lease.resource,))]
    return {
        "status": "locked" if leases else "free",
        "owner": leases[0].agent if leases else None,
        "queue": list(dict.fromkeys(queued)),
    }
