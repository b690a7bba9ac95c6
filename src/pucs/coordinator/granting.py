"""Granting and ending leases inside an open unit: what every verb that touches leases shares.

Whoever ends a lease serves the queue in the same transaction, so a grant never depends on a third party (DESIGN §3.3).
Dead owners and expired leases are met where they stand in the way; no reaper process is needed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pucs.coordinator.limits import limits_in
from pucs.coordinator.liveness import ended_by
from pucs.coordinator.messages import alert, send_in, unsay_in
from pucs.coordinator.partition import critical_files
from pucs.core.resources import is_named
from pucs.crosslog.records import Level
from pucs.locks.records import EndReason, Lease, LeaseState, Request
from pucs.locks.rules import WARNING_S_MAX, expired, near_limit, renewed_until, served, weaker
from pucs.messages.records import MessageKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pucs.conflicts.records import Conflict
    from pucs.coordinator.context import Context, Unit
    from pucs.coordinator.ports import Transaction
    from pucs.core.instants import Instant
    from pucs.core.modes import Mode
    from pucs.core.processes import Process
    from pucs.streams.records import Session

WITHDRAWAL_GRACE_S = 1.0
"""Time beyond its deadline in which a waiter finds it first itself, and says so."""
RESOURCES_TOLD = 20
"""Resources named in a message about a lease; the entry has all of them."""
_UNWATCHED = "is not waited for any more"
_ENDINGS = {
    EndReason.RELEASED: ("lock released", Level.INFO),
    EndReason.LANDED: ("lock released", Level.DEBUG),
    EndReason.EXPIRED: ("lease expired", Level.INFO),
    EndReason.RECLAIMED: ("lease reclaimed", Level.INFO),
    EndReason.LAPSED: ("lease lapsed", Level.DEBUG),
    EndReason.PARKED: ("lease parked", Level.INFO),
    EndReason.CONVERTED: ("lease converted", Level.DEBUG),
    EndReason.HANDED_OVER: ("lease handed over", Level.INFO),
}


def settled(context: Context, opened: Unit, names: Sequence[str]) -> tuple[list[Lease], list[Request]]:
    """Return live leases and waiting requests around these resources, after ending what is over and serving whom it frees.

    Whoever is served may be over at once, as an agent whose owner has died; so this goes round until nothing ends. Every
    round takes leases or requests away for good, and a request that was served does not come back.
    """
    while True:
        live = opened.tx.leases.overlapping(names)
        waiting = opened.tx.requests.overlapping(names)
        ended = _whole(opened, over(context, opened, live))
        gone = [request for request in waiting if withdrawn(context, opened, request)]
        if not ended and not gone:
            return live, waiting
        freed = [lease.resource for lease in ended] + _wanted(gone)
        withdraw(opened, gone)
        end(opened, ended, None, context=context)
        serve(opened, freed, context=context)


def _whole(opened: Unit, ended: Sequence[Lease]) -> list[Lease]:
    """Return these leases with the rest of each reserved set: one that nobody claimed passes on whole."""
    whole = {lease.token: lease for lease in ended}
    for request in {lease.request for lease in ended if lease.state is LeaseState.RESERVED}:
        whole.update((lease.token, lease) for lease in opened.tx.leases.of_request(request))
    return list(whole.values())


def over(context: Context, opened: Unit, live: Iterable[Lease]) -> list[Lease]:
    """Return the leases that have ended by time or by the death of their owner."""
    return ended_by(context.processes, opened.now, live)


def withdrawn(context: Context, opened: Unit, request: Request) -> bool:
    """Tell whether nobody waits for a request any more: another boot, long past its deadline, or its waiter died."""
    if given_up(request, opened.now):
        return True
    return request.waiter is not None and context.processes.alive(request.waiter) is False


def given_up(request: Request, now: Instant) -> bool:
    """Tell whether a request is over by time, whatever its waiter does."""
    # The grace lets the waiter itself find the deadline first and say so.
    return request.boot_id != now.boot_id or request.deadline_s + WITHDRAWAL_GRACE_S <= now.boot_s


def _wanted(requests: Iterable[Request]) -> list[str]:
    return [resource for request in requests for resource, _ in request.resources]


def _reason(context: Context | None, lease: Lease) -> EndReason:
    if context and lease.owner is not None and context.processes.alive(lease.owner) is False:
        return EndReason.RECLAIMED
    return EndReason.LAPSED if lease.state is LeaseState.RESERVED else EndReason.EXPIRED


def end(
    opened: Unit, leases: Sequence[Lease], reason: EndReason | None, *, context: Context | None = None
) -> None:
    """End leases without serving the queue, with their entries; ``reason`` None: time or death ended them.

    A reservation that ends closes the record of its wait: whatever the reason, nobody claimed it.
    """
    together: dict[tuple[str, EndReason], list[Lease]] = {}
    for lease in leases:
        why = reason or _reason(context, lease)
        opened.tx.leases.end((lease.token,), opened.now.boot_s, why)
        together.setdefault((lease.agent, why), []).append(lease)
        if lease.state is LeaseState.RESERVED:
            from pucs.coordinator.conflicts import decide_in  # noqa: PLC0415 - few waits end with a decision

            wait = decide_in(
                opened, lease.request, f"{lease.agent} did not claim its grant in time; it passed on"
            )
            if wait is not None and wait.evidence.get("suspended"):
                _tell_late(opened, lease.agent, wait, lapsed=why is EndReason.LAPSED)
    for (agent, why), ended in together.items():
        action, level = _ENDINGS[why]
        opened.log(
            action,
            agent=agent,
            stream=ended[0].stream,
            level=level,
            files=[lease.resource for lease in ended],
            tokens=[lease.token for lease in ended],
        )


def end_and_serve(
    opened: Unit, leases: Sequence[Lease], reason: EndReason | None, *, context: Context | None = None
) -> list[Request]:
    """End leases and reserve what that frees for waiters, in this transaction; returns the requests served.

    With ``context`` the dead are passed over; without it what is reserved for them passes on when somebody looks.
    """
    end(opened, leases, reason, context=context)
    return serve(opened, [lease.resource for lease in leases], context=context)


def serve(opened: Unit, freed: Sequence[str], *, context: Context | None = None) -> list[Request]:
    """Reserve for the waiters that freed resources let through, first come first served."""
    while True:
        grants = _served(opened, freed)
        gone = [request for request in grants if _gone(context, opened, request)]
        if not gone:
            break
        freed = [*freed, *_wanted(gone)]  # who waited behind them may have waited for them alone
        withdraw(opened, gone)
    for request in grants:
        agent = opened.tx.agents.get(request.agent)
        owner = agent.owner if agent else request.waiter
        claim_s = request.claim_s or opened.tx.sessions.configuration().limits.claim_ttl_s
        claim_by_s = opened.now.boot_s + claim_s
        opened.tx.requests.remove(request.id)
        # What the waiter holds in a weaker mode stays until it claims, so that coming too late costs it nothing.
        own = opened.tx.leases.of_agent(request.agent)
        weak = weaker(request.agent, request.resources, own)
        needed = _not_had(opened, request, own) if request.suspended else request.resources
        opened.rings.append(request.bell)
        if not needed:
            withdraw(opened, [request], "was for what its agent has by now")
            continue
        grant(opened, request, needed, owner, claim_by_s=claim_by_s, instead_of=weak)
        if request.suspended:
            _tell_turn(opened, request, needed, claim_s)
    return grants


def _not_had(opened: Unit, request: Request, own: Iterable[Lease]) -> tuple[tuple[str, Mode], ...]:
    """Return what of a set is neither held by its agent nor reserved for it: it may have asked for parts of it before."""
    now = opened.now
    had = {(one.resource, one.mode) for one in own if not expired(one, now.boot_id, now.boot_s)}
    return tuple(item for item in request.resources if item not in had)


def _tell_turn(opened: Unit, request: Request, given: Sequence[tuple[str, Mode]], claim_s: float) -> None:
    """Tell an agent that no process waits for what is reserved for it."""
    names = [resource for resource, _ in given]
    send_in(
        opened,
        MessageKind.LOCK_GRANTED,
        request.agent,
        text=(
            f"It is your turn for {', '.join(names[:RESOURCES_TOLD])}: reserved for you until {opened.now.wall(claim_s)}. "
            "Edit it, or ask for it, and it is yours; after that it passes on."
        ),
        conflict=request.id,
        files=names[:RESOURCES_TOLD],
    )


def _served(opened: Unit, freed: Sequence[str]) -> list[Request]:
    candidates = opened.tx.requests.overlapping(freed)
    if not candidates:
        return []
    queue = opened.tx.requests.overlapping(sorted(set(_wanted(candidates))))
    wanted = sorted(set(_wanted(queue)))
    live = opened.tx.leases.overlapping(wanted)
    limits = limits_in(opened.tx, opened.now, wanted)
    # Only candidates: for the others the queue read here may lack somebody who comes before them.
    able = {request.id for request in candidates}
    return [request for request in served(queue, live, limits) if request.id in able]


def _gone(context: Context | None, opened: Unit, request: Request) -> bool:
    """Tell whether a reservation would be lost on a request: its waiter is gone, or its agent has ended."""
    agent = opened.tx.agents.get(request.agent)
    if agent is not None and (not agent.active or agent.terminated):
        return True
    return context is not None and withdrawn(context, opened, request)


def grant(
    opened: Unit,
    request: Request,
    needed: Sequence[tuple[str, Mode]],
    owner: Process | None,
    *,
    claim_by_s: float | None = None,
    noted: Mapping[str, str] | None = None,
    instead_of: Sequence[Lease] = (),
) -> list[Lease]:
    """Record the leases of one grant under consecutive tokens, with their entry.

    ``instead_of`` are the agent's own leases on some of these resources in another mode. The new ones go no further
    than their limits and keep what was noted; with ``claim_by_s`` the old ones stay until the claim, else they end here.
    """
    if not needed:
        return []
    now = opened.now
    old = {lease.resource: lease for lease in instead_of}
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
            noted=(noted or {}).get(resource, ""),
            landing=None,
            owner=owner,
        )
        for index, (resource, mode) in enumerate(needed)
        for longest_s in (_longest_s(opened, resource),)
    ]
    if old:
        leases = [
            in_place_of(old[lease.resource], lease, now) if lease.resource in old else lease
            for lease in leases
        ]
    for lease in leases:
        opened.tx.leases.add(lease)
    if old and claim_by_s is None:
        end(opened, instead_of, EndReason.CONVERTED)
    waited: dict[str, Any] = {} if claim_by_s is None else {"conflict": request.id}
    opened.log(
        "lock granted" if claim_by_s is None else "lock reserved",
        agent=request.agent,
        stream=request.stream,
        files=[lease.resource for lease in leases],
        tokens=[lease.token for lease in leases],
        mode=leases[0].mode,
        **waited,
    )
    return leases


def in_place_of(old: Lease, new: Lease, now: Instant) -> Lease:
    """Return a lease that takes the place of one in another mode: no fresh limit, and the same note of the file."""
    limit_s = min(old.limit_s, new.limit_s)
    expires_s = min(new.expires_s, limit_s)
    return replace(
        new,
        limit_s=limit_s,
        expires_s=expires_s,
        expires_at=now.wall(expires_s - now.boot_s),
        noted=old.noted or new.noted,
        warned=old.warned,
    )


def _longest_s(opened: Unit, resource: str) -> float:
    """Return the longest life of a lease on this resource: the general limit or that of a critical file in it."""
    configuration = opened.tx.sessions.configuration()
    if is_named(resource):
        return configuration.limits.max_duration_s
    critical = critical_files(resource, configuration.critical_files)
    return min([configuration.limits.max_duration_s, *(file.max_lock_duration_s for file in critical)])


def bases(tx: Transaction, session: Session, names: Sequence[str]) -> dict[str, str]:
    """Return the commit that last changed each resource: the newest landing on it, else the session's base."""
    landings = ((name, tx.landings.last_on(session.id, (name,))) for name in names)
    return {name: found[-1].commit if found else session.base for name, found in landings}


