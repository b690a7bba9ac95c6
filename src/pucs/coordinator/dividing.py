"""Accepting and refusing a proposal to divide a file (000 §3.4): leases on the file become leases on its symbols.

All parties accept, or whoever runs the session does for them; then everything changes in one transaction. A lease on the
file ends as the same agent's leases on its symbols begin, under new tokens and with its old limits. A request that waits
for the file goes on for its agent's symbols, in its old place, so nobody is passed over. Whoever only planned the file
plans its symbols from then on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pucs.agents.records import Agent
from pucs.conflicts.records import Strategy
from pucs.coordinator.agents import refuse_terminated
from pucs.coordinator.conflicts import decide_in
from pucs.coordinator.contesting import reconsider
from pucs.coordinator.context import unit
from pucs.coordinator.granting import end, serve, settled
from pucs.coordinator.messages import alert
from pucs.coordinator.negotiating import Side, changes_of, decide, lapsed, sides_of
from pucs.core.errors import NotFound, Refused
from pucs.core.modes import Mode
from pucs.core.resources import contains, is_directory, overlaps, symbol_name
from pucs.crosslog.records import Level
from pucs.intents.narrowing import narrowed, narrowed_plan
from pucs.intents.records import Intent, Partition, PartitionState
from pucs.intents.rules import quoted
from pucs.locks.records import EndReason, Lease, LeaseState, Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.context import Context, Unit

OPERATOR = "operator"
"""Who accepted or refused where no agent is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Divided:
    """What an answer to a proposal did."""

    partition: Partition
    """The proposal as it stands now."""
    missing: tuple[str, ...] = ()
    """Parties that have not accepted yet; empty once the file is divided."""
    tokens: dict[str, dict[str, int]] = field(default_factory=dict)
    """New fencing tokens by agent and symbol: leases, and what is reserved for those who wait."""


def accept(context: Context, *, proposal: int, agent: str = "") -> Divided:
    """Accept a proposal for one of its parties, or for all of them if no agent is named; the last one divides the file.

    Raises:
        NotFound: no such proposal.
        Refused: it was decided or lapsed, the agent is no party of it, somebody's unlanded changes lie outside its
            symbols, or it does not fit the leases any more.
    """
    if agent:
        refuse_terminated(context, agent)
    while True:
        known = _proposal(context, proposal, agent)
        looked = not _missing(known, agent)
        if looked:
            _check_changes(context, known)
        with unit(context) as opened:
            partition = _still_open(opened, proposal)
            missing = _missing(partition, agent)
            partition = replace(partition, accepted=_agreed(partition, agent))
            if missing:
                opened.tx.partitions.put(partition)
                _log(opened, partition, agent, "partition agreed")
                return Divided(partition=partition, missing=missing)
            if looked:
                return _divide(context, opened, partition, agent)
        # The last of the others agreed at this very moment: their worktrees have to be looked at before.


def refuse(context: Context, *, proposal: int, agent: str = "", reason: str = "") -> Partition:
    """Refuse a proposal, as one of its parties or for all of them; whoever waits goes on waiting. One transaction.

    Raises:
        NotFound: no such proposal.
        Refused: it was decided or lapsed, or the agent is no party of it.
    """
    if agent:
        refuse_terminated(context, agent)
    _proposal(context, proposal, agent)
    with unit(context) as opened:
        partition = _still_open(opened, proposal)
        why = f"refused by {agent or OPERATOR}{f': {quoted(reason)}' if reason.strip() else ''}"
        closed = decide(opened, partition, PartitionState.REFUSED, why, by=agent)
        for number in _plans_between(opened, partition):
            said = f"the later plan waits for the earlier one: proposal {proposal} was {why}"
            decide_in(opened, number, said, by=agent or OPERATOR, strategy=Strategy.QUEUE)
        others = [party for party in partition.parties if party != agent]
        text = f"Proposal {proposal} to divide {partition.file} was {why}. Who waits for the file goes on waiting."
        alert(opened, 0, others, (partition.file,), text=text)
        return closed


