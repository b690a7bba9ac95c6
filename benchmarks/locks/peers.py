"""PUCS beside Bernstein's ``FileLockManager`` (PyPI, Apache-2.0) and beside a bare SQLite table, taking turns in one run."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.locks import throughput, world
from benchmarks.locks.floor import BareLocks
from benchmarks.locks.json_file import JsonLocks

if TYPE_CHECKING:
    from collections.abc import Callable

WORKER = Path(__file__).with_name("bernstein_worker.py")
READY_S = 20.0
"""Time for 32 interpreters to start on two processors; whoever is late says so and the run fails."""
LOCKS_OF = {"JSON file": JsonLocks, "bare SQLite": BareLocks}


def measure(python: str, count: int, held: int, repeats: int, length_s: float) -> dict[str, list[float]]:
    """Return pairs per second by contender, one figure for each repeat; without ``python`` Bernstein is left out."""
    with tempfile.TemporaryDirectory(prefix="pucs-bench-") as scratch:
        places = {name: Path(scratch) / name.replace(" ", "-") for name in ("PUCS", "Bernstein", *LOCKS_OF)}
        for place in places.values():
            place.mkdir()
        world.build(places["PUCS"], held)
        for name, locks in LOCKS_OF.items():
            world.alone(_fill, locks, places[name], held)
        if python:
            subprocess.run([python, str(WORKER), str(places["Bernstein"]), "fill", str(held)], check=True)
        rates: dict[str, list[float]] = {}
        for _ in range(repeats):
            for name, locks in LOCKS_OF.items():
                worker = throughput.closed_loop(partial(locks, places[name]))
                rates.setdefault(name, []).append(throughput.rate(worker, count, length_s))
            if python:
                rates.setdefault("Bernstein", []).append(_rate(python, places["Bernstein"], count, length_s))
            worker = throughput.pucs_worker(places["PUCS"])
            rates.setdefault("PUCS", []).append(throughput.rate(worker, count, length_s))
        return rates


def table(rates: dict[str, list[float]]) -> list[str]:
    """Return the lines of a table of rates, with how many times as many pairs PUCS did, repeat by repeat."""
    lines = []
    for name, found in rates.items():
        ratios = sorted(ours / theirs for ours, theirs in zip(rates["PUCS"], found, strict=True))
        ratio = f"{statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})"
        lines.append(f"| {name} | {statistics.median(found):.0f} | {'' if name == 'PUCS' else ratio} |")
    return lines


def _fill(locks: Callable[[Path], JsonLocks | BareLocks], place: Path, held: int) -> None:
    locks(place).fill(held)


def _rate(python: str, place: Path, count: int, length_s: float) -> float:
    begin = time.monotonic() + READY_S
    command = [python, str(WORKER), str(place)]
    workers = [
        subprocess.Popen(
            [*command, str(number), str(begin), str(length_s)], stdout=subprocess.PIPE, text=True
        )
        for number in range(count)
    ]
    texts = [worker.communicate()[0] for worker in workers]
    if any(worker.returncode for worker in workers):
        raise RuntimeError("a process of Bernstein failed")
    found = [(int(done), float(late_s)) for done, late_s in (text.split() for text in texts)]
    return sum(done for done, _ in found) / (length_s + max(0.0, *(late_s for _, late_s in found)))
