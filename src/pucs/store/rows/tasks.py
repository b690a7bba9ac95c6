"""Tasks in and out of their table."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from pucs.tasks.records import Task, TaskState

if TYPE_CHECKING:
    from pucs.store.rows.database import Database

_SEQUENCES = ("files", "after", "tried_by")


class TaskRows:
    """See ``coordinator.tables.TaskRows``."""

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def get(self, session: str, task: str) -> Task | None:
        """Return one task."""
        row = self._database.one("SELECT record FROM tasks WHERE session = ? AND id = ?", (session, task))
        return _task(row[0]) if row else None

    def put(self, task: Task) -> None:
        """Insert or overwrite a task."""
        self._database.run(
            "INSERT INTO tasks (session, id, position, state, stream, record) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (session, id) DO UPDATE SET position = excluded.position, state = excluded.state, "
            "stream = excluded.stream, record = excluded.record",
            (task.session, task.id, task.position, task.state.value, task.stream, json.dumps(asdict(task))),
        )

    def all(self, session: str) -> list[Task]:
        """Return the tasks of a session in the order of the tasks file."""
        rows = self._database.all(
            "SELECT record FROM tasks WHERE session = ? ORDER BY position, id", (session,)
        )
        return [_task(row[0]) for row in rows]


def _task(record: str) -> Task:
    fields = json.loads(record)
    for name in _SEQUENCES:
        fields[name] = tuple(fields[name])
    fields["state"] = TaskState(fields["state"])
    return Task(**fields)
