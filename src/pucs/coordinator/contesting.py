"""Intents inside an open unit: what stands in their way, how they end, and who may go on then.

An intent that is over by time or by the end of its agent is met where it stands in the way, so no sweeper is needed.
Whoever ends an intent looks again at those it contested, in the same transaction, and tells their agents.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pucs.conflicts.records import Kind
from pucs.conflicts.requests import let_pass
from pucs.coordinator.conflicts import decide_in, record
from pucs.coordinator.limits import limits_in
from pucs.coordinator.liveness import standing
from pucs.coordinator.messages import alert
from pucs.coordinator.partition import boundaries_of
from pucs.crosslog.records import Level
from pucs.intents import rules
from pucs.intents.records import Contest, Held, Intent, IntentState, Obstacle, Waiting
from pucs.streams.dependencies import needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pucs.coordinator.context import Context, Unit
    from pucs.coordinator.ports import Transaction
    from pucs.core.instants import Instant
    from pucs.locks.records import Lease

FILES_NAMED = 3
"""Files named in a decision; the intent has them all."""

RECORDS_MAX = 10
"""Most conflict records of one intent: where twenty plan the same, two hundred records would tell nobody anything."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything around a plan, as of one transaction."""

    contests: tuple[Contest, ...]
    """What stands in its way."""
    held: tuple[Held, ...]
    """Leases of others on it, compatible ones included."""
    waiting: tuple[Waiting, ...]
    """Others who queue for it."""


def surroundings(
    context: Context,
    tx: Transaction,
    now: Instant,
    session: str,
    *,
    agent: str,
    stream: str,
    planned: Sequence[tuple[str, int]],
) -> Surroundings:
    """Return what there is around a plan; reads only, and passes over what has ended without being met."""
    names = [resource for resource, _ in planned]
    leases = standing(context.processes, now, tx.leases.overlapping(names))
    held = tuple(
        Held(
            resource=lease.resource,
            mode=lease.mode,
            agent=lease.agent,
            stream=lease.stream,
            task=lease.task,
            left_s=lease.left_s(now.boot_s),
            expires_at=lease.expires_at,
        )
        for lease in leases
        if lease.agent != agent
    )
    plans = [
        intent
        for intent in tx.intents.overlapping(names, bare=True)
        if intent.session == session and not over(context, tx, now, intent)
    ]
    queue = [
        (request.agent, [resource for resource, _ in request.resources])
        for request in tx.requests.overlapping(names)
        if request.agent != agent
    ]
    return Surroundings(
        contests=rules.contested_by(
            planned,
            agent,
            held=held,
            plans=plans,
            spare=_spare(tx, now, agent, planned, leases, plans),
            belongs=_belongs(tx, now, session, agent, stream, names),
            builds_on=_builds_on(tx, session, stream),
        ),
        held=held,
        waiting=rules.waiting_for(names, queue),
    )


def _spare(  # noqa: PLR0917 - who plans what, beside whom
    tx: Transaction,
    now: Instant,
    agent: str,
    planned: Sequence[tuple[str, int]],
    leases: Iterable[Lease],
    plans: Iterable[Intent],
) -> frozenset[str]:
    """Return the planned named resources of which there is room beside those who have them or planned them earlier."""
    limits = limits_in(tx, now, [name for name, _ in planned])
    if not limits:
        return frozenset()
    places = dict(planned)
    users: dict[str, set[str]] = {name: set() for name in limits}
    for lease in leases:
        users.get(lease.resource, set()).add(lease.agent)
    for intent in plans:
        for name, place in intent.planned:
            if name in users and (places[name] == 0 or place < places[name]):
                users[name].add(intent.agent)
    return frozenset(name for name, limit in limits.items() if len(users[name] - {agent}) < limit.concurrency)


def _belongs(  # noqa: PLR0917 - who plans what, as of when
    tx: Transaction, now: Instant, session: str, agent: str, stream: str, names: Iterable[str]
) -> dict[str, str]:
    """Return the resources that reach into another stream without a waiver, with that stream."""
    if not stream:
        return {}
    boundaries = boundaries_of(tx, session)
    crossed = {name: other for name in names if (other := boundaries.crossed(name, stream)) is not None}
    if not crossed:
        return {}
    waivers = tx.waivers.all(session)
    return {
        name: other
        for name, other in crossed.items()
        if let_pass(waivers, agent=agent, stream=stream, resource=name, now=now) is None
    }


def _builds_on(tx: Transaction, session: str, stream: str) -> tuple[str, ...]:
    if not stream:
        return ()
    graph = needs([row.stream for row in tx.sessions.streams(session)])
    return next((others for name, others in graph.items() if name.casefold() == stream.casefold()), ())


def over(context: Context, tx: Transaction, now: Instant, intent: Intent) -> str:
    """Return why an open intent does not count any more, empty if it does."""
    if rules.lapsed(intent, now.boot_id, now.boot_s):
        return "it lasted twice its estimate"
    agent = tx.agents.get(intent.agent)
    if agent is None or not agent.active or agent.terminated or agent.session != intent.session:
        return "its agent has ended"
    if agent.owner is not None and context.processes.alive(agent.owner) is False:
        return "the process of its agent is gone"
    return ""


def end_over(context: Context, opened: Unit, intents: Iterable[Intent]) -> None:
    """End those of these intents (bare ones are enough) that are over; whom they contested may go on."""
    freed: dict[str, list[str]] = {}
    for found in {intent.id: intent for intent in intents}.values():
        why = over(context, opened.tx, opened.now, found)
        intent = opened.tx.intents.get(found.id) if why else None
        if intent is not None:
            lapsed = rules.lapsed(intent, opened.now.boot_id, opened.now.boot_s)
            end(opened, intent, why, state=IntentState.EXPIRED if lapsed else IntentState.CLEARED)
            freed.setdefault(intent.agent, []).extend(intent.resources)
    reconsider(context, opened, freed)


