"""Keeps what was told of files, in a file of its own that anybody may delete at any time (``coordinator.ports.Index``).

Nothing is ever lost with it but time. So a file that cannot be understood is deleted and made anew, and where none can
be written the work goes on without.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import apsw

from pucs.coordinator.records import FactsKey
from pucs.core.errors import StoreError
from pucs.store.places import check_place

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

SCHEMA: Final = 1
"""Raised with every change of the table: a file with another number is deleted."""
BUSY_WAIT_MS: Final = 5000
"""Longest wait for another process that writes: keeping a few hundred files takes milliseconds."""
UNSEEN_DAYS_MAX: Final = 45
"""What nobody asked for that long is dropped: of a branch that is gone, or for a Python that is not used any more."""
SEEN_DAYS: Final = 7
"""How old the note of the last use may become: writing it at every look would cost more than the look."""
FILE_BYTES_MAX: Final = 1024 * 1024 * 1024
"""Largest file, about 250,000 versions of source files: above it, what has no note of today is dropped."""
_PAGE_BYTES: Final = 8192
_DAY_S: Final = 86_400
_ASKED_TOGETHER: Final = 20_000
_TABLE: Final = """
    CREATE TABLE facts (
        blob TEXT NOT NULL, reader TEXT NOT NULL, seen INTEGER NOT NULL, facts BLOB NOT NULL,
        UNIQUE (blob, reader)
    );
    CREATE INDEX facts_seen ON facts (seen);
"""
_BROKEN: Final = (apsw.CorruptError, apsw.NotADBError)

T = TypeVar("T")


class FileIndex:
    """The index in one SQLite file, safe to use from many processes at once; for one thread."""

    def __init__(self, path: str | Path, now: Callable[[], float] = time.time) -> None:
        """Take the place, which need not exist; nothing is opened before it is used."""
        self._path = Path(path)
        self._now = now
        self._database: apsw.Connection | None = None
        self._trouble = ""

    def kept(self, keys: Collection[FactsKey]) -> dict[FactsKey, bytes]:
        """Return what is kept for some of these keys."""
        return self._tried(lambda database: self._read(database, keys), create=False) or {}

    def keep(self, facts: Mapping[FactsKey, bytes]) -> None:
        """Keep these as well, all or none of them."""
        self._tried(lambda database: self._write(database, facts), create=True)

    def trouble(self) -> str:
        """Return why nothing is kept, in a sentence; empty: all is well."""
        return self._trouble

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _tried(self, use: Callable[[apsw.Connection], T], *, create: bool) -> T | None:
        """Use the file; a broken one is made anew, once. None: there is none to use."""
        if self._trouble or not (create or self._database or self._path.exists()):
            return None
        for again in (True, False):
            try:
                return use(self._opened())
            except _BROKEN as error:
                self._delete()
                if not again:
                    self._trouble = _said(self._path, error)
            except apsw.BusyError:
                return None  # another process keeps things just now; ours are told again one day
            except (apsw.Error, OSError, StoreError) as error:
                self.close()
                self._trouble = _said(self._path, error)
                return None
        return None

    def _opened(self) -> apsw.Connection:
        if self._database is not None:
            return self._database
        check_place(self._path)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = apsw.Connection(str(self._path))
        try:
            database.set_busy_timeout(BUSY_WAIT_MS)
            if _version(database) != SCHEMA:
                database = self._made(database)
            database.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            database.close()
            raise
        self._database = database
        return database

    def _made(self, database: apsw.Connection) -> apsw.Connection:
        """Return the file with the table of this schema; one of another schema is deleted before."""
        if _version(database):
            database.close()
            self._delete()
            database = apsw.Connection(str(self._path))
            database.set_busy_timeout(BUSY_WAIT_MS)
        database.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        database.execute("PRAGMA journal_mode = WAL")
        with _transaction(database):
            if _version(database) != SCHEMA:  # else another process was quicker
                database.execute(f"{_TABLE} PRAGMA user_version = {SCHEMA}")
        return database

    def _delete(self) -> None:
        """Remove the file; who has it open goes on with what is left of it, and says so at most."""
        self.close()
        for suffix in ("", "-wal", "-shm", "-journal"):
            with suppress(OSError):
                self._path.with_name(self._path.name + suffix).unlink()

    def _read(self, database: apsw.Connection, keys: Collection[FactsKey]) -> dict[FactsKey, bytes]:
        today = int(self._now() / _DAY_S)
        found: dict[FactsKey, bytes] = {}
        old: list[int] = []
        blobs = sorted({key.blob for key in keys})
        for start in range(0, len(blobs), _ASKED_TOGETHER):
            rows = database.execute(
                "SELECT facts.rowid, reader, blob, seen, facts FROM json_each(?) JOIN facts ON blob = value",
                (json.dumps(blobs[start : start + _ASKED_TOGETHER]),),
            )
            for rowid, reader, blob, seen, facts in rows:
                key = FactsKey(reader, blob)
                if key in keys:
                    found[key] = facts
                    if seen < today - SEEN_DAYS:
                        old.append(rowid)
        if old:
            with suppress(apsw.BusyError, apsw.ReadOnlyError), _transaction(database):
                database.execute(
                    "UPDATE facts SET seen = ? WHERE rowid IN (SELECT value FROM json_each(?))",
                    (today, json.dumps(old)),
                )
        return found

    def _write(self, database: apsw.Connection, facts: Mapping[FactsKey, bytes]) -> None:
        today = int(self._now() / _DAY_S)
        with _transaction(database):
            database.executemany(
                "INSERT OR REPLACE INTO facts (blob, reader, seen, facts) VALUES (?, ?, ?, ?)",
                [(key.blob, key.reader, today, data) for key, data in facts.items()],
            )
            used = int(database.pragma("page_count")) - int(database.pragma("freelist_count"))
            full = used * int(database.pragma("page_size")) > FILE_BYTES_MAX
            oldest = today if full else today - UNSEEN_DAYS_MAX
            database.execute("DELETE FROM facts WHERE seen < ?", (oldest,))


def _version(database: apsw.Connection) -> int:
    return int(database.pragma("user_version"))


@contextmanager
def _transaction(database: apsw.Connection) -> Iterator[None]:
    """Write at once or not at all: waiting for the right to write comes first."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        with suppress(apsw.Error):
            database.execute("ROLLBACK")
        raise


def _said(path: Path, error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) else str(error)
    return f"What is read is not kept, because {path} cannot be used: {why}"
