"""One hot file, many agents: does everybody get its turn?"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.locks import world

if TYPE_CHECKING:
    from collections.abc import Callable

AGENTS = 16
HOLD_S = 0.010
FILE = "shared/hot.py"


def measure(length_s: float) -> list[int]:
    """Return how often each of the agents was granted the file within the time."""
    with tempfile.TemporaryDirectory(prefix="pucs-bench-") as scratch:
        directory = Path(scratch)
        world.build(directory)
        return world.together(_worker(directory), AGENTS, length_s)


def _worker(directory: Path) -> Callable[[int, float], Callable[[float], int]]:
    def prepare(number: int, _: float) -> Callable[[float], int]:
        context = world.open_context(directory)
        agent = f"agent-{number}"
        world.register(context, agent=agent, owner=context.processes.current())

        def work(end: float) -> int:
            grants = 0
            while time.monotonic() < end:
                left_s = end - time.monotonic()
                if world.acquire(context, agent=agent, resources=(FILE,), wait_s=max(left_s, 0.001)).granted:
                    grants += 1
                    time.sleep(HOLD_S)
                    world.release(context, agent=agent)
            return grants

        return work

    return prepare