def end(
    opened: Unit,
    intent: Intent,
    why: str,
    *,
    state: IntentState = IntentState.CLEARED,
    carried: bool = False,
) -> Intent:
    """End one open intent with its entry; whom it contested is looked at by the caller.

    The records of what stood in its way are closed, unless they are ``carried`` over to the plan in its place.
    """
    ended = replace(intent, state=state, ended_at=opened.now.wall(), why=why)
    opened.tx.intents.put(ended)
    for contest in () if carried else intent.contests:
        if contest.conflict:
            decide_in(opened, contest.conflict, f"{intent.agent} does not plan it any more: {why}")
    opened.log(
        f"intent {state.value}",
        agent=intent.agent,
        stream=intent.stream,
        files=intent.resources,
        intent=intent.id,
        why=why,
    )
    return ended


def clear_in(context: Context, opened: Unit, agent: str, why: str, *, task: str = "") -> Intent | None:
    """Clear the open intent of an agent inside an open unit and return it as it ended, None if there is none.

    With ``task`` only one that was declared for it, or for no task.
    """
    intent = opened.tx.intents.of_agent(agent)
    if intent is None or (task and intent.task not in {"", task}):
        return None
    ended = end(opened, intent, why)
    reconsider(context, opened, {agent: intent.resources})
    return ended


def clear_all_in(opened: Unit, why: str) -> None:
    """Clear every open intent of the session inside an open unit: nobody is left to be told."""
    for intent in opened.tx.intents.open(opened.active().id):
        end(opened, intent, why)


def reconsider(context: Context, opened: Unit, changed: Mapping[str, Sequence[str]]) -> None:
    """Look again at the intents that the plans of some agents contested, given what each of them planned before.

    One that nothing stands in the way of any more becomes active, and its agent is told. Only what these plans did is
    decided anew, so that the end of one plan stays a short transaction however many had to wait for it.
    """
    if not changed:
        return
    now = [plan for agent in changed if (plan := opened.tx.intents.of_agent(agent)) is not None]
    for intent in opened.tx.intents.overlapping([name for names in changed.values() for name in names]):
        if intent.session != opened.active().id or not any(one.holder in changed for one in intent.contests):
            continue
        left = rules.without_plans_of(intent, changed.keys(), now)
        if not left:
            # Leases may have been taken on it since somebody looked last.
            look_again(context, opened, intent)
        elif left != intent.contests:
            opened.tx.intents.put(settled(opened, intent, left))


def look_again(context: Context, opened: Unit, intent: Intent) -> Intent:
    """Return an open intent as it stands now, written back if that has changed; its agent is told if its state has."""
    session = opened.active().id
    found = surroundings(
        context,
        opened.tx,
        opened.now,
        session,
        agent=intent.agent,
        stream=intent.stream,
        planned=intent.planned,
    )
    fresh = settled(opened, intent, found.contests)
    if fresh != intent:
        opened.tx.intents.put(fresh)
    if fresh.state is not intent.state:
        _tell(opened, intent, fresh)
    return fresh


def _tell(opened: Unit, before: Intent, now: Intent) -> None:
    """Write down that an intent has become active or contested, and tell its agent."""
    if now.state is IntentState.ACTIVE:
        level = Level.INFO
        text = f"Nothing stands in the way of your plan any more: {_named(now.resources)}."
    else:
        level = Level.CONFLICT
        first = now.contests[0]
        who = first.holder or f"Stream {first.holder_stream}"
        text = f"{who} is in the way of your plan ({first.kind.value}): {_named(first.files)}."
    opened.log(
        f"intent {now.state.value}",
        agent=now.agent,
        stream=now.stream,
        level=level,
        files=now.resources,
        intent=now.id,
    )
    contests = (*now.contests, *before.contests)
    number = next((contest.conflict for contest in contests if contest.conflict), 0)
    alert(opened, number, [now.agent], now.resources, text=text)


def settled(opened: Unit, intent: Intent, contests: Sequence[Contest]) -> Intent:
    """Return an intent with what stands in its way now: new obstacles are recorded, records of gone ones closed."""
    kept = rules.with_records(
        contests, intent.contests, lambda contest: _record(opened, intent, contest), records_max=RECORDS_MAX
    )
    still = {contest.conflict for contest in kept}
    for gone in intent.contests:
        if gone.conflict and gone.conflict not in still:
            decide_in(opened, gone.conflict, f"nothing of it stands in the way of {intent.agent} any more")
    return replace(intent, contests=kept, state=rules.state_of(kept))


def _record(opened: Unit, intent: Intent, contest: Contest) -> int:
    """Record an obstacle that is no lease; a lease in the way is the business of whoever asks for it."""
    if contest.kind is Obstacle.FILE_LOCK:
        return 0
    parties = (intent.agent, contest.holder, contest.holder_stream if not contest.holder else "")
    return record(
        opened,
        Kind(contest.kind.value),
        parties,
        contest.files,
        intent=intent.id,
        holder=contest.holder,
        holder_stream=contest.holder_stream,
        reason=contest.details,
    )


def _named(resources: Sequence[str]) -> str:
    more = f" and {len(resources) - FILES_NAMED} more" if len(resources) > FILES_NAMED else ""
    return ", ".join(resources[:FILES_NAMED]) + more
