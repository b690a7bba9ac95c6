"""Whether a request that is about to wait would wait for itself, and through whom.

An agent that waits gives nothing up, so a circle of waiting agents never ends. It is looked for once, when a request is
about to enter the queue, and that is enough, because only a newcomer can close a circle:

- A waiting agent waits for those who hold what conflicts with its request, and for those whose conflicting requests
  come before it. Turns are fixed when a request enters (``Request.passes``) and never change, and neither does what it
  asks for.
- Whoever is granted something while others wait was in front of them already, or conflicts with none of them; leases
  that end, become weaker or are renewed let nobody wait who did not. So no edge appears between agents that wait.
- A holder that begins to wait is a newcomer, and so is an agent that waits for a second set.

Handing leases to another agent in one step is the one thing outside: whoever does that asks ``circle`` for each request
of the receiver. A named resource with several slots is waited for only while all its slots are with agents that cannot
go on; a full rate window empties by itself and is nobody's to give.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pucs.locks.front import Front, Table
from pucs.locks.rules import UNLIMITED, conflicting, in_turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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

    ``waiting`` is the whole queue by id, without the newcomer; ``held`` are the live leases of the newcomer's agent and
    of every agent that waits. The work is one pass over the queue for each agent found to depend on another's turn.
    """
    turn = in_turn([*waiting, newcomer])
    slots = {name: replace(limit, rate=0) for name, limit in limits.items()}
    stuck, closed = _stuck(newcomer, turn, held, slots)
    links: list[Link] = []
    agents = list(stuck)
    at = newcomer if closed else None
    while at is not None:
        # Whoever is stuck is so because of somebody found before it, so this comes back to the newcomer.
        before = agents[: agents.index(at.agent)] if links else agents[1:]
        link = _link(at, turn, held, before)
        links.append(link)
        at = stuck[link.other]
    return tuple(links)


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
) -> tuple[dict[str, Request | None], bool]:
    """Return the agents that could not go on if the newcomer's never did, and whether then it cannot either.

    Each comes after one it waits for, with the request that cannot be served; the newcomer's agent is first, with None.
    """
    stuck: dict[str, Request | None] = {newcomer.agent: None}
    known, closed = 0, False
    while known < len(stuck):
        known = len(stuck)
        front = Front(slots)
        for agent in stuck:
            for lease in held.get(agent, ()):
                front.hold(agent, lease.resource, lease.mode)
        for request in turn:
            if request is newcomer:
                closed = front.blocks(request.agent, request.resources)
            if request.agent not in stuck and front.blocks(request.agent, request.resources):
                stuck[request.agent] = request
            if request.agent in stuck:
                front.ask(request.agent, request.resources)
    return stuck, closed


def _link(
    request: Request, turn: Sequence[Request], held: Mapping[str, Sequence[Lease]], among: Iterable[str]
) -> Link:
    """Return the first of these agents that a request waits for, and why; it waits for one of them."""
    asked = Table()
    for resource, mode in request.resources:
        asked.add(request.agent, resource, mode)
    first = turn[: turn.index(request)]
    return next(
        Link(agent=request.agent, resource=wanted, other=other, has=resource, held=holds)
        for other in among
        for resource, mode, holds in (
            *((lease.resource, lease.mode, True) for lease in held.get(other, ())),
            *((*item, False) for earlier in first if earlier.agent == other for item in earlier.resources),
        )
        if asked.meets(other, resource, mode)
        for wanted, how in request.resources
        if conflicting(wanted, how, resource, mode)
    )
