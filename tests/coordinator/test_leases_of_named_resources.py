"""Named resources: slots and rates, in the same queue as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pucs.conflicts.records import Kind, Strategy
from pucs.coordinator.conflicts import conflicts
from pucs.coordinator.inspecting import delays, queue, why
from pucs.coordinator.leases import acquire, cleanup, release
from pucs.core.errors import Usage
from pucs.core.modes import Mode
from pucs.streams.records import CriticalFile
from pucs.streams.settings import Configuration, Limits, ResourceLimit
from tests.coordinator.test_leases import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Kept


@pytest.fixture
def world(kept: Kept) -> World:
    made = World(kept)
    with made.context.store.transaction() as tx:
        tx.sessions.put_configuration(
            Configuration(
                critical_files=(CriticalFile(path="**", max_lock_duration_s=5.0),),
                limits=Limits(
                    default_duration_s=600.0, max_duration_s=1000.0, queue_timeout_s=300.0, claim_ttl_s=2.0
                ),
                resources=(
                    ResourceLimit(name="db/*", concurrency=1),
                    ResourceLimit(name="db/test", concurrency=3),
                    ResourceLimit(name="port/*", concurrency=2),
                    ResourceLimit(name="api", concurrency=9, rate=2, period_s=60.0),
                ),
            )
        )
    return made


def while_waiting(world: World, *steps: Callable[[], Any]) -> tuple[list[Any], list[float]]:
    """Let each sleep of a waiter run the next step, and time pass when there are none left."""
    left, answers, slept = list(steps), [], []

    def during(timeout_s: float) -> None:
        if left:
            answers.append(left.pop(0)())
        else:
            slept.append(timeout_s)
            world.clock.pass_s(timeout_s)

    world.bells.during = during
    return answers, slept


@pytest.mark.parametrize(
    ("name", "slots"), [("res:gpu", 1), ("res:db/live", 1), ("res:db/test", 3), ("res:port/1", 2)]
)
def test_as_many_agents_hold_it_as_it_has_slots(world: World, name: str, slots: int) -> None:
    """One where nothing is configured; its own name goes before a pattern; files do not overlap with it."""
    for number in range(slots):
        assert world.take(f"agent-{number}", name).granted
    refused = world.take("late", name)
    assert not refused.granted
    assert f"{name} is held by agent-0" in refused.reason
    assert world.take("late", "/").granted
    assert release(world.context, agent="agent-0").resources == (name,)
    assert world.take("late", name).granted


def test_asking_again_keeps_the_slot(world: World) -> None:
    """One agent takes one slot, however often it asks; it is renewed and ends like any lease."""
    first = world.take("ann", "res:port/1").tokens
    assert world.take("ann", "res:port/1").tokens == first
    assert world.take("bob", "res:port/1").granted
    assert world.take("bob", "res:port/2").granted, "each name of a pattern has its own slots"
    assert not world.take("cid", "res:port/1").granted
    world.clock.pass_s(600)
    assert len(cleanup(world.context)) == 3


def test_a_critical_pattern_is_for_files(world: World) -> None:
    """A named resource is held as long as any lease."""
    assert world.take("ann", "res:port/1").expires_at == world.clock.now().wall(600.0)
    assert world.take("ann", "a.py").expires_at == world.clock.now().wall(5.0)


@pytest.mark.parametrize("mode", [Mode.SHARED_READ, Mode.INTENT])
def test_slots_have_no_readers(world: World, mode: Mode) -> None:
    """The error says where the number of slots is set."""
    with pytest.raises(Usage, match="slots, not readers") as refused:
        world.take("ann", "a.py", "res:port/1", mode=mode)
    assert "resources" in (refused.value.remedy or "")


def test_a_slot_that_is_given_up_goes_to_the_first_in_the_queue(world: World) -> None:
    """The wait is recorded as one for a resource, and no newcomer takes the slot before."""
    world.take("ann", "res:port/1")
    world.take("bob", "res:port/1")
    answers, _ = while_waiting(
        world,
        lambda: release(world.context, agent="ann").served,
        lambda: world.take("dee", "res:port/1").granted,
    )
    assert world.take("cid", "res:port/1", wait_s=30).granted
    assert answers[0] == ("cid",)
    (record,) = conflicts(world.context)
    assert (record.kind, record.strategy) == (Kind.RESOURCE, Strategy.QUEUE)
    assert record.parties == ("cid", "ann", "bob")


def test_a_set_of_files_and_resources_is_granted_whole(world: World) -> None:
    """It waits for files, so it is recorded as that; the free slot is not taken meanwhile."""
    world.take("ann", "a.py")
    answers, _ = while_waiting(
        world,
        lambda: [lease.resource for lease in why(world.context, resource="res:gpu").holders],
        lambda: world.take("dee", "res:gpu").granted,
        lambda: release(world.context, agent="ann"),
    )
    answer = world.take("bob", "a.py", "res:gpu", wait_s=30)
    assert sorted(answer.tokens) == ["a.py", "res:gpu"]
    assert answers[:2] == [[], False], "bob asked first for the slot"
    assert conflicts(world.context)[0].kind is Kind.FILE_LOCK


def test_a_rate_lets_through_so_many_in_a_period(world: World) -> None:
    """Giving up gives no room in the window; when the oldest grant leaves it, the next is let through."""
    for agent in ("ann", "bob"):
        assert world.take(agent, "res:api").granted
        release(world.context, agent=agent)
        world.clock.pass_s(10)
    refused = world.take("cid", "res:api")
    assert not refused.granted
    assert "its rate lets nothing through for 40 s" in refused.reason
    assert refused.wait_time == 40.0
    world.clock.pass_s(39.9)
    assert not world.take("cid", "res:api").granted
    world.clock.pass_s(0.1)
    assert world.take("cid", "res:api").granted
    assert not world.take("dee", "res:api").granted


def test_who_waits_for_a_rate_wakes_by_its_own_timer(world: World) -> None:
    """Nobody rings when a window opens: the waiter sleeps until then, at most a second at a time, in turn."""
    for agent in ("ann", "bob"):
        world.take(agent, "res:api")
        world.clock.pass_s(10.25)
    _, slept = while_waiting(world)
    began_s = world.clock.boot_s
    answer = world.take("cid", "res:api", wait_s=100)
    assert answer.granted
    assert answer.waited_s == pytest.approx(39.5)
    assert world.clock.boot_s - began_s == pytest.approx(39.5)
    assert max(slept) == 1.0
    assert len(slept) == 40


def test_waiters_for_a_rate_keep_their_order(world: World) -> None:
    """The second in the queue waits for the second opening."""
    for agent in ("ann", "bob"):
        world.take(agent, "res:api")
        world.clock.pass_s(10.0)

    def second_waits() -> None:
        assert [lines.longest_s for lines in delays(world.context, queue(world.context))] == [40.0]
        world.processes.me = world.processes.process(7)
        while_waiting(world)
        assert not acquire(world.context, agent="dee", resources=["res:api"], wait_s=45).granted

    while_waiting(world, second_waits)
    assert acquire(world.context, agent="cid", resources=["res:api"], wait_s=100).granted
    assert queue(world.context) == []


def test_a_rate_starts_anew_after_a_reboot(world: World) -> None:
    """Grants of another boot stand on another clock."""
    for agent in ("ann", "bob"):
        world.take(agent, "res:api")
    world.clock.reboot()
    assert world.take("cid", "res:api").granted


def test_a_pool_closes_a_circle_only_when_all_its_slots_are_in_it(world: World) -> None:
    """While one holder can go on, a slot will be free."""
    for agent in ("ann", "bob"):
        world.take(agent, "res:port/1")
    world.take("cid", "c.py")

    def bob_waits_too() -> Any:
        inner, _ = while_waiting(world, lambda: world.take("cid", "res:port/1", wait_s=5))
        world.take("bob", "c.py", wait_s=20)
        return inner

    answers, _ = while_waiting(world, bob_waits_too)
    world.take("ann", "c.py", wait_s=3)
    refused = answers[0][0]
    assert "circle" in refused.reason
    assert "cid waits for res:port/1 held by ann, who waits for c.py held by cid" in refused.reason