def _proposal(context: Context, proposal: int, agent: str) -> Partition:
    """Return an open proposal; one whose time is over lapses here."""
    with unit(context) as opened:
        found = opened.tx.partitions.get(proposal)
        late = found is not None and found.state is PartitionState.PROPOSED and lapsed(found, opened.now)
        if found is not None and late:
            decide(opened, found, PartitionState.LAPSED, f"nobody decided by {found.deadline_at}")
    with context.store.read() as tx:
        found = tx.partitions.get(proposal)
    if found is None:
        raise NotFound(f"There is no proposal {proposal}.", remedy="See: pucs partition list")
    _check_open(found)
    if agent and agent not in found.parties:
        raise Refused(
            f"{agent} is no party of proposal {proposal}.", remedy=f"Parties: {', '.join(found.parties)}."
        )
    return found


def _check_open(partition: Partition) -> None:
    if partition.state is not PartitionState.PROPOSED:
        raise Refused(
            f"Proposal {partition.id} is {partition.state.value}: {partition.why}.",
            remedy=f"Ask for a new one: pucs partition propose {partition.file}",
        )


def _still_open(opened: Unit, proposal: int) -> Partition:
    found = opened.tx.partitions.get(proposal)
    assert found is not None, "proposals are never deleted"
    _check_open(found)
    return found


def _agreed(partition: Partition, agent: str) -> tuple[str, ...]:
    said = {*partition.accepted, *((agent,) if agent else partition.parties)}
    return tuple(party for party in partition.parties if party in said)


def _missing(partition: Partition, agent: str) -> tuple[str, ...]:
    """Return the parties that have not agreed once this one has."""
    agreed = _agreed(partition, agent)
    return tuple(party for party in partition.parties if party not in agreed)


def _check_changes(context: Context, partition: Partition) -> None:
    """Refuse if a holder has changed something outside its symbols: the other would be given what is at work.

    Reads worktrees, so it stands before the transaction; what is changed between the two is judged at the landing.
    """
    from pucs.syntax.changes import outside  # noqa: PLC0415 - only to divide a file

    with context.store.read() as tx:
        sides = sides_of(context, tx, partition.session, partition.file, partition.parties)
    for side in sides:
        changes = changes_of(context, partition.file, side, sure=True) if side.leases else None
        own = [symbol_name(name) for name in partition.scopes[side.agent.id]]
        beyond = outside(changes, own) if changes is not None else ()
        if beyond:
            raise Refused(
                f"{side.agent.id} has changed {', '.join(beyond)} in {partition.file} and not landed that.",
                remedy="Let it land first, or ask for a new proposal, which knows of it.",
            )


def _divide(context: Context, opened: Unit, partition: Partition, agent: str) -> Divided:
    """Turn what the parties have into their symbols, and serve whom that lets through."""
    settled(context, opened, (partition.file,))
    sides = sides_of(context, opened.tx, partition.session, partition.file, partition.parties)
    _check_leases(opened, partition)
    requests: dict[str, tuple[int, ...]] = {}
    planned: dict[str, tuple[str, ...]] = {}
    for side in sides:
        scope = partition.scopes[side.agent.id]
        _convert(opened, side, partition.file, scope)
        requests[side.agent.id] = tuple(request.id for request in side.requests)
        for request in side.requests:
            _narrow_request(opened, request, partition.file, scope)
    who = "all parties" if agent else OPERATOR
    said = f"divided by proposal {partition.id}, accepted by {who}: {_told(partition)}"
    for number in _conflicts(sides):
        decide_in(opened, number, said, by=agent or OPERATOR, strategy=Strategy.PARTITION)
    for side in sides:
        if side.intent is not None:
            planned[side.agent.id] = side.intent.resources
            _narrow_intent(opened, side.intent, partition.file, partition.scopes[side.agent.id])
    agreed = decide(
        opened,
        replace(partition, requests=requests),
        PartitionState.ACCEPTED,
        f"accepted by {who}",
        by=agent,
    )
    serve(opened, (partition.file,), context=context)
    reconsider(context, opened, planned)
    others = [party for party in partition.parties if party != agent]
    alert(opened, 0, others, (partition.file,), text=f"{partition.file} is {said}.")
    return Divided(partition=agreed, tokens=_tokens(opened, partition))


