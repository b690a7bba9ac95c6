"""Lets processes contend on one store, and kills, stops and cuts off some: one history while it happens."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

from proof import linear
from proof.cutting import Cutting, inside, on_port
from proof.database import PROGRAM, Database

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONTENDERS = 5
"""Processes at once; one that was killed is followed by another."""
LEASE_S = 0.4
STOPPED_S = 0.6
"""How long a process is stopped: longer than a lease."""
LOOK_S = 0.005
"""Time between two looks at who is to be stopped or resumed."""
END_S_MAX = 30.0
"""Longest time for the last call of every process."""
SERVED_S = 1.0
"""How much longer a history goes on in which there is a server, because that is slower."""
REMOTE = 0.6
"""Share of contenders that go in by a server, where there is one."""
ANSWERS_CUT = 0.04
"""Share of a server's answers that are lost on the way, where some are."""
MESSAGES_CUT = 0.004
"""The same for messages of a database, of which a verb needs several."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a history goes on, and how often somebody is killed or stopped."""

    length_s: float
    mishap_s: float
    """Mean time between two."""


NOTES_MIN_BYTES = 80_000
"""Notes, of some 300 calls, before a history is over: on a busy machine that takes longer."""
LATEST = 3
"""How many times its length it goes on for these."""
PACES = {False: Pace(2.0, 0.25), True: Pace(4.0, 0.7)}
"""By whether the store is a database: that gives its lock to stopped clients, too, so that there each stop holds everybody up
for a while."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is around a store."""

    served: bool = False
    """Some contenders go in by a server, which is killed now and then, and their answers are lost now and then."""
    cut: bool = False
    """Connections to the database are cut now and then."""
    struck: bool = False
    """The database's server is killed once."""


def drawn(rng: random.Random, base: Database | None) -> Setting:
    """Draw what is around a store."""
    what = rng.random()
    if base is None:
        return Setting(served=what < 0.5)
    return Setting(served=what < 0.3, cut=0.3 <= what < 0.6, struck=base.ours and 0.6 <= what < 0.8)


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

    def do(self, what: str, **order: str) -> None:
        """Let a process do one thing, and wait for its end."""
        wait_for([self.start(do=what, **order)])

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


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


