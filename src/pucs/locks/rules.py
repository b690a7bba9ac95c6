"""The decisions: grant or block, whom a release serves, how long, and whether old work may still land.

First come, first served among conflicting requests; a set is granted whole or not at all (Gray et al. 1976 for the
tree of resources; DESIGN §3.1 to §3.4 for order, reservations and fencing).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.core.modes import Mode, compatible, covers, stronger
from pucs.core.resources import ancestors, contains, is_named, overlaps
from pucs.locks.front import Front, Table
from pucs.locks.records import Blocked, Granted, Lease, LeaseState, Limit, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WARNING_SHARE = 0.1
"""Part of a lease's longest life that is left when its holder is warned: enough to land, too little to forget again."""
WARNING_S_MAX = 300.0
"""Earliest warning before the limit; landing takes seconds, and a test run before it minutes."""
UNLIMITED: Mapping[str, Limit] = {}
"""Nothing is configured: every named resource has one slot and no rate."""


def normalised(resources: Iterable[tuple[str, Mode]]) -> tuple[tuple[str, Mode], ...]:
    """Return the set sorted, each resource once in its strongest mode, without what a wider member already covers."""
    strongest: dict[str, Mode] = {}
    for resource, mode in resources:
        strongest[resource] = stronger(strongest.get(resource, mode), mode)
    return tuple(
        (resource, mode)
        for resource, mode in sorted(strongest.items())
        if not any(outer in strongest and covers(strongest[outer], mode) for outer in ancestors(resource))
    )


def conflicting(resource: str, mode: Mode, other: str, other_mode: Mode) -> bool:
    """Tell whether two agents may not hold these two resources together: overlap and incompatible modes."""
    return overlaps(resource, other) and not compatible(other_mode, mode)


def decide(
    request: Request,
    live: Sequence[Lease],
    waiting: Sequence[Request],
    limits: Mapping[str, Limit] = UNLIMITED,
    queue: Sequence[Request] | None = None,
) -> Granted | Blocked:
    """Decide a request against the live leases and the earlier requests.

    ``live`` are the leases that overlap the set and have not ended, reserved ones included; ``waiting`` are the
    requests that came before, by id. Both may hold more than matters. ``limits`` are those of the named resources of the
    set. ``queue`` is the whole queue, where it is more than ``waiting``: only an upgrade needs it. An agent never blocks
    itself: what its own leases cover is kept under the old token, so that asking twice changes nothing.
    """
    if not live and not waiting and not limits:
        return Granted(request.resources, ())
    needed, kept = uncovered(request.agent, request.resources, live)
    converted = weaker(request.agent, needed, live)
    passed = (
        waiting_because(request.agent, converted, waiting if queue is None else queue) if converted else ()
    )
    before = [other for other in in_turn(waiting) if other.id not in passed] if passed else in_turn(waiting)
    asked = Table()
    for resource, mode in needed:
        if not is_named(resource):
            asked.add(request.agent, resource, mode)
    taken, closed, opens_s = _named(request.agent, needed, live, before, limits)
    holders = tuple(
        lease
        for lease in live
        if asked.meets(lease.agent, lease.resource, lease.mode)
        or (lease.resource in taken and lease.agent != request.agent)
    )
    ahead = tuple(
        other
        for other in before
        if other.agent != request.agent
        and any(
            resource in taken or resource in closed or asked.meets(other.agent, resource, mode)
            for resource, mode in other.resources
        )
    )
    if holders or ahead or closed:
        return Blocked(holders, ahead, needed, passed, opens_s)
    return Granted(needed, kept, converted)


def _named(
    agent: str,
    needed: Iterable[tuple[str, Mode]],
    live: Iterable[Lease],
    before: Iterable[Request],
    limits: Mapping[str, Limit],
) -> tuple[frozenset[str], frozenset[str], float]:
    """Return the needed named resources without a slot, those whose rate is used up, and when the latest may open."""
    names = frozenset(resource for resource, _ in needed if is_named(resource))
    if not names:
        return names, names, 0.0
    front = Front(limits)
    for lease in live:
        front.hold(lease.agent, lease.resource, lease.mode)
    for other in before:
        front.ask(other.agent, other.resources)
    taken = frozenset(name for name in names if front.taken(agent, name))
    closed = frozenset(name for name in names if front.closed(name))
    return taken, closed, max((front.opens_s(name) for name in closed), default=0.0)


