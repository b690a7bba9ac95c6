"""How long a wait usually takes, from how long the same resources were held lately.

What history does not tell stays unknown: the longest time a wait can take is always known, the usual one is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.core.resources import is_named
from pucs.locks.records import EndReason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pucs.locks.records import Blocked, Lease

REMEMBERED = 20
"""Ended leases of a resource that are looked at: enough for a median, few enough that habits may change in a day."""
_UNFINISHED = frozenset({EndReason.LAPSED, EndReason.CONVERTED})


def median(values: Sequence[float]) -> float:
    """Return the middle of some values; the module of that name takes longer to load than a decision takes."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def hold_times_s(ended: Sequence[Lease]) -> tuple[float, ...]:
    """Return how long ended leases of one resource were held, without those that nobody used to their end."""
    return tuple(
        lease.ended_s - lease.granted_s
        for lease in ended
        if lease.ended_s is not None
        and lease.end_reason not in _UNFINISHED
        and lease.ended_s >= lease.granted_s  # else another boot's clock ended it
    )


def still_s(times_s: Sequence[float], held_s: float) -> float | None:
    """Return how much longer a lease is usually held that is held for ``held_s``: the median of those held longer."""
    longer = [time_s for time_s in times_s if time_s > held_s]
    return median(longer) - held_s if longer else None


def usual_wait_s(blocked: Blocked, now_s: float, times_s: Mapping[str, Sequence[float]]) -> float | None:
    """Return the usual time until a blocked request is granted; None: history does not tell.

    The holders go on at the same time, the requests ahead one after the other. Never more than the longest time.
    """
    left: dict[str, float] = {}
    for lease in blocked.holders:
        more_s = still_s(times_s.get(lease.resource, ()), now_s - lease.granted_s)
        if more_s is None:
            return None
        name = lease.resource if is_named(lease.resource) else ""
        left[name] = min(left.get(name, more_s), more_s) if name else max(left.get(name, 0.0), more_s)
    wait_s = max(0.0, blocked.opens_s - now_s, *left.values())
    for request in blocked.ahead:
        known = [times_s[name] for name, _ in request.resources if times_s.get(name)]
        if len(known) < len(request.resources):
            return None
        wait_s += max(median(times) for times in known)
    return min(wait_s, blocked.wait_s(now_s))
