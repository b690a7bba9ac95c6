"""Replaces the content of tracked files in one checkout, for a person who asked for it (``coordinator.ports.Replacing``)."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from pucs.core.errors import EnvironmentFailure, GitError, Refused
from pucs.core.resources import path_resource
from pucs.git.paths import read
from pucs.git.run import CHECKOUT_TIMEOUT_S, Git


class CheckoutReplacing:
    """One checkout."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._git = Git(directory=root, environment={"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1"})

    def uncommitted(self) -> frozenset[str] | None:
        """Return the tracked files that differ from the commit checked out; None: there is no commit yet."""
        try:
            self._git("rev-parse", "--verify", "--quiet", "HEAD")
        except GitError:
            return None
        arguments = [
            "--name-only",
            "--no-renames",
            "--no-ext-diff",
            "--ignore-submodules=all",
            "-z",
            "HEAD",
            "--",
        ]
        return frozenset(self._git("diff", *arguments, timeout_s=CHECKOUT_TIMEOUT_S).items)

    def replace(self, path: str, before: bytes, after: bytes) -> None:
        """Replace the content of a file, as a whole or not at all; its permissions stay.

        Raises:
            Refused: it does not hold ``before`` any more, or lies behind a symlink.
            EnvironmentFailure: it cannot be written.
        """
        place = Path(self._root, path)
        if read(self._root, path_resource(path)) != before:
            raise Refused(
                f"{path} was changed meanwhile.", remedy="Look at it again, then repeat the command."
            )
        handle, made = -1, ""
        try:
            handle, made = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
            with os.fdopen(handle, "wb") as file:
                file.write(after)
                file.flush()
                os.fchmod(file.fileno(), stat.S_IMODE(place.lstat().st_mode))
                os.fsync(file.fileno())
            Path(made).replace(place)
        except OSError as error:
            if made:
                Path(made).unlink(missing_ok=True)
            raise EnvironmentFailure(
                f"{place} cannot be written: {error.strerror}.",
                remedy="Check its directory, then repeat the command.",
            ) from error
