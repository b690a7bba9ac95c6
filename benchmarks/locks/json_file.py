"""The seeds' design, written anew from their description (002 §4.1, 001 cross-log): one JSON file under ``fcntl``.

Every acquire and release reads the whole file, changes it and writes it back while it holds the file's lock; each
also appends a line to a log file. It is the rival of the benchmark and kept as the seeds describe it: no fsync, no
sets, no queue, no tokens.
"""

from __future__ import annotations

import fcntl
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any


class JsonLocks:
    """Locks of all agents in one JSON file."""

    def __init__(self, directory: Path) -> None:
        """Use a directory; the files are made if they are absent."""
        self._locks = directory / "locks.json"
        self._log = directory / "cross_log.jsonl"
        if not self._locks.exists():
            self._locks.write_text('{"locks": {}, "version": 2}', encoding="utf-8")

    def fill(self, count: int) -> None:
        """Hold so many locks that nobody in the benchmark asks for."""
        now = datetime.now()  # noqa: DTZ005 - as the seeds do
        until = now + timedelta(hours=2)
        held = {f"held/file_{at}.py": _lock("holder", now, until) for at in range(count)}
        self._locks.write_text(json.dumps({"locks": held, "version": 2}, indent=2), encoding="utf-8")

    def acquire(self, file: str, agent: str) -> bool:
        """Take a lock unless somebody has it, and log it."""
        with self._locks.open("r+", encoding="utf-8") as opened:
            fcntl.flock(opened.fileno(), fcntl.LOCK_EX)
            try:
                data = json.load(opened)
                held = data["locks"].get(file)
                now = datetime.now()  # noqa: DTZ005 - as the seeds do
                if held is not None and now < datetime.fromisoformat(held["expires_at"]):
                    return False
                data["locks"][file] = _lock(agent, now, now + timedelta(minutes=30))
                opened.seek(0)
                json.dump(data, opened, indent=2)
                opened.truncate()
                opened.flush()
            finally:
                fcntl.flock(opened.fileno(), fcntl.LOCK_UN)
        self._append(agent, "lock granted", file)
        return True

    def release(self, file: str, agent: str) -> bool:
        """Give a lock back, and log it."""
        with self._locks.open("r+", encoding="utf-8") as opened:
            fcntl.flock(opened.fileno(), fcntl.LOCK_EX)
            try:
                data = json.load(opened)
                if data["locks"].get(file, {}).get("agent_id") != agent:
                    return False
                del data["locks"][file]
                opened.seek(0)
                json.dump(data, opened, indent=2)
                opened.truncate()
                opened.flush()
            finally:
                fcntl.flock(opened.fileno(), fcntl.LOCK_UN)
        self._append(agent, "lock released", file)
        return True

    def _append(self, agent: str, action: str, file: str) -> None:
        entry = {
            "timestamp": datetime.now().isoformat(),  # noqa: DTZ005 - as the seeds do
            "agent": agent,
            "stream": "bench",
            "level": "INFO",
            "action": action,
            "files": [file],
        }
        with self._log.open("a", encoding="utf-8") as opened:
            fcntl.flock(opened.fileno(), fcntl.LOCK_EX)
            opened.write(json.dumps(entry) + "\n")
            opened.flush()
            fcntl.flock(opened.fileno(), fcntl.LOCK_UN)


def _lock(agent: str, now: datetime, until: datetime) -> dict[str, Any]:
    return {
        "agent_id": agent,
        "stream_id": "bench",
        "acquired_at": now.isoformat(),
        "expires_at": until.isoformat(),
        "task": "benchmark",
    }
