"""The decisions: grant or block, whom a release serves, how long, and whether old work may still land.

First come, first served among conflicting requests; a set is granted whole or not at all (Gray et al. 1976 for the
tree of resources; DESIGN §3.1 to §3.4 for order, reservations and fencing).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.core.modes import Mode, compatible, covers, stronger
from pucs.core.resources import ancestors, contains, overlaps
from pucs.locks.records import Blocked, Granted, Lease, LeaseState, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_SEVERAL = ""
"""Stands for more than one agent; no agent has this id."""


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


def decide(request: Request, live: Sequence[Lease], waiting: Sequence[Request]) -> Granted | Blocked:
    """Decide a request against the live leases and the earlier requests.

    ``live`` are the leases that overlap the set and have not ended, reserved ones included; ``waiting`` are the
    requests that came before, in order. Both may hold more than matters. An agent never blocks itself: what its own
    leases cover is kept under the old token, so that asking twice changes nothing.
    """
    if not live and not waiting:
        return Granted(request.resources, ())
    needed, kept = _uncovered(request, live)
    asked = _Table()
    for resource, mode in needed:
        asked.add(request.agent, resource, mode)
    holders = tuple(lease for lease in live if asked.meets(lease.agent, lease.resource, lease.mode))
    ahead = tuple(
        other
        for other in waiting
        if any(asked.meets(other.agent, resource, mode) for resource, mode in other.resources)
    )
    if holders or ahead:
        return Blocked(holders, ahead)
    return Granted(needed, kept)


def _uncovered(
    request: Request, live: Sequence[Lease]
) -> tuple[tuple[tuple[str, Mode], ...], tuple[Lease, ...]]:
    """Return what the agent's own leases do not cover yet, and those leases that cover the rest, the narrowest ones."""
    own: dict[str, list[Lease]] = {}
    for lease in live:
        if lease.agent == request.agent and lease.state is LeaseState.HELD:
            own.setdefault(lease.resource, []).append(lease)
    if not own:
        return request.resources, ()
    kept: dict[int, Lease] = {}
    needed: list[tuple[str, Mode]] = []
    for resource, mode in request.resources:
        upwards = [resource, *reversed(list(ancestors(resource)))]
        covering = (lease for at in upwards for lease in own.get(at, ()) if covers(lease.mode, mode))
        narrowest = next(covering, None)
        if narrowest is None:
            needed.append((resource, mode))
        else:
            kept[narrowest.token] = narrowest
    return tuple(needed), tuple(kept.values())


def served(waiting: Sequence[Request], live: Sequence[Lease]) -> list[Request]:
    """Return the waiting requests that can be granted now, in order.

    ``waiting`` is the queue in order, with every request that could come before a candidate; ``live`` are the
    leases that overlap any of them. Each request granted counts as held for those behind it, and each one that
    must go on waiting keeps its place in front of those that conflict with it (rule 3).
    """
    before = _Table()
    for lease in live:
        before.add(lease.agent, lease.resource, lease.mode)
    grants: list[Request] = []
    for request in waiting:
        if not any(before.blocks(request.agent, resource, mode) for resource, mode in request.resources):
            grants.append(request)
        for resource, mode in request.resources:
            before.add(request.agent, resource, mode)
    return grants


class _Table:
    """Who has, or wants, what: answers whether anything overlaps and clashes without comparing every pair."""

    def __init__(self) -> None:
        self._at: dict[str, dict[Mode, str]] = {}
        self._below: dict[str, dict[Mode, str]] = {}

    def add(self, agent: str, resource: str, mode: Mode) -> None:
        """Enter a resource for an agent."""
        _enter(self._at, resource, mode, agent)
        for outer in ancestors(resource):
            _enter(self._below, outer, mode, agent)

    def blocks(self, agent: str, resource: str, mode: Mode) -> bool:
        """Tell whether what other agents have here keeps ``agent`` from being given ``resource``."""
        return any(
            other != agent and not compatible(held, mode)
            for entries in self._around(resource)
            for held, other in entries.items()
        )

    def meets(self, agent: str, resource: str, mode: Mode) -> bool:
        """Tell whether ``agent``, who has ``resource``, keeps others from being given what they want here."""
        return any(
            other != agent and not compatible(mode, wanted)
            for entries in self._around(resource)
            for wanted, other in entries.items()
        )

    def _around(self, resource: str) -> Iterator[dict[Mode, str]]:
        for table, place in (
            (self._at, resource),
            (self._below, resource),
            *((self._at, outer) for outer in ancestors(resource)),
        ):
            if place in table:
                yield table[place]


def _enter(table: dict[str, dict[Mode, str]], place: str, mode: Mode, agent: str) -> None:
    entries = table.setdefault(place, {})
    # Whoever asks needs to know only whether somebody else is there: two agents are as many as a thousand.
    entries[mode] = agent if entries.get(mode, agent) == agent else _SEVERAL


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
