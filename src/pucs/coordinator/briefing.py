"""What an agent is told when its conversation begins, and what rides on the answers to its calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.agents.calls import Ruling

if TYPE_CHECKING:
    from pucs.agents.calls import Call
    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context


def begin(context: Context, agent: Agent, call: Call) -> Ruling:
    """Record the conversation, count the agent as enforced, and brief it."""
    del context, agent, call
    return Ruling()


def prompted(context: Context, agent: Agent, call: Call) -> Ruling:
    """Begin a turn."""
    del context, agent, call
    return Ruling()


def riding(context: Context, agent: Agent) -> str:
    """Return what is due for an agent as quoted text, empty if nothing is."""
    del context, agent
    return ""
