"""Landings and intentions in and out of their tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pucs.coordinator.ports import Intention
from pucs.core.processes import Process
from pucs.streams.records import Landing
from pucs.store.rows.database import Database, overlap_condition

if TYPE_CHECKING:
    from collections.abc import Iterable

_LANDING = 'id, session, stream, agent, task, "commit", before, paths, landed_at'
_INTENTION = "id, verb, session, agent, owner, ref, old, new, payload, begun_at"


class LandingRows:
    """See ``coordinator.ports.LandingRows``."""

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
        for resource in {path for path, _ in landing.paths}:
            self._database.run("INSERT INTO landing_paths VALUES (?, ?, ?)", (landing.session, resource, number))
        return number

    def last_on(self, session: str, resources: Iterable[str]) -> list[Landing]:
        """Return the newest landing of each stream that touched any of the resources, oldest first."""
        newest: dict[str, int] = {}
        for resource in resources:
            condition, parameters = overlap_condition(resource, "p.resource")
            rows = self._database.all(
                "SELECT l.stream, max(l.id) FROM landing_paths p JOIN landings l ON l.id = p.landing "  # noqa: S608
                f"WHERE p.session = ? AND {condition} GROUP BY l.stream",
                [session, *parameters],
            )
            for stream, number in rows:
                newest[stream] = max(newest.get(stream, 0), number)
        found = (self._database.one(f"SELECT {_LANDING} FROM landings WHERE id = ?", (n,)) for n in sorted(newest.values()))  # noqa: S608
        return [_landing(row) for row in found if row is not None]

    def all(self, session: str, stream: str = "") -> list[Landing]:
        """Return landings in order, of one stream or all."""
        narrowed = "AND stream = ? " if stream else ""
        rows = self._database.all(
            f"SELECT {_LANDING} FROM landings WHERE session = ? {narrowed}ORDER BY id",  # noqa: S608 - fixed parts
            (session, stream) if stream else (session,),
        )
        return [_landing(row) for row in rows]


class IntentionRows:
    """See ``coordinator.ports.IntentionRows``."""

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
    return Intention(
        id=row[0],
        verb=row[1],
        session=row[2],
        agent=row[3],
        owner=Process.decode(row[4]),
        ref=row[5],
        old=row[6],
        new=row[7],
        payload=json.loads(row[8]),
        begun_at=row[9],
    )
