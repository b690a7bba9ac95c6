"""What one pair of acquire and release costs whoever asks, whatever else the machine does: round trips and processor time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks.locks import world

if TYPE_CHECKING:
    from pathlib import Path

HELD = 1000
WARM = 50
"""Pairs before the counted ones: statements are planned and modules loaded then."""
PAIRS = 300


def measure(place: Path | str) -> tuple[float, float]:
    """Return milliseconds of the asking process's processor for a pair, and round trips to the server (0: there is none)."""
    world.build(place, HELD)
    ((cpu_ms, trips),) = world.together(_worker(place), 1, 0.0)
    return cpu_ms, trips


def _worker(place: Path | str) -> Any:
    def prepare(_: int, __: float) -> Any:
        context = world.open_context(place)
        world.register(context, agent="agent", stream="s0", owner=context.processes.current())

        def pair(at: int) -> None:
            file = f"s0/file_{at % 40}.py"
            assert world.acquire(context, agent="agent", resources=(file,), task="benchmark").granted
            assert world.release(context, agent="agent", resources=(file,)).resources

        def work(_: float) -> tuple[float, float]:
            for at in range(WARM):
                pair(at)
            trips, began = getattr(context.store, "trips", 0), time.process_time()
            for at in range(PAIRS):
                pair(at)
            return (time.process_time() - began) / PAIRS * 1000, (
                getattr(context.store, "trips", 0) - trips
            ) / PAIRS

        return work

    return prepare
