"""Processes that contend for a few resources on one store, and write down every call and its answer.

A nursery reads one JSON order per line and answers each with the process id of a contender that it forked; a contender
appends to a file of its own, the call before it is made and the answer after it. Times are CLOCK_BOOTTIME in
nanoseconds. The judge of what it notes (``proof/histories.py``) is another process and loads nothing of ``pucs``.

Some go in by a server, which the nursery starts as well. Whoever loses an answer for good goes on under another name.

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
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from proof import contender_plants
from pucs.coordinator import log
from pucs.core.errors import EnvironmentFailure, PucsError
from pucs.core.modes import Mode
from pucs.crosslog.records import Query
from pucs.streams.records import Session, SessionState
from pucs.streams.settings import Configuration
from tests.histories.doors import Door, InProcess, Lost, OverHTTP, Undone, opened, store_file, understood

if TYPE_CHECKING:
    from collections.abc import Callable

Found = TypeVar("Found")
RESOURCES = ("a.txt", "b.txt", "c.txt")
"""Few, so that everybody meets."""
MODES = (Mode.EXCLUSIVE, Mode.EXCLUSIVE, Mode.EXCLUSIVE, Mode.SHARED_READ, Mode.SHARED_READ, Mode.INTENT)
STRONGER = {Mode.SHARED_READ: (Mode.INTENT, Mode.EXCLUSIVE), Mode.INTENT: (Mode.EXCLUSIVE,)}
WEAKER = {Mode.EXCLUSIVE: (Mode.SHARED_READ, Mode.INTENT), Mode.INTENT: (Mode.SHARED_READ,)}
WAITS_S = (0.02, 0.1, 0.5)
WAITING = {False: 0.4, True: 0.08}
"""Share of asking that waits, by whether something is held: whoever waits with something in hand holds up everybody."""
PAUSE_S_MAX = 0.002
"""Longest pause between two calls."""
PAUSE_UNDONE_S = 0.05
"""Pause after a call that failed: a server that is down comes back in a while."""
PRELOADED = (
    "store.postgres_bells", "store.postgres", "server.app", "server.place", "cli.serve", "client.http", "git.worktrees",
)  # fmt: skip
"""Modules that are loaded once for all that are forked; some are of extras."""
ENTRIES_MAX = 1_000_000


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


def repository(place: str) -> None:
    """Make a repository, for a server to stand in."""
    identity = ("-c", "user.name=User", "-c", "user.email=user@example.com")
    for words in (("init", "-q", "-b", "main"), (*identity, "commit", "-q", "--allow-empty", "-m", "first")):
        subprocess.run(["git", "-C", place, *words], check=True, stdout=sys.stderr)


def serve(order: dict[str, Any]) -> None:
    """Be a server of the store."""
    from pucs.cli import main  # noqa: PLC0415 - only for a server

    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    store = order["store"] if "://" in order["store"] else str(store_file(order["store"]))
    sys.argv = [
        "pucs",
        "serve",
        "--repo",
        order["repository"],
        "--store",
        store,
        "--port",
        str(order["port"]),
    ]
    main()


def tell_entries(place: str, file: str) -> None:
    """Write the cross-log to a file, in the order of its numbers."""
    found = log.entries(opened(place), Query(limit=ENTRIES_MAX))
    lines = [(one.seq, one.agent, one.action, one.files, one.details) for one in found]
    Path(file).write_text(json.dumps(lines), encoding="utf-8")


class Contender:
    """One process that asks, waits, renews, looks, changes modes and gives back at random until it is over."""

    def __init__(self, order: dict[str, Any], over: int) -> None:
        """Prepare it, under the first of its names; ``over`` is the pipe that ends when it is over."""
        self.order = order
        self.rng = random.Random(order["seed"])  # noqa: S311 - no secret
        self.lease_s: float = order["lease_s"]
        self.over = over
        self.names = 0
        self._begin()

    def _begin(self) -> None:
        """Take a name nobody has had, with a file for its notes."""
        self.names += 1
        self.agent = f"{self.order['agent']}-{self.names}"
        place = str(Path(self.order["notes"], f"{self.agent}.jsonl"))
        self.file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.held: dict[str, tuple[int, Mode]] = {}
        self.given_back: dict[str, int] = {}
        self.number = 0
        self.door: Door | None = None

    def run(self) -> None:
        """Contend until it is over, or a call fails in a way that it may not."""
        try:
            # The other end of the pipe is closed when it is over; until then nothing comes.
            while not select.select([self.over], [], [], self.rng.uniform(0, PAUSE_S_MAX))[0]:
                try:
                    self._step(self._through())
                except Undone as error:
                    self._answer(undone=str(error))
                    select.select([self.over], [], [], PAUSE_UNDONE_S)
                except Lost as error:
                    self._say({"ends": now_ns(), "lost": str(error)})
                    os.close(self.file)
                    self._begin()
        except PucsError as error:
            self._say({"ends": now_ns(), "error": str(error)})
        self._say({"ends": now_ns()})

    def _through(self) -> Door:
        """Return the way to the store, opened when it is first needed."""
        while self.door is None:
            try:
                url = self.order["url"]
                self.door = (
                    OverHTTP(url, self.order["repository"], self.agent)
                    if url
                    else InProcess(self.order["store"], self.agent)
                )
            except EnvironmentFailure:
                if not self.order["troubled"]:
                    raise
                if select.select([self.over], [], [], PAUSE_UNDONE_S)[0]:
                    raise Lost("it is over") from None
        return self.door

    def _step(self, door: Door) -> None:
        free = [name for name in RESOURCES if name not in self.held]
        what = self.rng.random()
        if what < 0.08:
            self._look(door, self.rng.choice(RESOURCES))
        elif what < 0.16:
            self._renew(door)
        elif what < 0.22 and self.given_back and not door.remote:
            name = self.rng.choice(sorted(self.given_back))
            self._release(door, name, self.given_back[name])
        elif what < 0.30 and self.held:
            self._change(door, self.rng.choice(sorted(self.held)))
        elif what < (0.6 if door.remote else 0.42):
            self._log(door)  # by a server above all: of everything it does, this must not be done twice
        elif free and (not self.held or what < 0.7):
            names = tuple(self.rng.sample(free, 1 if self.rng.random() < 0.7 else min(2, len(free))))
            self._acquire(door, names, self.rng.choice(MODES))
        elif self.held:
            name = self.rng.choice(sorted(self.held))
            token, _ = self.held[name]
            self._release(door, name, token)
            self.given_back[name] = token
            del self.held[name]

    def _change(self, door: Door, name: str) -> None:
        """Ask for what is held again, or for a stronger or weaker mode."""
        token, mode = self.held[name]
        weaker, stronger = WEAKER.get(mode, ()), STRONGER.get(mode, ())
        what = self.rng.random()
        if what < 0.2:
            self._acquire(door, (name,), Mode.SHARED_READ)
        elif (what < 0.6 and stronger) or not weaker:
            self._acquire(door, (name,), self.rng.choice(stronger))
        else:
            to = self.rng.choice(weaker)
            self._call(door, "downgrade", (name,), mode=to.value, token=token)
            found = self._made(lambda: door.weaken(name, token, to))
            self._answer(tokens=sorted(found.items()))
            self.held |= {name: (fresh, to) for name, fresh in found.items()}

    def _acquire(self, door: Door, names: tuple[str, ...], mode: Mode) -> None:
        wait_s = self.rng.choice(WAITS_S) if self.rng.random() < WAITING[bool(self.held)] else 0.0
        self._call(door, "acquire", names, mode=mode.value, duration_s=self.lease_s, wait_s=wait_s)
        told = False

        def cancelled() -> bool:
            nonlocal told
            if not told:  # it is asked for the first time once there is a place in the queue
                told = True
                self._say({"n": self.number, "queued": now_ns()})
            return False

        granted, tokens = self._made(
            lambda: door.acquire(names, mode, lease_s=self.lease_s, wait_s=wait_s, cancelled=cancelled),
            whole=not wait_s,
        )
        self._answer(ok=granted, tokens=sorted(tokens.items()))
        for name, token in tokens.items():
            if name not in self.held or self.held[name][0] != token:  # else it is held in a stronger mode
                self.held[name] = token, mode

    def _release(self, door: Door, name: str, token: int) -> None:
        self._call(door, "release", (name,), token=token)
        self._answer(ok=self._made(lambda: door.release(name, token)))

    def _renew(self, door: Door) -> None:
        self._call(door, "renew", RESOURCES, duration_s=self.lease_s)
        self.held = self._made(lambda: door.renew(lease_s=self.lease_s))
        self._answer(ok=True, tokens=sorted((name, token) for name, (token, _) in self.held.items()))

    def _look(self, door: Door, name: str) -> None:
        self._call(door, "look", (name,))
        self._answer(ok=True, seen=self._made(lambda: door.look(name)))

    def _log(self, door: Door) -> None:
        text = f"{self.agent} did {self.number + 1}"
        self._call(door, "log", (), text=text)
        self._made(lambda: door.say(text))
        self._answer(ok=True)

    def _made(self, call: Callable[[], Found], *, whole: bool = True) -> Found:
        """Make a call; what fails because a server does is told apart."""
        try:
            return call()
        except EnvironmentFailure as error:
            if not self.order["troubled"]:
                raise
            remote = self.door is not None and self.door.remote
            raise understood(error, remote=remote, whole=whole) from error

    def _call(self, door: Door, kind: str, resources: tuple[str, ...], **fields: Any) -> None:
        self.number += 1
        called = {"n": self.number, "kind": kind, "resources": resources, "remote": door.remote}
        self._say({**called, **fields, "called": now_ns()})

    def _answer(self, **fields: Any) -> None:
        self._say({"n": self.number, "returned": now_ns(), **fields})

    def _say(self, note: dict[str, Any]) -> None:
        os.write(self.file, json.dumps(note).encode() + b"\n")


def now_ns() -> int:
    """Return the clock that all processes of a machine share, and that leases are counted by."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def obey(order: dict[str, Any]) -> None:
    """Do what one order says, in a process of its own."""
    match order["do"]:
        case "make":
            make(order["store"])
        case "repository":
            repository(order["repository"])
        case "entries":
            tell_entries(order["store"], order["file"])
        case "serve":
            contender_plants.install(order["plant"])
            serve(order)
        case _:
            contender_plants.install(order["plant"])
            try:
                over = os.open(order["over"], os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except FileNotFoundError:
                return  # it is over already
            Contender(order, over).run()


def nursery() -> None:
    """Fork a process for every order, until there are no more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who has ended is gone at once
    for room in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(f"pucs.{room}")
    for line in sys.stdin:
        child = os.fork()
        if not child:
            status = 1
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                obey(json.loads(line))
                status = 0
            finally:
                sys.stderr.flush() if status == 0 else sys.excepthook(*sys.exc_info())
                os._exit(status)
        say(f"{child}")


def database(url: str) -> None:
    """Run a server until nobody needs it any more, or use the one that is there."""
    from pucs.testing.postgres import PostgresServer  # noqa: PLC0415 - only for a server

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
