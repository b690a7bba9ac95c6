"""What a request for leases asks and what it is answered: shared by those who ask, wait and claim."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pucs.coordinator.granting import bases
from pucs.messages.rules import quoted_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pucs.coordinator.context import Unit
    from pucs.core.modes import Mode
    from pucs.locks.records import Lease

HOLDERS_NAMED = 3
"""Holders named in a refusal; the others are seen with ``pucs locks``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquired:
    """The answer to ``acquire`` (000 §3.3 ``LockResult``)."""

    granted: bool
    tokens: dict[str, int] = field(default_factory=dict)
    """Fencing token by resource."""
    expires_at: str = ""
    """Wall time at which the first of them ends."""
    queue_position: int = 0
    """Place in the queue, 1 for the next; 0 when granted."""
    wait_time: float = 0.0
    """Seconds until it is free at the latest if nobody renews; 0 when granted."""
    reason: str = ""
    """Why not, in one sentence; names holder, task and time."""
    base: dict[str, str] = field(default_factory=dict)
    """Commit that last changed each resource; work must build on it (DESIGN §3.5)."""
    conflict: int = 0
    """Conflict record of the wait or the refusal, 0 if none."""
    waited_s: float = 0.0
    """Seconds spent in the queue."""
    estimated_wait_s: float | None = None
    """Seconds it usually takes, from how long the resources were held lately; None: not known, or granted."""
    planned_by: tuple[str, ...] = ()
    """Others whose active intents name some of what was granted: talk to them before you change it."""
    paused: bool = False
    """The agent is paused; once it is resumed it may ask again."""
    late: bool = False
    """The grant came while the waiter could not run, and passed on; asking again begins a new wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What ``acquire`` was asked for."""

    asked: tuple[tuple[str, Mode], ...]
    agent: str
    stream: str
    duration_s: float | None
    task: str
    noted: Mapping[str, str]


def held_text(lease: Lease) -> str:
    """Say who has a lease, what for in their words, and until when."""
    task = f" ({quoted_words('', lease.task).removeprefix(': ')})" if lease.task else ""
    return f"{lease.resource} is held by {lease.agent}{task} until {lease.expires_at}"


def answered(opened: Unit, names: Sequence[str], leases: Sequence[Lease]) -> Acquired:
    """Return the answer to a request whose leases stand."""
    base = bases(opened.tx, opened.active(), names)
    return Acquired(
        granted=True,
        tokens={lease.resource: lease.token for lease in leases},
        expires_at=min(lease.expires_at for lease in leases),
        base=base,
        planned_by=_planned_by(opened, names, leases[0].agent),
    )


def _planned_by(opened: Unit, names: Sequence[str], agent: str) -> tuple[str, ...]:
    found = opened.tx.intents.overlapping(names)
    if not found:
        return ()  # the common case
    from pucs.intents.records import IntentState  # noqa: PLC0415 - most leases are in nobody's plan
    from pucs.intents.rules import lapsed  # noqa: PLC0415

    now = opened.now
    return tuple(
        intent.agent
        for intent in found
        if intent.agent != agent
        and intent.state is IntentState.ACTIVE
        and not lapsed(intent, now.boot_id, now.boot_s)
    )
