"""Changes of files that belong to somebody else: read with care, shown as a diff, and written whole or not at all."""

from __future__ import annotations

import difflib
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.core.errors import ConfigurationError, EnvironmentFailure, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

SETTINGS_BYTES_MAX = 4 * 1024 * 1024
"""Largest settings file that is edited: a thousand times what people have, and still read at once."""
_EXECUTABLE = 0o777
_PLAIN = 0o666
_PRIVATE = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A file is made, changed or, with ``after`` None, taken away."""

    path: Path
    before: bytes | None
    """What was there when the change was worked out; None: nothing."""
    after: bytes | None
    executable: bool = False
    folder: bool = False
    """Its directory was made for it, and goes with it when nothing else is in there."""
    private: bool = False
    """If its directory has to be made, nobody else may look into it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """A file is kept under another name beside its own, before something is written in its place."""

    path: Path
    to: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBack:
    """A file that was kept gets its own name again, in place of what is there."""

    path: Path
    to: Path


Change = Write | Keep | PutBack


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What installing or uninstalling would do, and what the person has to know or do beside it."""

    program: str
    what: str
    """What the changes are for, in plain words: a sentence or two, to be shown with them."""
    changes: tuple[Change, ...] = ()
    """In the order in which they are made; none: everything is as it should be."""
    notes: tuple[str, ...] = ()
    """Whole sentences, to be shown with the changes."""
    next: tuple[str, ...] = ()
    """Steps that remain for the person, to be shown at the end."""


def read(path: Path) -> bytes | None:
    """Return the content of a regular file that may be changed, None if there is no file.

    Raises:
        Refused: it is a symlink, something else than a file, too large, or read-only.
        EnvironmentFailure: it cannot be read.
    """
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(found.st_mode):
        raise Refused(
            f"{path} is a symlink to {os.readlink(path)}; nothing was changed.",  # noqa: PTH115 - as it is written
            remedy="Put a file in its place, or add the hooks where it points to by hand (--dry-run shows them there).",
        )
    if not stat.S_ISREG(found.st_mode):
        raise Refused(f"{path} is no regular file; nothing was changed.", remedy="Move it away.")
    if found.st_size > SETTINGS_BYTES_MAX:
        raise Refused(
            f"{path} has {found.st_size} bytes; nothing was changed.", remedy="Is it the right file?"
        )
    if not found.st_mode & stat.S_IWUSR:
        raise Refused(f"{path} is read-only; nothing was changed.", remedy=f"chmod u+w {path}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise EnvironmentFailure(f"{path} cannot be read: {error.strerror}; nothing was changed.") from error


def text_of(path: Path, data: bytes) -> str:
    """Return a file's text.

    Raises:
        ConfigurationError: it is not UTF-8; the message names the line.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{path}:{line}: byte 0x{data[error.start]:02x} is not UTF-8.",
            remedy="Nothing was changed. Save the file as UTF-8, then call this again.",
        ) from error


def shown(changes: Sequence[Change]) -> str:
    """Return the changes as a unified diff, renames in words."""
    kept = {change.path for change in changes if isinstance(change, Keep)}
    return "\n".join(line for change in changes for line in _lines(change, kept))


def listed(changes: Sequence[Change]) -> str:
    """Return one line for each file that is concerned: a diff is long, and its beginning out of sight at its end."""
    kept = {change.path for change in changes if isinstance(change, Keep)}
    return "\n".join(_line(change, kept) for change in changes)


def _line(change: Change, kept: AbstractSet[Path]) -> str:
    match change:
        case Keep():
            return f"keeps    {change.path} as {change.to.name}"
        case PutBack():
            return f"restores {change.to}"
        case Write():
            new = change.before is None or change.path in kept
            word = "removes" if change.after is None else "makes" if new else "changes"
            return f"{word:8} {change.path}"


def make(changes: Sequence[Change]) -> None:
    """Make the changes one after the other, each of them whole or not at all; permissions of files stay.

    Nothing is begun where one of the places can be seen not to be writable.

    Raises:
        Refused: a file is not any more what it was when the change was shown.
        EnvironmentFailure: a place cannot be written.
    """
    places = [change.path if isinstance(change, Write) else change.to for change in changes]
    for place in places:
        above = next(parent for parent in place.parents if parent.exists())
        if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
            raise EnvironmentFailure(
                f"{place} cannot be written; nothing was changed.",
                remedy=f"{above} has to be a directory that you may write to.",
            )
    for place, change in zip(places, changes, strict=True):
        try:
            _make(change)
        except OSError as error:
            raise EnvironmentFailure(
                f"{place} cannot be written: {error.strerror}.", remedy="What was shown for it was not done."
            ) from error


def _make(change: Change) -> None:
    match change:
        case Write():
            _write(change)
        case Keep():
            _keep(change)
        case PutBack():
            change.path.replace(change.to)


def _keep(change: Keep) -> None:
    try:
        # A second name for the same file: there is no moment without it.
        os.link(change.path, change.to, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a file system without second names
        shutil.copy2(change.path, change.to, follow_symlinks=False)


def _write(change: Write) -> None:
    path = change.path
    now = path.read_bytes() if path.exists() else None
    if now != change.before:
        raise Refused(f"{path} has changed meanwhile; nothing was written to it.", remedy="Call this again.")
    if change.after is None:
        path.unlink()
        if change.folder:
            with suppress(OSError):
                path.parent.rmdir()  # refused if anything is in it
        return
    path.parent.mkdir(_PRIVATE if change.private else _EXECUTABLE, parents=True, exist_ok=True)
    mode = _mode(path, executable=change.executable)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(change.after)
            file.flush()
            os.fsync(file.fileno())
            if change.before is not None and not path.is_symlink():
                was = path.stat()
                with suppress(PermissionError):
                    os.fchown(file.fileno(), was.st_uid, was.st_gid)
            os.fchmod(file.fileno(), mode)
        os.replace(name, path)  # noqa: PTH105 - both names are text
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108 - the same
        raise


def _mode(path: Path, *, executable: bool) -> int:
    if path.exists() and not path.is_symlink():
        mode = stat.S_IMODE(path.stat().st_mode)
        return mode | 0o111 if executable else mode
    mask = os.umask(0)
    os.umask(mask)
    return (_EXECUTABLE if executable else _PLAIN) & ~mask


def _lines(change: Change, kept: AbstractSet[Path]) -> Iterator[str]:
    match change:
        case Keep():
            yield f"keep {change.path} as {change.to.name}"
        case PutBack():
            yield f"put {change.path} back as {change.to.name}"
        case Write():
            # What is kept under another name does not go away, so it is not shown as taken out.
            was = None if change.path in kept else change.before
            before, after = _split(was), _split(change.after)
            old = str(change.path) if was is not None else "/dev/null"
            new = str(change.path) if change.after is not None else "/dev/null"
            for line in difflib.unified_diff(before, after, old, new, lineterm=""):
                yield line.rstrip("\r")


def _split(data: bytes | None) -> list[str]:
    lines = [] if data is None else data.decode("utf-8", "backslashreplace").split("\n")
    return lines[:-1] if lines and not lines[-1] else lines
