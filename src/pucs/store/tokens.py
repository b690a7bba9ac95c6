"""Fencing tokens that never repeat, not even after a restore or a power loss (DESIGN §3.4, §4).

The database alone cannot know that it was rolled back: an older copy put in its place, or commits lost with the power,
would hand out the same numbers twice. So every grant also leaves its number in a small side file, before the commit, and
the epoch is raised whenever the two do not agree, the machine was booted since, or the database file is another one.
Only a raised epoch is synced: what a plain crash can lose is in the page cache, and a power loss changes the boot.

The two can come back together, with the whole directory. So the database also notes when the side file was changed last by
the kernel's account (its ctime), which no program that copies files can set.

Where the side file is lost or older together with the database, nothing tells how far the epoch had come. Then the clock
helps: a raised epoch is at least the count of ten-minute spans since 2025. It stays below 2^21
until 2064, so that tokens are exact in JavaScript, too.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.core.ids import TOKEN_SEQUENCE_BITS, token

if TYPE_CHECKING:
    from pathlib import Path

    from pucs.core.instants import Instant

EPOCH_SPAN_S = 600
"""Seconds by the wall clock per epoch number that passes unused."""
EPOCHS_SINCE_S = 1_735_689_600
"""2025-01-01T00:00:00Z."""
_LAYOUT = struct.Struct("<8sIIQ40s")
_MAGIC = b"pucs-ep1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the database says, and which file it is in."""

    epoch: int
    last: int
    """The last number of that epoch."""
    changed_ns: int
    """When the side file was changed by the last grant; 0 if it never was."""
    inode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Tokens that were given out, or taken by a verb that was undone, and that the database knows nothing of."""

    after: int
    up_to: int
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """New tokens, and what the database is to say from now on."""

    epoch: int
    first: int
    changed_ns: int
    skipped: Skipped | None = None


class Memory:
    """The side file of one store: last epoch and number, the boot, and which database file it belongs to."""

    def __init__(self, path: Path) -> None:
        """Name the side file; it is made by the first grant."""
        self._path = path
        self._descriptor: int | None = None

    def next(self, said: Said, count: int, now: Instant) -> Taken:
        """Return ``count`` new tokens; call under the gate."""
        known = self._read()
        boot = now.boot_id.encode()[:40].ljust(40, b"\0")
        trusted = (
            known is not None
            and (known[0], *known[2:]) == (said.epoch, said.inode, boot)
            and known[1] <= said.last
            and said.changed_ns == self._changed_ns()
        )
        if trusted and not said.last + count >> TOKEN_SEQUENCE_BITS:
            self._write(said.epoch, said.last + count, said.inode, boot)
            return Taken(epoch=said.epoch, first=said.last + 1, changed_ns=self._changed_ns())
        by_clock = int(now.wall_s - EPOCHS_SINCE_S) // EPOCH_SPAN_S
        epoch = max(said.epoch + 1, known[0] + 1 if known else 0, by_clock)
        self._write(epoch, count, said.inode, boot)
        os.fsync(self._open())
        skipped = None
        if known is not None and said.epoch and known[:2] > (said.epoch, said.last):
            because = (
                "the machine was started anew"
                if known[3] != boot
                else "an older copy of the store was put back, or a verb was undone"
            )
            skipped = Skipped(
                after=value(said.epoch, said.last), up_to=value(known[0], known[1]), because=because
            )
        return Taken(epoch=epoch, first=1, changed_ns=self._changed_ns(), skipped=skipped)

    def _changed_ns(self) -> int:
        assert self._descriptor is not None, "it was read before"
        return os.fstat(self._descriptor).st_ctime_ns

    def _open(self) -> int:
        if self._descriptor is not None and os.fstat(self._descriptor).st_nlink == 0:
            self.close()  # somebody removed the file; what others read must be what we write
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._descriptor

    def _read(self) -> tuple[int, int, int, bytes] | None:
        raw = os.pread(self._open(), _LAYOUT.size, 0)
        if len(raw) != _LAYOUT.size:
            return None
        magic, epoch, last, inode, boot = _LAYOUT.unpack(raw)
        return (epoch, last, inode, boot) if magic == _MAGIC else None

    def _write(self, epoch: int, last: int, inode: int, boot: bytes) -> None:
        os.pwrite(self._open(), _LAYOUT.pack(_MAGIC, epoch, last, inode, boot), 0)

    def close(self) -> None:
        """Close the side file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        self.close()


def value(epoch: int, sequence: int) -> int:
    """Return the token of a number in an epoch."""
    return token(epoch, sequence)
