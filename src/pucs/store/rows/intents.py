"""Intents and proposals to divide a file in and out of their tables; only open intents are found by resource."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pucs.store.rows.database import overlapping_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pucs.intents.records import Contest, Intent, Partition
    from pucs.store.rows.database import Database

_VALUES = (
    "session, agent, stream, task, planned, description, estimated_duration_s, state, boot_id, declared_s, expires_s, "
    "declared_at, expires_at, contests, ended_at, why"
)
_OPEN = "state IN ('active', 'contested')"
_INSERT = f"INSERT INTO intents ({_VALUES}) VALUES ({', '.join('?' * 16)})"  # noqa: S608 - constant text
_SELECT = f"SELECT id, {_VALUES} FROM intents "  # noqa: S608 - constant text
_SELECT_OF_RESOURCE = (
    f"SELECT i.id, {', '.join(f'i.{column}' for column in _VALUES.split(', '))} "  # noqa: S608 - constant text
    "FROM intent_resources CROSS JOIN intents i ON i.id = intent WHERE true"
)
_UPDATE = (
    "UPDATE intents SET planned = ?, description = ?, estimated_duration_s = ?, task = ?, state = ?, expires_s = ?, "
    "expires_at = ?, contests = ?, ended_at = ?, why = ? WHERE id = ?"
)
_PARTITION = "session, file, parties, scopes, waits, accepted, requests, state, boot_id, deadline_s, proposed_at, deadline_at, ended_at, why"


class IntentRows:
    """See ``coordinator.tables.IntentRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def add(self, intent: Intent) -> Intent:
        """Record an intent and return it with its id, which is also its place where it had none."""
        number = self._database.insert(_INSERT, _values(intent))
        self._index(number, intent.resources)
        placed = tuple((resource, place or number) for resource, place in intent.planned)
        self._database.run("UPDATE intents SET planned = ? WHERE id = ?", (json.dumps(placed), number))
        found = self.get(number)
        assert found is not None, "it was inserted just now"
        return found

    def get(self, intent: int) -> Intent | None:
        """Return one intent."""
        row = self._database.one(_SELECT + "WHERE id = ?", (intent,))
        return _intent(row) if row else None

    def of_agent(self, agent: str) -> Intent | None:
        """Return the open intent of an agent."""
        row = self._database.one(f"{_SELECT}WHERE agent = ? AND {_OPEN} ORDER BY id DESC", (agent,))
        return _intent(row) if row else None

    def overlapping(self, resources: Iterable[str], *, bare: bool = False) -> list[Intent]:
        """Return the open intents that overlap any of the resources, by id; ``bare`` without what stands in their way."""
        if self._database.one("SELECT 1 FROM intent_resources LIMIT 1") is None:
            return []  # the common case, spared one search per resource
        rows = overlapping_rows(self._database, _SELECT_OF_RESOURCE, resources)
        return [_intent(row, bare=bare) for row in rows]

    def open(self, session: str) -> list[Intent]:
        """Return the open intents of a session, by id."""
        rows = self._database.all(f"{_SELECT}WHERE session = ? AND {_OPEN} ORDER BY id", (session,))
        return [_intent(row) for row in rows]

    def count(self, session: str) -> int:
        """Return how many intents of a session are open."""
        row = self._database.one(f"SELECT count(*) FROM intents WHERE session = ? AND {_OPEN}", (session,))  # noqa: S608
        return int(row[0]) if row else 0

    def put(self, intent: Intent) -> None:
        """Overwrite what may change in an intent; one that has ended is found by its id alone."""
        self._database.run(
            _UPDATE,
            (
                json.dumps(intent.planned),
                intent.description,
                intent.estimated_duration_s,
                intent.task,
                intent.state.value,
                intent.expires_s,
                intent.expires_at,
                _contests(intent),
                intent.ended_at,
                intent.why,
                intent.id,
            ),
        )
        self._database.run("DELETE FROM intent_resources WHERE intent = ?", (intent.id,))
        if intent.open:
            self._index(intent.id, intent.resources)

    def _index(self, intent: int, resources: Iterable[str]) -> None:
        self._database.many(
            "INSERT INTO intent_resources VALUES (?, ?)", [(resource, intent) for resource in resources]
        )


