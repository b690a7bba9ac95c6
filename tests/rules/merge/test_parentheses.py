"""Parentheses around one expression are no tuple, whatever a merge does beside them."""

from __future__ import annotations

import pytest

from pucs.merge.markers import rendered
from pucs.merge.merging import LineMerge, merge
from pucs.merge.pieces import by_lines
from pucs.merge.records import Tier, Versions
from pucs.merge.texts import split

BASE = 'first = (page - 1) * size\nrows = find("orders", offset=first)\n'
OURS = BASE.replace("1", "2")
THEIRS = BASE.replace("orders", "carts")


@pytest.mark.parametrize("sides", [(OURS, THEIRS), (THEIRS, OURS)])
def test_a_grouped_expression_stays_one(sides: tuple[str, str]) -> None:
    """One side changes a number in parentheses, the other the row below: no comma appears."""
    lines, conflicts = rendered(by_lines(split(BASE), split(sides[0]), split(sides[1])))
    versions = Versions(BASE.encode(), sides[0].encode(), sides[1].encode())
    merged = merge("a.py", versions, LineMerge("".join(lines).encode(), len(conflicts)), accept=Tier.REVIEW)
    assert merged.content.decode() == OURS.replace("orders", "carts")
