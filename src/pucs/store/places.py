"""Where a store may be: in a database, or in a file not on file systems whose locks or shared memory cannot be trusted (DESIGN §4)."""

from __future__ import annotations

import re
from pathlib import Path

from pucs.core.errors import StoreError

UNSAFE_FILE_SYSTEMS = frozenset({
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "virtiofs",
    "afs",
    "ceph",
    "glusterfs",
    "lustre",
})
"""File systems shared between kernels: SQLite's shared memory and flock do not reach across."""
_UNSAFE_PREFIX = "fuse"
_OCTAL = re.compile(r"\\([0-7]{3})")
"""How the kernel writes spaces, tabs, newlines and backslashes in a mount point."""


def is_address(place: str) -> bool:
    """Tell whether a place is a database's URL and not a path."""
    return place.startswith(("postgresql://", "postgres://"))


def file_system(path: Path, mounts: str) -> str:
    """Return the type of the file system that holds a resolved path, given the text of ``/proc/self/mounts``."""
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:  # noqa: PLR2004 - device, mount point, type
            continue
        point = _OCTAL.sub(lambda code: chr(int(code[1], 8)), fields[1])
        if len(point) >= len(best) and path.is_relative_to(point):
            best, kind = point, fields[2]
    return kind


def check_place(path: Path) -> None:
    """Refuse a place on a file system that several kernels share.

    Raises:
        StoreError: it is on one; the message says how to put the store elsewhere.
    """
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
    kind = file_system(path.resolve(), mounts)
    if kind in UNSAFE_FILE_SYSTEMS or kind.startswith(_UNSAFE_PREFIX):
        raise StoreError(
            f"The store {path} would be on a {kind} file system, where locks cannot be trusted.",
            remedy="Put it on a local disk with --store PATH or PUCS_STORE, or use PostgreSQL.",
        )
