"""Acquire and release with their entries: PUCS against the JSON file, by processes and by leases held."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.locks import world
from benchmarks.locks.json_file import JsonLocks

if TYPE_CHECKING:
    from collections.abc import Callable

WARM = 8
"""Pairs of each process of PUCS before the measured part: a new connection to a database plans its statements first."""
FILES = 40
"""Files each process goes round in; nobody else wants them, as with agents that work apart."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One size of the table."""

    processes: int
    held: int
    json: list[float]
    """Pairs per second of the JSON file, one for each repeat."""
    pucs: list[float]
    """Pairs per second of PUCS in the same repeat."""
    database: list[float]
    """The same with the store in PostgreSQL; empty if there is none."""

    @property
    def ratios(self) -> list[float]:
        """Return how many times as many pairs PUCS did, repeat by repeat."""
        return [ours / max(theirs, 1e-9) for ours, theirs in zip(self.pucs, self.json, strict=True)]

    @property
    def database_ratios(self) -> list[float]:
        """Return the same for the store in PostgreSQL."""
        return [ours / max(theirs, 1e-9) for ours, theirs in zip(self.database, self.json, strict=False)]


def measure(processes: list[int], held: list[int], repeats: int, length_s: float) -> list[Cell]:
    """Measure every size, all sides taking turns within each repeat."""
    cells = []
    for leases in held:
        with tempfile.TemporaryDirectory(prefix="pucs-bench-") as scratch, world.database() as server:
            url = server.url() if server else ""
            if url:
                world.build(url, leases)
            ours, theirs = Path(scratch) / "pucs", Path(scratch) / "json"
            ours.mkdir()
            theirs.mkdir()
            world.build(ours, leases)
            JsonLocks(theirs).fill(leases)
            for count in processes:
                cell = Cell(count, leases, [], [], [])
                for _ in range(repeats):
                    cell.json.append(rate(closed_loop(partial(JsonLocks, theirs)), count, length_s))
                    cell.pucs.append(rate(pucs_worker(ours), count, length_s))
                    if url:
                        cell.database.append(rate(pucs_worker(url), count, length_s))
                cells.append(cell)
                middle = [statistics.median(side) for side in (cell.json, cell.pucs, cell.ratios)]
                print(
                    f"  {count:3} processes, {leases:6} held: JSON {middle[0]:7.1f}/s, PUCS {middle[1]:7.1f}/s, "
                    f"{middle[2]:6.1f} x"
                    + (
                        f", on PostgreSQL {statistics.median(cell.database):.1f}/s, "
                        f"{statistics.median(cell.database_ratios):.1f} x"
                        if url
                        else ""
                    ),
                    flush=True,
                )
    return cells


def rate(
    worker: Callable[[int, float], Callable[[float], tuple[int, float]]], count: int, length_s: float
) -> float:
    """Return pairs per second until the last process has finished its last pair: a slow pair counts in full."""
    found: list[tuple[int, float]] = world.together(worker, count, length_s)
    return sum(done for done, _ in found) / (length_s + max(0.0, *(late_s for _, late_s in found)))


def closed_loop(opened: Callable[[], Any]) -> Callable[[int, float], Callable[[float], tuple[int, float]]]:
    """Return the loop of one process over locks that are one file each to acquire and to release."""

    def prepare(number: int, _: float) -> Callable[[float], tuple[int, float]]:
        locks = opened()

        def work(end: float) -> tuple[int, float]:
            done = 0
            while time.monotonic() < end:
                file = f"s{number % world.STREAMS}/agent_{number}/file_{done % FILES}.py"
                assert locks.acquire(file, f"agent-{number}")
                assert locks.release(file, f"agent-{number}")
                done += 1
            return done, time.monotonic() - end

        return work

    return prepare


def pucs_worker(directory: Path | str) -> Callable[[int, float], Callable[[float], tuple[int, float]]]:
    """Return the same loop over the verbs of PUCS."""

    def prepare(number: int, _: float) -> Callable[[float], tuple[int, float]]:
        context = world.open_context(directory)
        agent, stream = f"agent-{number}", f"s{number % world.STREAMS}"
        world.register(context, agent=agent, stream=stream, owner=context.processes.current())

        def pair(at: int) -> None:
            file = f"{stream}/agent_{number}/file_{at % FILES}.py"
            assert world.acquire(context, agent=agent, resources=(file,), task="benchmark").granted
            assert world.release(context, agent=agent, resources=(file,)).resources

        def work(end: float) -> tuple[int, float]:
            done = 0
            while time.monotonic() < end:
                pair(done)
                done += 1
            return done, time.monotonic() - end

        for warm in range(WARM):
            pair(warm)
        return work

    return prepare
