"""Settles clashes of two insertions into one docstring or comment: ours, then theirs, for a reader to look over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.merge.records import Settled, Tier

if TYPE_CHECKING:
    from pucs.merge.python.lexing import Layout
    from pucs.merge.python.scene import Scene
    from pucs.merge.records import Clash, Lines, Pieces


def prose(clash: Clash, scene: Scene) -> Pieces | None:
    """Keep both insertions where no line of them is code and none is in both; None: it is no such clash."""
    if clash.base or clash.at.base < 0 or not clash.ours or not clash.theirs:
        return None
    if not _words_only(scene.layouts[1], clash.at.ours, clash.ours):
        return None
    if not _words_only(scene.layouts[2], clash.at.theirs, clash.theirs):
        return None
    said = [{line.strip() for line in side if line.strip()} for side in (clash.ours, clash.theirs)]
    if said[0] & said[1]:
        return None
    return (Settled(clash.ours + clash.theirs, "prose", Tier.REVIEW, clash),)


def _words_only(layout: Layout, at: int, lines: Lines) -> bool:
    """Tell whether lines, and the line behind them, begin inside a string, or whether all are comments."""
    inside = all(at + index in layout.strings for index in range(len(lines) + 1))
    return inside or all(line.lstrip().startswith("#") for line in lines if line.strip())
