"""Sessions, their streams and the compiled configuration in and out of their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from pucs.streams.encoding import decode, decode_stream, encode, encode_stream
from pucs.streams.records import Configuration, Session, SessionState, StreamRow, StreamState

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.store.rows.database import Database

_T = TypeVar("_T")

DECODINGS_MAX = 500
"""Decoded configurations and streams kept per process: far more than the streams of one repository."""
_COLUMNS = "id, state, base, target, branch, started_at, ended_at"
_SELECT = f"SELECT {_COLUMNS} FROM sessions "  # noqa: S608 - constant text


class SessionRows:
    """See ``coordinator.ports.SessionRows``."""

    def __init__(self, database: Database, decodings: dict[str, Any]) -> None:
        """Bind to a connection; ``decodings`` remembers decoded texts for the process."""
        self._database = database
        self._decodings = decodings

    def active(self) -> Session | None:
        """Return the active session, if any."""
        row = self._database.one(_SELECT + "WHERE state = 'active' ORDER BY number DESC LIMIT 1")
        return _session(row) if row else None

    def latest(self) -> Session | None:
        """Return the newest session, active or not."""
        row = self._database.one(_SELECT + "ORDER BY number DESC LIMIT 1")
        return _session(row) if row else None

    def get(self, session: str) -> Session | None:
        """Return one session."""
        row = self._database.one(_SELECT + "WHERE id = ?", (session,))
        return _session(row) if row else None

    def put(self, session: Session) -> None:
        """Insert or overwrite a session."""
        self._database.run(
            f"INSERT INTO sessions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "  # noqa: S608
            "state = excluded.state, ended_at = excluded.ended_at",
            (
                session.id,
                session.state.value,
                session.base,
                session.target,
                session.branch,
                session.started_at,
                session.ended_at,
            ),
        )

    def streams(self, session: str) -> list[StreamRow]:
        """Return the streams of a session in configured order."""
        rows = self._database.all(
            "SELECT definition, branch, state FROM streams WHERE session = ? ORDER BY position", (session,)
        )
        return [
            StreamRow(session=session, stream=self._decoded(row[0], decode_stream), branch=row[1], state=StreamState(row[2]))
            for row in rows
        ]

    def put_stream(self, row: StreamRow) -> None:
        """Insert or overwrite a stream of a session."""
        self._database.run(
            "INSERT INTO streams (session, position, name, branch, state, definition) VALUES (?, "
            "(SELECT count(*) FROM streams WHERE session = ?), ?, ?, ?, ?) ON CONFLICT (session, name) DO UPDATE SET "
            "branch = excluded.branch, state = excluded.state, definition = excluded.definition",
            (row.session, row.session, row.stream.name, row.branch, row.state.value, encode_stream(row.stream)),
        )

    def configuration(self) -> Configuration:
        """Return the compiled configuration; decoded once per process."""
        row = self._database.one("SELECT value FROM settings WHERE name = 'configuration'")
        if row is None:
            return Configuration()
        return self._decoded(row[0], decode)

    def put_configuration(self, configuration: Configuration) -> None:
        """Compile a configuration into the store."""
        self._database.run(
            "INSERT INTO settings VALUES ('configuration', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (encode(configuration),),
        )

    def _decoded(self, text: str, decoder: Callable[[str], _T]) -> _T:
        """Decode a text once per process; texts are few, since they change only with the configuration."""
        if text not in self._decodings:
            if len(self._decodings) >= DECODINGS_MAX:
                self._decodings.clear()
            self._decodings[text] = decoder(text)
        return cast("_T", self._decodings[text])


def _session(row: tuple[Any, ...]) -> Session:
    return Session(
        id=row[0],
        state=SessionState(row[1]),
        base=row[2],
        target=row[3],
        branch=row[4],
        started_at=row[5],
        ended_at=row[6],
    )
