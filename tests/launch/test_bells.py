"""Bells: a waiter sleeps until it is rung, until somebody dies, or until its time is up."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pucs.core.errors import Usage
from pucs.core.processes import Process
from pucs.launch import bells, processes
from pucs.launch.bells import FifoBell, FifoBells

pytestmark = pytest.mark.process
LONG_S = 30.0


@pytest.fixture
def ours(tmp_path: Path) -> FifoBells:
    return FifoBells(tmp_path / "bells")


def waited_s(bell: FifoBell, watched: Sequence[Process] = (), timeout_s: float = LONG_S) -> float:
    begin = time.monotonic()
    bell.wait(timeout_s, watched)
    return time.monotonic() - begin


def test_ring_before_the_wait_is_not_lost(ours: FifoBells) -> None:
    """The bell hangs before the request is recorded, so a grant in between still wakes."""
    with ours.hang("agent-1") as bell:
        ours.ring("agent-1")
        assert waited_s(bell) < 1
        assert waited_s(bell, timeout_s=0.02) >= 0.02, "one ring wakes once"


def test_ring_wakes_another_process_at_once(ours: FifoBells, tmp_path: Path) -> None:
    """A wake-up between two processes that nobody comes in between of is far under a millisecond."""
    program = (
        "import sys, time\n"
        "from pucs.launch.bells import FifoBells\n"
        "bells = FifoBells(sys.argv[1])\n"
        "with bells.hang('theirs') as bell:\n"
        "    print('hung', flush=True)\n"
        "    for _ in range(200):\n"
        "        bell.wait(30, ())\n"
        "        bells.ring('mine')\n"
    )
    with (
        ours.hang("mine") as bell,
        subprocess.Popen(
            [sys.executable, "-c", program, tmp_path / "bells"], stdout=subprocess.PIPE
        ) as other,
    ):
        assert other.stdout is not None
        assert other.stdout.readline() == b"hung\n"
        laps = []
        for _ in range(200):
            begin = time.monotonic()
            ours.ring("theirs")
            bell.wait(LONG_S, ())
            laps.append(time.monotonic() - begin)
        assert other.wait() == 0
    assert sorted(laps)[20] < 0.004, "two wake-ups; the bar is 1 ms each, and others may run in between"


def test_wait_ends_at_its_time(ours: FifoBells) -> None:
    """No ring and no death: the wait is as long as asked."""
    with ours.hang("a") as bell:
        assert 0.05 <= waited_s(bell, timeout_s=0.05) < 5


def test_death_of_a_watched_process_wakes(ours: FifoBells) -> None:
    """The death of a blocking owner ends the wait without any ring."""
    with subprocess.Popen([sys.executable, "-ISc", "input()"], stdin=subprocess.PIPE) as child:
        identity = processes.identity(child.pid)
        assert identity is not None
        with ours.hang("a") as bell:
            killer = threading.Timer(0.02, child.send_signal, [signal.SIGKILL])
            killer.start()
            assert waited_s(bell, [identity]) < LONG_S / 2
            assert waited_s(bell, [identity]) < 1, "a zombie is dead"
            killer.join()
            child.wait()
            assert waited_s(bell, [identity]) < 1, "and so is one that is gone"


def test_unwatchable_processes_do_not_wake(ours: FifoBells) -> None:
    """A process of another namespace is left to the clock."""
    far = processes.identity(os.getpid())
    assert far is not None
    with ours.hang("a") as bell:
        elsewhere = type(far)(far.host, far.boot_id, 1, far.pid, far.started)
        assert waited_s(bell, [elsewhere], timeout_s=0.03) >= 0.03


def test_ringing_nobody_is_harmless(ours: FifoBells, tmp_path: Path) -> None:
    """No directory, no pipe, a pipe of a dead waiter, something that is no pipe: nothing happens."""
    ours.ring("nobody")
    with ours.hang("gone"):
        pass
    assert not (tmp_path / "bells" / "gone").exists()
    ours.ring("gone")
    os.mkfifo(tmp_path / "bells" / "stale")
    ours.ring("stale")
    (tmp_path / "bells" / "link").symlink_to(tmp_path / "bells" / "stale")
    ours.ring("link")


def test_many_rings_never_block_the_ringer(ours: FifoBells) -> None:
    """A waiter that is busy elsewhere cannot hold up its releasers with a full pipe."""
    with ours.hang("a") as bell:
        for _ in range(70_000):
            ours.ring("a")
        assert waited_s(bell) < 1
        assert waited_s(bell, timeout_s=0.02) >= 0.02


def test_stale_pipe_is_taken_over(ours: FifoBells, tmp_path: Path) -> None:
    """A name left behind by a killed waiter serves the next one."""
    (tmp_path / "bells").mkdir()
    os.mkfifo(tmp_path / "bells" / "a")
    with ours.hang("a") as bell:
        ours.ring("a")
        assert waited_s(bell) < 1


def test_stale_pipes_are_swept_and_live_ones_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What killed processes leave behind does not pile up."""
    monkeypatch.setattr(bells, "STALE_AGE_S", -1.0)
    (tmp_path / "bells").mkdir(mode=0o755)
    os.mkfifo(tmp_path / "bells" / "dead")
    with FifoBells(tmp_path / "bells").hang("alive"), FifoBells(tmp_path / "bells").hang("other"):
        assert sorted(path.name for path in (tmp_path / "bells").iterdir()) == ["alive", "other"]
    assert (tmp_path / "bells").stat().st_mode & 0o777 == 0o700


def test_without_a_pipe_the_wait_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes no pipe costs promptness, not the wait itself."""
    monkeypatch.setattr(bells, "BLIND_WAIT_S_MAX", 0.02)
    (tmp_path / "file").write_text("in the way")
    with FifoBells(tmp_path / "file" / "bells").hang("a") as bell:
        assert waited_s(bell) < 5


@pytest.mark.parametrize("name", ["", "../a", "a/b", ".hidden", "a\0", "a b", "x" * 129])
def test_names_are_checked(ours: FifoBells, name: str) -> None:
    """A name becomes a file name, so it must be a plain one."""
    with pytest.raises(Usage):
        ours.ring(name)
    with pytest.raises(Usage), ours.hang(name):
        pass
