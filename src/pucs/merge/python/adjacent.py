"""Settles a clash line by line where the sides changed lines that touch but do not meet; git wants a line between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.merge.pieces import joined
from pucs.merge.records import Clash, Kept, Place, Settled, Tier
from pucs.merge.threeway import regions

if TYPE_CHECKING:
    from pucs.merge.python.scene import Scene
    from pucs.merge.records import Piece, Pieces


def adjacent(clash: Clash, _scene: Scene) -> Pieces | None:
    """Settle what does not meet, leave smaller clashes where lines do; None: nothing gets smaller."""
    if not clash.base:
        return None
    found: list[Piece] = []
    for region in regions(clash.base, clash.ours, clash.theirs, apart=0):
        b, o, t = (
            side[slice(*span)]
            for side, span in ((clash.base, region.base), (clash.ours, region.ours), (clash.theirs, region.theirs))
        )
        starts = (region.base[0], region.ours[0], region.theirs[0])
        part = Clash(b, o, t, _moved(clash.at, *starts), clash.entity, clash.reason)
        if region.changed == "clash":
            found.append(part)
        elif region.changed in {"", "same"}:
            found.append(Kept(o))
        else:
            found.append(Settled(o if region.changed == "ours" else t, "adjacent", Tier.REVIEW, part))
    if len(found) == 1 and isinstance(found[0], Clash):
        return None
    return joined(found)


def _moved(place: Place, base: int, ours: int, theirs: int) -> Place:
    if place.base < 0:
        return place
    return Place(place.base + base, place.ours + ours, place.theirs + theirs)
