"""Messages in and out of their table; open ones have an index of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pucs.messages.records import Ending, Message, MessageKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pucs.store.rows.database import Database

_VALUES = (
    "session, kind, sender, recipient, text, details, conflict, about, boot_id, expires_s, sent_at, delivered_s, "
    "delivered_at, deliveries, ending, ended_at"
)
_INSERT = f"INSERT INTO messages ({_VALUES}) VALUES ({', '.join('?' * 16)})"  # noqa: S608 - constant text
_SELECT = f"SELECT id, {_VALUES} FROM messages "  # noqa: S608 - constant text
_OPEN = f"SELECT id, {_VALUES} FROM messages INDEXED BY messages_open WHERE ending IS NULL AND recipient = ?"  # noqa: S608


class MessageRows:
    """See ``coordinator.tables.MessageRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def add(self, message: Message) -> int:
        """Record a message and return its id."""
        return self._database.insert(_INSERT, _values(message))

    def get(self, message: int) -> Message | None:
        """Return one message."""
        row = self._database.one(_SELECT + "WHERE id = ?", (message,))
        return _message(row) if row else None

    def open(self, recipient: str, session: str) -> list[Message]:
        """Return the messages of a receiver that nobody has acknowledged and that have not ended, oldest first."""
        rows = self._database.all(_OPEN + " AND session = ? ORDER BY id", (recipient, session))
        return [_message(row) for row in rows]

    def waiting(self, recipient: str, session: str) -> bool:
        """Tell whether there is any open message for a receiver."""
        return (
            self._database.one(
                "SELECT 1 FROM messages INDEXED BY messages_open WHERE ending IS NULL AND recipient = ? AND session = ? "
                "LIMIT 1",
                (recipient, session),
            )
            is not None
        )

    def count(self, recipient: str, session: str) -> int:
        """Return how many open messages there are for a receiver."""
        row = self._database.one(
            "SELECT count(*) FROM messages INDEXED BY messages_open WHERE ending IS NULL AND recipient = ? AND session = ?",
            (recipient, session),
        )
        return int(row[0]) if row else 0

    def prune(self, kept: int) -> int:
        """Remove ended messages but the newest so many, and return how many that were."""
        self._database.run(
            "DELETE FROM messages WHERE ending IS NOT NULL AND id <= (SELECT id FROM messages WHERE ending IS NOT NULL "
            "ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (kept,),
        )
        return self._database.changes()

    def all(self, session: str, *, recipient: str = "", limit: int = 1000) -> list[Message]:
        """Return the newest messages of a session, of one receiver or all, oldest first."""
        narrowed, values = ("AND recipient = ? ", (recipient,)) if recipient else ("", ())
        rows = self._database.all(
            f"{_SELECT}WHERE session = ? {narrowed}ORDER BY id DESC LIMIT ?", (session, *values, limit)
        )
        return [_message(row) for row in reversed(rows)]

    def replace(self, message: Message) -> None:
        """Write back a message that was delivered."""
        self._database.run(
            "UPDATE messages SET boot_id = ?, expires_s = ?, delivered_s = ?, delivered_at = ?, deliveries = ? "
            "WHERE id = ?",
            (
                message.boot_id,
                message.expires_s,
                message.delivered_s,
                message.delivered_at,
                message.deliveries,
                message.id,
            ),
        )

    def end(self, messages: Iterable[int], ending: Ending, at: str) -> None:
        """End messages; one that has ended keeps its first ending."""
        self._database.many(
            "UPDATE messages SET ending = ?, ended_at = ? WHERE id = ? AND ending IS NULL",
            [(ending.value, at, message) for message in messages],
        )


def _values(message: Message) -> tuple[Any, ...]:
    return (
        message.session,
        message.kind.value,
        message.sender,
        message.to,
        message.text,
        json.dumps(message.details),
        message.conflict,
        message.about,
        message.boot_id,
        message.expires_s,
        message.sent_at,
        message.delivered_s,
        message.delivered_at,
        message.deliveries,
        message.ending.value if message.ending else None,
        message.ended_at,
    )


def _message(row: tuple[Any, ...]) -> Message:
    return Message(
        id=row[0],
        session=row[1],
        kind=MessageKind(row[2]),
        sender=row[3],
        to=row[4],
        text=row[5],
        details=json.loads(row[6]),
        conflict=row[7],
        about=row[8],
        boot_id=row[9],
        expires_s=row[10],
        sent_at=row[11],
        delivered_s=row[12],
        delivered_at=row[13],
        deliveries=row[14],
        ending=Ending(row[15]) if row[15] else None,
        ended_at=row[16],
    )
