"""Transactions: whole or not at all, one writer at a time, whoever forks, backs up or fills the disk."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import pytest

from pucs.core.errors import StoreError
from pucs.crosslog.records import Entry, Level, Query
from pucs.store import sqlite
from pucs.store.sqlite import IN_MEMORY, SQLiteStore
from pucs.testing.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SQLiteStore:
    place = IN_MEMORY if request.param == "memory" else tmp_path / "state.db"
    return SQLiteStore(place, FakeClock())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "place" / "state.db"


def entry(action: str) -> Entry:
    return Entry(timestamp="2025", session="S", agent="", stream="", level=Level.INFO, action=action)


def write(store: SQLiteStore, action: str, **more: Any) -> None:
    with store.transaction(**more) as tx:
        tx.entries.add(entry(action))


def write_many(store: SQLiteStore, count: int, action: str = "x") -> None:
    for _ in range(count):
        write(store, action)


def actions(store: SQLiteStore) -> list[str]:
    with store.read() as tx:
        return [found.action for found in tx.entries.select(Query(limit=100_000))]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_error_undoes_everything(store: SQLiteStore) -> None:
    """Nothing of a transaction whose body raised is ever seen, and the next one works."""
    with pytest.raises(ZeroDivisionError), store.transaction() as tx:  # noqa: PT012 - the body is the point
        tx.entries.add(entry("lost"))
        tx.tokens(3)
        raise ZeroDivisionError
    write(store, "kept", durable=True)
    assert actions(store) == ["kept"]


def test_transactions_do_not_nest(store: SQLiteStore) -> None:
    """A verb that calls a verb inside its transaction is a bug, and both kinds of transaction say so."""
    with store.transaction(), pytest.raises(RuntimeError, match="nest"), store.transaction():
        pass
    with store.transaction(), pytest.raises(RuntimeError, match="nest"), store.read():
        pass
    with store.read(), pytest.raises(RuntimeError, match="nest"), store.transaction():
        pass
    write(store, "after")
    assert actions(store) == ["after"]


def test_a_reader_changes_nothing(store: SQLiteStore) -> None:
    """What is written in a read transaction is gone at its end."""
    with store.read() as tx:
        tx.entries.add(entry("gone"))
    assert actions(store) == []


def test_a_reader_sees_one_moment(path: Path) -> None:
    """While somebody commits, a reader goes on seeing what was there when it began to read, and waits for nobody."""
    one, two = SQLiteStore(path, FakeClock()), SQLiteStore(path, FakeClock())
    write(one, "first")
    with one.read() as tx:
        assert len(tx.entries.select(Query())) == 1
        write(two, "second")
        assert len(tx.entries.select(Query())) == 1
    assert actions(one) == ["first", "second"]


def test_the_version_changes_with_every_commit(path: Path) -> None:
    """Whoever commits, and only then."""
    one, two = SQLiteStore(path, FakeClock()), SQLiteStore(path, FakeClock())
    before = one.version()
    assert one.version() == before
    write(two, "theirs")
    after = one.version()
    assert after != before
    write(one, "ours")
    assert one.version() != after


def test_threads_write_one_after_the_other(store: SQLiteStore) -> None:
    """No write of any thread is lost."""
    threads = [threading.Thread(target=lambda: write_many(store, 20)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(actions(store)) == 80
    assert store.check() == []


_STRANGER = """
import sys
from pucs.crosslog.records import Entry, Level
from pucs.store.sqlite import SQLiteStore
from pucs.testing.fakes import FakeClock

store = SQLiteStore(sys.argv[1], FakeClock())
for _ in range(20):
    with store.transaction() as tx:
        tx.entries.add(Entry(timestamp="2025", session="S", agent="", stream="", level=Level.INFO, action="x"))
