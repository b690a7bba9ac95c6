"""Claiming what was reserved for suspended agents: no process waits for it, so whoever acts for the agent takes it."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from pucs.coordinator.answering import Wish
from pucs.coordinator.messages import unsay_in
from pucs.coordinator.waiting import look
from pucs.locks.records import LeaseState, Request
from pucs.messages.records import MessageKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pucs.coordinator.answering import Acquired
    from pucs.coordinator.context import Context, Unit
    from pucs.coordinator.ports import Transaction
    from pucs.locks.records import Lease


def claim_reserved(
    context: Context, opened: Unit, leases: Iterable[Lease], agent: str, noted: Mapping[str, str]
) -> list[Acquired]:
    """Claim the sets of a suspended agent that any of these leases belong to; one that a process waits for is left to it."""
    numbers = {
        lease.request for lease in leases if lease.agent == agent and lease.state is LeaseState.RESERVED
    }
    reserved = [one for one in reserved_for(opened.tx, agent) if one.id in numbers]
    return [claim(context, opened, request, noted=noted) for request in reserved]


def claim(
    context: Context,
    opened: Unit,
    request: Request,
    *,
    noted: Mapping[str, str] | None = None,
    cancelled: bool = False,
) -> Acquired:
    """Claim a set that was reserved for a suspended agent, or give it back if that is ``cancelled``."""
    wish = Wish(
        asked=request.resources,
        agent=request.agent,
        stream=request.stream,
        duration_s=request.duration_s,
        task=request.task,
        noted=noted or {},
    )
    answer = look(context, opened, request, request.asked_s, cancelled=cancelled, wish=wish)
    assert answer is not None, "a reserved set is claimed or ends"
    unsay_in(opened, request.agent, MessageKind.LOCK_GRANTED, request.id)
    return answer


def reserved_for(tx: Transaction, agent: str) -> list[Request]:
    """Return what is reserved for a suspended agent, as the requests that it was granted to; they have left the queue."""
    sets: dict[int, list[Lease]] = {}
    for lease in tx.leases.of_agent(agent):
        if lease.state is LeaseState.RESERVED:
            sets.setdefault(lease.request, []).append(lease)
    requests = (_request(tx, number, leases) for number, leases in sets.items())
    return [request for request in requests if request is not None]


def _request(tx: Transaction, number: int, leases: Sequence[Lease]) -> Request | None:
    wait = tx.conflicts.get(number)
    if wait is None or not wait.evidence.get("suspended"):
        return None
    first = leases[0]
    return Request(
        id=number,
        agent=first.agent,
        stream=first.stream,
        task=first.task,
        session=first.session,
        resources=tuple((lease.resource, lease.mode) for lease in leases),
        duration_s=max(lease.expires_s - lease.granted_s for lease in leases),
        boot_id=first.boot_id,
        asked_s=wait.evidence["asked_s"],
        deadline_s=inf,
        waiter=first.owner,
        claim_s=max((lease.claim_by_s or 0.0) - lease.granted_s for lease in leases),
    )
