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

from pucs.store.postgres_dialect import numbered, translated, written
from pucs.store.postgres_line import Line, array

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# What the library would say of a connection that is cut is said by our own errors.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

Question = tuple[str, tuple[Any, ...]]
"""A statement of the rows, and its parameters."""
COMMITS_KEPT = 16_384
"""Transactions whose outcome can be asked for afterwards: a minute of the fastest server."""
IDLE_S_MAX = 15
"""Time after which the server ends a transaction whose client does nothing (a stopped process, a dead machine): they take
milliseconds, and everybody waits for this one."""
PLANNED_FOR = 1_000
"""Rows and commits that may be added to an empty store before its statements are planned anew; then as many as there were."""
_REVISION = "SELECT value FROM counters WHERE name = 'revision'"
_ANY = {
    "SELECT 1 FROM requests LIMIT 1": "requests",
    "SELECT 1 FROM intent_resources LIMIT 1": "intent_resources",
}
"""What every lease verb asks first, and the usual answer is no: it comes with the answer that opens the transaction."""
_FILLS = tuple(f"INSERT INTO {table} " for table in _ANY.values())
_STATE = b"""SELECT extract(epoch FROM clock_timestamp())::float8, string_agg(name || ' ' || value, ' '),
    EXISTS (SELECT FROM requests), EXISTS (SELECT FROM intent_resources), max(tableoid::bigint),
    (SELECT value FROM settings WHERE name = 'server')"""
_SERVER = b"""(SELECT system_identifier FROM pg_control_system()), CASE WHEN pg_is_in_recovery() THEN NULL ELSE
    concat(substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), '/', pg_postmaster_start_time()) END"""
