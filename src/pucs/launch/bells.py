"""Bells between processes of one host: a named pipe per waiter (DESIGN §3.3).

A ring is a hint, never a message: the truth is in the store, and a waiter that was rung looks there. So a ring that
is lost (the waiter is not there yet, the disk takes no pipe) costs at most the waiter's one-second safety check, and
one too many costs one look.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import math
import os
import re
import select
import stat
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.core.errors import Usage
from pucs.launch import processes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pucs.core.processes import Process

WATCHED_MAX = 64
"""Processes watched by one wait: each costs a descriptor, and the safety check finds the rest."""
BLIND_WAIT_S_MAX = 1.0
"""Longest sleep that cannot be woken, for want of a pipe or of a way to watch a process (DESIGN §3.3)."""
STALE_AGE_S = 60.0
"""Age at which a pipe that nobody reads is taken for one that a killed process left behind."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:+-]{0,127}")
_numbers = itertools.count()


class FifoBell:
    """What one waiter sleeps on."""

    def __init__(self, pipe: int | None) -> None:
        """Sleep on an open pipe; without one only the clock and deaths wake."""
        self._pipe = pipe

    def wait(self, timeout_s: float, watched: Sequence[Process]) -> None:
        """Sleep until rung, until a watched process dies, or for ``timeout_s``; may return early."""
        with contextlib.ExitStack() as open_files:
            poll = select.poll()
            if self._pipe is None:
                timeout_s = min(timeout_s, BLIND_WAIT_S_MAX)
            else:
                poll.register(self._pipe, select.POLLIN)
            for process in watched[:WATCHED_MAX]:
                if not processes.watchable(process):
                    continue
                death = _open_death(process)
                if death is None:
                    timeout_s = min(timeout_s, BLIND_WAIT_S_MAX)
                elif death == _DEAD:
                    timeout_s = 0.0
                else:
                    open_files.callback(os.close, death)
                    poll.register(death, select.POLLIN)
            poll.poll(math.ceil(max(0.0, timeout_s) * 1000))
        if self._pipe is not None:
            with contextlib.suppress(BlockingIOError):
                while os.read(self._pipe, 4096):
                    pass


class FifoBells:
    """Wakes waiters of this host through named pipes in one private directory (``coordinator.ports.Bells``)."""

    def __init__(self, directory: str | Path) -> None:
        """Use a directory, which is made when the first bell is hung."""
        self._directory = Path(directory)
        self._swept = False

    @contextlib.contextmanager
    def hang(self, name: str) -> Iterator[FifoBell]:
        """Set up the bell that ``ring(name)`` rings, and take it down at the end.

        One waiter per name: a second one takes the name over, and the first wakes by its safety check only.

        Yields:
            The bell to sleep on. Where no pipe can be made (disk full, a file system without pipes) it is one that
            sleeps at most a second at a time.
        """
        path = self._path(name)
        try:
            pipe: int | None = self._open(path)
        except OSError:
            pipe = None
        try:
            yield FifoBell(pipe)
        finally:
            if pipe is not None:
                with contextlib.suppress(OSError):
                    if os.fstat(pipe).st_ino == path.lstat().st_ino:
                        path.unlink()
                os.close(pipe)

    def ring(self, name: str) -> None:
        """Wake the waiter of that name; nothing happens if nobody waits."""
        try:
            pipe = os.open(self._path(name), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return  # nobody waits (no pipe), or no longer (no reader)
        try:
            with contextlib.suppress(
                OSError
            ):  # full: it has been rung often enough; broken: it has just gone
                os.write(pipe, b"\0")
        finally:
            os.close(pipe)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise Usage(
                f"{name!r} cannot name a bell.",
                remedy="Use up to 128 of the characters A-Z a-z 0-9 . _ @ : + -.",
            )
        return self._directory / name

    def _open(self, path: Path) -> int:
        """Make the pipe, open it and only then give it its name: whoever finds the name finds a reader."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._swept:
            self._swept = True
            self._sweep()
        fresh = self._directory / f".{os.getpid()}-{threading.get_ident()}-{next(_numbers)}"
        os.mkfifo(fresh, 0o600)
        try:
            pipe = os.open(fresh, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fresh.rename(path)
            except OSError:
                os.close(pipe)
                raise
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        return pipe

    def _sweep(self) -> None:
        """Remove pipes that killed processes left behind; one hung at this very moment loses a ring at worst."""
        self._directory.chmod(0o700)
        for path in self._directory.iterdir():
            with contextlib.suppress(OSError):
                found = path.lstat()
                if not stat.S_ISFIFO(found.st_mode) or time.time() - found.st_ctime < STALE_AGE_S:
                    continue
                if not _has_reader(path):
                    path.unlink()


_DEAD = -1


def _open_death(process: Process) -> int | None:
    """Return a descriptor readable once the process dies, ``_DEAD`` if it has, None if it cannot be watched."""
    if not hasattr(os, "pidfd_open"):
        return _DEAD if processes.started_is(process.pid, process.started) is False else None
    try:
        death = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return _DEAD
    except OSError:  # an old kernel, or no descriptors left
        return None
    # Looked at after opening: from here on the descriptor cannot come to mean a later process with the same pid.
    same = processes.started_is(process.pid, process.started)
    if same:
        return death
    os.close(death)
    return _DEAD if same is False else None


def _has_reader(path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW))
    except OSError as error:
        return error.errno != errno.ENXIO
    return True
