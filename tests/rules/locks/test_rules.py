"""Decisions about leases, judged against the plain definitions of DESIGN §3."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pucs.core.modes import Mode, compatible, covers
from pucs.core.resources import contains, overlaps
from pucs.locks.records import Blocked, EndReason, Granted, Lease, LeaseState, Request
from pucs.locks.rules import (
    conflicting,
    covering,
    decide,
    expired,
    may_land,
    normalised,
    renewed_until,
    served,
)

EX, SH, IN = Mode.EXCLUSIVE, Mode.SHARED_READ, Mode.INTENT
RESOURCES = ["/", "a/", "a/b/", "a/b/c.py", "a/x.py", "d.py", "-", ".g/x"]


def lease(token: int, resource: str, agent: str = "one", mode: Mode = EX, *, held: bool = True) -> Lease:
    return Lease(
        token=token,
        resource=resource,
        mode=mode,
        agent=agent,
        stream="",
        task="",
        session="S",
        state=LeaseState.HELD if held else LeaseState.RESERVED,
        request=0,
        boot_id="boot",
        granted_s=0.0,
        expires_s=100.0,
        limit_s=300.0,
        claim_by_s=None if held else 2.0,
        granted_at="",
        expires_at="",
        noted="",
        landing=None,
        owner=None,
    )


def request(number: int, *resources: str, agent: str = "two", mode: Mode = EX) -> Request:
    return Request(
        id=number,
        agent=agent,
        stream="",
        task="",
        session="S",
        resources=normalised((resource, mode) for resource in resources),
        duration_s=10.0,
        boot_id="boot",
        asked_s=0.0,
        deadline_s=60.0,
        waiter=None,
    )


modes = st.sampled_from([EX, SH, IN])
agents = st.sampled_from(["one", "two", "three"])
sets = st.lists(st.tuples(st.sampled_from(RESOURCES), modes), min_size=1, max_size=3)
leases = st.lists(st.tuples(st.sampled_from(RESOURCES), agents, modes, st.booleans()), max_size=5).map(
    lambda drawn: [lease(at, r, a, m, held=h) for at, (r, a, m, h) in enumerate(drawn, 1)]
)
queues = st.lists(st.tuples(sets, agents), max_size=5).map(
    lambda drawn: [
        replace(request(at, "d.py", agent=a), resources=normalised(s)) for at, (s, a) in enumerate(drawn, 1)
    ]
)


def clash(one: tuple[str, Mode], two: tuple[str, Mode]) -> bool:
    return overlaps(one[0], two[0]) and {one[1], two[1]} not in ({SH}, {SH, IN})


def test_the_table_of_modes() -> None:
    """DESIGN §2: readers share, one next writer may join them, a writer is alone; a stronger mode covers a weaker one."""
    order = (SH, IN, EX)
    assert [compatible(held, asked) for held in order for asked in order] == [
        True, True, False,
        True, False, False,
        False, False, False,
    ]  # fmt: skip
    assert [covers(held, asked) for held in order for asked in order] == [
        True, False, False,
        True, True, False,
        True, True, True,
    ]  # fmt: skip


@given(sets)
def test_a_normalised_set_is_small_and_asks_for_the_same(wanted: list[tuple[str, Mode]]) -> None:
    """Nothing in it is covered by something else in it, and everything asked for is covered by it."""
    made = normalised(wanted)
    assert list(made) == sorted(made)
    assert all(any(contains(o, r) and covers(m, mode) for o, m in made) for r, mode in wanted)
    assert not any(
        one != two and contains(one[0], two[0]) and covers(one[1], two[1]) for one in made for two in made
    )


def test_the_root_covers_names_that_sort_before_it() -> None:
    """``.github/`` sorts before ``/`` and is inside it all the same."""
    assert normalised([(".github/", EX), ("/", EX), ("-", SH)]) == (("/", EX),)


def test_a_reader_of_a_directory_may_write_one_file_of_it() -> None:
    """A wider but weaker member covers nothing stronger."""
    assert normalised([("a/", SH), ("a/x.py", EX), ("a/y.py", SH)]) == (("a/", SH), ("a/x.py", EX))


def stuck_behind(agent: str, held: list[Lease], waiting: list[Request]) -> set[int]:
    """Return who waits for these leases, or behind one who does, by going round until nobody is added."""
    found: set[int] = set()
    while True:
        more = {
            other.id
            for other in waiting
            if other.agent != agent
            and (
                any(clash(item, (own.resource, own.mode)) for item in other.resources for own in held)
                or any(
                    first.id in found
                    and first.id < other.id
                    and first.agent != other.agent
                    and any(clash(one, two) for one in other.resources for two in first.resources)
                    for first in waiting
                )
            )
        }
        if more == found:
            return found
        found = more


@settings(max_examples=4 * settings().max_examples)
@given(sets, agents, leases, queues)
def test_a_decision_is_what_the_definition_says(
    wanted: list[tuple[str, Mode]], agent: str, live: list[Lease], waiting: list[Request]
) -> None:
    """Granted exactly when no lease of others and no earlier request of others clashes with what is not yet covered.

    Requests that wait because of a lease that is made stronger do not come before.
    """
    asked = replace(request(9, "d.py", agent=agent), resources=normalised(wanted))
    own = [held for held in live if held.agent == agent and held.state is LeaseState.HELD]
    needed = tuple(
        (r, m)
        for r, m in asked.resources
        if not any(contains(o.resource, r) and covers(o.mode, m) for o in own)
    )
    made_stronger = [o for o in own if any(o.resource == r and not covers(o.mode, m) for r, m in needed)]
    passed = stuck_behind(agent, made_stronger, waiting) if made_stronger else set()
    holders = tuple(
        held
        for held in live
        if held.agent != agent and any(clash(item, (held.resource, held.mode)) for item in needed)
    )
    ahead = tuple(
        other
        for other in waiting
        if other.agent != agent
        and other.id not in passed
        and any(clash(one, two) for one in needed for two in other.resources)
    )
    verdict = decide(asked, live, waiting)
    if holders or ahead:
        assert isinstance(verdict, Blocked)
        assert (verdict.holders, verdict.ahead) == (holders, ahead)
        assert (verdict.needed, set(verdict.passed)) == (needed, passed)
        assert verdict.position == len(ahead) + 1
    else:
        assert isinstance(verdict, Granted)
        assert verdict.needed == needed
        assert all(kept in own for kept in verdict.kept)
        assert list(verdict.converted) == made_stronger


def test_what_one_holds_is_kept_under_its_old_token() -> None:
    """The narrowest lease of one's own that covers a resource is the one that counts."""
    own = [lease(1, "a/", "two"), lease(2, "a/b/", "two"), lease(3, "a/x.py", "two", SH)]
    verdict = decide(request(0, "a/b/c.py", "a/x.py"), own, [])
    assert verdict == Granted((), (own[1], own[0]))


