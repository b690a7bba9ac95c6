"""The end of a turn and of a conversation: whoever leaves work unreported or files taken is told so, at most twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.agents.calls import Ruling

if TYPE_CHECKING:
    from pucs.agents.calls import Call
    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context


def stopped(context: Context, agent: Agent, call: Call) -> Ruling:
    """Decide whether an agent may end its turn."""
    del context, agent, call
    return Ruling()


def ended(context: Context, agent: Agent, call: Call) -> Ruling:
    """Give up what an agent leaves unused at the end of its conversation."""
    del context, agent, call
    return Ruling()
