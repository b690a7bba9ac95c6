"""Histories of real processes on one store, judged for linearizability per resource (see ``proof/linear.py``).

``./run proof --histories [--seed S] [--count N] [--store sqlite|postgresql|URL] [--planted | --plant NAME] [--keep DIR]``

In each history a few processes contend for three resources under short leases; some wait in the queue, some go in by a server.
Some are killed with SIGKILL, some are stopped until their leases have run out, and go on; servers are killed and started
again, connections are cut. Every line says what a history held and how it was judged. What is random comes from the seed; the
moments also depend on the machine. Exit status 0: every rule held, and with ``--planted`` every planted bug was caught.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proof import contender_plants, contending, entries, linear
from proof.contending import CONTENDERS, LEASE_S, Nursery, Run
from proof.database import Database, database
from proof.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COUNT = 60
"""Histories on each store."""
TRIES_MAX = 6
"""Histories in which a planted bug may stay unseen."""
SHORT_COUNT = 3
SHORT_PLANTS = ("check, then act", "a lost release", "an entry that is not written")
SHORT_RUNS = SHORT_COUNT + len(SHORT_PLANTS)
SHORT_S = 25.0
"""Time of the short form at worst."""
UNHEARD_FILE_NS = 500_000_000
"""Time after its death in which a process may still do something, where it writes the file itself."""
UNHEARD_NS = 3_000_000_000
"""The same where a server does it, which may hear it later."""
SQLITE, POSTGRESQL = "sqlite", "postgresql"
RULES = ("linearizable", "whole sets", "tokens", "entries", "log", "errors", "decided")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one history."""

    counts: Counter[str]
    wrong: list[tuple[str, str]] = field(default_factory=list)
    """Rule and what broke it; what could not be decided has not passed."""


@dataclass(slots=True)
class Notes:
    """What contenders noted, and what the log holds in the end."""

    calls: list[linear.Call] = field(default_factory=list)
    said: list[entries.Said] = field(default_factory=list)
    dead_ns: dict[str, int] = field(default_factory=dict)
    """From when on agents may have been dead, or gone under that name."""
    errors: list[str] = field(default_factory=list)
    """What ended one that nobody killed."""
    log: list[entries.Entry] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def read(place: Path) -> Notes:
    """Return what is noted in the directory of a history."""
    found = Notes()
    killed: dict[str, int] = json.loads((place / "killed.json").read_text(encoding="utf-8"))
    for file in sorted(place.glob("*.jsonl")):
        _read_one(found, file, killed.get(file.stem.partition("-")[0]))
    with contextlib.suppress(FileNotFoundError):
        for seq, agent, action, files, details in json.loads((place / "entries.json").read_text("utf-8")):
            tokens, mode = details.get("tokens", ()), details.get("mode", "")
            found.log.append(
                entries.Entry(
                    seq=seq, agent=agent, action=action, files=tuple(files), tokens=tuple(tokens), mode=mode
                )
            )
    return found


def _read_one(found: Notes, file: Path, killed_ns: int | None) -> None:
    """Read the notes of one agent."""
    agent = file.stem
    ended_ns = linear.NEVER if killed_ns is None else killed_ns
    opened: dict[str, Any] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        note = json.loads(line)
        if "kind" in note:
            opened = note
        elif "queued" in note:
            opened["queued"] = note["queued"]
        elif "ends" in note:
            ended_ns = min(ended_ns, note["ends"])
            found.errors += [f"{agent}: {note['error']}"] if "error" in note else []
            found.counts["lost"] += "lost" in note
            opened |= {"lost": True} if opened and "lost" in note else {}
        else:
            found.counts["undone"] += "undone" in note
            _note(found, agent, opened, note)
            opened = {}
    if opened:
        _note(found, agent, opened, {})
    if ended_ns == linear.NEVER:
        found.errors.append(f"{agent}: ended by itself")
    found.dead_ns[agent] = ended_ns


def _note(found: Notes, agent: str, asked: dict[str, Any], answer: dict[str, Any]) -> None:
    undone = "undone" in answer
    if asked["kind"] == "log":
        said = entries.Said(
            text=asked["text"], called_ns=asked["called"], returned_ns=answer.get("returned"), undone=undone
        )
        found.said.append(said)
    elif not undone:  # what is said to have changed nothing must not show
        found.calls.append(_call(agent, asked, answer))