def uncovered(
    agent: str, asked: Sequence[tuple[str, Mode]], live: Iterable[Lease]
) -> tuple[tuple[tuple[str, Mode], ...], tuple[Lease, ...]]:
    """Return what the agent's own leases do not cover yet, and those leases that cover the rest, the narrowest ones."""
    own: dict[str, list[Lease]] = {}
    for lease in live:
        if lease.agent == agent and lease.state is LeaseState.HELD:
            own.setdefault(lease.resource, []).append(lease)
    if not own:
        return tuple(asked), ()
    kept: dict[int, Lease] = {}
    needed: list[tuple[str, Mode]] = []
    for resource, mode in asked:
        upwards = [resource, *reversed(list(ancestors(resource)))]
        covering = (lease for at in upwards for lease in own.get(at, ()) if covers(lease.mode, mode))
        narrowest = next(covering, None)
        if narrowest is None:
            needed.append((resource, mode))
        else:
            kept[narrowest.token] = narrowest
    return tuple(needed), tuple(kept.values())


def weaker(agent: str, needed: Iterable[tuple[str, Mode]], live: Iterable[Lease]) -> tuple[Lease, ...]:
    """Return the agent's own leases on exactly the needed resources, in modes that do not cover what is needed."""
    wanted = dict(needed)
    return tuple(
        lease
        for lease in live
        if lease.agent == agent
        and lease.state is LeaseState.HELD
        and lease.resource in wanted
        and not covers(lease.mode, wanted[lease.resource])
    )


def waiting_because(agent: str, held: Iterable[Lease], waiting: Sequence[Request]) -> tuple[int, ...]:
    """Return the requests of others that wait for one of these leases, or behind a request that does, in turn.

    None of them can be served before the holder gives up, so they do not come before its upgrade. Whoever waits behind
    one of them belongs to them as well: so moving them behind the upgrade keeps the order among all others.
    """
    stuck = Table()
    for lease in held:
        stuck.add(agent, lease.resource, lease.mode)
    found: list[int] = []
    for other in in_turn(waiting):
        if other.agent != agent and any(
            stuck.blocks(other.agent, resource, mode) for resource, mode in other.resources
        ):
            found.append(other.id)
            for resource, mode in other.resources:
                stuck.add(other.agent, resource, mode)
    return tuple(found)


def in_turn(waiting: Sequence[Request]) -> list[Request]:
    """Return requests that came in order of their ids in the order of their turns.

    That is the same, except that requests which an upgrade passes come right after it.
    """
    turn = list(waiting)
    for upgrade in [request for request in waiting if request.passes]:
        at = turn.index(upgrade)
        passes = set(upgrade.passes)
        moved = [request for request in turn[:at] if request.id in passes]
        stays = [request for request in turn[:at] if request.id not in passes]
        turn = [*stays, upgrade, *moved, *turn[at + 1 :]]
    return turn


def served(
    waiting: Sequence[Request], live: Sequence[Lease], limits: Mapping[str, Limit] = UNLIMITED
) -> list[Request]:
    """Return the waiting requests that can be granted now, in turn.

    ``waiting`` is the queue by id, with every request that could come before a candidate; ``live`` are the leases that
    overlap any of them; ``limits`` those of the named resources among them. Each request granted counts as held for
    those behind it, and each one that must go on waiting keeps its place in front of those that conflict with it
    (rule 3).
    """
    before = Front(limits)
    for lease in live:
        before.hold(lease.agent, lease.resource, lease.mode)
    grants: list[Request] = []
    for request in in_turn(waiting):
        if not before.blocks(request.agent, request.resources):
            grants.append(request)
        before.ask(request.agent, request.resources)
    return grants


def expired(lease: Lease, boot_id: str, now_s: float) -> bool:
    """Tell whether a live lease is over by time: its boot is gone, its expiry or its claim deadline passed.

    A lease that an unfinished landing holds does not expire until that landing is completed or undone (rule 6).
    """
    if lease.landing is not None:
        return False
    if lease.boot_id != boot_id:
        return True
    if lease.state is LeaseState.RESERVED and lease.claim_by_s is not None:
        return lease.claim_by_s <= now_s  # its own length begins with the claim
    return lease.expires_s <= now_s


def renewed_until(lease: Lease, now_s: float, duration_s: float) -> float:
    """Return the new expiry of a renewed lease: never earlier than before, never beyond its limit."""
    return max(lease.expires_s, min(now_s + duration_s, lease.limit_s))


def near_limit(lease: Lease, now_s: float, longest_s: float) -> bool:
    """Tell whether so little is left before a lease's limit that its holder should land now.

    ``longest_s`` is the longest life of such a lease; its own may be shorter, if it took the place of another.
    """
    return lease.limit_s - now_s <= min(longest_s * WARNING_SHARE, WARNING_S_MAX)


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
