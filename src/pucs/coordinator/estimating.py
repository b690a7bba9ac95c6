"""How long waits take, from what the store remembers; apart, because looking needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.locks.estimates import REMEMBERED, hold_times_s, usual_wait_s

if TYPE_CHECKING:
    from pucs.coordinator.ports import Transaction
    from pucs.locks.records import Blocked

HISTORIES_MAX = 100
"""Resources whose past is looked up to tell the usual wait: each is a search, and a refusal has to be quick."""


def usual_wait(tx: Transaction, blocked: Blocked, now_s: float) -> float | None:
    """Return how long a wait like this usually takes, in seconds; None: not known, or too much to look up."""
    names = {lease.resource for lease in blocked.holders}
    names |= {resource for request in blocked.ahead for resource, _ in request.resources}
    if len(names) > HISTORIES_MAX:
        return None
    times_s = {name: hold_times_s(tx.leases.ended_on(name, REMEMBERED)) for name in names}
    return usual_wait_s(blocked, now_s, times_s)
