"""Processes that land, sync and finalize on a real repository, are killed or stopped at a chosen step, or come after one.

A nursery reads one JSON order per line and answers each with the process id that it forked; each process writes down in
a file of its own what it writes, what it asks and what it is answered. The judge (``proof/faults_landing.py``) is another
process and loads nothing of ``pucs``. Times are CLOCK_BOOTTIME in nanoseconds.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from proof import faults_landing_plants
from pucs.coordinator import agents, landing, leases, sessions, syncing
from pucs.coordinator import tasks as todo
from pucs.coordinator.finalizing import finalize
from pucs.coordinator.noting import note
from pucs.coordinator.places import prepare_worktree
from pucs.core.errors import GitError, PucsError
from pucs.store import postgres, postgres_connection, sqlite
from pucs.streams.records import Stream
from pucs.streams.settings import Configuration
from pucs.tasks.records import Task
from pucs.wiring import open_context
from tests.faults.tracing import Trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.coordinator.context import Context

STREAMS = (
    Stream(name="core", files_pattern=("core/**",)),
    Stream(name="api", files_pattern=("api/**",), dependencies=("core",)),
)
LONG_S = 600.0
"""A lease that nobody waits for."""
LANDINGS_MAX = 5
"""Landings of one change: each one more follows a sync."""
LOCK_S_MAX = 15.0
"""Longest time to go on in spite of a lock file that a killed git left: it is taken away when it is ten seconds old."""
LINE = "~ "
_DIES_WITH_PARENT = 1
"""PR_SET_PDEATHSIG."""


class Agent:
    """One process that acts for agents, and its notes."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.repo = Path(order["repo"])
        self._file = os.open(order["notes"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.say("begins", do=order["do"])
        self.trace = Trace(self.say, order.get("fault", {}))
        bound(order.get("bounds", {}))
        faults_landing_plants.install(order["plant"])
        self.trace.install()
        self.context: Context = open_context(
            self.repo, store=order["url"], door="proof", create=order["do"] == "make"
        )

    def say(self, kind: str, **fields: Any) -> None:
        """Write one note at once."""
        at = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        os.write(
            self._file, json.dumps({"t": at, "kind": kind, "pid": os.getpid(), **fields}).encode() + b"\n"
        )

    # What processes do.

    def make(self) -> None:
        """Begin a session whose one task is done, so that later runs only look after what is left."""
        sessions.start(self.context, configuration=Configuration(streams=STREAMS), session="S1")
        todo.import_tasks(self.context, tasks=[Task(id="t0", title="done", stream="core", command="true")])
        self._join("a0", "core")
        todo.take(self.context, agent="a0")
        todo.finish(self.context, agent="a0", task="t0", result="by hand")

    def land(self) -> None:
        """Land a change of several files: leased, undeclared and another stream's, onto a stream that has moved."""
        place = self._join("a1", "core")
        self._land_before("a0", "core", "core/d.txt")
        self._lock("a1", ["core/a.txt", "core/b.txt"], duration_s=self.order["lease_s"])
        self._write("a1", place, ["core/a.txt", "core/b.txt", "core/c.txt"])
        self._write("a1", place, ["api/x.txt"])
        self._verb("land", "a1", lambda: landing.land(self.context, agent="a1"))

    def checkout(self) -> None:
        """Land out of the person's own checkout."""
        agents.register(self.context, agent="a1", stream="core", owner=self.context.processes.current())
        self._land_before("a0", "core", "core/d.txt")
        self._lock("a1", ["core/a.txt", "core/b.txt"], duration_s=self.order["lease_s"])
        self._write("a1", self.repo, ["core/a.txt", "core/b.txt"])
        self.say("stops")
        os.kill(os.getpid(), signal.SIGSTOP)  # the checkout is looked at now
        self._verb("land", "a1", lambda: landing.land(self.context, agent="a1"))

    def sync(self) -> None:
        """Bring in what landed, with edits under way, then land these."""
        place = self._join("a1", "core")
        self._land_before("a0", "core", "core/d.txt")
        self._lock("a1", ["core/a.txt", "core/b.txt"], duration_s=self.order["lease_s"])
        self._write("a1", place, ["core/a.txt", "core/b.txt"])
        self._verb("sync", "a1", lambda: syncing.sync(self.context, agent="a1"))
        self._verb("land", "a1", lambda: landing.land(self.context, agent="a1"), traced=False)

    def finalize(self) -> None:
        """Merge two streams and take the result to a branch that nobody has out."""
        self._land_before("a0", "core", "core/d.txt")
        self._land_before("a3", "api", "api/y.txt")
        self._verb("finalize", "", lambda: finalize(self.context, target="release"))

    def again(self) -> None:
        """Be the agent that died, in a new process, and land what there is."""
        agents.register(
            self.context,
            agent="a1",
            stream="core",
            owner=self.context.processes.current(),
            **self._known("a1"),
        )
        self._landed("a1")

    def take(self) -> None:
        """Lease the file that the first agent works on, build on what is there and land; another file if it is held."""
        name = self.order["agent"]
        place = self._join(name, "core")
        file = "core/a.txt"
        if not self._patiently(lambda: self._lock(name, ["core/a.txt"], wait_s=self.order["wait_s"])):
            if not self.order["beside"]:
                return
            file = "core/e.txt"
            if not self._lock(name, [file]):
                return
        self._synced(name)
        self.say("sees", agent=name, file=file, lines=lines_of(place / file))
        self._write(name, place, [file])
        self._landed(name)

    def _known(self, name: str) -> dict[str, Any]:
        with self.context.store.read() as tx:
            known = tx.agents.get(name)
        return {"worktree": known.worktree, "branch": known.branch} if known is not None else {}

    # Verbs.

    def _join(self, name: str, stream: str) -> Path:
        agents.register(self.context, agent=name, stream=stream, owner=self.context.processes.current())
        return Path(prepare_worktree(self.context, agent=name).worktree)

    def _land_before(self, name: str, stream: str, file: str) -> None:
        place = self._join(name, stream)
        self._lock(name, [file])
        self._write(name, place, [file])
        self._verb("land", name, lambda: landing.land(self.context, agent=name), traced=False)
        agents.retire(self.context, agent=name)

    def _lock(self, name: str, files: list[str], *, wait_s: float = 0.0, duration_s: float = LONG_S) -> bool:
        self.say("asks", agent=name, files=files)
        answer = leases.acquire(
            self.context,
            agent=name,
            resources=files,
            wait_s=wait_s,
            duration_s=duration_s,
            noted=note(self.context, agent=name, resources=files),
        )
        if answer.granted:
            self.say("granted", agent=name, files=files, tokens=sorted(answer.tokens.values()))
        else:
            self.say("refused", agent=name, files=files, reason=answer.reason)
        return answer.granted

    def _write(self, name: str, place: Path, files: list[str]) -> None:
        """Add a line to each of several files, which belong together."""
        change = f"{name}-{os.getpid()}-{files[0]}"
        for file in files:
            line = f"{LINE}{change} {file}"
            path = place / file
            add(path, name, line)
            self.say("wrote", agent=name, file=file, line=line, change=change)

    def _verb(self, verb: str, agent: str, call: Callable[[], Any], *, traced: bool = True) -> Any:
        """Call a verb and note what came of it."""
        self.say("calls", verb=verb, agent=agent)
        self.trace.on = traced
        try:
            outcome = call()
        except PucsError as error:
            self.say(
                "fails", verb=verb, agent=agent, code=error.code, message=error.message, remedy=error.remedy
            )
            if isinstance(error, GitError) and not traced:
                raise  # whoever comes after a killed git may have to come again
            return None
        finally:
            self.trace.on = False
        self.say("answered", verb=verb, agent=agent, **told(outcome))
        return outcome

    def _synced(self, name: str) -> Any:
        return self._patiently(
            lambda: self._verb("sync", name, lambda: syncing.sync(self.context, agent=name), traced=False)
        )

    def _landed(self, name: str) -> None:
        for _ in range(LANDINGS_MAX):
            outcome = self._patiently(
                lambda: self._verb("land", name, lambda: landing.land(self.context, agent=name), traced=False)
            )
            if (
                isinstance(outcome, landing.Landed)
                or outcome is None
                or outcome.reason not in {"stale", "busy"}
            ):
                return
            self._synced(name)

    def _patiently(self, call: Callable[[], Any]) -> Any:
        """Call again while a lock file that a killed git left is in the way."""
        until = time.monotonic() + LOCK_S_MAX
        while True:
            try:
                return call()
            except GitError as error:
                if time.monotonic() > until or ".lock" not in error.message:
                    raise
                time.sleep(1.0)  # nobody tells when such a file has become old enough to be taken away


def told(outcome: Any) -> dict[str, Any]:
    """Return what an answer says, as notes carry it."""
    if isinstance(outcome, landing.Landed):
        return {"ok": True, "paths": list(outcome.paths), "parked": [one.ref for one in outcome.parked]}
    if isinstance(outcome, landing.NotLanded):
        return {
            "ok": False,
            "reason": outcome.reason,
            "message": outcome.message,
            "parked": [one.ref for one in outcome.parked],
        }
    if isinstance(outcome, syncing.NotSynced):
        return {"ok": False, "reason": "conflict", "message": outcome.message}
    return {"ok": True}


def lines_of(path: Path) -> list[str]:
    """Return the lines that agents wrote in a file."""
    if not path.exists():
        return []
    return [line for line in path.read_text(encoding="utf-8").split("\n") if line.startswith(LINE)]


def add(path: Path, section: str, line: str) -> None:
    """Add a line in the section of an agent, far enough from the others' that git merges them."""
    text = path.read_text(encoding="utf-8") if path.exists() else skeleton()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace(f"[{section}]\n", f"[{section}]\n{line}\n"), encoding="utf-8")


def skeleton() -> str:
    """Return a file in which nobody has written."""
    return "".join(f"[a{number}]\n" + "\n" * 6 for number in range(6))


def bound(bounds: dict[str, float]) -> None:
    """Shorten how long a store waits for its gate, and how long a database lets a stopped client keep it."""
    files: Any = sqlite.SQLiteStore.__init__
    databases: Any = postgres.PostgresStore.__init__
    if bounds:
        files.__kwdefaults__["gate_wait_s_max"] = bounds["gate_s"]
        databases.__kwdefaults__["lock_wait_s_max"] = bounds["lock_s"]
        postgres_connection.IDLE_S_MAX = int(bounds["idle_s"])


def command_line(order: dict[str, Any]) -> None:
    """Be the command line, several times one after the other, each in a process of its own."""
    from pucs import cli  # noqa: PLC0415 - only this order needs it

    bound(order.get("bounds", {}))
    faults_landing_plants.install(order["plant"])
    os.environ.update({"PUCS_STORE": order["url"]} if order["url"] else {})
    os.environ["XDG_STATE_HOME"] = str(Path(order["repo"]).parent / "state")
    statuses = []
    for number, arguments in enumerate(order["calls"]):
        child = os.fork()
        if not child:
            with Path(f"{order['out']}.{number}").open("wb") as out:
                os.dup2(out.fileno(), 1)
                os.dup2(out.fileno(), 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            status: Any = 3
            try:
                cli.main(["--repo", order["repo"], *arguments])
            except SystemExit as ended:
                status = ended.code
            finally:
                with suppress(OSError):
                    sys.stdout.flush()
                os._exit(status if isinstance(status, int) else 1)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    Path(f"{order['out']}.statuses").write_text(json.dumps(statuses), encoding="utf-8")


def obey(order: dict[str, Any]) -> None:
    """Do what one order says, in a process of its own."""
    if order["do"] == "cli":
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        command_line(order)
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    agent = Agent(order)
    try:
        getattr(agent, order["do"])()
    except PucsError as error:
        agent.say(
            "fails", verb=order["do"], agent="", code=error.code, message=error.message, remedy=error.remedy
        )
    agent.say("ends")


def nursery() -> None:
    """Fork a process for every order, until there are no more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who has ended is gone at once
    for name in (
        "cli.run",
        "cli.finalize",
        "cli.locks",
        "cli.log",
        "cli.work",
        "launch.supervisor",
        "git.worktrees",
    ):
        importlib.import_module(f"pucs.{name}")
    libc = ctypes.CDLL(None)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            libc.prctl(_DIES_WITH_PARENT, signal.SIGKILL)  # also one that is stopped
            status = 1
            try:
                obey(json.loads(line))
                status = 0
            finally:
                sys.stderr.flush() if status == 0 else sys.excepthook(*sys.exc_info())
                os._exit(status)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    nursery()
