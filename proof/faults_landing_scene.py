"""One case: a world is made, a process is killed or stopped at a step of its verb, others go on, and all is read back.

The product runs in processes of another program (``tests/faults/lander.py``); this module starts, stops and kills them and
reads their notes, the repository with git, and what the command line shows.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from proof import faults_landing_reading as reading
from proof import history, world
from proof.faults_landing_judge import STARTED, Seen
from proof.faults_landing_points import FINALIZE, KILL, STOP, Point
from proof.records import Evidence, Stream

LANDER = Path(__file__).parent.parent / "tests" / "faults" / "lander.py"
"""The program that runs the product; this one does not load it."""
LEASE_S = 1.2
"""Lease of a process that is to be stopped until it has run out."""
STALE_LOCK_S = 10.5
"""Age at which a lock that a killed git left counts as left."""
LOOK_S = 0.004
"""Time between two looks at a process."""
END_S_MAX = 60.0
"""Longest time for a process to come to its end."""
BOUNDS = {"gate_s": 1.0, "lock_s": 5.0, "idle_s": 2.0}
"""Shorter than as shipped (20 s, 20 s and 15 s), in the same order, so that cases with a stopped holder end soon."""
SHIPPED = {"sqlite": 20.0, "postgresql": 20.0}
"""How long others wait for a stopped holder of the gate as shipped."""
BRANCHES = {"core": "pucs/stream/core-S1", "api": "pucs/stream/api-S1"}
SESSION = "pucs/session-S1"
TARGET = "release"
_CLOSING = (
    ("run", ("run",)),
    ("finalize", ("finalize", "--target", TARGET)),
    ("locks", ("locks", "--json")),
    ("log", ("log", "--json", "--all", "--limit", "10000")),
    ("verify", ("verify",)),
)


class Nursery:
    """The program that forks processes of the product, and the pipe to it."""

    def __init__(self, place: Path) -> None:
        """Start it; what its processes complain of goes to a file."""
        self._speaking = threading.Lock()
        self._errors = (place / "errors.txt").open("wb")
        home = place / "home"
        home.mkdir(exist_ok=True)
        inherited = {
            name: os.environ[name] for name in ("PATH", "PYTHONPATH", "TMPDIR") if name in os.environ
        }
        self._program = subprocess.Popen(
            [sys.executable, str(LANDER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            bufsize=1,
            env={**inherited, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "LANG": "C.UTF-8"},
        )

    def start(self, **order: Any) -> int:
        """Start one process and return its id."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        with self._speaking:
            self._program.stdin.write(json.dumps(order) + "\n")
            return int(self._program.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._program.communicate()
        self._errors.close()


def template(place: Path) -> Path:
    """Make the repository that every case begins with a copy of."""
    place.mkdir()
    history.git(place, "init", "--quiet", "--template=", "--initial-branch=main")
    for key, value in (("user.name", "U"), ("user.email", "u@e"), ("core.logAllRefUpdates", "always")):
        history.git(place, "config", key, value)
    for file in STARTED:
        path = place / file
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"[a{number}]\n" + "\n" * 6 for number in range(6)), encoding="utf-8")
    history.git(place, "add", "--all")
    history.git(place, "commit", "--quiet", "--message=base")
    history.git(place, "branch", TARGET)
    return place


