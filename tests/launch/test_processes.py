"""Who a process is, whether it lives, and what the clocks say."""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pucs.core.processes import Process
from pucs.launch import processes
from pucs.launch.processes import SystemClock, SystemProcesses

pytestmark = pytest.mark.process
Child = subprocess.Popen[bytes]


@pytest.fixture
def child() -> Iterator[Child]:
    """A process that lives until its stdin closes."""
    with subprocess.Popen([sys.executable, "-ISc", "input()"], stdin=subprocess.PIPE) as started:
        yield started
        started.kill()


def test_current_process_is_alive_and_survives_encoding() -> None:
    """A process knows itself, also after a trip through the store."""
    system = SystemProcesses()
    assert system.current().pid == os.getpid()
    assert system.alive(Process.decode(system.current().encode())) is True


def test_forked_child_has_its_own_identity() -> None:
    """The identity is not inherited through a fork by a cache."""
    mine = SystemProcesses().current()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, SystemProcesses().current().encode().encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        theirs = Process.decode(answer.read().decode())
    os.waitpid(pid, 0)
    assert theirs.pid == pid
    assert theirs != mine


def test_zombie_counts_as_dead(child: Child) -> None:
    """A process that was killed and not yet waited for will never act again."""
    identity = processes.identity(child.pid)
    assert identity is not None
    assert SystemProcesses().alive(identity) is True
    death = os.pidfd_open(child.pid)
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PIDFD, death, os.WEXITED | os.WNOWAIT)
    os.close(death)
    assert SystemProcesses().alive(identity) is False
    assert processes.identity(child.pid) is None
    child.wait()
    assert SystemProcesses().alive(identity) is False


def test_stopped_process_is_alive(child: Child) -> None:
    """SIGSTOP is a pause, not a death: its leases must not go to anyone."""
    identity = processes.identity(child.pid)
    assert identity is not None
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED)
    assert SystemProcesses().alive(identity) is True


def test_reused_pid_is_another_process(child: Child) -> None:
    """The same pid with another start time is somebody else."""
    identity = processes.identity(child.pid)
    assert identity is not None
    assert SystemProcesses().alive(dataclasses.replace(identity, started=identity.started - 1)) is False


def test_start_time_survives_a_strange_program_name(tmp_path: Path) -> None:
    """Brackets and blanks in a program's name do not shift the fields of /proc/PID/stat."""
    program = tmp_path / "a) Z 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as started:
        identity = processes.identity(started.pid)
        assert identity is not None
        assert SystemProcesses().alive(identity) is True
        started.kill()


def test_other_places_are_unknown_and_earlier_boots_are_dead() -> None:
    """Nothing is claimed about what cannot be seen from here."""
    system = SystemProcesses()
    mine = system.current()
    assert system.alive(dataclasses.replace(mine, pid_namespace=1)) is None
    assert system.alive(dataclasses.replace(mine, host="elsewhere", boot_id="x")) is None
    assert system.alive(dataclasses.replace(mine, boot_id="an earlier one")) is False


def test_hidden_process_is_unknown_not_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """With /proc mounted hidepid, or of another namespace, absence proves nothing."""
    system = SystemProcesses()
    mine = system.current()

    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert system.alive(dataclasses.replace(mine, pid=2**22 + 1)) is None
    monkeypatch.setattr(processes, "_proc_is_ours", lambda: False)
    assert system.alive(mine) is None


def test_ps_gives_the_same_answers_where_there_is_no_proc(child: Child) -> None:
    """The fallback tells living, zombie and absent apart."""
    assert processes._started_by_ps(child.pid) == pytest.approx(SystemClock().now().wall_s, abs=3)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert processes._started_by_ps(child.pid) == processes._GONE
    child.wait()
    assert processes._started_by_ps(child.pid) == processes._GONE


def test_clock_counts_from_boot() -> None:
    """Boot seconds grow and share their origin with start times."""
    first, second = SystemClock().now(), SystemClock().now()
    assert first.boot_s <= second.boot_s
    assert first.boot_id == SystemProcesses().current().boot_id
    started_s = SystemProcesses().current().started / os.sysconf("SC_CLK_TCK")
    assert 0 <= first.boot_s - started_s < 3600
