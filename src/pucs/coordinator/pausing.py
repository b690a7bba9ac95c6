"""PAUSE, RESUME and TERMINATE: what whoever runs the session orders an agent to do (000 §6.2).

A paused agent keeps what it holds and is renewed; it gets no new lease and no task, and whoever launched it stops its
processes. Its requests keep their place in the queue and are passed over, like those of a waiter that does not answer:
they wait for nobody, and nobody waits for them. A lease that was reserved for it before stays its own. Landing is allowed,
because it only gives leases up and loses nothing.

A terminated agent may not act any more. One with a living keeper is ended by it, with all its processes, before its work
is kept and its leases pass on; another one is ended here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pucs.agents.records import Agent, Halt
from pucs.coordinator import salvaging
from pucs.coordinator.agents import retire
from pucs.coordinator.asking import told_circle
from pucs.coordinator.context import unit
from pucs.coordinator.granting import RESOURCES_TOLD, serve, withdraw
from pucs.coordinator.messages import send_in, unknown_agent
from pucs.core.errors import PucsError, Refused, Usage
from pucs.messages.records import MessageKind
from pucs.messages.rules import quoted_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.context import Context, Unit
    from pucs.locks.records import Request

REASON_LENGTH_MAX = 500
"""Longest reason: it is shown in every refusal while the agent is paused."""
NAME_LENGTH_MAX = 64
"""Longest name of who orders, as for agents."""


def pause(context: Context, *, agent: str, by: str, reason: str = "") -> Agent:
    """Pause an agent and tell it; one transaction, safe to repeat.

    Raises:
        NotFound: there is no such agent.
        Refused: it has ended.
    """
    _check(by, reason)
    with unit(context) as opened:
        known = _living(opened, agent)
        if known.paused and (known.halted_by, known.halted_because) == (by, reason):
            return known
        paused = replace(known, halt=Halt.PAUSED, halted_by=by, halted_because=reason)
        opened.tx.agents.put(paused)
        waiting = opened.tx.requests.pause(agent, paused=True)
        opened.log("paused", agent=agent, stream=known.stream, by=by, reason=reason, waiting=len(waiting))
        send_in(
            opened,
            MessageKind.PAUSE,
            agent,
            text=f"Stop editing and take no new lease until you are resumed. Ordered by {quoted_words(by, reason)}.",
            by=by,
        )
        # Whoever waited behind it alone has nothing in the way any more.
        serve(opened, [name for request in waiting for name, _ in request.resources], context=context)
        return paused


def resume(context: Context, *, agent: str, by: str) -> Agent:
    """Let a paused agent go on, with its requests at their old place in the queue; one transaction, safe to repeat.

    Raises:
        NotFound: there is no such agent.
        Refused: it has ended.
    """
    _check(by, "")
    with unit(context) as opened:
        known = _living(opened, agent)
        if not known.paused:
            return known
        resumed = replace(known, halt=Halt.NONE, halted_by="", halted_because="")
        opened.tx.agents.put(resumed)
        waiting = opened.tx.requests.pause(agent, paused=False)
        opened.log("resumed", agent=agent, stream=known.stream, by=by, waiting=len(waiting))
        send_in(opened, MessageKind.RESUME, agent, text=f"Go on. Ordered by {quoted_words(by, '')}.", by=by)
        _leave_circles(context, opened, waiting)
        serve(opened, [name for request in waiting for name, _ in request.resources], context=context)
        return resumed


def _leave_circles(context: Context, opened: Unit, waiting: Sequence[Request]) -> None:
    """Withdraw what would never end: while the agent was passed over, others who wait for it may have got what it waits for.

    It takes an agent with several places in the queue, because who waits in one gets nothing otherwise.
    """
    for request in reversed(waiting):
        told = told_circle(context, opened, request)
        if told:
            withdraw(opened, [request], "would never have ended")
            send_in(
                opened,
                MessageKind.LOCK_DENIED,
                request.agent,
                text=f"You wait no more, because nobody in this circle could go on: {told}. Land or release what the others "
                "wait for, then ask again.",
                conflict=request.id,
                files=[resource for resource, _ in request.resources][:RESOURCES_TOLD],
            )


def terminate(context: Context, *, agent: str, by: str, reason: str = "") -> Agent:
    """Tell an agent to end for good and let it act no more; safe to repeat.

    Its keeper, if it lives, ends its processes and retires it. Without one its unlanded work is kept on a salvage ref and
    it is retired here; edits in a shared checkout stay where they are.

    Raises:
        NotFound: there is no such agent.
        Refused: it had ended before.
    """
    _check(by, reason)
    with unit(context) as opened:
        known = opened.tx.agents.get(agent)
        if known is not None and known.terminated and not known.active:
            return known
        known = _living(opened, agent, terminated_too=True)
        if not known.terminated:
            known = replace(known, halt=Halt.TERMINATED, halted_by=by, halted_because=reason)
            opened.tx.agents.put(known)
            waiting = opened.tx.requests.pause(agent, paused=False)
            withdraw(opened, waiting, "ended with its agent")
            serve(opened, [name for request in waiting for name, _ in request.resources], context=context)
            opened.log("terminated", agent=agent, stream=known.stream, by=by, reason=reason)
            send_in(
                opened,
                MessageKind.TERMINATE,
                agent,
                text=f"End now; nothing you do counts any more. Ordered by {quoted_words(by, reason)}.",
                by=by,
            )
    if minded(context, known):
        return known
    why = ended_because(known)
    if known.worktree:
        try:
            salvaging.keep_work(context, agent=agent, reason=why)
        except PucsError as error:
            why = f"{why}; its work stays in {known.worktree}: {error.message}"
    return retire(context, agent=agent, failed=True, reason=why)


def minded(context: Context, agent: Agent) -> bool:
    """Tell whether somebody who launched an agent will end it; also if that cannot be known from here."""
    return agent.launched and agent.owner is not None and context.processes.alive(agent.owner) is not False


def ended_because(agent: Agent) -> str:
    """Return why a terminated agent ended, as a clause."""
    return f"terminated by {quoted_words(agent.halted_by, agent.halted_because)}"


def _living(opened: Unit, agent: str, *, terminated_too: bool = False) -> Agent:
    known = opened.tx.agents.get(agent)
    if known is None or known.session != opened.active().id:
        raise unknown_agent(opened, agent)
    if not known.active or (known.terminated and not terminated_too):
        ended = known.phase.value if not known.active else "terminated"
        raise Refused(f"Agent {agent} has ended ({ended}).", remedy="See: pucs agents")
    return known


def _check(by: str, reason: str) -> None:
    if not by.strip() or len(by) > NAME_LENGTH_MAX or not by.isprintable():
        raise Usage(
            "Whoever orders this needs a name.", remedy=f"One line of at most {NAME_LENGTH_MAX} characters."
        )
    if len(reason) > REASON_LENGTH_MAX or not (reason + "x").isprintable():
        raise Usage(
            "The reason is not one line of plain text.", remedy=f"At most {REASON_LENGTH_MAX} characters."
        )
