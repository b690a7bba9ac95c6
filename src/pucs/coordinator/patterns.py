"""Patterns: what happened lately, held against the detectors of the cross-log (000 §3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.core.instants import iso, parse_iso
from pucs.crosslog import patterns as rules
from pucs.crosslog.records import Level, Query

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context
    from pucs.coordinator.ports import Transaction
    from pucs.core.instants import Instant
    from pucs.crosslog.records import Entry
    from pucs.locks.records import Lease

SINCE_S = 3600.0
"""Window that is looked at unless another is asked for: long enough for a pattern, short enough to act on it."""
ENTRIES_MAX = 10_000
"""Newest entries of each kind that are looked at: what went on before them is history, and reading is bounded."""


def detect(
    context: Context, *, since_s: float = SINCE_S, limit: int = ENTRIES_MAX
) -> tuple[rules.Pattern, ...]:
    """Return the patterns of the last ``since_s`` seconds, the most urgent first; one read transaction."""
    now = context.clock.now()
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.latest()
        if session is None:
            return ()
        return detect_in(context, tx, session.id, now, since_s=since_s, limit=limit)


def detect_in(
    context: Context, tx: Transaction, session: str, now: Instant, *, since_s: float, limit: int
) -> tuple[rules.Pattern, ...]:
    """Return the patterns of a session inside an open transaction."""
    window = rules.Window(since=iso(now.wall_s - since_s), until=now.wall())
    first = tx.entries.first_since(window.since)
    noted: list[Entry] = []
    changes: list[Entry] = []
    conflicts: list[Entry] = []
    grants = 0
    if first:
        after = first - 1
        changes, conflicts, noted = (
            # Entries that were imported have their own times, which are older than their numbers.
            [entry for entry in tx.entries.select(query) if entry.timestamp >= window.since]
            for query in (
                Query(session=session, level=Level.CHANGE, after_seq=after, limit=limit),
                Query(session=session, level=Level.CONFLICT, after_seq=after, limit=limit),
                Query(session=session, actions=rules.NOTED, after_seq=after, limit=limit),
            )
        )
        grants = tx.entries.count(after_seq=after, actions=rules.GRANTS)
    return rules.detect(
        rules.Observations(
            window=window,
            changes=changes,
            conflicts=conflicts,
            noted=noted,
            claims=[_claim(entry, now) for entry in noted if entry.action == rules.CLAIMED],
            grants=grants,
            waits=_waits(context, tx, now),
            holds=_holds(context, tx, session, now),
        )
    )


def _claim(entry: Entry, now: Instant) -> rules.Claim:
    return rules.Claim(
        seq=entry.seq,
        resources=entry.files,
        waited_s=float(entry.details.get("waited_s", 0.0)),
        ago_s=now.wall_s - parse_iso(entry.timestamp),
    )


def _waits(context: Context, tx: Transaction, now: Instant) -> list[rules.Wait]:
    """Return the requests that somebody still waits for."""
    return [
        rules.Wait(
            agent=request.agent,
            resources=tuple(resource for resource, _ in request.resources),
            waited_s=now.boot_s - request.asked_s,
        )
        for request in tx.requests.waiting()
        if request.boot_id == now.boot_id
        and (request.waiter is None or context.processes.alive(request.waiter) is not False)
    ]


def _holds(context: Context, tx: Transaction, session: str, now: Instant) -> list[rules.Hold]:
    """Return the live leases whose agents have been quiet for long enough to ask; the others prove themselves."""
    agents = {agent.id: agent for agent in tx.agents.all(session)}
    by_agent: dict[str, list[Lease]] = {}
    for lease in tx.leases.live():
        if lease.session == session and lease.landing is None:
            by_agent.setdefault(lease.agent, []).append(lease)
    holds = []
    for name, leases in by_agent.items():
        agent = agents.get(name)
        alive = context.processes.alive(agent.owner) if agent is not None and agent.owner else None
        if alive:
            continue
        quiet_s = _quiet_s(tx, name, agent, leases, now)
        holds += [
            rules.Hold(agent=name, resource=lease.resource, quiet_s=quiet_s, alive=alive) for lease in leases
        ]
    return holds


def _quiet_s(tx: Transaction, name: str, agent: Agent | None, leases: Iterable[Lease], now: Instant) -> float:
    """Return the seconds since the last sign of an agent: its heartbeat, its newest entry, its newest grant."""
    signs = [now.boot_s - lease.granted_s for lease in leases if lease.boot_id == now.boot_id]
    if agent is not None and agent.boot_id == now.boot_id:
        signs.append(now.boot_s - agent.heartbeat_s)
    if not signs or min(signs) >= rules.QUIET_S_MIN:
        signs += [
            now.wall_s - parse_iso(entry.timestamp) for entry in tx.entries.select(Query(agent=name, limit=1))
        ]
    return max(0.0, min(signs, default=rules.QUIET_S_MIN))
