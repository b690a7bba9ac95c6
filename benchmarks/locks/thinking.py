"""Agents that think: how long ``acquire`` takes when each client asks about five times a second, as in real work."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from benchmarks.locks import world

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

THINK_S = 0.2
"""Mean of the pause between two pairs; drawn between half and one and a half of it."""
HELD = 1000


def measure(place: Path | str, clients: int, length_s: float) -> tuple[list[float], float]:
    """Return the milliseconds of each acquire, sorted, and the pairs per second of all clients together."""
    world.build(place, HELD)
    found = [took for part in world.together(_worker(place), clients, length_s) for took in part]
    return sorted(found), len(found) / length_s


def _worker(directory: Path | str) -> Callable[[int, float], Callable[[float], list[float]]]:
    def prepare(number: int, _: float) -> Callable[[float], list[float]]:
        context = world.open_context(directory)
        agent, stream = f"agent-{number}", f"s{number % world.STREAMS}"
        world.register(context, agent=agent, stream=stream, owner=context.processes.current())
        rng = random.Random(number)

        def work(end: float) -> list[float]:
            took: list[float] = []
            while True:
                time.sleep(THINK_S * rng.uniform(0.5, 1.5))
                began = time.monotonic()
                if began >= end:
                    return took
                file = f"{stream}/agent_{number}/file_{len(took) % 40}.py"
                assert world.acquire(context, agent=agent, resources=(file,), task="benchmark").granted
                took.append((time.monotonic() - began) * 1000)
                assert world.release(context, agent=agent, resources=(file,)).resources

        return work

    return prepare
