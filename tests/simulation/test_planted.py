"""The judge of the simulator catches bugs planted on purpose, or its silence would say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.hands import Faults
from tests.simulation.plants import PLANTS
from tests.simulation.schedule import Broken
from tests.simulation.simulator import Order, simulate

if TYPE_CHECKING:
    from pathlib import Path

TRIES_MAX = 15
"""Seeds with which a planted bug may stay unseen, in every crowd."""


CROWDED = Faults(interrupted=0.5, interruption_s=0.15)
"""Others come between any two transactions, so that what is not in one transaction shows."""


def hunt() -> None:
    for seed in range(1, TRIES_MAX + 1):
        simulate(Order(seed=seed, agents=60, seconds=40.0, faults=CROWDED))
        for crowd in ("few", "slots", "hasty", "suspended"):
            simulate(Order(seed=seed, crowd=crowd, agents=12, seconds=40.0))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_judge_has_nothing_to_say_without_one() -> None:
    """The very histories that expose the planted bugs pass when nothing is planted."""
    hunt()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name, plant in PLANTS.items() if "simulator" in plant.caught_by])
def test_the_simulator_catches_a_planted_bug(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong rule or step shows within a few histories."""
    PLANTS[name].install(monkeypatch)
    with pytest.raises(Broken):
        hunt()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name", [name for name, plant in PLANTS.items() if "simulator on disk" in plant.caught_by]
)
def test_the_simulator_on_disk_catches_a_planted_bug(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is wrong with a store that comes back from a backup shows, too."""
    PLANTS[name].install(monkeypatch)
    with pytest.raises(Broken):
        simulate(Order(seed=1, crowd="few", agents=20, seconds=40.0, reboots=0.1), tmp_path)
