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
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROUNDS_MAX = 20
"""Scans before giving up: every round kills all it finds, so only a fork bomb or a process stuck in the kernel
gets this far."""
ROUND_S = 0.5
"""Longest wait for the killed of one round to be gone."""


def kill(environment: Mapping[str, str], *, session: int = 0) -> list[int]:
    """Kill every process whose environment has all these entries, or that belongs to the session; verify it.

    Args:
        environment: entries as they were given at the start of the tree; empty matches nobody.
        session: id of a session whose leader this process has not reaped, 0 for none.

    Returns:
        Pids that are still there after ``ROUNDS_MAX`` rounds; normally none.
    """
    marks = frozenset(os.fsencode(f"{name}={value}") for name, value in environment.items())
    for _ in range(ROUNDS_MAX):
        dying = {
            pid: exact for pid in _found(marks, session) if (exact := _kill(pid, marks, session)) is not None
        }
        if not dying:
            break
        try:
            _await(list(dying.values()))
        finally:
            for exact in dying.values():
                os.close(exact)
    return list(_found(marks, session))


def _found(marks: frozenset[bytes], session: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for entry in os.scandir("/proc"):
            if (
                entry.name.isdigit()
                and int(entry.name) != os.getpid()
                and _matches(int(entry.name), marks, session)
            ):
                yield int(entry.name)


def _matches(pid: int, marks: frozenset[bytes], session: int) -> bool:
    """Tell whether a live process is meant; one we may not look at is somebody else's."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
        if fields[0] in {b"Z", b"X"}:
            return False
        if session and int(fields[3]) == session:
            return True
        return bool(marks) and marks.issubset(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    except OSError:
        return False


def _kill(pid: int, marks: frozenset[bytes], session: int) -> int | None:
    """Kill a process if it still matches once it cannot be mistaken any more; return what to wait for."""
    try:
        exact = os.pidfd_open(pid)
    except OSError:
        return None
    if _matches(pid, marks, session):
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
