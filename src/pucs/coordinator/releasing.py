"""Giving leases up without losing work: what changed under them lands if it can, else it is kept (DESIGN §3.5)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pucs.coordinator import landing, leases, turns
from pucs.coordinator.noting import note
from pucs.core.errors import NotFound, Refused, Usage
from pucs.core.modes import Mode, covers
from pucs.core.resources import contains, file_resource, is_named, overlaps, symbol_name
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
    tokens: dict[str, int] = field(default_factory=dict)
    """New token of each resource that is still held, in the weaker mode that was asked for."""
    left: tuple[str, ...] = ()
    """Resources that it was in the queue for without a process, and does not wait for any more."""
    warnings: tuple[str, ...] = ()
    """What the landing is to be watched for: no passing test run covers it."""


def give_up(
    context: Context,
    *,
    agent: str,
    resources: Sequence[str] | None = None,
    token: int | None = None,
    leaving: bool = False,
    to: Mode | None = None,
) -> GivenUp:
    """Give up an agent's leases, all or those on these resources or with this token.

    Edits under them land if they can; what cannot is kept on a salvage ref before its lease ends. Places in the queue that
    a suspended agent has for them are given up, too. Giving up what one does not hold changes nothing. With ``to`` each lease that is stronger is turned into one of that mode instead, under
    a new token and in one step, so that nobody else can write in between; named resources have no weaker mode.

    Raises:
        Usage: ``to`` is no weaker mode than any.
        Refused: the configuration lets nothing land that no passing test run covers; nothing was given up. An agent
            that is ``leaving`` has its work kept instead, and what it hands over stays for whoever accepts it.
    """
    if to is Mode.EXCLUSIVE:
        raise Usage(
            "No mode is stronger than exclusive.", remedy="Name shared or intent, or none to give up."
        )
    # Whoever gives something up does not want to be woken for it either.
    left = turns.leave(context, agent=agent, resources=resources) if token is None and to is None else ()
    held = _held(context, agent, resources, token, leaving=leaving)
    if to is not None:
        held = [lease for lease in held if not is_named(lease.resource) and not covers(to, lease.mode)]
    if not held:
        return GivenUp(resources=(), left=left)
    names = [lease.resource for lease in held]
    changed = [] if _untouched(context, agent, held) else _changed(context, agent, held)
    if not changed:
        return replace(_let_go(context, agent, names, token, to=to), left=left)
    outcome = landing.land(context, agent=agent, files=changed, release=to is None)
    parked = list(outcome.parked)
    landed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    if isinstance(outcome, landing.Landed):
        landed, warnings = outcome.paths, outcome.warnings
    elif outcome.reason == "tests" and not leaving:
        raise Refused(outcome.message, remedy=f"{outcome.remedy} The leases are kept.")
    else:
        parked += landing.park_unlanded(context, agent=agent, resources=names, reason=outcome.message)
    reason = EndReason.LANDED if landed else EndReason.PARKED
    done = _let_go(context, agent, names, token, to=to, reason=reason)
    return replace(
        done,
        resources=done.resources if to else tuple(names),
        left=left,
        landed=landed,
        parked=tuple(parked),
        warnings=warnings,
    )


def _let_go(
    context: Context,
    agent: str,
    names: Sequence[str],
    token: int | None,
    *,
    to: Mode | None,
    reason: EndReason = EndReason.RELEASED,
) -> GivenUp:
    """End the leases on these resources, or make them weaker."""
    if to is None:
        released = leases.release(context, agent=agent, resources=names, token=token, reason=reason)
        return GivenUp(resources=released.resources)
    tokens = leases.downgrade(context, agent=agent, resources=names, to=to, token=token)
    return GivenUp(resources=tuple(tokens), tokens=tokens)


def _held(
    context: Context, agent: str, resources: Sequence[str] | None, token: int | None, *, leaving: bool
) -> list[Lease]:
    with context.store.read() as tx:
        held = tx.leases.of_agent(agent)
        promised = tx.handoffs.promised(agent) if leaving else frozenset()
    wanted = None if resources is None else set(resources)
    return [
        lease
        for lease in held
        if (wanted is None or lease.resource in wanted)
        and token in {None, lease.token}
        and lease.resource not in promised
    ]


def _untouched(context: Context, agent: str, held: Sequence[Lease]) -> bool:
    """Tell without git whether every leased file is as it was noted at the grant (DESIGN §3.5)."""
    own = [lease for lease in held if lease.mode is Mode.EXCLUSIVE and not is_named(lease.resource)]
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
