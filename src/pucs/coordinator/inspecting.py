"""Looking at leases: who has what, who waits, and why a resource cannot be had; nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.coordinator.liveness import standing
from pucs.coordinator.partition import boundaries_of
from pucs.core.errors import Refused
from pucs.core.resources import is_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.context import Context
    from pucs.coordinator.ports import Transaction
    from pucs.intents.records import Intent
    from pucs.locks.records import Lease, Request


def locks(context: Context, *, stream: str = "") -> list[Lease]:
    """Return the leases that are held or reserved now, of one stream or all, by resource.

    One that is over but that nobody has met since is left out: it holds nothing.
    """
    now = context.clock.now()
    with context.store.read() as tx:
        held = standing(context.processes, now, tx.leases.live())
    return [lease for lease in held if not stream or lease.stream.casefold() == stream.casefold()]


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
        owner = None if is_directory(resource) else boundaries_of(tx, session.id).owner(resource)
        return Explanation(
            resource=resource,
            stream=owner or "",
            holders=tuple(tx.leases.overlapping((resource,))),
            waiting=tuple(tx.requests.overlapping((resource,))),
            base=landings[-1].commit if landings else session.base,
            changed_by=landings[-1].agent if landings else "",
            planned=_planned(context, tx, resource),
        )
