"""What the simulator of hundreds of agents found, each as the shortest story that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pucs.coordinator.handoffs import Accepted, accept, hand_off
from pucs.coordinator.leases import Acquired, release
from pucs.coordinator.pausing import pause
from pucs.core.errors import Refused
from pucs.core.modes import Mode
from pucs.messages.handoffs import Contents
from tests.coordinator.test_leases import World
from tests.coordinator.test_leases_growth import while_waiting

if TYPE_CHECKING:
    from tests.conftest import Kept


@pytest.fixture
def world(kept: Kept) -> World:
    return World(kept)


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


def test_a_paused_waiter_closes_a_circle_by_coming_back(world: World) -> None:
    """Bob is paused on its way to ``a/``, for which ann has to give up ``a/x``; behind it ann would wait for herself."""
    world.take("ann", "a/x", mode=Mode.SHARED_READ)
    world.take("dee", "a/y")
    told = while_waiting(
        world,
        lambda: pause(world.context, agent="bob", by="operator"),
        lambda: world.take("ann", "a/y", mode=Mode.SHARED_READ, wait_s=1.0),
    )
    world.take("bob", "a/", wait_s=5.0)
    assert "circle" in told[1].reason


def sleeps_of(
    world: World, waiter: str, *resources: str, wait_s: float = 60.0
) -> tuple[Acquired, list[float]]:
    """Let somebody wait while nobody else does anything, and count how long it slept each time."""
    sleeps: list[float] = []

    def during(timeout_s: float) -> None:
        sleeps.append(timeout_s)
        assert len(sleeps) < 1000, "it does not sleep, it looks again and again"
        world.clock.pass_s(timeout_s)

    world.bells.during = during
    return world.take(waiter, *resources, wait_s=wait_s), sleeps


def test_whoever_waits_behind_a_stopped_waiter_goes_on_after_its_time(world: World) -> None:
    """Bob is stopped beyond the end of its own wait; cid, who waits behind it, sleeps until then and has its turn."""
    world.take("dee", "b.py", duration_s=1000.0)
    found: list[tuple[Acquired, list[float]]] = []
    while_waiting(world, lambda: found.append(sleeps_of(world, "cid", "a.py")))
    world.take("bob", "a.py", "b.py", wait_s=5.0)
    ((answer, sleeps),) = found
    assert answer.granted
    assert sum(sleeps) == pytest.approx(6.0, abs=0.1)
    assert len(sleeps) < 12


def test_a_reservation_shorter_than_its_claim_is_waited_for_asleep(world: World) -> None:
    """What is reserved for bob ends by the time to claim it, however short a lease bob asked for."""
    world.take("ann", "a.py")
    found: list[tuple[Acquired, list[float]]] = []

    def bob_is_stopped() -> None:
        release(world.context, agent="ann")
        found.append(sleeps_of(world, "cid", "a.py"))

    while_waiting(world, bob_is_stopped)
    assert world.take("bob", "a.py", wait_s=30.0, duration_s=0.5).late
    ((answer, sleeps),) = found
    assert answer.granted
    assert len(sleeps) < 12


def handed_over(world: World, giver: str, receiver: str, resource: str) -> Accepted:
    """Let somebody hand a lease over, and the other one accept it at once, in whatever process."""
    given = hand_off(
        world.context,
        agent=giver,
        to=[receiver],
        contents=Contents(locked_files=(resource,), pending=("go on with it",)),
        incomplete=True,
    )
    return accept(world.context, agent=receiver, handoff=given.id)


def test_whoever_waits_for_what_it_is_handed_waits_no_longer(world: World) -> None:
    """Bob waits for ``a.py`` in one process and accepts it in another."""
    world.take("ann", "a.py")
    while_waiting(world, lambda: handed_over(world, "ann", "bob", "a.py"))
    answer = world.take("bob", "a.py", wait_s=60.0)
    assert answer.granted
    assert answer.waited_s < 2.0


def test_a_hand_off_closes_no_circle(world: World) -> None:
    """Bob waits for cid, who waits for ann's ``a.py``; if that came to bob now, both would wait for each other."""
    world.take("ann", "a.py")
    world.take("cid", "c.py")

    def cid_waits() -> None:
        while_waiting(world, lambda: handed_over(world, "ann", "bob", "a.py"))
        world.take("cid", "a.py", wait_s=10.0)

    while_waiting(world, cid_waits)
    with pytest.raises(Refused):
        world.take("bob", "c.py", wait_s=20.0)
