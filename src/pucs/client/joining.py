"""How a client's agent joins: as the property of the client's process, or as the agent it was launched for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.coordinator import agents

if TYPE_CHECKING:
    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context
    from pucs.core.processes import Process


def join(context: Context, *, agent: str, stream: str, owner: Process | None, launched: bool) -> Agent:
    """Register an agent for a process and claim its stream; safe to repeat.

    Args:
        context: where the agents are.
        agent: the agent's id.
        stream: the stream it works for; empty: none, or the one it has.
        owner: the client's process; None: it is not known, and only time ends the agent's leases.
        launched: the process was started as this agent, so that it acts for it where a living supervisor owns it.

    Raises:
        Refused: the id lives in another process, or the stream is unknown or full.
    """
    with context.store.read() as tx:
        known = tx.agents.get(agent)
    if known is not None and launched and known.active and _minded(context, known, owner):
        return claim(context, known, stream)
    return agents.register(
        context,
        agent=agent,
        stream=stream,
        program="client",
        owner=owner,
        worktree=known.worktree if known else "",
        branch=known.branch if known else "",
    )


def claim(context: Context, known: Agent, stream: str) -> Agent:
    """Let an agent claim a stream if it is named and not its own already, and return the agent."""
    if not stream or stream.casefold() == known.stream.casefold():
        return known
    return agents.claim_stream(context, agent=known.id, stream=stream)


def _minded(context: Context, known: Agent, me: Process | None) -> bool:
    """Tell whether another process, its supervisor, minds the agent; another's name alone is not enough."""
    if known.owner is None or known.owner == me:
        return False
    return context.processes.alive(known.owner) is not False
