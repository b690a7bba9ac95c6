"""Every row that belongs to a session, as it stands in the tables: out of one store and into another."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pucs.core.ids import TOKEN_SEQUENCE_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.store.rows.database import Database

PAGE = 500
"""Rows that are read or looked up at once."""
_NOTE = "moves/"
"""What the store knows of a session's moves stands under this and its id among the settings."""


@dataclass(frozen=True, slots=True)
class _Table:
    """One table, and which of its rows are a session's."""

    columns: tuple[str, ...]
    key: tuple[str, ...]
    """What rows are ordered by; the same order in both databases, so no name of a stream."""
    where: str = "session = ?"
    single: bool = False
    """The first column identifies a row among those of all sessions."""


def _table(columns: str, key: str, where: str = "session = ?", *, single: bool = False) -> _Table:
    return _Table(tuple(columns.split()), tuple(key.split()), where, single)


_OF_AGENTS = "agent IN (SELECT id FROM agents WHERE session = ?)"
TABLES = {
    "settings": _table("name value", "name", "name = 'configuration'"),
    "sessions": _table("id state base target branch started_at ended_at", "id", "id = ?"),
    "streams": _table("session position name branch state definition", "position"),
    "secrets": _table("agent digest", "agent", _OF_AGENTS),
    "sights": _table("agent path digest token", "agent path", _OF_AGENTS),
    "refusals": _table("agent resource", "agent resource", _OF_AGENTS),
    "conversations": _table(
        "program id session agent place refusals denied briefings begun_at", "program id"
    ),
    "agents": _table(
        "id session incarnation stream phase program worktree branch owner enforcement heartbeat_s boot_id "
        "registered_at task halt halted_by halted_because",
        "id",
        single=True,
    ),
    "tasks": _table("session id position state stream record", "id"),
    "leases": _table(
        "token resource mode agent stream task session state request boot_id granted_s expires_s limit_s claim_by_s "
        "granted_at expires_at noted landing owner ended_s end_reason warned",
        "token",
        single=True,
    ),
    "landing_paths": _table("session resource stream landing", "resource landing"),
    "landings": _table('id session stream agent task "commit" before paths landed_at', "id", single=True),
    "intent_resources": _table(
        "resource intent", "intent resource", "intent IN (SELECT id FROM intents WHERE session = ?)"
    ),
    "intents": _table(
        "id session agent stream task planned description estimated_duration_s state boot_id declared_s expires_s "
        "declared_at expires_at contests ended_at why",
        "id",
        single=True,
    ),
    "partitions": _table(
        "id session file parties scopes waits accepted requests state boot_id deadline_s proposed_at deadline_at "
        "ended_at why",
        "id",
        single=True,
    ),
    "messages": _table(
        "id session kind sender recipient text details conflict about boot_id expires_s sent_at delivered_s "
        "delivered_at deliveries ending ended_at",
        "id",
        single=True,
    ),
    "handoffs": _table(
        "id session giver receivers stream task signal contents transfer state accepted_by taken_by given_at closed_at",
        "id",
        single=True,
    ),
    "conflicts": _table(
        "id session kind severity status parties resources strategy decision evidence opened_at resolved_at decided_by "
        "deadline_s boot_id deadline_at",
        "id",
        single=True,
    ),
    "waivers": _table(
        "id session resource covered_by agent stream reason state asked_by asked_at decided_by decided_at expires_s "
        "boot_id expires_at conflict",
        "id",
        single=True,
    ),
    "test_runs": _table(
        'id session stream agent task "commit" tree command result status duration_s output at',
        "id",
        single=True,
    ),
    "entries": _table("seq timestamp session agent stream level action files details", "seq", single=True),
}
"""What moves, in this order; those that are found through another table come before it, so that they can be forgotten first."""
STAYS = {
    "counters": "each store counts for itself; what is moved raises its numbers",
    "commits": "outcomes of a database's last transactions",
    "requests": "a session in which somebody waits is not idle",
    "request_resources": "as above",
    "intentions": "a session in which a ref is about to move is not idle",
    "entry_files": "an index of what the entries say",
}
"""What does not, and why."""


