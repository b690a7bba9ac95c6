"""Waivers in and out of their table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pucs.conflicts.requests import Waiver, WaiverState

if TYPE_CHECKING:
    from pucs.store.rows.database import Database

_COLUMNS = (
    "session",
    "resource",
    "covered_by",
    "agent",
    "stream",
    "reason",
    "state",
    "asked_by",
    "asked_at",
    "decided_by",
    "decided_at",
    "expires_s",
    "boot_id",
    "expires_at",
    "conflict",
)
_VALUES = ", ".join(_COLUMNS)
_SELECT = f"SELECT id, {_VALUES} FROM waivers "  # noqa: S608 - constant text


class WaiverRows:
    """See ``coordinator.tables.WaiverRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def add(self, waiver: Waiver) -> int:
        """Record a waiver and return its id."""
        return self._database.insert(
            f"INSERT INTO waivers ({_VALUES}) VALUES ({', '.join('?' * len(_COLUMNS))})",  # noqa: S608 - constant text
            _values(waiver),
        )

    def get(self, waiver: int) -> Waiver | None:
        """Return one waiver."""
        row = self._database.one(_SELECT + "WHERE id = ?", (waiver,))
        return _waiver(row) if row else None

    def put(self, waiver: Waiver) -> None:
        """Overwrite a waiver that was decided."""
        assignments = ", ".join(f"{column} = ?" for column in _COLUMNS)
        self._database.run(
            f"UPDATE waivers SET {assignments} WHERE id = ?",  # noqa: S608 - constant text
            (*_values(waiver), waiver.id),
        )

    def all(self, session: str) -> list[Waiver]:
        """Return the waivers of a session by id."""
        return [
            _waiver(row) for row in self._database.all(_SELECT + "WHERE session = ? ORDER BY id", (session,))
        ]


def _values(waiver: Waiver) -> tuple[Any, ...]:
    return tuple(waiver.state.value if column == "state" else getattr(waiver, column) for column in _COLUMNS)


def _waiver(row: tuple[Any, ...]) -> Waiver:
    fields = dict(zip(("id", *_COLUMNS), row, strict=True))
    return Waiver(**fields | {"state": WaiverState(fields["state"])})
