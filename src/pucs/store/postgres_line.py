"""Statements in a row to PostgreSQL and their answers, with as few packets as there are answers to wait for.

psycopg's own pipeline sends every statement by itself and wraps each in three objects. Under the store's lock that time is
everybody's, so this speaks to the library below it: statements gather in its buffer, are prepared on first use and go out when an
answer is needed.
"""

from __future__ import annotations

import select
from collections import deque
from typing import TYPE_CHECKING, Any

from psycopg import DataError, OperationalError, errors
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus, TransactionStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from psycopg import Connection
    from psycopg.pq.abc import PGresult

_GOOD = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
_END = b""
"""Stands among what was sent for the end of a batch, which the server confirms."""


class Line:
    """The statements of one transaction after the other, over a connection that nobody else uses meanwhile."""

    def __init__(self, raw: Connection[Any], *, prepare: bool) -> None:
        """Use a connection; ``prepare`` keeps statements on the server, which a pooler cannot."""
        self._raw = raw
        self._pg = raw.pgconn
        self._prepare = prepare
        self._names: dict[bytes, bytes] = {}
        self._waiting: deque[bytes | None] = deque()
        """What was sent and has no answer yet: the text of a statement to prepare, None for one to run, or ``_END``."""
        self._poll = select.poll()
        self._found: list[PGresult] = []
        """Answers to the statements of the last batch."""
        self._transformer = Transformer(raw)
        self.trips = 0
        """How often anybody waited for the server; what a verb costs a client far away."""

    @property
    def open(self) -> bool:
        """Tell whether statements can be sent."""
        return bool(self._pg.pipeline_status)

    def enter(self) -> None:
        """Begin a row of statements."""
        self._waiting.clear()
        self._found.clear()
        self._pg.enter_pipeline_mode()

    def send(self, text: bytes, parameters: Sequence[Any] = ()) -> None:
        """Send a statement, later."""
        values = _encoded(parameters)
        if not self._prepare:
            self._pg.send_query_params(text, values)
        else:
            name = self._names.get(text)
            if name is None:
                name = self._names[text] = f"p{len(self._names)}".encode()
                self._pg.send_prepare(name, text)
                self._waiting.append(text)
            self._pg.send_query_prepared(name, values)
        self._waiting.append(None)

    def answer(self) -> list[tuple[Any, ...]]:
        """Wait for the answer to the last statement and return its rows.

        Raises:
            psycopg.Error: it or one before it failed, or the connection was lost.
        """
        return self.answers(1)[0]

    def answers(self, count: int) -> list[list[tuple[Any, ...]]]:
        """Wait for the answers to the last ``count`` statements and return the rows of each; raises as ``answer``."""
        self._settle()
        return [self._rows(found) for found in self._found[-count:]]

    def changes(self) -> int:
        """Wait for the last statement and return how many rows it changed."""
        self._settle()
        return self._found[-1].command_tuples or 0

    def leave(self) -> None:
        """Wait for everything that was sent, and end the row.

        Raises:
            psycopg.Error: the first failure among it; what came behind that was not done.
        """
        self._sync()
        failure: Exception | None = None
        while self._waiting:
            try:
                self._take()
            except errors.Error as error:
                if self._raw.closed:
                    raise
                failure = failure or error
        self._pg.exit_pipeline_mode()
        if failure is not None:
            raise failure

    def _settle(self) -> None:
        """Wait for the answers to everything that was sent."""
        if self._waiting:
            self._found.clear()
            self._sync()
            self._take()

    def _sync(self) -> None:
        # A mere request to flush would do, but only behind this does the server count how long a transaction is idle.
        self._pg.pipeline_sync()
        self._waiting.append(_END)
        self.trips += 1

    def _rows(self, found: PGresult) -> list[tuple[Any, ...]]:
        if not found.ntuples:
            return []
        self._transformer.set_pgresult(found)
        return self._transformer.load_rows(0, found.ntuples, tuple)

    def _take(self) -> None:
        """Take the answers to what was sent, in its order, until there are none left or one is a failure."""
        busy, next_result, waiting = self._pg.is_busy, self._pg.get_result, self._waiting
        while waiting:
            try:
                if busy():
                    self._arrive()
                result = next_result()
                sent = waiting.popleft()
                if sent == _END:
                    continue
                next_result()  # what separates the answers is there with them
            except BaseException:
                # Whatever it is, a Ctrl-C too: what is under way is not known, and the server undoes it with the connection.
                self._raw.close()
                raise
            if result is None:
                raise OperationalError("the server ended the row of statements")
            if result.status in _GOOD:
                if sent is None:
                    self._found.append(result)
                continue
            if sent is not None:
                del self._names[sent]
            raise errors.error_from_result(result, encoding="utf-8")

    def _arrive(self) -> None:
        """Wait until the next result is there."""
        while self._pg.flush():
            if self._wait(select.POLLIN | select.POLLOUT) & select.POLLIN:
                self._pg.consume_input()
        while self._pg.is_busy():
            self._wait(select.POLLIN)
            self._pg.consume_input()

    def _wait(self, events: int) -> int:
        self._poll.register(self._pg.socket, events)
        return self._poll.poll()[0][1]

    @property
    def idle(self) -> bool:
        """Tell whether no transaction is open on the server."""
        return self._pg.transaction_status == TransactionStatus.IDLE


def _encoded(values: Sequence[Any]) -> list[bytes | None]:
    """Return values of the few types that the tables have, as the server reads them."""
    found = [
        value.encode() if value.__class__ is str else None if value is None else _word(value)
        for value in values
    ]
    if b"\0" in b"".join(filter(None, found)):
        raise DataError("a text holds a zero byte")  # the library would cut it there without a word
    return found


def _word(value: Any) -> bytes:
    return str(value).encode() if isinstance(value, (str, float)) else b"%d" % value


def array(values: Iterable[object]) -> str:
    """Return plain names or numbers as a list that the server reads."""
    return "{" + ",".join(map(str, values)) + "}"
