"""Names as callers write them, and files as they lie on disk."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.core.errors import EnvironmentFailure, Refused, Usage
from pucs.core.resources import Resource, file_path, is_directory, is_named, parse, path_resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NOTE_BYTES_MAX = 64 * 1024 * 1024
"""Largest file that is hashed at a grant (about 0.1 s); a larger one is told by size and time alone."""
CONTENT_BYTES_MAX = 8 * 1024 * 1024
"""Largest file handed out whole: no source that people write is larger, and a few of them fit into memory at once."""
_CHUNK_BYTES = 1024 * 1024
ABSENT = "absent"
"""The note of a file that does not exist."""


def canonical(top: str, also: Sequence[str], names: Iterable[str]) -> tuple[Resource, ...]:
    """Return the canonical resources of names, each once, in the order of the names.

    Args:
        top: the caller's worktree.
        also: other checkouts of the repository, whose absolute paths stand for the same files.
        names: paths relative to the worktree, absolute paths, symbols or named resources.

    Raises:
        Usage: a name is outside the repository, also through a symlink, or in the ``.git`` directory.
    """
    found: dict[Resource, None] = {}
    for name in names:
        found.update(dict.fromkeys(_resources_of(top, also, name)))
    return tuple(found)


def note(top: str, resource: str) -> str:
    """Describe a file by lstat and, up to ``NOTE_BYTES_MAX``, content hash; empty for directories and named resources.

    Two equal notes mean an unchanged file; two different ones only that somebody has to look.
    """
    if is_named(resource) or is_directory(resource):
        return ""
    path = Path(top, file_path(resource))
    try:
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            return ""
        digest = _digest(path, status)
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    except OSError as error:
        raise EnvironmentFailure(f"{path} cannot be read: {error.strerror}.", path=str(path)) from error
    return f"{status.st_mode:o} {status.st_size} {status.st_mtime_ns} {digest}"


def read(top: str, resource: str) -> bytes | None:
    """Return the content of a file below ``top``, None if there is none (see ``GitWorktrees.read``).

    Raises:
        Refused: it is no regular file, lies behind a symlink, or is larger than ``CONTENT_BYTES_MAX``.
        EnvironmentFailure: it cannot be read.
    """
    *parents, name = file_path(resource).split("/")
    path = Path(top, file_path(resource))
    if is_named(resource) or is_directory(resource):
        raise Refused(f"{resource} is no file.", remedy="Name a file.")
    # One step at a time and never through a symlink, whatever changes meanwhile; a pipe must not keep us waiting.
    at = -1
    try:
        at = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for parent in parents:
            below = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = below
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.ENXIO}:
            raise Refused(
                f"{path} is no regular file, or behind a symlink.", remedy="Name the file itself."
            ) from error
        raise EnvironmentFailure(f"{path} cannot be read: {error.strerror}.", path=str(path)) from error
    finally:
        if at >= 0:
            os.close(at)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Refused(f"{path} is no regular file.", remedy="Name a file.")
    with os.fdopen(handle, "rb") as file:
        content = file.read(CONTENT_BYTES_MAX + 1)
    if len(content) > CONTENT_BYTES_MAX:
        raise Refused(
            f"{path} is larger than {CONTENT_BYTES_MAX} bytes.", remedy="Take a lease on all of it."
        )
    return content


def copy(root: str, top: str, patterns: Sequence[str]) -> None:
    """Copy what the patterns name from one checkout to another, never over something (see ``GitWorktrees.copy``).

    Raises:
        Usage: a pattern leaves the repository.
        EnvironmentFailure: something cannot be copied.
    """
    for pattern in patterns:
        if pattern.startswith("/") or ".." in pattern.split("/") or not pattern.strip("/"):
            raise Usage(
                f"worktrees.copy: {pattern!r} is outside the repository.", remedy="Name a path inside it."
            )
        for source in Path(root).glob(pattern.rstrip("/")):
            relative = source.relative_to(root)
            if relative.parts[:1] == (".git",) or os.path.lexists(Path(top, relative)):
                continue
            try:
                _copy_one(source, Path(top, relative))
            except (OSError, shutil.Error) as error:
                raise EnvironmentFailure(
                    f"{relative} cannot be copied to {top}: {error}.", path=top
                ) from error


def _copy_one(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _digest(path: Path, status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
    if not stat.S_ISREG(status.st_mode) or status.st_size > NOTE_BYTES_MAX:
        return "-"
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _resources_of(top: str, also: Sequence[str], name: str) -> Iterator[Resource]:
    relative = _relative(top, also, name)
    # A file whose real name merely looks like a symbol or an escape is that file.
    literal = "\0" not in relative and relative not in {"", "/"} and os.path.lexists(Path(top, relative))
    lexical = path_resource(relative) if literal else parse(relative)
    if is_named(lexical):
        yield lexical
        return
    inside = file_path(lexical)
    if inside == ".git" or inside.startswith(".git/"):
        raise Usage(f"{name!r} is git's own.", remedy="Name a file of the repository.")
    _refuse_nested(top, inside, name)
    symbol = lexical[len(path_resource(inside)) :] if inside and "::" in lexical else ""
    link = _symlinked(top, inside)
    if link is None:
        directory = is_directory(lexical) or (not symbol and Path(top, inside).is_dir())
        yield path_resource(inside or ".", directory=directory) if not symbol else lexical
        return
    real_top = os.path.realpath(top)
    target = os.path.realpath(Path(top, inside))
    if target != real_top and not target.startswith(real_top + "/"):
        raise Usage(
            f"{name!r} is outside the repository: the symlink {link} leads to {target}.",
            remedy="Name a path inside it.",
        )
    yield Resource(path_resource(inside) + symbol)
    led_to = os.path.relpath(target, real_top)
    _refuse_nested(top, led_to, name)
    yield Resource(path_resource(led_to, directory=Path(target).is_dir()) + symbol)


def _relative(top: str, also: Sequence[str], name: str) -> str:
    if not name.startswith("/") or name == "/":
        return name
    # Longest first: a worktree may lie inside the main checkout.
    for place in sorted({top, os.path.realpath(top), *also}, key=len, reverse=True):
        if name.rstrip("/") == place:
            return "/"
        if name.startswith(place.rstrip("/") + "/"):
            return name[len(place.rstrip("/")) + 1 :]
    raise Usage(f"{name!r} is outside the repository.", remedy=f"Name a path below {top}.")


def _refuse_nested(top: str, inside: str, name: str) -> None:
    """Refuse what lies in a repository or submodule of its own; its directory is still this repository's."""
    at = inside.rfind("/")
    while at != -1:
        if os.path.lexists(Path(top, inside[:at], ".git")):
            raise Usage(
                f"{name!r} is inside the git repository of its own at {inside[:at]}/.",
                remedy="Only what this repository tracks can be leased; use PUCS in that one too.",
            )
        at = inside.rfind("/", 0, at)


def _symlinked(top: str, inside: str) -> str | None:
    """Return the first part of a path that is a symlink, None if there is none."""
    at = ""
    for part in inside.split("/"):
        at = f"{at}/{part}" if at else part
        if part and Path(top, at).is_symlink():
            return at
    return None
