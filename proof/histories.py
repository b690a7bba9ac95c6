"""Histories of real processes on one store, judged for linearizability per resource (see ``proof/linear.py``).

``./run proof --histories [--seed S] [--count N] [--store sqlite|postgresql|URL] [--planted] [--keep DIR]``

In each history a few processes contend for three resources under short leases; some are killed with SIGKILL, some are
stopped until their leases have run out, and go on. Every line says what a history held and how it was judged. What is
random comes from the seed; the moments also depend on the machine. Exit status 0: every history is linearizable, and
with ``--planted`` every planted bug was caught.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proof import contender_plants, linear
from proof.database import PROGRAM, Database, database

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COUNT = 20
"""Histories of one call, on each store."""
CONTENDERS = 5
"""Processes at once; one that was killed is followed by another."""
LEASE_S = 0.4
STOPPED_S = 0.6
"""How long a process is stopped: longer than a lease."""
LOOK_S = 0.005
"""Time between two looks at who is to be stopped or resumed."""
END_S_MAX = 30.0
"""Longest time for the last call of every process."""
TRIES_MAX = 4
"""Histories in which a planted bug may stay unseen."""
SHORT_COUNT = 2
SHORT_PLANTS = ("check, then act", "a lost release")
SHORT_RUNS = SHORT_COUNT + len(SHORT_PLANTS)
SHORT_S = 15.0
"""Time of the short form at worst."""
SQLITE, POSTGRESQL = "sqlite", "postgresql"
RULES = ("linearizable", "whole sets", "tokens")


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a history goes on, and how often somebody is killed or stopped."""

    length_s: float
    mishap_s: float
    """Mean time between two."""


PACES = {SQLITE: Pace(1.5, 0.25), POSTGRESQL: Pace(4.0, 0.7)}
"""A database gives its lock to stopped clients, too, so that there each stop holds everybody up for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one history."""

    counts: Counter[str]
    wrong: list[tuple[str, str]] = field(default_factory=list)
    """Rule and what broke it."""
    undecided: list[str] = field(default_factory=list)
    """Resources whose search was given up."""

    @property
    def good(self) -> bool:
        """Tell whether it passed: what could not be decided has not."""
        return not self.wrong and not self.undecided


class Nursery:
    """The program that forks contenders, and the pipe to it."""

    def __init__(self, errors: Path) -> None:
        self._errors = errors.open("wb")
        self._program = subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            bufsize=1,
        )

    def start(self, **order: Any) -> int:
        """Start one process and return its id."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps(order) + "\n")
        return int(self._program.stdout.readline())

    def do(self, what: str, store: str) -> None:
        """Let a process do one thing, and wait for its end."""
        wait_for([self.start(do=what, store=store)])

    def close(self) -> None:
        """End it."""
        self._program.communicate()
        self._errors.close()


def wait_for(pids: Sequence[int]) -> list[int]:
    """Wait until processes are gone; return those that are not after ``END_S_MAX``."""
    until = time.monotonic() + END_S_MAX
    left = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    while left and time.monotonic() < until:
        time.sleep(0.01)
        left = [pid for pid in left if Path(f"/proc/{pid}").exists()]
    return left


def now_ns() -> int:
    """Return the clock of the notes."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Run:
    """One history while it happens: who contends, who is stopped, and who was killed when."""

    def __init__(self, nursery: Nursery, place: Path, store: str, seed: str, plant: str) -> None:
        self.nursery = nursery
        self.place = place
        self.store = store
        self.order: dict[str, str | float] = {
            "do": "contend",
            "store": store,
            "plant": plant,
            "lease_s": LEASE_S,
        }
        self.seed = seed
        self.rng = random.Random(seed)
        self.pace = PACES[POSTGRESQL if "://" in store else SQLITE]
        self.over = place / "over"
        """A pipe that ends when it is over."""
        os.mkfifo(self.over, 0o600)
        self.until = os.open(self.over, os.O_RDWR)
        self.running: dict[str, int] = {}
        self.stopped: dict[str, int] = {}
        self.killed: dict[str, int] = {}
        self.counts = Counter[str]()

    def go(self) -> Counter[str]:
        """Run it; notes and what was killed when stay in its directory."""
        self.nursery.do("make", self.store)
        for _ in range(CONTENDERS):
            self._begin()
        until = time.monotonic() + END_S_MAX
        while len(list(self.place.glob("*.jsonl"))) < CONTENDERS and time.monotonic() < until:
            time.sleep(LOOK_S)
        until_ns = now_ns() + int(self.pace.length_s * 1e9)
        mishap_ns = self._next_ns()
        while now_ns() < until_ns:
            time.sleep(LOOK_S)
            self._resume()
            if now_ns() > mishap_ns:
                mishap_ns = self._next_ns()
                self._mishap()
        os.close(self.until)
        for agent in self.stopped:
            send(self.running[agent], signal.SIGCONT)
        for pid in wait_for(list(self.running.values())):
            agent = next(name for name, one in self.running.items() if one == pid)
            self.killed[agent] = now_ns()
            send(pid, signal.SIGKILL)
            self.counts["did not end"] += 1
        (self.place / "killed.json").write_text(json.dumps(self.killed), encoding="utf-8")
        return self.counts

    def _begin(self) -> None:
        agent = f"c{len(self.running) + len(self.killed) + 1}"
        self.running[agent] = self.nursery.start(
            agent=agent,
            seed=f"{self.seed}/{agent}",
            over=str(self.over),
            notes=str(self.place / f"{agent}.jsonl"),
            **self.order,
        )

    def _next_ns(self) -> int:
        return now_ns() + int(self.rng.expovariate(1 / self.pace.mishap_s) * 1e9)

    def _resume(self) -> None:
        for agent in [agent for agent, again_ns in self.stopped.items() if again_ns <= now_ns()]:
            del self.stopped[agent]
            send(self.running[agent], signal.SIGCONT)

    def _mishap(self) -> None:
        agent = self.rng.choice(sorted(self.running))
        if self.rng.random() < 0.5:
            self.killed[agent] = now_ns()  # before it: from here on its leases may end
            send(self.running.pop(agent), signal.SIGKILL)
            self.stopped.pop(agent, None)
            self._begin()
            self.counts["killed"] += 1
        elif agent not in self.stopped:
            self.stopped[agent] = now_ns() + int(STOPPED_S * 1e9)
            send(self.running[agent], signal.SIGSTOP)
            self.counts["stopped"] += 1


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def read(place: Path) -> tuple[list[linear.Call], dict[str, int], list[str]]:
    """Return the calls of a history, from when on which agents may have been dead, and the errors that ended one."""
    calls: list[linear.Call] = []
    errors: list[str] = []
    dead_ns: dict[str, int] = json.loads((place / "killed.json").read_text(encoding="utf-8"))
    for file in sorted(place.glob("*.jsonl")):
        agent = file.stem
        opened: dict[str, Any] | None = None
        ended_ns = linear.NEVER
        for line in file.read_text(encoding="utf-8").splitlines():
            note = json.loads(line)
            if "kind" in note:
                opened = note
            elif "ends" in note:
                ended_ns = min(ended_ns, note["ends"])
                errors += [f"{agent}: {note['error']}"] if "error" in note else []
            elif opened is not None:
                calls.append(_call(agent, opened, note))
                opened = None
        if opened is not None:
            calls.append(_call(agent, opened, None))
            # Unless it was killed, the call itself ended its process.
            ended_ns = ended_ns if agent in dead_ns else opened["called"]
            errors += [] if agent in dead_ns else [f"{agent}: ended in a call"]
        if ended_ns == linear.NEVER and agent not in dead_ns:
            errors.append(f"{agent}: ended by itself")
        dead_ns[agent] = min(dead_ns.get(agent, linear.NEVER), ended_ns)
    return calls, dead_ns, errors


