"""Where the boxes and curves of a graph in columns stand (layered drawing after Sugiyama, Tagawa and Toda, 1981).

What leads over several columns gets a lane through each between them, so that it passes boxes by. All that leads to one box
shares its lanes, like tracks of a railway.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from math import log2
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BOX: Final = 56
"""Height of a box."""
_LANE: Final = 4
_APART: Final = {2: 20, 1: 14, 0: 8}
"""Room between two neighbours in a column, by how many of them are boxes."""
_SWEEPS: Final = 24
"""Rounds of putting everything beside what it is tied to, half of them to find the order; more change little."""


class Lane(NamedTuple):
    """A passage through a column."""

    to: str
    """The box that it leads to."""
    column: int
    forward: bool
    """It leads to the right, against the order."""


Item = str | Lane
"""What stands in a column."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Heights, downwards."""

    middles: Mapping[Item, float]
    """Middle of each box and lane."""
    ways: Mapping[tuple[str, str], tuple[Item, ...]]
    """What each tie passes, from the box that it comes from to that it leads to."""
    height: float


def layout(columns: Sequence[Sequence[str]], ties: Iterable[tuple[str, str, int]]) -> Layout:
    """Place boxes that stand in columns, and ties from box to box, each with a weight."""
    column_of = {name: at for at, column in enumerate(columns) for name in column}
    items: list[list[Item]] = [list(column) for column in columns]
    near: defaultdict[Item, list[tuple[Item, float]]] = defaultdict(list)
    ways: dict[tuple[str, str], tuple[Item, ...]] = {}
    known = set[Item]()
    for start, end, weight in ties:
        way = ways[start, end] = _way(start, end, column_of)
        for item in way:
            if isinstance(item, Lane) and item not in known:
                known.add(item)
                items[item.column].append(item)
        for one, other in pairwise(way):
            near[one].append((other, log2(1 + weight)))
            near[other].append((one, log2(1 + weight)))
    middles: dict[Item, float] = {}
    for column in items:
        _stack(column, middles)
    for sweep in range(_SWEEPS):
        for column in items if sweep % 2 == 0 else reversed(items):
            wanted = {item: _mean(near.get(item, ()), middles, middles[item]) for item in column}
            if sweep < _SWEEPS // 2:
                column.sort(key=lambda item: (wanted[item], str(item)))
            _settle(column, wanted, middles)
    top = min((middles[item] - _height(item) / 2 for column in items for item in column), default=0.0)
    middles = {item: middle - top for item, middle in middles.items()}
    return Layout(middles, ways, max((middles[item] + _height(item) / 2 for item in middles), default=0.0))


def _way(start: str, end: str, column_of: Mapping[str, int]) -> tuple[Item, ...]:
    one, other = column_of[start], column_of[end]
    step = 1 if other > one else -1
    return (start, *(Lane(end, at, step > 0) for at in range(one + step, other, step)), end)


def _height(item: Item) -> int:
    return BOX if isinstance(item, str) else _LANE


def _apart(one: Item, other: Item) -> float:
    """Return how far the middles of two neighbours are apart at least."""
    return (_height(one) + _height(other)) / 2 + _APART[isinstance(one, str) + isinstance(other, str)]


def _stack(column: Sequence[Item], middles: dict[Item, float]) -> None:
    """Put the items of a column one below the other, around the height 0."""
    at = 0.0
    for one, other in zip(column, (*column[1:], None), strict=True):
        middles[one] = at
        at += _apart(one, other) if other is not None else 0.0
    for item in column:
        middles[item] -= at / 2


def _settle(column: Sequence[Item], wanted: Mapping[Item, float], middles: dict[Item, float]) -> None:
    """Put the items of a column near where they are wanted: half-way between pushing down and pushing up."""
    down: list[float] = []
    for at, item in enumerate(column):
        least = down[-1] + _apart(column[at - 1], item) if down else wanted[item]
        down.append(max(wanted[item], least))
    below = float("inf")
    for at in range(len(column) - 1, -1, -1):
        item = column[at]
        most = below - (_apart(item, column[at + 1]) if at + 1 < len(column) else 0.0)
        below = min(wanted[item], most)
        middles[item] = (down[at] + below) / 2


def _mean(near: Iterable[tuple[Item, float]], middles: Mapping[Item, float], own: float) -> float:
    total = sum(weight for _, weight in near)
    return sum(weight * middles[item] for item, weight in near) / total if total else own
