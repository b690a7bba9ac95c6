"""Merge order: dependencies, what was synced, and an order given by hand."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.streams.dependencies import cycle, needs, streams_meant
from pucs.streams.phases import merge_phases
from pucs.streams.records import Stream


def stream(name: str, *dependencies: str, files: str = "") -> Stream:
    return Stream(name=name, files_pattern=(files or f"{name}/**/*.py",), dependencies=dependencies)


TRADING_BOT = (
    stream("execution", "config", "models"),
    stream("llm", "config"),
    stream("scanners", "config", "llm"),
    stream("risk", "config", files="models/risk*.py"),
    stream("backtesting", "models"),
    stream("observability"),
    stream("api", "execution", "models"),
)


@pytest.mark.parametrize(
    ("entry", "meant"),
    [
        ("llm", ("llm",)),
        ("LLM", ("llm",)),
        ("models", ("risk",)),
        ("models/", ("risk",)),
        ("models/risk_manager", ("risk",)),
        ("models/risk_manager.py", ("risk",)),
        ("models/other.py", ()),
        ("config", ()),
    ],
)
def test_dependency_is_stream_path_or_shared_code(entry: str, meant: tuple[str, ...]) -> None:
    """A dependency names a stream, else a path and so the streams that cover it, else shared code."""
    assert streams_meant(entry, TRADING_BOT) == meant


def test_bad_pattern_touches_nothing() -> None:
    """A pattern that cannot be meant is told about where it is checked, not here."""
    assert streams_meant("x", [stream("a", files="[")]) == ()


def test_stream_does_not_need_itself() -> None:
    """Covering part of a path one depends on is no cycle; a stream named twice is needed once."""
    streams = (stream("a", "a", "lib", "b", "B", files="lib/a/"), stream("b", files="lib/b/"))
    assert needs(streams) == {"a": ("b",), "b": ()}


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        ({"a": ("b",), "b": ()}, {()}),
        ({"a": ("b",), "b": ("a",)}, {("a", "b", "a"), ("b", "a", "b")}),
        ({"a": ("b",), "b": ("c",), "c": ("b",)}, {("b", "c", "b"), ("c", "b", "c")}),
    ],
)
def test_cycle_is_named(graph: dict[str, tuple[str, ...]], found: set[tuple[str, ...]]) -> None:
    """A cycle is told in the order in which its members need each other."""
    assert cycle(graph) in found


def test_phases_follow_dependencies() -> None:
    """Streams merge after what they depend on, paths included."""
    assert merge_phases(TRADING_BOT, []) == [
        [("llm",), ("risk",), ("observability",)],
        [("execution",), ("scanners",), ("backtesting",)],
        [("api",)],
    ]


def test_synced_stream_merges_later() -> None:
    """Who synced from another merges after it."""
    streams = (stream("a"), stream("b"), stream("c"))
    assert merge_phases(streams, [("a", "B"), ("b", "c"), ("a", "a"), ("a", "gone"), ("gone", "a")]) == [
        [("c",)],
        [("b",)],
        [("a",)],
    ]


def test_mutually_synced_streams_are_one_group() -> None:
    """Streams that synced from each other merge as one, between what they need and what needs them."""
    streams = (stream("api", "b"), stream("a"), stream("b", "base"), stream("base"))
    assert merge_phases(streams, [("a", "b"), ("b", "a")]) == [[("base",)], [("a", "b")], [("api",)]]


def test_sync_against_dependency_makes_group() -> None:
    """A stream whose dependency synced from it leaves together with it."""
    assert merge_phases((stream("a", "b"), stream("b")), [("b", "a")]) == [[("a", "b")]]


def test_given_order_replaces_dependencies() -> None:
    """An order given by hand wins over dependencies; streams it leaves out follow it in their own order."""
    streams = (stream("a", "b"), stream("b"), stream("d", "c"), stream("c"))
    assert merge_phases(streams, [], [["A", "unknown"], ["b"]]) == [[("a",)], [("b",)], [("c",)], [("d",)]]


def test_sync_holds_under_given_order() -> None:
    """What was synced cannot be ordered away: the streams concerned leave together."""
    assert merge_phases((stream("a"), stream("b"), stream("c")), [("a", "b")], [["a", "c"], ["b"]]) == [
        [("c",)],
        [("a", "b")],
    ]


def test_no_streams_have_no_phases() -> None:
    """Nothing to merge is nothing to do."""
    assert merge_phases((), []) == []


PAIRS = st.sets(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=12)


@given(PAIRS)
def test_every_constraint_is_kept(synced: set[tuple[str, str]]) -> None:
    """Each stream appears once, and whatever it synced from is in its group or an earlier phase."""
    phases = merge_phases([stream(name) for name in "abcdef"], synced)
    place = {name: (at, group) for at, phase in enumerate(phases) for group in phase for name in group}
    assert sorted(name for phase in phases for group in phase for name in group) == list("abcdef")
    for later, earlier in synced:
        assert place[earlier][0] < place[later][0] or place[earlier] == place[later]
    for one, other in product("abcdef", repeat=2):
        if one != other and place[one][1] == place[other][1]:
            assert _leads(synced, one, other)


def _leads(synced: set[tuple[str, str]], start: str, end: str) -> bool:
    known = {start}
    for _ in range(len(synced)):
        known |= {earlier for later, earlier in synced if later in known}
    return end in known
