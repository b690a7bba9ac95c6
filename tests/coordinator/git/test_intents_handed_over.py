"""A plan goes when the work it is about goes to somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pucs.coordinator import agents
from pucs.coordinator.handoffs import accept, hand_off
from pucs.coordinator.intents import intents, signal
from pucs.messages.handoffs import Contents

if TYPE_CHECKING:
    from tests.coordinator.git.conftest import World

pytestmark = pytest.mark.git


def test_a_giver_plans_no_more_what_it_handed_over(world: World) -> None:
    """Whoever takes the leases is not contested by the giver's plan, and neither is anybody else."""
    world.agent("ann")
    agents.register(world.context, agent="bob", stream="core")
    signal(world.context, agent="ann", files=["core/a.py"], description="a")
    world.lock("ann", "core/a.py")
    told = Contents(completed=("half of it",), pending=("the rest",), test_status="not run")
    number = hand_off(world.context, agent="ann", contents=told, to=["bob"]).id
    assert [intent.agent for intent in intents(world.context)] == ["ann"]
    accept(world.context, agent="bob", handoff=number)
    assert intents(world.context) == []
    assert signal(world.context, agent="bob", files=["core/a.py"], description="b").success
