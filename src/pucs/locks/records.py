"""The records of the room: leases, requests for them, and the answers to a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pucs.core.resources import is_named

if TYPE_CHECKING:
    from pucs.core.modes import Mode
    from pucs.core.processes import Process


class LeaseState(StrEnum):
    """Where a lease stands."""

    RESERVED = "reserved"
    """Granted to a waiter that has not claimed it yet; passes on at ``claim_by_s``."""
    HELD = "held"
    """In the hands of its agent."""
    ENDED = "ended"
    """Given up, expired or reclaimed; kept for the fencing rule."""


class EndReason(StrEnum):
    """Why a lease ended."""

    RELEASED = "released"
    LANDED = "landed"
    EXPIRED = "expired"
    RECLAIMED = "reclaimed"
    """Its owner process died."""
    LAPSED = "lapsed"
    """Reserved, and not claimed in time."""
    PARKED = "parked"
    """Its change was kept on a salvage ref instead of landing."""
    CONVERTED = "converted"
    """The same agent holds the resource in another mode since, under a new token."""
    HANDED_OVER = "handed over"
    """Another agent holds it since, under a new token, with the work that was done under it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One resource held by one agent under one token."""

    token: int
    """Fencing token, unique in the store and growing."""
    resource: str
    """Canonical resource."""
    mode: Mode
    """How it is held."""
    agent: str
    """Who holds it."""
    stream: str
    """Stream of the agent at the grant; empty for an agent without one."""
    task: str
    """What it is held for, in the holder's words."""
    session: str
    """Session of the grant."""
    state: LeaseState
    """Reserved, held or ended."""
    request: int
    """The request it was granted with; leases of one set share it. 0: granted without waiting."""
    boot_id: str
    """Boot whose clock the ``_s`` fields are read on."""
    granted_s: float
    """Boot seconds of the grant."""
    expires_s: float
    """Boot seconds at which it ends unless renewed; for a reserved lease the claim restarts it."""
    limit_s: float
    """Boot seconds beyond which no renewal goes: maximum durations count from the first grant."""
    claim_by_s: float | None
    """Boot seconds by which a reserved lease must be claimed, None once held."""
    granted_at: str
    """Wall time of the grant, for people."""
    expires_at: str
    """Wall time of the expiry, for people."""
    noted: str
    """What the file looked like at the grant (see ``coordinator.ports.Worktrees.note``); empty if unknown."""
    landing: int | None
    """Unfinished landing that holds the lease in place, if any."""
    owner: Process | None
    """Process whose death frees the lease at once; None: it ends by time only."""
    ended_s: float | None = None
    """Boot seconds of the end."""
    end_reason: EndReason | None = None
    """Why it ended."""
    warned: bool = False
    """Its holder has been told that it comes near its limit."""

    def left_s(self, now_s: float) -> float:
        """Return the seconds until it expires, never negative."""
        return max(0.0, self.expires_s - now_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A set of resources somebody asks for; granted whole or not at all."""

    id: int
    """Place in the one first-come order of the store, and the id of its FILE_LOCK record; 0 while not recorded."""
    agent: str
    """Who asks."""
    stream: str
    """Stream it asks for."""
    task: str
    """What for."""
    session: str
    """Session of the request."""
    resources: tuple[tuple[str, Mode], ...]
    """Canonical resources with the asked mode, sorted, without duplicates."""
    duration_s: float
    """Length of each lease once claimed."""
    boot_id: str
    """Boot whose clock the ``_s`` fields are read on."""
    asked_s: float
    """Boot seconds of the question."""
    deadline_s: float
    """Boot seconds at which the waiter gives up (queue timeout)."""
    waiter: Process | None
    """The process that sleeps for it; its death withdraws the request."""
    bell: str = ""
    """Name of the bell it sleeps on."""
    passes: tuple[int, ...] = ()
    """Earlier requests that come after it, because they wait for the very lease that this one would make stronger."""
    claim_s: float = 0.0
    """Seconds its agent has to claim the grant, for one that is suspended meanwhile; 0: as configured (``claim_ttl_s``)."""

    @property
    def suspended(self) -> bool:
        """Tell whether no process sleeps for it: its agent is told, or resumed, at its turn."""
        return self.claim_s > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How much of a named resource may be had at once, and how often."""

    concurrency: int = 1
    """Agents that may hold it at once."""
    rate: int = 0
    """Grants in any ``period_s``; 0: as many as there are."""
    period_s: float = 0.0
    """Length of the window in which grants are counted."""
    recent_s: tuple[float, ...] = ()
    """Boot seconds of the grants inside the window, oldest first; only kept where there is a rate."""

    def full(self, ahead: int) -> bool:
        """Tell whether the window has no room behind ``ahead`` earlier requests."""
        return self.rate > 0 and len(self.recent_s) + ahead >= self.rate

    def opens_s(self, ahead: int) -> float:
        """Return the boot seconds at which a full window may have room; 0: that depends on those ahead alone.

        With more requests ahead than one window lets through it is the earliest moment at which anything can change.
        """
        too_many = min(len(self.recent_s) + ahead - self.rate + 1, len(self.recent_s))
        return self.recent_s[too_many - 1] + self.period_s if too_many > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Granted:
    """The set can be granted now."""

    needed: tuple[tuple[str, Mode], ...]
    """Resources that need a new lease; those the agent already holds are left out."""
    kept: tuple[Lease, ...]
    """The agent's own leases that already cover the rest."""
    converted: tuple[Lease, ...] = ()
    """The agent's own weaker leases on exactly the needed resources; they end in the grant."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """The set cannot be granted now."""

    holders: tuple[Lease, ...]
    """Leases of others in the way."""
    ahead: tuple[Request, ...]
    """Earlier requests that come first, in order."""
    needed: tuple[tuple[str, Mode], ...] = ()
    """What the agent does not hold yet; this is what waits."""
    passed: tuple[int, ...] = ()
    """Earlier requests that come after it; see ``Request.passes``."""
    opens_s: float = 0.0
    """Boot seconds before which a rate limit lets nothing through; 0: none is in the way."""

    @property
    def position(self) -> int:
        """One more than the number of conflicting requests ahead."""
        return len(self.ahead) + 1

    def wait_s(self, now_s: float) -> float:
        """Return the seconds after which the holders' leases end at the latest if nobody renews or queues."""
        ends_s: dict[str, float] = {}
        for lease in self.holders:
            left_s = lease.left_s(now_s)
            # Of a named resource the first slot that is given up is enough; of paths every lease is in the way.
            name = lease.resource if is_named(lease.resource) else ""
            ends_s[name] = (
                min(ends_s.get(name, left_s), left_s) if name else max(ends_s.get(name, 0.0), left_s)
            )
        held = max(0.0, self.opens_s - now_s, *ends_s.values())
        return held + sum(request.duration_s for request in self.ahead)