"""


@pytest.mark.process
def test_processes_write_one_after_the_other(path: Path) -> None:
    """No write is lost, also when children of a fork go on with the store object they inherited."""
    store = SQLiteStore(path, FakeClock())
    write(store, "parent")
    strangers = [subprocess.Popen([sys.executable, "-c", _STRANGER, str(path)]) for _ in range(2)]
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            write_many(store, 20)
            os._exit(0)
        children.append(child)
    write_many(store, 20)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert [stranger.wait(50) for stranger in strangers] == [0, 0]
    assert len(actions(store)) == 101
    assert store.check() == []


def in_child(work: Callable[[], None]) -> int:
    """Run a call in a fork and return its exit status, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - reported as an exit status
            sys.stderr.write(repr(error))
            os._exit(99)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.process
def test_a_kill_inside_a_transaction_leaves_nothing(path: Path) -> None:
    """The gate is free again at once, what was not committed is gone, what was committed is there."""
    store = SQLiteStore(path, FakeClock(), gate_wait_s_max=5.0)
    write(store, "kept")

    def work() -> None:
        with store.transaction() as tx:
            tx.entries.add(entry("lost"))
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(work) == -signal.SIGKILL
    write(store, "next")
    assert actions(store) == ["kept", "next"]


@pytest.mark.process
def test_a_child_of_a_fork_does_not_keep_the_gate(path: Path) -> None:
    """A fork made while another thread is inside leaves the child without the gate."""
    store = SQLiteStore(path, FakeClock(), gate_wait_s_max=0.2)
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with store.transaction():
            inside.set()
            leave.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(30)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    leave.set()
    holder.join()
    write(store, "while the child lives")
    os.close(writer)
    os.waitpid(child, 0)
    assert actions(store) == ["while the child lives"]


def test_a_backup_is_whole_and_a_store_itself(path: Path, tmp_path: Path) -> None:
    """A backup taken beside open readers opens as a store, passes the check and leaves nothing else behind."""
    store = SQLiteStore(path, FakeClock())
    write(store, "kept")
    target = tmp_path / "backups" / "one.db"
    store.backup(target)
    store.backup(target)
    assert [found.name for found in target.parent.iterdir()] == ["one.db"]
    restored = SQLiteStore(target, FakeClock(), create=False)
    assert restored.check() == []
    assert actions(restored) == ["kept"]


def test_a_restored_file_is_used_by_those_who_had_the_old_one_open(path: Path, tmp_path: Path) -> None:
    """A backup moved into place counts for everybody from the next transaction on."""
    store, other = SQLiteStore(path, FakeClock()), SQLiteStore(path, FakeClock())
    write(store, "before")
    store.backup(tmp_path / "backup.db")
    write(store, "after")
    assert actions(other) == ["before", "after"]
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    (tmp_path / "backup.db").rename(path)
    write(store, "anew")
    assert actions(store) == actions(other) == ["before", "anew"]


def test_a_store_that_vanished_is_missed(path: Path) -> None:
    """Nobody goes on writing into a deleted file."""
    store = SQLiteStore(path, FakeClock())
    path.unlink()
    with pytest.raises(StoreError, match="is gone"), store.transaction():
        pass
    with pytest.raises(StoreError, match="is gone"), store.read():
        pass


def test_the_log_is_copied_back_and_does_not_grow_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so many pages a commit copies them into the database and starts the log anew."""
    monkeypatch.setattr(sqlite, "CHECKPOINT_PAGES", 20)
    store = SQLiteStore(path, FakeClock())
    for _ in range(200):
        write(store, "x" * 200)
    assert path.with_name("state.db-wal").stat().st_size < 100 * (sqlite.PAGE_BYTES + 24)


def test_a_commit_counts_although_its_checkpoint_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the log is committed; that the disk has no room to copy it now is no failure of the verb."""
    monkeypatch.setattr(sqlite, "CHECKPOINT_PAGES", 1)
    store = SQLiteStore(path, FakeClock())

    class FullDisk:
        def __init__(self, real: apsw.Connection) -> None:
            self.real = real

        def wal_checkpoint(self, **_: Any) -> None:
            raise apsw.FullError

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

    connection: Any = store._connection()
    connection.database = FullDisk(connection.database)
    write(store, "kept")
    assert actions(store) == ["kept"]