@dataclass
class Scene:
    """One case while it happens."""

    nursery: Nursery
    place: Path
    url: str
    """Of the database; empty: the store is a file in the repository."""
    point: Point
    rng: random.Random
    plant: str = ""
    killed: set[int] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    passed: dict[str, list[str]] = field(default_factory=dict)
    unfinished: str = ""
    processes: int = 0
    before: dict[str, str] = field(default_factory=dict)
    expected: tuple[str, ...] = ()
    statuses: dict[str, int] = field(default_factory=dict)
    """How the commands ended that have to go well."""

    @property
    def repository(self) -> Path:
        """Return the person's checkout."""
        return self.place / "repo"

    def play(self, from_: Path) -> Seen:
        """Play it on a copy of a repository, and return what was seen."""
        shutil.copytree(from_, self.repository, symlinks=True)
        self.wait(self.start("make"))
        point = self.point
        self.before = world.checkout_of(self.repository)
        fault = {
            "step": [point.name, point.time],
            "when": point.when,
            "how": point.how,
            "seed": str(self.rng.random()),
        }
        lease_s = LEASE_S if point.how == STOP else 600.0
        pid = self.start(point.scene, fault=fault if point.name else {}, lease_s=lease_s)
        if point.scene == "checkout" and self.stopped(pid):
            self.before = world.checkout_of(self.repository)
            os.kill(pid, signal.SIGCONT)
        if point.how == STOP and point.name:
            self._stop(pid)
        else:
            self.wait(pid)
        self.look()
        if point.name:
            self._after(pid)
        self.look()
        self._outwait()
        over = point.scene == FINALIZE and (point.how == STOP or self.rng.random() < 0.5)
        self.statuses |= self.commands(_CLOSING[1:] if over else _CLOSING)
        return self._seen()

    def _stop(self, pid: int) -> None:
        """Let others come while it is stopped; then it goes on, or is killed where it is."""
        if not self.stopped(pid):
            self.counts["not reached"] += 1
            return
        self.counts["stopped"] += 1
        self.look()
        if self.point.scene == FINALIZE:
            self.commands([("finalize", ("finalize", "--target", TARGET))])
        else:
            self.wait(self.start("take", agent="a2", wait_s=LEASE_S + 1.5, beside=True))
            self.counts["overtaken" if self.landed("a2") else "held in place"] += 1
        if self.point.in_gate:
            self.statuses |= self.commands([("status", ("status",))])  # reading waits for nobody
        self.look()
        if self.point.in_gate and self.rng.random() < 0.25:
            self.killed.add(pid)
            self.counts["SIGKILL"] += 1
            os.kill(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGCONT)
        self.wait(pid)

    def _after(self, pid: int) -> None:
        """Let others come after it: the next agent, the command that recovers, and sometimes the same agent again."""
        dies = any(note["kind"] == "dies" and note["pid"] == pid for note in self.notes())
        if dies:
            self.killed.add(pid)
            self.counts["SIGKILL"] += 1
        elif self.point.how == KILL:
            self.counts["not reached"] += 1
        if self.point.scene == FINALIZE:
            return
        # A lock file that a killed git left in a worktree is its owner's to take away; others are not kept by it.
        first = self.rng.choice(("take", "run") if self.point.when == "inside" else ("take", "run", "again"))
        if self.point.how == KILL and first == "run":
            self.commands(_CLOSING[:1])
        elif self.point.how == KILL and first == "again":
            self.wait(self.start("again"))
        self.look()
        self.expected = ("a2",)
        if not self.landed("a2"):
            self.wait(self.start("take", agent="a2", wait_s=10.0, beside=False))

    def _outwait(self) -> None:
        """Come so late that a lock which a killed git left is certainly nobody's any more."""
        places = (self.repository / ".git/worktrees", self.repository / ".git/refs")
        left = [path.stat().st_mtime for place in places for path in place.rglob("*.lock")]
        self.counts["locks left"] += len(left)
        if left:
            time.sleep(max(0.0, max(left) + STALE_LOCK_S - time.time()))

    def landed(self, agent: str) -> bool:
        """Tell whether an agent has the file behind it that everybody wants."""
        return any(
            note["kind"] == "granted" and note["agent"] == agent and "core/a.txt" in note["files"]
            for note in self.notes()
        )

    # Processes.

    def start(self, do: str, **more: Any) -> int:
        """Start a process of the product."""
        self.processes += 1
        return self.nursery.start(
            do=do,
            repo=str(self.repository),
            url=self.url,
            plant=self.plant,
            bounds={}
            if self.point.shipped
            else BOUNDS
            if self.point.in_gate and self.point.how == STOP
            else {},
            notes=str(self.place / f"{self.processes}-{do}.jsonl"),
            **more,
        )

    def commands(self, calls: Any) -> dict[str, int]:
        """Call the command line, one after the other, and return how each ended."""
        out = self.place / f"out-{self.processes}"
        self.wait(self.start("cli", calls=[list(arguments) for _, arguments in calls], out=str(out)))
        try:
            statuses = json.loads(Path(f"{out}.statuses").read_text("utf-8"))
        except FileNotFoundError:
            return {name: -9 for name, _ in calls}
        found = {}
        for number, ((name, _), status) in enumerate(zip(calls, statuses, strict=True)):
            shutil.copyfile(f"{out}.{number}", self.place / f"told-{name}")
            found[name] = status
        return found

    def wait(self, pid: int) -> None:
        """Wait for the end of a process; one that does not end is killed, and told of."""
        until = time.monotonic() + END_S_MAX
        while Path(f"/proc/{pid}").exists():
            if time.monotonic() > until:
                self.unfinished = f"process {pid} did not end in {END_S_MAX:.0f} s"
                self.killed.add(pid)
                os.kill(pid, signal.SIGKILL)
                until = float("inf")
            time.sleep(LOOK_S)

    def stopped(self, pid: int) -> bool:
        """Wait until a process has stopped itself; False if it ended instead."""
        until = time.monotonic() + END_S_MAX
        while time.monotonic() < until:
            try:
                state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
            except (FileNotFoundError, ProcessLookupError):
                return False
            if state == "T":
                return True
            time.sleep(LOOK_S)
        return False

    # Reading.

    def notes(self) -> list[dict[str, Any]]:
        """Return what all processes noted."""
        return reading.notes(self.place)

    def look(self) -> None:
        """Note where each branch is at this moment."""
        lines = history.git(
            self.repository, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads"
        )
        at = dict(line.split(" ") for line in lines.decode().splitlines())
        for name, branch in (*BRANCHES.items(), ("session", SESSION), (TARGET, TARGET)):
            if branch in at:
                self.passed.setdefault(name, []).append(at[branch])

    def _seen(self) -> Seen:
        base = history.git(self.repository, "rev-parse", "main").decode().strip()
        evidence = Evidence(
            name="S1",
            base=base,
            result=SESSION,
            branches=BRANCHES,
            streams={"core": Stream(prefix="core/"), "api": Stream(prefix="api/", after=("core",))},
            tasks={},
            checkout_before=self.before,
            checkout_after=world.checkout_of(self.repository),
        )
        found = history.read(self.repository, evidence)
        here = found.on_disk | reading.on_disk(self.repository)
        shown = {name: self._told(name) for name in self.statuses}
        return Seen(
            notes=self.notes(),
            killed=frozenset(self.killed),
            moves={
                name: reading.moves(self.repository, branch)
                for name, branch in (*BRANCHES.items(), ("session", SESSION), (TARGET, TARGET))
            },
            passed={name: tuple(tips) for name, tips in self.passed.items()},
            evidence=evidence,
            history=replace(found, on_disk=here),
            entries=[json.loads(line) for line in shown["log"].splitlines() if line.startswith("{")],
            held=tuple(one["resource"] for one in reading.shown(shown["locks"])),
            statuses=self.statuses,
            told=shown,
            expected=self.expected,
            busy_s=self._busy_s(),
            unfinished=self.unfinished,
        )

    def _busy_s(self) -> float:
        if self.point.how != STOP or not self.point.in_gate:
            return 0.0
        kind = "postgresql" if self.url else "sqlite"
        return SHIPPED[kind] if self.point.shipped else BOUNDS["lock_s"]

    def _told(self, name: str) -> str:
        try:
            return (self.place / f"told-{name}").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
