"""Processes that outlived their keeper, found by what they cannot easily shed, and killed.

A keeper that is killed with SIGKILL takes only its direct child with it. The rest is recognised by the environment
it was started with, which every descendant inherits, or by the keeper's session id, which stays reserved while the
keeper is an unreaped child of this process.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROUNDS_MAX = 20
"""Scans before giving up: every round kills all it finds, so only a fork bomb or a process stuck in the kernel
gets this far."""
ROUND_S = 0.5
"""Longest wait for the killed of one round to be gone."""
EXEC_S = 1.0
"""Longest wait for a process that is being replaced by another program (exec) to have an environment again."""
KERNEL_THREAD = 0x00200000
"""``PF_KTHREAD`` of Linux, in the flags of ``/proc/PID/stat``."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What tells the processes that are meant."""

    entries: frozenset[bytes]
    """Whole entries of the environment; without any, only the session counts."""
    having: bytes
    """Name of a variable that must be there too; empty: none."""
    session: int
    """Session id; 0: none."""


def kill(environment: Mapping[str, str], *, having: str = "", session: int = 0) -> list[int]:
    """Kill every process whose environment has all these entries, or that belongs to the session; verify it.

    Args:
        environment: entries as they were given at the start of the tree; empty matches nobody.
        having: name of a variable that must be there as well, whatever its value.
        session: id of a session whose leader this process has not reaped, 0 for none.

    Returns:
        Pids that are still there after ``ROUNDS_MAX`` rounds; normally none.
    """
    marks = Marks(
        frozenset(os.fsencode(f"{name}={value}") for name, value in environment.items()),
        os.fsencode(having),
        session,
    )
    for _ in range(ROUNDS_MAX):
        dying = {pid: exact for pid in found(marks) if (exact := _kill(pid, marks)) is not None}
        if not dying:
            break
        try:
            _await(list(dying.values()))
        finally:
            for exact in dying.values():
                os.close(exact)
    return list(found(marks))


def found(marks: Marks) -> Iterator[int]:
    """Yield the pids of live processes that are meant, never this one."""
    with contextlib.suppress(OSError):
        for entry in os.scandir("/proc"):
            if entry.name.isdigit() and int(entry.name) != os.getpid() and _matches(int(entry.name), marks):
                yield int(entry.name)


def _matches(pid: int, marks: Marks) -> bool:
    """Tell whether a live process is meant; one we may not look at is somebody else's."""
    try:
        fields = _stat(pid)
        if fields[0] in {b"Z", b"X"}:
            return False
        if marks.session and int(fields[3]) == marks.session:
            return True
        if not marks.entries:
            return False
        entries = _environment(pid)
        named = not marks.having or any(entry.startswith(marks.having + b"=") for entry in entries)
        return named and marks.entries.issubset(entries)
    except OSError:
        return False


def _stat(pid: int) -> list[bytes]:
    """Return the fields of ``/proc/PID/stat`` from the state on, which proc(5) numbers 3."""
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()


def _environment(pid: int) -> list[bytes]:
    """Return the entries a process was started with.

    In the middle of exec the memory of the old program is gone and that of the new one is not laid out: for a moment
    the environment reads as empty. Empty is believed of a program that was laid out before and after it was read.
    """
    until = time.monotonic() + EXEC_S
    before = b""
    while not (environment := Path(f"/proc/{pid}/environ").read_bytes()):
        fields = _stat(pid)
        end_of_code, stack = fields[24:26]
        if fields[0] in {b"Z", b"X"} or int(fields[6]) & KERNEL_THREAD or time.monotonic() > until:
            return []
        if end_of_code != b"0":
            if stack == before:
                return []
            before = stack
    return environment.split(b"\0")


def _kill(pid: int, marks: Marks) -> int | None:
    """Kill a process if it still matches once it cannot be mistaken any more; return what to wait for."""
    try:
        exact = os.pidfd_open(pid)
    except OSError:
        return None
    if _matches(pid, marks):
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(exact, signal.SIGKILL)
    return exact


def _await(deaths: list[int]) -> None:
    poll = select.poll()
    left = set(deaths)
    for death in left:
        poll.register(death, select.POLLIN)
    until = time.monotonic() + ROUND_S
    while left and (pause_s := until - time.monotonic()) > 0:
        for death, _ in poll.poll(pause_s * 1000):
            poll.unregister(death)
            left.discard(death)
