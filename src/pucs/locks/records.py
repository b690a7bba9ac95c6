"""The records of the room: leases, requests for them, and the answers to a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

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


@dataclass(frozen=True, slots=True)
class Granted:
    """The set can be granted now."""

    needed: tuple[tuple[str, Mode], ...]
    """Resources that need a new lease; those the agent already holds are left out."""
    kept: tuple[Lease, ...]
    """The agent's own leases that already cover the rest."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """The set cannot be granted now."""

    holders: tuple[Lease, ...]
    """Leases of others in the way."""
    ahead: tuple[Request, ...]
    """Earlier requests that come first, in order."""

    @property
    def position(self) -> int:
        """One more than the number of conflicting requests ahead."""
        return len(self.ahead) + 1

    def wait_s(self, now_s: float) -> float:
        """Return the seconds after which the holders' leases end at the latest if nobody renews or queues."""
        held = max((lease.left_s(now_s) for lease in self.holders), default=0.0)
        return held + sum(request.duration_s for request in self.ahead)
