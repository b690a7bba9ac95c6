"""Where a file lies and which branch is out there, told by the disk alone: asked with every edit, so no git is run."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pucs.coordinator.records import Location
from pucs.core.errors import Usage

_LINK_BYTES_MAX = 8192
"""Longest ``.git`` or ``HEAD`` file read: a path or a ref name."""
_HEAD = "ref: refs/heads/"
_UNDER_WAY = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")
_REFTABLE = ".invalid"
"""What ``HEAD`` names where refs are kept in another format."""


def locate(common_dir: str, directory: str, name: str) -> Location:
    """Return where a name leads from a directory (see ``Worktrees.locate``).

    Raises:
        Usage: no file system has such a name, or the directory is not absolute.
    """
    if not Path(directory).is_absolute() or "\0" in directory + name or not name:
        raise Usage(f"{name!r} in {directory!r} is not a path.", remedy="Name the file with its whole path.")
    joined = Path(directory, name)
    try:
        # The directories are resolved as the kernel does; a last part that is a symlink is a file of its own here.
        last = joined.name if name.rstrip("/").rpartition("/")[2] not in {"", ".", ".."} else ""
        path = os.path.join(os.path.realpath(joined.parent if last else joined), last).rstrip("/") or "/"  # noqa: PTH118 - pathlib would keep the parent's dots
        with suppress(FileNotFoundError, NotADirectoryError):
            Path(path).lstat()
    except OSError as error:
        raise Usage(f"{name!r} cannot be looked at: {error.strerror}.", remedy="Leave it alone.") from error
    except ValueError as error:
        raise Usage(f"{name!r} is not a path.", remedy="Name the file with its whole path.") from error
    top, common = _around(path)
    ours = common == common_dir
    internal = _below(path, common_dir) or (ours and _below(path, str(Path(top, ".git"))))
    return Location(path=path, checkout=top, ours=ours, internal=internal)


def branch(top: str) -> str | None:
    """Return the branch that a checkout is on, empty if detached; None: only git can tell."""
    dirs = _git_dirs(top)
    head = _first_line(Path(dirs[0], "HEAD")) if dirs is not None else None
    if dirs is None or head is None or Path(dirs[0], "HEAD").is_symlink():
        return None
    if head.startswith(_HEAD):
        name = head.removeprefix(_HEAD)
        return name if name != _REFTABLE else None
    return "" if len(head) >= 40 and set(head) <= set("0123456789abcdef") else None  # noqa: PLR2004 - an object name


def merging(top: str) -> bool:
    """Tell whether a merge, a rebase, a cherry-pick or a revert is under way in a checkout."""
    dirs = _git_dirs(top)
    return dirs is not None and any(os.path.lexists(Path(dirs[0], name)) for name in _UNDER_WAY)


def _around(path: str) -> tuple[str, str]:
    """Return the nearest checkout around a path with its common directory; empty: it is in none."""
    for place in (Path(path), *Path(path).parents):
        dirs = _git_dirs(str(place))
        if dirs is not None:
            return str(place), dirs[1]
    return "", ""


def _git_dirs(top: str) -> tuple[str, str] | None:
    """Return git directory and common directory of the checkout with this top; None: it is not one, as git sees it."""
    dot_git = Path(top, ".git")
    if os.path.isdir(dot_git):  # noqa: PTH112 - pathlib raises for some names
        git_dir = os.path.realpath(dot_git)
    else:
        link = _first_line(dot_git)
        if link is None or not link.startswith("gitdir:"):
            return None
        git_dir = os.path.realpath(Path(top, link.removeprefix("gitdir:").strip()))
    if not os.path.lexists(Path(git_dir, "HEAD")):
        return None
    shared = _first_line(Path(git_dir, "commondir"))
    common = git_dir if shared is None else os.path.realpath(Path(git_dir, shared))
    return (git_dir, common) if os.path.isdir(Path(common, "objects")) else None  # noqa: PTH112 - see above


def _first_line(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return os.fsdecode(file.read(_LINK_BYTES_MAX)).partition("\n")[0].strip()
    except (OSError, ValueError):
        return None


def _below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")
