"""Settles clashes in docstrings and comments for a reader to look over: what both added, ours first, and changes of different lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.merge.records import Settled, Tier
from pucs.merge.threeway import regions

if TYPE_CHECKING:
    from pucs.merge.python.lexing import Layout
    from pucs.merge.python.scene import Scene
    from pucs.merge.records import Clash, Lines, Pieces


def prose(clash: Clash, scene: Scene) -> Pieces | None:
    """Keep both insertions where no line of them is code and none is in both; None: it is no such clash."""
    if clash.base:
        return _sentences(clash, scene)
    if clash.at.base < 0 or not clash.ours or not clash.theirs:
        return None
    if not _words_only(scene.layouts[1], clash.at.ours, clash.ours):
        return None
    if not _words_only(scene.layouts[2], clash.at.theirs, clash.theirs):
        return None
    said = [{line.strip() for line in side if line.strip()} for side in (clash.ours, clash.theirs)]
    if said[0] & said[1]:
        return None
    return (Settled(clash.ours + clash.theirs, "prose", Tier.REVIEW, clash),)


def _sentences(clash: Clash, scene: Scene) -> Pieces | None:
    """Make changes of different lines of one string, though the lines touch; None: it is no such clash."""
    sides = (clash.base, clash.ours, clash.theirs)
    places = (clash.at.base, clash.at.ours, clash.at.theirs)
    for layout, at, lines in zip(scene.layouts, places, sides, strict=True):
        if at < 0 or not all(at + index in layout.strings for index in range(len(lines) + 1)):
            return None
    merged: list[str] = []
    for region in regions(*sides, apart=0):
        if region.changed == "clash":
            return None
        changed = region.theirs if region.changed == "theirs" else region.ours
        merged += (clash.theirs if region.changed == "theirs" else clash.ours)[slice(*changed)]
    return (Settled(tuple(merged), "prose", Tier.REVIEW, clash),)


def _words_only(layout: Layout, at: int, lines: Lines) -> bool:
    """Tell whether lines, and the line behind them, begin inside a string, or whether all are comments."""
    inside = all(at + index in layout.strings for index in range(len(lines) + 1))
    return inside or all(line.lstrip().startswith("#") for line in lines if line.strip())
