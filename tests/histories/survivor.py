"""Processes that go on working on a store while its disk, clock, power or database fails, and write down every answer.

A nursery reads one JSON order per line and answers each with the id of a process that it forked for it. A survivor
appends to a file of its own, each call before it is made and the answer or the error after it; after an error it asks for
the same again. Times are CLOCK_BOOTTIME in nanoseconds. The judge (``proof/faults_store.py``) loads nothing of ``pucs``.

With ``--database`` it runs a PostgreSQL server instead, kills it and starts it again as told on its standard input.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import mmap
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import apsw

from proof import survivor_plants
from pucs.coordinator import inspecting, leases, log
from pucs.coordinator.agents import register
from pucs.coordinator.context import Context, unit
from pucs.core.errors import PucsError
from pucs.core.modes import Mode
from pucs.launch import processes
from pucs.launch.bells import FifoBell, FifoBells
from pucs.launch.processes import SystemClock, SystemProcesses
from pucs.store.places import is_address
from pucs.store.sqlite import SQLiteStore
from pucs.streams.records import Session, SessionState
from pucs.streams.settings import Configuration

if TYPE_CHECKING:
    from collections.abc import Callable

RESOURCES = ("a.txt", "b.txt", "c.txt")
"""Few, so that everybody meets."""
MODES = (Mode.EXCLUSIVE, Mode.EXCLUSIVE, Mode.SHARED_READ, Mode.INTENT)
PAUSE_S_MAX = 0.003
"""Longest pause between two calls."""
AGAIN_S = 0.02
"""Pause after an error."""
_NO_GIT = cast("Any", None)


def opened(order: dict[str, Any]) -> Context:
    """Open the store of an order: a directory or a database's URL."""
    place: str = order["store"]
    hands = SystemProcesses()
    if is_address(place):
        from pucs.store.postgres import PostgresStore  # noqa: PLC0415 - an extra
        from pucs.store.postgres_bells import PostgresBells  # noqa: PLC0415 - the same

        shared = PostgresStore(place)
        bells: Any = PostgresBells(shared, FifoBell)
        return Context(
            store=shared, clock=shared.clock, processes=hands, bells=bells, git=_NO_GIT, door="proof"
        )
    clock = SystemClock()
    folder = Path(place)
    store = SQLiteStore(folder / "state.db", clock, pages_max=order.get("pages"))
    return Context(
        store=store,
        clock=clock,
        processes=hands,
        bells=FifoBells(folder / "bells"),
        git=_NO_GIT,
        door="proof",
    )


