"""Named resources, upgrades and estimates: slots, rates, turns, and how long a wait usually takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pucs.core.modes import Mode
from pucs.core.resources import is_named
from pucs.locks.estimates import hold_times_s, still_s, usual_wait_s
from pucs.locks.records import Blocked, EndReason, Granted, Lease, LeaseState, Limit, Request
from pucs.locks.rules import decide, in_turn, near_limit, normalised, served, waiting_because
from tests.rules.locks.test_rules import EX, IN, SH, clash, lease, request

AGENTS = ("one", "two", "three", "four")
PLACES = ("a/", "a/x.py", "res:one", "res:two", "res:api")
LIMITS = {
    "res:two": Limit(concurrency=2),
    "res:api": Limit(concurrency=9, rate=3, period_s=60.0, recent_s=(10.0, 20.0)),
}
sets = st.lists(st.sampled_from(PLACES), min_size=1, max_size=3, unique=True)
leases = st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(AGENTS)), max_size=5).map(
    lambda drawn: [lease(at, name, agent) for at, (name, agent) in enumerate(drawn, 1)]
)
queues = st.lists(st.tuples(sets, st.sampled_from(AGENTS)), max_size=5).map(
    lambda drawn: [request(at, *names, agent=agent) for at, (names, agent) in enumerate(drawn, 1)]
)


def free(asked: Request, before: list[Request], live: list[Lease]) -> bool:
    """Tell by counting whether a request can be granted behind these."""
    taken = [(one.agent, one.resource, one.mode) for one in live]
    taken += [(other.agent, name, mode) for other in before for name, mode in other.resources]
    taken = [item for item in taken if item[0] != asked.agent]
    for name, mode in asked.resources:
        limit = LIMITS.get(name, Limit())
        asking = [other for other in before if name in dict(other.resources)]
        if is_named(name) and len({agent for agent, other, _ in taken if other == name}) >= limit.concurrency:
            return False
        if limit.rate and len(limit.recent_s) + len(asking) >= limit.rate:
            return False
        if not is_named(name) and any(clash((name, mode), (other, how)) for _, other, how in taken):
            return False
    return True


@settings(max_examples=3 * settings().max_examples)
@given(leases, queues)
def test_slots_and_rates_are_served_in_order(live: list[Lease], waiting: list[Request]) -> None:
    """An earlier request counts like a lease and like a grant, so nobody passes it."""
    expected = [asked for at, asked in enumerate(waiting) if free(asked, waiting[:at], live)]
    assert served(waiting, live, LIMITS) == expected


@settings(max_examples=3 * settings().max_examples)
@given(leases, queues, sets)
def test_a_newcomer_is_decided_like_the_last_of_the_queue(
    live: list[Lease], waiting: list[Request], names: list[str]
) -> None:
    """Whoever holds nothing is granted exactly what serving would give it; otherwise somebody is named or a time."""
    asked = request(99, *names, agent="five")
    verdict = decide(asked, live, waiting, LIMITS)
    if free(asked, waiting, live):
        assert verdict == Granted(asked.resources, ())
    else:
        assert isinstance(verdict, Blocked)
        assert verdict.holders or verdict.ahead or verdict.opens_s
        assert all(one.agent != "five" for one in verdict.holders)


def test_a_free_slot_names_no_holder() -> None:
    """Of a resource with a slot left, those who have one are in nobody's way."""
    live = [lease(1, "res:two", "one"), lease(2, "a/x.py", "two")]
    verdict = decide(request(9, "res:two", "a/x.py", agent="five"), live, [], LIMITS)
    assert isinstance(verdict, Blocked)
    assert verdict.holders == (live[1],)


def test_a_window_opens_when_its_oldest_grants_leave_it() -> None:
    """One more request ahead is one more grant that has to leave; more than the window holds is only a first look."""
    limit = LIMITS["res:api"]
    assert [limit.full(ahead) for ahead in (0, 1, 2)] == [False, True, True]
    assert [limit.opens_s(ahead) for ahead in (0, 1, 2, 3, 9)] == [0.0, 70.0, 80.0, 80.0, 80.0]
    assert replace(limit, recent_s=()).opens_s(3) == 0.0
    assert not Limit().full(100)
    used_up = {"res:api": replace(limit, rate=2)}
    verdict = decide(request(9, "res:api", agent="five"), [], [], used_up)
    assert verdict == Blocked((), (), (("res:api", EX),), (), 70.0)
    assert verdict.wait_s(30.0) == 40.0


