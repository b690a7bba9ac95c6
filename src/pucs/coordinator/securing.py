"""An edit gets its lease, on a base that is not stale, before it happens (DESIGN §3.5, §5).

What the agent's leases cover costs one look at the store. Under leases on symbols the edit is judged by what it does to
definitions, with the same function as at landing. Everything else asks for a lease, all files of one call together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pucs.coordinator.context import unit
from pucs.coordinator.conversations import lease_s
from pucs.coordinator.noting import note
from pucs.coordinator.whereabouts import own_place
from pucs.core.errors import Refused
from pucs.core.resources import Resource, file_path, file_resource, is_directory, is_symbol, overlaps
from pucs.locks.records import EndReason, LeaseState
from pucs.locks.rules import covering, expired

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pucs.agents.calls import Edit
    from pucs.agents.records import Agent
    from pucs.coordinator.answering import Acquired
    from pucs.coordinator.context import Context
    from pucs.coordinator.ports import Transaction
    from pucs.coordinator.whereabouts import Target
    from pucs.core.instants import Instant
    from pucs.locks.records import Lease
    from pucs.syntax.changes import Changes

FILES_MAX = 200
"""Most files of one call: each costs a look at the disk, and no program changes more in one step."""
NAMES_TOLD = 5
"""Files named in an answer; the rest is counted."""
_KEPT_OTHERWISE = frozenset({EndReason.LANDED, EndReason.PARKED, EndReason.HANDED_OVER, EndReason.CONVERTED})
"""Ends of leases after which the work under them is somewhere else, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """Whether edits may go on."""

    denied: str = ""
    """Why not; empty: they may."""
    path: str = ""
    """File that it is about."""
    told: tuple[str, ...] = ()
    """What the agent should know beside it."""


@dataclass(slots=True)
class Cover:
    """How an agent's live leases stand to files it wants to change."""

    tokens: dict[str, int] = field(default_factory=dict)
    """Files and symbols that are covered, with the token of the lease."""
    partly: dict[Resource, list[Lease]] = field(default_factory=dict)
    """Files of which only symbols are leased, with those leases."""
    bare: list[Resource] = field(default_factory=list)
    """What nothing covers."""


def secure(context: Context, agent: Agent, targets: Sequence[Target]) -> Secured:
    """Give edits their leases, or say why they may not be; one read where everything is covered.

    Raises:
        PucsError: git, the disk or the store failed, or something cannot be leased.
    """
    paths = list(dict.fromkeys(path for target in targets for path in target.resources))
    now = context.clock.now()
    with context.store.read() as tx:
        cover = covered(tx, agent, now, paths)
    wanted = [*worth_a_lease(context, agent, cover.bare)]
    for path, held in cover.partly.items():
        wanted += _beyond(context, agent, path, held, [one.edit for one in targets if path in one.resources])
        cover.tokens |= {lease.resource: lease.token for lease in held}
    told: list[str] = []
    if wanted:
        answer = ask(context, agent, wanted)
        if not answer.granted:
            return Secured(denied=_why(context, agent, answer, wanted), path=file_resource(wanted[0]))
        cover.tokens |= answer.tokens
        told += _kept_for_others(context, agent, wanted, set(answer.tokens.values()))
        if answer.planned_by:
            told.append(f"{', '.join(answer.planned_by)} also plans to change {named(wanted)}.")
    stale = _stale(context, agent, cover.tokens)
    return stale or Secured(told=tuple(told))


def _generated(tx: Transaction, session: str, path: Resource) -> bool:
    from pucs.coordinator.partition import boundaries_of  # noqa: PLC0415 - most edits are under a lease already

    return boundaries_of(tx, session).generated(file_path(path))


def covered(tx: Transaction, agent: Agent, now: Instant, paths: Iterable[Resource]) -> Cover:
    """Sort files by how the agent's live leases cover them; generated files need none."""
    paths = list(paths)
    around = tx.leases.overlapping(paths)
    mine = [lease for lease in around if lease.agent == agent.id and lease.state is LeaseState.HELD]
    held = [lease for lease in mine if not expired(lease, now.boot_id, now.boot_s)]
    found = Cover()
    for path in paths:
        lease = covering(path, held)
        if lease is None and not is_directory(path) and _generated(tx, agent.session, path):
            continue
        inside = [one for one in mine if is_symbol(one.resource) and file_resource(one.resource) == path]
        if lease is not None:
            found.tokens[path] = lease.token
        elif any(one in held for one in inside):
            found.partly[path] = inside
        else:
            found.bare.append(path)
    return found


