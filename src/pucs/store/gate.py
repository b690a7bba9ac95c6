"""The gate: one writer at a time, by a kernel lock that dies with its holder.

SQLite's own busy waiting starves writers under load; a blocking ``flock`` does not, and the kernel takes it back from a
dead process. The holder writes its pid into the file, so that a wait beyond the bound can name who is in the way.
"""

from __future__ import annotations

import fcntl
import os
from _thread import allocate_lock, start_new_thread
from pathlib import Path

from pucs.core.errors import StoreBusy, StoreError

GATE_WAIT_S_MAX = 20.0
"""Longest wait for the gate. A transaction takes milliseconds, so only a stopped holder makes anyone wait this long."""


HELPER_IDLE_S = 1.0
"""Time after which a helper thread that nobody needs ends."""


class _Helper:
    """A thread that blocks in the gate for one that has a bound, which a blocking ``flock`` cannot be given.

    While it hands the gate over, the gate is shut and nobody works; so it is kept for the next time for a while, and
    only plain locks lie between the two threads.
    """

    def __init__(self, descriptor: int) -> None:
        self.abandoned = False
        self.claimed = allocate_lock()
        """Held by whoever uses the thread, and for good by the thread once it has ended."""
        self._wanted, self._arrived, self._decided = allocate_lock(), allocate_lock(), allocate_lock()
        self._descriptor = descriptor
        for lock in (self.claimed, self._wanted, self._arrived):
            lock.acquire()
        start_new_thread(self._run, ())

    def enter(self, wait_s_max: float) -> bool:
        """Take the lock; False if it did not come in time, and then the thread gives it back whenever it comes."""
        self._wanted.release()
        try:
            arrived = self._arrived.acquire(timeout=wait_s_max)
        except BaseException:
            self.abandoned = self._decided.acquire(blocking=False)
            self.claimed.release()  # so that the thread ends; whoever used it lets go of it
            raise
        if not arrived and self._decided.acquire(blocking=False):
            self.abandoned = True
            return False
        if not arrived:
            self._arrived.acquire()  # it came at the last moment
        self._decided.release()
        self.claimed.release()
        return True

    def _run(self) -> None:
        while True:
            if not self._wanted.acquire(timeout=HELPER_IDLE_S):
                if self.claimed.acquire(blocking=False):
                    return
                self._wanted.acquire()  # somebody has just claimed this thread
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            if not self._decided.acquire(blocking=False):
                os.close(self._descriptor)  # nobody waits any more; closing gives the lock back
                return
            self._arrived.release()


class Gate:
    """One open handle on the gate file; used by one thread."""

    def __init__(self, path: Path, *, wait_s_max: float = GATE_WAIT_S_MAX) -> None:
        """Open the gate file, creating it if need be."""
        self._path = path
        self._wait_s_max = wait_s_max
        self._descriptor = -1
        self._open()

    def _open(self) -> None:
        self._helper: _Helper | None = None
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
        try:
            os.pwrite(self._descriptor, f"{os.getpid():<20}".encode(), 0)
        except OSError:
            return  # the disk is full: whoever waits is told less, and what cannot be written is for the store to say

    def _enter_slowly(self) -> None:
        if self._helper is None or not self._helper.claimed.acquire(blocking=False):
            self._helper = _Helper(self._descriptor)
        try:
            if self._helper.enter(self._wait_s_max):
                return
        except BaseException:  # Ctrl-C: a gate that arrived now would stay shut for everybody
            if self._helper.abandoned:
                self._open()
            else:
                self._helper = None
                self.leave()
            raise
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
