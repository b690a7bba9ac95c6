"""Giving leases up without losing work: what changed under them lands if it can, else it is kept (DESIGN §3.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.coordinator import landing, leases
from pucs.core.errors import NotFound, Refused
from pucs.core.modes import Mode
from pucs.core.resources import contains, file_resource, is_directory, overlaps, symbol_name
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
    context: Context,
    *,
    agent: str,
    resources: Sequence[str] | None = None,
    token: int | None = None,
    leaving: bool = False,
) -> GivenUp:
    """Give up an agent's leases, all or those on these resources or with this token.

    Edits under them land if they can; what cannot is kept on a salvage ref before its lease ends. Giving up what one
    does not hold changes nothing.

    Raises:
        Refused: the configuration lets nothing land that no passing test run covers; nothing was given up. An agent
            that is ``leaving`` has its work kept instead.
    """
    held = _held(context, agent, resources, token)
    if not held:
        return GivenUp(resources=())
    names = [lease.resource for lease in held]
    changed = [] if _untouched(context, agent, held) else _changed(context, agent, held)
    if not changed:
        released = leases.release(context, agent=agent, resources=names, token=token)
        return GivenUp(resources=released.resources)
    outcome = landing.land(context, agent=agent, files=changed)
    parked = list(outcome.parked)
    landed: tuple[str, ...] = ()
    if isinstance(outcome, landing.Landed):
        landed = outcome.paths
    elif outcome.reason == "tests" and not leaving:
        raise Refused(outcome.message, remedy=f"{outcome.remedy} The leases are kept.")
    else:
        parked += landing.park_unlanded(context, agent=agent, resources=names, reason=outcome.message)
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


def note(context: Context, *, agent: str, resources: Sequence[str]) -> dict[str, str]:
    """Describe files as they are in the agent's worktree before it may change them; directories are left out."""
    with context.store.read() as tx:
        known = tx.agents.get(agent)
    place = known.worktree if known is not None and known.worktree else context.repository.root
    files = (name for name in resources if not is_directory(name))
    return {name: context.worktrees.note(place, name) for name in files}


def _untouched(context: Context, agent: str, held: Sequence[Lease]) -> bool:
    """Tell without git whether every leased file is as it was noted at the grant (DESIGN §3.5)."""
    own = [lease for lease in held if lease.mode is Mode.EXCLUSIVE]
    if not all(lease.noted for lease in own):
        return False
    now = note(context, agent=agent, resources=[lease.resource for lease in own])
    return all(now[lease.resource] == lease.noted for lease in own)


def _changed(context: Context, agent: str, held: Sequence[Lease]) -> list[Resource]:
    """Return the unlanded paths that these leases cover."""
    try:
        unlanded = landing.unlanded(context, agent=agent)
    except NotFound:
        return []
    own = [lease.resource for lease in held if lease.mode is Mode.EXCLUSIVE]
    under = [path for path in unlanded if any(overlaps(resource, path) for resource in own)]
    kept = _inside_kept(context, agent, held, under)
    return [path for path in under if path not in kept]


def _inside_kept(
    context: Context, agent: str, held: Sequence[Lease], paths: Sequence[Resource]
) -> set[Resource]:
    """Return the paths of which symbols are given up, but all edits are inside other symbols that the agent keeps."""
    gone = {lease.token for lease in held}
    whole = [lease.resource for lease in held if not symbol_name(lease.resource)]
    with context.store.read() as tx:
        left = [lease for lease in tx.leases.of_agent(agent) if lease.token not in gone]
    kept: dict[Resource, list[str]] = {}
    for lease in left:
        path = file_resource(lease.resource)
        if lease.mode is Mode.EXCLUSIVE and symbol_name(lease.resource) and path in paths:
            kept.setdefault(path, []).append(symbol_name(lease.resource))
    partly = [path for path in kept if not any(contains(name, path) for name in whole)]
    if not partly:
        return set()
    from pucs.syntax.changes import outside  # noqa: PLC0415 - only where symbols are held

    changes = landing.changed_inside(context, agent=agent, paths=partly)
    return {path for path, each in changes.items() if not outside(each, kept[path])}
