"""Processes that contend for a few resources on one store, and write down every call and its answer.

A nursery reads one JSON order per line and answers each with the process id of a contender that it forked; a contender
appends to a file of its own, the call before it is made and the answer after it. Times are CLOCK_BOOTTIME in
nanoseconds. The judge of what it notes (``proof/histories.py``) is another process and loads nothing of ``pucs``.

With ``--database`` it runs a PostgreSQL server instead and prints its URL, until its standard input ends; meanwhile it
kills it and starts it again when it is told to, and removes stores. With ``--database URL`` it does that beside a server
which is there, and which it leaves running.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any, cast

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from proof import contender_plants
from pucs.coordinator import inspecting, leases
from pucs.coordinator.agents import register
from pucs.coordinator.context import Context
from pucs.core.errors import PucsError
from pucs.core.modes import Mode
from pucs.launch.bells import FifoBell, FifoBells
from pucs.launch.processes import SystemClock, SystemProcesses
from pucs.store.places import is_address
from pucs.store.sqlite import SQLiteStore
from pucs.streams.records import Session, SessionState
from pucs.streams.settings import Configuration

RESOURCES = ("a.txt", "b.txt", "c.txt")
"""Few, so that everybody meets."""
MODES = (Mode.EXCLUSIVE, Mode.EXCLUSIVE, Mode.EXCLUSIVE, Mode.SHARED_READ, Mode.SHARED_READ, Mode.INTENT)
PAUSE_S_MAX = 0.002
"""Longest pause between two calls."""


def opened(place: str) -> Context:
    """Open a store, a directory or a database's URL; leases alone need no repository."""
    processes = SystemProcesses()
    if is_address(place):
        from pucs.store.postgres import PostgresStore  # noqa: PLC0415 - an extra
        from pucs.store.postgres_bells import PostgresBells  # noqa: PLC0415 - the same

        shared = PostgresStore(place)
        bells: Any = PostgresBells(shared, FifoBell)
        return Context(
            store=shared, clock=shared.clock, processes=processes, bells=bells, git=_NO_GIT, door="proof"
        )
    clock = SystemClock()
    folder = Path(place)
    return Context(
        store=SQLiteStore(folder / "store" / "state.db", clock),
        clock=clock,
        processes=processes,
        bells=FifoBells(folder / "bells"),
        git=_NO_GIT,
        door="proof",
    )


_NO_GIT = cast("Any", None)


def make(place: str) -> None:
    """Make a store with a session."""
    context = opened(place)
    with context.store.transaction() as tx:
        tx.sessions.put(
            Session(
                id="PROOF",
                state=SessionState.ACTIVE,
                base="0" * 40,
                target="main",
                branch="pucs/session-PROOF",
                started_at=context.clock.now().wall(),
            )
        )
        tx.sessions.put_configuration(Configuration())
    context.store.close()


def drop(place: str) -> None:
    """Remove the schema of a database's store."""
    from psycopg import sql  # noqa: PLC0415 - an extra

    from pucs.store.postgres import PostgresStore  # noqa: PLC0415 - the same
    from pucs.store.postgres_address import parse  # noqa: PLC0415 - the same

    with PostgresStore(place).connect() as connection:
        connection.execute(
            sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(parse(place).schema))
        )