class Survivor:
    """One process that asks, gives back, looks and writes to the log at random until it is over, whatever fails."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.agent: str = order["agent"]
        self.rng = random.Random(order["seed"])  # noqa: S311 - no secret
        self.lease_s: float = order["lease_s"]
        self.padding: int = order.get("padding", 0)
        self.over = Path(order["over"])
        self.file = os.open(order["notes"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.held: dict[str, int] = {}
        self.again: Callable[[], None] | None = None
        self.number = 0

    def run(self) -> None:
        """Work until it is over."""
        over = False
        while not self._opens() and not over:
            over = self._waits(AGAIN_S)
        while not over and not self._waits(self.rng.uniform(0, PAUSE_S_MAX)):
            self._step()
        self._say({"ends": now_ns()})

    def _waits(self, seconds: float) -> bool:
        """Pause, and tell whether it is over: then there is a file that says so, also to whoever begins after it.

        The pauses are the pace of the load, drawn from the seed; no step waits for another one here.
        """
        time.sleep(seconds)
        return self.over.exists()

    def _opens(self) -> bool:
        found = self._tries("open", (), lambda: opened(self.order))
        if found is None:
            return False
        self.context: Context = found
        self._answer(ok=True)
        named = self._tries(
            "register",
            (),
            lambda: register(self.context, agent=self.agent, owner=self.context.processes.current()),
        )
        if named is None:
            return False
        self._answer(ok=True)
        return True

    def _step(self) -> None:
        if self.again is not None:
            again, self.again = self.again, None
            again()
            return
        free = [name for name in RESOURCES if name not in self.held]
        what = self.rng.random()
        if what < 0.08:
            self._look(self.rng.choice(RESOURCES))
        elif what < 0.14:
            self._renew()
        elif what < self.order.get("logs", 0.35):
            self._log(
                f"{self.agent}/{self.number + 1}", durable=self.rng.random() < self.order.get("durable", 0)
            )
        elif free and (not self.held or what < 0.6):
            names = tuple(self.rng.sample(free, 1 if self.rng.random() < 0.7 else min(2, len(free))))
            self._acquire(names, self.rng.choice(MODES))
        elif self.held:
            name = self.rng.choice(sorted(self.held))
            self._release(name, self.held.pop(name))

    def _acquire(self, names: tuple[str, ...], mode: Mode, first: int = 0) -> None:
        found = self._tries(
            "acquire",
            names,
            lambda: leases.acquire(
                self.context, agent=self.agent, resources=names, mode=mode, duration_s=self.lease_s
            ),
            mode=mode.value,
            duration_s=self.lease_s,
            first=first,
        )
        if found is None:
            self.again = partial(self._acquire, names, mode, first or self.number)
            return
        self._answer(ok=found.granted, tokens=sorted(found.tokens.items()))
        self.held.update(found.tokens)

    def _release(self, name: str, token: int, first: int = 0) -> None:
        found = self._tries(
            "release",
            (name,),
            lambda: leases.release(self.context, agent=self.agent, resources=[name], token=token),
            token=token,
            first=first,
        )
        if found is None:
            self.again = partial(self._release, name, token, first or self.number)
            return
        self._answer(ok=name in found.resources)

    def _renew(self) -> None:
        found = self._tries(
            "renew",
            RESOURCES,
            lambda: leases.renew(self.context, agent=self.agent, duration_s=self.lease_s),
            duration_s=self.lease_s,
        )
        if found is not None:
            self.held = {lease.resource: lease.token for lease in found}
            self._answer(ok=True, tokens=sorted(self.held.items()))

    def _look(self, name: str) -> None:
        found = self._tries("look", (name,), lambda: inspecting.why(self.context, resource=name).holders)
        if found is not None:
            self._answer(ok=True, seen=[(lease.agent, lease.token) for lease in found])

    def _log(self, mark: str, first: int = 0, *, durable: bool = False) -> None:
        padding = self.rng.randbytes(self.rng.randint(0, self.padding) // 2).hex()

        def lasting() -> int:
            with unit(self.context, durable=True) as opened_unit:
                opened_unit.log(mark, agent=self.agent, padding=padding)
            return 0

        def usual() -> int:
            return log.log(self.context, agent=self.agent, action=mark, details={"padding": padding})

        found = self._tries("log", (), lasting if durable else usual, mark=mark, durable=durable, first=first)
        if found is None:
            self.again = partial(self._log, mark, first or self.number, durable=durable)
            return
        self._answer(ok=True, seq=found)

    def _tries(self, kind: str, names: tuple[str, ...], call: Callable[[], Any], **fields: Any) -> Any:
        """Make a call; return None if it ended in an error of PUCS's own, which is noted. Any other ends the process."""
        self.number += 1
        self._say({"n": self.number, "kind": kind, "resources": names, **fields, "called": now_ns()})
        try:
            return call()
        except PucsError as error:
            self._answer(error=error.message, code=error.code)
            self._waits(AGAIN_S)
            return None

    def _answer(self, **fields: Any) -> None:
        self._say({"n": self.number, "returned": now_ns(), **fields})

    def _say(self, note: dict[str, Any]) -> None:
        os.write(self.file, json.dumps(note).encode() + b"\n")


def now_ns() -> int:
    """Return the clock that all processes of a machine share, and that leases are counted by."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


# What stands between a survivor and its machine.


def wrong_clock(path: str) -> None:
    """Let the wall clock of this process be off by the seconds that a file of eight bytes says at that moment."""
    with open(path, "rb") as file:  # noqa: PTH123 - only its memory is kept
        memory = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)
    right = time.time
    time.time = lambda: right() + struct.unpack("<d", memory[:8])[0]


def other_boot(boot: str) -> None:
    """Let this process run in another boot of the machine."""
    cast("Any", processes).boot_id = lambda: boot


class NotedFile(apsw.VFSFile):
    """A file of the store that tells when it was synced to disk, and how far."""

    def __init__(self, name: Any, flags: list[int], notes: int) -> None:
        self._name = Path(str(name.filename()) if hasattr(name, "filename") else str(name)).name
        self._notes = notes
        super().__init__("unix", name, flags)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        """Sync, then tell."""
        size = self.xFileSize()
        super().xSync(flags)
        os.write(self._notes, f"{self._name} {size}\n".encode())


class NotedFiles(apsw.VFS):
    """The file system as SQLite sees it, with files that tell."""

    def __init__(self, notes: int) -> None:
        self._notes = notes
        super().__init__("noted", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        """Open a file."""
        return NotedFile(name, flags, self._notes)


def noted_syncs(path: str) -> Any:
    """Let this process tell of every sync in a file: a line with the file's name and its length, for the side file its bytes."""
    notes = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    fsync = os.fsync

    def told(fd: Any) -> None:
        fsync(fd)
        name = Path(f"/proc/self/fd/{fd}").readlink().name
        if name.endswith(".epoch"):
            os.write(notes, f"{name} {os.pread(fd, 4096, 0).hex()}\n".encode())

    os.fsync = told
    return NotedFiles(notes)


