"""Landings and intentions in and out of their tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pucs.store.rows.database import Database, decoded_process, overlapping_rows
from pucs.streams.records import Landing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pucs.coordinator.records import Intention

_SELECT_LANDING = 'SELECT id, session, stream, agent, task, "commit", before, paths, landed_at FROM landings '
_OF_PATHS = "SELECT landing, stream FROM landing_paths WHERE session = ?"
_INTENTION = "id, verb, session, agent, owner, ref, old, new, payload, begun_at"


class LandingRows:
    """See ``coordinator.tables.LandingRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def add(self, landing: Landing) -> int:
        """Record a landing and return its id."""
        number = self._database.insert(
            'INSERT INTO landings (session, stream, agent, task, "commit", before, paths, landed_at) '
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                landing.session,
                landing.stream,
                landing.agent,
                landing.task,
                landing.commit,
                landing.before,
                json.dumps(landing.paths),
                landing.landed_at,
            ),
        )
        self._database.many(
            "INSERT INTO landing_paths VALUES (?, ?, ?, ?) "
            "ON CONFLICT (session, resource, stream) DO UPDATE SET landing = excluded.landing",
            [(landing.session, path, landing.stream, number) for path, _ in landing.paths],
        )
        return number

    def last_on(self, session: str, resources: Iterable[str]) -> list[Landing]:
        """Return the newest landing of each stream that touched any of the resources, oldest first."""
        # They come in order, so that the newest of each stream stays.
        touched = overlapping_rows(self._database, _OF_PATHS, resources, (session,))
        newest: dict[str, int] = {stream: number for number, stream in touched}
        found = (
            self._database.one(_SELECT_LANDING + "WHERE id = ?", (number,))
            for number in sorted(newest.values())
        )
        return [_landing(row) for row in found if row is not None]

    def all(self, session: str, stream: str = "") -> list[Landing]:
        """Return landings in order, of one stream or all."""
        narrowed = "AND stream = ? " if stream else ""
        rows = self._database.all(
            f"{_SELECT_LANDING}WHERE session = ? {narrowed}ORDER BY id",
            (session, stream) if stream else (session,),
        )
        return [_landing(row) for row in rows]


class IntentionRows:
    """See ``coordinator.tables.IntentionRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def add(self, intention: Intention) -> int:
        """Record an intention and return its id."""
        return self._database.insert(
            "INSERT INTO intentions (verb, session, agent, owner, ref, old, new, payload, begun_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                intention.verb,
                intention.session,
                intention.agent,
                intention.owner.encode(),
                intention.ref,
                intention.old,
                intention.new,
                json.dumps(intention.payload),
                intention.begun_at,
            ),
        )

    def remove(self, intention: int) -> bool:
        """Remove an intention; False if somebody else already closed it."""
        self._database.run("DELETE FROM intentions WHERE id = ?", (intention,))
        return self._database.changes() > 0

    def all(self) -> list[Intention]:
        """Return every open intention, oldest first."""
        rows = self._database.all(f"SELECT {_INTENTION} FROM intentions ORDER BY id")  # noqa: S608 - constant text
        return [_intention(row) for row in rows]


def _landing(row: tuple[Any, ...]) -> Landing:
    return Landing(
        id=row[0],
        session=row[1],
        stream=row[2],
        agent=row[3],
        task=row[4],
        commit=row[5],
        before=row[6],
        paths=tuple((path, token) for path, token in json.loads(row[7])),
        landed_at=row[8],
    )


def _intention(row: tuple[Any, ...]) -> Intention:
    from pucs.coordinator.records import Intention  # noqa: PLC0415 - there hardly ever is one to read

    return Intention(
        id=row[0],
        verb=row[1],
        session=row[2],
        agent=row[3],
        owner=decoded_process(row[4]),
        ref=row[5],
        old=row[6],
        new=row[7],
        payload=json.loads(row[8]),
        begun_at=row[9],
    )