class Run:
    """One history while it happens: who contends, who is stopped, and who was killed when."""

    def __init__(
        self,
        nursery: Nursery,
        place: Path,
        base: Database | None,
        seed: str,
        *,
        plant: str,
        setting: Setting | None,
    ) -> None:
        """Prepare one in an empty directory; the setting is drawn unless it is given."""
        self.nursery = nursery
        self.place = place
        self.base = base
        self.seed = seed
        self.plant = plant
        self.rng = random.Random(seed)
        found = drawn(self.rng, base)
        self.setting = setting or found
        self.store = base.store(f"{os.getpid()}_{seed}") if base else str(place)
        self.pace = PACES[base is not None]
        self.over = place / "over"
        """A pipe that ends when it is over."""
        os.mkfifo(self.over, 0o600)
        self.until = os.open(self.over, os.O_RDWR)
        self.running: dict[str, int] = {}
        self.stopped: dict[str, int] = {}
        self.killed: dict[str, int] = {}
        self.counts = Counter[str]()
        self.server = 0
        """Process of the server."""
        self.ports = (0, 0)
        """Where it listens, and where what stands before it does."""
        self.through = self.store
        """The store as contenders name it."""

    def go(self) -> Counter[str]:
        """Run it; notes, what was killed when, and the log stay in its directory."""
        self.nursery.do("make", store=self.store)
        with contextlib.ExitStack() as stack:
            if self.base:
                stack.callback(self.base.drop, self.store)
            if self.setting.served:
                stack.enter_context(self._served())
            if self.setting.cut:
                stack.enter_context(self._cut())
            for _ in range(CONTENDERS):
                self._begin()
            self._await_all()
            self._trouble()
            self._end()
            self.nursery.do("entries", store=self.store, file=str(self.place / "entries.json"))
        (self.place / "killed.json").write_text(json.dumps(self.killed), encoding="utf-8")
        return self.counts

    def _await_all(self) -> None:
        until = time.monotonic() + END_S_MAX
        while time.monotonic() < until:
            if sum(file.stat().st_size > 0 for file in self.place.glob("*.jsonl")) >= CONTENDERS:
                return
            time.sleep(LOOK_S)

    def _trouble(self) -> None:
        began_ns = now_ns()
        length_s = self.pace.length_s + (SERVED_S if self.setting.served else 0.0)
        until_ns = began_ns + int(length_s * 1e9)
        strike_ns = began_ns + int(self.rng.uniform(0.3, 0.7) * length_s * 1e9)
        mishap_ns = self._next_ns()
        latest_ns = began_ns + LATEST * (until_ns - began_ns)
        while now_ns() < until_ns or (now_ns() < latest_ns and self._noted() < NOTES_MIN_BYTES):
            time.sleep(LOOK_S)
            self._resume()
            if self.setting.struck and self.base and now_ns() > strike_ns:
                strike_ns = linear.NEVER
                self.base.kill()
                self.base.start()
                self.counts["databases killed"] += 1
            if now_ns() > mishap_ns:
                mishap_ns = self._next_ns()
                self._mishap()

    def _noted(self) -> int:
        return sum(file.stat().st_size for file in self.place.glob("*.jsonl"))

    def _end(self) -> None:
        self.over.unlink()  # first: whoever comes later would wait for an end that was
        os.close(self.until)
        for agent in self.stopped:
            send(self.running[agent], signal.SIGCONT)
        for pid in wait_for(list(self.running.values())):
            agent = next(name for name, one in self.running.items() if one == pid)
            self.killed[agent] = now_ns()
            send(pid, signal.SIGKILL)
            self.counts["did not end"] += 1

    def _begin(self) -> None:
        agent = f"c{len(self.running) + len(self.killed) + 1}"
        remote = self.setting.served and self.rng.random() < REMOTE
        self.running[agent] = self.nursery.start(
            do="contend",
            agent=agent,
            seed=f"{self.seed}/{agent}",
            over=str(self.over),
            notes=str(self.place),
            store=self.through,
            url=f"http://127.0.0.1:{self.ports[1]}" if remote else "",
            repository=str(self.place / "repository"),
            troubled=remote or self.setting.cut or self.setting.struck,
            plant=self.plant,
            lease_s=LEASE_S,
        )

    def _next_ns(self) -> int:
        return now_ns() + int(self.rng.expovariate(1 / self.pace.mishap_s) * 1e9)

    def _resume(self) -> None:
        for agent in [agent for agent, again_ns in self.stopped.items() if again_ns <= now_ns()]:
            del self.stopped[agent]
            send(self.running[agent], signal.SIGCONT)

    def _mishap(self) -> None:
        if self.server and self.rng.random() < 0.3:
            self._kill_server()
            self._serve()
            self.counts["servers killed"] += 1
            return
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

    @contextlib.contextmanager
    def _served(self) -> Iterator[None]:
        """Run a server of the store, and something before it that loses answers."""
        repository = self.place / "repository"
        repository.mkdir()
        self.nursery.do("repository", repository=str(repository))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        cutting = Cutting(on_port(0), on_port(port), share=ANSWERS_CUT, seed=f"{self.seed}/cuts")
        cutting.start()
        self.ports = port, cutting.port
        self._serve()
        try:
            self._await_server(port)
            yield
        finally:
            self._kill_server()
            cutting.stop()
            self.counts["cut"] += cutting.cuts

    def _serve(self) -> None:
        self.server = self.nursery.start(
            do="serve",
            plant=self.plant,
            store=self.store,
            repository=str(self.place / "repository"),
            port=self.ports[0],
        )

    def _kill_server(self) -> None:
        send(self.server, signal.SIGKILL)
        wait_for([self.server])

    def _await_server(self, port: int) -> None:
        until = time.monotonic() + END_S_MAX
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return
            time.sleep(LOOK_S)
        raise RuntimeError("the server of the history did not start")

    @contextlib.contextmanager
    def _cut(self) -> Iterator[None]:
        """Let contenders reach the database by something that cuts connections."""
        parts = urlsplit(self.store)
        options = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not options.get("host", "").startswith("/"):
            self.counts["not cut"] += 1  # a server elsewhere, with names and keys of its own
            yield
            return
        name = f".s.PGSQL.{options.get('port', '5432')}"
        folder = self.place / "s"
        folder.mkdir(mode=0o700)
        cutting = Cutting(
            inside(folder / name),
            inside(Path(options["host"]) / name),
            share=MESSAGES_CUT,
            seed=f"{self.seed}/cuts",
        )
        cutting.start()
        query = "&".join(f"{key}={quote(value)}" for key, value in (options | {"host": str(folder)}).items())
        self.through = parts._replace(query=query).geturl()
        try:
            yield
        finally:
            cutting.stop()
            self.counts["cut"] += cutting.cuts
