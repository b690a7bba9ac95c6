"""Whether a change may land: under which lease it counts, or why it is parked (DESIGN §3.4)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pucs.coordinator.partition import boundaries_of
from pucs.coordinator.requesting import waived
from pucs.coordinator.work import symbol_leases
from pucs.core.modes import Mode
from pucs.core.resources import Resource, file_path, symbol_name
from pucs.locks.records import EndReason, Lease, LeaseState
from pucs.locks.rules import covering, may_land

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.ports import Transaction
    from pucs.syntax.changes import Changes

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
    partly: list[Resource] = field(default_factory=list)
    """The agent leased only symbols of it: what it changes in there decides (see ``judge_inside``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What leases on symbols say about an edit of their file."""

    covered: dict[Resource, int]
    """What the edit changes under live leases, each symbol with its token; an edit that only adds imports counts as one
    of the leased symbols."""
    beyond: tuple[str, ...]
    """What else it touches (see ``pucs.syntax.changes.outside``); empty: it stays inside."""
    undeclared: dict[Resource, int]
    """Each resource that a late lease has to cover, with the token of the ended lease it was changed under, else 0."""
    stale: dict[Resource, Lease]
    """Resources whose lease ended, with the conflicting one that was granted since."""


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
        elif symbol_leases(tx, session, agent, path):
            found.partly.append(path)
        else:
            _judge_ended(tx, session, agent, path, found)
    return found


def judge_inside(tx: Transaction, session: str, agent: str, path: Resource, changes: Changes) -> Inside:
    """Judge what an agent's own edit changes in a file of which it leased symbols, as of one transaction.

    Each changed symbol counts under its narrowest live lease; new definitions and imports count under any of them.
    """
    from pucs.syntax.changes import IMPORTS, MODULE, outside  # noqa: PLC0415 - only where symbols are held

    held = [lease for lease in symbol_leases(tx, session, agent, path) if lease.state is LeaseState.HELD]
    beyond = list(outside(changes, [symbol_name(lease.resource) for lease in held]))
    coming = (*changes.added, *(new for _, new in changes.renamed))
    beyond += [name for name in coming if _anothers(tx, agent, Resource(f"{path}::{name}"))]
    if not held:
        # Additions belong to who holds something of the file.
        beyond += [name for name in changes.added if name not in beyond]
        beyond += [IMPORTS] if changes.imports_added and IMPORTS not in beyond else []
    covered: dict[Resource, int] = {}
    renames = dict(changes.renamed)
    for name in (*changes.changed, *changes.removed, *renames, *changes.added):
        if name in beyond:
            continue
        lease = covering(f"{path}::{name}", held) or held[0]
        covered[Resource(f"{path}::{name}")] = lease.token
        if renames.get(name, name) not in {name, *beyond}:
            covered[Resource(f"{path}::{renames[name]}")] = lease.token
    if held and not covered and not beyond:
        covered[Resource(held[0].resource)] = held[0].token
    # What is not in the agent's file any more cannot be leased by its name.
    gone = {*changes.removed, *renames, IMPORTS, MODULE}
    whole = (not held and not beyond) or not gone.isdisjoint(beyond)
    found = Judgement()
    for name in beyond:
        if name not in {IMPORTS, MODULE}:
            _judge_ended(tx, session, agent, Resource(f"{path}::{name}"), found)
    if whole:
        # The lease on the whole file stands for its symbols; it is as old as the oldest they were changed under.
        older = [token for token in found.undeclared.values() if token]
        found.undeclared.clear()
        if not held or not {IMPORTS, MODULE}.isdisjoint(beyond):
            _judge_ended(tx, session, agent, path, found)
            older += [token for token in found.undeclared.values() if token]
            found.undeclared.clear()
        found.undeclared[path] = min(older, default=0)
    return Inside(covered=covered, beyond=tuple(beyond), undeclared=found.undeclared, stale=found.stale)


def _anothers(tx: Transaction, agent: str, resource: Resource) -> bool:
    """Tell whether another agent holds what a new definition would be, or something around or in it."""
    return any(lease.agent != agent for lease in tx.leases.overlapping([resource]))


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
