"""The histories in which a bug planted in virtual time has to show, for the tests and for the proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.hands import Faults
from tests.simulation.simulator import Order, simulate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TRIES_MAX = 15
"""Seeds with which a planted bug may stay unseen, in every crowd."""
IN_MEMORY, ON_DISK = "simulator", "simulator on disk"
CROWDED = Faults(interrupted=0.5, interruption_s=0.15)
"""Others come between any two transactions, so that what is not in one transaction shows."""


def hunt(searches: Sequence[str], place: Path) -> None:
    """Run the histories of these searches until one breaks a rule (``schedule.Broken``); none does: return."""
    if ON_DISK in searches:
        simulate(Order(seed=1, crowd="few", agents=20, seconds=40.0, reboots=0.1), place)
    if IN_MEMORY in searches:
        for seed in range(1, TRIES_MAX + 1):
            simulate(Order(seed=seed, agents=60, seconds=40.0, faults=CROWDED))
            for crowd in ("few", "slots", "hasty", "suspended"):
                simulate(Order(seed=seed, crowd=crowd, agents=12, seconds=40.0))