def test_a_reservation_of_ones_own_does_not_count_as_held() -> None:
    """Nobody works under a grant before it is claimed."""
    verdict = decide(request(0, "d.py"), [lease(1, "d.py", "two", held=False)], [])
    assert verdict == Granted((("d.py", EX),), ())


def test_the_longest_wait_adds_up_holders_and_queue() -> None:
    """It is the longest of the leases in the way and the whole length of every request ahead."""
    verdict = Blocked((lease(1, "d.py"), lease(2, "a/")), (request(1, "d.py"), request(2, "d.py")))
    assert verdict.wait_s(40.0) == 60.0 + 20.0
    assert verdict.position == 3
    assert Blocked((), ()).wait_s(0.0) == 0.0


@given(leases, queues)
def test_serving_follows_order_and_leaves_nobody_behind(live: list[Lease], waiting: list[Request]) -> None:
    """A request is served exactly when neither a lease nor any earlier request of others clashes with it."""
    expected = [
        asked
        for at, asked in enumerate(waiting)
        if not any(
            held.agent != asked.agent and clash(item, (held.resource, held.mode))
            for held in live
            for item in asked.resources
        )
        and not any(
            other.agent != asked.agent and clash(one, two)
            for other in waiting[:at]
            for one in asked.resources
            for two in other.resources
        )
    ]
    assert served(waiting, live) == expected