def _call(agent: str, asked: dict[str, Any], found: dict[str, Any]) -> linear.Call:
    remote = asked["remote"]
    return linear.Call(
        agent=agent,
        kind=linear.Kind(asked["kind"]),
        resources=tuple(asked["resources"]),
        called_ns=asked["called"],
        returned_ns=found.get("returned"),
        mode=asked.get("mode", "EXCLUSIVE"),
        token=linear.ANY if remote and "token" in asked else asked.get("token", 0),
        duration_ns=int(asked["duration_s"] * 1e9) if "duration_s" in asked else linear.NEVER,
        wait_ns=int(asked.get("wait_s", 0.0) * 1e9),
        queued_ns=asked.get("queued"),
        remote=remote,
        lost=asked.get("lost", False),
        ok=found.get("ok", False),
        tokens=tuple((name, token) for name, token in found.get("tokens", ())),
        seen=tuple((holder, token) for holder, token in found.get("seen", ())),
    )


def judge(place: Path) -> Outcome:
    """Judge a history from its notes."""
    notes = read(place)
    calls = notes.calls
    counts = Counter[str](
        calls=len(calls) + len(notes.said),
        granted=sum(call.kind is linear.Kind.ACQUIRE and call.ok for call in calls),
        waited=sum(call.ok and call.queued_ns is not None for call in calls),
        changed=sum(call.kind is linear.Kind.DOWNGRADE and bool(call.tokens) for call in calls),
        entries=sum(one.returned_ns is not None and not one.undone for one in notes.said),
        unanswered=sum(call.returned_ns is None for call in calls),
    )
    counts["by server"] = sum(call.remote for call in calls)
    counts.update(notes.counts)
    wrong = [("whole sets", what) for what in linear.parts(calls)]
    wrong += [("tokens", what) for what in linear.tokens(calls)]
    wrong += [("entries", what) for what in entries.words(notes.said, notes.log)]
    wrong += [("log", what) for what in (*entries.leases(notes.log), *entries.answers(calls, notes.log))]
    wrong += [("errors", what) for what in notes.errors]
    wrong += [] if counts["granted"] else [("errors", "nothing was granted")]
    alone = (place / "store").exists() and not counts["by server"]
    unheard_ns = UNHEARD_FILE_NS if alone else UNHEARD_NS
    began = time.monotonic()
    for resource in linear.per_resource(calls):
        verdict = linear.judge(calls, notes.dead_ns, resource=resource, unheard_ns=unheard_ns)
        counts["states"] += verdict.states
        if verdict.result is linear.Result.UNDECIDED:
            wrong.append(("decided", f"{resource}: the search was given up"))
        elif verdict.result is linear.Result.BROKEN:
            wrong.append(("linearizable", f"{resource}: no order explains {verdict.furthest}"))
    counts["judged ms"] = int((time.monotonic() - began) * 1000)
    return Outcome(counts=counts, wrong=wrong)


@contextlib.contextmanager
def servers(store: str) -> Iterator[Database | str | None]:
    """Give the server of a store (``sqlite``: None, ``postgresql``: started for this, else a URL), or why there is none."""
    if store == SQLITE:
        yield None
        return
    with database("" if store == POSTGRESQL else store) as server:
        yield server