def test_what_an_upgrade_passes_comes_right_after_it() -> None:
    """In the order they had, and whoever was between stays in front of it."""
    waiting = [
        request(1, "d.py", agent="two"),
        request(2, "b.py", agent="three"),
        request(3, "d.py", agent="four", mode=SH),
        replace(request(4, "d.py", agent="one"), passes=(1, 3)),
        request(5, "d.py", agent="five"),
    ]
    assert [asked.id for asked in in_turn(waiting)] == [2, 4, 1, 3, 5]
    reading = [lease(1, "d.py", "one", SH)]
    assert [asked.id for asked in served(waiting, reading)] == [2, 4]
    assert waiting_because("one", reading, waiting) == (1, 3, 5)


@given(
    st.lists(st.tuples(st.sampled_from(("a/", "a/x.py", "b.py")), st.sampled_from((SH, IN, EX))), max_size=6),
    st.sampled_from((SH, IN)),
)
def test_passing_keeps_the_order_among_all_others(wants: list[tuple[str, Mode]], held: Mode) -> None:
    """Two requests that clash keep their turns, except with the upgrade itself."""
    waiting = [
        replace(request(at, "d.py", agent=f"w{at}"), resources=normalised([item]))
        for at, item in enumerate(wants, 1)
    ]
    passed = waiting_because("one", [lease(1, "a/", "one", held)], waiting)
    upgrade = replace(request(99, "a/", agent="one"), passes=passed)
    turn = in_turn([*waiting, upgrade])
    assert sorted(asked.id for asked in turn) == [asked.id for asked in (*waiting, upgrade)]
    for at, later in enumerate(turn):
        for earlier in turn[:at]:
            clashing = any(clash(a, b) for a in earlier.resources for b in later.resources)
            if clashing and upgrade not in {earlier, later}:
                assert earlier.id < later.id
            if later is upgrade and clashing:
                assert earlier.id not in passed


def over(held_s: float, reason: EndReason = EndReason.RELEASED) -> Lease:
    return replace(
        lease(1, "d.py"), state=LeaseState.ENDED, granted_s=50.0, ended_s=50.0 + held_s, end_reason=reason
    )


def test_hold_times_are_those_of_leases_that_were_used() -> None:
    """Reservations that lapsed, leases that became others, and ends read on another boot's clock tell nothing."""
    past = [
        over(3.0),
        over(9.0, EndReason.LAPSED),
        over(9.0, EndReason.CONVERTED),
        over(-40.0),
        lease(9, "d.py"),
    ]
    assert hold_times_s([*past, over(5.0, EndReason.EXPIRED)]) == (3.0, 5.0)


def test_what_is_left_is_the_median_of_those_held_longer() -> None:
    """A lease held longer than any before is one of which nothing is known."""
    assert still_s((1.0, 10.0, 30.0), 0.0) == 10.0
    assert still_s((1.0, 10.0, 30.0), 5.0) == 15.0
    assert still_s((1.0, 10.0, 30.0), 30.0) is None
    assert still_s((), 0.0) is None


@pytest.mark.parametrize(
    ("times_s", "expected"),
    [
        ({"d.py": (20.0,), "b.py": (4.0, 6.0)}, 15.0 + 20.0),
        ({"d.py": (20.0,)}, None),
        ({"d.py": (2.0,), "b.py": (4.0,)}, None),
        ({}, None),
        ({"d.py": (1e9,), "b.py": (1.0,)}, 95.0 + 10.0),
    ],
)
def test_the_usual_wait_adds_up_holders_and_queue(
    times_s: dict[str, tuple[float, ...]], expected: float | None
) -> None:
    """Holders at the same time, the queue one by one; unknown if any part is, and never more than the longest."""
    blocked = Blocked((lease(1, "d.py"),), (request(1, "b.py", "d.py"),))
    assert usual_wait_s(blocked, 5.0, times_s) == expected


def test_of_a_named_resource_the_first_slot_counts() -> None:
    """It is enough that one of its holders gives up; of files every one has to."""
    two = (lease(1, "res:two"), replace(lease(2, "res:two", "two"), granted_s=8.0, expires_s=40.0))
    assert Blocked(two, ()).wait_s(10.0) == 30.0
    assert usual_wait_s(Blocked(two, ()), 10.0, {"res:two": (12.0,)}) == 2.0
    assert (
        usual_wait_s(Blocked((*two, lease(3, "d.py")), ()), 10.0, {"res:two": (12.0,), "d.py": (50.0,)})
        == 40.0
    )


def test_the_warning_comes_in_the_last_tenth_and_at_most_five_minutes_before() -> None:
    """Of a short life the tenth counts, of a long one the five minutes."""
    short, long = lease(1, "d.py"), replace(lease(1, "d.py"), limit_s=36_000.0)
    assert [near_limit(short, at, 300.0) for at in (269.0, 270.0, 400.0)] == [False, True, True]
    assert [near_limit(long, at, 36_000.0) for at in (35_699.0, 35_700.0)] == [False, True]
