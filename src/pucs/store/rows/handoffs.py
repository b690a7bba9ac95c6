"""Hand-offs in and out of their table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pucs.messages.handoffs import HandOff, HandOffState, as_plain, from_plain

if TYPE_CHECKING:
    from pucs.store.rows.database import Database

_VALUES = "session, giver, receivers, stream, task, signal, contents, transfer, state, accepted_by, taken_by, given_at, closed_at"
_SELECT = f"SELECT id, {_VALUES} FROM handoffs "  # noqa: S608 - constant text


class HandOffRows:
    """See ``coordinator.tables.HandOffRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def add(self, handoff: HandOff) -> int:
        """Record a hand-off and return its id."""
        return self._database.insert(
            f"INSERT INTO handoffs ({_VALUES}) VALUES ({', '.join('?' * 13)})",  # noqa: S608 - constant text
            (
                handoff.session,
                handoff.giver,
                json.dumps(handoff.to),
                handoff.stream,
                handoff.task,
                handoff.signal,
                json.dumps(as_plain(handoff.contents)),
                int(handoff.transfer),
                handoff.state.value,
                json.dumps(handoff.accepted_by),
                handoff.taken_by,
                handoff.given_at,
                handoff.closed_at,
            ),
        )

    def get(self, handoff: int) -> HandOff | None:
        """Return one hand-off."""
        row = self._database.one(_SELECT + "WHERE id = ?", (handoff,))
        return _handoff(row) if row else None

    def put(self, handoff: HandOff) -> None:
        """Write back who accepted a hand-off, and its state."""
        self._database.run(
            "UPDATE handoffs SET state = ?, accepted_by = ?, taken_by = ?, closed_at = ? WHERE id = ?",
            (
                handoff.state.value,
                json.dumps(handoff.accepted_by),
                handoff.taken_by,
                handoff.closed_at,
                handoff.id,
            ),
        )

    def all(self, session: str, *, pending: bool = False) -> list[HandOff]:
        """Return the hand-offs of a session, or only the open ones, by id."""
        narrowed = "AND state = 'open' " if pending else ""
        rows = self._database.all(f"{_SELECT}WHERE session = ? {narrowed}ORDER BY id", (session,))
        return [_handoff(row) for row in rows]

    def promised(self, giver: str) -> frozenset[str]:
        """Return the resources an agent hands over in open hand-offs that nobody has taken yet."""
        rows = self._database.all(
            "SELECT contents FROM handoffs INDEXED BY handoffs_open WHERE state = 'open' AND giver = ? AND transfer = 1 "
            "AND taken_by = ''",
            (giver,),
        )
        return frozenset(name for row in rows for name in json.loads(row[0])["locked_files"])


def _handoff(row: tuple[Any, ...]) -> HandOff:
    return HandOff(
        id=row[0],
        session=row[1],
        giver=row[2],
        to=tuple(json.loads(row[3])),
        stream=row[4],
        task=row[5],
        signal=row[6],
        contents=from_plain(json.loads(row[7])),
        transfer=bool(row[8]),
        state=HandOffState(row[9]),
        accepted_by=tuple(json.loads(row[10])),
        taken_by=row[11],
        given_at=row[12],
        closed_at=row[13],
    )
