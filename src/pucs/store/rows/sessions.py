"""Sessions, their streams and the compiled configuration in and out of their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from pucs.streams.encoding import decode, decode_stream, encode, encode_stream
from pucs.streams.records import Session, SessionState, StreamRow, StreamState

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.store.rows.database import Database
    from pucs.streams.settings import Configuration

_T = TypeVar("_T")

_COLUMNS = "id, state, base, target, branch, started_at, ended_at"
_SELECT = f"SELECT {_COLUMNS} FROM sessions "  # noqa: S608 - constant text


class Remembered:
    """What a process knows of sessions, streams and configuration as of one revision of the store."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._state: tuple[int, dict[Any, Any]] = (-1, {})

    def at(self, revision: int) -> dict[Any, Any]:
        """Return what is known at a revision; a dictionary of its own for each, since threads read different ones."""
        state = self._state
        if state[0] != revision:
            state = self._state = (revision, {})
        return state[1]

    def copy(self) -> Remembered:
        """Return the same knowledge for somebody who guesses by it, and must not add to it."""
        copy = Remembered()
        copy._state = (self._state[0], dict(self._state[1]))
        return copy


class SessionRows:
    """See ``coordinator.tables.SessionRows``."""

    def __init__(self, database: Database, remembered: Remembered) -> None:
        """Bind to a connection; ``remembered`` spares every transaction of the process the same reading."""
        self._database = database
        self._remembered = remembered
        self._known: dict[Any, Any] | None = None

    def _recalled(self, key: Any, read: Callable[[], _T]) -> _T:
        if self._known is None:
            row = self._database.one("SELECT value FROM counters WHERE name = 'revision'")
            self._known = self._remembered.at(row[0]) if row else {}
        if key not in self._known:
            self._known[key] = read()
        return cast("_T", self._known[key])

    def _changed(self) -> None:
        """Raise the revision; from here on this transaction remembers for itself alone, as it may be rolled back."""
        self._database.run("UPDATE counters SET value = value + 1 WHERE name = 'revision'")
        self._known = {}

    def derived(self, key: tuple[str, str], make: Callable[[], _T]) -> _T:
        """Return what ``make`` makes of sessions, streams and configuration; made anew only after one of them changed."""
        return self._recalled(key, make)

    def active(self) -> Session | None:
        """Return the active session, if any."""
        return self._recalled("active", self._active)

    def _active(self) -> Session | None:
        row = self._database.one(_SELECT + "WHERE state = 'active' ORDER BY number DESC LIMIT 1")
        return _session(row) if row else None

    def latest(self) -> Session | None:
        """Return the newest session, active or not."""
        row = self._database.one(_SELECT + "ORDER BY number DESC LIMIT 1")
        return _session(row) if row else None

    def get(self, session: str) -> Session | None:
        """Return one session."""
        return self._recalled(("session", session), lambda: self._get(session))

    def _get(self, session: str) -> Session | None:
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
        self._changed()

    def streams(self, session: str) -> list[StreamRow]:
        """Return the streams of a session in configured order."""
        return list(self._recalled(("streams", session), lambda: self._streams(session)))

    def _streams(self, session: str) -> list[StreamRow]:
        rows = self._database.all(
            "SELECT definition, branch, state FROM streams WHERE session = ? ORDER BY position", (session,)
        )
        return [
            StreamRow(session=session, stream=decode_stream(row[0]), branch=row[1], state=StreamState(row[2]))
            for row in rows
        ]

    def put_stream(self, row: StreamRow) -> None:
        """Insert or overwrite a stream of a session."""
        self._database.run(
            "INSERT INTO streams (session, position, name, branch, state, definition) VALUES (?, "
            "(SELECT count(*) FROM streams WHERE session = ?), ?, ?, ?, ?) ON CONFLICT (session, name) DO UPDATE SET "
            "branch = excluded.branch, state = excluded.state, definition = excluded.definition",
            (
                row.session,
                row.session,
                row.stream.name,
                row.branch,
                row.state.value,
                encode_stream(row.stream),
            ),
        )
        self._changed()

    def configuration(self) -> Configuration:
        """Return the compiled configuration; decoded once per revision and process."""
        return self._recalled("configuration", self._configuration)

    def _configuration(self) -> Configuration:
        row = self._database.one("SELECT value FROM settings WHERE name = 'configuration'")
        return decode(row[0] if row else "{}")

    def put_configuration(self, configuration: Configuration) -> None:
        """Compile a configuration into the store."""
        self._database.run(
            "INSERT INTO settings VALUES ('configuration', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (encode(configuration),),
        )
        self._changed()


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
