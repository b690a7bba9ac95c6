"""How long patterns take to detect in a long log, and what removing entries costs others. See docs/reference/benchmarks.md."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pucs.coordinator.context import Context
from pucs.coordinator.patterns import detect
from pucs.coordinator.retention import trim
from pucs.core.instants import iso
from pucs.crosslog.records import Entry, Level
from pucs.crosslog.retention import REMOVED_MAX
from pucs.store.sqlite import SQLiteStore
from pucs.streams.records import Session, SessionState
from pucs.streams.settings import Configuration
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from pucs.coordinator.ports import Git

AGENTS, DIRECTORIES, FILES = 50, 30, 300
SAID = [
    *[("lock granted", Level.INFO)] * 6,
    *[("lock released", Level.DEBUG)] * 6,
    *[("landed", Level.CHANGE)] * 3,
    *[("leases renewed", Level.DEBUG)] * 3,
    ("lock queued", Level.CONFLICT),
    ("lock claimed", Level.INFO),
]
"""What twenty entries of a busy session are."""


def world(directory: Path, entries: int, span_s: float) -> Context:
    """Return a session with so many entries, spread evenly over the last so many seconds."""
    clock = FakeClock()
    store = SQLiteStore(directory / "state.db", clock)
    chance = random.Random(1)
    with store.transaction() as tx:
        tx.sessions.put(
            Session(id="S", state=SessionState.FINALIZED, base="", target="", branch="s", started_at="")
        )
        for number in range(entries):
            action, level = chance.choice(SAID)
            file = f"d{chance.randrange(DIRECTORIES)}/f{chance.randrange(FILES)}.py"
            tx.entries.add(
                Entry(
                    timestamp=iso(clock.wall_s - span_s + span_s * number / entries),
                    session="S",
                    agent=f"agent-{chance.randrange(AGENTS)}",
                    stream="x",
                    level=level,
                    action=action,
                    files=(file,),
                    details={"door": "bench", "waited_s": 1.0, "tokens": [number]},
                )
            )
    return Context(
        store=store,
        clock=clock,
        processes=FakeProcesses(),
        bells=FakeBells(),
        git=cast("Git", None),  # nothing here needs a repository
        door="bench",
    )


def median_ms(context: Context, limit: int, trials: int) -> tuple[float, int]:
    """Return the median milliseconds of a look at the last hour, and how many patterns it found."""
    times, found = [], 0
    for _ in range(trials):
        began = time.perf_counter()
        found = len(detect(context, limit=limit))
        times.append((time.perf_counter() - began) * 1000)
    return sorted(times)[trials // 2], found


def main() -> None:
    """Measure both and print a table of each."""
    parser = argparse.ArgumentParser(prog="./run bench patterns", description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--trials", type=int, default=9)
    options = parser.parse_args()
    print("| log | entries of each kind looked at | patterns | median |\n|---|---|---|---|")
    for hours in (1, 24):
        with tempfile.TemporaryDirectory(prefix="pucs-bench-") as scratch:
            context = world(Path(scratch), options.entries, hours * 3600.0)
            for limit in (10_000, 1000):
                took_ms, found = median_ms(context, limit, options.trials)
                print(
                    f"| {options.entries:,} entries in {hours} h | newest {limit:,} | {found} | {took_ms:.1f} ms |"
                )
            if hours == 1:
                with context.store.transaction() as tx:
                    tx.sessions.put_configuration(
                        Configuration(logging_max_entries=options.entries - REMOVED_MAX)
                    )
                began = time.perf_counter()
                removed = trim(context)
                print(f"\n{removed:,} entries removed in {time.perf_counter() - began:.2f} s\n")


if __name__ == "__main__":
    main()
