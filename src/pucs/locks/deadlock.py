"""Whether a request that is about to wait would wait for itself, and through whom.

An agent that waits gives nothing up, so a circle of waiting agents never ends. It is looked for once, when a request is
about to enter the queue, and that is enough, because only a newcomer can close a circle:

- A waiting agent waits for those who hold what conflicts with its request, and for those whose conflicting requests
  come before it. Turns are fixed when a request enters (``Request.passes``) and never change, and neither does what it
  asks for.
- Whoever is granted something while others wait was in front of them already, or conflicts with none of them; leases
  that end, become weaker or are renewed let nobody wait who did not. So no edge appears between agents that wait.
- A holder that begins to wait is a newcomer, and so is an agent that waits for a second set.

Handing leases to another agent in one step is the one thing outside: whoever does that asks again for the requests of
the receiver. A named resource with several slots is waited for only while all its slots are with agents that cannot
go on; a full rate window empties by itself and is nobody's to give.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING

from pucs.core.resources import is_named
from pucs.locks.front import Front, Table
from pucs.locks.rules import UNLIMITED, conflicting, in_turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pucs.locks.records import Lease, Limit, Request

LINKS_SPELLED = 8
"""Links of a circle that are written out; nobody follows more in one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One agent that waits for another."""

    agent: str
    """Who waits."""
    resource: str
    """What of its set it cannot be given."""
    other: str
    """Whom it waits for."""
    has: str
    """What the other one has, or asked for first."""
    held: bool
    """The other one holds it; else its request comes first."""


def circle(
    newcomer: Request,
    waiting: Sequence[Request],
    held: Mapping[str, Sequence[Lease]],
    limits: Mapping[str, Limit] = UNLIMITED,
) -> tuple[Link, ...]:
    """Return the circle that a request would close by waiting, from its agent back to it; empty: there is none.

    ``waiting`` is the whole queue by id, without the newcomer, which has no id yet, or its own if it waits already;
    ``held`` are the live leases of the newcomer's agent and
    of every agent that waits. The work is a pass over the queue for each waiting agent that holds something, at most.
    """
    later = [other for other in waiting if 0 < newcomer.id < other.id]
    turn = in_turn([*waiting[: len(waiting) - len(later)], newcomer, *later])
    slots = {name: replace(limit, rate=0) for name, limit in limits.items()}
    stuck = _stuck(newcomer, turn, held, slots)
    if not _before(newcomer, turn, held, stuck, slots).blocks(newcomer.agent, newcomer.resources):
        return ()
    reached: dict[str, Link] = {}
    agents = [newcomer.agent]
    for agent in agents:
        own = [newcomer] if agent == newcomer.agent else [other for other in turn if other.agent == agent]
        for link in [link for request in own for link in _links(request, turn, held, stuck, slots)]:
            if link.other == newcomer.agent:
                return _way(newcomer.agent, link, reached)
            if link.other not in reached:
                reached[link.other] = link
                agents.append(link.other)
    return ()  # it would wait for others who wait in a circle of their own


def _way(start: str, last: Link, reached: Mapping[str, Link]) -> tuple[Link, ...]:
    way = [last]
    while way[0].agent != start:
        way.insert(0, reached[way[0].agent])
    return tuple(way)


def spelled(links: Sequence[Link]) -> str:
    """Say a circle in words: ``ann waits for a.py held by bob, who waits for b.py held by ann``."""
    told = ", who ".join(_told(link) for link in links[:LINKS_SPELLED])
    return f"{links[0].agent} {told}" + (", and so on" if len(links) > LINKS_SPELLED else "")


def _told(link: Link) -> str:
    if not link.held:
        return f"waits for {link.resource} that {link.other} asked for first"
    if link.has == link.resource:
        return f"waits for {link.resource} held by {link.other}"
    return f"waits for {link.resource} because {link.other} holds {link.has}"


def _stuck(
    newcomer: Request,
    turn: Sequence[Request],
    held: Mapping[str, Sequence[Lease]],
    slots: Mapping[str, Limit],
) -> dict[str, None]:
    """Return the agents that could not go on if the newcomer's never did, that one first.

    All others are taken to finish, one after the other, as soon as what they wait for has been given up by those who
    finished before (Coffman et al. 1971); whoever is left waits for the newcomer.
    """
    asking = Counter(request.agent for request in turn)
    left = dict.fromkeys([newcomer.agent, *(request.agent for request in turn)])
    while True:
        front = _fronted(held, left, slots)
        blocked = {newcomer.agent}
        for request in turn:
            agent = request.agent
            if agent not in left:
                continue
            if front.blocks(agent, request.resources):
                blocked.add(agent)
            elif asking[agent] == 1 and agent not in blocked and not held.get(agent):
                del left[agent]  # it has nothing that others before it could wait for
                continue
            front.ask(agent, request.resources)
        if all(agent in blocked for agent in left):
            return left
        left = dict.fromkeys(agent for agent in left if agent in blocked)


def _fronted(held: Mapping[str, Sequence[Lease]], agents: Iterable[str], slots: Mapping[str, Limit]) -> Front:
    front = Front(slots)
    for agent in agents:
        for lease in held.get(agent, ()):
            front.hold(agent, lease.resource, lease.mode)
    return front


def _before(
    request: Request,
    turn: Sequence[Request],
    held: Mapping[str, Sequence[Lease]],
    stuck: Mapping[str, None],
    slots: Mapping[str, Limit],
) -> Front:
    """Return what stays in front of a request as long as these agents are stuck."""
    front = _fronted(held, stuck, slots)
    for earlier in takewhile(lambda other: other is not request, turn):
        if earlier.agent in stuck:
            front.ask(earlier.agent, earlier.resources)
    return front


def _links(
    request: Request,
    turn: Sequence[Request],
    held: Mapping[str, Sequence[Lease]],
    stuck: Mapping[str, None],
    slots: Mapping[str, Limit],
) -> Iterator[Link]:
    """Yield a reason for each stuck agent that a request waits for, the newcomer's first, holders before others."""
    front = _before(request, turn, held, stuck, slots)
    in_the_way = [
        (name, mode)
        for name, mode in request.resources
        if not is_named(name) or front.taken(request.agent, name)
    ]
    asked = Table()
    for name, mode in in_the_way:
        asked.add(request.agent, name, mode)
    has = [(agent, lease.resource, lease.mode, True) for agent in stuck for lease in held.get(agent, ())]
    has += [
        (earlier.agent, *item, False)
        for earlier in takewhile(lambda other: other is not request, turn)
        if earlier.agent in stuck
        for item in earlier.resources
    ]
    first = next(iter(stuck))
    for other, resource, mode, holds in sorted(has, key=lambda item: item[0] != first):
        if other != request.agent and asked.meets(other, resource, mode):
            wanted = next(name for name, how in in_the_way if conflicting(name, how, resource, mode))
            yield Link(agent=request.agent, resource=wanted, other=other, has=resource, held=holds)
