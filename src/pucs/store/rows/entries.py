"""The cross-log in and out of its tables, every question answered by an index."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pucs.core.resources import descendants_range
from pucs.crosslog.records import Entry, Level, Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pucs.store.rows.database import Database

_INSERT_FILE = "INSERT INTO entry_files VALUES (?, ?)"
_INDEXED_LEVELS = {Level.CONFLICT, Level.ERROR, Level.CHANGE}
# The words of the partial index on actions; crosslog.patterns.NOTED names them for the detectors.
_NOTED = ("lease expired", "lease lapsed", "lease reclaimed", "lock claimed", "lock wait timed out")
_IS_NOTED = (
    "e.action IN ('lease expired', 'lease lapsed', 'lease reclaimed', 'lock claimed', 'lock wait timed out')"
)
_COLUMNS = "seq, timestamp, session, agent, stream, level, action, files, details"


class EntryRows:
    """See ``coordinator.tables.EntryRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def add(self, entry: Entry) -> int:
        """Append an entry and return its sequence number."""
        seq = self._database.insert(
            "INSERT INTO entries (timestamp, session, agent, stream, level, action, files, details) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry.timestamp,
                entry.session,
                entry.agent,
                entry.stream,
                entry.level,
                entry.action,
                json.dumps(entry.files) if entry.files else "[]",
                json.dumps(entry.details) if entry.details else "{}",
            ),
        )
        if len(entry.files) == 1:
            self._database.run(_INSERT_FILE, (entry.files[0], seq))
        elif entry.files:
            self._database.many(_INSERT_FILE, [(file, seq) for file in set(entry.files)])
        return seq

    def select(self, query: Query) -> list[Entry]:
        """Return the newest entries that match, oldest first."""
        conditions, parameters = _conditions(query)
        source = "entries e"
        if query.file:
            source = "entry_files f JOIN entries e ON e.seq = f.seq"
            below = descendants_range(query.file) if query.file.endswith("/") else None
            conditions.append("(f.file = ? OR (f.file >= ? AND f.file < ?))" if below else "f.file = ?")
            parameters.extend([query.file, *below] if below else [query.file])
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        distinct = "DISTINCT " if query.file.endswith("/") else ""
        order = "f.seq" if query.file and not distinct else "e.seq"
        columns = ", ".join(f"e.{column}" for column in _COLUMNS.split(", "))
        rows = self._database.all(
            f"SELECT {distinct}{columns} FROM {source}{where} ORDER BY {order} DESC LIMIT ?",  # noqa: S608 - fixed parts
            [*parameters, query.limit],
        )
        return [_entry(row) for row in reversed(rows)]

    def first_since(self, since: str) -> int:
        """Return the sequence number of the first entry at or after a wall time, 0 if there is none."""
        row = self._database.one(
            "SELECT seq FROM entries WHERE timestamp >= ? ORDER BY timestamp, seq LIMIT 1", (since,)
        )
        return int(row[0]) if row else 0

    def count(self, *, after_seq: int = 0, actions: Sequence[str] = ()) -> int:
        """Return how many entries there are behind one, of these actions or of any."""
        if not actions and not after_seq:
            row = self._database.one("SELECT count(*) FROM entries")
        else:
            narrowed = f" AND action IN ({', '.join('?' * len(actions))})" if actions else ""
            row = self._database.one(
                f"SELECT count(*) FROM entries WHERE seq > ?{narrowed}",  # noqa: S608 - fixed parts
                (after_seq, *actions),
            )
        return int(row[0]) if row else 0

    def oldest(self, after_seq: int, limit: int) -> list[Entry]:
        """Return the oldest entries behind one, in order."""
        rows = self._database.all(
            f"SELECT {_COLUMNS} FROM entries WHERE seq > ? ORDER BY seq LIMIT ?",  # noqa: S608 - constant text
            (after_seq, limit),
        )
        return [_entry(row) for row in rows]

    def remove(self, entries: Iterable[Entry]) -> None:
        """Remove entries for good."""
        for entry in entries:
            self._database.many(
                "DELETE FROM entry_files WHERE file = ? AND seq = ?",
                [(file, entry.seq) for file in set(entry.files)],
            )
            self._database.run("DELETE FROM entries WHERE seq = ?", (entry.seq,))


def _conditions(query: Query) -> tuple[list[str], list[Any]]:
    """Return what narrows the entries themselves, with the values for it."""
    conditions: list[str] = []
    parameters: list[Any] = []
    for column, wanted in (("session", query.session), ("stream", query.stream), ("agent", query.agent)):
        if wanted:
            conditions.append(f"e.{column} = ?")
            parameters.append(wanted)
    if query.since:
        # As a number in the log's order, so that whatever index is chosen stops there instead of at the first entry.
        conditions.append("e.seq >= (SELECT min(seq) FROM entries WHERE timestamp >= ?) AND e.timestamp >= ?")
        parameters.extend((query.since, query.since))
    if query.after_seq:
        conditions.append("e.seq > ?")
        parameters.append(query.after_seq)
    if query.level is not None:
        if query.level in _INDEXED_LEVELS:
            conditions.append("e.level IN ('CONFLICT', 'ERROR', 'CHANGE')")  # the words of the partial index
        conditions.append("e.level = ?")
        parameters.append(query.level.value)
    if query.least is not None and query.least.below():
        conditions.append(f"e.level NOT IN ({', '.join('?' * len(query.least.below()))})")
        parameters.extend(level.value for level in query.least.below())
    if query.actions:
        if set(query.actions) <= set(_NOTED):
            conditions.append(_IS_NOTED)
        conditions.append(f"e.action IN ({', '.join('?' * len(query.actions))})")
        parameters.extend(query.actions)
    return conditions, parameters


def _entry(row: tuple[Any, ...]) -> Entry:
    return Entry(
        seq=row[0],
        timestamp=row[1],
        session=row[2],
        agent=row[3],
        stream=row[4],
        level=Level(row[5]),
        action=row[6],
        files=tuple(json.loads(row[7])),
        details=json.loads(row[8]),
    )
