"""Leases: acquire, claim, renew, release, clean up, and the answers to "who has it" (000 §3.3; DESIGN §3.1 to §3.4).

``acquire`` is one transaction when it is granted or refused at once. A caller that is willing to wait gets a place in
the queue in that same transaction, sleeps on its bell, and claims its reservation in a second one. Whoever ends a lease
serves the queue in the transaction that ends it. Dead owners and expired leases are met where they stand in the way,
so no reaper process is needed.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import isnan
from typing import TYPE_CHECKING

from pucs.agents.records import Phase
from pucs.conflicts.records import Kind, Strategy
from pucs.coordinator.agents import acting, checked_name, step
from pucs.coordinator.conflicts import decide_in, record
from pucs.coordinator.context import Context, Unit, unit
from pucs.coordinator.granting import (
    WITHDRAWAL_GRACE_S,
    bases,
    end,
    end_and_serve,
    grant,
    over,
    renew_in,
    serve,
    settled,
    withdraw,
    withdrawn,
)
from pucs.coordinator.liveness import ended_by
from pucs.coordinator.partition import boundaries_of
from pucs.core.errors import PucsError, Refused, Usage
from pucs.core.modes import Mode
from pucs.core.resources import is_named, is_symbol
from pucs.crosslog.records import Level
from pucs.locks.records import Blocked, EndReason, Granted, Lease, LeaseState, Request
from pucs.locks.rules import conflicting, decide, expired, normalised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pucs.coordinator.ports import Bell
    from pucs.core.processes import Process

RESOURCES_MAX = 10_000
"""Most resources in one set: a grant is one short transaction, and whoever wants more wants a directory."""
WAITING_MAX = 10_000
"""Longest queue: beyond it a newcomer is refused, so that serving the queue stays one short transaction."""
HOLDERS_NAMED = 3
"""Holders named in a refusal; the others are seen with ``pucs locks``."""
SAFETY_CHECK_S = 1.0
"""Longest sleep of a waiter without looking (DESIGN §3.3)."""
SHORTEST_SLEEP_S = 0.001
"""A waiter never spins, whatever the clocks say."""


_LATE = "came too late to claim its grant"
_TIMED_OUT = "timed out"


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
    late: bool = False
    """The grant came while the waiter could not run, and passed on; asking again begins a new wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What ``acquire`` was asked for."""

    asked: tuple[tuple[str, Mode], ...]
    agent: str
    stream: str
    duration_s: float | None
    task: str
    noted: Mapping[str, str]


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
    noted: Mapping[str, str] | None = None,
) -> Acquired:
    """Lease a set of canonical resources for an agent, whole or not at all.

    Asking again for what one holds keeps the old tokens. A set that cannot be granted is refused at once, or, with
    ``wait_s`` and no other lease in hand, waits in the queue: a waiter holds nothing of the set. ``cancelled`` is asked
    at each wake-up, at most a second apart. ``noted`` says what the files look like now (``Worktrees.note``), so that
    giving up unchanged ones needs no git.

    Raises:
        Usage: empty, too large, or of a kind that cannot be leased.
        Refused: no session, or the agent was ended.
    """
    checked_name(agent)
    if (duration_s is not None and not duration_s > 0) or isnan(wait_s):
        raise Usage(
            "A lease lasts longer than nothing.", remedy="Give a positive duration, and seconds to wait."
        )
    wish = _Wish(
        asked=_checked(resources, mode),
        agent=agent,
        stream=stream,
        duration_s=duration_s,
        task=task,
        noted=noted or {},
    )
    if wait_s > 0:
        return _acquire_in_turn(context, wish, wait_s, cancelled)
    while True:
        with unit(context) as opened:
            answer, _ = _ask(context, opened, wish)
        # A dead landing keeps its leases in place until somebody completes it; then it is worth asking again.
        if answer.granted or not answer.queue_position or not _unpinned(context, resources):
            return answer


def _acquire_in_turn(context: Context, wish: _Wish, wait_s: float, cancelled: Callable[[], bool]) -> Acquired:
    """Ask, and wait in the queue if need be."""
    name = f"{context.processes.current().pid}-{wish.agent}-{context.clock.now().boot_s:.6f}"
    with context.bells.hang(name) as bell:
        with unit(context) as opened:
            began_s = opened.now.boot_s
            answer, request = _ask(context, opened, wish, wait_s=wait_s, bell=name)
        if request is None:
            return answer
        try:
            return _wait(context, request, bell, cancelled, began_s=began_s, noted=wish.noted)
        except BaseException:
            # Whoever stops waiting by an exception leaves its place, or others would wait behind nobody.
            with suppress(PucsError), unit(context) as opened:
                _ = _look(context, opened, request, began_s, cancelled=True)
            raise


def _unpinned(context: Context, resources: Sequence[str]) -> bool:
    """Complete or undo landings on these resources that dead processes left behind; tell whether there were any."""
    from pucs.coordinator.settling import settle  # noqa: PLC0415 - light verbs never need it

    with context.store.read() as tx:
        if not tx.intentions.all():
            return False
    return settle(context, resources) > 0


def _wait(
    context: Context,
    request: Request,
    bell: Bell,
    cancelled: Callable[[], bool],
    *,
    began_s: float,
    noted: Mapping[str, str],
) -> Acquired:
    """Sleep until a request is granted or given up."""
    names = [resource for resource, _ in request.resources]
    rung = False
    while True:
        gives_up = cancelled()
        sleep = None if gives_up or rung else _sleep(context, request)
        if sleep is not None:
            if not _unpinned(context, names):
                timeout_s, watched = sleep
                until_s = context.clock.now().boot_s + timeout_s
                bell.wait(timeout_s, watched)
                # Whoever wakes early was rung and most likely granted: it claims without a look around first.
                rung = context.clock.now().boot_s < until_s
            continue
        rung = False
        with unit(context) as opened:
            verdict = _look(context, opened, request, began_s, cancelled=gives_up, noted=noted)
        if verdict is not None:
            return verdict


def _checked(resources: Sequence[str], mode: Mode) -> tuple[tuple[str, Mode], ...]:
    if not resources:
        raise Usage("No resource was named.", remedy="Name at least one file or directory.")
    if len(resources) > RESOURCES_MAX:
        raise Usage(
            f"{len(resources)} resources in one call are too many.",
            remedy=f"At most {RESOURCES_MAX}; lease a directory.",
        )
    for resource in resources:
        if is_named(resource) or is_symbol(resource):
            raise Usage(f"{resource} cannot be leased yet.", remedy="Lease the file or directory.")
    return normalised((resource, mode) for resource in resources)


def _ask(
    context: Context, opened: Unit, wish: _Wish, *, wait_s: float = 0.0, bell: str = ""
) -> tuple[Acquired, Request | None]:
    """Decide a request; grant it, refuse it, or put it in the queue and return it."""
    session = opened.active()
    agent, task = wish.agent, wish.task
    who = acting(opened, agent, stream=wish.stream)
    names = [resource for resource, _ in wish.asked]
    crossed = _crossed(opened, who.stream, names) if wish.asked[0][1] is Mode.EXCLUSIVE else None
    if crossed is not None:
        return _refuse_at_boundary(opened, agent, who.stream, *crossed), None
    limits = opened.tx.sessions.configuration().limits
    request = Request(
        id=0,
        agent=agent,
        stream=who.stream,
        task=task,
        session=session.id,
        resources=wish.asked,
        duration_s=limits.default_duration_s
        if wish.duration_s is None
        else min(wish.duration_s, limits.max_duration_s),
        boot_id=opened.now.boot_id,
        asked_s=opened.now.boot_s,
        deadline_s=opened.now.boot_s + min(wait_s, limits.queue_timeout_s),
        waiter=context.processes.current() if wait_s > 0 else None,
    )
    if who.owner not in {None, context.processes.current()} and context.processes.alive(who.owner) is False:
        raise Refused(f"The process that owned agent {agent} is gone.", remedy="Register the agent again.")
    live, waiting = settled(context, opened, names)
    verdict = decide(request, live, waiting)
    if isinstance(verdict, Granted):
        leases = grant(opened, request, verdict.needed, who.owner, noted=wish.noted)
        _ = step(opened, who, Phase.ACQUIRE_LOCKS, task=task)
        return _answer(opened, names, [*leases, *verdict.kept]), None
    holding = [
        lease
        for lease in opened.tx.leases.of_agent(agent)
        if not expired(lease, opened.now.boot_id, opened.now.boot_s)
    ]
    blocked = _blocked(opened, verdict, holding=bool(holding) and wait_s > 0)
    if wait_s <= 0 or holding:
        opened.log(
            "lock denied",
            agent=agent,
            stream=who.stream,
            level=Level.DEBUG,
            files=names,
            reason=blocked.reason,
        )
        return blocked, None
    if opened.tx.requests.count() >= WAITING_MAX:
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
        "boundary refused",
        agent=agent,
        stream=stream,
        level=Level.CONFLICT,
        files=(resource,),
        other=other,
        conflict=conflict,
    )
    return Acquired(
        granted=False, reason=f"{reason} Ask an agent of {other} to make the change.", conflict=conflict
    )


def _blocked(opened: Unit, verdict: Blocked, *, holding: bool) -> Acquired:
    parts = [_held(lease) for lease in verdict.holders[:HOLDERS_NAMED]]
    if not verdict.holders:
        parts = [f"{request.agent} asked first" for request in verdict.ahead[:HOLDERS_NAMED]]
    reason = "; ".join(parts) + "."
    if holding:
        reason += " You hold other leases: land or release them before you wait."
    return Acquired(
        granted=False,
        queue_position=verdict.position,
        wait_time=round(verdict.wait_s(opened.now.boot_s), 3),
        reason=reason,
    )


def _held(lease: Lease) -> str:
    task = f" ({lease.task})" if lease.task else ""
    return f"{lease.resource} is held by {lease.agent}{task} until {lease.expires_at}"


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


def _look(
    context: Context,
    opened: Unit,
    request: Request,
    began_s: float,
    *,
    cancelled: bool,
    noted: Mapping[str, str] | None = None,
) -> Acquired | None:
    """Look after a waiting request: claim its grant, give up, or return None to go on waiting."""
    names = [resource for resource, _ in request.resources]
    now = opened.now
    timed_out = now.boot_s >= request.deadline_s
    waiting = opened.tx.requests.get(request.id) is not None
    if waiting and not timed_out:
        settled(context, opened, names)
    reserved = opened.tx.leases.of_request(request.id)
    agent = opened.tx.agents.get(request.agent)
    ended = agent is not None and not agent.active
    whole = {lease.resource for lease in reserved} == set(names)
    if whole and not cancelled and not ended and not over(context, opened, reserved):
        return _claim(opened, request, reserved, began_s, noted or {})
    waiting = opened.tx.requests.get(request.id) is not None
    if waiting and not (cancelled or ended or timed_out):
        return None
    why = _LATE
    if cancelled:
        why = "was cancelled"
    elif ended:
        why = "ended with its agent"
    elif timed_out and not reserved:
        why = _TIMED_OUT
    withdraw(opened, [request], why)
    end(opened, reserved, EndReason.LAPSED)
    serve(opened, names, context=context)
    inform = _held_by(opened, names, request.agent) if why == _TIMED_OUT else ""
    return Acquired(
        granted=False,
        reason=f"The wait for {', '.join(names[:3])} {why}{inform}.",
        conflict=request.id,
        waited_s=round(now.boot_s - began_s, 6),
        late=why == _LATE,
    )


def _held_by(opened: Unit, names: Sequence[str], agent: str) -> str:
    """Return who has what the waiter wanted, as the end of a sentence."""
    holders = [lease for lease in opened.tx.leases.overlapping(names) if lease.agent != agent]
    return "; " + "; ".join(_held(lease) for lease in holders[:HOLDERS_NAMED]) if holders else ""


def _claim(
    opened: Unit, request: Request, reserved: Sequence[Lease], began_s: float, noted: Mapping[str, str]
) -> Acquired:
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
            noted=noted.get(lease.resource, ""),
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


def _sleep(context: Context, request: Request) -> tuple[float, list[Process]] | None:
    """Return how long the waiter may sleep and whose death must wake it; None: there is something to do at once.

    Only reads, so that thousands may wait without crowding the gate.
    """
    now = context.clock.now()
    names = [resource for resource, _ in request.resources]
    with context.store.read() as tx:
        if tx.requests.get(request.id) is None or now.boot_s >= request.deadline_s:
            return None
        live = [lease for lease in tx.leases.overlapping(names) if _in_the_way(lease, request)]
        # Without a lease in the way it is a place in the queue that blocks, and its waiter may have died.
        ahead = [] if live else [other for other in tx.requests.overlapping(names) if other.id < request.id]
    if ended_by(context.processes, now, live):
        return None
    waiters = [other.waiter for other in ahead if other.waiter is not None]
    if any(context.processes.alive(waiter) is False for waiter in waiters):
        return None
    ends_s = [
        min(lease.expires_s, lease.claim_by_s or lease.expires_s) for lease in live if lease.landing is None
    ]
    ends_s += [other.deadline_s + WITHDRAWAL_GRACE_S for other in ahead]
    earliest_s = min([request.deadline_s, now.boot_s + SAFETY_CHECK_S, *ends_s])
    owners = [lease.owner for lease in live if lease.owner is not None]
    return max(SHORTEST_SLEEP_S, earliest_s - now.boot_s), list(dict.fromkeys([*owners, *waiters]))


def _in_the_way(lease: Lease, request: Request) -> bool:
    return lease.agent != request.agent and any(
        conflicting(resource, mode, lease.resource, lease.mode) for resource, mode in request.resources
    )


def renew(context: Context, *, agent: str, duration_s: float | None = None) -> list[Lease]:
    """Renew every lease an agent holds and return them; one transaction.

    None goes beyond its limit (maximum durations count from the first grant). Leases that have ended are not revived.
    """
    if duration_s is not None and not duration_s > 0:
        raise Usage("A lease lasts longer than nothing.", remedy="Give a positive duration.")
    with unit(context) as opened:
        if opened.tx.agents.get(agent) is None:
            return []  # a mistyped name is not registered for it
        return renew_in(opened, acting(opened, agent).id, duration_s)


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
        held = [
            lease
            for lease in opened.tx.leases.of_agent(agent)
            # A reservation is its waiter's to claim or to leave; to end a part of it would part the set.
            if lease.state is LeaseState.HELD and lease.landing is None and token in {None, lease.token}
        ]
        if resources is not None:
            wanted = set(resources)
            held = [lease for lease in held if lease.resource in wanted]
        if not held:
            return Released(resources=())
        who = acting(opened, agent)
        served_now = end_and_serve(opened, held, reason, context=context)
        _ = step(opened, who, Phase.RELEASE_LOCKS)
        return Released(
            resources=tuple(lease.resource for lease in held),
            served=tuple(request.agent for request in served_now),
        )


def cleanup(context: Context) -> list[Lease]:
    """End every lease that is over by time or by the death of its owner, serve the queue, and return them."""
    ended: list[Lease] = []
    with unit(context) as opened:
        while True:
            now_over = over(context, opened, opened.tx.leases.live())
            gone = [
                request for request in opened.tx.requests.waiting() if withdrawn(context, opened, request)
            ]
            if not now_over and not gone:
                return ended
            ended += now_over
            withdraw(opened, gone)
            freed = [resource for request in gone for resource, _ in request.resources]
            end(opened, now_over, None, context=context)
            serve(opened, [*freed, *(lease.resource for lease in now_over)], context=context)
