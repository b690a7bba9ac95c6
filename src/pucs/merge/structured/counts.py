"""Whether merged data has what both sides made of it: every value counted at its place, however the merge came about."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from pucs.merge.records import Lines

READ_AGAIN = 8
"""Texts whose data is kept: three versions and what is tried in one merge; guards ask for the same ones again."""
_ANY = "*"
"""Stands in a path for the place in a list: lists are held against each other as sets with counts."""


def miscounted(base: Any, ours: Any, theirs: Any, merged: Any, *, missing: int = 0) -> str:
    """Return a value that merged data has more or less often than the sides' changes make it, empty if there is none.

    A value that one side changed counts as there; a value that both sides changed in the same way counts once or as often
    as both together. ``missing`` is how many values may be left out because a rule chose another one.
    """
    counts = [Counter(_values(one, ())) for one in (base, ours, theirs, merged)]
    for value in {value: None for count in counts for value in count}:
        was, mine, other, found = (count[value] for count in counts)
        expected = {other if was == mine else mine}
        if mine != was != other:
            expected |= {mine, other, max(0, mine + other - was)}
        if found not in expected:
            if missing > 0 and found < min(expected):
                missing -= 1
                continue
            return str(value)
    return ""


def lines_miscounted(versions: tuple[Lines, ...], merged: Lines) -> str:
    """Return a line that a merge has more or less often than the sides' changes make it, empty if there is none."""
    said = [[text for line in lines if (text := line.strip())] for lines in (*versions, merged)]
    return miscounted(*said)


def _values(data: Any, path: tuple[Hashable, ...]) -> Iterator[tuple[Hashable, ...]]:
    """Yield every value that holds no other, with the names on the way to it."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _values(value, (*path, key))
    elif isinstance(data, (list, tuple)) and data:
        for value in data:
            yield from _values(value, (*path, _ANY))
    else:
        yield (*path, type(data).__name__, str(data))
