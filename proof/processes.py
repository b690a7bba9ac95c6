"""Finds the processes of a session by the mark in their environment, and sends them signals."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Found:
    """One live process."""

    pid: int
    kind: str
    """``agent``, ``child``, ``keeper``, ``supervisor`` or ``other``."""
    command: str


def of_session(mark: str) -> Iterator[Found]:
    """Yield every live process that was started with this mark."""
    wanted = f"PROOF_MARK={mark}".encode()
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if wanted not in Path(entry.path, "environ").read_bytes().split(b"\0"):
                continue
            words = Path(entry.path, "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            state = Path(entry.path, "stat").read_bytes().rpartition(b") ")[2][:1]
            if state not in {b"Z", b"X"}:
                yield Found(int(entry.name), _kind(words), " ".join(words).strip())


def send(pid: int, number: int, mark: str) -> bool:
    """Send a signal to a process if it still is the one of the session."""
    try:
        exact = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if f"PROOF_MARK={mark}".encode() not in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            return False
        signal.pidfd_send_signal(exact, number)
    except OSError:
        return False
    finally:
        os.close(exact)
    return True


def _kind(words: list[str]) -> str:
    if "--child" in words:
        return "child" if not words[0].endswith("sh") else "other"
    if any(word.endswith("proof/agent.py") for word in words) and not words[0].endswith("sh"):
        return "agent"
    if any(word.endswith("keeper.py") for word in words):
        return "keeper"
    return "supervisor" if "run" in words and "--tasks" in words else "other"
