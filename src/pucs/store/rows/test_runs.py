"""Test runs in and out of their table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pucs.store.rows.database import Database
    from pucs.streams.checks import TestRun

_VALUES = 'session, stream, agent, task, "commit", tree, command, result, status, duration_s, output, at'
_INSERT = f"INSERT INTO test_runs ({_VALUES}) VALUES ({', '.join('?' * 12)})"  # noqa: S608 - constant text
_SELECT = f"SELECT id, {_VALUES} FROM test_runs WHERE session = ?"  # noqa: S608 - constant text


class TestRunRows:
    """See ``coordinator.tables.TestRunRows``."""

    __test__: ClassVar[bool] = False  # pytest: this is no test

    def __init__(self, database: Database) -> None:
        """Bind to a connection."""
        self._database = database

    def add(self, run: TestRun) -> int:
        """Record a run and return its id."""
        return self._database.insert(
            _INSERT,
            (
                run.session,
                run.stream,
                run.agent,
                run.task,
                run.commit,
                run.tree,
                run.command,
                run.result.value,
                run.status,
                run.duration_s,
                run.output,
                run.at,
            ),
        )

    def keep(self, session: str, newest: int) -> None:
        """Remove the runs of a session but the newest so many."""
        self._database.run(
            "DELETE FROM test_runs WHERE session = ? AND id <= "
            "(SELECT id FROM test_runs WHERE session = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (session, session, newest),
        )

    def latest(self, session: str) -> list[TestRun]:
        """Return the newest run of each stream of a session, by stream."""
        rows = self._database.all(
            f"{_SELECT} AND id IN (SELECT max(id) FROM test_runs WHERE session = ? GROUP BY stream) ORDER BY stream",  # noqa: S608
            (session, session),
        )
        return [_run(row) for row in rows]

    def passed(self, session: str, stream: str, tree: str) -> TestRun | None:
        """Return the newest run of a stream on this content if it passed."""
        row = self._database.one(
            f"{_SELECT} AND tree = ? AND stream = ? ORDER BY id DESC LIMIT 1", (session, tree, stream)
        )
        found = _run(row) if row else None
        return found if found is not None and found.result.value == "passed" else None

    def all(self, session: str, stream: str = "", *, limit: int = 100) -> list[TestRun]:
        """Return the newest runs, of one stream or all, oldest first."""
        narrowed = " AND stream = ?" if stream else ""
        rows = self._database.all(
            f"{_SELECT}{narrowed} ORDER BY id DESC LIMIT ?",
            (session, stream, limit) if stream else (session, limit),
        )
        return [_run(row) for row in reversed(rows)]


def _run(row: tuple[Any, ...]) -> TestRun:
    from pucs.streams.checks import TestResult, TestRun  # noqa: PLC0415 - light commands read none

    return TestRun(
        id=row[0],
        session=row[1],
        stream=row[2],
        agent=row[3],
        task=row[4],
        commit=row[5],
        tree=row[6],
        command=row[7],
        result=TestResult(row[8]),
        status=row[9],
        duration_s=row[10],
        output=row[11],
        at=row[12],
    )
