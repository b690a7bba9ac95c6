"""Leases that become stronger or more: upgrades, sets that grow, and circles that are refused before they close."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pucs.conflicts.records import Kind, Status, Strategy
from pucs.coordinator.asking import circle_of
from pucs.coordinator.conflicts import conflicts
from pucs.coordinator.context import unit
from pucs.coordinator.inspecting import queue
from pucs.coordinator.leases import Acquired, acquire, downgrade, release, renew
from pucs.core.modes import Mode
from pucs.locks.records import EndReason
from tests.coordinator.test_leases import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.locks.records import Lease
    from tests.conftest import Kept

SHARED, INTENT, EXCLUSIVE = Mode.SHARED_READ, Mode.INTENT, Mode.EXCLUSIVE


@pytest.fixture
def world(kept: Kept) -> World:
    return World(kept)


def live(world: World, agent: str) -> list[Lease]:
    with world.context.store.read() as tx:
        return tx.leases.of_agent(agent)


def ended(world: World, token: int) -> Lease:
    with world.context.store.read() as tx:
        return tx.leases.by_tokens([token])[0]


def while_waiting(world: World, *steps: Callable[[], Any]) -> list[Any]:
    """Let each sleep of a waiter run the next step, and time pass when there are none left; returns their answers."""
    left, answers = list(steps), []

    def during(timeout_s: float) -> None:
        if left:
            answers.append(left.pop(0)())
        else:
            world.clock.pass_s(timeout_s)

    world.bells.during = during
    return answers


@pytest.mark.parametrize(("weak", "strong"), [(SHARED, INTENT), (SHARED, EXCLUSIVE), (INTENT, EXCLUSIVE)])
def test_a_stronger_mode_takes_the_place_of_a_weaker_one(world: World, weak: Mode, strong: Mode) -> None:
    """One lease is left, under a new token; the old one ended in the same step and says why."""
    old = world.take("ann", "a.py", mode=weak, noted={"a.py": "as it was"}).tokens["a.py"]
    answer = world.take("ann", "a.py", mode=strong, noted={"a.py": "as it is"})
    (lease,) = live(world, "ann")
    assert (lease.mode, lease.token) == (strong, answer.tokens["a.py"])
    assert lease.token > old
    assert lease.noted == "as it was"
    assert ended(world, old).end_reason is EndReason.CONVERTED
    assert world.log()[-2:] == ["lease converted", "lock granted"]
    assert world.take("ann", "a.py", mode=weak).tokens == answer.tokens, "the stronger one covers the weaker"
    assert release(world.context, agent="ann", token=old).resources == ()


def test_readers_may_join_the_next_writer_until_it_writes(world: World) -> None:
    """INTENT keeps other writers out and lets readers in; the boundary counts for it as for a writer."""
    world.take("ann", "a.py", mode=INTENT)
    assert world.take("bob", "a.py", mode=SHARED).granted
    assert not world.take("cid", "a.py", mode=INTENT).granted
    assert not world.take("cid", "a.py").granted
    assert not world.take("ann", "a.py").granted, "bob relies on it as it is"
    crossed = world.take("dee", "till/x.py", mode=INTENT, stream="shop")
    assert "belongs to stream till" in crossed.reason


def test_a_waiting_upgrade_keeps_new_readers_out(world: World) -> None:
    """Whoever reads already may finish; then the next writer writes, and has held on to its place all the time."""
    world.take("ann", "a.py", mode=INTENT)
    world.take("bob", "a.py", mode=SHARED)
    answers = while_waiting(
        world,
        lambda: world.take("cid", "a.py", mode=SHARED),
        lambda: live(world, "ann")[0].mode,
        lambda: release(world.context, agent="bob"),
    )
    answer = world.take("ann", "a.py", wait_s=30)
    assert answer.granted
    assert not answers[0].granted
    assert answers[1] is INTENT
    assert [lease.mode for lease in live(world, "ann")] == [EXCLUSIVE]


def test_an_upgrade_comes_before_those_who_wait_because_of_it(world: World) -> None:
    """They could never be served before it; also not who waits behind one of them."""
    world.take("ann", "a.py", mode=INTENT)

    def reader_behind_a_writer() -> Acquired:
        answers.extend(while_waiting(world, lambda: world.take("ann", "a.py")))
        return world.take("cid", "a.py", mode=SHARED, wait_s=5)

    answers: list[Acquired] = []
    while_waiting(world, reader_behind_a_writer)
    late = world.take("bob", "a.py", wait_s=5)
    assert not late.granted
    assert [lease.mode for lease in live(world, "ann")] == [EXCLUSIVE]
    assert queue(world.context) == []


def test_a_waiting_upgrade_goes_before_who_waited_earlier(world: World) -> None:
    """Bob waits for ann and a reader; ann's upgrade waits for the reader alone and is served when that one is done."""
    world.take("ann", "a.py", mode=INTENT)
    world.take("dee", "a.py", mode=SHARED)
    seen: list[list[str]] = []

    def upgrade() -> Acquired:
        while_waiting(
            world,
            lambda: seen.append([request.agent for request in queue(world.context)]),
            lambda: release(world.context, agent="dee"),
        )
        return world.take("ann", "a.py", wait_s=20)

    answers = while_waiting(world, upgrade)
    world.take("bob", "a.py", wait_s=2)
    assert answers[0].granted
    assert seen == [["ann", "bob"]]