class Contender:
    """One process that asks, renews, looks and gives back at random until it is over."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.agent: str = order["agent"]
        self.rng = random.Random(order["seed"])  # noqa: S311 - no secret
        self.lease_s: float = order["lease_s"]
        self.over = os.open(order["over"], os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self.file = os.open(order["notes"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.context = opened(order["store"])
        self.held: dict[str, int] = {}
        self.given_back: dict[str, int] = {}
        self.number = 0

    def run(self) -> None:
        """Contend until it is over, or a call fails."""
        register(self.context, agent=self.agent, owner=self.context.processes.current())
        try:
            # The other end of the pipe is closed when it is over; until then nothing comes.
            while not select.select([self.over], [], [], self.rng.uniform(0, PAUSE_S_MAX))[0]:
                self._step()
        except PucsError as error:
            self._say({"ends": now_ns(), "error": str(error)})
        self._say({"ends": now_ns()})

    def _step(self) -> None:
        free = [name for name in RESOURCES if name not in self.held]
        what = self.rng.random()
        if what < 0.08:
            self._look(self.rng.choice(RESOURCES))
        elif what < 0.16:
            self._renew()
        elif what < 0.22 and self.given_back:
            name = self.rng.choice(sorted(self.given_back))
            self._release(name, self.given_back[name])
        elif what < 0.25 and self.held:
            self._acquire((self.rng.choice(sorted(self.held)),), Mode.SHARED_READ)
        elif free and (not self.held or what < 0.6):
            names = tuple(self.rng.sample(free, 1 if self.rng.random() < 0.7 else min(2, len(free))))
            self._acquire(names, self.rng.choice(MODES))
        elif self.held:
            name = self.rng.choice(sorted(self.held))
            token = self.held.pop(name)
            self._release(name, token)
            self.given_back[name] = token

    def _acquire(self, names: tuple[str, ...], mode: Mode) -> None:
        self._call("acquire", names, mode=mode.value, duration_s=self.lease_s)
        found = leases.acquire(
            self.context, agent=self.agent, resources=names, mode=mode, duration_s=self.lease_s
        )
        self._answer(ok=found.granted, tokens=sorted(found.tokens.items()))
        self.held.update(found.tokens)

    def _release(self, name: str, token: int) -> None:
        self._call("release", (name,), token=token)
        found = leases.release(self.context, agent=self.agent, resources=[name], token=token)
        self._answer(ok=name in found.resources)

    def _renew(self) -> None:
        self._call("renew", RESOURCES, duration_s=self.lease_s)
        found = leases.renew(self.context, agent=self.agent, duration_s=self.lease_s)
        self.held = {lease.resource: lease.token for lease in found}
        self._answer(ok=True, tokens=sorted(self.held.items()))

    def _look(self, name: str) -> None:
        self._call("look", (name,))
        found = inspecting.why(self.context, resource=name).holders
        self._answer(ok=True, seen=[(lease.agent, lease.token) for lease in found])

    def _call(self, kind: str, resources: tuple[str, ...], **fields: Any) -> None:
        self.number += 1
        self._say({"n": self.number, "kind": kind, "resources": resources, **fields, "called": now_ns()})

    def _answer(self, **fields: Any) -> None:
        self._say({"n": self.number, "returned": now_ns(), **fields})

    def _say(self, note: dict[str, Any]) -> None:
        os.write(self.file, json.dumps(note).encode() + b"\n")


def now_ns() -> int:
    """Return the clock that all processes of a machine share, and that leases are counted by."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def obey(order: dict[str, Any]) -> None:
    """Do what one order says, in a process of its own."""
    if order["do"] == "make":
        make(order["store"])
    elif order["do"] == "drop":
        drop(order["store"])
    else:
        contender_plants.install(order["plant"])
        Contender(order).run()


def nursery() -> None:
    """Fork a process for every order, until there are no more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who has ended is gone at once
    with contextlib.suppress(ImportError):
        importlib.import_module("pucs.store.postgres_bells")  # an extra; once for all that are forked
        importlib.import_module("pucs.store.postgres")
    for line in sys.stdin:
        child = os.fork()
        if not child:
            status = 1
            try:
                obey(json.loads(line))
                status = 0
            finally:
                sys.stderr.flush() if status == 0 else sys.excepthook(*sys.exc_info())
                os._exit(status)
        say(f"{child}")


def database(url: str) -> None:
    """Run a server until nobody needs it any more, or use the one that is there."""
    from pucs.core.errors import EnvironmentFailure  # noqa: PLC0415 - only for a server
    from pucs.testing.postgres import PostgresServer  # noqa: PLC0415 - the same

    try:
        with contextlib.ExitStack() as stack:
            server = None if url else stack.enter_context(PostgresServer())
            say(server.url() if server else url)
            for line in sys.stdin:
                what, _, argument = line.strip().partition(" ")
                if what == "drop":
                    drop(argument)
                elif server:
                    server.kill() if what == "kill" else server.start()
                say("done")
    except EnvironmentFailure as error:
        say(f"left out: {error}")


def say(line: str) -> None:
    """Answer whoever started this program."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if "--database" in sys.argv:
        database("".join(sys.argv[sys.argv.index("--database") + 1 :]))
    else:
        nursery()
