"""The gate: one at a time, never longer than the bound, named after who is in the way, free when its holder dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from pucs.core.errors import StoreBusy, StoreError
from pucs.store.gate import HELPER_IDLE_S, Gate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HOLDER = """
import sys, pathlib
from pucs.store.gate import Gate
gate = Gate(pathlib.Path(sys.argv[1]))
gate.enter()
print("in", flush=True)
sys.stdin.readline()
gate.leave()
print("out", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gate"


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is inside the gate until it gets a line."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
        yield process
        process.kill()


def test_a_gate_can_be_entered_again_and_again(path: Path) -> None:
    """Leaving makes it free, also for another handle of the same process."""
    one, two = Gate(path), Gate(path)
    for gate in (one, two, one):
        gate.enter()
        assert path.read_text().strip() == str(os.getpid())
        gate.leave()


def test_threads_pass_one_at_a_time(path: Path) -> None:
    """Every thread has its handle, and nobody is inside with somebody else."""
    inside: list[int] = []
    most = []

    def work() -> None:
        gate = Gate(path)
        for _ in range(30):
            gate.enter()
            inside.append(1)
            most.append(len(inside))
            inside.pop()
            gate.leave()
        gate.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 120
    assert set(most) == {1}


@pytest.mark.process
def test_a_stopped_holder_is_named(path: Path, holder: subprocess.Popen[str]) -> None:
    """Whoever waited too long learns which process to continue, and can enter once it is."""
    holder.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, holder.pid, os.WSTOPPED)
    gate = Gate(path, wait_s_max=0.1)
    with pytest.raises(StoreBusy, match=rf"process {holder.pid} holds its gate and is stopped") as caught:
        gate.enter()
    assert caught.value.exit_status == 4
    assert "kill -CONT" in str(caught.value)
    holder.send_signal(signal.SIGCONT)
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdin.write("\n")
    holder.stdin.flush()
    assert holder.stdout.readline() == "out\n"
    patient = Gate(path, wait_s_max=20)
    patient.enter()  # the helper thread of the wait above has given its turn back
    patient.leave()
    gate.enter()
    gate.leave()


@pytest.mark.process
def test_a_killed_holder_frees_the_gate(path: Path, holder: subprocess.Popen[str]) -> None:
    """The kernel takes the lock back from the dead while somebody waits."""
    gate = Gate(path, wait_s_max=20)
    arrived = threading.Event()

    def wait() -> None:
        gate.enter()
        arrived.set()
        gate.leave()

    thread = threading.Thread(target=wait)
    thread.start()
    holder.kill()
    assert arrived.wait(20)
    thread.join()


@pytest.mark.process
@pytest.mark.parametrize("idle_s", [1e-4, 1.0])
def test_a_contended_gate_lets_everybody_in(
    path: Path, idle_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether helper threads are kept or end between two waits, nobody is lost and nobody is inside twice."""
    monkeypatch.setattr("pucs.store.gate.HELPER_IDLE_S", idle_s)
    inside = threading.Lock()
    done: list[int] = []

    def work() -> None:
        gate = Gate(path, wait_s_max=20)
        for _ in range(200):
            gate.enter()
            assert inside.acquire(blocking=False)
            os.sched_yield()
            inside.release()
            gate.leave()
            done.append(1)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1200


@pytest.mark.process
def test_an_interrupted_wait_does_not_shut_the_gate(
    path: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while waiting leaves nobody inside: neither this handle nor its helper thread."""
    gate = Gate(path, wait_s_max=20)

    class Interrupted:
        def __init__(self) -> None:
            self.real = threading.Lock()

        def acquire(self, *, blocking: bool = True, timeout: float = -1) -> bool:
            if timeout > HELPER_IDLE_S:
                raise KeyboardInterrupt
            return self.real.acquire(blocking, timeout)

        def release(self) -> None:
            self.real.release()

    monkeypatch.setattr("pucs.store.gate.allocate_lock", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        gate.enter()
    monkeypatch.undo()
    holder.kill()
    holder.wait()
    other = Gate(path, wait_s_max=20)
    other.enter()
    other.leave()
    gate.enter()
    gate.leave()


def test_a_holder_that_left_no_name_is_called_unknown(path: Path) -> None:
    """What the file says is not believed blindly."""
    keeper, gate = Gate(path), Gate(path, wait_s_max=0.05)
    keeper.enter()
    path.write_bytes(b"somebody            ")
    with pytest.raises(StoreBusy, match="unknown process"):
        gate.enter()
    path.write_bytes(b"999999999           ")
    with pytest.raises(StoreBusy, match="process 999999999, which cannot be seen"):
        gate.enter()
    path.write_bytes(f"{os.getpid():<20}".encode())
    with pytest.raises(StoreBusy, match=f"process {os.getpid()} holds its gate and is in state"):
        gate.enter()
    keeper.close()


def test_a_gate_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    """A missing directory is a failure of the environment, with a remedy."""
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        Gate(tmp_path / "absent" / "gate")
    assert "--store" in caught.value.remedy
