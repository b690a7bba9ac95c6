"""The last entries of a stream, and of a file, in a long log."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.locks import world
from pucs.crosslog.records import Query
from pucs.store.sqlite import SQLiteStore

STREAMS, FILES = 16, 250
_FILL = """
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
INSERT INTO entries (timestamp, session, agent, stream, level, action, files, details)
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 1765000000 + n * 0.05, 'unixepoch'), 'BENCH', 'agent-' || (n % 64),
       's' || (n % ?), 'INFO', 'lock granted', json_array('src/f' || (n % ?) || '.py'), '{"door": "bench"}'
FROM number
"""


def measure(entries: int, trials: int) -> dict[str, float]:
    """Return the median milliseconds of each question, asked of a log of so many entries."""
    with tempfile.TemporaryDirectory(prefix="pucs-bench-") as scratch:
        directory = Path(scratch)
        world.build(directory)
        store = world.open_context(directory).store
        assert isinstance(store, SQLiteStore)
        _fill(store, entries)
        return {
            "stream": _median_ms(store, Query(session="BENCH", stream="s7", limit=100), trials),
            "file": _median_ms(store, Query(session="BENCH", file="src/f7.py", limit=100), trials),
            "session": _median_ms(store, Query(session="BENCH", limit=100), trials),
        }


def _fill(store: SQLiteStore, entries: int) -> None:
    connection = store._connection()  # noqa: SLF001 - a million verbs would take an hour
    connection.run("BEGIN IMMEDIATE")
    connection.run(_FILL, (entries, STREAMS, FILES))
    connection.run(
        "INSERT OR IGNORE INTO entry_files SELECT 'src/f' || (seq % ?) || '.py', seq FROM entries", (FILES,)
    )
    connection.run("COMMIT")
    connection.database.wal_checkpoint()


def _median_ms(store: SQLiteStore, query: Query, trials: int) -> float:
    found = []
    for _ in range(trials):
        began = time.perf_counter()
        with store.read() as tx:
            assert len(tx.entries.select(query)) == 100
        found.append((time.perf_counter() - began) * 1000)
    return sorted(found)[trials // 2]
