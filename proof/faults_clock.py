"""Clock steps: the wall clock jumps forward and back by a year under short leases; on a database each client has a clock of its own."""

from __future__ import annotations

import mmap
import struct
from typing import TYPE_CHECKING

from proof.store_judge import judge
from proof.survivors import SURVIVORS, Case, of_database, of_file

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from proof.store_judge import Wrong
    from proof.survivors import Crew

YEAR_S = 365.25 * 86400
LEASE_S = 0.4
STEPS = 12
"""Steps of one case."""
PAUSE_S = 0.12
"""Mean time between two: some hit every lease."""


class Clocks:
    """How far the wall clocks of processes are off, where they read it."""

    def __init__(self, place: Path) -> None:
        """Let all of them be right."""
        self.place = place
        self.files: list[mmap.mmap] = []

    def another(self) -> str:
        """Return the file of one more clock."""
        path = self.place / f"clock-{len(self.files)}"
        path.write_bytes(struct.pack("<d", 0.0))
        with path.open("r+b") as file:
            self.files.append(mmap.mmap(file.fileno(), 8))
        return str(path)

    def step(self, number: int, seconds: float) -> None:
        """Set one of them."""
        self.files[number][:8] = struct.pack("<d", seconds)


def run(crew: Crew, place: Path, seed: str, store: str, plant: str = "") -> tuple[Wrong, Counter[str]]:
    """Run one case and judge it: ``store`` is a database's URL; empty: SQLite, where all share the machine's clock."""
    case = Case(
        crew, place, seed, store=store or str(place / "store"), plant=plant, lease_s=LEASE_S, logs=0.3
    )
    case.make()
    clocks = Clocks(place)
    for number in range(SURVIVORS):
        if store or not number:
            clocks.another()
        case.begin(1, clock=str(place / f"clock-{number if store else 0}"))
    case.until_well()
    for _ in range(STEPS):
        case.lasts(case.rng.expovariate(1 / PAUSE_S))
        number = case.rng.randrange(len(clocks.files))
        clocks.step(number, case.rng.choice((-YEAR_S, -3600.0, -1.0, 0.0, 1.0, 3600.0, YEAR_S)))
        case.counts["clock steps"] += 1
        if case.rng.random() < 0.2:
            case.kill()
    case.end()
    return judge(case.story(), of_database(store) if store else of_file(place / "store")), case.counts
