"""Whole sessions as one part of the proof: a row of them on one store, and the planted bugs of the command line."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import Counter
from typing import TYPE_CHECKING

from proof import checker, plants, session
from proof.database import Database, database
from proof.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

COUNTS = {"sqlite": 50, "postgresql": 30}
"""Sessions of the full proof: on each store more than 500 processes are killed, together with the histories."""
SHORT_COUNT = 4
SHORT_S_MAX = 100.0
"""No session of the short form begins after this less ``SESSION_S``."""
SESSION_S = 25.0
"""What one session takes on two shared cores at worst, as long as nothing is wrong."""
SHOWN_MAX = 20
"""Violations shown of one session."""
SQLITE, POSTGRESQL = "sqlite", "postgresql"
KILLS = ("agent", "child", "keeper", "supervisor", "server", "pause")
KILLED = KILLS[:-1]
"""What ended with SIGKILL; the last is only stopped for a while."""
FIGURES = (
    "runs", "began with two", "agents", "attempts", "retries", "leases", "handed over", "waits", "landings", "salvage refs", "lines",
    "failed tasks",
)  # fmt: skip


@contextlib.contextmanager
def servers(store: str) -> Iterator[Database | str | None]:
    """Give the server of a store (``sqlite``: None, ``postgresql``: started for this, else a URL), or why there is none."""
    if store == SQLITE:
        yield None
        return
    with database("" if store == POSTGRESQL else store) as server:
        yield server


def tallies(
    place: Path, seed: str, *, short: bool, stores: Sequence[str] = (SQLITE,), count: int = 0
) -> list[Tally]:
    """Run sessions and after them planted bugs on each store; return a tally of each.

    ``count`` is how many sessions; 0: as many as the form has. The short form keeps within about three minutes.
    """
    return [_tally(place, seed, store, short=short, count=count) for store in stores]


def _tally(place: Path, seed: str, store: str, *, short: bool, count: int) -> Tally:
    began = time.monotonic()
    found = Tally(part="sessions", store=SQLITE if store == SQLITE else POSTGRESQL)
    found.rules = dict.fromkeys(checker.NAMES, 0)
    with servers(store) as server:
        if isinstance(server, str):
            found.left_out = server
            return found
        total: Counter[str] = Counter()
        for number in range(1, 1 + (count or (SHORT_COUNT if short else COUNTS[found.store]))):
            if short and time.monotonic() - began > SHORT_S_MAX - SESSION_S:
                print(f"session {number} and later ones left out: this machine is too slow", flush=True)
                break
            order = session.Order(name=f"P{number}", seed=f"{seed}/{number}", server=server)
            outcome = one(order, place / found.store)
            total.update(outcome.counts)
            total["sessions"] += 1
            wrong = [(violation.rule, violation.what) for violation in outcome.violations[:SHOWN_MAX]]
            found.judge(f"{number:3} {line(outcome)}", wrong)
        found.killed = sum(total[kind] for kind in KILLED)
        found.figures = Counter({name: total[name] for name in ("sessions", *FIGURES, *KILLS)})
        for name in plants.SHORT if short else plants.NAMES:
            found.caught(name, plant(name, place / found.store, server)[0])
    found.duration_s = time.monotonic() - began
    return found


def one(order: session.Order, place: Path, *, keep: bool = False) -> session.Outcome:
    """Run and judge one session in a directory of its own."""
    directory = place / order.name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    try:
        return session.run(order, directory)
    finally:
        if not keep:
            shutil.rmtree(directory, ignore_errors=True)


def plant(
    name: str, place: Path, server: Database | None = None, *, keep: bool = False
) -> tuple[str, session.Outcome]:
    """Run sessions with a planted bug until it is caught, at most ``plants.TRIES_MAX``; return the rules that caught it.

    No rule: it was not caught.
    """
    planted = plants.PLANTS[name]
    outcome = session.Outcome(name=name, violations=[])
    for number in range(planted.first, planted.first + plants.TRIES_MAX):
        order = session.Order(
            name=f"{name}-{number}".replace(" ", "-"),
            seed=f"{planted.seed}/{number}",
            plant=name,
            events=planted.events,
            profile=planted.profile,
            server=server,
        )
        outcome = one(order, place, keep=keep)
        rules = Counter(violation.rule for violation in outcome.violations)
        if rules.keys() & set(planted.caught_by):
            return ", ".join(f"{rule} {count}" for rule, count in rules.most_common()), outcome
    return "", outcome


def line(outcome: session.Outcome) -> str:
    """Return what is told of a session in one line."""
    counts = outcome.counts
    kills = " ".join(f"{kind} {counts[kind]}" for kind in KILLS if counts[kind])
    return (
        f"{outcome.duration_s:5.1f} s  runs {counts['runs']}, agents {counts['agents']}, leases {counts['leases']}, "
        f"landings {counts['landings']}, salvage {counts['salvage refs']}; killed: {kills or 'nobody'}"
    )