def one(
    nursery: Nursery,
    base: Database | None,
    directory: Path,
    seed: str,
    *,
    plant: str = "",
    setting: contending.Setting | None = None,
) -> Outcome:
    """Run and judge one history in a new store."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    counts = Run(nursery, directory, base, seed, plant=plant, setting=setting).go()
    outcome = judge(directory)
    outcome.counts.update(counts)
    if counts["did not end"]:
        outcome.wrong.append(("errors", f"{counts['did not end']} processes did not end"))
    return outcome


def tallies(
    place: Path,
    seed: str,
    *,
    short: bool,
    stores: Sequence[str] = (SQLITE, POSTGRESQL),
    count: int | None = None,
    planted: Sequence[str] | None = None,
) -> list[Tally]:
    """Run histories and after them planted bugs on each store; return a tally of each.

    ``count`` is how many histories, ``planted`` which bugs; None: as many as the form has. The short form takes the file only.
    """
    return [
        _tally(place, seed, store, short=short, count=count, planted=planted)
        for store in stores
        if not short or store == SQLITE
    ]


def _tally(
    place: Path, seed: str, store: str, *, short: bool, count: int | None, planted: Sequence[str] | None
) -> Tally:
    began = time.monotonic()
    kind = SQLITE if store == SQLITE else POSTGRESQL
    found = Tally(part="histories", store=kind)
    found.rules = dict.fromkeys(RULES, 0)
    (place / kind).mkdir(parents=True, exist_ok=True)
    errors = place / kind / "errors.txt"
    count = (SHORT_COUNT if short else COUNT) if count is None else count
    bugs = (SHORT_PLANTS if short else tuple(contender_plants.PLANTS)) if planted is None else planted
    with servers(store) as base:
        if isinstance(base, str):
            found.left_out = base
            return found
        nursery = Nursery(errors)
        try:
            total = Counter[str]()
            for number in range(1, count + 1):
                outcome = one(nursery, base, place / kind / str(number), f"{seed}/{number}")
                total.update(outcome.counts)
                total["histories"] += 1
                found.judge(f"{number:3} {_line(outcome)}", outcome.wrong)
            for name in bugs:
                if kind in contender_plants.PLANTS[name].stores:
                    found.caught(name, _planted(nursery, base, place / kind, name))
        finally:
            nursery.close()
        found.killed = sum(total[name] for name in ("killed", "servers killed", "databases killed"))
        found.figures = Counter({name: total[name] for name in ("histories", *FIGURES) if total[name]})
    if found.failed:
        print(errors.read_text(encoding="utf-8", errors="replace")[-2000:], flush=True)
    found.duration_s = time.monotonic() - began
    return found


def _planted(nursery: Nursery, base: Database | None, place: Path, name: str) -> str:
    """Run histories with a planted bug until it is caught; return the rules that caught it, empty: none did."""
    plant = contender_plants.PLANTS[name]
    setting = contending.Setting(**dict.fromkeys(plant.needs, True))
    for attempt in range(1, TRIES_MAX + 1):
        outcome = one(nursery, base, place / "planted", f"{name}/{attempt}", plant=name, setting=setting)
        rules = Counter(rule for rule, _ in outcome.wrong)
        if rules.keys() & set(plant.caught_by):
            return ", ".join(f"{rule} {times}" for rule, times in rules.items())
    return ""


FIGURES = (
    "calls", "granted", "waited", "changed", "entries", "by server", "unanswered", "undone", "lost", "killed", "servers killed",
    "databases killed", "cut", "stopped", "did not end", "states", "judged ms",
)  # fmt: skip


def _line(outcome: Outcome) -> str:
    return ", ".join(f"{name} {outcome.counts[name]}" for name in FIGURES if outcome.counts[name])


def short(place: Path, seed: str) -> int:
    """Run the form for CI, a few seconds on the SQLite store; return how many failed."""
    return sum(found.failed for found in tallies(place, seed, short=True))


def main(arguments: list[str]) -> int:
    """Run histories on each store and return the exit status."""
    options = _options(arguments)
    seed = options.seed or f"{random.SystemRandom().randrange(1_000_000)}"
    place = Path(options.keep or tempfile.mkdtemp(prefix="histories-")).resolve()
    place.mkdir(parents=True, exist_ok=True)
    print(f"seed {seed}; {CONTENDERS} processes at once, leases of {LEASE_S} s; in {place}", flush=True)
    planted = tuple(contender_plants.PLANTS) if options.planted else (options.plant,) if options.plant else ()
    stores = (options.store,) if options.store else (SQLITE, POSTGRESQL)
    try:
        found = tallies(
            place, seed, short=False, stores=stores, count=0 if planted else options.count, planted=planted
        )
    finally:
        if not options.keep:
            shutil.rmtree(place, ignore_errors=True)
    for tally in found:
        figures = ", ".join(f"{name} {count}" for name, count in tally.figures.items())
        print(f"{tally.store:<10} {tally.left_out or figures}")
        for rule, times in tally.rules.items():
            print(f"{tally.store:<10} rule {rule:<16} {f'BROKEN {times} times' if times else 'held'}")
        print(
            f"{tally.store:<10} took {tally.duration_s:.0f} s: {tally.passed} passed, {tally.failed} failed"
        )
    if any(tally.left_out for tally in found) and options.store:
        return 4
    return 1 if any(tally.failed for tally in found) else 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./run proof --histories",
        description="Let processes contend on a store; judge their answers for linearizability.",
    )
    parser.add_argument("--seed", default="", metavar="S", help="seed of everything random; printed")
    parser.add_argument(
        "--count", type=int, default=COUNT, metavar="N", help="histories on each store [%(default)s]"
    )
    parser.add_argument(
        "--store",
        default="",
        metavar="STORE",
        help="sqlite, postgresql (a server started for this), or a database's URL [both of the first]",
    )
    parser.add_argument("--planted", action="store_true", help="run every planted bug; each must be caught")
    parser.add_argument(
        "--plant", default="", metavar="NAME", choices=contender_plants.PLANTS, help="one planted bug"
    )
    parser.add_argument("--keep", default="", metavar="DIR", help="leave everything there")
    return parser.parse_args(arguments)