def _call(agent: str, asked: dict[str, Any], answer: dict[str, Any] | None) -> linear.Call:
    found = answer or {}
    return linear.Call(
        agent=agent,
        kind=linear.Kind(asked["kind"]),
        resources=tuple(asked["resources"]),
        called_ns=asked["called"],
        returned_ns=found.get("returned"),
        mode=asked.get("mode", "EXCLUSIVE"),
        token=asked.get("token", 0),
        duration_ns=int(asked["duration_s"] * 1e9) if "duration_s" in asked else linear.NEVER,
        ok=found.get("ok", False),
        tokens=tuple((name, token) for name, token in found.get("tokens", ())),
        seen=tuple((holder, token) for holder, token in found.get("seen", ())),
    )


def judge(place: Path) -> Outcome:
    """Judge a history from its notes."""
    calls, dead_ns, errors = read(place)
    counts = Counter[str](
        calls=len(calls),
        granted=sum(call.kind is linear.Kind.ACQUIRE and call.ok for call in calls),
        unanswered=sum(call.returned_ns is None for call in calls),
    )
    wrong = [("whole sets", what) for what in linear.parts(calls)]
    wrong += [("tokens", what) for what in linear.tokens(calls)]
    wrong += [
        ("errors", what) for what in (errors if counts["granted"] else [*errors, "nothing was granted"])
    ]
    undecided: list[str] = []
    began = time.monotonic()
    for resource in linear.per_resource(calls):
        verdict = linear.judge(calls, dead_ns, resource=resource)
        counts["states"] += verdict.states
        if verdict.result is linear.Result.UNDECIDED:
            undecided.append(resource)
        elif verdict.result is linear.Result.BROKEN:
            wrong.append(("linearizable", f"{resource}: no order explains {verdict.furthest}"))
    counts["judged ms"] = int((time.monotonic() - began) * 1000)
    return Outcome(counts=counts, wrong=wrong, undecided=undecided)


