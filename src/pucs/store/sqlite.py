"""The SQLite driver: connections, transactions behind the gate, migrations and clear words when the disk fails."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import apsw

from pucs.core.errors import PucsError, StoreError, Usage
from pucs.crosslog.records import Entry, Level
from pucs.store.gate import GATE_WAIT_S_MAX, Gate
from pucs.store.places import check_place
from pucs.store.rows import Remembered, Rows
from pucs.store.rows.entries import EntryRows
from pucs.store.tokens import Memory, Said, Skipped, value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pucs.coordinator.ports import Ahead, Clock

SCHEMA_VERSION = 3
"""Number of the newest migration; a store with a higher one was made by a newer PUCS and is refused."""
APPLICATION_ID = 0x50554353
"""``PUCS`` in the header of the file, as the first migration writes it."""
PAGE_BYTES = 2048
"""Page size of a new store: a grant changes a dozen pages a little, and every changed page is written whole."""
CHECKPOINT_PAGES = 8000
"""Write-ahead log pages after which a commit copies them into the database, under the gate. The same few
pages change all the time, so a longer log costs fewer writes; 16 MiB are read back in a moment after a crash."""
FOREIGN_WAIT_MS = 5000
"""Wait for a program that is not PUCS (the gate does not stop it) and has the database locked."""
IN_MEMORY = ":memory:"
_COUNT = (
    "INSERT INTO counters (name, value) VALUES ('epoch', ?), ('side', ?), ('token', ?) "
    "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


class _Connection:
    """One database connection of one thread."""

    def __init__(self, database: apsw.Connection, gate: Gate | None, inode: int = 0) -> None:
        self.database = database
        self.gate = gate
        self.inode = inode
        self.in_transaction = False
        self.durable = False
        self.pages = 0

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.database.execute(sql, _plain(parameters)).fetchall()

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        return self.database.execute(sql, _plain(parameters)).fetchone()

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        self.database.execute(sql, _plain(parameters))

    def many(self, sql: str, parameters: Iterable[Sequence[Any]]) -> None:
        self.database.executemany(sql, map(_plain, parameters))

    def insert(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        self.database.execute(sql, _plain(parameters))
        return self.database.last_insert_rowid()

    def changes(self) -> int:
        return self.database.changes()


class SQLiteStore:
    """The store in one SQLite file, or in memory for tests; safe to use from many threads and processes."""

    remark = ""
    """See ``coordinator.ports.Store.remark``."""

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
        self._remembered = Remembered()
        self._memory: Memory | None = None
        self._shared: _Connection | None = None
        self._lock = threading.RLock()  # for the one connection in memory
        if self.path == IN_MEMORY:
            self._shared = _Connection(_in_memory(), None)
            return
        self._file = Path(path)
        check_place(self._file)
        if not self._file.exists():
            if not create:
                raise StoreError(
                    f"There is no store at {self._file}.", remedy="Create it with: pucs init", missing=True
                )
            self._create()
        self._memory = Memory(self._file.with_name(f"{self._file.name}.epoch"))
        with self._failures():
            self._connection()

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
            with self._failures():
                aside.unlink(missing_ok=True)
                database = apsw.Connection(str(aside))
                database.pragma("page_size", PAGE_BYTES)
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
        if connection is not None and connection in _INHERITED:
            connection = None  # this process is a fork of the one that opened it
        if connection is None:
            connection = self._threads.connection = self._connect()
        return connection

    def _connect(self) -> _Connection:
        inode = self._inode()
        database = apsw.Connection(self.path, flags=apsw.SQLITE_OPEN_READWRITE)
        database.config(
            apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1
        )  # closing must not checkpoint outside the gate
        database.set_busy_timeout(FOREIGN_WAIT_MS)
        gate = Gate(self._gate_file, wait_s_max=self._gate_wait_s_max)
        self._check_schema(database, gate)
        if database.pragma("journal_mode") != "wal":
            database.pragma("journal_mode", "wal")
        database.pragma("wal_autocheckpoint", 0)
        database.pragma("synchronous", "normal")
        if self._pages_max is not None:
            database.pragma("max_page_count", self._pages_max)
        connection = _Connection(database, gate, inode)

        def committed(_: apsw.Connection, __: str, pages: int) -> int:
            connection.pages = pages
            return apsw.SQLITE_OK

        database.set_wal_hook(committed)
        _OPEN.add(connection)
        return connection

    def _check_schema(self, database: apsw.Connection, gate: Gate) -> None:
        """Bring an older store to the newest schema; refuse a newer one and what is no store, untouched."""
        found = database.pragma("user_version")
        if database.pragma("application_id") != APPLICATION_ID:
            raise StoreError(
                f"{self._file} is not a PUCS store. It was left as it is.",
                remedy="Move it away, or name another place with --store.",
            )
        if found > SCHEMA_VERSION:
            raise StoreError(
                f"The store {self._file} has schema {found}; this PUCS knows {SCHEMA_VERSION}. It was left as it is.",
                remedy="Update PUCS.",
            )
        if found < SCHEMA_VERSION:
            gate.enter()
            try:
                _migrate(database)
            finally:
                gate.leave()

    def _inode(self) -> int:
        try:
            return os.stat(self.path).st_ino  # noqa: PTH116 - asked in every transaction
        except FileNotFoundError as error:
            raise StoreError(
                f"The store {self.path} is gone.",
                remedy="Restore a backup (pucs doctor lists them), or start anew: pucs init",
            ) from error

    def transaction(self, *, durable: bool = False, ahead: Ahead | None = None) -> _Transaction:
        """See ``coordinator.ports.Store.transaction``; a question costs nothing here that would be worth foreseeing it."""
        del ahead
        return _Transaction(lambda: self._begin(durable=durable), self._end)

    def _begin(self, *, durable: bool) -> Rows:
        """Enter the gate and begin to write to the file that stands in the store's place now."""
        connection: _Connection | None = None
        if self._shared is not None:
            self._lock.acquire()
        try:
            connection = self._idle()
            if connection.gate is not None:
                connection.gate.enter()
                if self._inode() != connection.inode:
                    connection = self._moved(connection)
            if durable:
                connection.database.execute("PRAGMA synchronous=FULL")
            connection.database.execute("BEGIN IMMEDIATE")
        except BaseException as error:
            if connection is not None and connection.gate is not None:
                connection.gate.leave()
            if self._shared is not None:
                self._lock.release()
            self._raise_clearly(error)
            raise
        connection.in_transaction = True
        connection.durable = durable
        return self._rows(connection)

    def _end(self, error: BaseException | None) -> None:
        """Commit, or roll back after an error of the body, and leave the gate."""
        connection = self._connection()
        database = connection.database
        try:
            if error is None:
                _commit(database)
                if connection.pages >= CHECKPOINT_PAGES:
                    connection.pages = 0
                    # What is committed stays committed when the disk is too full to copy it now: a later commit tries.
                    with suppress(apsw.Error):
                        database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            elif database.in_transaction:
                database.execute("ROLLBACK")
        except apsw.Error as failed:
            self._raise_clearly(failed)
            raise
        finally:
            connection.in_transaction = False
            if connection.durable:
                database.execute("PRAGMA synchronous=NORMAL")
            if connection.gate is not None:
                connection.gate.leave()
            if self._shared is not None:
                self._lock.release()
        if error is not None:
            self._raise_clearly(error)

    def _moved(self, connection: _Connection) -> _Connection:
        """Open the file that was put in the store's place, a restored backup for example, keeping the gate."""
        self._remembered = Remembered()
        fresh = self._connect()
        if fresh.gate is not None:
            fresh.gate.close()
        fresh.gate, connection.gate = connection.gate, None
        self._threads.connection = fresh
        connection.database.close()
        return fresh

    def _idle(self) -> _Connection:
        connection = self._connection()
        if connection.in_transaction:
            raise RuntimeError("transactions do not nest")
        return connection

    @contextmanager
    def read(self) -> Iterator[Rows]:
        """See ``coordinator.ports.Store.read``."""
        with self._lock if self._shared is not None else _FREE, self._failures():
            connection = self._idle()
            if connection.gate is not None and self._inode() != connection.inode:
                connection = self._moved(connection)
            connection.database.execute("BEGIN")
            connection.in_transaction = True
            try:
                yield self._rows(connection)
            finally:
                connection.in_transaction = False
                if connection.database.in_transaction:
                    connection.database.execute("ROLLBACK")

    def _rows(self, connection: _Connection) -> Rows:
        return Rows(connection, self._take_tokens(connection), self._remembered)

    def _take_tokens(self, connection: _Connection) -> Callable[[int], int]:
        def take(count: int) -> int:
            said = dict(
                connection.all("SELECT name, value FROM counters WHERE name IN ('epoch', 'side', 'token')")
            )
            epoch, last, changed_ns = said["epoch"], said["token"], said.get("side", 0)
            if self._memory is not None:
                known = Said(epoch=epoch, last=last, changed_ns=changed_ns, inode=connection.inode)
                taken = self._memory.next(known, count, self._clock.now())
                epoch, first, changed_ns = taken.epoch, taken.first, taken.changed_ns
                if taken.skipped is not None:
                    self._tell(connection, taken.skipped)
            else:
                epoch, first = max(epoch, 1), last + 1
            connection.run(_COUNT, (epoch, changed_ns, first + count - 1))
            return value(epoch, first)

        return take

    def _tell(self, connection: _Connection, skipped: Skipped) -> None:
        """Say in the cross-log which grants the store may have forgotten; their entries went with them."""
        session = connection.one("SELECT id FROM sessions WHERE state = 'active' ORDER BY number DESC")
        EntryRows(connection).add(
            Entry(
                timestamp=self._clock.now().wall(),
                session=session[0] if session else "",
                agent="",
                stream="",
                level=Level.INFO,
                action="tokens skipped",
                details={
                    "door": "store",
                    "because": skipped.because,
                    "after": skipped.after,
                    "up_to": skipped.up_to,
                },
            )
        )

    def version(self) -> int:
        """Return a number that changes whenever anybody commits; cheap enough to poll for display."""
        with self._failures():
            connection = self._connection()
            return int(connection.database.pragma("data_version")) + connection.database.total_changes()

    def check(self) -> list[str]:
        """Return what SQLite's integrity check finds wrong; empty when the store is sound."""
        with self._failures():
            found = [row[0] for row in self._connection().all("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else found

    def backup(self, target: Path) -> None:
        """Write a consistent copy of the store beside everything that goes on, in place only once it is whole on disk."""
        aside = target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}")
        with self._failures():
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                self._idle().run("VACUUM INTO ?", (str(aside),))
                with aside.open("rb") as written:
                    os.fsync(written.fileno())
                aside.rename(target)
            finally:
                aside.unlink(missing_ok=True)

    def close(self) -> None:
        """Close this thread's connection."""
        connection: _Connection | None = getattr(self._threads, "connection", None)
        if connection is not None and connection not in _INHERITED:
            connection.database.close()
            if connection.gate is not None:
                connection.gate.close()
            del self._threads.connection

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (apsw.Error, UnicodeEncodeError, OverflowError, OSError) as error:
            self._raise_clearly(error)
            raise

    def _raise_clearly(self, error: BaseException) -> None:
        """Turn failures of disk and database into words a person can act on; do nothing about any other."""
        said: PucsError
        if isinstance(error, (apsw.NotADBError, apsw.CorruptError)):
            said = StoreError(
                f"The store {self.path} is damaged ({error}). It was left as it is.",
                remedy="Move it away together with its -wal and -shm files, then restore the newest backup "
                "(pucs doctor lists them), or start anew: pucs init",
            )
        elif isinstance(error, apsw.FullError):
            said = StoreError(
                f"The store {self.path} cannot grow: disk or page limit full. Nothing was changed.",
                remedy="Free some space and try again.",
            )
        elif isinstance(error, (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError)):
            said = StoreError(
                f"The store {self.path} cannot be opened for writing ({error}).",
                remedy="Make the file and its directory writable for you, or name another place with --store.",
            )
        elif isinstance(error, apsw.BusyError):
            said = StoreError(
                f"Another program has the store {self.path} locked.",
                remedy="Close it (sqlite3?) and try again.",
            )
        elif isinstance(error, apsw.IOError):
            said = StoreError(
                f"The disk failed under the store {self.path} ({error}). Nothing was changed.",
                remedy="Check the disk, its free space and the limit on file sizes (ulimit -f).",
            )
        elif isinstance(error, UnicodeEncodeError):
            said = Usage(f"{error.object!r} is not valid UTF-8 text.", remedy="Use plain text.")
        elif isinstance(error, OverflowError):
            said = Usage(
                "The store does not take a value: a number is out of range.", remedy="Use a smaller one."
            )
        elif isinstance(error, OSError):
            said = StoreError(f"The store {self.path} failed: {error}.", remedy="Check disk and permissions.")
        else:
            return
        raise said from error


class _Transaction:
    """One write transaction as a context manager; a class, because every verb goes through it."""

    __slots__ = ("_begin", "_end")

    def __init__(self, begin: Callable[[], Rows], end: Callable[[BaseException | None], None]) -> None:
        self._begin = begin
        self._end = end

    def __enter__(self) -> Rows:
        return self._begin()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        self._end(error)


def _plain(parameters: Sequence[Any]) -> Sequence[Any]:
    """Return values as they are; what PostgreSQL cannot keep, no store does, so that a session can move to it.

    Raises:
        Usage: a text holds a zero byte.
    """
    for each in parameters:
        if each.__class__ is str and "\0" in each:
            raise Usage(
                "The store does not take a value: a text holds a zero byte.", remedy="Use plain text."
            )
    return parameters


def _commit(database: apsw.Connection) -> None:
    try:
        database.execute("COMMIT")
    except apsw.Error:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


class _Free:
    """A lock that nobody needs: every thread has its own connection."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, *_: object) -> None:
        """Do nothing."""


_FREE = _Free()
_OPEN: WeakSet[_Connection] = WeakSet()
"""Every open connection of this process."""
_INHERITED: set[_Connection] = set()
"""Connections that a fork copied from its parent. SQLite must neither use nor close them: they are kept, and let be."""
_at_fork: list[_Connection] = []


def _before_fork() -> None:
    _at_fork.extend(_OPEN)  # so that none of them is collected, and thereby closed, in the child


def _in_child() -> None:
    _INHERITED.update(_at_fork)
    for connection in _at_fork:
        if connection.gate is not None:
            connection.gate.close()  # or this process would keep the gate shut when its parent is killed inside it
    _at_fork.clear()


os.register_at_fork(before=_before_fork, after_in_parent=_at_fork.clear, after_in_child=_in_child)


def _in_memory() -> apsw.Connection:
    """Return an empty store in memory, copied from the first one: making its tables takes twenty times as long."""
    database = apsw.Connection(IN_MEMORY)
    database.deserialize("main", _empty())
    return database


@cache
def _empty() -> bytes:
    database = apsw.Connection(IN_MEMORY)
    _migrate(database)
    content = database.serialize("main")
    database.close()
    return content


def _migrate(database: apsw.Connection) -> None:
    """Bring a database to the newest schema, one numbered file at a time, each in a transaction."""
    for number, text in _steps():
        if number > database.pragma("user_version"):
            database.execute("BEGIN")
            try:
                database.execute(text)
                database.pragma("user_version", number)
                database.execute("COMMIT")
            finally:
                if database.in_transaction:  # a disk that is full has ended it already
                    database.execute("ROLLBACK")


def _steps() -> list[tuple[int, str]]:
    """Return the numbered migrations in order."""
    from importlib import resources  # noqa: PLC0415 - slow to load, and only a new store needs it

    folder = resources.files("pucs.store") / "migrations"
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name
    )
    return [(int(file.name[:4]), file.read_text(encoding="utf-8")) for file in files]
