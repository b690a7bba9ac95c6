"""The floor: what acquire and release would cost if SQLite and the gate were all there is. No rival, but an upper bound.

One table of locks and one of log lines, four statements a pair in two transactions, behind the same kind of gate: no
overlap, no queue, no tokens, no agents, no expiry.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import apsw


class BareLocks:
    """Locks of all agents in one table."""

    def __init__(self, directory: Path) -> None:
        """Open the database of a directory, made if it is absent."""
        self._gate = os.open(directory / "gate", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._database = apsw.Connection(str(directory / "floor.db"))
        self._database.set_busy_timeout(10_000)
        for pragma in ("journal_mode = wal", "synchronous = normal"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS locks (file TEXT PRIMARY KEY, agent TEXT NOT NULL) WITHOUT ROWID;"
            "CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, line TEXT NOT NULL)"
        )

    def fill(self, count: int) -> None:
        """Hold so many locks that nobody in the benchmark asks for."""
        with self._database:
            self._database.executemany(
                "INSERT INTO locks VALUES (?, 'holder')", ((f"held/file_{at}.py",) for at in range(count))
            )

    def acquire(self, file: str, agent: str) -> bool:
        """Take a lock unless somebody has it, and log it."""
        return self._change("INSERT OR IGNORE INTO locks VALUES (?, ?)", file, agent, "lock granted")

    def release(self, file: str, agent: str) -> bool:
        """Give a lock back, and log it."""
        return self._change("DELETE FROM locks WHERE file = ? AND agent = ?", file, agent, "lock released")

    def _change(self, statement: str, file: str, agent: str, action: str) -> bool:
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute(statement, (file, agent))
            changed = self._database.changes() > 0
            self._database.execute("INSERT INTO log (line) VALUES (?)", (f"{agent} {action} {file}",))
            self._database.execute("COMMIT")
        finally:
            fcntl.flock(self._gate, fcntl.LOCK_UN)
        return changed
