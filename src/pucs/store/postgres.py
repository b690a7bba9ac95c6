"""The PostgreSQL driver: the rows and rules of the SQLite store, for machines that share no disk.

One advisory lock per schema does what the gate does for a file: one writer at a time, in the order they came.
"""

from __future__ import annotations

import os
import threading
import time
import zlib
from contextlib import contextmanager, suppress
from importlib import resources
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakSet

import psycopg
from psycopg import errors, sql

from pucs.core.errors import StoreBusy, StoreError
from pucs.core.ids import TOKEN_SEQUENCE_BITS
from pucs.core.instants import Instant
from pucs.store.postgres_address import Address, parse
from pucs.store.postgres_connection import COMMITS_KEPT, Connection, Foresight, Mark, Question, State, local_s
from pucs.store.postgres_failures import clear
from pucs.store.rows import Remembered, Rows
from pucs.store.tokens import EPOCH_SPAN_S, EPOCHS_SINCE_S, value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pucs.coordinator.ports import Ahead
    from pucs.store.rows.database import Database

SCHEMA_VERSION = 3
"""Number of the newest migration; a store with a higher one was made by a newer PUCS and is refused."""
LOCK_WAIT_S_MAX = 20.0
"""Longest wait for the store's lock; longer than the server lets a stopped client keep it (``IDLE_S_MAX``)."""
OUTCOME_S_MAX = 30.0
"""Longest time to find out whether a commit happened whose answer was lost."""
READING_S_MAX = 60.0
"""Age at which a reading of the server's clock is renewed before it is used outside a transaction."""
RETRY_S = 0.1
"""Pause between two tries to connect after a lost answer."""
_NOTIFY = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)"
"""A ring need not outlive the server, so it does not wait for the disk."""
_LOCK_SPACE = 0x50554353
_HOLDER = """WITH k AS (SELECT l.pid, l.granted FROM pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 1
    AND l.classid::bigint = $1 AND l.objid::bigint = $2
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
    SELECT a.pid, a.usename, host(a.client_addr), a.application_name, a.state,
    (SELECT count(*) FROM k WHERE NOT granted) FROM k JOIN pg_stat_activity a USING (pid) WHERE k.granted"""