def withdraw(opened: Unit, requests: Iterable[Request], why: str = _UNWATCHED) -> None:
    """Take requests out of the queue and close their records."""
    for request in requests:
        opened.tx.requests.remove(request.id)
        from pucs.coordinator.conflicts import decide_in  # noqa: PLC0415 - few waits end with a decision

        decide_in(opened, request.id, f"{request.agent} left the queue without the lease: its wait {why}")
        opened.log(
            f"lock wait {why}",
            agent=request.agent,
            stream=request.stream,
            files=[resource for resource, _ in request.resources],
            conflict=request.id,
        )
        _tell_denied(opened, request, why)


def _tell_denied(opened: Unit, request: Request, why: str) -> None:
    """Tell an agent that it left the queue; a waiting process is answered instead, and needs no message."""
    agent = opened.tx.agents.get(request.agent)
    if why != _UNWATCHED or agent is None or not agent.active:
        return
    send_in(
        opened,
        MessageKind.LOCK_DENIED,
        request.agent,
        text=f"Your wait for a lease {why}. Ask again if you still need it.",
        conflict=request.id,
        files=[resource for resource, _ in request.resources][:RESOURCES_TOLD],
    )


def _tell_late(opened: Unit, agent: str, wait: Conflict, *, lapsed: bool) -> None:
    """Take back what an agent was told of its turn, and tell it if that passed on."""
    if opened.session is None:
        return
    unsay_in(opened, agent, MessageKind.LOCK_GRANTED, wait.id)
    known = opened.tx.agents.get(agent)
    if lapsed and known is not None and known.active and known.session == opened.session.id:
        send_in(
            opened,
            MessageKind.LOCK_DENIED,
            agent,
            text=f"Your turn for {', '.join(wait.resources[:RESOURCES_TOLD])} passed on, because nobody claimed it in time. "
            "Ask again if you still need it.",
            conflict=wait.id,
            files=list(wait.resources[:RESOURCES_TOLD]),
        )


