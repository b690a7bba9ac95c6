"""Whether a change may land: under which lease it counts, or why it is parked (DESIGN §3.4)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pucs.coordinator.partition import boundaries_of
from pucs.coordinator.requesting import waived
from pucs.core.modes import Mode
from pucs.core.resources import Resource, file_path
from pucs.locks.records import EndReason, Lease, LeaseState
from pucs.locks.rules import covering, may_land

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.ports import Transaction

GENERATED_TOKEN = 0
"""Recorded for a declared generated file, which needs no lease."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules say about each changed path; every path is in exactly one place."""

    covered: dict[Resource, int] = field(default_factory=dict)
    """Token of the live lease that covers it, 0 for a generated file."""
    undeclared: dict[Resource, int] = field(default_factory=dict)
    """Nobody's lease speaks for or against it; the token of the ended lease it was made under, 0 if there was none."""
    stale: dict[Resource, Lease] = field(default_factory=dict)
    """Its lease ended and this conflicting one was granted since."""
    foreign: dict[Resource, str] = field(default_factory=dict)
    """The other stream that covers it."""


def judge(tx: Transaction, session: str, agent: str, stream: str, paths: Sequence[Resource]) -> Judgement:
    """Judge changed paths of an agent's own work against leases and boundaries, as of one transaction."""
    boundaries = boundaries_of(tx, session)
    held = [lease for lease in tx.leases.of_agent(agent) if lease.state is LeaseState.HELD]
    found = Judgement()
    for path in paths:
        other = boundaries.crossed(path, stream)
        lease = covering(path, held)
        if boundaries.generated(file_path(path)):
            found.covered[path] = GENERATED_TOKEN
        elif other is not None and not waived(tx, session, agent, path):
            found.foreign[path] = other
        elif lease is not None:
            found.covered[path] = lease.token
        else:
            _judge_ended(tx, session, agent, path, found)
    return found


def overtaken(tx: Transaction, path: Resource, token: int) -> Lease | None:
    """Return a lease granted to another agent since, which a change of ``path`` under ``token`` must not overwrite."""
    for lease in tx.leases.by_tokens([token]):
        # The path counts, not all that the lease held: who changed another file of the directory does not matter.
        narrowed = replace(lease, resource=path)
        since = tx.leases.granted_after(token, path)
        if not may_land(narrowed, since):
            return next(other for other in since if not may_land(narrowed, [other]))
    return None


def _judge_ended(tx: Transaction, session: str, agent: str, path: Resource, found: Judgement) -> None:
    ended = next(
        (
            lease
            for lease in tx.leases.last_of(agent, path)
            if lease.state is LeaseState.ENDED
            and lease.mode is Mode.EXCLUSIVE
            and lease.session == session
            and lease.end_reason is not EndReason.LAPSED
        ),
        None,
    )
    newer = overtaken(tx, path, ended.token) if ended else None
    if newer is not None:
        found.stale[path] = newer
    else:
        found.undeclared[path] = ended.token if ended else 0