class MoveRows:
    """See ``coordinator.tables.MoveRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Return the columns of every table that moves."""
        return {name: tuple(column.strip('"') for column in table.columns) for name, table in TABLES.items()}

    def page(self, table: str, session: str, after: Sequence[Any] | None) -> list[tuple[Any, ...]]:
        """Return the next rows of a session behind one of them, in order."""
        kind = TABLES[table]
        key = ", ".join(kind.key)
        parameters = [session] * kind.where.count("?")
        condition = kind.where
        if after is not None:
            condition += f" AND ({key}) > ({', '.join('?' * len(kind.key))})"
            parameters += [after[kind.columns.index(column)] for column in kind.key]
        return self._database.all(
            f"SELECT {', '.join(kind.columns)} FROM {table} WHERE {condition} ORDER BY {key} LIMIT {PAGE}",  # noqa: S608 - our own names
            parameters,
        )

    def taken(self, table: str, session: str, firsts: Sequence[Any]) -> list[tuple[Any, str]]:
        """Return which of these first columns stand for a row of another session here, each with that session."""
        kind = TABLES[table]
        if not kind.single or not firsts:
            return []
        first = kind.columns[0]
        marks = ", ".join("?" * len(firsts))
        rows = self._database.all(
            f"SELECT {first}, session FROM {table} WHERE {first} IN ({marks}) AND session <> ? ORDER BY {first}",  # noqa: S608
            [*firsts, session],
        )
        return [(row[0], row[1]) for row in rows]

    def put(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add rows as they are."""
        spelled = {column.strip('"'): column for column in TABLES[table].columns}
        names = ", ".join(spelled[column] for column in columns)
        marks = ", ".join("?" * len(columns))
        self._database.many(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608 - checked by the names above
        if table == "entries":
            seq, files = columns.index("seq"), columns.index("files")
            self._database.many(
                "INSERT INTO entry_files VALUES (?, ?)",
                [(file, row[seq]) for row in rows for file in sorted(set(json.loads(row[files])))],
            )
        if TABLES[table].single and table not in {"agents", "leases"} and rows:
            # A database counts the numbers of a table apart; SQLite goes on behind the last row by itself.
            self._at_least(table, max(row[columns.index(TABLES[table].columns[0])] for row in rows))

    def last_entry(self) -> int:
        """Return the number of the newest entry of any session, 0 if there is none."""
        row = self._database.one("SELECT max(seq) FROM entries")
        return int(row[0] or 0) if row else 0

    def forget(self, session: str) -> None:
        """Remove every row of a session."""
        of_entries = "DELETE FROM entry_files WHERE seq IN (SELECT seq FROM entries WHERE session = ?)"
        self._database.run(of_entries, (session,))
        for name, table in TABLES.items():
            self._database.run(
                f"DELETE FROM {name} WHERE {table.where}",  # noqa: S608 - our own names
                [session] * table.where.count("?"),
            )

    def above(self, token: int) -> None:
        """Let every token that is granted from now on be higher; what was remembered of sessions is read anew."""
        self._at_least("epoch", (token >> TOKEN_SEQUENCE_BITS) + 1)
        self._database.run("UPDATE counters SET value = value + 1 WHERE name = 'revision'")

    def _at_least(self, counter: str, value: int) -> None:
        self._database.run(
            "UPDATE counters SET value = ? WHERE name = ? AND value < ?", (value, counter, value)
        )

    def told(self, session: str) -> dict[str, Any]:
        """Return what was noted of a session's moves, empty if it never moved."""
        row = self._database.one("SELECT value FROM settings WHERE name = ?", (_NOTE + session,))
        return dict(json.loads(row[0])) if row else {}

    def tell(self, session: str, note: dict[str, Any]) -> None:
        """Note something of a session's moves in place of what was noted."""
        self._database.run(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (_NOTE + session, json.dumps(note)),
        )
