"""Dividing one file between agents that need it: what each needs is found out, and disjoint symbols are proposed.

What an agent has changed is read from its worktree, what it plans from its intent, its leases and its task; the rule is
``intents.partition``. Nothing changes hands before the proposal is accepted (``coordinator.dividing``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pucs.coordinator.contesting import over
from pucs.coordinator.context import unit
from pucs.coordinator.liveness import standing
from pucs.coordinator.messages import alert
from pucs.core.errors import GitError, NotFound, Refused, Usage
from pucs.core.modes import Mode
from pucs.core.resources import (
    contains,
    file_path,
    file_resource,
    is_directory,
    is_named,
    is_symbol,
    symbol_name,
)
from pucs.intents.partition import Division, Party, divide
from pucs.intents.records import Partition, PartitionState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context, Unit
    from pucs.coordinator.ports import Transaction
    from pucs.core.instants import Instant
    from pucs.intents.records import Intent
    from pucs.locks.records import Lease, Request
    from pucs.syntax.changes import Changes

PARTIES_MAX = 20
"""Most agents between whom one file is divided: more want another file, and each costs a look at its worktree."""
SYMBOLS_NAMED = 5
"""Symbols named in an alert; the proposal has them all."""
_MORE_THAN_THE_FILE = "{agent} holds {resource}, which is more than {file}."


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionResult:
    """The answer to a wish to divide a file (000 §3.4)."""

    success: bool
    """There is a proposal."""
    file: str
    """Canonical resource of the file."""
    parties: tuple[str, ...]
    """Agents in the order of their turn."""
    scopes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Symbol resources proposed for each agent, ready to be leased; no two overlap."""
    waits: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Symbol resources that an agent needs too, and that an earlier one gets."""
    unassigned: tuple[str, ...] = ()
    """Symbol resources that nobody needs."""
    queued: tuple[str, ...] = ()
    """Agents that wait for the file as a whole."""
    reason: str = ""
    """Why there is no proposal, in one sentence."""
    proposal: int = 0
    """Id to accept or refuse; 0: there is none."""
    deadline_at: str = ""
    """Wall time at which the proposal lapses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One party with all it has around the file, as of one transaction."""

    agent: Agent
    leases: tuple[Lease, ...]
    """Its leases that overlap the file, held or reserved."""
    requests: tuple[Request, ...]
    """Its requests that overlap the file."""
    intent: Intent | None
    """Its open intent, if that overlaps the file."""
    task: str
    """Title and prompt of the task it is at work on."""

    @property
    def place(self) -> tuple[int, int]:
        """Its turn: who holds comes before who waits, who waits before who plans, each by its time."""
        if self.leases:
            return 0, min(lease.token for lease in self.leases)
        if self.requests:
            return 1, min(request.id for request in self.requests)
        return (2, min(place for _, place in self.intent.planned)) if self.intent else (3, 0)


def negotiate(context: Context, *, file: str, agents: Sequence[str] = ()) -> PartitionResult:
    """Propose disjoint symbols of a file (canonical) to agents; without names, to all that hold, await or plan it.

    If it cannot be divided, the later ones wait as they do; the result says why. Saying it again while nothing has
    changed gives the same proposal.

    Raises:
        Usage: it is no file, or fewer than two or too many agents are concerned.
        NotFound: no such agent in the session.
        Refused: no session.
    """
    if is_directory(file) or is_named(file):
        raise Usage(
            f"{file} has no functions to divide.", remedy="Name one file; divide a directory by its files."
        )
    file = file_resource(file)
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
        if session is None:
            raise Refused("There is no active session.", remedy="Start one with: pucs init")
        sides = sides_of(context, tx, session.id, file, agents)
        enabled = tx.sessions.configuration().partition_enabled
        obstacle = "" if enabled else "conflict_resolution.partition_enabled is false."
        obstacle = obstacle or _in_the_way(context, tx, file, sides)
    names = [side.agent.id for side in sides]
    division = (
        Division(queued=tuple(names[1:]), reason=obstacle) if obstacle else _divided(context, file, sides)
    )
    with unit(context) as opened:
        return _proposed(opened, file, names, division)


def sides_of(context: Context, tx: Transaction, session: str, file: str, agents: Sequence[str]) -> list[Side]:
    """Return the parties in the order of their turn.

    Raises:
        Usage: fewer than two, or too many.
        NotFound: no such agent, or it has ended.
    """
    now = context.clock.now()
    leases = standing(context.processes, now, tx.leases.overlapping((file,)))
    requests = [request for request in tx.requests.overlapping((file,)) if request.session == session]
    intents = [
        intent
        for intent in tx.intents.overlapping((file,))
        if intent.session == session and not over(context, tx, now, intent)
    ]
    found = [one.agent for group in (leases, requests, intents) for one in group]
    names = list(dict.fromkeys(agents or found))
    if len(names) < 2:  # noqa: PLR2004 - two is what there is to divide between
        raise Usage(
            f"There are no two agents to divide {file} between.",
            remedy="Name them with --agents A,B, or let both lease, await or plan it first.",
        )
    if len(names) > PARTIES_MAX:
        raise Usage(f"{len(names)} agents are too many.", remedy=f"At most {PARTIES_MAX}.")
    sides = []
    for name in names:
        agent = tx.agents.get(name)
        if agent is None or agent.session != session or not agent.active:
            raise NotFound(f"There is no active agent {name!r}.", remedy="See: pucs agents")
        task = tx.tasks.get(session, agent.task) if agent.task else None
        sides.append(
            Side(
                agent=agent,
                leases=tuple(lease for lease in leases if lease.agent == name),
                requests=tuple(request for request in requests if request.agent == name),
                intent=next((intent for intent in intents if intent.agent == name), None),
                task=f"{task.title} {task.prompt}" if task else "",
            )
        )
    return sorted(sides, key=lambda side: side.place)  # stable: equals stay as they were named


def _in_the_way(context: Context, tx: Transaction, file: str, sides: Sequence[Side]) -> str:
    """Return why leases rule a division out, in one sentence; empty if they do not."""
    parties = {side.agent.id for side in sides}
    for lease in standing(context.processes, context.clock.now(), tx.leases.overlapping((file,))):
        if lease.agent not in parties:
            return f"{lease.agent} holds {lease.resource} too and is not asked."
        if is_directory(lease.resource):
            return _MORE_THAN_THE_FILE.format(agent=lease.agent, resource=lease.resource, file=file)
        if lease.mode is Mode.SHARED_READ:
            return f"{lease.agent} relies on {lease.resource} as it is."
    return ""


def _divided(context: Context, file: str, sides: Sequence[Side]) -> Division:
    """Find out what each party needs and divide; reads worktrees and parses, so never inside a transaction."""
    from pucs.syntax.definitions import Unparsable, definitions, supports  # noqa: PLC0415 - only to divide a file

    queued = tuple(side.agent.id for side in sides[1:])
    if not supports(file_path(file)):
        return Division(
            queued=queued, reason=f"The functions of {file} are not known: only Python files are read."
        )
    places = dict.fromkeys(side.agent.worktree or context.repository.root for side in sides)
    symbols: set[str] = set()
    try:
        for place in places:
            content = context.worktrees.read(place, file)
            symbols |= definitions(content).names() if content is not None else frozenset()
    except (Unparsable, Refused, GitError) as error:
        return Division(queued=queued, reason=f"The functions of {file} cannot be told: {error}.")
    if not symbols:
        return Division(queued=queued, reason=f"There are no functions or classes in {file}.")
    return divide(symbols, [_party(context, file, side) for side in sides])


def _party(context: Context, file: str, side: Side) -> Party:
    from pucs.syntax.changes import outside  # noqa: PLC0415 - only to divide a file

    changes = changes_of(context, file, side)
    touched = (
        frozenset((*changes.changed, *changes.added, *changes.removed, *(old for old, _ in changes.renamed)))
        if changes is not None
        else frozenset()
    )
    resources = [lease.resource for lease in side.leases]
    resources += [name for request in side.requests for name, _ in request.resources]
    resources += side.intent.resources if side.intent else ()
    words = [lease.task for lease in side.leases] + [request.task for request in side.requests]
    return Party(
        agent=side.agent.id,
        changed=touched,
        named=frozenset(symbol_name(name) for name in resources if is_symbol(name) and contains(file, name)),
        words=". ".join([side.intent.description if side.intent else "", *words, side.task]),
        beyond=outside(changes, touched) if changes is not None else (),
        holds=any(lease.resource == file for lease in side.leases),
    )


def changes_of(context: Context, file: str, side: Side, *, sure: bool = False) -> Changes | None:
    """Return what a party has changed in the file and not landed, None if it cannot have or nothing is known of it.

    In a checkout that several share only who has leased the file can have changed it. With ``sure``, what cannot be
    known is an error.
    """
    own = side.agent.worktree not in {"", context.repository.root}
    if not own and not side.leases:
        return None
    from pucs.coordinator.landing import changed_inside  # noqa: PLC0415 - only to divide a file

    resource = file_resource(file)
    try:
        return changed_inside(context, agent=side.agent.id, paths=(resource,)).get(resource)
    except (NotFound, Refused, GitError):
        if sure:
            raise
        return None


def _proposed(opened: Unit, file: str, parties: Sequence[str], division: Division) -> PartitionResult:
    """Record a proposal, or the same one again; what was proposed for these parties before is replaced."""
    scopes, waits = _resources(file, division.scopes), _resources(file, division.waits)
    result = PartitionResult(
        success=bool(scopes),
        file=file,
        parties=tuple(parties),
        scopes=scopes,
        waits=waits,
        unassigned=tuple(f"{file}::{symbol}" for symbol in division.unassigned),
        queued=division.queued,
        reason=division.reason,
    )
    session = opened.active().id
    known = None
    for old in undecided(opened):
        if old.file != file or not set(old.parties) & set(parties):
            continue
        if (old.scopes, old.waits, set(old.parties)) == (scopes, waits, set(scopes)) and scopes:
            known = old
        else:
            decide(opened, old, PartitionState.REFUSED, "another division was asked for")
    if not scopes:
        opened.log("partition not possible", files=(file,), parties=list(parties), reason=division.reason)
        return result
    if known is None:
        after_s = opened.tx.sessions.configuration().arbitration_timeout_s
        known = _recorded(
            opened,
            Partition(
                session=session,
                file=file,
                parties=tuple(agent for agent in parties if agent in scopes),
                scopes=scopes,
                waits=waits,
                boot_id=opened.now.boot_id,
                deadline_s=opened.now.boot_s + after_s,
                proposed_at=opened.now.wall(),
                deadline_at=opened.now.wall(after_s),
            ),
        )
    return replace(result, proposal=known.id, deadline_at=known.deadline_at)


def _resources(file: str, symbols: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {agent: tuple(f"{file}::{symbol}" for symbol in own) for agent, own in symbols.items()}


def _recorded(opened: Unit, partition: Partition) -> Partition:
    """Record a new proposal and tell its parties."""
    partition = replace(partition, id=opened.tx.partitions.add(partition))
    opened.log(
        "partition proposed",
        files=(partition.file,),
        partition=partition.id,
        scopes=partition.scopes,
        waits=partition.waits,
        until=partition.deadline_at,
    )
    for agent, scope in partition.scopes.items():
        named = f"{', '.join(scope[:SYMBOLS_NAMED])}{', ...' if len(scope) > SYMBOLS_NAMED else ''}"
        text = (
            f"Proposal {partition.id} divides {partition.file}: {named} would be yours. "
            f"Accept with: pucs partition accept {partition.id} --agent {agent}"
        )
        alert(opened, 0, [agent], (partition.file,), text=text)
    return partition


def undecided(opened: Unit) -> list[Partition]:
    """Return the proposals that somebody may still decide; those whose time is over lapse here."""
    found = opened.tx.partitions.all(opened.active().id, undecided=True)
    late = [one for one in found if lapsed(one, opened.now)]
    for one in late:
        decide(opened, one, PartitionState.LAPSED, f"nobody decided by {one.deadline_at}")
    return [one for one in found if one not in late]


def lapsed(partition: Partition, now: Instant) -> bool:
    """Tell whether the time to decide a proposal is over."""
    return partition.boot_id != now.boot_id or partition.deadline_s <= now.boot_s


def decide(opened: Unit, partition: Partition, state: PartitionState, why: str, *, by: str = "") -> Partition:
    """Close a proposal with its entry."""
    closed = replace(partition, state=state, ended_at=opened.now.wall(), why=why)
    opened.tx.partitions.put(closed)
    opened.log(
        f"partition {state.value}",
        agent=by,
        files=(partition.file,),
        partition=partition.id,
        parties=list(partition.parties),
        why=why,
    )
    return closed


def partitions(context: Context, *, undecided: bool = False) -> list[Partition]:
    """Return the proposals of the session by id; one whose time is over counts as lapsed, whether or not somebody met it."""
    now = context.clock.now()
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.latest()
        found = tx.partitions.all(session.id) if session else []
    found = [
        replace(one, state=PartitionState.LAPSED)
        if one.state is PartitionState.PROPOSED and lapsed(one, now)
        else one
        for one in found
    ]
    return [one for one in found if not undecided or one.state is PartitionState.PROPOSED]
