"""The sleeping side of a wait: when a waiter wakes, what it looks for, and how it claims what was reserved for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pucs.agents.records import Phase
from pucs.coordinator.agents import step
from pucs.coordinator.answering import HOLDERS_NAMED, Acquired, Wish, answered, held_text
from pucs.coordinator.context import Context, Unit, unit
from pucs.coordinator.granting import (
    RESOURCES_TOLD,
    WITHDRAWAL_GRACE_S,
    bases,
    end,
    given_up,
    in_place_of,
    over,
    serve,
    settled,
    withdraw,
)
from pucs.coordinator.limits import limits_in
from pucs.coordinator.liveness import ended_by, standing
from pucs.coordinator.messages import send_in
from pucs.core.resources import is_named
from pucs.locks.records import Blocked, EndReason, Granted, Lease, LeaseState, Request
from pucs.locks.rules import conflicting, decide, in_turn, uncovered, weaker
from pucs.messages.records import MessageKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pucs.coordinator.ports import Ahead, Bell, Transaction
    from pucs.core.instants import Instant
    from pucs.core.modes import Mode
    from pucs.core.processes import Process

SAFETY_CHECK_S = 1.0
"""Longest sleep of a waiter without looking (DESIGN §3.3)."""
SHORTEST_SLEEP_S = 0.001
"""A waiter never spins, whatever the clocks say."""
_LATE = "came too late to claim its grant"
_TIMED_OUT = "timed out"


def unpinned(context: Context, resources: Sequence[str]) -> bool:
    """Complete or undo landings on these resources that dead processes left behind; tell whether there were any."""
    with context.store.read() as tx:
        if not tx.intentions.all():
            return False
    from pucs.coordinator.settling import settle  # noqa: PLC0415 - most verbs find nothing to settle

    return settle(context, resources) > 0


def wait(
    context: Context,
    request: Request,
    bell: Bell,
    cancelled: Callable[[], bool],
    *,
    began_s: float,
    wish: Wish,
) -> Acquired:
    """Sleep until a request is granted or given up; ``wish`` is what was asked for, with what the agent held already."""
    names = [resource for resource, _ in request.resources]
    rung = False
    while True:
        gives_up = cancelled()
        rest = None if gives_up or rung else sleep(context, request)
        if rest is not None:
            if not unpinned(context, names):
                timeout_s, watched = rest
                until_s = context.clock.now().boot_s + timeout_s
                bell.wait(timeout_s, watched)
                # Whoever wakes early was rung and most likely granted: it claims without a look around first.
                rung = context.clock.now().boot_s < until_s
            continue
        rung = False
        with unit(context, ahead=_ahead(request)) as opened:
            verdict = look(context, opened, request, began_s, cancelled=gives_up, wish=wish)
        if verdict is not None:
            return verdict


def _ahead(request: Request) -> Ahead:
    """Return what asks in advance about a request that waits."""
    names = [resource for resource, _ in request.resources]

    def look(tx: Transaction) -> None:
        tx.requests.get(request.id)
        tx.leases.of_request(request.id)
        tx.agents.get(request.agent)
        tx.leases.of_agent(request.agent)
        tx.conflicts.get(request.id)
        session = tx.sessions.active()
        if session is not None:
            bases(tx, session, names)

    return look


def look(
    context: Context,
    opened: Unit,
    request: Request,
    began_s: float,
    *,
    cancelled: bool,
    wish: Wish | None = None,
) -> Acquired | None:
    """Look after a waiting request: claim its grant, give up, or return None to go on waiting.

    What the agent held already of the set it asked for must still be there at the claim: whole or not at all.
    """
    request, wish = _as_divided(opened, request, wish)
    asked = wish.asked if wish else request.resources
    names = [resource for resource, _ in request.resources]
    now = opened.now
    timed_out = now.boot_s >= request.deadline_s
    waiting = opened.tx.requests.get(request.id) is not None
    if waiting and not timed_out:
        settled(context, opened, names)
        if any(is_named(name) for name in names):
            serve(opened, names, context=context)  # a rate limit opens by itself: nobody ends anything then
    reserved = opened.tx.leases.of_request(request.id)
    agent = opened.tx.agents.get(request.agent)
    ended = agent is not None and (not agent.active or agent.terminated)
    whole = {lease.resource for lease in reserved} == set(names)
    own = standing(context.processes, now, opened.tx.leases.of_agent(request.agent))
    lost = whole and not set(uncovered(request.agent, asked, own)[0]) <= set(request.resources)
    if whole and not lost and not cancelled and not ended and not over(context, opened, reserved):
        _claim(opened, request, reserved, own, wish.noted if wish else {})
        return _claimed(opened, request, asked, began_s)
    waiting = opened.tx.requests.get(request.id) is not None
    if waiting and not (cancelled or ended or timed_out):
        return None
    why = _LATE
    if cancelled:
        why = "was cancelled"
    elif ended:
        why = "ended with its agent"
    elif lost:
        why = "was for nothing: a lease that belonged to the set has ended meanwhile"
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


def _as_divided(opened: Unit, request: Request, wish: Wish | None) -> tuple[Request, Wish | None]:
    """Return what is waited for with symbols in place of a file that was divided meanwhile."""
    stored = opened.tx.requests.get(request.id)
    if stored is not None and stored.resources == request.resources:
        return request, wish
    divisions = opened.tx.partitions.all(request.session)
    if not divisions:
        return request, wish
    from pucs.intents.narrowing import as_divided  # noqa: PLC0415 - few files are ever divided

    resources = as_divided(request.resources, request.agent, request.id, divisions)
    if wish is not None:
        wish = replace(wish, asked=as_divided(wish.asked, request.agent, request.id, divisions))
    return replace(request, resources=resources), wish


def _held_by(opened: Unit, names: Sequence[str], agent: str) -> str:
    """Return who has what the waiter wanted, as the end of a sentence."""
    holders = [lease for lease in opened.tx.leases.overlapping(names) if lease.agent != agent]
    return "; " + "; ".join(held_text(lease) for lease in holders[:HOLDERS_NAMED]) if holders else ""


def _claim(
    opened: Unit,
    request: Request,
    reserved: Sequence[Lease],
    own: Sequence[Lease],
    noted: Mapping[str, str],
) -> None:
    """Take what was reserved; the agent's own leases on the same resources in weaker modes end with that."""
    now = opened.now
    old = {
        lease.resource: lease
        for lease in weaker(request.agent, [(lease.resource, lease.mode) for lease in reserved], own)
    }
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
        opened.tx.leases.replace(
            in_place_of(old[lease.resource], claimed, now) if lease.resource in old else claimed
        )
    end(opened, list(old.values()), EndReason.CONVERTED)


