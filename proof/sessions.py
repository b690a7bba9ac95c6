"""Whole sessions as one part of the proof: a row of them on each store, and the planted bugs of the command line.

``./run proof sessions [--count N] [--seed S] [--store sqlite|postgresql|URL] [--only K] [--planted | --plant NAME] [--keep DIR]``
``./run proof sessions --judge DIR``: judge a kept session again

Each session's world and the order of kills come from ``SEED/NUMBER``; the moments at which they hit also depend on the
machine. Exit status 0: no rule was broken and every planted bug was caught.
"""

from __future__ import annotations

import argparse
import functools
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proof import checker, plants, session, whole
from proof.database import Database, server_of
from proof.records import evidence_from_json
from proof.tally import POSTGRESQL, SQLITE, Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

COUNTS = {"sqlite": 50, "postgresql": 40}
"""Sessions of the full proof: on each store more than 500 processes are killed, together with the histories."""
SHORT_COUNT = 4
SHORT_S_MAX = 100.0
"""No session of the short form begins after this less ``SESSION_S``."""
SESSION_S = 25.0
"""What one session takes on two shared cores at worst, as long as nothing is wrong."""
SHOWN_MAX = 20
"""Violations shown of one session."""
KILLS = ("agent", "child", "keeper", "supervisor", "server", "pause")
KILLED = KILLS[:-1]
"""What ended with SIGKILL; the last is only stopped for a while."""
FIGURES = (
    "runs", "began with two", "agents", "attempts", "retries", "leases", "handed over", "waits", "landings", "salvage refs", "lines",
    "failed tasks",
)  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run sessions on each store and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="./run proof sessions",
        description="Kill agents and supervisors at random; judge the result from outside.",
    )
    whole.add_options(parser)
    parser.add_argument(
        "--count", type=int, default=0, metavar="N", help=f"sessions on each store [{COUNTS}]"
    )
    parser.add_argument("--only", type=int, default=0, metavar="K", help="only session K of the seed")
    parser.add_argument("--planted", action="store_true", help="only the planted bugs; each must be caught")
    parser.add_argument(
        "--plant",
        default="",
        metavar="NAME",
        choices=["", *plants.NAMES],
        help=f"one of: {', '.join(plants.NAMES)}",
    )
    parser.add_argument("--judge", default="", metavar="DIR", help="judge a kept session again")
    options = parser.parse_args(arguments)
    if options.judge:
        place = Path(options.judge)
        evidence = evidence_from_json((place / "evidence.json").read_text(encoding="utf-8"))
        tally = Tally(part="sessions")
        tally.judge(place.name, _wrong(session.judge(place, evidence)))
        return 1 if tally.failed else 0
    numbers = [options.only] if options.only else list(range(1, options.count + 1))
    bugs = [options.plant] if options.plant else list(plants.NAMES) if options.planted else []
    wanted = _Wanted(numbers=[] if bugs else numbers, bugs=bugs, keep=bool(options.keep))
    chosen = wanted if numbers or bugs else None
    return whole.prove([functools.partial(tallies, wanted=chosen)], options)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Which sessions and planted bugs to run; without it as many as the form has."""

    numbers: Sequence[int]
    bugs: Sequence[str]
    keep: bool


def tallies(
    place: Path, seed: str, *, short: bool, stores: Sequence[str] = (SQLITE,), wanted: _Wanted | None = None
) -> list[Tally]:
    """Run sessions and after them planted bugs on each store; return a tally of each. The short form is bounded."""
    return [_tally(place, seed, store, short=short, wanted=wanted) for store in stores]


def _tally(place: Path, seed: str, store: str, *, short: bool, wanted: _Wanted | None) -> Tally:
    began = time.monotonic()
    found = Tally(part="sessions", store=SQLITE if store == SQLITE else POSTGRESQL)
    wanted = wanted or _Wanted(
        numbers=range(1, 1 + (SHORT_COUNT if short else COUNTS[found.store])),
        bugs=plants.SHORT if short else plants.NAMES,
        keep=False,
    )
    found.rules = dict.fromkeys(checker.NAMES, 0)
    with server_of(store) as server:
        if isinstance(server, str):
            found.left_out = server
            return found
        total: Counter[str] = Counter()
        for number in wanted.numbers:
            if short and time.monotonic() - began > SHORT_S_MAX - SESSION_S:
                found.left_out = f"session {number} and later ones: this machine is too slow"
                break
            order = session.Order(name=f"P{number}", seed=f"{seed}/{number}", server=server)
            outcome = one(order, place / found.store, keep=wanted.keep)
            total.update(outcome.counts)
            total["sessions"] += 1
            wrong = _wrong(outcome)
            found.judge(f"{number:3} {line(outcome)}", wrong)
            if wrong:
                print(
                    f"    again: ./run proof sessions --seed {seed} --only {number} --store {store} --keep DIR",
                    flush=True,
                )
        found.killed = sum(total[kind] for kind in KILLED)
        found.figures = Counter({name: total[name] for name in ("sessions", *FIGURES, *KILLS)})
        for name in wanted.bugs:
            found.caught(name, plant(name, place / found.store, server, keep=wanted.keep)[0])
    found.duration_s = time.monotonic() - began
    return found


def _wrong(outcome: session.Outcome) -> list[tuple[str, str]]:
    return [(violation.rule, violation.what) for violation in outcome.violations[:SHOWN_MAX]]


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
