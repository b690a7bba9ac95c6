"""Deciding a request inside its transaction: refused at a boundary, granted, refused, or put in the queue."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pucs.agents.records import Phase
from pucs.coordinator.agents import acting, step
from pucs.coordinator.answering import HOLDERS_NAMED, Acquired, answered, held_text
from pucs.coordinator.granting import bases, grant, settled, withdrawn
from pucs.coordinator.limits import limits_in
from pucs.coordinator.liveness import standing
from pucs.coordinator.messages import alert
from pucs.coordinator.partition import boundaries_of
from pucs.core.errors import Refused, Usage
from pucs.core.modes import Mode
from pucs.core.resources import is_named
from pucs.crosslog.records import Level
from pucs.locks.records import Blocked, Granted, LeaseState, Request
from pucs.locks.rules import decide, in_turn, normalised, weaker
from pucs.messages.rules import quoted_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pucs.agents.records import Agent
    from pucs.coordinator.answering import Wish
    from pucs.coordinator.context import Context, Unit
    from pucs.coordinator.ports import Ahead, Transaction
    from pucs.core.instants import Instant
    from pucs.locks.deadlock import Link

RESOURCES_MAX = 10_000
"""Most resources in one set: a grant is one short transaction, and whoever wants more wants a directory."""
WAITING_MAX = 10_000
"""Longest queue: beyond it a newcomer is refused, so that serving the queue stays one short transaction."""
AWAITED_MAX = 8
"""Sets that a suspended agent may be in the queue for at once: it was refused each of them, and cannot edit so many at once."""
REFUSALS_MAX = 50
"""Refused resources that are remembered for an agent without a place in the queue."""
ABOUT_A_WAIT = "wait for "
"""How what an alert to the holder of a resource is about begins."""


def checked(resources: Sequence[str], mode: Mode) -> tuple[tuple[str, Mode], ...]:
    """Return a set as the rules take it.

    Raises:
        Usage: empty, too large, or a named resource that is not asked for alone.
    """
    if not resources:
        raise Usage("No resource was named.", remedy="Name at least one file or directory.")
    if len(resources) > RESOURCES_MAX:
        raise Usage(
            f"{len(resources)} resources in one call are too many.",
            remedy=f"At most {RESOURCES_MAX}; lease a directory.",
        )
    named = next((resource for resource in resources if is_named(resource)), None)
    if named is not None and mode is not Mode.EXCLUSIVE:
        raise Usage(
            f"{named} is a named resource: it has slots, not readers and writers.",
            remedy="Lease it EXCLUSIVE; how many agents may have it at once is set under 'resources'.",
        )
    return normalised((resource, mode) for resource in resources)


def ahead(agent: str, names: Sequence[str]) -> Ahead:
    """Return what asks in advance about a set of resources for an agent."""

    def look(tx: Transaction) -> None:
        tx.agents.get(agent)
        tx.leases.overlapping(names)
        tx.requests.overlapping(names)
        session = tx.sessions.active()
        if session is not None:
            bases(tx, session, names)

    return look


def ask(
    context: Context,
    opened: Unit,
    wish: Wish,
    *,
    wait_s: float = 0.0,
    bell: str = "",
    claim_s: float = 0.0,
) -> tuple[Acquired, Request | None]:
    """Decide a request; grant it, refuse it, or put it in the queue and return it.

    With ``claim_s`` no process waits: the request lives as long as the agent's owner, and keeps its place when it is made
    again.
    """
    agent = wish.agent
    who = acting(opened, agent, stream=wish.stream)
    names = [resource for resource, _ in wish.asked]
    if who.paused:
        return _refuse_while_paused(opened, who, names), None
    # A reader changes nothing; whoever writes, or will next, must be allowed to.
    writes = any(mode is not Mode.SHARED_READ for _, mode in wish.asked)
    crossed = _crossed(opened, agent, who.stream, names) if writes else None
    if crossed is not None:
        return _refuse_at_boundary(opened, agent, who.stream, *crossed), None
    if who.owner not in {None, context.processes.current()} and context.processes.alive(who.owner) is False:
        raise Refused(f"The process that owned agent {agent} is gone.", remedy="Register the agent again.")
    waiter = who.owner if claim_s else context.processes.current() if wait_s > 0 else None
    request = replace(_request(opened, wish, who, wait_s), waiter=waiter, bell=bell, claim_s=claim_s)
    verdict = _decided(context, opened, request, wish.noted)
    if isinstance(verdict, Granted):
        leases = grant(
            opened,
            request,
            verdict.needed,
            who.owner,
            noted=wish.noted,
            instead_of=verdict.converted,
        )
        step(opened, who, Phase.ACQUIRE_LOCKS, task=wish.task)
        return answered(opened, names, [*leases, *verdict.kept]), None
    blocked = _blocked(opened, verdict)
    if wait_s > 0:
        return _line_up(context, opened, request, verdict, blocked)
    opened.log(
        "lock denied",
        agent=agent,
        stream=who.stream,
        level=Level.DEBUG,
        files=names,
        reason=blocked.reason,
    )
    if not who.launched:
        _remember(opened, agent, verdict)
    return blocked, None


def _request(opened: Unit, wish: Wish, who: Agent, wait_s: float) -> Request:
    """Return what was asked for as a request that nobody waits for yet."""
    limits = opened.tx.sessions.configuration().limits
    return Request(
        id=0,
        agent=wish.agent,
        stream=who.stream,
        task=wish.task,
        session=opened.active().id,
        resources=wish.asked,
        duration_s=limits.default_duration_s
        if wish.duration_s is None
        else min(wish.duration_s, limits.max_duration_s),
        boot_id=opened.now.boot_id,
        asked_s=opened.now.boot_s,
        deadline_s=opened.now.boot_s + min(wait_s, limits.queue_timeout_s),
        waiter=None,
    )


def _remember(opened: Unit, agent: str, verdict: Blocked) -> None:
    """Remember what an agent without a place was refused, if its program calls in: it is told when that is free."""
    if not opened.tx.conversations.of_agent(agent):
        return
    room = REFUSALS_MAX - len(opened.tx.refusals.of_agent(agent))
    if room > 0:
        opened.tx.refusals.add(agent, [resource for resource, _ in verdict.needed][:room])


def _line_up(
    context: Context, opened: Unit, request: Request, verdict: Blocked, blocked: Acquired
) -> tuple[Acquired, Request | None]:
    """Put what the agent does not hold yet into the queue, unless it would wait for itself there."""
    if request.suspended:
        own = [other for other in opened.tx.requests.of_agent(request.agent) if other.suspended]
        place = next((other for other in own if set(verdict.needed) <= set(other.resources)), None)
        if place is not None:
            return _in_its_place(opened, place, blocked), place
        if len(own) >= AWAITED_MAX:
            reason = f"{request.agent} is in the queue {len(own)} times already; do what it can do now first."
            return replace(blocked, reason=reason, queue_position=0), None
    if opened.tx.requests.count() >= WAITING_MAX:
        return replace(blocked, reason=f"The queue is full ({WAITING_MAX} waiting)."), None
    waits = replace(request, resources=verdict.needed, passes=verdict.passed)
    # Only an agent that waits itself can close a circle; most that are waited for are at work. Who is paused is not among
    # those ahead, and comes back to its place.
    behind = {lease.agent for lease in verdict.holders} | {other.agent for other in verdict.ahead}
    alone = behind.isdisjoint(opened.tx.requests.agents()) and not opened.tx.requests.any_paused()
    links = () if alone else _circle(context, opened, waits)
    if links:
        return _refuse_circle(opened, waits, links, blocked), None
    return blocked, _enqueue(opened, waits, verdict)


def _in_its_place(opened: Unit, place: Request, blocked: Acquired) -> Acquired:
    """Return the answer to a request that waits already, whoever came after it."""
    verdict = standing_of(opened.tx, opened.now, place)
    answer = _blocked(opened, verdict) if isinstance(verdict, Blocked) else blocked
    return replace(answer, conflict=place.id)


def standing_of(tx: Transaction, now: Instant, request: Request) -> Granted | Blocked:
    """Decide a request that waits, by the leases that are live and those whose turn comes before."""
    names = [resource for resource, _ in request.resources]
    queue = in_turn(tx.requests.overlapping(names))
    ids = [other.id for other in queue]
    before = queue[: ids.index(request.id)] if request.id in ids else queue
    return decide(request, tx.leases.overlapping(names), before, limits_in(tx, now, names))


def _decided(context: Context, opened: Unit, request: Request, noted: Mapping[str, str]) -> Granted | Blocked:
    names = [resource for resource, _ in request.resources]
    live, waiting = settled(context, opened, names)
    if any(lease.agent == request.agent and lease.state is LeaseState.RESERVED for lease in live):
        from pucs.coordinator.claiming import claim_reserved  # noqa: PLC0415 - for suspended agents only

        claim_reserved(context, opened, live, request.agent, noted)
        live, waiting = settled(context, opened, names)
    limits = limits_in(opened.tx, opened.now, names)
    # Who waits because of a lease is told by the whole queue, also by those who are paused and will come back to their
    # places; only a lease that is made stronger needs to know.
    upgrade = bool(weaker(request.agent, request.resources, live))
    queue = opened.tx.requests.waiting() if upgrade else None
    return decide(request, live, waiting, limits, queue)


def circle_of(context: Context, opened: Unit, agent: str) -> str:
    """Say in words the circle that an agent waits in, empty if in none: for whoever gives leases to it in one step."""
    requests = opened.tx.requests.of_agent(agent)
    return next((told for one in requests if (told := told_circle(context, opened, one))), "")


def told_circle(context: Context, opened: Unit, request: Request) -> str:
    """Say in words the circle that a request is in, which waits already or is about to; empty if in none."""
    links = _circle(context, opened, request)
    if not links:
        return ""
    from pucs.locks.deadlock import spelled  # noqa: PLC0415 - circles are rare

    return spelled(links)


def _circle(context: Context, opened: Unit, newcomer: Request) -> tuple[Link, ...]:
    """Return the circle that a request would close by waiting; whoever has nothing that others wait for closes none."""
    own = standing(context.processes, opened.now, opened.tx.leases.of_agent(newcomer.agent))
    if not own and newcomer.agent not in opened.tx.requests.agents():
        return ()
    queue = [
        other
        for other in opened.tx.requests.waiting()
        if other.id != newcomer.id and not withdrawn(context, opened, other)
    ]
    held = {
        agent: standing(context.processes, opened.now, opened.tx.leases.of_agent(agent))
        for agent in {other.agent for other in queue}
    }
    names = {resource for other in (*queue, newcomer) for resource, _ in other.resources}
    from pucs.locks.deadlock import circle  # noqa: PLC0415 - most have nothing that others wait for

    return circle(newcomer, queue, {**held, newcomer.agent: own}, limits_in(opened.tx, opened.now, names))


def _refuse_circle(opened: Unit, newcomer: Request, links: Sequence[Link], blocked: Acquired) -> Acquired:
    """Record a wait that would never have ended, and what closes it."""
    from pucs.conflicts.records import Kind, Strategy  # noqa: PLC0415 - most requests meet nobody
    from pucs.coordinator.conflicts import record  # noqa: PLC0415 - the same
    from pucs.locks.deadlock import spelled  # noqa: PLC0415 - the same

    told = spelled(links)
    names = tuple(resource for resource, _ in newcomer.resources)
    conflict = record(
        opened,
        Kind.FILE_LOCK,
        [link.agent for link in links],
        names,
        strategy=Strategy.QUEUE,
        decision=f"refused, because the wait would never have ended: {told}",
        once=True,
        circle=[link.agent for link in links],
        task=newcomer.task,
    )
    opened.log(
        "lock refused",
        agent=newcomer.agent,
        stream=newcomer.stream,
        level=Level.CONFLICT,
        files=names,
        circle=told,
        conflict=conflict,
    )
    reason = f"Nobody in this circle could go on: {told}. Land or release what the others wait for, then ask again."
    return replace(blocked, reason=reason, conflict=conflict, queue_position=0)


def _crossed(opened: Unit, agent: str, stream: str, names: Iterable[str]) -> tuple[str, str] | None:
    """Return the first resource that another stream covers and no waiver lets pass, with that stream."""
    if not stream:
        return None  # a person's agent has no boundary (DESIGN §5)
    boundaries = boundaries_of(opened.tx, opened.active().id)
    for name in names:
        other = boundaries.crossed(name, stream)
        if other is None:
            continue
        from pucs.coordinator.requesting import waived  # noqa: PLC0415 - hardly anybody reaches across

        if not waived(opened.tx, opened.active().id, agent, name, opened.now):
            return name, other
    return None


def _refuse_at_boundary(opened: Unit, agent: str, stream: str, resource: str, other: str) -> Acquired:
    from pucs.conflicts.records import Kind, Strategy  # noqa: PLC0415 - most requests meet nobody
    from pucs.coordinator.conflicts import record  # noqa: PLC0415 - the same

    reason = f"{resource} belongs to stream {other}; {agent} works for {stream}."
    conflict = record(
        opened,
        Kind.BOUNDARY,
        (agent, stream, other),
        (resource,),
        strategy=Strategy.ARBITRATE,
        decision="refused by the boundary rule before anything was changed",
        once=True,
        covered_by=other,
    )
    opened.log(
        "boundary refused",
        agent=agent,
        stream=stream,
        level=Level.CONFLICT,
        files=(resource,),
        other=other,
        conflict=conflict,
    )
    return Acquired(
        granted=False,
        reason=f"{reason} Ask for the change: pucs request {resource} --reason WHY --agent {agent}",
        conflict=conflict,
    )


def _refuse_while_paused(opened: Unit, who: Agent, names: Sequence[str]) -> Acquired:
    reason = f"{who.id} is paused by {quoted_words(who.halted_by, who.halted_because)}. It gets no new lease before it is resumed."
    opened.log("lock denied", agent=who.id, stream=who.stream, level=Level.DEBUG, files=names, reason=reason)
    return Acquired(granted=False, reason=reason, paused=True)


def _blocked(opened: Unit, verdict: Blocked) -> Acquired:
    from pucs.coordinator.estimating import usual_wait  # noqa: PLC0415 - a grant needs no estimate

    parts = [held_text(lease) for lease in verdict.holders[:HOLDERS_NAMED]]
    if not verdict.holders:
        parts = [f"{request.agent} asked first" for request in verdict.ahead[:HOLDERS_NAMED]]
    now_s = opened.now.boot_s
    if verdict.opens_s > now_s:
        parts.append(f"its rate lets nothing through for {verdict.opens_s - now_s:.0f} s")
    usual_s = usual_wait(opened.tx, verdict, now_s)
    return Acquired(
        granted=False,
        queue_position=verdict.position,
        wait_time=round(verdict.wait_s(now_s), 3),
        estimated_wait_s=None if usual_s is None else round(usual_s, 3),
        reason="; ".join(parts) + ".",
    )


def _enqueue(opened: Unit, request: Request, verdict: Blocked) -> Request:
    from pucs.conflicts.records import Kind, Strategy  # noqa: PLC0415 - most requests meet nobody
    from pucs.coordinator.conflicts import record  # noqa: PLC0415 - the same

    holders = sorted({lease.agent for lease in verdict.holders} | {other.agent for other in verdict.ahead})
    names = tuple(resource for resource, _ in request.resources)
    # A wait in which any path is in the way is one for files.
    named = all(is_named(resource) for resource, _ in request.resources)
    suspended: dict[str, Any] = {"suspended": True, "asked_s": request.asked_s} if request.suspended else {}
    conflict = record(
        opened,
        Kind.RESOURCE if named else Kind.FILE_LOCK,
        (request.agent, *holders),
        names,
        strategy=Strategy.QUEUE,
        tokens=[lease.token for lease in verdict.holders],
        task=request.task,
        **suspended,
    )
    queued = replace(request, id=conflict)
    opened.tx.requests.add(queued)
    opened.log(
        "lock queued",
        agent=request.agent,
        stream=request.stream,
        level=Level.CONFLICT,
        files=names,
        position=verdict.position,
        behind=holders,
        conflict=conflict,
        **({"suspended": True} if suspended else {}),
    )
    alert(
        opened,
        conflict,
        [lease.agent for lease in verdict.holders],
        names,
        text=f"{request.agent} waits for what you hold. Land or release it as soon as you can.",
        about=f"{ABOUT_A_WAIT}{names[0]}",
    )
    return queued