def test_a_full_store_says_so_and_stays_sound(path: Path) -> None:
    """At the page limit a verb fails whole, with a remedy, and the store goes on serving readers."""
    store = SQLiteStore(path, FakeClock(), pages_max=200)
    with pytest.raises(StoreError, match="cannot grow") as caught:
        write_many(store, 10_000, "x" * 3000)
    assert caught.value.exit_status == 4
    assert caught.value.remedy
    assert store.check() == []
    assert actions(store)


@pytest.mark.parametrize("size_bytes", [0, 10, 1000])
def test_a_store_that_a_full_disk_does_not_let_begin_says_so(path: Path, size_bytes: int) -> None:
    """Not even the gate's note or the schema can be written; once there is room, the store is made as ever."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, limits[1]))
    try:
        with pytest.raises(StoreError, match="disk"):
            SQLiteStore(path, FakeClock())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert SQLiteStore(path, FakeClock()).check() == []


@pytest.mark.process
def test_a_limit_on_file_sizes_fails_whole(path: Path) -> None:
    """Where the kernel refuses to let a file grow, the verb fails and everything before it is still there."""
    store = SQLiteStore(path, FakeClock())
    write(store, "before")

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        mine = SQLiteStore(path, FakeClock())
        size = path.with_name("state.db-wal").stat().st_size + 8 * sqlite.PAGE_BYTES
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        with pytest.raises(StoreError) as caught:
            write_many(mine, 100, "x" * 3000)
        assert caught.value.remedy
        assert caught.value.exit_status == 4

    assert in_child(work) == 0
    write(store, "after")
    found = actions(store)
    assert (found[0], found[-1]) == ("before", "after")
    assert store.check() == []


@pytest.mark.parametrize(
    "content",
    [b"", b"not a database, only text of some length" * 40, b"SQLite format 3\0" + b"\xff" * 5000],
    ids=["empty", "text", "garbage"],
)
def test_what_is_no_store_is_left_alone(path: Path, content: bytes) -> None:
    """An empty file, a text, a broken header: a clear error with a remedy, and not a byte is changed."""
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        SQLiteStore(path, FakeClock())
    assert caught.value.remedy
    assert path.read_bytes() == content


@pytest.mark.parametrize("version", [0, 1, 7])
def test_another_programs_database_is_left_alone(path: Path, version: int) -> None:
    """A schema number like ours does not make a store."""
    path.parent.mkdir()
    foreign = apsw.Connection(str(path))
    foreign.execute("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
    foreign.pragma("user_version", version)
    foreign.close()
    before = digest(path)
    with pytest.raises(StoreError, match="not a PUCS store"):
        SQLiteStore(path, FakeClock())
    assert digest(path) == before


@pytest.mark.parametrize("keep", [100, 5000, 30_000])
def test_a_truncated_store_is_reported_and_left_alone(path: Path, keep: int) -> None:
    """Whatever is missing at the end, nothing is written over what is left."""
    store = SQLiteStore(path, FakeClock())
    write(store, "x" * 60_000)
    store.close()
    database = apsw.Connection(str(path))
    database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    database.close()
    with path.open("r+b") as opened:
        opened.truncate(keep)
    before = digest(path)
    with pytest.raises(StoreError) as caught:  # noqa: PT012 - opening may succeed, using it may not
        broken = SQLiteStore(path, FakeClock())
        write(broken, "more")
    assert caught.value.remedy
    assert digest(path) == before


def test_a_damaged_page_is_found_by_the_check(path: Path) -> None:
    """The integrity check names what a flipped page broke."""
    store = SQLiteStore(path, FakeClock())
    for at in range(300):
        write(store, f"{at} {'x' * 300}")
    store.close()
    database = apsw.Connection(str(path))
    database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    database.close()
    with path.open("r+b") as opened:
        opened.seek(30 * sqlite.PAGE_BYTES)
        opened.write(b"\xab" * 2 * sqlite.PAGE_BYTES)
    try:
        assert SQLiteStore(path, FakeClock()).check()
    except StoreError as error:
        assert "damaged" in error.message  # noqa: PT017 - either way it is named


def test_a_store_of_a_newer_pucs_is_refused(path: Path) -> None:
    """Its schema number is higher than the newest migration here."""
    SQLiteStore(path, FakeClock()).close()
    database = apsw.Connection(str(path))
    database.pragma("user_version", sqlite.SCHEMA_VERSION + 1)
    database.close()
    before = digest(path)
    with pytest.raises(StoreError, match=f"schema {sqlite.SCHEMA_VERSION + 1}"):
        SQLiteStore(path, FakeClock())
    assert digest(path) == before


def test_an_older_store_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each missing migration runs once, in order, and what was there stays."""
    write(SQLiteStore(path, FakeClock()), "old")
    newest = sqlite.SCHEMA_VERSION
    added = [(newest + 1, "CREATE TABLE news (x)"), (newest + 2, "INSERT INTO news VALUES (1)")]
    steps = [*sqlite._steps(), *added]
    monkeypatch.setattr(sqlite, "_steps", lambda: steps)
    monkeypatch.setattr(sqlite, "SCHEMA_VERSION", newest + 2)
    for _ in range(2):
        store = SQLiteStore(path, FakeClock())
        assert actions(store) == ["old"]
        assert store._connection().all("SELECT x FROM news") == [(1,)]


