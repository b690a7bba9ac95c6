"""Leases: acquire, claim, renew, release, clean up, and the answers to "who has it" (000 §3.3; DESIGN §3.1 to §3.4).

``acquire`` is one transaction when it is granted or refused at once. A caller that is willing to wait gets a place in
the queue in that same transaction, sleeps on its bell, and claims its reservation in a second one. Whoever ends a lease
serves the queue in the transaction that ends it. Dead owners and expired leases are met where they stand in the way,
so no reaper process is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pucs.agents.records import Phase
from pucs.conflicts.records import Kind, Strategy
from pucs.coordinator.agents import acting, step
from pucs.coordinator.conflicts import decide_in, record
from pucs.coordinator.context import Context, Unit, unit
from pucs.coordinator.granting import bases, end_and_serve, grant, over, renew_in, serve, settled, withdraw, withdrawn
from pucs.coordinator.partition import boundaries_of
from pucs.core.errors import Refused, Usage
from pucs.core.modes import Mode
from pucs.core.resources import is_directory, is_named, is_symbol
from pucs.crosslog.records import Level
from pucs.locks.records import Blocked, EndReason, Granted, Lease, LeaseState, Request
from pucs.locks.rules import decide, expired, normalised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pucs.core.processes import Process

RESOURCES_MAX = 10_000
"""Most resources in one set: a grant is one short transaction, and whoever wants more wants a directory."""
WAITING_MAX = 10_000
"""Longest queue: beyond it a newcomer is refused, so that serving the queue stays one short transaction."""
SAFETY_CHECK_S = 1.0
"""Longest sleep of a waiter without looking (DESIGN §3.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquired:
    """The answer to ``acquire`` (000 §3.3 ``LockResult``)."""

    granted: bool
    tokens: dict[str, int] = field(default_factory=dict)
    """Fencing token by resource."""
    expires_at: str = ""
    """Wall time at which the first of them ends."""
    queue_position: int = 0
    """Place in the queue, 1 for the next; 0 when granted."""
    wait_time: float = 0.0
    """Seconds until it is free at the latest if nobody renews; 0 when granted."""
    reason: str = ""
    """Why not, in one sentence; names holder, task and time."""
    base: dict[str, str] = field(default_factory=dict)
    """Commit that last changed each resource; work must build on it (DESIGN §3.5)."""
    conflict: int = 0
    """Conflict record of the wait or the refusal, 0 if none."""
    waited_s: float = 0.0
    """Seconds spent in the queue."""


def acquire(
    context: Context,
    *,
    agent: str,
    resources: Sequence[str],
    mode: Mode = Mode.EXCLUSIVE,
    duration_s: float | None = None,
    wait_s: float = 0.0,
    task: str = "",
    stream: str = "",
    cancelled: Callable[[], bool] = bool,
) -> Acquired:
    """Lease a set of canonical resources for an agent, whole or not at all.

    Asking again for what one holds keeps the old tokens. A set that cannot be granted is refused at once, or, with
    ``wait_s`` and no other lease in hand, waits in the queue: a waiter holds nothing of the set. ``cancelled`` is asked
    at each wake-up, at most a second apart.

    Raises:
        Usage: empty, too large, or of a kind that cannot be leased.
        Refused: no session, or the agent was ended.
    """
    asked = _checked(resources, mode)
    if wait_s <= 0:
        with unit(context) as opened:
            answer, _ = _ask(context, opened, agent, stream, asked, duration_s, task)
            return answer
    name = f"{context.processes.current().pid}-{agent}-{context.clock.now().boot_s:.6f}"
    with context.bells.hang(name) as bell:
        with unit(context) as opened:
            began_s = opened.now.boot_s
            answer, request = _ask(context, opened, agent, stream, asked, duration_s, task, wait_s=wait_s, bell=name)
        if request is None:
            return answer
        while True:
            with unit(context) as opened:
                verdict = _look(context, opened, request, began_s, cancelled=cancelled())
                timeout_s, watched = _until(opened, request)
            if verdict is not None:
                return verdict
            bell.wait(timeout_s, watched)


def _checked(resources: Sequence[str], mode: Mode) -> tuple[tuple[str, Mode], ...]:
    if not resources:
        raise Usage("No resource was named.", remedy="Name at least one file or directory.")
    if len(resources) > RESOURCES_MAX:
        raise Usage(f"{len(resources)} resources in one call are too many.", remedy=f"At most {RESOURCES_MAX}; lease a directory.")
    for resource in resources:
        if is_named(resource) or is_symbol(resource):
            raise Usage(f"{resource} cannot be leased yet.", remedy="Lease the file or directory.")
    return normalised((resource, mode) for resource in resources)


def _ask(
    context: Context,
    opened: Unit,
    agent: str,
    stream: str,
    asked: tuple[tuple[str, Mode], ...],
    duration_s: float | None,
    task: str,
    *,
    wait_s: float = 0.0,
    bell: str = "",
) -> tuple[Acquired, Request | None]:
    """Decide a request; grant it, refuse it, or put it in the queue and return it."""
    session = opened.active()
    who = acting(opened, agent, stream=stream)
    names = [resource for resource, _ in asked]
    crossed = _crossed(opened, who.stream, names) if asked[0][1] is Mode.EXCLUSIVE else None
    if crossed is not None:
        return _refuse_at_boundary(opened, agent, who.stream, *crossed), None
    limits = opened.tx.sessions.configuration().limits
    request = Request(
        id=0,
        agent=agent,
        stream=who.stream,
        task=task,
        session=session.id,
        resources=asked,
        duration_s=limits.default_duration_s if duration_s is None else min(duration_s, limits.max_duration_s),
        boot_id=opened.now.boot_id,
        asked_s=opened.now.boot_s,
        deadline_s=opened.now.boot_s + min(wait_s, limits.queue_timeout_s),
        waiter=context.processes.current() if wait_s > 0 else None,
    )
    live, waiting = settled(context, opened, names)
    verdict = decide(request, live, waiting)
    if isinstance(verdict, Granted):
        leases = grant(opened, request, verdict.needed, who.owner)
        _ = step(opened, who, Phase.ACQUIRE_LOCKS, task=task)
        return _answer(opened, names, [*leases, *verdict.kept]), None
    holding = opened.tx.leases.of_agent(agent)
    blocked = _blocked(opened, verdict, holding=bool(holding) and wait_s > 0)
    if wait_s <= 0 or holding:
        opened.log("lock denied", agent=agent, stream=who.stream, level=Level.DEBUG, files=names, reason=blocked.reason)
        return blocked, None
    if len(opened.tx.requests.waiting()) >= WAITING_MAX:
        return replace(blocked, reason=f"The queue is full ({WAITING_MAX} waiting)."), None
    return blocked, _enqueue(opened, request, verdict, bell)


def _crossed(opened: Unit, stream: str, names: Iterable[str]) -> tuple[str, str] | None:
    """Return the first resource that another stream covers, with that stream."""
    if not stream:
        return None  # a person's agent has no boundary (DESIGN §5)
    boundaries = boundaries_of(opened.tx, opened.active().id)
    for name in names:
        other = boundaries.crossed(name, stream)
        if other is not None:
            return name, other
    return None


def _refuse_at_boundary(opened: Unit, agent: str, stream: str, resource: str, other: str) -> Acquired:
    reason = f"{resource} belongs to stream {other}; {agent} works for {stream}."
    conflict = record(
        opened,
        Kind.BOUNDARY,
        (agent, stream, other),
        (resource,),
        strategy=Strategy.ARBITRATE,
        decision="refused by the boundary rule before anything was changed",
        covered_by=other,
    )
    opened.log(
        "boundary refused", agent=agent, stream=stream, level=Level.CONFLICT, files=(resource,), other=other, conflict=conflict
    )
    return Acquired(granted=False, reason=f"{reason} Ask an agent of {other} to make the change.", conflict=conflict)


def _blocked(opened: Unit, verdict: Blocked, *, holding: bool) -> Acquired:
    parts = [
        f"{lease.resource} is held by {lease.agent}"
        + (f" ({lease.task})" if lease.task else "")
        + f" until {lease.expires_at}"
        for lease in verdict.holders[:3]
    ]
    if not verdict.holders:
        parts = [f"{request.agent} asked first" for request in verdict.ahead[:3]]
    reason = "; ".join(parts) + "."
    if holding:
        reason += " You hold other leases: land or release them before you wait."
    return Acquired(
        granted=False, queue_position=verdict.position, wait_time=round(verdict.wait_s(opened.now.boot_s), 3), reason=reason
    )


def _answer(opened: Unit, names: Sequence[str], leases: Sequence[Lease]) -> Acquired:
    base = bases(opened, names)
    return Acquired(
        granted=True,
        tokens={lease.resource: lease.token for lease in leases},
        expires_at=min(lease.expires_at for lease in leases),
        base=base,
    )


def _enqueue(opened: Unit, request: Request, verdict: Blocked, bell: str) -> Request:
    holders = sorted({lease.agent for lease in verdict.holders} | {other.agent for other in verdict.ahead})
    names = tuple(resource for resource, _ in request.resources)
    conflict = record(
        opened,
        Kind.FILE_LOCK,
        (request.agent, *holders),
        names,
        strategy=Strategy.QUEUE,
        tokens=[lease.token for lease in verdict.holders],
        task=request.task,
    )
    queued = replace(request, id=conflict, bell=bell)
    opened.tx.requests.add(queued)
    opened.log(
        "lock queued",
        agent=request.agent,
        stream=request.stream,
        level=Level.CONFLICT,
        files=names,
        position=verdict.position,
        behind=holders,
        conflict=conflict,
    )
    return queued


def _look(context: Context, opened: Unit, request: Request, began_s: float, *, cancelled: bool) -> Acquired | None:
    """Look after a waiting request: claim its grant, give up, or return None to go on waiting."""
    names = [resource for resource, _ in request.resources]
    reserved = opened.tx.leases.of_request(request.id)
    waiting = opened.tx.requests.get(request.id)
    if waiting is not None:
        settled(context, opened, names)
        reserved = opened.tx.leases.of_request(request.id)
        waiting = opened.tx.requests.get(request.id)
    now = opened.now
    if reserved and not cancelled and not any(expired(lease, now.boot_id, now.boot_s) for lease in reserved):
        return _claim(opened, request, reserved, began_s)
    if waiting is not None and not cancelled and now.boot_s < request.deadline_s:
        return None
    if reserved:
        end_and_serve(opened, reserved, EndReason.LAPSED)
    withdraw(opened, [request])
    serve(opened, names)
    said = "cancelled" if cancelled else "timed out" if waiting is not None else "came too late to claim it"
    opened.log(f"lock wait {said}", agent=request.agent, stream=request.stream, files=names, conflict=request.id)
    return Acquired(
        granted=False,
        reason=f"The wait for {', '.join(names[:3])} {said}.",
        conflict=request.id,
        waited_s=round(now.boot_s - began_s, 6),
    )


def _claim(opened: Unit, request: Request, reserved: Sequence[Lease], began_s: float) -> Acquired:
    now = opened.now
    leases = []
    for lease in reserved:
        length_s = min(request.duration_s, lease.limit_s - lease.granted_s)
        claimed = replace(
            lease,
            state=LeaseState.HELD,
            claim_by_s=None,
            expires_s=now.boot_s + length_s,
            limit_s=now.boot_s + (lease.limit_s - lease.granted_s),
            expires_at=now.wall(length_s),
        )
        opened.tx.leases.replace(claimed)
        leases.append(claimed)
    waited_s = round(now.boot_s - began_s, 6)
    names = [lease.resource for lease in leases]
    decide_in(opened, request.id, f"{request.agent} waited {waited_s:.3f} s in the queue and was granted")
    agent = opened.tx.agents.get(request.agent)
    if agent is not None:
        step(opened, agent, Phase.ACQUIRE_LOCKS, task=request.task)
    opened.log("lock claimed", agent=request.agent, stream=request.stream, files=names, waited_s=waited_s)
    return replace(_answer(opened, names, leases), conflict=request.id, waited_s=waited_s)


def _until(opened: Unit, request: Request) -> tuple[float, list[Process]]:
    """Return how long the waiter may sleep and whose death must wake it."""
    names = [resource for resource, _ in request.resources]
    live = [lease for lease in opened.tx.leases.overlapping(names) if lease.agent != request.agent]
    now_s = opened.now.boot_s
    earliest_s = min([lease.left_s(now_s) for lease in live] + [max(0.0, request.deadline_s - now_s), SAFETY_CHECK_S])
    return earliest_s, list({lease.owner for lease in live if lease.owner is not None})


def renew(context: Context, *, agent: str, duration_s: float | None = None) -> list[Lease]:
    """Renew every lease an agent holds and return them; one transaction.

    None goes beyond its limit (maximum durations count from the first grant). Leases that have ended are not revived.
    """
    with unit(context) as opened:
        who = acting(opened, agent)
        return renew_in(opened, who.id, duration_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What a release gave up."""

    resources: tuple[str, ...]
    served: tuple[str, ...] = ()
    """Agents that were granted something by it."""


def release(
    context: Context,
    *,
    agent: str,
    resources: Sequence[str] | None = None,
    token: int | None = None,
    reason: EndReason = EndReason.RELEASED,
) -> Released:
    """Give up an agent's leases, all or those on exactly these resources, and serve the queue; one transaction.

    With ``token`` only the lease with that token ends, so that a late owner cannot end its successor's lease. Releasing
    what one does not hold changes nothing. Whoever has unlanded edits under a lease lands or parks them first.
    """
    with unit(context) as opened:
        who = acting(opened, agent)
        held = [lease for lease in opened.tx.leases.of_agent(agent) if lease.landing is None]
        if resources is not None:
            wanted = set(resources)
            held = [lease for lease in held if lease.resource in wanted]
        if token is not None:
            held = [lease for lease in held if lease.token == token]
        if not held:
            return Released(resources=())
        served_now = end_and_serve(opened, held, reason)
        names = tuple(lease.resource for lease in held)
        opened.log("lock released", agent=agent, stream=who.stream, files=names, tokens=[lease.token for lease in held])
        step(opened, who, Phase.RELEASE_LOCKS)
        return Released(resources=names, served=tuple(request.agent for request in served_now))


def cleanup(context: Context) -> list[Lease]:
    """End every lease that is over by time or by the death of its owner, serve the queue, and return them."""
    with unit(context) as opened:
        ended = over(context, opened, opened.tx.leases.live())
        gone = [request for request in opened.tx.requests.waiting() if withdrawn(context, opened, request)]
        withdraw(opened, gone)
        end_and_serve(opened, ended, None, context=context)
        serve(opened, [resource for request in gone for resource, _ in request.resources])
        return ended


def locks(context: Context, *, stream: str = "") -> list[Lease]:
    """Return the live leases, of one stream or all, by resource."""
    with context.store.read() as tx:
        return [lease for lease in tx.leases.live() if not stream or lease.stream.casefold() == stream.casefold()]


def queue(context: Context, *, resources: Sequence[str] = ()) -> list[Request]:
    """Return the requests waiting for these resources (all if none is named), in order."""
    with context.store.read() as tx:
        return tx.requests.overlapping(resources) if resources else tx.requests.waiting()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything that decides whether a resource can be had (``pucs why``)."""

    resource: str
    stream: str
    """Stream that covers it; empty: shared."""
    holders: tuple[Lease, ...]
    waiting: tuple[Request, ...]
    base: str
    """Commit that last changed it."""
    changed_by: str
    """Agent of that change; empty if it is as the session found it."""


def why(context: Context, *, resource: str) -> Explanation:
    """Explain a resource: who covers it, holds it, waits for it and changed it last."""
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
        if session is None:
            raise Refused("There is no active session.", remedy="Start one with: pucs init")
        landings = tx.landings.last_on(session.id, (resource,))
        owner = None if is_directory(resource) else boundaries_of(tx, session.id).owner(resource)
        return Explanation(
            resource=resource,
            stream=owner or "",
            holders=tuple(tx.leases.overlapping((resource,))),
            waiting=tuple(tx.requests.overlapping((resource,))),
            base=landings[-1].commit if landings else session.base,
            changed_by=landings[-1].agent if landings else "",
        )
