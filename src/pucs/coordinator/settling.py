"""Settling: what dead processes left half-done is completed, or undone where somebody else was first (DESIGN §3.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.coordinator import following, intentions
from pucs.coordinator.arriving import ARRIVING
from pucs.coordinator.taking import MERGING, TAKING
from pucs.core.resources import overlaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.context import Context
    from pucs.coordinator.records import Intention

_CLOSINGS = {
    intentions.LAND: ARRIVING,
    intentions.SYNC: following.FOLLOWING,
    intentions.MERGE: MERGING,
    intentions.TARGET: TAKING,
}


def settle(context: Context, resources: Sequence[str] | None = None, *, agent: str = "") -> int:
    """Complete or undo what dead processes left behind and return how many intentions that were; without any, one read.

    With ``resources`` only intentions that concern them. Of live owners, and of owners that cannot be judged from here,
    only those are closed whose ref has moved already; closing twice is harmless.
    """
    with context.store.read() as tx:
        found = tx.intentions.all()
    closed = 0
    for intention in found:
        if intention.verb == intentions.SYNC and intention.agent != agent:
            continue
        if resources is not None and not _concerns(intention, resources):
            continue
        closing = _CLOSINGS[intention.verb]
        if intentions.left_behind(context, intention):
            intentions.close(context, intention, closing, moved=_redo(context, intention))
        elif intention.verb != intentions.SYNC and intentions.arrived(context, intention):
            # Its owner only has not come to it yet, or cannot be seen from here.
            intentions.close(context, intention, closing, moved=True)
        else:
            continue
        closed += 1
    return closed


def _redo(context: Context, intention: Intention) -> bool:
    if intention.verb == intentions.SYNC:
        return following.recover(context, intention)
    return intentions.swap(context, intention) or intentions.arrived(context, intention)


def _concerns(intention: Intention, resources: Sequence[str]) -> bool:
    paths = [path for path, _ in intention.payload.get("paths", ())]
    return any(overlaps(path, resource) for path in paths for resource in resources)