class PartitionRows:
    """See ``coordinator.tables.PartitionRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def add(self, partition: Partition) -> int:
        """Record a proposal and return its id."""
        return self._database.insert(
            f"INSERT INTO partitions ({_PARTITION}) VALUES ({', '.join('?' * 14)})",  # noqa: S608 - constant text
            _partition_values(partition),
        )

    def get(self, partition: int) -> Partition | None:
        """Return one proposal."""
        row = self._database.one(
            f"SELECT id, {_PARTITION} FROM partitions WHERE id = ?",  # noqa: S608 - constant text
            (partition,),
        )
        return _partition(row) if row else None

    def put(self, partition: Partition) -> None:
        """Overwrite a proposal."""
        assignments = ", ".join(f"{column} = ?" for column in _PARTITION.split(", "))
        self._database.run(
            f"UPDATE partitions SET {assignments} WHERE id = ?",  # noqa: S608 - constant text
            (*_partition_values(partition), partition.id),
        )

    def all(self, session: str, *, undecided: bool = False) -> list[Partition]:
        """Return the proposals of a session by id."""
        narrowed = "AND state = 'proposed' " if undecided else ""
        rows = self._database.all(
            f"SELECT id, {_PARTITION} FROM partitions WHERE session = ? {narrowed}ORDER BY id",  # noqa: S608
            (session,),
        )
        return [_partition(row) for row in rows]


def _values(intent: Intent) -> tuple[Any, ...]:
    return (
        intent.session,
        intent.agent,
        intent.stream,
        intent.task,
        json.dumps(intent.planned),
        intent.description,
        intent.estimated_duration_s,
        intent.state.value,
        intent.boot_id,
        intent.declared_s,
        intent.expires_s,
        intent.declared_at,
        intent.expires_at,
        _contests(intent),
        intent.ended_at,
        intent.why,
    )


def _contests(intent: Intent) -> str:
    return json.dumps([
        (one.kind.value, one.files, one.holder, one.holder_stream, one.details, one.conflict)
        for one in intent.contests
    ])


def _intent(row: tuple[Any, ...], *, bare: bool = False) -> Intent:
    from pucs.intents.records import Intent, IntentState  # noqa: PLC0415 - most verbs only look whether there are any

    return Intent(
        id=row[0],
        session=row[1],
        agent=row[2],
        stream=row[3],
        task=row[4],
        planned=tuple((resource, place) for resource, place in json.loads(row[5])),
        description=row[6],
        estimated_duration_s=row[7],
        state=IntentState(row[8]),
        boot_id=row[9],
        declared_s=row[10],
        expires_s=row[11],
        declared_at=row[12],
        expires_at=row[13],
        contests=() if bare else _decoded(row[14]),
        ended_at=row[15],
        why=row[16],
    )


def _decoded(contests: str) -> tuple[Contest, ...]:
    from pucs.intents.records import Contest, Obstacle  # noqa: PLC0415

    return tuple(
        Contest(
            kind=Obstacle(kind),
            files=tuple(files),
            holder=holder,
            holder_stream=stream,
            details=details,
            conflict=conflict,
        )
        for kind, files, holder, stream, details, conflict in json.loads(contests)
    )


def _partition_values(partition: Partition) -> tuple[Any, ...]:
    return (
        partition.session,
        partition.file,
        json.dumps(partition.parties),
        json.dumps(partition.scopes),
        json.dumps(partition.waits),
        json.dumps(partition.accepted),
        json.dumps(partition.requests),
        partition.state.value,
        partition.boot_id,
        partition.deadline_s,
        partition.proposed_at,
        partition.deadline_at,
        partition.ended_at,
        partition.why,
    )


def _partition(row: tuple[Any, ...]) -> Partition:
    from pucs.intents.records import Partition, PartitionState  # noqa: PLC0415

    return Partition(
        id=row[0],
        session=row[1],
        file=row[2],
        parties=tuple(json.loads(row[3])),
        scopes={agent: tuple(symbols) for agent, symbols in json.loads(row[4]).items()},
        waits={agent: tuple(symbols) for agent, symbols in json.loads(row[5]).items()},
        accepted=tuple(json.loads(row[6])),
        requests={agent: tuple(numbers) for agent, numbers in json.loads(row[7]).items()},
        state=PartitionState(row[8]),
        boot_id=row[9],
        deadline_s=row[10],
        proposed_at=row[11],
        deadline_at=row[12],
        ended_at=row[13],
        why=row[14],
    )
