"""What the configuration allows of named resources, with what was granted of them lately."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.core.resources import NAMED_PREFIX, is_named
from pucs.locks.records import Limit
from pucs.locks.rules import UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pucs.coordinator.ports import Transaction
    from pucs.core.instants import Instant
    from pucs.streams.settings import ResourceLimit


def limits_in(tx: Transaction, now: Instant, names: Iterable[str]) -> Mapping[str, Limit]:
    """Return the limits of the named resources among these names; one that nothing is said about is left out."""
    named = [name for name in names if is_named(name)]
    if not named:
        return UNLIMITED  # the common case
    configured = tx.sessions.configuration().resources
    meant = ((name, _meant(name, configured)) for name in sorted(set(named)))
    return {
        name: Limit(
            concurrency=limit.concurrency,
            rate=limit.rate,
            period_s=limit.period_s,
            recent_s=_recent_s(tx, now, name, limit) if limit.rate else (),
        )
        for name, limit in meant
        if limit is not None
    }


def _meant(name: str, configured: Sequence[ResourceLimit]) -> ResourceLimit | None:
    """Return the entry that speaks of a resource: its own name, else the first pattern that matches."""
    bare = name.removeprefix(NAMED_PREFIX)
    exact = next((limit for limit in configured if limit.name == bare), None)
    if exact is not None:
        return exact
    from pucs.streams.patterns import matches  # noqa: PLC0415 - light verbs never need it

    return next((limit for limit in configured if matches(limit.name, bare)), None)


def _recent_s(tx: Transaction, now: Instant, name: str, limit: ResourceLimit) -> tuple[float, ...]:
    """Return when a resource was granted inside the window, oldest first; an earlier boot's clock says nothing now."""
    leases = [*tx.leases.overlapping((name,)), *tx.leases.ended_on(name, limit.rate)]
    times = sorted(lease.granted_s for lease in leases if lease.boot_id == now.boot_id)
    return tuple(at_s for at_s in times if at_s + limit.period_s > now.boot_s)
