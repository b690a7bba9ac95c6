"""Giving leases up without losing work: what changed under them lands if it can, else it is kept (DESIGN §3.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.conflicts.records import Kind
from pucs.coordinator import landing, leases, salvaging
from pucs.core.errors import NotFound
from pucs.core.modes import Mode
from pucs.core.resources import contains
from pucs.locks.records import EndReason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.context import Context
    from pucs.coordinator.salvaging import Parked
    from pucs.core.resources import Resource
    from pucs.locks.records import Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """What giving up did."""

    resources: tuple[str, ...]
    """Resources whose leases ended."""
    landed: tuple[str, ...] = ()
    """Paths that landed first."""
    parked: tuple[Parked, ...] = ()
    """What could not land and is on salvage refs."""


def give_up(
    context: Context, *, agent: str, resources: Sequence[str] | None = None, token: int | None = None
) -> GivenUp:
    """Give up an agent's leases, all or those on these resources or with this token.

    Edits under them land if they can; what cannot is kept on a salvage ref before its lease ends. Giving up what one
    does not hold changes nothing.
    """
    held = _held(context, agent, resources, token)
    if not held:
        return GivenUp(resources=())
    names = [lease.resource for lease in held]
    changed = _changed(context, agent, held)
    if not changed:
        released = leases.release(context, agent=agent, resources=names, token=token)
        return GivenUp(resources=released.resources)
    outcome = landing.land(context, agent=agent, files=changed)
    parked = list(outcome.parked)
    landed: tuple[str, ...] = ()
    if isinstance(outcome, landing.Landed):
        landed = outcome.paths
    else:
        left = _changed(context, agent, held)
        if left:
            bench = salvaging.bench_of(context, agent)
            parked.append(salvaging.park(context, bench, left, kind=Kind.FILE_LOCK, reason=outcome.message))
    reason = EndReason.LANDED if landed else EndReason.PARKED
    leases.release(context, agent=agent, resources=names, token=token, reason=reason)
    return GivenUp(resources=tuple(names), landed=landed, parked=tuple(parked))


def _held(context: Context, agent: str, resources: Sequence[str] | None, token: int | None) -> list[Lease]:
    with context.store.read() as tx:
        held = tx.leases.of_agent(agent)
    wanted = None if resources is None else set(resources)
    return [
        lease
        for lease in held
        if (wanted is None or lease.resource in wanted) and (token is None or lease.token == token)
    ]


def _changed(context: Context, agent: str, held: Sequence[Lease]) -> list[Resource]:
    """Return the unlanded paths that these leases cover."""
    try:
        unlanded = landing.unlanded(context, agent=agent)
    except NotFound:
        return []
    own = [lease.resource for lease in held if lease.mode is Mode.EXCLUSIVE]
    return [path for path in unlanded if any(contains(resource, path) for resource in own)]