def renew_in(opened: Unit, agent: str, duration_s: float | None = None) -> list[Lease]:
    """Renew an agent's leases inside an open unit; the holder of one that comes near its limit is told once."""
    limits = opened.tx.sessions.configuration().limits
    length_s = limits.default_duration_s if duration_s is None else duration_s
    kept: list[Lease] = []
    ending: list[Lease] = []
    for lease in opened.tx.leases.of_agent(agent):
        if lease.state is not LeaseState.HELD or expired(lease, opened.now.boot_id, opened.now.boot_s):
            continue
        until_s = renewed_until(lease, opened.now.boot_s, length_s)
        renewed = replace(lease, expires_s=until_s, expires_at=opened.now.wall(until_s - opened.now.boot_s))
        close = not lease.warned and lease.limit_s - opened.now.boot_s <= WARNING_S_MAX
        if close and near_limit(lease, opened.now.boot_s, _longest_s(opened, lease.resource)):
            renewed = replace(renewed, warned=True)
            ending.append(renewed)
        if renewed != lease:
            opened.tx.leases.replace(renewed)
        kept.append(renewed)
    if kept:
        opened.log("leases renewed", agent=agent, level=Level.DEBUG, files=[lease.resource for lease in kept])
    if ending:
        _warn(opened, agent, ending)
    return kept


def _warn(opened: Unit, agent: str, ending: Sequence[Lease]) -> None:
    names = [lease.resource for lease in ending]
    left_s = min(lease.limit_s for lease in ending) - opened.now.boot_s
    at = opened.now.wall(left_s)
    opened.log("lease near its limit", agent=agent, stream=ending[0].stream, files=names, ends_at=at)
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    text = (
        f"Your lease on {names[0]}{more} has its longest duration at {at} and is not renewed beyond. Land before: what "
        "has not landed is kept aside if somebody else is granted it."
    )
    alert(opened, 0, [agent], names, text=text)
