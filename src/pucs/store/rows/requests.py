"""The queue in and out of its tables; a request that was served or withdrawn leaves no row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pucs.core.modes import Mode
from pucs.locks.records import Request
from pucs.store.rows.database import Database, decoded_process, overlapping_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

_COLUMNS = "id, agent, stream, task, session, resources, duration_s, boot_id, asked_s, deadline_s, waiter, bell, passes, claim_s"
_NONE = "[]"
_SELECT = f"SELECT {_COLUMNS} FROM requests "  # noqa: S608 - constant text
_SELECT_OF_RESOURCE = (
    "SELECT q.id, q.agent, q.stream, q.task, q.session, q.resources, q.duration_s, q.boot_id, q.asked_s, q.deadline_s, "
    "q.waiter, q.bell, q.passes, q.claim_s FROM request_resources CROSS JOIN requests q ON q.id = request WHERE q.paused = 0"
)


class RequestRows:
    """See ``coordinator.tables.RequestRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def add(self, request: Request) -> None:
        """Put a request into the queue; its id is the id of its conflict record, which grows."""
        self._database.run(
            "INSERT INTO requests (id, agent, stream, task, session, resources, duration_s, boot_id, asked_s, deadline_s, "
            "waiter, bell, passes, claim_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                request.id,
                request.agent,
                request.stream,
                request.task,
                request.session,
                json.dumps(request.resources),
                request.duration_s,
                request.boot_id,
                request.asked_s,
                request.deadline_s,
                request.waiter.encode() if request.waiter else None,
                request.bell,
                json.dumps(request.passes),
                request.claim_s,
            ),
        )
        self._database.many(
            "INSERT INTO request_resources VALUES (?, ?)",
            [(resource, request.id) for resource, _ in request.resources],
        )

    def get(self, request: int) -> Request | None:
        """Return a request that still waits."""
        row = self._database.one(_SELECT + "WHERE id = ?", (request,))
        return _request(row) if row else None

    def overlapping(self, resources: Iterable[str]) -> list[Request]:
        """Return the waiting requests that overlap any of the resources, in order; those of paused agents are left out."""
        if self._database.one("SELECT 1 FROM requests LIMIT 1") is None:
            return []  # the common case, spared one search per resource
        return [_request(row) for row in overlapping_rows(self._database, _SELECT_OF_RESOURCE, resources)]

    def waiting(self) -> list[Request]:
        """Return the whole queue in order."""
        return [_request(row) for row in self._database.all(_SELECT + "ORDER BY id")]

    def pause(self, agent: str, *, paused: bool) -> list[Request]:
        """Leave an agent's requests out of ``overlapping``, or take them in again at their old place; return them."""
        self._database.run("UPDATE requests SET paused = ? WHERE agent = ?", (int(paused), agent))
        return self.of_agent(agent)

    def of_agent(self, agent: str) -> list[Request]:
        """Return an agent's requests in order, also while it is paused."""
        rows = self._database.all(_SELECT + "WHERE agent = ? ORDER BY id", (agent,))
        return [_request(row) for row in rows]

    def agents(self) -> set[str]:
        """Return the agents that wait."""
        return {str(agent) for (agent,) in self._database.all("SELECT DISTINCT agent FROM requests")}

    def any_paused(self) -> bool:
        """Tell whether any request is passed over because its agent is paused."""
        return self._database.one("SELECT 1 FROM requests WHERE paused = 1 LIMIT 1") is not None

    def count(self) -> int:
        """Return how many requests wait."""
        row = self._database.one("SELECT count(*) FROM requests")
        return int(row[0]) if row else 0

    def remove(self, request: int) -> None:
        """Take a request out of the queue."""
        self._database.run("DELETE FROM request_resources WHERE request = ?", (request,))
        self._database.run("DELETE FROM requests WHERE id = ?", (request,))


def _request(row: tuple[Any, ...]) -> Request:
    return Request(
        id=row[0],
        agent=row[1],
        stream=row[2],
        task=row[3],
        session=row[4],
        resources=tuple((resource, Mode(mode)) for resource, mode in json.loads(row[5])),
        duration_s=row[6],
        boot_id=row[7],
        asked_s=row[8],
        deadline_s=row[9],
        waiter=decoded_process(row[10]) if row[10] else None,
        bell=row[11],
        passes=() if row[12] == _NONE else tuple(json.loads(row[12])),
        claim_s=row[13],
    )
