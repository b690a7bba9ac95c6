"""Faults of what stores stand on: disks, clocks, power, copies that come back, a database's life, and the line to it.

``./run proof faults stores [--seed S] [--store sqlite|postgresql] [--short] [--keep DIR]``

A few processes contend for three resources and write to the log (``tests/histories/survivor.py``), each noting every call and its
answer; what fails under them, and when, comes from the seed. Afterwards every answer is held against the tables, which are read
with the database's own programs, and the histories are judged as those of ``proof/histories.py`` are. Nothing of PUCS is loaded
here. The moments also depend on the machine.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proof import faults_clock, faults_full_disk, faults_power, faults_server
from proof.store_judge import RULES, RULES_OF_POWER, Wrong
from proof.store_server import Server, server
from proof.survivor_plants import PLANTS
from proof.survivors import Crew
from proof.tally import POSTGRESQL, SQLITE, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

PART = "faults of stores"

TRIES_MAX = 4
"""Cases in which a planted bug may stay unseen."""
SHORT_PLANTS = ("a full disk is swallowed", "wall clock expires", "an older copy is trusted")
KILLED = ("killed", "servers killed", "processes of servers killed")
"""Counts of what was ended with SIGKILL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How often each kind of case is run."""

    full_disk: int
    clock: int
    power: int
    copies: int
    """Copies of the files in one case of power loss."""
    frames: int
    """Most frames that are tried behind the last sync of one copy."""
    server: int = 0
    cut: int = 0


FULL = Counts(full_disk=4, clock=6, power=4, copies=4, frames=20, server=12, cut=8)
SHORT = Counts(full_disk=1, clock=1, power=1, copies=2, frames=5)


def tallies(place: Path, seed: str, *, short: bool, stores: Sequence[str] = ()) -> list[Tally]:
    """Run every case and every planted bug; the short form a few on SQLite."""
    wanted = [SQLITE] if short else [one for one in (SQLITE, POSTGRESQL) if one in (stores or (one,))]
    found: list[Tally] = []
    for store in wanted:
        began = time.monotonic()
        tally = Tally(part=PART, store=store, rules=dict.fromkeys(RULES, 0))
        (place / store).mkdir(parents=True, exist_ok=True)
        if store == SQLITE:
            tally.rules |= dict.fromkeys(RULES_OF_POWER, 0)
            _on_a_file(tally, place / store, seed, SHORT if short else FULL, short=short)
        else:
            _on_a_database(tally, place / store, seed, FULL)
        tally.duration_s = time.monotonic() - began
        found.append(tally)
    return found


def _on_a_file(tally: Tally, place: Path, seed: str, counts: Counts, *, short: bool) -> None:
    with Crew(place) as crew:

        def full_disk(place: Path, seed: str, plant: str = "") -> tuple[Wrong, Counter[str]]:
            return faults_full_disk.run("file size", place, seed, plant)

        def clock(place: Path, seed: str, plant: str = "") -> tuple[Wrong, Counter[str]]:
            return faults_clock.run(crew, place, seed, "", plant)

        def power(place: Path, seed: str, plant: str = "") -> tuple[Wrong, Counter[str]]:
            size = SHORT if plant else counts  # a bug shows soon, if at all
            return faults_power.run(crew, place, seed, plant, copies=size.copies, frames_max=size.frames)

        kinds = list(faults_full_disk.KINDS)
        if not faults_full_disk.mountable(place):
            kinds.remove(faults_full_disk.SMALL)
            tally.left_out = "a small file system cannot be mounted here"
        for number in range(counts.full_disk):
            for kind in kinds:
                name = f"{kind} {number + 1}"
                result = faults_full_disk.run(kind, place / "full", f"{seed}/{name}")
                _judged(tally, name, *result)
        for kind, count, run in (("clock steps", counts.clock, clock), ("power", counts.power, power)):
            for number in range(1, count + 1):
                _judged(tally, f"{kind} {number}", *run(place / "case", f"{seed}/{kind}/{number}"))
        runs = {"full disk": full_disk, "clock": clock, "power": power}
        names = SHORT_PLANTS if short else [name for name, plant in PLANTS.items() if plant.store == SQLITE]
        for name in names:
            _planted(tally, name, runs[PLANTS[name].fault], place)


def _on_a_database(tally: Tally, place: Path, seed: str, counts: Counts) -> None:
    with ExitStack() as stack:
        found = stack.enter_context(server())
        if not isinstance(found, Server):
            tally.left_out = found
            return
        crew = stack.enter_context(Crew(place))

        def clock(place: Path, seed: str, plant: str = "") -> tuple[Wrong, Counter[str]]:
            store = found.store(seed)
            result = faults_clock.run(crew, place, seed, store, plant)
            crew.do("drop", store=store)
            return result

        def killed(place: Path, seed: str, plant: str = "") -> tuple[Wrong, Counter[str]]:
            return faults_server.killed(crew, found, place, seed, plant)

        def cut(place: Path, seed: str, plant: str = "") -> tuple[Wrong, Counter[str]]:
            return faults_server.cut(crew, found, place, seed, plant)

        _full_disks_of_servers(tally, place, seed, counts.full_disk)
        cases = (
            ("clock steps", counts.clock, clock),
            ("server killed", counts.server, killed),
            ("connections cut", counts.cut, cut),
        )
        for kind, count, run in cases:
            for number in range(1, count + 1):
                _judged(tally, f"{kind} {number}", *run(place / "case", f"{seed}/{kind}/{number}"))
        runs = {"clock": clock, "server": killed, "cut": cut}
        for name, plant in PLANTS.items():
            if plant.store == POSTGRESQL:
                _planted(tally, name, runs[plant.fault], place)


def _full_disks_of_servers(tally: Tally, place: Path, seed: str, count: int) -> None:
    for number in range(1, count + 1):
        name = f"full disk {number}"
        result = faults_full_disk.run_server(place / "full", f"{seed}/{name}")
        if isinstance(result, str):
            tally.left_out = result
            return
        _judged(tally, name, *result)


def _judged(tally: Tally, name: str, wrong: Wrong, counts: Counter[str]) -> None:
    tally.killed += sum(counts[one] for one in KILLED)
    tally.figures.update(counts)
    tally.judge(name, wrong)


def _planted(
    tally: Tally, name: str, run: Callable[[Path, str, str], tuple[Wrong, Counter[str]]], place: Path
) -> None:
    for attempt in range(1, TRIES_MAX + 1):
        wrong, counts = run(place / "planted", f"{name}/{attempt}", name)
        tally.killed += sum(counts[one] for one in KILLED)
        rules = sorted({rule for rule, _ in wrong} & set(PLANTS[name].caught_by))
        if rules:
            tally.caught(name, ", ".join(rules))
            return
    tally.caught(name, "")