def test_two_readers_cannot_both_become_writers(world: World) -> None:
    """Each would wait for the other to stop reading: the second is refused, and told why."""
    world.take("ann", "a.py", mode=SHARED)
    world.take("bob", "a.py", mode=SHARED)
    answers = while_waiting(
        world, lambda: world.take("bob", "a.py", wait_s=20), lambda: release(world.context, agent="bob")
    )
    assert world.take("ann", "a.py", wait_s=20).granted
    assert "bob waits for a.py held by ann, who waits for a.py held by bob" in answers[0].reason
    assert live(world, "bob") == []


def test_an_upgrade_that_came_too_late_keeps_what_it_had(world: World) -> None:
    """The weaker lease ends with the claim of the stronger one, not before."""
    old = world.take("ann", "a.py", mode=SHARED).tokens
    world.take("bob", "a.py", mode=SHARED)

    def come_late() -> None:
        release(world.context, agent="bob")
        world.clock.pass_s(3)

    while_waiting(world, come_late)
    answer = world.take("ann", "a.py", wait_s=20)
    assert answer.late
    assert {lease.resource: lease.token for lease in live(world, "ann")} == old


@pytest.mark.parametrize("wait_s", [0.0, 20.0])
def test_becoming_stronger_gives_no_fresh_limit(world: World, wait_s: float) -> None:
    """The longest duration counts from the first grant, whatever the lease was turned into since."""
    world.take("ann", "a.py", mode=SHARED)
    for _ in range(3):
        world.clock.pass_s(300)
        renew(world.context, agent="ann")
    if wait_s:
        world.take("bob", "a.py", mode=SHARED)
        while_waiting(world, lambda: release(world.context, agent="bob"))
    assert world.take("ann", "a.py", wait_s=wait_s).expires_at == world.clock.now().wall(100.0)
    assert renew(world.context, agent="ann")[0].left_s(world.clock.boot_s) == 100.0


def test_a_lease_that_became_stronger_is_warned_of_in_time(world: World) -> None:
    """A tenth of the longest duration before, not of what was left of it."""
    world.take("ann", "a.py", mode=SHARED)
    for _ in range(2):
        world.clock.pass_s(440)
        renew(world.context, agent="ann")
    world.take("ann", "a.py")
    assert "lease near its limit" not in world.log()
    world.clock.pass_s(40)
    renew(world.context, agent="ann")
    assert "lease near its limit" in world.log()


def test_a_wider_lease_leaves_the_narrower_one(world: World) -> None:
    """Only the very resource is converted; what is inside keeps its token."""
    narrow = world.take("ann", "d/a.py").tokens["d/a.py"]
    assert list(world.take("ann", "d/").tokens) == ["d/"]
    assert world.take("ann", "d/a.py").tokens == {"d/a.py": narrow}


def test_a_circle_is_refused_before_it_closes(world: World) -> None:
    """Whoever would close it is told through whom, it is recorded and decided at once, and the others go on."""
    world.take("ann", "a.py")
    world.take("bob", "b.py")
    answers = while_waiting(
        world,
        lambda: world.take("bob", "a.py", wait_s=20, task="T-2"),
        lambda: release(world.context, agent="bob"),
    )
    assert world.take("ann", "b.py", wait_s=20).granted
    refused = answers[0]
    assert not refused.granted
    assert "bob waits for a.py held by ann, who waits for b.py held by bob" in refused.reason
    assert "Land or release" in refused.reason
    found = next(one for one in conflicts(world.context) if one.id == refused.conflict)
    assert (found.kind, found.status, found.strategy) == (Kind.FILE_LOCK, Status.RESOLVED, Strategy.QUEUE)
    assert found.parties == ("bob", "ann")
    assert "lock refused" in world.log()
    assert conflicts(world.context, unresolved=True) == []


def test_a_circle_of_three_is_spelled_out(world: World) -> None:
    """The sentence follows the waiting from the newcomer back to it."""
    for agent, resource in (("ann", "a.py"), ("bob", "b.py"), ("cid", "c.py")):
        world.take(agent, resource)

    def bob_waits() -> Acquired:
        answers.extend(while_waiting(world, lambda: refused.append(world.take("cid", "a.py", wait_s=9))))
        return world.take("bob", "c.py", wait_s=5)

    answers: list[Any] = []
    refused: list[Acquired] = []
    while_waiting(world, bob_waits)
    world.take("ann", "b.py", wait_s=5)
    told = "cid waits for a.py held by ann, who waits for b.py held by bob, who waits for c.py held by cid"
    assert told in refused[0].reason


