"""The cross-log in and out of its tables, every question answered by an index."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pucs.core.resources import descendants_range
from pucs.crosslog.records import Entry, Level, Query

if TYPE_CHECKING:
    from pucs.store.rows.database import Database

_INSERT_FILE = "INSERT INTO entry_files VALUES (?, ?)"
_INDEXED_LEVELS = {Level.CONFLICT, Level.ERROR, Level.CHANGE}
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
                entry.level.value,
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
        conditions: list[str] = []
        parameters: list[Any] = []
        for column, wanted in (("session", query.session), ("stream", query.stream), ("agent", query.agent)):
            if wanted:
                conditions.append(f"e.{column} = ?")
                parameters.append(wanted)
        if query.since:
            # As a number in the log's order, so that whatever index is chosen stops there instead of at the first entry.
            conditions.append(
                "e.seq >= (SELECT min(seq) FROM entries WHERE timestamp >= ?) AND e.timestamp >= ?"
            )
            parameters.extend((query.since, query.since))
        if query.after_seq:
            conditions.append("e.seq > ?")
            parameters.append(query.after_seq)
        if query.level is not None:
            if query.level in _INDEXED_LEVELS:
                conditions.append(
                    "e.level IN ('CONFLICT', 'ERROR', 'CHANGE')"
                )  # the words of the partial index
            conditions.append("e.level = ?")
            parameters.append(query.level.value)
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
