"""What an agent's tools did, looked at after each of them: what it read, what it wrote, what its shell changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.agents.calls import Ruling

if TYPE_CHECKING:
    from pucs.agents.calls import Call
    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context


def observed(context: Context, agent: Agent, call: Call) -> Ruling:
    """Note what an agent has seen and changed, and tell it what of that others hold."""
    del context, agent, call
    return Ruling()
