"""Starts survivors (``tests/histories/survivor.py``), lets them be stopped and killed, and reads what they noted."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proof import linear
from proof.store_judge import Note, Story, Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Self

PROGRAM = Path(__file__).parent.parent / "tests" / "histories" / "survivor.py"
"""The program that runs the product; this one does not load it."""
SURVIVORS = 4
"""Processes at once; one that was killed is followed by another."""
LEASE_S = 60.0
"""Longer than a case."""
LOOK_S = 0.005
FAIL_S_MAX = 10.0
"""Longest wait for failures: what fills up slowly has been tried enough by then."""
SWALLOWED_S = 1.5
"""The same under a planted bug, which may let nothing fail."""
WELL = 2
"""Entries that everybody writes once all is well again."""
END_S_MAX = 60.0
"""Longest time for the last call of every process: longer than a lost answer is looked for."""


class Crew:
    """The program that forks survivors, and the pipe to it."""

    def __init__(self, place: Path, *, within: Sequence[str] = ()) -> None:
        """Start it; ``within`` are words before its own, that put it somewhere else."""
        self.errors = place / "errors.txt"
        self._errors = self.errors.open("wb")
        self._program = subprocess.Popen(
            [*within, sys.executable, str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> Self:
        """Go on."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._program.communicate()
        self._errors.close()

    def start(self, **order: Any) -> int:
        """Start one process and return its id."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps(order) + "\n")
        said = self._program.stdout.readline()
        if not said:
            raise RuntimeError(
                f"survivors cannot be started: {self.errors.read_text(errors='replace')[-500:]}"
            )
        return int(said)

    def do(self, what: str, **order: Any) -> None:
        """Let a process do one thing, and wait for its end."""
        left = gone([self.start(do=what, **order)])
        if left:
            raise RuntimeError(f"{what} did not end")


def gone(pids: Sequence[int]) -> list[int]:
    """Wait until processes are gone; return those that are not after ``END_S_MAX``."""
    until = time.monotonic() + END_S_MAX
    left = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    while left and time.monotonic() < until:
        time.sleep(LOOK_S)
        left = [pid for pid in left if Path(f"/proc/{pid}").exists()]
    return left


def now_ns() -> int:
    """Return the clock of the notes."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Case:
    """One case while it happens: who works, and who was killed when."""

    def __init__(self, crew: Crew, place: Path, seed: str, **conditions: Any) -> None:
        """Prepare it in a directory of its own; ``conditions`` go into every order."""
        shutil.rmtree(place, ignore_errors=True)
        (place / "notes").mkdir(parents=True)
        self.crew = crew
        self.place = place
        self.seed = seed
        self.rng = random.Random(seed)
        self.conditions: dict[str, Any] = {"lease_s": LEASE_S, **conditions}
        self.running: dict[str, int] = {}
        self.killed: dict[str, int] = {}
        self.counts = Counter[str]()
        self.deaths_ns: list[int] = []
        self.room_ns = 0
        self._begun = 0
        self._more: dict[str, Any] = {}
        self._over: Path | None = None

    def make(self, **order: Any) -> None:
        """Make the store."""
        self.crew.do("make", store=self.conditions["store"], **order)

    def begin(self, count: int = SURVIVORS, **more: Any) -> None:
        """Let survivors begin to work; who follows one that was killed works under ``more``, too."""
        self._more = more
        if self._over is None or self._over.exists():
            self._over = self.place / f"over-{self._begun}"
        for _ in range(count):
            self._begun += 1
            agent = f"s{self._begun}"
            self.running[agent] = self.crew.start(
                do="work",
                agent=agent,
                seed=f"{self.seed}/{agent}",
                over=str(self._over),
                notes=str(self.place / "notes" / f"{agent}.jsonl"),
                **{**self.conditions, **more},
            )

    def kill(self) -> None:
        """Kill one of them with SIGKILL, and let another follow."""
        agent = self.rng.choice(sorted(self.running))
        self.killed[agent] = now_ns()  # before it: from here on its leases may end
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.running.pop(agent), signal.SIGKILL)
            self.counts["killed"] += 1
        self.begin(1, **self._more)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop all of them for a moment, wherever they are."""
        for pid in self.running.values():
            _send(pid, signal.SIGSTOP)
        until = time.monotonic() + 1
        while time.monotonic() < until and not all(_is_stopped(pid) for pid in self.running.values()):
            time.sleep(0.001)
        try:
            yield
        finally:
            for pid in self.running.values():
                _send(pid, signal.SIGCONT)

    def lasts(self, seconds: float) -> None:
        """Let them work."""
        time.sleep(seconds)

    def until_errors(self, count: int) -> None:
        """Let them work until so many calls more have failed, a while at most."""
        before = self._noted('"error"')
        wait_s = SWALLOWED_S if self.conditions.get("plant") else FAIL_S_MAX
        self._until(lambda: self._noted('"error"') >= before + count, wait_s)

    def room(self) -> None:
        """Note that from now on nothing fails any more."""
        self.room_ns = now_ns()

    def until_well(self) -> None:
        """Let them work until all of them have been answered something new, a while at most."""
        before = {agent: len(self._text(agent)) for agent in self.running}

        def answered() -> bool:
            fresh = [self._text(agent)[before[agent] :] for agent in self.running]
            return all(text.count('"seq"') >= WELL for text in fresh)

        self._until(answered, END_S_MAX)

    def _noted(self, sign: str) -> int:
        return sum(self._text(agent).count(sign) for agent in self.running)

    def _text(self, agent: str) -> str:
        file = self.place / "notes" / f"{agent}.jsonl"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def _until(self, done: Callable[[], bool], seconds: float) -> None:
        until = time.monotonic() + seconds
        while not done() and time.monotonic() < until and any(map(_there, self.running.values())):
            time.sleep(10 * LOOK_S)

    def end(self) -> None:
        """Let them end their last call and go."""
        if self._over is not None:
            self._over.touch()
        for pid in gone(list(self.running.values())):
            agent = next(name for name, one in self.running.items() if one == pid)
            self.killed[agent] = now_ns()
            _send(pid, signal.SIGKILL)
            self.counts["did not end"] += 1

    def story(self) -> Story:
        """Return what they noted."""
        notes: list[Note] = []
        failures: list[str] = ["a process did not end"] * self.counts["did not end"]
        dead_ns = dict(self.killed)
        for file in sorted((self.place / "notes").glob("*.jsonl")):
            mine, ended_ns = _read(file)
            notes += mine
            if not ended_ns and file.stem not in self.killed:
                failures.append(f"{file.stem} ended by itself: {_last(self.crew.errors)}")
                ended_ns = mine[-1].called_ns if mine else 1
            if ended_ns:
                dead_ns[file.stem] = min(dead_ns.get(file.stem, linear.NEVER), ended_ns)
        self.counts["calls"] = len(notes)
        self.counts["confirmed"] = sum(note.ok for note in notes)
        self.counts["errors"] = sum(bool(note.error) for note in notes)
        self.counts["without an answer"] = sum(note.returned_ns is None for note in notes)
        return Story(
            notes=notes,
            dead_ns=dead_ns,
            failures=failures,
            room_ns=self.room_ns,
            deaths_ns=self.deaths_ns,
        )


def _there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _is_stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] in {b"T", b"Z", b"X"}
    except OSError:
        return True


def _last(errors: Path) -> str:
    lines = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _read(file: Path) -> tuple[list[Note], int]:
    """Return the calls of one process, and when it ended in order, 0 if it did not."""
    notes: list[Note] = []
    asked: dict[str, Any] | None = None
    for line in file.read_text(encoding="utf-8").splitlines():
        said = json.loads(line)
        if "kind" in said:
            asked = said
        elif "ends" in said:
            return notes, said["ends"]
        elif asked is not None:
            notes.append(_note(file.stem, asked, said))
            asked = None
    if asked is not None:
        notes.append(_note(file.stem, asked, {}))
    return notes, 0


def _note(agent: str, asked: dict[str, Any], said: dict[str, Any]) -> Note:
    return Note(
        agent=agent,
        number=asked["n"],
        kind=asked["kind"],
        called_ns=asked["called"],
        returned_ns=said.get("returned"),
        resources=tuple(asked["resources"]),
        mode=asked.get("mode", "EXCLUSIVE"),
        duration_ns=int(asked["duration_s"] * 1e9) if "duration_s" in asked else linear.NEVER,
        token=asked.get("token", 0),
        mark=asked.get("mark", ""),
        durable=asked.get("durable", False),
        first=asked.get("first", 0),
        ok=said.get("ok", False),
        tokens=tuple((name, token) for name, token in said.get("tokens", ())),
        seen=tuple((holder, token) for holder, token in said.get("seen", ())),
        seq=said.get("seq", 0),
        error=said.get("error", ""),
        code=said.get("code", ""),
    )


_LEASES = "SELECT token, agent, resource, state FROM leases"
_ENTRIES = "SELECT seq, agent, action, details FROM entries ORDER BY seq"


def copied(store: Path, target: Path) -> None:
    """Copy the files of a store, as they are."""
    target.mkdir(parents=True)
    for name in ("state.db", "state.db-wal", "state.db.epoch"):
        if (store / name).exists():
            shutil.copyfile(store / name, target / name)


def of_file(store: Path) -> Tables:
    """Read the tables of a SQLite store with SQLite alone, from a copy."""
    aside = store.with_name(f"{store.name}-read")
    shutil.rmtree(aside, ignore_errors=True)
    copied(store, aside)
    try:
        with contextlib.closing(sqlite3.connect(aside / "state.db")) as database:
            found = [row[0] for row in database.execute("PRAGMA integrity_check(20)")]
            return _tables(
                database.execute(_LEASES).fetchall(),
                database.execute(_ENTRIES).fetchall(),
                [] if found == ["ok"] else found,
            )
    except sqlite3.DatabaseError as error:
        return Tables(unsound=[str(error)])
    finally:
        shutil.rmtree(aside)


def of_database(url: str) -> Tables:
    """Read the tables of a PostgreSQL store."""
    import psycopg  # noqa: PLC0415 - an extra

    base, _, schema = url.rpartition("schema=")
    with psycopg.connect(base.rstrip("?&")) as connection:
        connection.execute("SELECT set_config('search_path', %s, false)", (schema,))
        return _tables(
            connection.execute(_LEASES.encode()).fetchall(),
            connection.execute(_ENTRIES.encode()).fetchall(),
            [],
        )


def _tables(
    leases: Sequence[Sequence[Any]], entries: Sequence[Sequence[Any]], unsound: Sequence[str]
) -> Tables:
    return Tables(
        leases={token: (agent, resource, state == "ended") for token, agent, resource, state in leases},
        entries=[
            (seq, agent, action, tuple(json.loads(details).get("tokens", ())))
            for seq, agent, action, details in entries
        ],
        unsound=unsound,
    )