def test_a_late_reader_does_not_pass_a_waiting_writer() -> None:
    """Readers join those who read already only if no writer came before them."""
    queue = [
        request(1, "d.py", agent="two", mode=SH),
        request(2, "d.py", agent="three"),
        request(3, "d.py", agent="four", mode=SH),
    ]
    assert [asked.id for asked in served(queue, [lease(1, "d.py", "one", SH)])] == [1]


def test_serving_ten_thousand_waiters_compares_no_pairs() -> None:
    """The longest queue allowed, all for one file, is decided in one pass."""
    queue = [request(at, "d.py", agent=f"agent-{at}") for at in range(1, 10_001)]
    assert [asked.id for asked in served(queue, [])] == [1]


@pytest.mark.parametrize(
    ("changed", "over"),
    [
        ({}, False),
        ({"expires_s": 50.0}, True),
        ({"boot_id": "another"}, True),
        ({"expires_s": 50.0, "landing": 7}, False),
        ({"boot_id": "another", "landing": 7}, False),
        ({"state": LeaseState.RESERVED, "claim_by_s": 50.0}, True),
        ({"state": LeaseState.RESERVED, "claim_by_s": 51.0}, False),
        ({"state": LeaseState.RESERVED, "claim_by_s": 51.0, "expires_s": 40.0}, False),
        ({"state": LeaseState.RESERVED, "claim_by_s": None}, False),
    ],
)
def test_what_ends_a_lease_by_time(changed: dict[str, object], over: bool) -> None:  # noqa: FBT001
    """Its expiry, the claim deadline of a reservation and a new boot; an unfinished landing holds it in place."""
    assert expired(replace(lease(1, "d.py"), **changed), "boot", 50.0) is over  # type: ignore[arg-type]


def test_a_renewal_neither_shortens_nor_passes_the_limit() -> None:
    """The new expiry lies between the old one and the limit that counts from the first grant."""
    held = lease(1, "d.py")
    assert renewed_until(held, 50.0, 10.0) == 100.0
    assert renewed_until(held, 50.0, 200.0) == 250.0
    assert renewed_until(held, 250.0, 200.0) == 300.0


def test_a_lease_tells_the_seconds_it_has_left() -> None:
    """Never less than none."""
    assert lease(1, "d.py").left_s(40.0) == 60.0
    assert lease(1, "d.py").left_s(140.0) == 0.0


def test_the_narrowest_exclusive_lease_covers_a_change() -> None:
    """Readers' leases cover no change, and of equal ones the newest counts."""
    held = [lease(1, "a/"), lease(2, "a/b/"), lease(3, "a/b/c.py", mode=SH), lease(4, "a/b/")]
    assert covering("a/b/c.py", held) == held[3]
    assert covering("d.py", held) is None


def test_old_work_lands_unless_somebody_was_granted_the_same_since() -> None:
    """Fencing judges by what was granted after the lease, not by when it ended."""
    ended = replace(lease(5, "a/x.py"), state=LeaseState.ENDED, end_reason=EndReason.EXPIRED)
    assert may_land(lease(5, "a/x.py"), [lease(9, "a/", "two")])
    assert may_land(ended, [])
    assert may_land(ended, [lease(4, "a/x.py", "two")])
    assert may_land(ended, [lease(9, "a/x.py", "one")])
    assert may_land(ended, [lease(9, "d.py", "two")])
    assert not may_land(ended, [lease(9, "a/", "two")])
    assert not may_land(ended, [lease(9, "a/x.py", "two", SH)])


@given(st.sampled_from(RESOURCES), modes, st.sampled_from(RESOURCES), modes)
def test_conflict_is_overlap_with_incompatible_modes(one: str, mode: Mode, two: str, other: Mode) -> None:
    """One predicate serves leases, queue and landing, whoever came first."""
    assert (
        conflicting(one, mode, two, other)
        == conflicting(two, other, one, mode)
        == clash((one, mode), (two, other))
    )


def test_who_has_time_to_claim_is_suspended() -> None:
    """Only a request that no process sleeps for has minutes to claim its grant; every other one has what is configured."""
    assert replace(request(1, "a/"), claim_s=180.0).suspended
    assert not request(1, "a/").suspended