def work(order: dict[str, Any]) -> None:
    """Survive under the conditions of an order."""
    prepared(order)
    Survivor(order).run()


def prepared(order: dict[str, Any]) -> Any:
    """Put what an order names between this process and its machine; keep what is returned."""
    kept = None
    if "clock" in order:
        wrong_clock(order["clock"])
    if "boot" in order:
        other_boot(order["boot"])
    survivor_plants.install(order.get("plant", ""))
    if "syncs" in order:
        kept = _KEPT.setdefault("files", noted_syncs(order["syncs"]))
    if "file_bytes" in order:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_bytes"], hard))
    return kept


_KEPT: dict[str, Any] = {}


def make(order: dict[str, Any]) -> None:
    """Make a store with a session."""
    prepared(order)
    context = opened(order)
    with context.store.transaction(durable=True) as tx:
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


def recover(order: dict[str, Any]) -> None:
    """Open a store as after a start of the machine, grant something in it, and tell what came of it."""
    prepared(order)
    told: dict[str, Any] = {}
    try:
        context = opened(order)
        told["check"] = context.store.check()
        told["tokens"] = []
        for number in range(2):
            found = leases.acquire(context, agent="after", resources=(f"after-{now_ns()}-{number}.txt",))
            told["tokens"] += list(found.tokens.values())
        log.log(context, agent="after", action="after")
    except PucsError as error:
        told["error"] = error.message
    Path(order["answer"]).write_text(json.dumps(told), encoding="utf-8")


def backup(order: dict[str, Any]) -> None:
    """Write a backup as PUCS does."""
    context = opened(order)
    assert isinstance(context.store, SQLiteStore)
    context.store.backup(Path(order["target"]))


def copy(order: dict[str, Any]) -> None:
    """Copy a directory that only this program can see."""
    shutil.copytree(order["store"], order["target"], ignore=shutil.ignore_patterns("bells", "ballast"))


def ballast(order: dict[str, Any]) -> None:
    """Leave only so many bytes free where a store is, or make room again."""
    file = Path(order["store"]) / "ballast"
    file.unlink(missing_ok=True)
    if order["free"]:
        found = os.statvfs(order["store"])
        with file.open("wb") as opened_file, contextlib.suppress(OSError):
            opened_file.write(bytes(max(0, found.f_bavail * found.f_frsize - order["free"])))


def drop(order: dict[str, Any]) -> None:
    """Remove the schema of a database's store."""
    from psycopg import sql  # noqa: PLC0415 - an extra

    from pucs.store.postgres import PostgresStore  # noqa: PLC0415 - the same
    from pucs.store.postgres_address import parse  # noqa: PLC0415 - the same

    with PostgresStore(order["store"]).connect() as connection:
        connection.execute(
            sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(parse(order["store"]).schema))
        )


ORDERS = {
    "make": make,
    "work": work,
    "recover": recover,
    "backup": backup,
    "copy": copy,
    "ballast": ballast,
    "drop": drop,
}


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
                order = json.loads(line)
                ORDERS[order["do"]](order)
                status = 0
            finally:
                sys.stderr.flush() if status == 0 else sys.excepthook(*sys.exc_info())
                sys.stderr.flush()
                os._exit(status)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


def database(small: str) -> None:
    """Run a server and do with it what is asked: ``kill``, ``start``, ``room``; each is answered when it is done.

    ``small`` is a small file system, on which the tables of a database of that name are to be.
    """
    from pucs.core.errors import EnvironmentFailure  # noqa: PLC0415 - only for a server
    from pucs.testing.postgres import NOBODY, PostgresServer  # noqa: PLC0415 - the same

    try:
        with PostgresServer(port=True) as server:
            if small:
                shutil.chown(small, NOBODY, NOBODY)
                _on_a_small_disk(server.url(), small)
            _tell({
                "socket": server.url(),
                "port": server.port,
                "tcp": server.url(tcp=True),
                "pid": server.pid,
            })
            for line in sys.stdin:
                if line.strip() == "kill":
                    server.kill()
                elif line.strip() == "start":
                    server.start()
                elif line.strip() == "room":
                    subprocess.run(["mount", "-o", "remount,size=256m", small], check=True)
                _tell({"pid": server.pid if line.strip() == "start" else 0})
    except EnvironmentFailure as error:
        _tell({"left out": str(error)})


def _tell(found: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def _on_a_small_disk(url: str, small: str) -> None:
    import psycopg  # noqa: PLC0415 - an extra

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{small}'".encode())
        connection.execute(b"ALTER DATABASE postgres SET default_tablespace = small")


if __name__ == "__main__":
    if "--database" in sys.argv:
        database(sys.argv[2] if len(sys.argv) > 2 else "")
    else:
        nursery()
