"""Which leases are over although nobody has met them yet; apart, because looking needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.locks.rules import expired

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pucs.coordinator.ports import Processes
    from pucs.core.instants import Instant
    from pucs.core.processes import Process
    from pucs.locks.records import Lease


def ended_by(processes: Processes, now: Instant, live: Iterable[Lease]) -> list[Lease]:
    """Return the leases that are over at an instant; a landing under way holds its leases in place."""
    dead: dict[Process, bool] = {}
    ended: list[Lease] = []
    for lease in live:
        if lease.owner is not None and lease.owner not in dead:
            dead[lease.owner] = processes.alive(lease.owner) is False
        gone = lease.owner is not None and dead[lease.owner]
        if (gone and lease.landing is None) or expired(lease, now.boot_id, now.boot_s):
            ended.append(lease)
    return ended


def standing(processes: Processes, now: Instant, live: Iterable[Lease]) -> list[Lease]:
    """Return the leases that still hold something at an instant."""
    leases = list(live)
    gone = {lease.token for lease in ended_by(processes, now, leases)}
    return [lease for lease in leases if lease.token not in gone]
