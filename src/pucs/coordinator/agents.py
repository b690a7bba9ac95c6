"""Agents: register, claim a stream, show life, change phase, retire (000 §6.1).

An agent id belongs to one living process at a time. Registering an id whose owner is dead starts a new incarnation and
frees what the old one held; registering one whose owner lives elsewhere is refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pucs.agents.lifecycle import advance
from pucs.agents.records import Agent, Enforcement, Phase
from pucs.coordinator.context import Context, Unit, unit
from pucs.coordinator.granting import end_and_serve, renew_in, serve, withdraw
from pucs.coordinator.messages import forget_in, send_in
from pucs.core.errors import NotFound, Refused, Terminated, Usage
from pucs.crosslog.records import Level
from pucs.locks.records import EndReason
from pucs.messages.records import COORDINATOR, MessageKind
from pucs.messages.rules import quoted_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.ports import Transaction
    from pucs.core.processes import Process
    from pucs.streams.records import StreamRow

NAME_LENGTH_MAX = 64
"""Longest agent id: it becomes part of branch and directory names."""
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def checked_name(agent: str) -> str:
    """Return an agent id that is safe in branch names, paths and terminals.

    Raises:
        Usage: it is not; the message says what is allowed.
    """
    bad = not agent or len(agent) > NAME_LENGTH_MAX or not set(agent) <= _NAME_CHARACTERS
    if bad or agent[0] in ".-" or agent.endswith((".", ".lock")) or ".." in agent:
        raise Usage(
            f"{agent!r} cannot be an agent id.",
            remedy=f"Use letters, digits, '.', '_' and '-', at most {NAME_LENGTH_MAX}, for example exec-agent-1.",
        )
    if agent == COORDINATOR:
        raise Usage(
            f"{agent!r} is how the coordinator calls itself.", remedy="Choose another id for the agent."
        )
    return agent


def register(
    context: Context,
    *,
    agent: str,
    stream: str = "",
    program: str = "command",
    owner: Process | None = None,
    worktree: str = "",
    branch: str = "",
    enforcement: Enforcement = Enforcement.ADVISORY,
) -> Agent:
    """Register an agent, or a new incarnation of one whose owner is gone; one transaction, safe to repeat.

    ``owner`` is the process whose death ends the agent and frees its leases; None: only time does.

    Raises:
        Refused: the id belongs to a living process, or the stream is unknown or full.
    """
    with unit(context, ahead=lambda tx: tx.agents.get(agent)) as opened:
        return register_in(
            context,
            opened,
            Agent(
                id=checked_name(agent),
                session=opened.active().id,
                incarnation=1,
                stream=stream,
                program=program,
                worktree=worktree,
                branch=branch,
                owner=owner,
                enforcement=enforcement,
            ),
        )


def register_in(context: Context, opened: Unit, wanted: Agent) -> Agent:
    """Register inside an open unit."""
    known = opened.tx.agents.get(wanted.id)
    now = opened.now
    known = _adopted(opened, known, wanted)
    if known is not None and known.terminated and known.owner == wanted.owner and known.owner is not None:
        raise _ended(known)
    if known is not None and known.session == wanted.session and known.active and known.owner == wanted.owner:
        if wanted.stream and wanted.stream.casefold() != known.stream.casefold():
            return claim_in(opened, known, wanted.stream)
        return known
    if known is not None and known.active:
        alive = context.processes.alive(known.owner) if known.owner is not None else None
        if alive and known.owner is not None and known.owner != wanted.owner:
            raise Refused(
                f"Agent {wanted.id} is alive in process {known.owner.pid}.",
                remedy="Use another id, or end that process first.",
            )
    if known is not None:
        held = opened.tx.leases.of_agent(known.id)
        leave_in(opened, known.id)
        end_and_serve(opened, [lease for lease in held if lease.landing is None], EndReason.RECLAIMED)
        _clear_intent(context, opened, known.id, "its agent begins anew")
    agent = replace(
        wanted,
        stream="",
        incarnation=known.incarnation + 1 if known else 1,
        worktree=wanted.worktree or (known.worktree if known else ""),
        branch=wanted.branch or (known.branch if known else ""),
        heartbeat_s=now.boot_s,
        boot_id=now.boot_id,
        registered_at=now.wall(),
    )
    if known is not None and known.paused and known.session == wanted.session:
        # Whoever paused it meant the id: a restart alone must not let it go on.
        agent = replace(
            agent, halt=known.halt, halted_by=known.halted_by, halted_because=known.halted_because
        )
    halted: dict[str, Any] = {"halt": agent.halt.value} if agent.paused else {}
    opened.tx.agents.put(agent)
    opened.log(
        "registered",
        agent=agent.id,
        stream=wanted.stream,
        incarnation=agent.incarnation,
        program=agent.program,
        **halted,
    )
    if known is not None:
        forget_in(opened, agent.id, but=MessageKind.PAUSE if agent.paused else None)
    send_in(opened, MessageKind.REGISTERED, agent.id, incarnation=agent.incarnation)
    return claim_in(opened, agent, wanted.stream) if wanted.stream else agent


def _adopted(opened: Unit, known: Agent | None, wanted: Agent) -> Agent | None:
    """Give an agent that nobody owned (one of the command line) to the process that registers it; its leases stay."""
    ownerless = known is not None and known.active and known.owner is None and known.session == wanted.session
    if known is None or not ownerless or wanted.owner is None:
        return known
    adopted = replace(known, owner=wanted.owner, program=wanted.program)
    opened.tx.agents.put(adopted)
    opened.log("adopted", agent=known.id, stream=known.stream, program=wanted.program)
    return adopted


def stream_named(tx: Transaction, session: str, name: str) -> StreamRow:
    """Return a stream of a session by name, whatever its case.

    Raises:
        NotFound: there is none; the message lists those there are.
    """
    rows = tx.sessions.streams(session)
    for row in rows:
        if row.stream.name.casefold() == name.casefold():
            return row
    names = ", ".join(row.stream.name for row in rows) or "none is configured"
    raise NotFound(f"There is no stream {name!r}.", remedy=f"Streams: {names}.")


def claim_stream(context: Context, *, agent: str, stream: str) -> Agent:
    """Claim a stream for an agent; one transaction.

    Raises:
        Refused: unknown stream, or as many active agents as its ``max_agents`` have claimed it.
    """
    with unit(context) as opened:
        return claim_in(opened, acting(opened, agent), stream)


def claim_in(opened: Unit, agent: Agent, stream: str) -> Agent:
    """Claim a stream inside an open unit."""
    row = stream_named(opened.tx, agent.session, stream)
    name = row.stream.name
    others = [
        other.id
        for other in opened.tx.agents.all(agent.session)
        if other.active and other.stream == name and other.id != agent.id
    ]
    if len(others) >= row.stream.max_agents:
        raise Refused(
            f"Stream {name} has its {row.stream.max_agents} agents already: {', '.join(others)}.",
            remedy="Wait until one retires, or raise max_agents in the configuration.",
        )
    claimed = replace(agent, stream=name)
    claimed = replace(claimed, phase=step(opened, claimed, Phase.CLAIM_STREAM))
    if claimed != agent:
        opened.tx.agents.put(claimed)
        opened.log("stream claimed", agent=agent.id, stream=name)
        send_in(opened, MessageKind.STREAM_ASSIGNED, agent.id, stream=name, branch=row.branch)
    return claimed


def acting(opened: Unit, agent: str, *, stream: str = "") -> Agent:
    """Return the agent that acts, registering one that nobody has registered yet.

    Raises:
        Refused: it retired or failed in this session.
        Terminated: somebody told it to end.
    """
    known = opened.tx.agents.get(agent)
    if known is not None and known.session == opened.active().id:
        if not known.active or known.terminated:
            raise _ended(known)
        if stream and stream.casefold() != known.stream.casefold():
            return claim_in(opened, known, stream)
        return known
    fresh = Agent(
        id=checked_name(agent),
        session=opened.active().id,
        incarnation=known.incarnation + 1 if known else 1,
        program="person" if opened.door == "cli" else "client",
        heartbeat_s=opened.now.boot_s,
        boot_id=opened.now.boot_id,
        registered_at=opened.now.wall(),
    )
    opened.tx.agents.put(fresh)
    opened.log("registered", agent=agent, stream=stream, incarnation=fresh.incarnation, program=fresh.program)
    send_in(opened, MessageKind.REGISTERED, agent, incarnation=fresh.incarnation)
    return claim_in(opened, fresh, stream) if stream else fresh


def refuse_terminated(context: Context, agent: str) -> None:
    """Let a terminated agent begin nothing that goes beyond the store.

    Raises:
        Terminated: somebody told it to end.
    """
    with context.store.read() as tx:
        known = tx.agents.get(agent)
    if known is not None and known.terminated:
        raise _ended(known)


def _ended(agent: Agent) -> Refused:
    """Return the error for an agent that acts after its end."""
    if agent.terminated:
        return Terminated(
            f"Agent {agent.id} was terminated by {quoted_words(agent.halted_by, agent.halted_because)}.",
            remedy="It may not act any more; its unlanded work is kept (pucs salvage list).",
        )
    return Refused(
        f"Agent {agent.id} has ended ({agent.phase}).", remedy="Register it again to go on under this id."
    )


def step(opened: Unit, agent: Agent, to: Phase, *, task: str | None = None) -> Phase:
    """Move an agent along its lifecycle and return where it is; a step out of order is allowed and logged as a warning."""
    phase, warning = advance(agent.phase, to)
    # Only what changes is written: every lease verb comes by here.
    if phase is not agent.phase or task not in {None, agent.task}:
        opened.tx.agents.step(agent.id, phase, agent.task if task is None else task)
    if warning:
        opened.log(
            "lifecycle warning", agent=agent.id, stream=agent.stream, level=Level.DEBUG, warning=warning
        )
    return phase


def heartbeat(context: Context, *, agent: str) -> Sequence[str]:
    """Record that an agent lives and renew its leases; returns the resources it still holds. One transaction.

    A paused agent is renewed like any other, and a terminated one until whoever runs it has ended it.
    """
    with unit(context, ahead=lambda tx: (tx.agents.get(agent), tx.leases.of_agent(agent))) as opened:
        known = opened.tx.agents.get(agent)
        dying = known is not None and known.active and known.terminated
        who = known if known is not None and dying else acting(opened, agent)
        opened.tx.agents.put(replace(who, heartbeat_s=opened.now.boot_s, boot_id=opened.now.boot_id))
        return [lease.resource for lease in renew_in(opened, agent)]


def place(context: Context, *, agent: str, worktree: str, branch: str) -> Agent:
    """Record where an agent works; one transaction."""
    with unit(context) as opened:
        # From its own worktree nothing gets out but by landing, where every change is checked.
        placed = replace(
            acting(opened, agent), worktree=worktree, branch=branch, enforcement=Enforcement.CHECKED
        )
        opened.tx.agents.put(placed)
        opened.log("worktree ready", agent=agent, stream=placed.stream, worktree=worktree, branch=branch)
        return placed


def retire(context: Context, *, agent: str, failed: bool = False, reason: str = "") -> Agent:
    """End an agent: its leases are released, its stream has a free place; its work stays where it is. One transaction.

    Leases that it hands over to somebody are kept for them until they expire.
    """
    with unit(context) as opened:
        known = opened.tx.agents.get(agent)
        if known is None:
            raise NotFound(f"There is no agent {agent!r}.", remedy="See: pucs agents")
        if not known.active:
            return known
        # What it hands over waits for whoever accepts it, as long as the lease lasts.
        promised = opened.tx.handoffs.promised(agent)
        held = [
            lease
            for lease in opened.tx.leases.of_agent(agent)
            if lease.landing is None and lease.resource not in promised
        ]
        leave_in(opened, agent)
        opened.tx.sights.forget(agent)
        end_and_serve(opened, held, EndReason.RELEASED)
        ended = replace(known, phase=Phase.FAILED if failed else Phase.RETIRED, task="")
        opened.tx.agents.put(ended)
        _clear_intent(context, opened, agent, "its agent has ended")
        opened.log(
            "failed" if failed else "retired",
            agent=agent,
            stream=known.stream,
            level=Level.ERROR if failed else Level.INFO,
            reason=reason,
        )
        return ended


def leave_in(opened: Unit, agent: str) -> None:
    """Take an agent's places out of the queue inside an open unit; a process that waits for it finds out by itself."""
    places = [request for request in opened.tx.requests.of_agent(agent) if request.suspended]
    if places:
        withdraw(opened, places, "ended with its agent")
        serve(opened, [name for request in places for name, _ in request.resources])
    opened.tx.refusals.forget(agent)


def _clear_intent(context: Context, opened: Unit, agent: str, why: str) -> None:
    if opened.tx.intents.of_agent(agent) is not None:
        from pucs.coordinator.contesting import clear_in  # noqa: PLC0415 - most agents come and go without a plan

        clear_in(context, opened, agent, why)


def agents(context: Context) -> list[Agent]:
    """Return the agents of the session by id."""
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.latest()
        return tx.agents.all(session.id) if session else []