def test_an_absent_store_is_created_only_on_request(path: Path) -> None:
    """Without the wish to create one, nothing is written, not even a directory."""
    with pytest.raises(StoreError, match="no store") as caught:
        SQLiteStore(path, FakeClock(), create=False)
    assert "pucs init" in caught.value.remedy
    assert not path.parent.exists()


def test_an_interrupted_creation_is_no_store(path: Path) -> None:
    """What a killed start left behind is swept away by the next one."""
    path.parent.mkdir()
    path.with_name(".state.db.new").write_bytes(b"half")
    write(SQLiteStore(path, FakeClock()), "x")
    assert not path.with_name(".state.db.new").exists()


def _as_nobody(work: Callable[[], None]) -> int:
    def unprivileged() -> None:
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        work()

    return in_child(unprivileged)


@pytest.mark.process
@pytest.mark.parametrize("writable", [False, True], ids=["nothing writable", "only the directory writable"])
def test_a_store_that_may_not_be_written_says_how_to_go_on(tmp_path: Path, *, writable: bool) -> None:
    """Another person's store, or a read-only checkout: a clear error, never a half-made change."""
    for directory in (tmp_path, *tmp_path.parents[:3]):
        if directory.stat().st_uid == os.getuid() and directory != Path("/tmp"):
            directory.chmod(0o755)
    place = tmp_path / "place"
    SQLiteStore(place / "state.db", FakeClock()).close()
    for file in place.iterdir():
        file.chmod(0o444)
    place.chmod(0o777 if writable else 0o555)
    before = digest(place / "state.db")

    def work() -> None:
        with pytest.raises(StoreError) as caught:
            write(SQLiteStore(place / "state.db", FakeClock()), "x")
        assert caught.value.remedy
        assert caught.value.exit_status == 4

    try:
        assert _as_nobody(work) == 0
        assert digest(place / "state.db") == before
    finally:
        place.chmod(0o700)


@pytest.mark.process
def test_a_place_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    """Where the directory cannot be created, the error names it."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be made") as caught:
        SQLiteStore(tmp_path / "file" / "state.db", FakeClock())
    assert "--store" in caught.value.remedy


@pytest.mark.process
def test_another_program_that_locks_the_database_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate does not stop ``sqlite3``; waiting for it is bounded."""
    monkeypatch.setattr(sqlite, "FOREIGN_WAIT_MS", 20)
    store = SQLiteStore(path, FakeClock())
    foreign = apsw.Connection(str(path))
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="Another program"):
        write(store, "x")
    foreign.execute("ROLLBACK")
    write(store, "y")
    assert actions(store) == ["y"]
