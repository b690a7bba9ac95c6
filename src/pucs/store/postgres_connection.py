"""One connection to PostgreSQL inside one transaction: statements are sent without waiting until an answer is needed.

All writers of a store take one advisory lock for their transaction. Every answer waited for under it is time in which nobody
else works, so a statement that returns nothing is only sent, the last number of every table comes with the answer that
opens the transaction, and the lock is given back before the disk has confirmed the commit: the log is written in order,
so whoever builds on a commit that is not on disk yet is told of its own only when both are.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import RawCursor, sql
from psycopg.pq import TransactionStatus

from pucs.store.postgres_dialect import numbered, translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager

    from psycopg import Cursor

# What the library would say of a connection that is cut is said by our own errors.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

COMMITS_KEPT = 16_384
"""Transactions whose outcome can be asked for afterwards: a minute of the fastest server."""
IDLE_S_MAX = 15
"""Time after which the server ends a transaction whose client does nothing (a stopped process, a dead machine): they take
milliseconds, and everybody waits for this one."""
PREPARE_AFTER = 2
"""Uses after which a statement is prepared on the server."""
_REVISION = "SELECT value FROM counters WHERE name = 'revision'"
_ANY = {
    "SELECT 1 FROM requests LIMIT 1": "requests",
    "SELECT 1 FROM intent_resources LIMIT 1": "intent_resources",
}
"""What every lease verb asks first, and the usual answer is no: it comes with the answer that opens the transaction."""
_FILLS = tuple(f"INSERT INTO {table} " for table in _ANY.values())
_STATE = b"""SELECT extract(epoch FROM clock_timestamp())::float8, (SELECT system_identifier FROM pg_control_system()),
    (SELECT array_agg(name ORDER BY name) FROM counters), (SELECT array_agg(value ORDER BY name) FROM counters),
    EXISTS (SELECT FROM requests), EXISTS (SELECT FROM intent_resources)"""
_SERVER = b""", concat(substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), '/', pg_postmaster_start_time()),
    (SELECT value FROM settings WHERE name = 'server')"""
_OPEN = _STATE + _SERVER
_BEGIN_READ = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_LOCK = b"SELECT set_config('synchronous_commit', 'off', true), pg_advisory_xact_lock($1)"
_LOCK_POOLED = b"SELECT pg_advisory_xact_lock($1)"
_COUNT = (
    b"UPDATE counters c SET value = n.value FROM unnest($1::text[], $2::bigint[]) AS n (name, value) "
    b"WHERE c.name = n.name"
)
_MARK = b"INSERT INTO commits (slot, nonce) VALUES ($1, $2) ON CONFLICT (slot) DO UPDATE SET nonce = excluded.nonce"
_FLUSH = b"SELECT pg_logical_emit_message(true, 'pucs', '')"
_SETTINGS = (
    "SELECT set_config('search_path', $1, $4), set_config('lock_timeout', $2, $4), "
    "set_config('idle_in_transaction_session_timeout', $3, $4), set_config('synchronous_commit', "
    "CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, $4), "
    # Every question has its index, whatever the statistics of a young table say.
    "set_config('enable_seqscan', 'off', $4), set_config('plan_cache_mode', 'force_generic_plan', $4), "
    "set_config('jit', 'off', $4)"
)


def local_s() -> float:
    """Return seconds by a clock of this host that nobody sets and that counts suspend, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(slots=True)
class State:
    """What the server said when the transaction began."""

    clock_s: float
    """Seconds since 1970 by the server's clock."""
    local_s: float
    """What our own clock showed when we read it."""
    system: int
    """The cluster."""
    counters: dict[str, int]
    empty: set[str]
    """Tables known to be without rows."""
    server: str = ""
    """The server's timeline and start; empty in a read transaction."""
    known_server: str = ""
    """The same as the store noted it last."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Names one write transaction, so that its outcome can be asked for."""

    number: int
    nonce: int


