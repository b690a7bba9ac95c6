"""Bells between machines: NOTIFY of the database, listened to on one connection per process.

A ring is a hint (DESIGN §3.3): one that is lost, with the connection or in a pooler that keeps no listener, costs a waiter at
most its one-second safety check.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from pucs.core.errors import PucsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pucs.coordinator.ports import Bell
    from pucs.store.postgres import PostgresStore

RETRY_S = 1.0
"""Pause before a listener that lost its connection tries again; meanwhile waiters look by themselves each second."""


class PostgresBells:
    """Wakes waiters wherever they are (``coordinator.ports.Bells``)."""

    def __init__(self, store: PostgresStore, sleeper: Callable[[int | None], Bell]) -> None:
        """Ring through a store; ``sleeper`` makes what a waiter of this host sleeps on, from the reading end of a pipe."""
        self._store = store
        self._sleeper = sleeper
        self._listener: _Listener | None = None
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def hang(self, name: str) -> Iterator[Bell]:
        """Set up the bell that ``ring(name)`` rings, and take it down at the end.

        Yields:
            The bell to sleep on; where nobody can be listened to, it is one that sleeps at most a second at a time.
        """
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        listener = self._waiting(name, writing)
        try:
            yield self._sleeper(reading if listener.connected else None)
        finally:
            listener.leave(name, writing)
            os.close(reading)
            os.close(writing)

    def ring(self, name: str) -> None:
        """Wake the waiter of that name; nothing happens if nobody waits."""
        self._store.notify(name)

    def _waiting(self, name: str, pipe: int) -> _Listener:
        with self._lock:
            while self._listener is None or not self._listener.join(name, pipe):
                self._listener = _Listener(self._store)
            return self._listener


class _Listener:
    """One connection that listens, and the thread that reads it, as long as anybody waits."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._pipes: dict[str, int] = {}
        self._ended = False
        self._connection = self._connect()
        threading.Thread(target=self._run, name="bells", daemon=True).start()

    @property
    def connected(self) -> bool:
        """Tell whether rings are heard."""
        return self._connection is not None

    def join(self, name: str, pipe: int) -> bool:
        """Write to a pipe whenever a name is rung; False if nobody listens any more in this process."""
        with self._lock:
            if self._ended or self._pid != os.getpid():
                return False
            self._pipes[name] = pipe
            return True

    def leave(self, name: str, pipe: int) -> None:
        """Do not write to a pipe any more."""
        with self._lock:
            if self._pipes.get(name) == pipe:
                del self._pipes[name]

    def _connect(self) -> psycopg.Connection[tuple[object, ...]] | None:
        try:
            connection = self._store.connect()
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._store.channel)))
        except (psycopg.Error, PucsError):
            return None
        return connection

    def _run(self) -> None:
        while True:
            connection = self._connection
            if connection is not None:
                with contextlib.suppress(psycopg.Error):
                    for note in connection.notifies():
                        self._ring(note.payload)
                self._connection = None
                connection.close()
            with self._lock:
                if not self._pipes:
                    self._ended = True  # the next waiter listens anew
                    return
            time.sleep(RETRY_S)
            self._connection = self._connect()
            self._ring(None)  # who was rung meanwhile is not known

    def _ring(self, name: str | None) -> None:
        with self._lock:
            for pipe in self._pipes.values() if name is None else [self._pipes.get(name, -1)]:
                with contextlib.suppress(
                    OSError
                ):  # full: it was rung often enough; -1: nobody of this process
                    os.write(pipe, b"\0")
