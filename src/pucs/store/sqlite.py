"""The SQLite driver: connections, transactions behind the gate, migrations and clear words when the disk fails."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from pucs.core.errors import StoreError, Usage
from pucs.store.gate import GATE_WAIT_S_MAX, Gate
from pucs.store.places import check_place
from pucs.store.rows import Rows
from pucs.store.tokens import Memory, value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pucs.coordinator.ports import Clock

SCHEMA_VERSION = 1
"""Number of the newest migration; a store with a higher one was made by a newer PUCS and is refused."""
CHECKPOINT_PAGES = 1000
"""Write-ahead log pages (4 KiB each) after which a commit copies them into the database, under the gate."""
FOREIGN_WAIT_MS = 5000
"""Wait for a program that is not PUCS (the gate does not stop it) and has the database locked."""
IN_MEMORY = ":memory:"


class _Connection:
    """One database connection of one thread."""

    def __init__(self, database: apsw.Connection, gate: Gate | None) -> None:
        self.database = database
        self.gate = gate
        self.in_transaction = False
        self.pages = 0

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.database.execute(sql, tuple(parameters)).fetchall()

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        return self.database.execute(sql, tuple(parameters)).fetchone()

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        self.database.execute(sql, tuple(parameters))

    def insert(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        self.database.execute(sql, tuple(parameters))
        return self.database.last_insert_rowid()

    def changes(self) -> int:
        return self.database.changes()


class SQLiteStore:
    """The store in one SQLite file, or in memory for tests; safe to use from many threads and processes."""

    def __init__(
        self,
        path: str | Path,
        clock: Clock,
        *,
        gate_wait_s_max: float = GATE_WAIT_S_MAX,
        pages_max: int | None = None,
        create: bool = True,
    ) -> None:
        """Open the store, creating it if it is absent and ``create`` is set.

        Raises:
            StoreError: absent, corrupt, made by a newer PUCS, not writable, or on a file system that SQLite cannot
                share. Whatever is there stays as it is.
        """
        self.path = str(path)
        self._clock = clock
        self._gate_wait_s_max = gate_wait_s_max
        self._pages_max = pages_max
        self._threads = threading.local()
        self._decodings: dict[str, Any] = {}
        self._memory: Memory | None = None
        self._shared: _Connection | None = None
        self._lock = threading.RLock()
        if self.path == IN_MEMORY:
            self._shared = _Connection(apsw.Connection(IN_MEMORY), None)
            _migrate(self._shared.database)
            return
        self._file = Path(path)
        check_place(self._file)
        if not self._file.exists():
            if not create:
                raise StoreError(f"There is no store at {self._file}.", remedy="Create it with: pucs init")
            self._create()
        with self._failures():
            self._connection()
            self._memory = Memory(self._file.with_name(f"{self._file.name}.epoch"), self._file)

    def _create(self) -> None:
        """Build the schema aside and put it in place whole, so that an interrupted start leaves no half store."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreError(
                f"The store's directory {self._file.parent} cannot be made: {error.strerror}.",
                remedy="Make its parent writable for you, or name another place with --store.",
            ) from error
        gate = Gate(self._gate_file, wait_s_max=self._gate_wait_s_max)
        gate.enter()
        try:
            if self._file.exists():
                return
            aside = self._file.with_name(f".{self._file.name}.new")
            aside.unlink(missing_ok=True)
            with self._failures():
                database = apsw.Connection(str(aside))
                _migrate(database)
                database.close()
                aside.rename(self._file)
        finally:
            gate.close()

    @property
    def _gate_file(self) -> Path:
        return self._file.with_name(f"{self._file.name}.gate")

    def _connection(self) -> _Connection:
        if self._shared is not None:
            return self._shared
        connection: _Connection | None = getattr(self._threads, "connection", None)
        if connection is None or getattr(self._threads, "pid", 0) != os.getpid():
            connection = self._connect()
            self._threads.connection = connection
            self._threads.pid = os.getpid()
        return connection

    def _connect(self) -> _Connection:
        database = apsw.Connection(str(self._file), flags=apsw.SQLITE_OPEN_READWRITE)
        database.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # closing must not checkpoint outside the gate
        database.set_busy_timeout(FOREIGN_WAIT_MS)
        found = database.pragma("user_version")
        if found > SCHEMA_VERSION:
            raise StoreError(
                f"The store {self._file} has schema {found}; this PUCS knows {SCHEMA_VERSION}.",
                remedy="Update PUCS. The store was left as it is.",
            )
        if found == 0:
            raise StoreError(f"{self._file} is a database, but not a PUCS store.", remedy="Name another --store.")
        if database.pragma("journal_mode") != "wal":
            database.pragma("journal_mode", "wal")
        database.pragma("wal_autocheckpoint", 0)
        database.pragma("synchronous", "normal")
        if self._pages_max is not None:
            database.pragma("max_page_count", self._pages_max)
        connection = _Connection(database, Gate(self._gate_file, wait_s_max=self._gate_wait_s_max))

        def committed(_: apsw.Connection, __: str, pages: int) -> int:
            connection.pages = pages
            return apsw.SQLITE_OK

        database.set_wal_hook(committed)
        return connection

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[Rows]:
        """See ``coordinator.ports.Store.transaction``."""
        with self._lock if self._shared is not None else _FREE, self._failures():
            connection = self._connection()
            if connection.in_transaction:
                raise RuntimeError("transactions do not nest")
            if connection.gate is not None:
                connection.gate.enter()
            connection.in_transaction = True
            try:
                yield from self._inside(connection, durable=durable)
            finally:
                connection.in_transaction = False
                if connection.gate is not None:
                    connection.gate.leave()

    def _inside(self, connection: _Connection, *, durable: bool) -> Iterator[Rows]:
        database = connection.database
        if durable:
            database.execute("PRAGMA synchronous=FULL")
        try:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield self._rows(connection)
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
            try:
                database.execute("COMMIT")
            except apsw.Error:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
        finally:
            if durable:
                database.execute("PRAGMA synchronous=NORMAL")
        if connection.pages >= CHECKPOINT_PAGES:
            connection.pages = 0
            database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    @contextmanager
    def read(self) -> Iterator[Rows]:
        """See ``coordinator.ports.Store.read``."""
        with self._lock if self._shared is not None else _FREE, self._failures():
            connection = self._connection()
            if connection.in_transaction:
                raise RuntimeError("transactions do not nest")
            connection.in_transaction = True
            try:
                connection.run("BEGIN")
                try:
                    yield self._rows(connection)
                finally:
                    connection.run("ROLLBACK")
            finally:
                connection.in_transaction = False

    def _rows(self, connection: _Connection) -> Rows:
        return Rows(connection, self._take_tokens(connection), self._decodings)

    def _take_tokens(self, connection: _Connection) -> Callable[[int], int]:
        def take(count: int) -> int:
            rows = connection.all("SELECT value FROM counters WHERE name IN ('epoch', 'token') ORDER BY name")
            epoch, last = rows[0][0], rows[1][0]
            if self._memory is not None:
                epoch, first = self._memory.next(epoch, last, count, self._clock.now().boot_id)
            else:
                epoch, first = max(epoch, 1), last + 1
            if epoch != rows[0][0]:
                connection.run("UPDATE counters SET value = ? WHERE name = 'epoch'", (epoch,))
            connection.run("UPDATE counters SET value = ? WHERE name = 'token'", (first + count - 1,))
            return value(epoch, first)

        return take

    def version(self) -> int:
        """Return a number that changes whenever anybody commits; cheap enough to poll for display."""
        connection = self._connection()
        return int(connection.database.pragma("data_version")) + connection.database.total_changes()

    def check(self) -> list[str]:
        """Return what SQLite's integrity check finds wrong; empty when the store is sound."""
        with self._failures():
            found = [row[0] for row in self._connection().all("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else found

    def backup(self, target: Path) -> None:
        """Write a consistent copy of the store beside everything that goes on, in place only once it is whole."""
        aside = target.with_name(f".{target.name}.new")
        with self._failures():
            aside.unlink(missing_ok=True)
            self._connection().run("VACUUM INTO ?", (str(aside),))
            aside.rename(target)

    def close(self) -> None:
        """Close this thread's connection."""
        connection: _Connection | None = getattr(self._threads, "connection", None)
        if connection is not None:
            connection.database.close()
            if connection.gate is not None:
                connection.gate.close()
            del self._threads.connection

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn failures of disk and database into words a person can act on."""
        try:
            yield
        except (apsw.NotADBError, apsw.CorruptError) as error:
            raise StoreError(
                f"The store {self.path} is damaged ({error}). It was left as it is.",
                remedy="Move it away and restore the newest backup (pucs doctor lists them), or start anew: pucs init",
            ) from error
        except apsw.FullError as error:
            raise StoreError(
                f"The store {self.path} cannot grow: disk or page limit full. Nothing was changed.",
                remedy="Free some space and try again.",
            ) from error
        except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError) as error:
            raise StoreError(
                f"The store {self.path} cannot be opened for writing ({error}).",
                remedy="Make the file and its directory writable for you, or name another place with --store.",
            ) from error
        except apsw.BusyError as error:
            raise StoreError(
                f"Another program has the store {self.path} locked.", remedy="Close it (sqlite3?) and try again."
            ) from error
        except apsw.IOError as error:
            raise StoreError(
                f"The disk failed under the store {self.path} ({error}). Nothing was changed.",
                remedy="Check the disk and its free space.",
            ) from error
        except UnicodeEncodeError as error:
            raise Usage(f"{error.object!r} is not valid UTF-8 text.", remedy="Use plain text.") from error
        except OSError as error:
            raise StoreError(f"The store {self.path} failed: {error}.", remedy="Check disk and permissions.") from error


class _Free:
    """A lock that nobody needs: every thread has its own connection."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, *_: object) -> None:
        """Do nothing."""


_FREE = _Free()


def _migrate(database: apsw.Connection) -> None:
    """Bring a database to the newest schema, one numbered file at a time, each in a transaction."""
    folder = resources.files("pucs.store") / "migrations"
    for step in sorted(folder.iterdir(), key=lambda entry: entry.name):
        number = int(step.name[:4])
        if number > database.pragma("user_version"):
            with database:
                database.execute(step.read_text(encoding="utf-8"))
                database.pragma("user_version", number)
