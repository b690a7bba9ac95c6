"""``pause``, ``resume`` and ``stop``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pucs.cli.door import Door, common_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context

_BY = click.option(
    "--by", metavar="NAME", default="operator", show_default=True, help="Who orders it, shown to the agent."
)
_REASON = click.option("--reason", metavar="R", default="", help="Why, in one line, shown to the agent.")
_ALL = click.option("--all", "everybody", is_flag=True, help="Every active agent of the session.")
_AGENT = click.argument("agent", metavar="[AGENT]", required=False, default="")


def _each(
    context: Context, agent: str, everybody: bool, order: Callable[[Context, str], Agent]
) -> list[Agent]:
    """Give an order to one agent or to all active ones."""
    from pucs.coordinator.agents import agents  # noqa: PLC0415
    from pucs.core.errors import Usage  # noqa: PLC0415

    if bool(agent) == everybody:
        raise Usage("No agent was named.", remedy="Name one, or say --all.")
    names = [agent] if agent else [one.id for one in agents(context) if one.active and not one.terminated]
    return [order(context, name) for name in names]


@click.command()
@_AGENT
@_REASON
@_BY
@_ALL
@common_options
def pause(door: Door, agent: str, reason: str, by: str, everybody: bool) -> None:
    """Pause an agent: no new leases, no tasks, and the program of a launched one stands still.

    What it holds stays its own and is renewed.

    \b
    Example: pucs pause shop-agent-1 --reason "the price rules are being decided"
    """
    from pucs.coordinator.pausing import pause as order  # noqa: PLC0415

    done = _each(
        door.context(),
        agent,
        everybody,
        lambda context, name: order(context, agent=name, by=by, reason=reason),
    )
    _say(door, done, "paused. Let it go on with: pucs resume")


@click.command()
@_AGENT
@_BY
@_ALL
@common_options
def resume(door: Door, agent: str, by: str, everybody: bool) -> None:
    """Let a paused agent go on, with its place in every queue.

    \b
    Example: pucs resume shop-agent-1
    """
    from pucs.coordinator.pausing import resume as order  # noqa: PLC0415

    done = _each(door.context(), agent, everybody, lambda context, name: order(context, agent=name, by=by))
    _say(door, done, "at work again.")


@click.command()
@_AGENT
@_REASON
@_BY
@_ALL
@common_options
def stop(door: Door, agent: str, reason: str, by: str, everybody: bool) -> None:
    """End an agent for good: its programs are stopped, its unlanded work is kept aside, its leases pass on.

    A task it had goes back to be done by another agent.

    \b
    Example: pucs stop shop-agent-1 --reason "it goes in circles"
    """
    from pucs.coordinator.pausing import terminate  # noqa: PLC0415

    done = _each(
        door.context(),
        agent,
        everybody,
        lambda context, name: terminate(context, agent=name, by=by, reason=reason),
    )
    ending = [one.id for one in done if one.active]
    _say(
        door,
        done,
        f"to end; its keeper ends the program of {', '.join(ending)} within seconds." if ending else "ended.",
    )


def _say(door: Door, done: list[Agent], what: str) -> None:
    document = [
        {
            "agent": one.id,
            "phase": one.phase.value,
            "halt": one.halt.value,
            "by": one.halted_by,
            "reason": one.halted_because,
        }
        for one in done
    ]
    door.say(document, f"{', '.join(one.id for one in done)}: {what}" if done else "No agent is active.")
