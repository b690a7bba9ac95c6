"""Conflict records in and out of their table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pucs.conflicts.records import Conflict, Kind, Severity, Status, Strategy

if TYPE_CHECKING:
    from pucs.store.rows.database import Database

_VALUES = (
    "session, kind, severity, status, parties, resources, strategy, decision, evidence, opened_at, resolved_at, "
    "decided_by, deadline_s, boot_id, deadline_at"
)
_SELECT = f"SELECT id, {_VALUES} FROM conflicts "  # noqa: S608 - constant text


class ConflictRows:
    """See ``coordinator.tables.ConflictRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def add(self, conflict: Conflict) -> int:
        """Record a conflict and return its id."""
        return self._database.insert(
            f"INSERT INTO conflicts ({_VALUES}) VALUES ({', '.join('?' * 15)})",  # noqa: S608 - constant text
            _values(conflict),
        )

    def get(self, conflict: int) -> Conflict | None:
        """Return one conflict."""
        row = self._database.one(_SELECT + "WHERE id = ?", (conflict,))
        return _conflict(row) if row else None

    def put(self, conflict: Conflict) -> None:
        """Overwrite a conflict."""
        assignments = ", ".join(f"{column} = ?" for column in _VALUES.split(", "))
        self._database.run(
            f"UPDATE conflicts SET {assignments} WHERE id = ?",  # noqa: S608 - constant text
            (*_values(conflict), conflict.id),
        )

    def all(self, session: str, *, unresolved: bool = False) -> list[Conflict]:
        """Return the conflicts of a session by id."""
        narrowed = "AND status = 'open' " if unresolved else ""
        rows = self._database.all(f"{_SELECT}WHERE session = ? {narrowed}ORDER BY id", (session,))
        return [_conflict(row) for row in rows]

    def same(self, wanted: Conflict) -> int:
        """Return the first record of the same kind, parties, resources and decision in a session, 0 if there is none."""
        row = self._database.one(
            "SELECT id FROM conflicts WHERE session = ? AND kind = ? AND parties = ? AND resources = ? AND decision = ? "
            "ORDER BY id LIMIT 1",
            (
                wanted.session,
                wanted.kind.value,
                json.dumps(wanted.parties),
                json.dumps(wanted.resources),
                wanted.decision,
            ),
        )
        return int(row[0]) if row else 0

    def parked(self, session: str) -> list[Conflict]:
        """Return the open conflicts of a session that hold a parked change, by id."""
        # The text is narrowed down before anything is decoded: waits are open conflicts too, and there may be thousands.
        rows = self._database.all(
            f"{_SELECT}WHERE session = ? AND status = 'open' AND evidence LIKE '%\"salvage\"%' ORDER BY id",
            (session,),
        )
        return [found for row in rows if (found := _conflict(row)).salvage]


def _values(conflict: Conflict) -> tuple[Any, ...]:
    return (
        conflict.session,
        conflict.kind.value,
        conflict.severity.value,
        conflict.status.value,
        json.dumps(conflict.parties),
        json.dumps(conflict.resources),
        conflict.strategy.value if conflict.strategy else None,
        conflict.decision,
        json.dumps(conflict.evidence),
        conflict.opened_at,
        conflict.resolved_at,
        conflict.decided_by,
        conflict.deadline_s,
        conflict.boot_id,
        conflict.deadline_at,
    )


def _conflict(row: tuple[Any, ...]) -> Conflict:
    return Conflict(
        id=row[0],
        session=row[1],
        kind=Kind(row[2]),
        severity=Severity(row[3]),
        status=Status(row[4]),
        parties=tuple(json.loads(row[5])),
        resources=tuple(json.loads(row[6])),
        strategy=Strategy(row[7]) if row[7] else None,
        decision=row[8],
        evidence=json.loads(row[9]),
        opened_at=row[10],
        resolved_at=row[11],
        decided_by=row[12],
        deadline_s=row[13],
        boot_id=row[14],
        deadline_at=row[15],
    )
