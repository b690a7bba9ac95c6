"""The decisions: grant or block, whom a release serves, how long, and whether old work may still land.

First come, first served among conflicting requests; a set is granted whole or not at all (Gray et al. 1976 for the
tree of resources; DESIGN §3.1 to §3.4 for order, reservations and fencing).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.core.modes import Mode, compatible, covers
from pucs.core.resources import contains, overlaps
from pucs.locks.records import Blocked, Granted, Lease, LeaseState, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def normalised(resources: Iterable[tuple[str, Mode]]) -> tuple[tuple[str, Mode], ...]:
    """Return the set sorted, each resource once in its strongest mode, without what a wider member already covers."""
    strongest: dict[str, Mode] = {}
    for resource, mode in resources:
        if strongest.get(resource) is not Mode.EXCLUSIVE:
            strongest[resource] = mode
    kept: list[tuple[str, Mode]] = []
    for resource, mode in sorted(strongest.items()):
        if not any(contains(outer, resource) and covers(held, mode) for outer, held in kept):
            kept.append((resource, mode))
    return tuple(kept)


def conflicting(resource: str, mode: Mode, other: str, other_mode: Mode) -> bool:
    """Tell whether two agents may not hold these two resources together: overlap and incompatible modes."""
    return overlaps(resource, other) and not compatible(other_mode, mode)


def requests_conflict(a: Request, b: Request) -> bool:
    """Tell whether the two sets cannot be held together by different agents."""
    return a.agent != b.agent and any(conflicting(r, m, s, n) for r, m in a.resources for s, n in b.resources)


def decide(request: Request, live: Sequence[Lease], waiting: Sequence[Request]) -> Granted | Blocked:
    """Decide a request against the live leases and the earlier requests.

    ``live`` are the leases that overlap the set and have not ended, reserved ones included; ``waiting`` are the
    requests that came before, in order. Both may hold more than matters. An agent never blocks itself: what its own
    leases cover is kept under the old token, so that asking twice changes nothing.
    """
    own = [lease for lease in live if lease.agent == request.agent and lease.state is LeaseState.HELD]
    kept: dict[int, Lease] = {}
    needed: list[tuple[str, Mode]] = []
    for resource, mode in request.resources:
        covering = [lease for lease in own if contains(lease.resource, resource) and covers(lease.mode, mode)]
        if covering:
            narrowest = max(covering, key=lambda lease: len(lease.resource))
            kept[narrowest.token] = narrowest
        else:
            needed.append((resource, mode))
    holders = tuple(
        lease
        for lease in live
        if lease.agent != request.agent
        and any(conflicting(resource, mode, lease.resource, lease.mode) for resource, mode in needed)
    )
    ahead = tuple(
        other
        for other in waiting
        if other.agent != request.agent
        and any(conflicting(r, m, s, n) for r, m in needed for s, n in other.resources)
    )
    if holders or ahead:
        return Blocked(holders, ahead)
    return Granted(tuple(needed), tuple(kept.values()))


def served(waiting: Sequence[Request], live: Sequence[Lease]) -> list[Request]:
    """Return the waiting requests that can be granted now, in order.

    ``waiting`` is the queue in order, with every request that could come before a candidate; ``live`` are the
    leases that overlap any of them. Each request granted counts as held for those behind it, and each one that
    must go on waiting keeps its place in front of those that conflict with it (rule 3).
    """
    grants: list[Request] = []
    staying: list[Request] = []
    for request in waiting:
        blocked = any(
            lease.agent != request.agent and conflicting(resource, mode, lease.resource, lease.mode)
            for lease in live
            for resource, mode in request.resources
        ) or any(requests_conflict(request, other) for other in (*grants, *staying))
        (staying if blocked else grants).append(request)
    return grants


def expired(lease: Lease, boot_id: str, now_s: float) -> bool:
    """Tell whether a live lease is over by time: its boot is gone, its expiry or its claim deadline passed.

    A lease that an unfinished landing holds does not expire until that landing is completed or undone (rule 6).
    """
    if lease.landing is not None:
        return False
    if lease.boot_id != boot_id:
        return True
    if lease.state is LeaseState.RESERVED and lease.claim_by_s is not None and lease.claim_by_s <= now_s:
        return True
    return lease.expires_s <= now_s


def renewed_until(lease: Lease, now_s: float, duration_s: float) -> float:
    """Return the new expiry of a renewed lease: never earlier than before, never beyond its limit."""
    return max(lease.expires_s, min(now_s + duration_s, lease.limit_s))


def covering(path: str, leases: Iterable[Lease]) -> Lease | None:
    """Return the exclusive lease under which a change of ``path`` counts: the narrowest, the newest of equals."""
    fitting = [lease for lease in leases if lease.mode is Mode.EXCLUSIVE and contains(lease.resource, path)]
    return max(fitting, key=lambda lease: (len(lease.resource), lease.token), default=None)


def may_land(lease: Lease, granted_since: Iterable[Lease]) -> bool:
    """Tell whether a change made under ``lease`` may land (rule 4, fencing).

    It may while the lease is live, or after it ended if no conflicting lease on an overlapping resource was granted
    to another agent since. ``granted_since`` are the leases, live or ended, with a higher token.
    """
    if lease.state is not LeaseState.ENDED:
        return True
    return not any(
        other.token > lease.token
        and other.agent != lease.agent
        and conflicting(lease.resource, lease.mode, other.resource, other.mode)
        for other in granted_since
    )
