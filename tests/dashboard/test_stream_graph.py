"""The graph of streams: nothing stands on anything else, whoever imports whom."""

from __future__ import annotations

import itertools
from typing import Any
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from pucs.dashboard.graph_layout import BOX, layout
from pucs.dashboard.stream_graph import graph

NAMES = "abcdefgh"


@st.composite
def divided(draw: st.DrawFn) -> tuple[list[list[str]], list[tuple[str, str, int]]]:
    """Return columns of boxes, and ties between them in any direction."""
    column_of = {name: draw(st.integers(0, 4)) for name in draw(st.sets(st.sampled_from(NAMES), min_size=1))}
    pairs = st.tuples(st.sampled_from(sorted(column_of)), st.sampled_from(sorted(column_of)))
    ties = {pair for pair in draw(st.sets(pairs)) if pair[0] != pair[1]}
    columns = [[name for name in sorted(column_of) if column_of[name] == at] for at in range(5)]
    return [column for column in columns if column], [
        (*pair, draw(st.integers(1, 99))) for pair in sorted(ties)
    ]


@settings(max_examples=30)
@given(divided())
def test_boxes_and_lanes_of_a_column_keep_apart(
    graph_of: tuple[list[list[str]], list[tuple[str, str, int]]],
) -> None:
    """No box covers another, and no tie leads through a box on its way."""
    columns, ties = graph_of
    placed = layout(columns, ties)
    at = {name: number for number, column in enumerate(columns) for name in column}
    for number in range(len(columns)):
        items = [
            item for item in placed.middles if (at[item] if isinstance(item, str) else item.column) == number
        ]
        heights = sorted((placed.middles[item], isinstance(item, str)) for item in items)
        for (above, one), (below, other) in itertools.pairwise(heights):
            assert below - above >= (BOX + 1 if one and other else BOX / 2 + 1 if one or other else 1)
    for start, end, _ in ties:
        way = placed.ways[start, end]
        assert [way[0], way[-1]] == [start, end]
        assert len(way) == max(2, abs(at[start] - at[end]) + 1)
    assert layout(columns, ties) == placed


def document(phases: list[list[str]], ties: list[tuple[str, str, int]]) -> dict[str, Any]:
    """Return what a graph is drawn from."""
    stream = {"files": 3, "lines": 90, "team_size": 1, "independence_pct": 50, "description": "A <part>."}
    return {
        "streams": {name: stream for phase in phases for name in phase},
        "merge_phases": phases,
        "circles": [["a", "c"]],
        "ties": [{"importer": one, "imported": other, "imports": count} for one, other, count in ties],
    }


def test_every_stream_and_every_import_is_drawn_once() -> None:
    """Those tied to no other stand apart; what leads against the order is marked."""
    drawn = graph(document([["a", "<lone>"], ["b"], ["c"]], [("b", "a", 2), ("c", "a", 1), ("a", "c", 1)]))
    root = ET.fromstring(drawn)  # noqa: S314 - ours
    titles = [title.text or "" for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert sum("room for 1 agent" in title for title in titles) == 4
    assert [title for title in titles if "against the order" in title] == [
        "a imports c: 1 import (against the order of merging)"
    ]
    assert "tied to no other" in drawn
    assert "<lone>" not in drawn
    assert graph(document([], [])) == ""
    assert "tied to no other" in graph(document([["a"]], []))
