"""The tracked files of one checkout as they are now, and what changed with what (``coordinator.ports.Sources``)."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pucs.core.errors import EnvironmentFailure, GitError, Refused
from pucs.core.resources import path_resource
from pucs.git.paths import read
from pucs.git.run import CHECKOUT_TIMEOUT_S, Git, nowhere, require_git

if TYPE_CHECKING:
    from collections.abc import Iterator

HASHED_BYTES_MAX: Final = 64 * 1024 * 1024
"""Largest changed file that is hashed: more is no source; its id is made of size and time of change instead."""
_CHUNK_BYTES: Final = 1024 * 1024
_NOT_CHECKED_OUT: Final = "S"
_SUBMODULE: Final = "160000"
_SYMLINK: Final = "120000"
_NAMED_MAX: Final = 5
_SHA1_DIGITS: Final = 40


class CheckoutSources:
    """One checkout: the main one, or a linked worktree."""

    def __init__(self, root: str, common_dir: str) -> None:
        self.root = root
        self.common_dir = common_dir
        # What is missing in a partial clone is not fetched for us.
        self._git = Git(directory=root, environment={"GIT_NO_LAZY_FETCH": "1"})
        self._notes: tuple[str, ...] = ()

    @staticmethod
    def open(path: str) -> CheckoutSources:
        """Return the checkout around a directory.

        Raises:
            GitError: it is in no git repository, or in a bare one.
            EnvironmentFailure: git is missing or too old.
        """
        require_git()
        try:
            places = Git(directory=path)(
                "rev-parse", "--path-format=absolute", "--git-common-dir", "--show-toplevel"
            )
        except GitError as error:
            told = GitError(
                f"{path} is not in a checkout of a git repository.",
                remedy="Go to one, or make one: git init && git add -A && git commit -m first",
                path=path,
            )
            raise nowhere(error, told) from None
        common_dir, _, root = places.line.partition("\n")
        return CheckoutSources(root, common_dir)

    def listing(self) -> dict[str, str]:
        """Return the tracked files by path with their blob ids, changed ones hashed."""
        files: dict[str, str] = {}
        changed = self._changed()
        absent, submodules, links = 0, [], 0
        for item in self._git("ls-files", "-t", "-s", "-z", timeout_s=CHECKOUT_TIMEOUT_S).items:
            kind, _, path = item.partition("\t")
            tag, mode, blob, stage = kind.split(" ")
            if mode == _SUBMODULE:
                submodules.append(path)
            elif mode == _SYMLINK:
                links += 1
            elif tag == _NOT_CHECKED_OUT:
                absent += 1
            else:
                files[path] = blob
                if stage != "0":
                    changed.add(path)  # in the middle of a merge it has several
        for path in changed & files.keys():
            current = self._blob(path, files[path])
            if current:
                files[path] = current
            else:
                del files[path]
        self._notes = tuple(_told(absent, submodules, links))
        return dict(sorted(files.items()))

    def notes(self) -> tuple[str, ...]:
        """Return what the last listing left out."""
        return self._notes

    def newest(self) -> str:
        """Return the commit checked out and whether its history is cut short; of an unborn branch, nothing."""
        try:
            return self._git("rev-parse", "--is-shallow-repository", "--verify", "HEAD").line
        except GitError:
            return ""

    def read(self, path: str) -> bytes | None:
        """Return the content of a file."""
        try:
            return read(self.root, path_resource(path))
        except (Refused, EnvironmentFailure):
            return None

    def history(self, commits_max: int) -> list[tuple[int, tuple[str, ...]]]:
        """Return the newest commits with one parent, each with its time and the paths it changed."""
        # A first commit brings everything at once, and a merge what others did: neither says what belongs together.
        arguments = ["--no-merges", "--min-parents=1", "--no-renames", f"--max-count={commits_max}"]
        try:
            text = self._git(
                "log", "--format=%x01%ct", "--name-only", "-z", *arguments, timeout_s=CHECKOUT_TIMEOUT_S
            ).text
        except GitError:
            return []  # no commit yet, or trees that a partial clone has not got
        found = []
        for record in text.split("\x01")[1:]:
            when, _, names = record.partition("\0")
            paths = tuple(name for name in names.removeprefix("\n").split("\0") if name)
            found.append((int(when), paths))
        return found

    def _changed(self) -> set[str]:
        """Return the paths that may differ from what was staged, by the times and sizes that git noted."""
        output = self._git(
            "diff-files", "--name-only", "-z", "--ignore-submodules=all", timeout_s=CHECKOUT_TIMEOUT_S
        )
        return set(output.items)

    def _blob(self, path: str, known: str) -> str:
        """Return the blob id of what a file holds now; empty: it is no regular file any more."""
        try:
            handle = os.open(
                Path(self.root, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            )
        except OSError:
            return ""
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                return ""
            if status.st_size > HASHED_BYTES_MAX:
                return f"large-{status.st_size}-{status.st_mtime_ns}"
            digest = hashlib.new("sha1" if len(known) == _SHA1_DIGITS else "sha256", usedforsecurity=False)
            digest.update(b"blob %d\0" % status.st_size)
            while chunk := os.read(handle, _CHUNK_BYTES):
                digest.update(chunk)
            return digest.hexdigest()
        except OSError:
            return ""
        finally:
            os.close(handle)


def _told(absent: int, submodules: list[str], links: int) -> Iterator[str]:
    if absent:
        yield f"{_counted(absent, 'tracked file')} not checked out (sparse checkout)."
    if submodules:
        named = ", ".join(submodules[:_NAMED_MAX]) + (", ..." if len(submodules) > _NAMED_MAX else "")
        yield f"{_counted(len(submodules), 'submodule')} left out: {named}. Each is a repository of its own."
    if links:
        yield f"{_counted(links, 'symlink')} not followed; what they lead to counts where it is."


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing} is" if number == 1 else f"{number} {thing}s are"
