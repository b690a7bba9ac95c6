"""Histories of real processes on one store, judged for linearizability per resource (see ``proof/linear.py``).

``./run proof histories [--seed S] [--count N] [--store sqlite|postgresql|URL] [--planted | --plant NAME] [--keep DIR]``

In each history a few processes contend for three resources under short leases; some wait in the queue, some go in by a server.
Some are killed with SIGKILL, some are stopped until their leases have run out, and go on; servers are killed and started
again, connections are cut. Every line says what a history held and how it was judged. What is random comes from the seed; the
moments also depend on the machine. Exit status 0: every rule held, and with ``--planted`` every planted bug was caught.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proof import contender_plants, contending, entries, linear, whole
from proof.contending import Nursery, Run
from proof.database import Database, server_of
from proof.tally import POSTGRESQL, SQLITE, Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

COUNT = 60
"""Histories on each store."""
TRIES_MAX = 6
"""Histories in which a planted bug may stay unseen."""
SHORT_COUNT = 3
SHORT_PLANTS = ("check, then act", "a lost release", "an entry that is not written")
UNHEARD_FILE_NS = 500_000_000
"""Time after its death in which a process may still do something, where it writes the file itself."""
UNHEARD_NS = 3_000_000_000
"""The same where a server does it, which may hear it later."""
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
    with server_of(store) as base:
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


def main(arguments: list[str]) -> int:
    """Run histories on each store and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="./run proof histories",
        description="Let processes contend on a store; judge their answers for linearizability.",
    )
    whole.add_options(parser)
    parser.add_argument(
        "--count", type=int, default=None, metavar="N", help=f"histories on each store [{COUNT}]"
    )
    parser.add_argument("--planted", action="store_true", help="only the planted bugs; each must be caught")
    parser.add_argument(
        "--plant",
        default="",
        metavar="NAME",
        choices=["", *contender_plants.PLANTS],
        help=f"one of: {', '.join(contender_plants.PLANTS)}",
    )
    options = parser.parse_args(arguments)
    bugs = [options.plant] if options.plant else list(contender_plants.PLANTS) if options.planted else None
    # Who asks for histories by number wants these alone.
    planted = bugs if bugs is not None or options.count is None else []
    count = 0 if bugs is not None else options.count
    return whole.prove([functools.partial(tallies, count=count, planted=planted)], options)
