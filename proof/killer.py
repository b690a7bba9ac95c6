"""Kills and pauses processes of a session at moments drawn from its seed."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proof import processes

if TYPE_CHECKING:
    from proof.database import Database

LOOK_S = 0.005
"""Pause between two looks at what is there."""
TARGET_S_MAX = 1.0
"""Longest wait for a process of the wanted kind; then the event is given up."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to do."""

    kind: str
    """``agent``, ``child``, ``keeper``, ``supervisor``: killed. ``pause agent``, ``pause supervisor``: stopped for
    a while. ``at done``: the supervisor is killed shortly after an agent said that it was done, which is when it lands.
    ``at end``: the same after the last task, when streams are merged. ``crash``: supervisor and keepers are killed at
    once, so that only what agents have forked is left. ``server``: the database's server is killed, and started again
    after a while."""
    pause_s: float
    """Time before it, counted from the event before or from the moment it waits for."""
    length_s: float = 0.0
    """Length of a pause, or of the time without a server."""


WEIGHTS = {
    "agent": 32,
    "child": 8,
    "keeper": 15,
    "supervisor": 12,
    "crash": 6,
    "at done": 15,
    "pause agent": 12,
    "pause supervisor": 6,
}


def events(rng: random.Random) -> list[Event]:
    """Return what happens in one session."""
    found = [
        Event(
            rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0],
            rng.uniform(0.05, 0.7),
            rng.uniform(0.1, 1.2),
        )
        for _ in range(rng.randrange(8, 17))
    ]
    if rng.random() < 0.6:
        found += [Event("at end", rng.uniform(0.0, 1.5)) for _ in range(rng.randrange(1, 3))]
    return [
        Event(event.kind, rng.uniform(0.0, 0.25)) if event.kind == "at done" else event for event in found
    ]


def with_server(plan: list[Event], rng: random.Random) -> list[Event]:
    """Return a plan in which the database's server is killed now and then, too."""
    found = list(plan)
    for _ in range(rng.choices((0, 1, 2, 3), (10, 40, 30, 20))[0]):
        event = Event("server", rng.uniform(0.05, 1.5), rng.choice((0.0, 0.3, rng.uniform(0.5, 2.0))))
        found.insert(rng.randrange(len(plan) // 2 + 1), event)  # late ones often find the session over
    return found


class Killer(threading.Thread):
    """Carries out the events of one session beside its runs."""

    def __init__(
        self,
        mark: str,
        plan: list[Event],
        done: Path,
        tasks: int,
        seed: str,
        *,
        server: Database | None = None,
    ) -> None:
        """Prepare it; ``done`` is the directory where agents leave a file when they are done, ``tasks`` how many may."""
        super().__init__(name="killer", daemon=True)
        self.counts: Counter[str] = Counter()
        self.told: list[str] = []
        """What was done, with the clock's reading, for people who look for a cause."""
        self._mark = mark
        self._plan = plan
        self._done = done
        self._tasks = tasks
        self._rng = random.Random(seed)
        self._server = server
        self.outages = 0
        """How often the server went or came back: odd while it is down."""
        self.supervisors: set[int] = set()
        """Their pids, told by whoever started them: processes they have forked look like them for a moment."""
        self._over = threading.Event()

    def stop(self) -> None:
        """Do nothing more."""
        self._over.set()

    def run(self) -> None:
        """Carry out every event, one after the other."""
        for event in self._plan:
            if event.kind == "at done":
                self._await_done(len(self._names()) + 1)
            elif event.kind == "at end":
                self._await_done(self._tasks)
            if self._over.wait(event.pause_s):
                return
            self._do(event)

    def _do(self, event: Event) -> None:
        if event.kind == "server":
            self._strike(event.length_s)
            return
        kind = event.kind.removeprefix("pause ")
        kind = "supervisor" if kind in {"at done", "at end", "crash"} else kind
        target = self._aim(kind)
        if target is None:
            return
        if event.kind == "crash":
            self._aim("child")  # better with one, because children are what a crash leaves behind
            keepers = [one for one in processes.of_session(self._mark) if one.kind == "keeper"]
            for one in (target, *keepers):
                self._send(one, signal.SIGKILL, one.kind)
        elif not event.kind.startswith("pause "):
            self._send(target, signal.SIGKILL, kind)
        elif self._send(target, signal.SIGSTOP, "pause"):
            self._over.wait(event.length_s)
            processes.send(target.pid, signal.SIGCONT, self._mark)

    def _strike(self, length_s: float) -> None:
        if self._server is None:
            return
        self.told.append(f"{time.monotonic_ns()} SIGKILL to the database's server")
        self.counts["server"] += 1
        self.outages += 1
        self._server.kill()
        self._over.wait(length_s)
        self._server.start()
        self.outages += 1
        self.told.append(f"{time.monotonic_ns()} the database's server is back")

    def _send(self, target: processes.Found, number: signal.Signals, count: str) -> bool:
        at = time.monotonic_ns()
        if not processes.send(target.pid, number, self._mark):
            return False
        self.counts[count] += 1
        self.told.append(f"{at} {number.name} to {target.kind} {target.pid}: {target.command[-80:]}")
        return True

    def _aim(self, kind: str) -> processes.Found | None:
        until = time.monotonic() + TARGET_S_MAX
        while time.monotonic() < until and not self._over.is_set():
            found = [one for one in processes.of_session(self._mark) if one.kind == kind]
            if kind == "supervisor":
                found = [one for one in found if one.pid in self.supervisors]
            if found:
                return self._rng.choice(sorted(found, key=lambda one: one.pid))
            self._over.wait(LOOK_S)
        return None

    def _await_done(self, count: int) -> None:
        until = time.monotonic() + (TARGET_S_MAX if count < self._tasks else 600.0)
        while len(self._names()) < count and time.monotonic() < until and not self._over.wait(LOOK_S):
            pass

    def _names(self) -> list[str]:
        return [path.name for path in self._done.iterdir()]
