"""Where a server leaves its traces: the lock that keeps it the only one, its address, and the operator's token."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pucs.core.errors import EnvironmentFailure, Refused
from pucs.wiring import STORE_DIRECTORY, TOKEN_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pucs.coordinator.context import Context

ADDRESS_FILE = "server.json"
"""In the directory ``pucs`` of the git common directory: hooks look for the server there."""
TOKEN_BYTES = 32
ADDRESS_BYTES_MAX = 1_000
"""No address of ours is longer."""


@contextmanager
def only_server(context: Context, *, public: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Be the one server of a store; yields a function that tells where it listens.

    The kernel ends the lock with the process, however it dies. Where hooks look for the server it is told only if it is
    ``public``: a server of another store than the repository's own would give them wrong answers.

    Raises:
        Refused: there is one already; the message says where.
        EnvironmentFailure: the lock file cannot be written.
    """
    lock = _lock(context)
    place = _folder(context) / ADDRESS_FILE
    try:
        lock.parent.mkdir(mode=0o700, exist_ok=True)  # the session may have been started on another machine
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EnvironmentFailure(f"{lock} cannot be written: {error.strerror}.") from error

    def announce(address: dict[str, Any]) -> None:
        os.pwrite(handle, f"{address['url']} (process {address['pid']})".encode(), 0)
        if public:
            _write(place, json.dumps(address) + "\n")

    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            first = os.pread(handle, ADDRESS_BYTES_MAX, 0).decode(errors="replace").strip()
            raise Refused(
                f"A server for this store is at work{f': {first}' if first else ''}.",
                remedy="Use that one, or end it first.",
            ) from error
        os.ftruncate(handle, 0)
        try:
            yield announce
        finally:
            if public:
                place.unlink(missing_ok=True)
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def token(context: Context) -> str:
    """Return the operator's token, making it the first time.

    Raises:
        EnvironmentFailure: it cannot be read or written, or others can read it.
    """
    place = token_place(context)
    try:
        found = place.read_text("ascii").strip()
        mode = place.stat().st_mode & 0o777
    except FileNotFoundError:
        found, mode = "", 0o600
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFailure(
            f"{place} cannot be read.", remedy="Remove it; a new one is made."
        ) from error
    if mode & 0o077:
        raise EnvironmentFailure(
            f"Others can read the token in {place}.", remedy="Remove it; a new one is made."
        )
    if not found:
        found = secrets.token_urlsafe(TOKEN_BYTES)
        _write(place, found + "\n")
    return found


def token_place(context: Context) -> Path:
    """Return the file that holds the token."""
    return _folder(context) / TOKEN_FILE


def _lock(context: Context) -> Path:
    """Return the lock of a store: beside its file, or in the repository if it is in a database."""
    if "://" not in context.store.path:
        return Path(f"{context.store.path}.server")
    return _folder(context) / f"{zlib.crc32(context.store.path.encode()):08x}.server"


def _folder(context: Context) -> Path:
    return Path(context.git.common_dir) / STORE_DIRECTORY


def _write(place: Path, text: str) -> None:
    """Put a file that only its owner can read in place, whole."""
    aside = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        aside.replace(place)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise EnvironmentFailure(f"{place} cannot be written: {error.strerror}.") from error
