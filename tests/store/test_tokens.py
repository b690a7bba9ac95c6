"""Fencing tokens grow over crashes, rollbacks, restored copies, lost side files and reboots."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, rule, run_state_machine_as_test

from pucs.core.ids import TOKEN_SEQUENCE_BITS, epoch_of, token
from pucs.crosslog.records import Query
from pucs.store.sqlite import SQLiteStore
from pucs.store.tokens import EPOCH_SPAN_S, Memory, Said, Taken
from pucs.testing.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator

JAVASCRIPT_MAX = 2**53
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where two thousand syncs wait for no disk that others keep busy; nothing here depends on one."""
SLOW_DISK = [HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> SQLiteStore:
    return SQLiteStore(tmp_path / "state.db", clock)


def take(store: SQLiteStore, count: int = 1) -> int:
    with store.transaction() as tx:
        return tx.tokens(count)


def test_tokens_of_one_epoch_follow_each_other(store: SQLiteStore) -> None:
    """Nothing but grants moves the number on, and JavaScript can still read it exactly."""
    first = take(store, 3)
    assert take(store) == first + 3
    assert first < JAVASCRIPT_MAX


@pytest.mark.process
def test_a_kill_between_side_file_and_commit_raises_the_epoch(store: SQLiteStore) -> None:
    """The killed grant was never told to anybody, and its numbers are not used again."""
    first = take(store)
    child = os.fork()
    if child == 0:
        with store.transaction() as tx:
            tx.tokens(5)
            os._exit(0)
    os.waitpid(child, 0)
    assert epoch_of(take(store)) > epoch_of(first)  # type: ignore[arg-type]


def test_a_reboot_raises_the_epoch(store: SQLiteStore, clock: FakeClock) -> None:
    """Power loss may have taken commits with it; a boot looks the same."""
    first = take(store)
    clock.reboot()
    second = take(store)
    assert epoch_of(second) > epoch_of(first)  # type: ignore[arg-type]
    assert take(store) == second + 1


def test_grants_that_went_with_the_power_are_told(
    store: SQLiteStore, clock: FakeClock, tmp_path: Path
) -> None:
    """The first grant afterwards says in the log which tokens are in no table, once."""
    first = take(store)
    store.backup(tmp_path / "copy.db")
    last = take(store, 3) + 2
    store.close()
    Path(f"{store.path}-wal").unlink()
    shutil.copyfile(tmp_path / "copy.db", store.path)
    clock.reboot()
    take(store)
    take(store)
    with store.read() as tx:
        (entry,) = tx.entries.select(Query(actions=("tokens skipped",)))
    told = {name: entry.details[name] for name in ("after", "up_to", "because")}
    assert told == {"after": first, "up_to": last, "because": "the machine was started anew"}


def test_an_exhausted_epoch_is_followed_by_the_next(tmp_path: Path, clock: FakeClock) -> None:
    """After four billion grants the numbers go on in a new epoch."""
    memory = Memory(tmp_path / "side")
    most = (1 << TOKEN_SEQUENCE_BITS) - 1
    taken = memory.next(Said(epoch=0, last=0, changed_ns=0, inode=1), most, clock.now())
    assert taken.first == 1
    said = Said(epoch=taken.epoch, last=most, changed_ns=taken.changed_ns, inode=1)
    later = memory.next(said, 1, clock.now())
    assert (later.epoch, later.first) == (taken.epoch + 1, 1)


def test_a_side_file_removed_under_its_users_is_made_anew(store: SQLiteStore) -> None:
    """Nobody goes on remembering in a file that others cannot see."""
    first = take(store)
    side = Path(f"{store.path}.epoch")
    side.unlink()
    second = take(store)
    assert second > first
    assert side.exists()
    assert take(store) == second + 1


def test_a_directory_put_back_whole_raises_the_epoch(
    tmp_path: Path, store: SQLiteStore, clock: FakeClock
) -> None:
    """Database and side file agree with each other then, are the same files, and know nothing of what came since."""
    take(store)
    store.backup(tmp_path / "copy.db")
    side = Path(f"{store.path}.epoch")
    kept = side.read_bytes()
    given = take(store, 5) + 4
    clock.pass_s(EPOCH_SPAN_S)
    store.close()
    Path(f"{store.path}-wal").unlink()
    shutil.copyfile(tmp_path / "copy.db", store.path)
    side.write_bytes(kept)
    assert take(store) > given


class TokenMachine(RuleBasedStateMachine):
    """Grants, and everything that could make a number come twice."""

    copies = Bundle("copies")

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="pucs-tokens-", dir=MEMORY))
        self.path = self.directory / "state.db"
        self.clock = FakeClock()
        self.store = SQLiteStore(self.path, self.clock)
        self.highest = 0
        self.made = 0

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.store.close()
        shutil.rmtree(self.directory)

    @contextlib.contextmanager
    def nobody_has_it_open(self) -> Iterator[None]:
        """Exchange files as one should: with the store closed and without the log of the old one."""
        self.store.close()
        yield
        for end in ("-wal", "-shm"):  # what a person restoring a copy is told to remove, too
            Path(f"{self.path}{end}").unlink(missing_ok=True)
        self.store = SQLiteStore(self.path, self.clock)

    @rule(count=st.integers(1, 5))
    def grant(self, count: int) -> None:
        """Whatever happened before, the next number is higher than any ever given."""
        first = take(self.store, count)
        assert first > self.highest
        self.highest = first + count - 1

    @rule(count=st.integers(1, 3))
    def roll_back(self, count: int) -> None:
        """A verb that failed after it took numbers."""
        with contextlib.suppress(ZeroDivisionError), self.store.transaction() as tx:
            tx.tokens(count)
            raise ZeroDivisionError

    @rule(target=copies)
    def copy(self) -> Path:
        """A backup."""
        return self.backed_up()

    def backed_up(self) -> Path:
        """Write a backup."""
        self.made += 1
        target = self.directory / f"copy-{self.made}.db"
        self.store.backup(target)
        return target

    @rule(copy=copies)
    def restore_into_the_same_file(self, copy: Path) -> None:
        """``cp`` over the database: the same inode, older content."""
        with self.nobody_has_it_open():
            shutil.copyfile(copy, self.path)

    @rule(copy=consumes(copies))
    def restore_by_moving(self, copy: Path) -> None:
        """``mv`` over the database: another inode."""
        with self.nobody_has_it_open():
            copy.rename(self.path)

    @rule(copy=consumes(copies))
    def restore_after_losing_everything(self, copy: Path) -> None:
        """The side file is lost together with the database; only the clock has gone on since."""
        self.clock.pass_s(90_000)
        with self.nobody_has_it_open():
            Path(f"{self.path}.epoch").unlink(missing_ok=True)
            copy.rename(self.path)

    @rule(content=st.sampled_from([b"", b"x", b"pucs-ep1", b"\xff" * 64, b"pucs-ep1" + b"\0" * 56, None]))
    def damage_the_side_file(self, content: bytes | None) -> None:
        """Truncated, overwritten or deleted; as what it said is lost, only the clock helps."""
        self.clock.pass_s(90_000)
        side = Path(f"{self.path}.epoch")
        if content is None:
            side.unlink(missing_ok=True)
        else:
            side.write_bytes(content)

    @rule()
    def reboot(self) -> None:
        """The machine starts again."""
        self.clock.reboot()

    @rule(seconds=st.sampled_from([1.0, 700.0, 90_000.0]))
    def time_passes(self, seconds: float) -> None:
        """Time only passes; that the clock is set back *and* the side file is lost is beyond any promise."""
        self.clock.pass_s(seconds)

    @rule()
    def put_the_whole_directory_back(self) -> None:
        """Older states of database and side file over the same files: they agree with each other."""
        side, copy = Path(f"{self.path}.epoch"), self.backed_up()
        kept = side.read_bytes() if side.exists() else b""
        self.grant(1)
        self.clock.pass_s(90_000)
        with self.nobody_has_it_open():
            shutil.copyfile(copy, self.path)
            side.write_bytes(kept)

    @rule()
    def move_to_another_place(self) -> None:
        """The whole directory is copied, side file included: another inode with the same content."""
        aside = self.directory / "moved.db"
        self.store.backup(aside)
        with self.nobody_has_it_open():
            aside.rename(self.path)