@contextlib.contextmanager
def stores(name: str) -> Iterator[list[Database | None]]:
    """Give the stores to try: None is a directory, else a database that is there or was started for this."""
    wanted = [SQLITE, POSTGRESQL] if not name else [name]
    with contextlib.ExitStack() as stack:
        found: list[Database | None] = []
        for one in wanted:
            if one == SQLITE:
                found.append(None)
                continue
            server = stack.enter_context(database("" if one == POSTGRESQL else one))
            if isinstance(server, Database):
                found.append(server)
                continue
            print(f"PostgreSQL was {server}", flush=True)
            if name:
                raise SystemExit(4)
        yield found


def one(nursery: Nursery, base: Database | None, directory: Path, seed: str, plant: str = "") -> Outcome:
    """Run and judge one history in a new store."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    store = base.store(f"{os.getpid()}_{seed}") if base else str(directory)
    try:
        counts = Run(nursery, directory, store, seed, plant).go()
    finally:
        if base:
            base.drop(store)
    outcome = judge(directory)
    outcome.counts.update(counts)
    return outcome


def main(arguments: list[str]) -> int:
    """Run histories on each store and return the exit status."""
    options = _options(arguments)
    seed = options.seed or f"{random.SystemRandom().randrange(1_000_000)}"
    place = Path(options.keep or tempfile.mkdtemp(prefix="histories-")).resolve()
    place.mkdir(parents=True, exist_ok=True)
    print(f"seed {seed}; {CONTENDERS} processes at once, leases of {LEASE_S} s; in {place}", flush=True)
    planted = tuple(contender_plants.PLANTS) if options.planted else ()
    try:
        failed = run(
            place, seed, options.store, count=0 if options.planted else options.count, planted=planted
        )
    finally:
        if not options.keep:
            shutil.rmtree(place, ignore_errors=True)
    return 1 if failed else 0


def short(place: Path, seed: str) -> int:
    """Run the form for CI, a few seconds on the SQLite store; return how many failed."""
    return run(place, seed, SQLITE, count=SHORT_COUNT, planted=SHORT_PLANTS)


def run(place: Path, seed: str, store: str, *, count: int, planted: Sequence[str]) -> int:
    """Run histories and planted bugs, print a line for each and a table; return how many failed."""
    began = time.monotonic()
    failed = passed = 0
    rows: list[str] = []
    nursery = Nursery(place / "errors.txt")
    try:
        with stores(store) as bases:
            for base in bases:
                kind = POSTGRESQL if base else SQLITE
                total, broken = Counter[str](), Counter[str]()
                for number in range(1, count + 1):
                    outcome = one(nursery, base, place / kind / str(number), f"{seed}/{number}")
                    total.update(outcome.counts)
                    broken.update(rule for rule, _ in outcome.wrong)
                    broken["undecided"] += bool(outcome.undecided)
                    failed, passed = failed + (not outcome.good), passed + outcome.good
                    print(f"history {kind} {number:3} {_line(outcome)}", flush=True)
                if count:
                    rows += _table(kind, count, total, broken)
                for name in planted:
                    caught, line = _planted(nursery, base, place / kind / "planted", name)
                    failed, passed = failed + (not caught), passed + caught
                    rows.append(f"planted {name:<24} {kind:<10} {line}")
    finally:
        nursery.close()
    said = (place / "errors.txt").read_text(encoding="utf-8", errors="replace")
    print("\n".join([*([said[-2000:]] if failed and said else []), *rows]))
    print(f"histories took {time.monotonic() - began:.0f} s: {passed} passed, {failed} failed", flush=True)
    return failed


def _planted(nursery: Nursery, base: Database | None, place: Path, name: str) -> tuple[bool, str]:
    for attempt in range(1, TRIES_MAX + 1):
        outcome = one(nursery, base, place, f"{name}/{attempt}", plant=name)
        rules = Counter(rule for rule, _ in outcome.wrong if rule in RULES)
        if rules.keys() & set(contender_plants.PLANTS[name].caught_by):
            return True, f"caught      {', '.join(f'{rule} {times}' for rule, times in rules.items())}"
    return False, "NOT CAUGHT"


def _line(outcome: Outcome) -> str:
    counts = outcome.counts
    head = "ok       " if outcome.good else "UNDECIDED" if not outcome.wrong else "FAILED   "
    figures = ", ".join(f"{name} {counts[name]}" for name in _FIGURES)
    told = [f"\n    {rule}: {what}" for rule, what in outcome.wrong[:5]]
    told += [f"\n    {resource}: not decided" for resource in outcome.undecided]
    return f"{head} {figures}{''.join(told)}"


_FIGURES = ("calls", "granted", "unanswered", "killed", "stopped", "states", "judged ms")


def _table(kind: str, count: int, total: Counter[str], broken: Counter[str]) -> list[str]:
    rows = [f"{kind:<10} histories {count}, {', '.join(f'{name} {total[name]}' for name in _FIGURES)}"]
    rows += [
        f"{kind:<10} rule {rule:<16} {'held' if not broken[rule] else f'BROKEN {broken[rule]} times'}"
        for rule in RULES
    ]
    return rows + [f"{kind:<10} {rule}: {broken[rule]}" for rule in ("undecided", "errors") if broken[rule]]


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
    parser.add_argument("--keep", default="", metavar="DIR", help="leave everything there")
    return parser.parse_args(arguments)