def _check_leases(opened: Unit, partition: Partition) -> None:
    """Refuse if the leases have changed so that the division does not fit them any more."""
    parties = set(partition.parties)
    for lease in opened.tx.leases.overlapping((partition.file,)):
        why = ""
        if lease.agent not in parties:
            why = f"{lease.agent} holds {lease.resource} now"
        elif lease.landing is not None or lease.state is LeaseState.RESERVED:
            why = f"{lease.resource} is just changing hands"
        elif lease.mode is Mode.SHARED_READ or is_directory(lease.resource):
            why = f"{lease.agent} holds {lease.resource} ({lease.mode.value}) now"
        elif lease.resource != partition.file and not _within(lease.resource, partition.scopes[lease.agent]):
            why = f"{lease.agent} holds {lease.resource} now"
        if why:
            raise Refused(
                f"Proposal {partition.id} does not fit any more: {why}.",
                remedy=f"Try again in a moment, or ask for a new one: pucs partition propose {partition.file}",
            )


def _within(resource: str, scope: Sequence[str]) -> bool:
    return any(contains(symbol, resource) for symbol in scope)


def _convert(opened: Unit, side: Side, file: str, scope: Sequence[str]) -> None:
    """End a lease on the file and begin leases on symbols in its place, with its limits and its note."""
    for old in side.leases:
        if old.resource != file:
            continue
        held = {lease.resource for lease in side.leases}
        fresh = [symbol for symbol in scope if symbol not in held]
        first = opened.tx.tokens(len(fresh)) if fresh else 0
        new = [
            replace(
                old,
                token=first + at,
                resource=symbol,
                granted_s=opened.now.boot_s,
                granted_at=opened.now.wall(),
            )
            for at, symbol in enumerate(fresh)
        ]
        end(opened, [old], EndReason.CONVERTED)
        for lease in new:
            opened.tx.leases.add(lease)
        opened.log(
            "lock granted",
            agent=old.agent,
            stream=old.stream,
            files=[lease.resource for lease in new],
            tokens=[lease.token for lease in new],
            mode=old.mode.value,
            instead_of=old.token,
        )


def _narrow_request(opened: Unit, request: Request, file: str, scope: Sequence[str]) -> None:
    """Let a request go on for symbols in place of the file: same place, same waiter."""
    opened.tx.requests.remove(request.id)
    opened.tx.requests.add(replace(request, resources=narrowed(request.resources, file, scope)))


def _narrow_intent(opened: Unit, intent: Intent, file: str, scope: Sequence[str]) -> None:
    """Let a plan name symbols in place of the file; a plan for a whole directory stays one."""
    fresh = replace(intent, planned=narrowed_plan(intent.planned, file, scope))
    if fresh == intent:
        return
    opened.tx.intents.put(fresh)
    opened.log(
        "intent narrowed",
        agent=intent.agent,
        stream=intent.stream,
        level=Level.DEBUG,
        files=fresh.resources,
        intent=intent.id,
    )


def _conflicts(sides: Sequence[Side]) -> list[int]:
    """Return the conflict records that the division settles: of requests for the file, and of plans that overlap."""
    parties = {side.agent.id for side in sides}
    found = [request.id for side in sides for request in side.requests]
    for side in sides:
        contests = side.intent.contests if side.intent else ()
        found += [one.conflict for one in contests if one.conflict and one.holder in parties]
    return sorted(set(found))


def _plans_between(opened: Unit, partition: Partition) -> list[int]:
    """Return the conflict records of plans of the parties that overlap on the file."""
    plans = [opened.tx.intents.of_agent(party) for party in partition.parties]
    return [
        one.conflict
        for plan in plans
        if plan is not None
        for one in plan.contests
        if one.conflict
        and one.holder in partition.parties
        and any(overlaps(file, partition.file) for file in one.files)
    ]


def _told(partition: Partition) -> str:
    return "; ".join(
        f"{agent}: {', '.join(symbol_name(name) for name in scope)}"
        for agent, scope in partition.scopes.items()
    )


def _tokens(opened: Unit, partition: Partition) -> dict[str, dict[str, int]]:
    live: list[Lease] = opened.tx.leases.overlapping((partition.file,))
    return {
        party: {lease.resource: lease.token for lease in live if lease.agent == party}
        for party in partition.parties
    }


def _log(opened: Unit, partition: Partition, agent: str, action: str) -> None:
    known: Agent | None = opened.tx.agents.get(agent)
    opened.log(
        action,
        agent=agent,
        stream=known.stream if known else "",
        files=(partition.file,),
        partition=partition.id,
        accepted=list(partition.accepted),
    )
