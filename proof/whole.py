"""All parts of the proof in a row, and one table at the end."""

from __future__ import annotations

import argparse
import importlib
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from proof.tally import POSTGRESQL, SQLITE, Tally, table

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS = (
    "proof.sessions",
    "proof.histories",
    "proof.faults_landing",
    "proof.faults_store",
    "proof.simulate",
)
STORES = (SQLITE, POSTGRESQL)


class Part(Protocol):
    """One part: runs in a directory of its own, prints a line for each case, and tells one tally for each store."""

    def __call__(self, place: Path, seed: str, *, short: bool, stores: Sequence[str]) -> list[Tally]:
        """Run it. The short form is bounded and takes SQLite only."""
        ...


def main(arguments: list[str]) -> int:
    """Run every part and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="./run proof",
        description="Hold the whole system against its promises while agents, machines and stores fail; judged from outside.",
        epilog="One part with options of its own: ./run proof sessions|simulate|histories|faults --help",
    )
    add_options(parser)
    return prove(
        [importlib.import_module(name).tallies for name in PARTS],
        parser.parse_args(arguments),
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what all parts take."""
    parser.add_argument("--seed", default="", metavar="S", help="seed of everything random; printed")
    parser.add_argument("--short", action="store_true", help="the bounded form for CI, on SQLite")
    parser.add_argument(
        "--store",
        default="",
        metavar="STORE",
        help="only on sqlite, on postgresql (a server started for this), or, for sessions and histories, on a database's URL [both]",
    )
    parser.add_argument("--keep", default="", metavar="DIR", help="leave everything there")


def prove(parts: Sequence[Part], options: argparse.Namespace) -> int:
    """Run parts, print the table, and return 1 if a case failed or, in the full form, something was left out."""
    seed = options.seed or ("short" if options.short else f"{random.SystemRandom().randrange(1_000_000)}")
    place = Path(options.keep or tempfile.mkdtemp(prefix="proof-")).resolve()
    place.mkdir(parents=True, exist_ok=True)
    stores = [options.store] if options.store else list(STORES[:1] if options.short else STORES)
    print(
        f"seed {seed}; python {sys.version.split()[0]}; {os.cpu_count()} processors; in {place}", flush=True
    )
    began = time.monotonic()
    tallies: list[Tally] = []
    try:
        for number, part in enumerate(parts):
            directory = place / f"part-{number}"
            directory.mkdir(exist_ok=True)
            tallies += part(directory, seed, short=options.short, stores=stores)
    finally:
        if not options.keep:
            shutil.rmtree(place, ignore_errors=True)
        print("\n" + "\n".join(table(tallies)))
    failed = sum(one.failed for one in tallies)
    left_out = 0 if options.short else sum(bool(one.left_out) for one in tallies)
    print(f"took {time.monotonic() - began:.0f} s")
    print(f"{sum(one.passed for one in tallies)} passed, {failed + left_out} failed")
    return 1 if failed or left_out else 0
