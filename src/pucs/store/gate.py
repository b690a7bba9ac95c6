"""The gate: one writer at a time, by a kernel lock that dies with its holder.

SQLite's own busy waiting starves writers under load; a blocking ``flock`` does not, and the kernel takes it back from a
dead process. The holder writes its pid into the file, so that a wait beyond the bound can name who is in the way.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

from pucs.core.errors import StoreBusy, StoreError

GATE_WAIT_S_MAX = 20.0
"""Longest wait for the gate. A transaction takes milliseconds, so only a stopped holder makes anyone wait this long."""


class Gate:
    """One open handle on the gate file; used by one thread."""

    def __init__(self, path: Path, *, wait_s_max: float = GATE_WAIT_S_MAX) -> None:
        """Open the gate file, creating it if need be."""
        self._path = path
        self._wait_s_max = wait_s_max
        self._descriptor = -1
        self._open()

    def _open(self) -> None:
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"The store's gate {self._path} cannot be opened: {error.strerror}.",
                remedy="Make its directory writable for you, or name another store with --store.",
            ) from error

    def enter(self) -> None:
        """Take the gate, waiting at most the bound.

        Raises:
            StoreBusy: somebody kept it longer; the message names the process and its state.
        """
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._enter_slowly()
        os.pwrite(self._descriptor, f"{os.getpid():<20}".encode(), 0)

    def _enter_slowly(self) -> None:
        # A blocking flock cannot be given a timeout, so a helper thread blocks in our place.
        arrived = threading.Event()
        abandoned = threading.Event()
        handing_over = threading.Lock()
        descriptor = self._descriptor

        def block() -> None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with handing_over:
                if abandoned.is_set():
                    os.close(descriptor)  # closing gives the lock back
                else:
                    arrived.set()

        def abandon() -> bool:
            """Leave the lock to the thread, which gives it back; False if it has handed it over already."""
            with handing_over:
                if not arrived.is_set():
                    abandoned.set()
            return abandoned.is_set()

        threading.Thread(target=block, name="pucs-gate", daemon=True).start()
        try:
            if arrived.wait(self._wait_s_max):
                return
        except BaseException:  # Ctrl-C: a gate that arrived now would stay shut for everybody
            if abandon():
                self._open()
            else:
                self.leave()
            raise
        if not abandon():
            return
        holder = self._holder()
        self._open()
        raise StoreBusy(
            f"The store was busy for {self._wait_s_max:g} s: {holder}.",
            remedy="Continue or end that process, then try again.",
        )

    def _holder(self) -> str:
        text = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip()
        if not text.isdigit():
            return "its gate is held by an unknown process"
        try:
            state = (
                Path(f"/proc/{text}/stat")
                .read_text(encoding="utf-8", errors="replace")
                .rpartition(")")[2]
                .split()[0]
            )
        except (OSError, IndexError):
            return f"its gate was last taken by process {text}, which cannot be seen from here"
        doing = "is stopped (kill -CONT continues it)" if state in "Tt" else f"is in state {state}"
        return f"process {text} holds its gate and {doing}"

    def leave(self) -> None:
        """Give the gate back."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the handle, which gives the gate back if it was entered."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()
