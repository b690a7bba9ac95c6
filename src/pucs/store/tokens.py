"""Fencing tokens that never repeat, not even after a restore or a power loss (DESIGN §3.4, §4).

The database alone cannot know that it was rolled back: an older copy put in its place, or commits lost with the power,
would hand out the same numbers twice. So every grant also leaves its number in a small side file, before the commit, and
the epoch is raised whenever the two do not agree, the machine was booted since, or the database file is another one.
Only a raised epoch is synced: what a plain crash can lose is in the page cache, and a power loss changes the boot.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from pucs.core.ids import TOKEN_SEQUENCE_BITS, token

if TYPE_CHECKING:
    from pathlib import Path

_LAYOUT = struct.Struct("<8sIIQ40s")
_MAGIC = b"pucs-ep1"


class Memory:
    """The side file of one store: last epoch and number, the boot, and which database file it belongs to."""

    def __init__(self, path: Path, database: Path) -> None:
        """Open the side file, creating an empty one if need be."""
        self._database = database
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def next(self, epoch: int, last: int, count: int, boot_id: str) -> tuple[int, int]:
        """Return epoch and first number of ``count`` new tokens, given what the database says; call under the gate."""
        inode = self._database.stat().st_ino
        known = self._read()
        boot = boot_id.encode()[:40].ljust(40, b"\0")
        if known is None or known != (epoch, known[1], inode, boot) or known[1] > last or last + count >> TOKEN_SEQUENCE_BITS:
            epoch, last = max(epoch, known[0] if known else 0) + 1, 0
            self._write(epoch, count, inode, boot)
            os.fsync(self._descriptor)
        else:
            self._write(epoch, last + count, inode, boot)
        return epoch, last + 1

    def _read(self) -> tuple[int, int, int, bytes] | None:
        raw = os.pread(self._descriptor, _LAYOUT.size, 0)
        if len(raw) != _LAYOUT.size:
            return None
        magic, epoch, last, inode, boot = _LAYOUT.unpack(raw)
        return (epoch, last, inode, boot) if magic == _MAGIC else None

    def _write(self, epoch: int, last: int, inode: int, boot: bytes) -> None:
        os.pwrite(self._descriptor, _LAYOUT.pack(_MAGIC, epoch, last, inode, boot), 0)

    def close(self) -> None:
        """Close the side file."""
        os.close(self._descriptor)


def value(epoch: int, sequence: int) -> int:
    """Return the token of a number in an epoch."""
    return token(epoch, sequence)