class PostgresStore:
    """The store in one schema of a PostgreSQL database; safe to use from many threads, processes and machines."""

    def __init__(self, url: str, *, lock_wait_s_max: float = LOCK_WAIT_S_MAX, create: bool = True) -> None:
        """Open the store, creating its tables if they are absent and ``create`` is set.

        Raises:
            StoreError: absent, made by a newer PUCS, not reachable or not permitted. Whatever is there stays as it is.
            Usage: the URL is malformed.
        """
        self._address: Address = parse(url)
        self.path = self._address.shown
        self._lock_wait_s_max = lock_wait_s_max
        self._key_low = zlib.crc32(self._address.schema.encode())
        self._threads = threading.local()
        self._remembered = Remembered()
        self._reading: State | None = None
        self._pooled = False
        self.clock = _Clock(self)
        with self._failures():
            self._prepare(self._connection(), create=create)

    @property
    def secrets(self) -> dict[str, str]:
        """Return the variables with which programs that we start reach the store at ``path``."""
        return self._address.secrets

    @property
    def channel(self) -> str:
        """Return the name under which waiters listen."""
        return f"pucs_{self._address.schema}"

    @property
    def remark(self) -> str:
        """Return what its users should know of how it is reached; empty: nothing."""
        if not self._pooled or self._address.listening != self._address.parameters:
            return ""
        return (
            "behind a pooler; where that pools transactions, waiters look once a second instead of being woken: "
            "name the server itself in the URL with listen=HOST:PORT"
        )

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """Open a plain connection, to listen on."""
        with self._failures():
            return psycopg.connect(**self._named(self._address.listening), autocommit=True)

    def _named(self, given: dict[str, Any]) -> dict[str, Any]:
        name = f"pucs {os.getpid()}@{os.uname().nodename}"
        return given if "application_name" in given else given | {"application_name": name}

    def _connect(self) -> Connection:
        self._remembered = Remembered()  # the server may have been put back to an earlier state
        connection = Connection(
            self._named(self._address.parameters),
            self._address.schema,
            _LOCK_SPACE << 32 | self._key_low,
            lock_wait_s_max=self._lock_wait_s_max,
        )
        self._pooled = connection.pooled
        _OPEN.add(connection)
        return connection

    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._threads, "connection", None)
        if connection is None or connection.lost or connection.pid != os.getpid():
            connection = self._threads.connection = self._connect()
        return connection

    def _idle(self) -> Connection:
        connection = self._connection()
        if connection.in_transaction:
            raise RuntimeError("transactions do not nest")
        return connection

    # Schema.

    def _prepare(self, connection: Connection, *, create: bool) -> None:
        """Bring an older store to the newest schema; refuse a newer one and what is no store, untouched."""
        found = self._version(connection)
        if found is None and not create:
            raise StoreError(
                f"There is no store at {self.path}.", remedy="Create it with: pucs init", missing=True
            )
        if found == SCHEMA_VERSION:
            return
        if found is not None and found > SCHEMA_VERSION:
            raise StoreError(
                f"The store {self.path} has schema {found}; this PUCS knows {SCHEMA_VERSION}. It was left as it is.",
                remedy="Update PUCS.",
            )
        try:
            self._migrate(connection)
        except errors.InsufficientPrivilege as error:
            wants = "There is no store there yet" if found is None else f"It has schema {found}"
            raise StoreError(
                f"The store {self.path} must be brought to schema {SCHEMA_VERSION} first. {wants}, and this role may not "
                f"change that ({str(error).splitlines()[0]}).",
                remedy="Let the role that owns the schema run: pucs init",
            ) from error

    def _migrate(self, connection: Connection) -> None:
        """Make the tables, or bring them to the newest schema, whoever else does the same."""
        raw = connection.raw
        with raw.transaction():
            raw.execute("SELECT pg_advisory_xact_lock($1)", (_LOCK_SPACE << 32 | self._key_low,))
            schema = sql.Identifier(self._address.schema).as_string()
            if raw.execute("SELECT to_regnamespace($1)", (schema,)).fetchone() == (None,):
                raw.execute(f"CREATE SCHEMA {schema}".encode())
            raw.execute("SELECT set_config('search_path', $1, true)", (schema,))
            found = self._version(connection) or 0
            for number, text in _steps():
                if number > found:
                    raw.execute(text.encode())
                    raw.execute("UPDATE counters SET value = $1 WHERE name = 'schema'", (number,))

    def _version(self, connection: Connection) -> int | None:
        """Return the number of the newest migration, None if there is no store."""
        raw, schema = connection.raw, self._address.schema
        row = raw.execute(
            "SELECT bool_or(relname = 'counters'), count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = "
            "(SELECT oid FROM pg_namespace WHERE nspname = $1)",
            (schema,),
        ).fetchone()
        assert row is not None
        if not row[1]:
            return None
        table = sql.Identifier(schema, "counters").as_string()
        found = None
        if row[0]:
            found = raw.execute(f"SELECT value FROM {table} WHERE name = 'schema'".encode()).fetchone()  # noqa: S608
        if found is None:
            raise StoreError(
                f"The schema {schema} of {self.path} holds tables that are not PUCS's. They were left as they are.",
                remedy="Name another schema: ?schema=NAME",
            )
        return int(found[0])

    # Transactions.

    def transaction(self, *, durable: bool = False, ahead: Ahead | None = None) -> _Transaction:
        """See ``coordinator.ports.Store.transaction``; every commit is durable here."""
        del durable
        return _Transaction(lambda: self._begin(ahead), self._end)

    def _begin(self, ahead: Ahead | None) -> Rows:
        with self._failures():
            return self._rows(self._begun(write=True, ahead=ahead))

    def _begun(self, *, write: bool, ahead: Ahead | None = None) -> Connection:
        connection = self._idle()
        questions: list[Question] = []
        if ahead is not None:
            foresight = Foresight(connection.state)
            ahead(Rows(cast("Database", foresight), _no_tokens, self._remembered.copy()))
            questions = list(foresight.questions)
        try:
            self._reading = connection.begin(write=write, questions=questions)
        except errors.LockNotAvailable as error:
            raise StoreBusy(self._held_by(connection), remedy="Resume or end that process.") from error
        except psycopg.Error:
            if not connection.lost:
                raise
            # It was cut while nobody used it, and nothing was asked for yet: the next one may do.
            connection = self._threads.connection = self._connect()
            self._reading = connection.begin(write=write, questions=questions)
        return connection

    def _end(self, error: BaseException | None) -> None:
        connection: Connection = self._threads.connection
        if error is not None:
            connection.rollback()
            self._raise_clearly(error)
            return
        try:
            connection.commit()
        except psycopg.Error as failed:
            if connection.mark is None or not self._happened(connection.mark, failed):
                self._raise_clearly(failed)
                raise

    def _happened(self, mark: Mark, failed: psycopg.Error) -> bool:
        """Find out whether a commit without an answer happened.

        Raises:
            StoreError: it cannot be known, because the server did not come back in time.
        """
        until = time.monotonic() + OUTCOME_S_MAX
        while True:
            try:
                # Under the lock: what the lost connection had begun is committed or undone by then.
                fresh = self._begun(write=True)
                try:
                    row = fresh.one("SELECT nonce FROM commits WHERE slot = ?", (mark.number % COMMITS_KEPT,))
                    newest = self._reading.counters["commits"] if self._reading else 0
                finally:
                    fresh.rollback()
                if row is not None and row[0] == mark.nonce:
                    if not fresh.pooled:
                        fresh.flush()
                    return True
                if newest < mark.number + COMMITS_KEPT:
                    return False
                break
            except (psycopg.Error, StoreError):
                if time.monotonic() > until:
                    break
                time.sleep(RETRY_S)
        raise StoreError(
            f"The connection to the store {self.path} was lost during a commit, and it cannot be known whether it happened.",
            remedy="Once the server is back, repeat the command: what it did already is not done twice.",
        ) from failed

    @contextmanager
    def read(self) -> Iterator[Rows]:
        """See ``coordinator.ports.Store.read``."""
        with self._failures():
            connection = self._begun(write=False)
            try:
                yield self._rows(connection)
            finally:
                connection.rollback()

    def _rows(self, connection: Connection) -> Rows:
        return Rows(connection, self._take_tokens(connection), self._remembered)

    def _take_tokens(self, connection: Connection) -> Callable[[int], int]:
        def take(count: int) -> int:
            state = connection.state
            assert state is not None, "tokens are taken in a transaction"
            epoch, last = state.counters["epoch"], state.counters["token"]
            if state.server != state.known_server or last + count >> TOKEN_SEQUENCE_BITS:
                # Another cluster, a standby that was promoted, or a restart, behind which an older copy may stand.
                epoch, last = max(epoch + 1, int(state.clock_s - EPOCHS_SINCE_S) // EPOCH_SPAN_S), 0
                connection.run(
                    "INSERT INTO settings VALUES ('server', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    (state.server,),
                )
                state.known_server = state.server
            state.counters["epoch"], state.counters["token"] = epoch, last + count
            connection.touch()
            return value(epoch, last + 1)

        return take

    @property
    def trips(self) -> int:
        """Return how often this thread has waited for the server in transactions."""
        return self._connection().trips

    def notify(self, name: str) -> None:
        """Tell the listeners of every machine that a bell was rung; a ring that is lost costs a second at most."""
        with suppress(psycopg.Error):
            connection = self._connection()
            if not connection.in_transaction:
                connection.raw.execute(_NOTIFY, (self.channel, name))

    def reading(self) -> State:
        """Return a reading of the server's clock that is young enough to go on from."""
        found = self._reading
        connection: Connection | None = getattr(self._threads, "connection", None)
        inside = connection is not None and connection.in_transaction
        if found is None or (not inside and local_s() - found.local_s > READING_S_MAX):
            with self.read():
                found = self._reading
        assert found is not None
        return found

    def version(self) -> int:
        """Return a number that changes whenever anybody commits; cheap enough to poll for display."""
        with self._failures():
            connection = self._connection()
            if not connection.in_transaction:
                connection = self._begun(write=False)
                connection.rollback()
            return connection.state.counters["commits"] if connection.state else 0

    def check(self) -> list[str]:
        """Return what is wrong with the tables; their pages are the server's business (``pg_amcheck``)."""
        with self._failures():
            rows = (
                self
                ._idle()
                .raw.execute(
                    "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n "
                    "ON n.oid = c.relnamespace WHERE n.nspname = $1 AND NOT i.indisvalid",
                    (self._address.schema,),
                )
                .fetchall()
            )
        return [f"index {name} is not valid: REINDEX INDEX {name}" for (name,) in rows]

    def close(self) -> None:
        """Close this thread's connection."""
        connection: Connection | None = getattr(self._threads, "connection", None)
        if connection is not None:
            connection.close()
            del self._threads.connection

    # Failures.

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.Error, UnicodeEncodeError) as error:
            self._raise_clearly(error)
            raise

    def _raise_clearly(self, error: BaseException) -> None:
        said = clear(error, self.path)
        if said is not None:
            raise said from error

    def _held_by(self, connection: Connection) -> str:
        """Say who holds the lock, as far as the server tells this role."""
        with suppress(psycopg.Error):
            row = connection.raw.execute(_HOLDER, (_LOCK_SPACE, self._key_low)).fetchone()
            if row is not None:
                pid, user, host, program, state, others = row
                crowd = f"; {others} more wait for it" if others else ""
                return (
                    f"The store {self.path} is locked by {program or 'a program'} "
                    f"(server process {pid}, role {user}, from {host or 'this machine'}, {state or 'state unknown'}) "
                    f"for over {self._lock_wait_s_max:g} s{crowd}."
                )
        return f"The store {self.path} was locked for over {self._lock_wait_s_max:g} s, and is free now."