class Connection:
    """Implements ``store.rows.database.Database``."""

    def __init__(self, parameters: dict[str, Any], schema: str, key: int, *, lock_wait_s_max: float) -> None:
        """Connect."""
        self.pid = os.getpid()
        self.in_transaction = False
        self.state: State | None = None
        self.mark: Mark | None = None
        self._key = key
        self._pipeline: AbstractContextManager[Any] | None = None
        self._last: Cursor[Any] | None = None
        self._wrote = False
        self._before: dict[str, int] = {}
        self.raw = psycopg.connect(
            **parameters, autocommit=True, cursor_factory=RawCursor, prepare_threshold=PREPARE_AFTER
        )
        try:
            self._settings = [
                sql.Identifier(schema).as_string(),
                str(max(1, int(lock_wait_s_max * 1000))),
                f"{IDLE_S_MAX}s",
            ]
            row = self.raw.execute("SELECT pg_backend_pid()").fetchone()
            # A pooler in front of the server names itself: then nothing may be set for longer than a transaction.
            self.pooled = row is None or row[0] != self.raw.info.backend_pid
            if self.pooled:
                self.raw.prepare_threshold = None
            else:
                self.raw.prepared_max = 1000
                self.raw.execute(_SETTINGS, (*self._settings, False))
        except BaseException:
            self.raw.close()
            raise

    @property
    def lost(self) -> bool:
        """Tell whether there is no connection any more."""
        return self.raw.closed

    def close(self) -> None:
        """Close the connection; one that a fork inherited is let be."""
        if self.pid == os.getpid():
            self.raw.close()

    def __del__(self) -> None:
        with suppress(Exception):
            self.close()

    def begin(self, *, write: bool) -> State:
        """Begin a transaction, for writing under the store's lock; everything goes out at once."""
        self._pipeline = self.raw.pipeline()
        self._pipeline.__enter__()  # it ends with the transaction, in another method
        try:
            execute = self.raw.execute
            execute(b"BEGIN" if write else _BEGIN_READ)
            if self.pooled:
                execute(_SETTINGS, (*self._settings, True))
            if write:
                execute(_LOCK_POOLED if self.pooled else _LOCK, (self._key,))
            row = execute(_OPEN if write else _STATE).fetchone()
            assert row is not None, "this query has one row"
        except BaseException as error:
            self.rollback(error)
            raise
        names, values = row[2] or (), row[3] or ()
        empty = {table for table, found in zip(_ANY.values(), row[4:6], strict=True) if not found}
        self.state = State(row[0], local_s(), row[1], dict(zip(names, values, strict=True)), empty)
        if write:
            self.state.server, self.state.known_server = f"{row[1]}/{row[6]}", row[7] or ""
        self.in_transaction, self._wrote, self.mark = True, False, None
        self._before = dict(self.state.counters)
        return self.state

    def commit(self) -> None:
        """Commit; afterwards ``mark`` names the transaction if it wrote anything.

        Raises:
            psycopg.Error: it failed, or the connection was lost before the answer; then only the mark can tell.
        """
        try:
            if self._wrote:
                self._send_commit()
            else:
                self.raw.execute(b"COMMIT")
            self._leave()
        except BaseException as error:
            self.rollback(error)
            raise
        self.in_transaction = False

    def _send_commit(self) -> None:
        assert self.state is not None
        counters = self.state.counters
        counters["commits"] += 1
        mark = Mark(counters["commits"], secrets.randbits(63))
        changed = [name for name, value in counters.items() if self._before[name] != value]
        self.raw.execute(_COUNT, (changed, [counters[name] for name in changed]))
        self.raw.execute(_MARK, (mark.number % COMMITS_KEPT, mark.nonce))
        self.mark = mark
        self.raw.execute(b"COMMIT")
        if not self.pooled:
            self.raw.execute(_FLUSH)

    def rollback(self, error: BaseException | None = None) -> None:
        """Undo what is open; a connection on which that fails is closed, and the server undoes it."""
        self.in_transaction = False
        try:
            if self._pipeline is not None:
                with suppress(psycopg.Error):
                    self._leave(error or psycopg.Error())
            if self.raw.info.transaction_status != TransactionStatus.IDLE:
                self.raw.execute(b"ROLLBACK")
        except psycopg.Error:
            self.raw.close()

    def _leave(self, error: BaseException | None = None) -> None:
        pipeline, self._pipeline, self._last = self._pipeline, None, None
        assert pipeline is not None
        if error is None:
            pipeline.__exit__(None, None, None)
            return
        with suppress(BaseException):
            pipeline.__exit__(type(error), error, error.__traceback__)

    def touch(self) -> None:
        """Note that counters changed, so that the commit writes them."""
        self._wrote = True

    def flush(self) -> None:
        """Wait until everything committed so far is on disk."""
        self.raw.execute(_FLUSH)

    def all(self, text: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return every row."""
        return self.raw.execute(translated(text), parameters).fetchall()

    def one(self, text: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row, None if there is none."""
        if self.state is not None and not self._wrote and text == _REVISION:
            return (self.state.counters["revision"],)
        if self.state is not None and _ANY.get(text) in self.state.empty:
            return None
        return self.raw.execute(translated(text), parameters).fetchone()

    def run(self, text: str, parameters: Sequence[Any] = ()) -> None:
        """Send a statement."""
        self._wrote = True
        if self.state is not None and self.state.empty and text.startswith(_FILLS):
            self.state.empty.clear()
        self._last = self.raw.execute(translated(text), parameters)

    def many(self, text: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Send a statement once for each set of parameters."""
        for each in parameters:
            self.run(text, each)

    def insert(self, text: str, parameters: Sequence[Any] = ()) -> int:
        """Send an insert and return the id it is given."""
        assert self.state is not None
        table, statement = numbered(text)
        number = self.state.counters[table] = self.state.counters[table] + 1
        self.run(statement, (number, *parameters))
        return number

    def changes(self) -> int:
        """Return how many rows the last statement changed."""
        assert self._last is not None
        if self.raw._pipeline is not None:  # noqa: SLF001
            self.raw._pipeline.sync()  # noqa: SLF001
        return self._last.rowcount
