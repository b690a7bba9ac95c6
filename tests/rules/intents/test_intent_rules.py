"""Which plans meet which leases, plans and streams; held against definitions that try every pair."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.core.errors import Usage
from pucs.core.modes import Mode
from pucs.core.resources import contains, overlaps
from pucs.intents.records import Contest, Held, Intent, IntentState, Obstacle
from pucs.intents.rules import (
    CONTESTS_MAX,
    DESCRIPTION_CHARACTERS_MAX,
    ESTIMATE_S_MAX,
    QUOTED_CHARACTERS_MAX,
    RESOURCES_MAX,
    checked,
    contested_by,
    kept_places,
    lapsed,
    outermost,
    quoted,
    state_of,
    waiting_for,
    with_records,
)

NAMES = ["/", "a/", "a/b.py", "a/b.py::C", "a/b.py::C.f", "a/b.py::D", "a/c.py", "ab", "res:db", "res:a/"]
resources = st.lists(st.sampled_from(NAMES), min_size=1, max_size=5)


def intent(agent: str, planned: list[tuple[str, int]], **more: object) -> Intent:
    return Intent(
        session="S",
        agent=agent,
        stream="shop",
        planned=tuple(planned),
        description="work",
        estimated_duration_s=10.0,
        boot_id="boot",
        declared_s=100.0,
        expires_s=120.0,
        declared_at="",
        expires_at="",
        **more,  # type: ignore[arg-type]
    )


def held(resource: str, agent: str = "ann", mode: Mode = Mode.EXCLUSIVE) -> Held:
    return Held(
        resource=resource, mode=mode, agent=agent, stream="shop", task="VAT", left_s=60.0, expires_at="noon"
    )


@given(resources)
def test_the_outermost_resources_say_the_same_as_all(names: list[str]) -> None:
    """Each resource is contained in one of them, none of them in another, and they are sorted."""
    found = outermost(names)
    assert all(any(contains(outer, name) for outer in found) for name in names)
    assert not any(one != other and contains(one, other) for one in found for other in found)
    assert list(found) == sorted(set(found))


@given(resources, resources)
def test_overlap_is_symmetric(one: list[str], other: list[str]) -> None:
    """Of two plans without places each meets the other exactly if any of their resources overlap."""
    first, second = intent("ann", [(n, 0) for n in one]), intent("bob", [(n, 0) for n in other])
    meets = any(overlaps(a, b) for a in one for b in other)
    assert bool(contested_by(first.planned, "ann", plans=[second])) == meets
    assert bool(contested_by(second.planned, "bob", plans=[first])) == meets
    assert not contested_by(first.planned, "ann", plans=[first])


@given(resources, resources, st.data())
def test_of_two_plans_for_one_resource_only_the_later_is_contested(
    one: list[str], other: list[str], data: st.DataObject
) -> None:
    """Places decide, resource by resource; the files named are those that the definition names."""
    places = st.integers(1, 4)
    mine = {name: data.draw(places) * 2 for name in one}
    theirs = {name: data.draw(places) * 2 + 1 for name in other}
    wanted = {
        name
        for name, place in mine.items()
        for met, earlier in theirs.items()
        if overlaps(name, met) and earlier < place
    }
    found = contested_by(tuple(mine.items()), "ann", plans=[intent("bob", list(theirs.items()))])
    assert {name for contest in found for name in contest.files} == wanted
    assert all((one.kind, one.holder) == (Obstacle.INTENT_OVERLAP, "bob") for one in found)


@given(resources, st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["ann", "bob"])), max_size=6))
def test_leases_of_others_are_met_where_they_overlap(names: list[str], leases: list[tuple[str, str]]) -> None:
    """Whoever plans a change is met by every lease of others on it, in whatever mode."""
    found = contested_by(
        tuple((name, 0) for name in outermost(names)),
        "ann",
        held=[held(resource, agent, Mode.SHARED_READ) for resource, agent in leases],
    )
    wanted = any(agent == "bob" and overlaps(name, resource) for name in names for resource, agent in leases)
    assert bool(found) == wanted
    assert {one.holder for one in found} <= {"bob"}


def test_a_lease_names_the_planned_file_or_what_it_holds_of_a_planned_directory() -> None:
    """Of a directory the lease says which file it is about; of a file the plan does, with the part that is held."""
    inside = contested_by([("a/", 0)], "bob", held=[held("a/b.py")])
    around = contested_by([("a/b.py", 0), ("a/c.py", 0)], "bob", held=[held("a/")])
    part = contested_by([("a/b.py", 0)], "bob", held=[held("a/b.py::C")])
    assert [one.files for one in (*inside, *around, *part)] == [
        ("a/b.py",), ("a/b.py", "a/c.py"), ("a/b.py",),
    ]  # fmt: skip
    assert part[0].details == "Locked until noon for: VAT (only a/b.py::C)"


def test_the_same_obstacle_is_named_once() -> None:
    """Two leases of one agent that say the same are one line."""
    leases = [held("a/b.py::C"), held("a/b.py::C", mode=Mode.SHARED_READ)]
    assert len(contested_by([("a/b.py", 0)], "bob", held=leases)) == 1


def test_streams_come_last_and_a_dependency_is_told_from_the_rest() -> None:
    """Leases, plans, then files of other streams, each with its holder."""
    found = contested_by(
        [("a/b.py", 0), ("core/x.py", 0), ("till/y.py", 0)],
        "bob",
        held=[held("a/b.py")],
        plans=[intent("cy", [("a/b.py", 1)])],
        belongs={"core/x.py": "core", "till/y.py": "till"},
        builds_on=("core",),
    )
    assert [(one.conflict_type, one.holder_agent, one.holder_stream) for one in found] == [
        ("LOCKED", "ann", "shop"),
        ("INTENT_OVERLAP", "cy", "shop"),
        ("DEPENDENCY", "N/A", "core"),
        ("DEPENDENCY", "N/A", "till"),
    ]
    assert [one.kind for one in found[2:]] == [Obstacle.DEPENDENCY, Obstacle.BOUNDARY]


def test_spare_resources_are_in_nobodys_way() -> None:
    """Neither their leases nor the plans for them."""
    found = contested_by(
        [("res:db", 0)], "bob", held=[held("res:db")], plans=[intent("cy", [("res:db", 1)])], spare={"res:db"}
    )
    assert found == ()


def test_only_so_many_obstacles_are_named() -> None:
    """A plan for everything meets everybody; the answer stays readable."""
    leases = [held(f"d/{n}.py", agent=f"a{n}") for n in range(CONTESTS_MAX + 1)]
    assert len(contested_by([("/", 0)], "bob", held=leases)) == CONTESTS_MAX


@given(resources, resources)
def test_what_the_old_plan_contained_keeps_its_place(old: list[str], new: list[str]) -> None:
    """The latest place of what contained it; anything else is behind everybody."""
    before = intent("ann", [(name, at) for at, name in enumerate(outermost(old), 1)])
    places = dict(before.planned)
    for name, place in kept_places(outermost(new), before):
        covering = [at for outer, at in places.items() if contains(outer, name)]
        assert place == max(covering, default=0)
    assert all(place == 0 for _, place in kept_places(outermost(new), None))


def test_an_intent_is_over_by_time_or_by_a_reboot() -> None:
    """At twice its estimate, not before; the clock of another boot says nothing."""
    one = intent("ann", [("a", 1)])
    assert not lapsed(one, "boot", 119.9)
    assert lapsed(one, "boot", 120.0)
    assert lapsed(one, "another", 0.0)
    assert (one.left_s(110.0), one.left_s(130.0)) == (10.0, 0.0)


def test_an_obstacle_that_is_met_again_keeps_its_record() -> None:
    """New ones are recorded, each once; the state follows from what is left."""
    known = Contest(kind=Obstacle.INTENT_OVERLAP, files=("a",), holder="ann", details="old", conflict=7)
    again = Contest(kind=Obstacle.INTENT_OVERLAP, files=("a",), holder="ann", details="new")
    other = Contest(kind=Obstacle.DEPENDENCY, files=("a",), holder_stream="core")
    kept = with_records([again, other], [known], lambda _: 8, records_max=2)
    assert [(one.details, one.conflict) for one in kept] == [("new", 7), ("", 8)]
    assert state_of(kept) is IntentState.CONTESTED
    assert state_of(()) is IntentState.ACTIVE


def test_only_so_many_obstacles_are_recorded() -> None:
    """Those met before count; what has no record of its own kind does not; the rest is only named."""
    known = Contest(kind=Obstacle.INTENT_OVERLAP, files=("a",), holder="ann", conflict=7)
    lock = Contest(kind=Obstacle.FILE_LOCK, files=("a",), holder="bob")
    others = [
        Contest(kind=Obstacle.INTENT_OVERLAP, files=("a",), holder=name) for name in ("cy", "dan", "eve")
    ]
    numbers = iter((8, 9, 10))
    kept = with_records(
        [lock, known, *others],
        [known],
        lambda one: 0 if one.kind is Obstacle.FILE_LOCK else next(numbers),
        records_max=3,
    )
    assert [one.conflict for one in kept] == [0, 7, 8, 9, 0]


def test_words_of_others_are_one_short_line() -> None:
    """They cannot make lines of their own or fill a page."""
    assert quoted("a\n\n  b\tc") == "a b c"
    assert len(quoted("x" * 1000)) == QUOTED_CHARACTERS_MAX


def test_waiters_are_those_who_want_what_is_planned() -> None:
    """Each with the resources that overlap the plan."""
    found = waiting_for(["a/"], [("ann", ["a/b.py", "ab"]), ("bob", ["ab"])])
    assert [(one.agent, one.resources) for one in found] == [("ann", ("a/b.py",))]


@pytest.mark.parametrize(
    ("description", "estimate_s"),
    [
        ("x" * (DESCRIPTION_CHARACTERS_MAX + 1), 1.0),
        ("x", 0.0),
        ("x", -1.0),
        ("x", float("nan")),
        ("x", float("inf")),
    ],
)
def test_a_plan_that_cannot_be_meant_is_wrong_use(description: str, estimate_s: float) -> None:
    """Too many words, or no length of time."""
    with pytest.raises(Usage):
        checked(description, estimate_s)


def test_words_are_trimmed_and_estimates_capped() -> None:
    """A long estimate is no mistake; it only does not count for longer than a day."""
    assert checked(" a ", 60.0) == ("a", 60.0)
    assert checked("", 1e12) == ("", ESTIMATE_S_MAX)


@pytest.mark.parametrize("names", [[], [f"{n}.py" for n in range(RESOURCES_MAX + 1)]])
def test_a_plan_names_some_resources_and_not_too_many(names: list[str]) -> None:
    """Nothing is no plan, and a thousand files are a directory."""
    with pytest.raises(Usage):
        outermost(names)
