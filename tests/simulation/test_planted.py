"""The judge of the simulator catches bugs planted on purpose, or its silence would say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.hunting import IN_MEMORY, ON_DISK, hunt
from tests.simulation.plants import PLANTS
from tests.simulation.schedule import Broken

if TYPE_CHECKING:
    from pathlib import Path

CASES = [
    (name, search)
    for name, plant in PLANTS.items()
    for search in (IN_MEMORY, ON_DISK)
    if search in plant.caught_by
]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_judge_has_nothing_to_say_without_one(tmp_path: Path) -> None:
    """The very histories that expose the planted bugs pass when nothing is planted."""
    hunt((IN_MEMORY, ON_DISK), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "search"), CASES)
def test_the_simulator_catches_a_planted_bug(
    name: str, search: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A wrong rule or step shows within a few histories, a store that comes back from a backup included."""
    PLANTS[name].install(monkeypatch)
    with pytest.raises(Broken):
        hunt((search,), tmp_path)