def test_tokens_grow_whatever_happens_to_the_files() -> None:
    """No order of grants, failures, copies and losses makes a number come again."""
    run_state_machine_as_test(
        TokenMachine,
        settings=settings(
            max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=SLOW_DISK
        ),
    )


def believing(said: Said) -> Taken:
    """Return the next number after what the database says."""
    return Taken(epoch=max(said.epoch, 1), first=said.last + 1, changed_ns=0)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["_read", "_write"])
def test_the_judge_notices_a_side_file_that_does_nothing(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without reading or writing it, an older copy would hand out the same numbers again."""
    monkeypatch.setattr(Memory, part, lambda *_: None)
    if part == "_read":
        monkeypatch.setattr(Memory, "next", lambda _, said, *__: believing(said))
    else:
        monkeypatch.setattr(Memory, "_read", lambda _: (1, 0, 0, b""))
        monkeypatch.setattr(Memory, "next", lambda _, said, *__: believing(said))
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        run_state_machine_as_test(
            TokenMachine,
            settings=settings(
                max_examples=50,
                stateful_step_count=25,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],  # finding one is enough; making it small takes minutes on a disk
                suppress_health_check=SLOW_DISK,
            ),
        )


def test_an_epoch_and_its_number_are_found_in_the_token() -> None:
    """A token orders by epoch first."""
    assert epoch_of(token(7, 9)) == 7
    assert token(7, 9) < token(8, 1)
