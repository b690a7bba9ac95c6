"""The crowds of the simulator: what they ask for, and how they go about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.agents import Habits
from tests.simulation.plain import PLAN, READ, STEPS, WRITE, is_named, is_symbol

if TYPE_CHECKING:
    from collections.abc import Mapping

_FEW = (
    "core/one.py",
    "core/two.py",
    "core/",
    "core/deep/a.py",
    "shop/a.py",
    "shop/b.py",
    "lib0/a.py",
    "lib0/",
)

CROWDS: Mapping[str, Habits] = {
    "many": Habits(),
    "few": Habits(
        names=(*(name for name in STEPS if is_symbol(name) or is_named(name)), *_FEW),
        modes=(READ, PLAN, WRITE, WRITE),
        grows=0.3,
        patient=0.7,
        changes_mode=0.12,
        hands_over=0.1,
    ),
    "slots": Habits(
        names=("res:api", "res:slots", "res:db", "shop/a.py"),
        modes=(WRITE,),
        waits_s=(0.0, 15.0, 15.0, 60.0),
        lengths_s=(None, 1.0, 3.0, 20.0),
        think_s=1.5,
        work_s=0.8,
        grows=0.2,
        patient=0.5,
    ),
    "hasty": Habits(
        names=("core/one.py::Cart", "core/one.py::Cart.add", *_FEW),
        modes=(READ, PLAN, WRITE),
        waits_s=(6.0, 15.0),
        lengths_s=(1.5, 3.0, 8.0),
        think_s=2.0,
        work_s=0.6,
        grows=0.55,
        patient=1.0,
        hands_over=0.1,
    ),
    "suspended": Habits(
        names=("core/one.py::Cart", "core/one.py::Cart.add", *_FEW),
        modes=(READ, WRITE, WRITE),
        waits_s=(0.0, 6.0, 15.0),
        think_s=1.5,
        work_s=1.5,
        grows=0.2,
        patient=0.5,
        suspended=0.75,
        without_owner=0.1,
    ),
}
"""``many`` for hundreds of agents on files and directories; the others for a dozen: ``few`` on symbols, in all modes,
growing and changing; ``slots`` on shared resources; ``hasty`` with short leases and long waits; ``suspended`` with agents
that wait without a process."""
