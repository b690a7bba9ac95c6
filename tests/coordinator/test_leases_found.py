"""What the simulator of hundreds of agents found, each as the shortest story that shows it."""

from __future__ import annotations

import pytest

from pucs.coordinator.pausing import pause
from pucs.core.modes import Mode
from tests.coordinator.test_leases import World
from tests.coordinator.test_leases_growth import while_waiting


@pytest.fixture
def world() -> World:
    return World()


def test_a_paused_waiter_is_passed_by_the_upgrade_it_waits_for(world: World) -> None:
    """Paused or not, bob can have nothing before ann gives up ``a.py``: her wait for more of it closes no circle."""
    world.take("ann", "a.py", mode=Mode.INTENT)
    world.take("cid", "b.py", mode=Mode.SHARED_READ)
    told = while_waiting(
        world,
        lambda: pause(world.context, agent="bob", by="operator"),
        lambda: world.take("ann", "a.py", "b.py", wait_s=1.0),
    )
    world.take("bob", "a.py", "b.py", wait_s=5.0)
    assert "timed out" in told[1].reason