def ask(context: Context, agent: Agent, names: Sequence[str]) -> Acquired:
    """Ask for leases for an agent: it lines up if a supervisor can resume it, and is only answered otherwise."""
    from pucs.coordinator import leases, turns  # noqa: PLC0415 - most edits are covered already

    noted = _noted(context, agent, names)
    if agent.launched:
        return turns.line_up(context, agent=agent.id, resources=names, task=agent.task, noted=noted)
    with context.store.read() as tx:
        duration_s = lease_s(tx, agent)
    return leases.acquire(
        context, agent=agent.id, resources=names, duration_s=duration_s, task=agent.task, noted=noted
    )


def _noted(context: Context, agent: Agent, names: Sequence[str]) -> dict[str, str]:
    """Describe files as they are before the edit, but for those that may hold unlanded work of the agent already.

    Of these nothing is noted, so that whoever asks later whether anything was changed looks with git.
    """
    noted = note(context, agent=agent.id, resources=names)
    with context.store.read() as tx:
        for name in names:
            last = next(iter(tx.leases.last_of(agent.id, name)), None)
            over = (
                last is not None and last.state is not LeaseState.ENDED
            )  # by time, only nobody has met it yet
            if last is not None and (over or last.end_reason in {EndReason.EXPIRED, EndReason.RECLAIMED}):
                noted.pop(name, None)
    return noted


def named(names: Sequence[str]) -> str:
    """Return the first of some names in one line."""
    more = f" and {len(names) - NAMES_TOLD} more" if len(names) > NAMES_TOLD else ""
    return ", ".join(names[:NAMES_TOLD]) + more


def worth_a_lease(context: Context, agent: Agent, paths: Sequence[Resource]) -> list[Resource]:
    """Leave out what git ignores in an agent's own worktree: nobody else sees it, and it never lands."""
    if not paths or not agent.branch:
        return list(paths)
    ignored = context.worktrees.ignored(agent.worktree, paths)
    return [path for path in paths if path not in ignored]


# Under leases on symbols ---------------------------------------------------------------------------------------


def _beyond(
    context: Context, agent: Agent, path: Resource, held: Sequence[Lease], edits: Sequence[Edit]
) -> list[Resource]:
    """Return what edits of a file need beyond the agent's leases on symbols of it."""
    from pucs.agents.patches import Unclear  # noqa: PLC0415 - only where symbols are held
    from pucs.coordinator.judging import judge_inside  # noqa: PLC0415

    if not any(edit.sure for edit in edits):
        return []  # a guess out of shell text; what has changed is looked at afterwards
    try:
        before, changes = _changes(context, own_place(context, agent), path, edits)
    except (Unclear, Refused):
        return [path]
    with context.store.read() as tx:
        inside = judge_inside(tx, agent.session, agent.id, path, changes)
    now = context.clock.now()
    wanted = [
        Resource(lease.resource) for lease in held if expired(lease, now.boot_id, now.boot_s)
    ]  # asked for anew with the rest: the judge has counted them
    defined = _defined(before)
    if not all(name in defined for name in inside.beyond):
        return [*wanted, path]
    return [*wanted, *(Resource(f"{path}::{name}") for name in inside.beyond)]


def _changes(
    context: Context, place: str, path: Resource, edits: Sequence[Edit]
) -> tuple[bytes | None, Changes]:
    """Return a file as it is and what edits do to its definitions.

    Raises:
        Unclear: that cannot be told.
        Refused: it is no regular file, or larger than 8 MiB.
    """
    from pucs.agents.patches import edited  # noqa: PLC0415 - only where symbols are held
    from pucs.syntax.changes import changed_symbols  # noqa: PLC0415

    before = after = context.worktrees.read(place, path)
    for edit in edits:
        if edit.sure:
            after = edited(after, edit)
    return before, changed_symbols(before, after)


def _defined(content: bytes | None) -> frozenset[str]:
    from pucs.syntax.definitions import Unparsable, definitions  # noqa: PLC0415 - only where symbols are held

    try:
        return definitions(content or b"").names()
    except Unparsable:
        return frozenset()


# Why not -------------------------------------------------------------------------------------------------------


def _why(context: Context, agent: Agent, answer: Acquired, wanted: Sequence[str]) -> str:
    """Say why a lease was not granted, and what the agent can do meanwhile; only what is true is promised."""
    if not answer.queue_position:
        return answer.reason  # a boundary, a circle or a full queue: its reason says what to do
    from pucs.coordinator import turns  # noqa: PLC0415 - only a denial needs it

    # The queue may have refused it a place.
    waits = agent.launched and bool(set(wanted) & set(turns.awaited(context, agent=agent.id)))
    place = ordinal(answer.queue_position)
    if waits:
        return (
            f"{answer.reason.removesuffix('.')}; you are {place} in line. Work on something that does not need it. When "
            "there is nothing else, end your turn: you will be woken when it is yours. If you can do without it, give your place "
            f"up: pucs unlock {wanted[0]} (or the tool release_locks)."
        )
    return (
        f"{answer.reason.removesuffix('.')}; you would be {place} in line, but nothing is kept for you. Work on something "
        "that does not need it; you are told with a later call when it is free."
    )


