"""The door of the proof: options, the row of sessions, and the table at the end."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from proof import checker, histories, plants, session, sessions
from proof.records import Violation, evidence_from_json

if TYPE_CHECKING:
    from proof.database import Database

SESSIONS = 50
"""Sessions of the full proof (issue 2)."""
SHORT_S_MAX = 165.0
"""Time of the short form, which CI runs: three minutes with what comes around it. No session begins after this less
``sessions.SESSION_S``, so that the form stays bounded on a slow machine."""
SHORT_SESSIONS = 4


def main(arguments: list[str]) -> int:
    """Run the proof and return its exit status."""
    options = _options(arguments)
    if options.judge:
        place = Path(options.judge)
        evidence = evidence_from_json((place / "evidence.json").read_text(encoding="utf-8"))
        outcome = session.judge(place, evidence)
        _complain(outcome.violations)
        return 1 if outcome.violations else 0
    seed = options.seed or ("short" if options.short else f"{random.SystemRandom().randrange(1_000_000)}")
    keep = Path(options.keep).resolve() if options.keep else None
    place = keep or Path(tempfile.mkdtemp(prefix="proof-"))
    place.mkdir(parents=True, exist_ok=True)
    print(
        f"seed {seed}; python {sys.version.split()[0]}; {os.cpu_count()} processors; in {place}", flush=True
    )
    try:
        with sessions.servers(options.store) as server:
            if isinstance(server, str):
                print(f"PostgreSQL was {server}", flush=True)
                return 4
            return _prove(options, seed, place, server, keep=keep is not None)
    finally:
        if keep is None:
            shutil.rmtree(place, ignore_errors=True)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./run proof",
        description="Kill agents and supervisors at random; judge the result from outside.",
    )
    parser.add_argument(
        "--sessions", type=int, default=SESSIONS, metavar="N", help="sessions in a row [%(default)s]"
    )
    parser.add_argument("--seed", default="", metavar="S", help="seed of everything random; printed")
    parser.add_argument("--only", type=int, default=0, metavar="K", help="only session K of the seed")
    parser.add_argument(
        "--short", action="store_true", help="the form for CI: three minutes, planted bugs included"
    )
    parser.add_argument("--planted", action="store_true", help="run every planted bug; each must be caught")
    parser.add_argument(
        "--plant",
        default="",
        metavar="NAME",
        choices=["", *plants.NAMES],
        help=f"one planted bug: {', '.join(plants.NAMES)}",
    )
    parser.add_argument(
        "--keep", default="", metavar="DIR", help="leave everything there; without it only failures are named"
    )
    parser.add_argument(
        "--store",
        default=sessions.SQLITE,
        metavar="STORE",
        help="sqlite, postgresql (a server started for this, and killed now and then), or a database's URL",
    )
    parser.add_argument("--judge", default="", metavar="DIR", help="judge a kept session again")
    return parser.parse_args(arguments)


def _prove(
    options: argparse.Namespace, seed: str, place: Path, server: Database | None, *, keep: bool
) -> int:
    began = time.monotonic()
    numbers = [options.only] if options.only else list(range(1, options.sessions + 1))
    wanted = [options.plant] if options.plant else []
    if options.planted or options.plant:
        numbers = []
        wanted = wanted or list(plants.NAMES)
    if options.short:
        numbers, wanted = list(range(1, SHORT_SESSIONS + 1)), list(plants.SHORT)
    total: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    ran = passed = failed = 0
    for number in numbers:
        if (
            options.short
            and time.monotonic() - began
            > SHORT_S_MAX - sessions.SESSION_S - plants.SHORT_S - histories.SHORT_S
        ):
            print(
                f"session {number} and later ones left out: this machine is too slow for three minutes",
                flush=True,
            )
            break
        outcome = sessions.one(
            session.Order(name=f"P{number}", seed=f"{seed}/{number}", server=server), place, keep=keep
        )
        ran += 1
        total.update(outcome.counts)
        broken.update(violation.rule for violation in outcome.violations)
        bad = bool(outcome.violations)
        passed, failed = passed + (not bad), failed + bad
        print(f"session {number:3} {'FAILED' if bad else 'ok    '} {sessions.line(outcome)}", flush=True)
        _complain(outcome.violations)
        if bad:
            print(f"    again: ./run proof --seed {seed} --only {number} --keep DIR", flush=True)
    rows: list[tuple[str, str, str]] = []
    for name in wanted:
        caught = _planted(name, place, server, keep=keep, rows=rows)
        passed, failed = passed + caught, failed + (not caught)
    if options.short:
        begun = place / "histories"
        begun.mkdir(exist_ok=True)
        bad_histories = histories.short(begun, seed)
        passed, failed = passed + histories.SHORT_RUNS - bad_histories, failed + bad_histories
    _table(ran, total, broken, rows)
    print(f"took {time.monotonic() - began:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def _planted(
    name: str, place: Path, server: Database | None, *, keep: bool, rows: list[tuple[str, str, str]]
) -> bool:
    """Run sessions with a planted bug until it is caught, and note a row of the table."""
    rules, outcome = sessions.plant(name, place, server, keep=keep)
    found = Counter(violation.rule for violation in outcome.violations)
    told = rules or ", ".join(f"{rule} {count}" for rule, count in found.most_common()) or "-"
    rows.append((name, "caught" if rules else "NOT CAUGHT", told))
    print(f"planted {name!r}: {rows[-1][1]}; {told}; {sessions.line(outcome)}", flush=True)
    return bool(rules)


def _complain(violations: list[Violation]) -> None:
    for violation in violations[: sessions.SHOWN_MAX]:
        print(f"    {violation.rule}: {violation.what}", flush=True)
    if len(violations) > sessions.SHOWN_MAX:
        print(f"    and {len(violations) - sessions.SHOWN_MAX} more", flush=True)


def _table(ran: int, total: Counter[str], broken: Counter[str], planted: list[tuple[str, str, str]]) -> None:
    print()
    if ran:
        print(f"sessions       {ran}")
        for figure in sessions.FIGURES:
            print(f"{figure:<14} {total[figure]}")
        print(f"{'killed':<14} {', '.join(f'{kind} {total[kind]}' for kind in sessions.KILLS)}")
        for rule in checker.NAMES:
            print(f"rule {rule:<16} {'held' if not broken[rule] else f'BROKEN {broken[rule]} times'}")
    for name, verdict, rules in planted:
        print(f"planted {name:<24} {verdict:<11} {rules}")
