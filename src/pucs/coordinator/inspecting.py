"""Looking at leases: who has what, who waits, and why a resource cannot be had; nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pucs.coordinator.estimating import usual_wait
from pucs.coordinator.limits import limits_in
from pucs.coordinator.liveness import standing
from pucs.coordinator.partition import boundaries_of
from pucs.core.errors import Refused
from pucs.core.modes import Mode
from pucs.core.resources import file_path, is_directory, is_named
from pucs.locks.records import Granted, Lease, Request
from pucs.locks.rules import decide, in_turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.context import Context
    from pucs.coordinator.ports import Transaction
    from pucs.core.instants import Instant
    from pucs.intents.records import Intent

DELAYS_MAX = 100
"""Waits whose length is told: nobody reads further, and each looks at the whole queue before it."""


def locks(context: Context, *, stream: str = "") -> list[Lease]:
    """Return the leases that are held or reserved now, of one stream or all, by resource.

    One that is over but that nobody has met since is left out: it holds nothing.
    """
    now = context.clock.now()
    with context.store.read() as tx:
        held = standing(context.processes, now, tx.leases.live())
    return [lease for lease in held if not stream or lease.stream.casefold() == stream.casefold()]


def queue(context: Context, *, resources: Sequence[str] = ()) -> list[Request]:
    """Return the requests waiting for these resources (all if none is named), in turn."""
    with context.store.read() as tx:
        return in_turn(tx.requests.overlapping(resources) if resources else tx.requests.waiting())


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How long it takes until something is free."""

    longest_s: float = 0.0
    """Seconds at the latest, if nobody renews; 0: it is free."""
    usual_s: float | None = None
    """Seconds it usually takes; None: not known."""


def delays(context: Context, requests: Sequence[Request]) -> list[Delay]:
    """Return how long each of these requests will wait from now; only the first ``DELAYS_MAX`` are looked at."""
    now = context.clock.now()
    with context.store.read() as tx:
        return [_delay(context, tx, now, request) for request in requests[:DELAYS_MAX]]


def _delay(context: Context, tx: Transaction, now: Instant, request: Request) -> Delay:
    names = [resource for resource, _ in request.resources]
    live = standing(context.processes, now, tx.leases.overlapping(names))
    queue = in_turn(tx.requests.overlapping(names))
    ids = [other.id for other in queue]
    before = queue[: ids.index(request.id)] if request.id in ids else queue
    verdict = decide(request, live, before, limits_in(tx, now, names))
    if isinstance(verdict, Granted):
        return Delay()
    return Delay(longest_s=round(verdict.wait_s(now.boot_s), 3), usual_s=usual_wait(tx, verdict, now.boot_s))


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
    delay: Delay = field(default_factory=Delay)
    """How long somebody new would wait for it."""
    planned: tuple[Intent, ...] = ()
    """Intents of agents that plan to change it, earliest first."""


def _planned(context: Context, tx: Transaction, resource: str) -> tuple[Intent, ...]:
    found = tx.intents.overlapping((resource,))
    if not found:
        return ()
    from pucs.coordinator.contesting import over  # noqa: PLC0415 - most files are in nobody's plan

    now = context.clock.now()
    return tuple(intent for intent in found if not over(context, tx, now, intent))


def why(context: Context, *, resource: str) -> Explanation:
    """Explain a resource: who covers it, holds it, waits for it and changed it last."""
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
        if session is None:
            raise Refused("There is no active session.", remedy="Start one with: pucs init")
        landings = tx.landings.last_on(session.id, (resource,))
        path = not is_directory(resource) and not is_named(resource)
        owner = boundaries_of(tx, session.id).owner(file_path(resource)) if path else None
        return Explanation(
            resource=resource,
            stream=owner or "",
            holders=tuple(tx.leases.overlapping((resource,))),
            waiting=tuple(in_turn(tx.requests.overlapping((resource,)))),
            base=landings[-1].commit if landings else session.base,
            changed_by=landings[-1].agent if landings else "",
            planned=_planned(context, tx, resource),
            delay=_delay(context, tx, context.clock.now(), _anybody(resource, session.id)),
        )


def free_for(context: Context, tx: Transaction, agent: str, resource: str) -> bool:
    """Tell whether an agent that asked for a resource now, to write, would be granted it at once."""
    now = context.clock.now()
    live = standing(context.processes, now, tx.leases.overlapping((resource,)))
    queue = in_turn(tx.requests.overlapping((resource,)))
    wanted = _anybody(resource, "", agent)
    return isinstance(decide(wanted, live, queue, limits_in(tx, now, [resource])), Granted)


def _anybody(resource: str, session: str, agent: str = "?") -> Request:
    """Return the request of somebody who has not asked yet."""
    return Request(
        id=0,
        agent=agent,
        stream="",
        task="",
        session=session,
        resources=((resource, Mode.EXCLUSIVE),),
        duration_s=0.0,
        boot_id="",
        asked_s=0.0,
        deadline_s=0.0,
        waiter=None,
    )