def _claimed(opened: Unit, request: Request, asked: Sequence[tuple[str, Mode]], began_s: float) -> Acquired:
    """Close the record of a wait that was worth it, and return what the agent has now."""
    now = opened.now
    leases = list(uncovered(request.agent, asked, opened.tx.leases.of_agent(request.agent))[1])
    waited_s = round(now.boot_s - began_s, 6)
    names = [resource for resource, _ in request.resources]
    from pucs.coordinator.conflicts import decide_in  # noqa: PLC0415 - light verbs load this without waiting

    decide_in(opened, request.id, f"{request.agent} waited {waited_s:.3f} s in the queue and was granted")
    agent = opened.tx.agents.get(request.agent)
    if agent is not None:
        step(opened, agent, Phase.ACQUIRE_LOCKS, task=request.task)
    if agent is not None and request.waiter != agent.owner:
        # Somebody else waited for it; an agent that waited itself gets its answer.
        send_in(
            opened,
            MessageKind.LOCK_GRANTED,
            agent.id,
            conflict=request.id,
            tokens={lease.resource: lease.token for lease in leases[:RESOURCES_TOLD]},
        )
    opened.log(
        "lock claimed",
        agent=request.agent,
        stream=request.stream,
        files=names,
        waited_s=waited_s,
        conflict=request.id,
    )
    answer = answered(opened, [resource for resource, _ in asked], leases)
    return replace(answer, conflict=request.id, waited_s=waited_s)


def sleep(context: Context, request: Request) -> tuple[float, list[Process]] | None:
    """Return how long the waiter may sleep and whose death must wake it; None: there is something to do at once.

    Only reads, so that thousands may wait without crowding the gate.
    """
    now = context.clock.now()
    names = [resource for resource, _ in request.resources]
    with context.store.read() as tx:
        if tx.requests.get(request.id) is None or now.boot_s >= request.deadline_s:
            return None
        around = tx.leases.overlapping(names)
        live = [lease for lease in around if _in_the_way(lease, request)]
        named = any(is_named(name) for name in names)
        # Without a lease in the way it is a place in the queue that blocks, and its waiter may have died.
        queue = [] if live and not named else in_turn(tx.requests.overlapping(names))
        ahead = _before(queue, request)
        opens_s = _opens_s(tx, now, request, around, queue) if named else 0.0
    if opens_s is None or ended_by(context.processes, now, live):
        return None
    if any(given_up(other, now) for other in ahead):
        return None  # its waiter does not run, or it would have withdrawn itself
    waiters = [other.waiter for other in ahead if other.waiter is not None]
    if any(context.processes.alive(waiter) is False for waiter in waiters):
        return None
    # A reservation ends by the time to claim it, also when the lease that was asked for is shorter than that.
    ends_s = [
        lease.expires_s if lease.claim_by_s is None else lease.claim_by_s
        for lease in live
        if lease.landing is None
    ]
    ends_s += [other.deadline_s + WITHDRAWAL_GRACE_S for other in ahead]
    ends_s += [opens_s] if opens_s else []
    earliest_s = min([request.deadline_s, now.boot_s + SAFETY_CHECK_S, *ends_s])
    owners = [lease.owner for lease in live if lease.owner is not None]
    return max(SHORTEST_SLEEP_S, earliest_s - now.boot_s), list(dict.fromkeys([*owners, *waiters]))


def _in_the_way(lease: Lease, request: Request) -> bool:
    return lease.agent != request.agent and any(
        conflicting(resource, mode, lease.resource, lease.mode) for resource, mode in request.resources
    )


def _before(queue: Sequence[Request], request: Request) -> list[Request]:
    """Return the requests of a queue in turn that come before this one; one of a paused agent is not in it."""
    ids = [other.id for other in queue]
    if request.id in ids:
        return list(queue[: ids.index(request.id)])
    return [other for other in queue if other.id < request.id]


def _opens_s(
    tx: Transaction, now: Instant, request: Request, live: Sequence[Lease], queue: Sequence[Request]
) -> float | None:
    """Return when the rate limits in the way of a request may let it through, 0 if none is; None: nothing is in the way."""
    names = [resource for resource, _ in request.resources]
    verdict: Granted | Blocked = decide(request, live, _before(queue, request), limits_in(tx, now, names))
    if isinstance(verdict, Blocked):
        return verdict.opens_s
    return None if request in queue else 0.0