def _no_tokens(_: int) -> int:
    raise RuntimeError("tokens cannot be foreseen")


class _Clock:
    """The server's clock: read when a transaction begins, carried on by a clock of this host that nobody sets."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    def now(self) -> Instant:
        """Return one reading; the cluster stands for the boot, since it is what the seconds are counted by."""
        found = self._store.reading()
        now_s = found.clock_s + local_s() - found.local_s
        return Instant(boot_id=f"postgresql-{found.system}", boot_s=now_s, wall_s=now_s)


class _Transaction:
    """One write transaction as a context manager."""

    __slots__ = ("_begin", "_end")

    def __init__(self, begin: Callable[[], Rows], end: Callable[[BaseException | None], None]) -> None:
        self._begin = begin
        self._end = end

    def __enter__(self) -> Rows:
        return self._begin()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        self._end(error)


_OPEN: WeakSet[Connection] = WeakSet()
"""Every open connection of this process."""
_INHERITED: list[Connection] = []
"""Connections that a fork copied from its parent: to close them would end the parent's. They are kept, and let be."""


def _before_fork() -> None:
    _at_fork.extend(_OPEN)


_at_fork: list[Connection] = []


def _in_child() -> None:
    _INHERITED.extend(_at_fork)
    _at_fork.clear()


os.register_at_fork(before=_before_fork, after_in_parent=_at_fork.clear, after_in_child=_in_child)


def _steps() -> list[tuple[int, str]]:
    """Return the numbered migrations in order."""
    folder = resources.files("pucs.store") / "migrations" / "postgres"
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name
    )
    return [(int(file.name[:4]), file.read_text(encoding="utf-8")) for file in files]
