"""Granting and ending leases inside an open unit: what every verb that touches leases shares.

Whoever ends a lease serves the queue in the same transaction, so a grant never depends on a third party (DESIGN §3.3).
Dead owners and expired leases are met where they stand in the way; no reaper process is needed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pucs.coordinator.conflicts import decide_in
from pucs.coordinator.partition import critical_files
from pucs.crosslog.records import Level
from pucs.locks.records import EndReason, Lease, LeaseState, Request
from pucs.locks.rules import expired, renewed_until, served

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pucs.coordinator.context import Context, Unit
    from pucs.core.modes import Mode
    from pucs.core.processes import Process

WITHDRAWAL_GRACE_S = 1.0
"""Time beyond its deadline in which a waiter finds it first itself, and says so."""


def settled(context: Context, opened: Unit, names: Sequence[str]) -> tuple[list[Lease], list[Request]]:
    """Return live leases and waiting requests around these resources, after ending what is over and serving whom it frees."""
    live = opened.tx.leases.overlapping(names)
    ended = over(context, opened, live)
    waiting = opened.tx.requests.overlapping(names)
    gone = [request for request in waiting if withdrawn(context, opened, request)]
    if ended or gone:
        withdraw(opened, gone)
        end(opened, ended, None, context=context)
        serve(opened, [lease.resource for lease in ended] + [r for request in gone for r, _ in request.resources])
        live = opened.tx.leases.overlapping(names)
        waiting = opened.tx.requests.overlapping(names)
    return live, waiting


def over(context: Context, opened: Unit, live: Iterable[Lease]) -> list[Lease]:
    """Return the leases that have ended by time or by the death of their owner."""
    dead: dict[Process, bool] = {}
    ended: list[Lease] = []
    for lease in live:
        if lease.owner is not None and lease.owner not in dead:
            dead[lease.owner] = context.processes.alive(lease.owner) is False
        gone = lease.owner is not None and dead[lease.owner]
        if (gone and lease.landing is None) or expired(lease, opened.now.boot_id, opened.now.boot_s):
            ended.append(lease)
    return ended


def withdrawn(context: Context, opened: Unit, request: Request) -> bool:
    """Tell whether nobody waits for a request any more: another boot, long past its deadline, or its waiter died."""
    if request.boot_id != opened.now.boot_id:
        return True
    # The grace lets the waiter itself find the deadline first and say so.
    if request.deadline_s + WITHDRAWAL_GRACE_S <= opened.now.boot_s:
        return True
    return request.waiter is not None and context.processes.alive(request.waiter) is False


def _reason(context: Context, lease: Lease) -> EndReason:
    if lease.owner is not None and context.processes.alive(lease.owner) is False:
        return EndReason.RECLAIMED
    return EndReason.LAPSED if lease.state is LeaseState.RESERVED else EndReason.EXPIRED


def end(opened: Unit, leases: Sequence[Lease], reason: EndReason | None, *, context: Context | None = None) -> None:
    """End leases without serving the queue; ``reason`` None means that time or death ended them: ``context`` tells which."""
    for lease in leases:
        why = reason or (_reason(context, lease) if context else EndReason.EXPIRED)
        opened.tx.leases.end((lease.token,), opened.now.boot_s, why)
        if reason is None:
            opened.log(
                f"lease {why.value}",
                agent=lease.agent,
                stream=lease.stream,
                level=Level.DEBUG if why is EndReason.LAPSED else Level.INFO,
                files=(lease.resource,),
                token=lease.token,
            )
        if why is EndReason.LAPSED:
            decide_in(opened, lease.request, f"{lease.agent} did not claim its grant in time; it passed on")


def end_and_serve(
    opened: Unit, leases: Sequence[Lease], reason: EndReason | None, *, context: Context | None = None
) -> list[Request]:
    """End leases and reserve what that frees for waiters, in this transaction; returns the requests served."""
    end(opened, leases, reason, context=context)
    return serve(opened, [lease.resource for lease in leases])


def serve(opened: Unit, freed: Sequence[str]) -> list[Request]:
    """Reserve for the waiters that freed resources let through, first come first served."""
    candidates = opened.tx.requests.overlapping(freed)
    if not candidates:
        return []
    around = sorted({resource for request in candidates for resource, _ in request.resources})
    queue = opened.tx.requests.overlapping(around)
    live = opened.tx.leases.overlapping(sorted({r for request in queue for r, _ in request.resources}))
    limits = opened.tx.sessions.configuration().limits
    # Only candidates: for the others the queue read here may lack somebody who comes before them.
    able = {request.id for request in candidates}
    grants = [request for request in served(queue, live) if request.id in able]
    for request in grants:
        claim_by_s = opened.now.boot_s + limits.claim_ttl_s
        agent = opened.tx.agents.get(request.agent)
        grant(opened, request, request.resources, agent.owner if agent else request.waiter, claim_by_s=claim_by_s)
        opened.tx.requests.remove(request.id)
        opened.rings.append(request.bell)
    return grants


def grant(
    opened: Unit,
    request: Request,
    needed: Sequence[tuple[str, Mode]],
    owner: Process | None,
    *,
    claim_by_s: float | None = None,
) -> list[Lease]:
    """Record the leases of one grant under consecutive tokens, with their entry."""
    if not needed:
        return []
    now = opened.now
    first = opened.tx.tokens(len(needed))
    leases = [
        Lease(
            token=first + index,
            resource=resource,
            mode=mode,
            agent=request.agent,
            stream=request.stream,
            task=request.task,
            session=request.session,
            state=LeaseState.HELD if claim_by_s is None else LeaseState.RESERVED,
            request=request.id,
            boot_id=now.boot_id,
            granted_s=now.boot_s,
            expires_s=now.boot_s + min(request.duration_s, longest_s),
            limit_s=now.boot_s + longest_s,
            claim_by_s=claim_by_s,
            granted_at=now.wall(),
            expires_at=now.wall(min(request.duration_s, longest_s)),
            noted="",
            landing=None,
            owner=owner,
        )
        for index, (resource, mode) in enumerate(needed)
        for longest_s in (_longest_s(opened, resource),)
    ]
    for lease in leases:
        opened.tx.leases.add(lease)
    opened.log(
        "lock granted" if claim_by_s is None else "lock reserved",
        agent=request.agent,
        stream=request.stream,
        files=[lease.resource for lease in leases],
        tokens=[lease.token for lease in leases],
        mode=leases[0].mode.value,
    )
    return leases


def _longest_s(opened: Unit, resource: str) -> float:
    """Return the longest life of a lease on this resource: the general limit or that of a critical file in it."""
    configuration = opened.tx.sessions.configuration()
    critical = critical_files(resource, configuration.critical_files)
    return min([configuration.limits.max_duration_s, *(file.max_lock_duration_s for file in critical)])


def bases(opened: Unit, names: Sequence[str]) -> dict[str, str]:
    """Return the commit that last changed each resource: the newest landing on it, else the session's base."""
    session = opened.active()
    found: dict[str, str] = {}
    for name in names:
        landings = opened.tx.landings.last_on(session.id, (name,))
        found[name] = landings[-1].commit if landings else session.base
    return found


def withdraw(opened: Unit, requests: Iterable[Request]) -> None:
    """Take requests out of the queue and close their records."""
    for request in requests:
        opened.tx.requests.remove(request.id)
        decide_in(opened, request.id, f"{request.agent} left the queue without the lease")


def renew_in(opened: Unit, agent: str, duration_s: float | None = None) -> list[Lease]:
    """Renew an agent's leases inside an open unit."""
    limits = opened.tx.sessions.configuration().limits
    length_s = limits.default_duration_s if duration_s is None else duration_s
    kept: list[Lease] = []
    for lease in opened.tx.leases.of_agent(agent):
        if lease.state is not LeaseState.HELD or expired(lease, opened.now.boot_id, opened.now.boot_s):
            continue
        until_s = renewed_until(lease, opened.now.boot_s, length_s)
        renewed = replace(lease, expires_s=until_s, expires_at=opened.now.wall(until_s - opened.now.boot_s))
        if renewed != lease:
            opened.tx.leases.replace(renewed)
        kept.append(renewed)
    if kept:
        opened.log("leases renewed", agent=agent, level=Level.DEBUG, files=[lease.resource for lease in kept])
    return kept
