"""What a supervisor writes down about the program it launches for an agent: its start, its waits without a process, its end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pucs.agents.records import Enforcement
from pucs.coordinator.agents import acting
from pucs.coordinator.context import unit
from pucs.core.resources import overlaps
from pucs.crosslog.records import Query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.context import Context

COMMAND = "command"
"""What an agent is between programs: its supervisor alone."""
STARTED = "program started"
ENTRIES_MAX = 1_000
"""Newest answers about locks that are looked through: more than an agent gets in one turn."""
_ANSWERS = ("lock refused", "lock granted", "lock claimed")


def started(context: Context, *, agent: str, program: str, conversation: str = "") -> None:
    """Record that an agent is a program now; it counts as enforced only once its hook has called in. One transaction.

    ``conversation`` is the one taken up again, empty for a new one.
    """
    with unit(context) as opened:
        known = acting(opened, agent)
        opened.tx.agents.put(replace(known, program=program, enforcement=Enforcement.CHECKED))
        opened.log(
            STARTED,
            agent=agent,
            stream=known.stream,
            program=program,
            task=known.task,
            conversation=conversation,
        )


def ended(context: Context, *, agent: str) -> None:
    """Record that an agent's program is gone; what it changed is checked at landing. One transaction, safe to repeat."""
    with unit(context) as opened:
        known = opened.tx.agents.get(agent)
        if known is None or known.program == COMMAND:
            return
        opened.tx.agents.put(replace(known, program=COMMAND, enforcement=Enforcement.CHECKED))
        opened.log("program ended", agent=agent, stream=known.stream, program=known.program, task=known.task)


def suspended(context: Context, *, agent: str, resources: Sequence[str]) -> None:
    """Record that an agent waits for its turn without a process. One transaction."""
    with unit(context) as opened:
        known = acting(opened, agent)
        opened.log("agent suspended", agent=agent, stream=known.stream, files=resources, task=known.task)


def resumed(context: Context, *, agent: str, resources: Sequence[str], waited_s: float) -> None:
    """Record that a suspended agent goes on. One transaction."""
    with unit(context) as opened:
        known = acting(opened, agent)
        opened.log(
            "agent resumed",
            agent=agent,
            stream=known.stream,
            files=resources,
            task=known.task,
            waited_s=round(waited_s, 3),
        )


def wanted_by_others(context: Context, *, agent: str) -> tuple[str, ...]:
    """Return the agents that wait for something this agent holds, sorted."""
    with context.store.read() as tx:
        held = [lease.resource for lease in tx.leases.of_agent(agent)]
        return tuple(
            sorted({
                request.agent
                for request in tx.requests.waiting()
                if request.agent != agent
                and any(overlaps(name, mine) for name, _ in request.resources for mine in held)
            })
        )


def refused_in_circles(context: Context, *, agent: str) -> tuple[str, ...]:
    """Return what an agent asked for since its program was started, was refused because of a circle, and has not got."""
    with context.store.read() as tx:
        said = tx.entries.select(Query(agent=agent, actions=(STARTED, *_ANSWERS), limit=ENTRIES_MAX))
    refused: set[str] = set()
    for entry in said:
        if entry.action == STARTED:
            refused.clear()
        elif entry.action == "lock refused":
            refused |= set(entry.files)
        else:
            refused -= set(entry.files)
    return tuple(sorted(refused))
