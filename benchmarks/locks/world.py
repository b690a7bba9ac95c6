"""A PUCS store made for a benchmark, without git, and the processes that use it."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pucs.coordinator.agents import register
from pucs.coordinator.context import Context
from pucs.coordinator.leases import RESOURCES_MAX, acquire, release
from pucs.core.errors import EnvironmentFailure
from pucs.launch.bells import FifoBell, FifoBells
from pucs.launch.processes import SystemClock, SystemProcesses
from pucs.store.sqlite import SQLiteStore
from pucs.streams.records import Session, SessionState, Stream, StreamRow
from pucs.streams.settings import Configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pucs.coordinator.ports import Bells, Clock, Git, Store
    from pucs.testing.postgres import PostgresServer

__all__ = [
    "ENGINES",
    "STREAMS",
    "Context",
    "acquire",
    "alone",
    "build",
    "database",
    "open_context",
    "place",
    "register",
    "release",
    "together",
]

STREAMS = 8
_PROCESSES = multiprocessing.get_context("fork")
START_LIMIT_S = 180.0


def open_context(place: Path | str) -> Context:
    """Open the store of a directory, or the one that a database's URL names; nothing here needs a repository."""
    store, clock, bells = _in_database(place) if isinstance(place, str) else _in_directory(place)
    return Context(
        store=store,
        clock=clock,
        processes=SystemProcesses(),
        bells=bells,
        git=cast("Git", None),
        door="bench",
    )


def _in_directory(directory: Path) -> tuple[Store, Clock, Bells]:
    clock = SystemClock()
    return SQLiteStore(directory / "store" / "state.db", clock), clock, FifoBells(directory / "bells")


def _in_database(url: str) -> tuple[Store, Clock, Bells]:
    from pucs.store.postgres import PostgresStore  # noqa: PLC0415 - an extra
    from pucs.store.postgres_bells import PostgresBells  # noqa: PLC0415

    store = PostgresStore(url)
    return store, store.clock, PostgresBells(store, FifoBell)


@contextmanager
def database() -> Iterator[PostgresServer | None]:
    """Run a PostgreSQL server of our own that syncs to disk as in earnest; None where its programs are missing."""
    from pucs.testing.postgres import PostgresServer, find_programs  # noqa: PLC0415

    try:
        find_programs()
    except EnvironmentFailure as error:
        print(f"PostgreSQL was left out: {error}")
        yield None
        return
    with PostgresServer(durable=True) as server:
        yield server


ENGINES = ("SQLite", "PostgreSQL")


@contextmanager
def place(engine: str) -> Iterator[Path | str | None]:
    """Make a place for the store of an engine; None where it is missing."""
    if engine == "SQLite":
        with tempfile.TemporaryDirectory(prefix="pucs-bench-") as scratch:
            yield Path(scratch)
        return
    with database() as server:
        yield server.url() if server else None


def build(directory: Path | str, held: int = 0) -> None:
    """Start a session with a few streams and hold so many leases that nobody in the benchmark asks for."""
    alone(_build, directory, held)


def _build(directory: Path | str, held: int) -> None:
    context = open_context(directory)
    streams = [Stream(name=f"s{at}", files_pattern=(f"s{at}/**",), max_agents=1000) for at in range(STREAMS)]
    with context.store.transaction() as tx:
        tx.sessions.put(
            Session(
                id="BENCH",
                state=SessionState.ACTIVE,
                base="0" * 40,
                target="main",
                branch="pucs/session-BENCH",
                started_at=context.clock.now().wall(),
            )
        )
        tx.sessions.put_configuration(Configuration(streams=tuple(streams)))
        for stream in streams:
            tx.sessions.put_stream(StreamRow(session="BENCH", stream=stream, branch=f"b/{stream.name}"))
    register(context, agent="holder")  # without an owner: its leases stay when this process ends
    for start in range(0, held, RESOURCES_MAX):
        names = [f"held/file_{at}.py" for at in range(start, min(held, start + RESOURCES_MAX))]
        if not acquire(context, agent="holder", resources=names, duration_s=7200).granted:
            raise RuntimeError("the leases to be held were not granted")


def alone(call: Callable[..., None], *arguments: Any) -> None:
    """Run a call in a process of its own, so that this one has no open store when it forks."""
    process = _PROCESSES.Process(target=call, args=arguments)
    process.start()
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"{call.__name__} failed")


def together(work: Callable[[int, float], Any], count: int, length_s: float) -> list[Any]:
    """Run ``work(number, end)`` in ``count`` processes that begin at one moment; return what each returns.

    ``end`` is the reading of ``time.monotonic`` at which they are to stop.
    """
    barrier, opening = _PROCESSES.Barrier(count), _PROCESSES.Lock()
    results: Any = _PROCESSES.SimpleQueue()

    def run(number: int) -> None:
        try:
            with opening:  # one by one: a hundred at once would measure who gives up first
                step = work(number, 0.0)  # opens what it needs and returns the measured part
            barrier.wait(START_LIMIT_S)
            results.put((number, step(time.monotonic() + length_s)))
        except BaseException as error:
            barrier.abort()
            results.put((number, RuntimeError(f"process {number} of {count} failed: {error!r}")))
            raise

    processes = [_PROCESSES.Process(target=run, args=(number,)) for number in range(count)]
    for process in processes:
        process.start()
    found = dict(results.get() for _ in processes)
    for process in processes:
        process.join()
    for failed in found.values():
        if isinstance(failed, RuntimeError):
            raise failed
    return [found[number] for number in range(count)]
