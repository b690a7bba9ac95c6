"""What was told of files is kept by their content, and nothing that happens to the file stops anybody."""

import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from pucs.coordinator.records import FactsKey
from pucs.store import index
from pucs.store.index import UNSEEN_DAYS_MAX, FileIndex

DAY_S = 86_400
KEY, OTHER = FactsKey("1.python3.11", "a" * 40), FactsKey("1.typescript", "a" * 40)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "pucs" / "index.db"


def rows(place: Path) -> int:
    database = apsw.Connection(str(place))
    try:
        return len(database.execute("SELECT blob FROM facts").fetchall())
    finally:
        database.close()


def test_what_is_kept_is_found_by_whoever_opens_the_file_next(place: Path) -> None:
    """By content and way of reading together; what is asked for and not there is no error."""
    first = FileIndex(place)
    assert first.kept([KEY]) == {}
    assert not place.exists(), "looking makes no file"
    first.keep({KEY: b"one", OTHER: b"other"})
    first.keep({KEY: b"two"})
    again = FileIndex(place)
    assert again.kept([KEY, FactsKey("2.python3.11", "a" * 40)]) == {KEY: b"two"}
    assert again.kept({KEY, OTHER}) == {KEY: b"two", OTHER: b"other"}
    assert (first.trouble(), again.trouble()) == ("", "")


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_index_is_made_anew(place: Path, content: bytes) -> None:
    """An empty one, another program's, a damaged one: nothing in it is worth a word."""
    place.parent.mkdir()
    place.write_bytes(content)
    kept = FileIndex(place)
    assert kept.kept([KEY]) == {}
    kept.keep({KEY: b"one"})
    assert FileIndex(place).kept([KEY]) == {KEY: b"one"}
    assert kept.trouble() == ""


def test_a_file_damaged_in_the_middle_is_made_anew(place: Path) -> None:
    """Also while it is open."""
    keys = {FactsKey("1.x", f"{number:040}"): os.urandom(3000) for number in range(60)}
    FileIndex(place).keep(keys)
    with apsw.Connection(str(place)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    content = bytearray(place.read_bytes())
    content[8192:] = b"\x07" * (len(content) - 8192)
    place.write_bytes(content)
    kept = FileIndex(place)
    assert kept.kept(keys) == {}
    kept.keep({KEY: b"one"})
    assert (kept.kept([KEY]), kept.trouble()) == ({KEY: b"one"}, "")


def test_an_index_of_another_time_is_made_anew(place: Path) -> None:
    """Older or newer: its rows mean something else."""
    FileIndex(place).keep({KEY: b"one"})
    database = apsw.Connection(str(place))
    database.execute("DROP TABLE facts; CREATE TABLE other (x); PRAGMA user_version = 99")
    database.close()
    kept = FileIndex(place)
    assert kept.kept([KEY]) == {}
    kept.keep({KEY: b"two"})
    assert (kept.kept([KEY]), kept.trouble()) == ({KEY: b"two"}, "")


def test_deleting_the_file_costs_nothing_but_time(place: Path) -> None:
    """Whoever has it open goes on; whoever comes next begins anew."""
    kept = FileIndex(place)
    kept.keep({KEY: b"one"})
    for file in place.parent.iterdir():
        file.unlink()
    kept.keep({OTHER: b"other"})
    assert kept.trouble() == ""
    fresh = FileIndex(place)
    assert KEY not in fresh.kept([KEY, OTHER])
    fresh.keep({KEY: b"two"})
    assert FileIndex(place).kept([KEY]) == {KEY: b"two"}


def test_where_nothing_can_be_written_the_work_goes_on_and_says_so(tmp_path: Path) -> None:
    """A place that is no directory stands for every disk that refuses."""
    (tmp_path / "pucs").touch()
    kept = FileIndex(tmp_path / "pucs" / "index.db")
    kept.keep({KEY: b"one"})
    assert kept.kept([KEY]) == {}
    assert "index.db cannot be used" in kept.trouble()


def test_file_systems_without_locks_get_no_index(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for the store: what several machines write at once without locks is soon wrong."""
    monkeypatch.setattr("pucs.store.places.file_system", lambda *_: "nfs4")
    kept = FileIndex(place)
    kept.keep({KEY: b"one"})
    assert "nfs4" in kept.trouble()
    assert not place.exists()


def test_what_nobody_asks_for_is_dropped_and_what_somebody_does_stays(place: Path) -> None:
    """The note of the last use is renewed by looking, now and then."""
    today = 20_000 * DAY_S
    FileIndex(place, lambda: today).keep({KEY: b"one", OTHER: b"other"})
    later = today + (UNSEEN_DAYS_MAX - 1) * DAY_S
    assert FileIndex(place, lambda: later).kept([KEY]) == {KEY: b"one"}
    last = FileIndex(place, lambda: today + (UNSEEN_DAYS_MAX + 1) * DAY_S)
    last.keep({FactsKey("1.x", "b" * 40): b"new"})
    assert last.kept([KEY, OTHER]) == {KEY: b"one"}


def test_the_file_does_not_grow_without_end(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above its limit only what has been noted today stays."""
    monkeypatch.setattr(index, "FILE_BYTES_MAX", 100_000)
    for day in range(5):
        moment = (20_000 + day) * DAY_S
        blobs = {FactsKey("1.x", f"{day}-{number}"): bytes(10_000) for number in range(8)}
        FileIndex(place, lambda moment=moment: moment).keep(blobs)  # type: ignore[misc]
    assert rows(place) == 8


def test_looking_asks_in_portions(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many files there are."""
    monkeypatch.setattr(index, "_ASKED_TOGETHER", 7)
    keys = {FactsKey("1.x", f"{number:040}"): b"%d" % number for number in range(50)}
    kept = FileIndex(place)
    kept.keep(keys)
    assert kept.kept(keys) == keys


@pytest.mark.process
def test_processes_keep_and_look_at_the_same_time(place: Path) -> None:
    """Four processes that begin with no file at all lose nothing of each other's."""
    program = """
import sys
from pucs.coordinator.records import FactsKey
from pucs.store.index import FileIndex
sys.stdin.readline()
kept = FileIndex(sys.argv[1])
for number in range(20):
    key = FactsKey("1.x", f"{sys.argv[2]}-{number}")
    kept.keep({key: key.blob.encode() * 100})
    assert kept.kept([key]), number
assert not kept.trouble(), kept.trouble()
"""
    call = [sys.executable, "-c", program, str(place)]
    crowd = [
        subprocess.Popen([*call, str(number)], stdin=subprocess.PIPE, text=True, stderr=subprocess.PIPE)
        for number in range(4)
    ]
    for each in crowd:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in crowd:
        _, said = each.communicate(timeout=50)
        assert (each.returncode, said) == (0, "")
    assert rows(place) == 80