def ordinal(number: int) -> str:
    """Return a number as a place in an order: 1st, 2nd, 11th."""
    teen = 10 < number % 100 < 14  # noqa: PLR2004 - 11th, 12th and 13th
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


# On what base --------------------------------------------------------------------------------------------------


def _stale(context: Context, agent: Agent, tokens: dict[str, int]) -> Secured | None:
    """Refuse the first edit under a lease until the agent's worktree contains what landed on the resource.

    An agent's own worktree is brought up to date at once; a person's checkout only by its owner. None: nothing is missing.
    """
    with context.store.read() as tx:
        due = [
            name
            for name, token in tokens.items()
            if tx.sights.based(agent.id, name) != token and tx.landings.last_on(agent.session, (name,))
        ]
    if not due or (agent.branch and context.worktrees.merging(agent.worktree)):
        return None  # what is being merged is brought in just now; it is asked again afterwards
    from pucs.coordinator import syncing  # noqa: PLC0415 - only after a landing

    lacking = syncing.lacking(context, agent=agent.id, resources=due)
    if not lacking:
        with unit(context) as opened:
            for name in due:
                opened.tx.sights.base(agent.id, name, tokens[name])
        return None
    touched = [name for name in due if any(overlaps(name, one) for each in lacking for one, _ in each.paths)]
    who = ", ".join(dict.fromkeys(f"{each.agent} at {each.landed_at}" for each in lacking))
    what = f"{named(touched or due)} changed since (landed by {who})"
    path = file_resource((touched or due)[0])
    if not agent.branch:
        remedy = f"Ask your user to take what landed: pucs sync --agent {agent.id}"
        return Secured(denied=f"{what}, and your checkout does not contain it. {remedy}", path=path)
    outcome = syncing.sync(context, agent=agent.id)
    if isinstance(outcome, syncing.NotSynced):
        return Secured(denied=f"{what}. {outcome.message} {outcome.remedy}", path=path)
    return Secured(
        denied=f"{what}; your worktree has been brought up to date. Read it again and repeat your edit.",
        path=path,
    )


# In a checkout that several share ------------------------------------------------------------------------------


def _kept_for_others(context: Context, agent: Agent, names: Sequence[str], tokens: set[int]) -> list[str]:
    """Keep what others left unlanded in files of a shared checkout, before this agent writes over it; say so."""
    if agent.branch:
        return []
    from pucs.coordinator import salvaging  # noqa: PLC0415 - only in a shared checkout

    place = own_place(context, agent)
    told: list[str] = []
    for path in dict.fromkeys(file_resource(name) for name in names if not is_directory(name)):
        left = _left_by(context, agent, path, tokens)
        if left is None or path not in context.worktrees.dirty(place):
            continue
        other, lease = left
        bench = salvaging.Bench(
            agent=other.id,
            stream=other.stream,
            session=agent.session,
            task=lease.task,
            place=place,
            own=False,
            branch="",
        )
        kept = salvaging.keep(
            context, bench, [path], f"its lease ended before it landed; {agent.id} edits the file now"
        )
        if kept is None:
            continue
        with unit(context) as opened:
            opened.log(
                "kept",
                agent=other.id,
                stream=other.stream,
                files=[path],
                salvage=kept[0],
                commit=kept[1],
                by=agent.id,
            )
        told.append(
            f"{path} has unlanded changes of {other.id}, whose lease has ended. They are kept in {kept[0]}; build on them, "
            "or ask your user."
        )
    return told


def _left_by(context: Context, agent: Agent, path: str, tokens: set[int]) -> tuple[Agent, Lease] | None:
    """Return who may have left changes in a file of this checkout: the last before this grant to hold it, if another."""
    place = own_place(context, agent)
    with context.store.read() as tx:
        before = [lease for lease in tx.leases.granted_after(0, path) if lease.token not in tokens]
        last = max(before, key=lambda lease: lease.token, default=None)
        other = tx.agents.get(last.agent) if last is not None and last.agent != agent.id else None
    if last is None or other is None or other.branch or last.session != agent.session:
        return None
    if last.state is not LeaseState.ENDED or last.end_reason in _KEPT_OTHERWISE:
        return None
    if last.noted and not is_directory(last.resource) and last.noted == context.worktrees.note(place, path):
        return None  # nothing was changed under it
    return (other, last) if own_place(context, other) == place else None