_WHERE = b" FROM counters"
_OPEN = _STATE + _WHERE
_OPEN_ANYWHERE = _STATE + b", " + _SERVER + _WHERE
_BEGIN_READ = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_LOCK = b"SELECT set_config('synchronous_commit', 'off', true), pg_advisory_xact_lock($1)"
_LOCK_POOLED = b"SELECT pg_advisory_xact_lock($1)"
_COUNT = (
    b"WITH counted AS (UPDATE counters c SET value = n.value FROM unnest($1::text[], $2::bigint[]) AS n (name, value) "
    b"WHERE c.name = n.name) INSERT INTO commits (slot, nonce) VALUES ($3, $4) "
    b"ON CONFLICT (slot) DO UPDATE SET nonce = excluded.nonce"
)
_FLUSH = b"SELECT pg_logical_emit_message(true, 'pucs', '')"
_SETTINGS = (
    b"SELECT set_config('search_path', $1, $4), set_config('lock_timeout', $2, $4), "
    b"set_config('idle_in_transaction_session_timeout', $3, $4), set_config('synchronous_commit', "
    b"CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, $4), "
    # Every question has its index, whatever the statistics of a young table say.
    b"set_config('enable_seqscan', 'off', $4), set_config('plan_cache_mode', 'force_generic_plan', $4), "
    b"set_config('jit', 'off', $4)"
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
    server: str
    """The cluster, its timeline and start, and the tables' own number, which is another one after they were restored."""
    known_server: str
    """The same as the store noted it last."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Names one write transaction, so that its outcome can be asked for."""

    number: int
    nonce: int


class Foresight:
    """The asking half of ``store.rows.database.Database``, for whoever says what it will ask: notes it and answers nothing."""

    def __init__(self, state: State | None) -> None:
        """Note questions; ``state`` is what the server said last."""
        self._state = state
        self.questions: dict[Question, None] = {}

    def all(self, text: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Note a question; one that cannot be sent is left to whoever asks it, who may have better words for it."""
        words = "".join(value for value in parameters if isinstance(value, str))
        with suppress(UnicodeEncodeError):
            if b"\0" not in words.encode():
                self.questions[text, tuple(parameters)] = None
        return []

    def one(self, text: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Note a question whose answer does not come with every opening."""
        if text == _REVISION:
            return (self._state.counters["revision"],) if self._state else None
        if text in _ANY:
            filled = self._state is not None and _ANY[text] not in self._state.empty
            return (1,) if filled else None
        self.all(text, parameters)
        return None


class Connection:
    """Implements ``store.rows.database.Database``."""

    def __init__(self, parameters: dict[str, Any], schema: str, key: int, *, lock_wait_s_max: float) -> None:
        """Connect."""
        self.pid = os.getpid()
        self.in_transaction = False
        self.state: State | None = None
        self.mark: Mark | None = None
        self._key = key
        self._wrote = False
        self._before: dict[str, int] = {}
        self._planned = 0
        self._known: dict[Question, list[tuple[Any, ...]]] = {}
        self.raw = psycopg.connect(
            **parameters, autocommit=True, cursor_factory=RawCursor, prepare_threshold=None
        )
        try:
            self._settings = [
                sql.Identifier(schema).as_string(),
                str(max(1, int(lock_wait_s_max * 1000))),
                f"{IDLE_S_MAX}s",
            ]
            row: Any = self.raw.execute(b"SELECT pg_backend_pid(), " + _SERVER).fetchone()
            self._backend: int = row[0]
            self.pooled = self.through_a_pooler()
            # A server keeps its timeline as long as it is not promoted, and behind a pooler it is another one each time.
            self._server: tuple[int, str] | None = None if self.pooled or not row[2] else row[1:]
            if not self.pooled:
                self.raw.execute(_SETTINGS, (*self._settings, "false"))
            self._line = Line(self.raw, prepare=not self.pooled)
        except BaseException:
            self.raw.close()
            raise

    def through_a_pooler(self) -> bool:
        """Tell whether a pooler stands in front of the server: then nothing may be set for longer than a transaction.

        It shows by its own process id, which it gives in place of the server's.
        """
        return self._backend != self.raw.info.backend_pid

    @property
    def trips(self) -> int:
        """Return how often somebody has waited for the server on this connection, in transactions."""
        return self._line.trips

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

    def begin(self, *, write: bool, questions: Sequence[Question] = ()) -> State:
        """Begin a transaction, for writing under the store's lock; everything goes out at once.

        ``questions`` will be asked in it, most likely: their answers come along.
        """
        send = self._line.send
        try:
            self._line.enter()
            send(b"BEGIN" if write else _BEGIN_READ)
            if self.pooled:
                send(_SETTINGS, (*self._settings, "true"))
            self._plan_anew()
            if write:
                send(_LOCK_POOLED if self.pooled else _LOCK, (self._key,))
            send(_OPEN if self._server else _OPEN_ANYWHERE)
            for text, parameters in questions:
                send(translated(text), parameters)
            (row,), *found = self._line.answers(1 + len(questions))
        except BaseException:
            self.rollback()
            raise
        self._known = dict(zip(questions, found, strict=True))
        words = (row[1] or "").split()
        counters = dict(zip(words[::2], map(int, words[1::2]), strict=True))
        empty = {table for table, found in zip(_ANY.values(), row[2:4], strict=True) if not found}
        system, start = self._server or row[6:8]
        self.state = State(
            row[0], local_s(), system, counters, empty, f"{system}/{start}/{row[4]}", row[5] or ""
        )
        self.in_transaction, self._wrote, self.mark = True, False, None
        self._before = dict(self.state.counters)
        return self.state

    def _plan_anew(self) -> None:
        """Let the server plan anew when much was added: by what it planned for an empty table it reads all of a full one."""
        happened = sum(self.state.counters.values()) - self.state.counters["epoch"] if self.state else 0
        if happened > 2 * self._planned + PLANNED_FOR:
            self._planned = happened
            self._line.send(b"DISCARD PLANS")

    def commit(self) -> None:
        """Commit; afterwards ``mark`` names the transaction if it wrote anything.

        Raises:
            psycopg.Error: it failed, or the connection was lost before the answer; then only the mark can tell.
        """
        try:
            if self._wrote:
                self._send_commit()
            else:
                self._line.send(b"COMMIT")
            self._line.leave()
        except BaseException:
            self.rollback()
            raise
        self.in_transaction = False

    def _send_commit(self) -> None:
        assert self.state is not None
        counters = self.state.counters
        counters["commits"] += 1
        mark = Mark(counters["commits"], secrets.randbits(63))
        changed = [name for name, value in counters.items() if self._before[name] != value]
        self._line.send(
            _COUNT,
            (
                array(changed),
                array(counters[name] for name in changed),
                mark.number % COMMITS_KEPT,
                mark.nonce,
            ),
        )
        self.mark = mark
        self._line.send(b"COMMIT")
        if not self.pooled:
            self._line.send(_FLUSH)

    def rollback(self) -> None:
        """Undo what is open; a connection on which that fails is closed, and the server undoes it."""
        self.in_transaction = False
        try:
            if not self.lost and self._line.open:
                with suppress(psycopg.Error):
                    self._line.leave()
            if not self.lost and not self._line.idle:
                self.raw.execute(b"ROLLBACK")
        except psycopg.Error:
            self.raw.close()

    def touch(self) -> None:
        """Note that counters changed, so that the commit writes them."""
        self._wrote = True

    def flush(self) -> None:
        """Wait until everything committed so far is on disk."""
        self.raw.execute(_FLUSH)

    def all(self, text: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return every row."""
        if self._known and (found := self._known.get((text, tuple(parameters)))) is not None:
            return found
        self._line.send(translated(text), parameters)
        return self._line.answer()

    def one(self, text: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row, None if there is none."""
        if self.state is not None and not self._wrote and text == _REVISION:
            return (self.state.counters["revision"],)
        if self.state is not None and _ANY.get(text) in self.state.empty:
            return None
        rows = self.all(text, parameters)
        return rows[0] if rows else None

    def run(self, text: str, parameters: Sequence[Any] = ()) -> None:
        """Send a statement."""
        self._wrote = True
        if self.state is not None and self.state.empty and text.startswith(_FILLS):
            self.state.empty.clear()
        if self._known:
            table = written(text)
            self._known = {
                question: rows for question, rows in self._known.items() if table not in question[0]
            }
        self._line.send(translated(text), parameters)

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
        return self._line.changes()