def test_growing_past_somebody_who_waits_for_me_is_a_circle(world: World) -> None:
    """Bob asked first for what ann now wants, and cannot have his set before ann gives up hers."""
    world.take("ann", "a.py")
    answers = while_waiting(
        world,
        lambda: world.take("ann", "b.py", wait_s=20),
        lambda: world.take("ann", "b.py"),
        lambda: release(world.context, agent="ann"),
    )
    assert world.take("bob", "a.py", "b.py", wait_s=20).granted
    assert "ann waits for b.py that bob asked for first, who waits for a.py held by ann" in answers[0].reason
    assert not answers[1].granted, "strictly first come, first served"


def test_waiting_for_part_of_a_directory_says_what_is_in_the_way(world: World) -> None:
    """The resource that is held and the one that is asked for need not be the same."""
    world.take("ann", "d/")
    world.take("bob", "b.py")
    answers = while_waiting(world, lambda: world.take("ann", "b.py", wait_s=20))
    world.take("bob", "d/a.py", wait_s=5)
    told = "ann waits for b.py held by bob, who waits for d/a.py because ann holds d/"
    assert told in answers[0].reason


def test_whoever_waits_for_the_dead_closes_no_circle(world: World) -> None:
    """A waiter that died leaves the queue as soon as somebody looks."""
    world.take("ann", "a.py")
    world.take("bob", "b.py")
    first = world.processes.me

    def first_waiter_dies() -> Acquired:
        world.processes.kill(first)
        world.processes.me = world.processes.process(77)
        while_waiting(world, lambda: release(world.context, agent="ann"))
        return world.take("bob", "a.py", wait_s=20)

    answers = while_waiting(world, first_waiter_dies)
    acquire(world.context, agent="ann", resources=["b.py"], wait_s=5)
    assert answers[0].granted


def test_a_weaker_mode_keeps_writers_out_all_the_time(world: World) -> None:
    """One step: the readers who wait come in, the writer who waits does not, and the limit stays."""
    world.take("ann", "a.py", "b.py", noted={"a.py": "as it was"})
    (old, _) = live(world, "ann")

    def downgrade_while_all_wait() -> None:
        tokens.update(downgrade(world.context, agent="ann", resources=["a.py"], to=SHARED))

    def reader_waits() -> Acquired:
        while_waiting(world, downgrade_while_all_wait)
        return world.take("bob", "a.py", mode=SHARED, wait_s=20)

    tokens: dict[str, int] = {}
    world.clock.pass_s(60)
    assert reader_waits().granted
    weak = next(lease for lease in live(world, "ann") if lease.resource == "a.py")
    assert (weak.mode, weak.token) == (SHARED, tokens["a.py"])
    assert (weak.expires_s, weak.limit_s, weak.noted) == (old.expires_s, old.limit_s, "as it was")
    assert ended(world, old.token).end_reason is EndReason.CONVERTED
    assert not world.take("cid", "a.py").granted
    assert world.held()["b.py"] == "ann"
    assert "lock downgraded" in world.log()


def test_a_weaker_mode_leaves_what_is_weak_already(world: World) -> None:
    """Also what is not held, what another token names, and a mistyped name."""
    world.take("ann", "a.py", mode=SHARED)
    world.take("ann", "b.py")
    before = live(world, "ann")
    assert downgrade(world.context, agent="ann", resources=["a.py", "c.py"], to=INTENT) == {}
    assert downgrade(world.context, agent="ann", resources=["b.py"], to=INTENT, token=1) == {}
    assert downgrade(world.context, agent="anm", resources=["b.py"], to=INTENT) == {}
    assert live(world, "ann") == before
    assert list(downgrade(world.context, agent="ann", resources=["b.py"], to=INTENT)) == ["b.py"]


def test_a_circle_through_leases_that_change_hands_is_seen(world: World) -> None:
    """Bob waits for ann; were he to take over what she waits for from dee, neither could go on."""
    for agent, resource in (("ann", "a.py"), ("dee", "d.py")):
        world.take(agent, resource)
    told: list[str] = []

    def hand_over() -> None:
        with world.context.store.transaction() as tx:
            (old,) = tx.leases.of_agent("dee")
            tx.leases.end((old.token,), world.clock.boot_s, EndReason.RELEASED)
            tx.leases.add(replace(old, token=tx.tokens(1), agent="bob"))
        with unit(world.context) as opened:
            told.extend(circle_of(world.context, opened, agent) for agent in ("bob", "ann", "dee"))

    def ann_waits() -> None:
        while_waiting(world, hand_over)
        world.take("ann", "d.py", wait_s=5)

    while_waiting(world, ann_waits)
    world.take("bob", "a.py", wait_s=5)
    assert told == [
        "bob waits for a.py held by ann, who waits for d.py held by bob",
        "ann waits for d.py held by bob, who waits for a.py held by ann",
        "",
    ]
