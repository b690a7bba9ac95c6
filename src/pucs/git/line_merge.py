"""git's own merge of three versions of one file, which needs no repository (git-merge-file(1))."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.git.run import Git, require_git

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHOICE = (2, 44)
"""First version whose ``merge-file`` can be told to compare as its merges do."""


def comparing() -> tuple[str, ...]:
    """Return the option that lets ``git merge-file`` compare as git's merges do, where it has one."""
    return ("--diff-algorithm=histogram",) if require_git() >= _CHOICE else ()


def merge_file(
    base: bytes,
    ours: bytes,
    theirs: bytes,
    *,
    labels: tuple[str, str] = ("ours", "theirs"),
    marker_size: int = 7,
    directory: str = "/",
    environment: Mapping[str, str] | None = None,
) -> tuple[bytes, int]:
    """Merge two changes of one file line by line; return the result, and in how many places both change the same.

    Conflicts have the style that is configured in the repository of ``directory``; from 2.54 on outside any, too, for the
    person. ``environment`` can name another configuration (git(1)).

    Raises:
        GitError: it cannot be merged by lines: it is binary, say.
    """
    names = ("-L", labels[0], "-L", "base", "-L", labels[1])
    with tempfile.TemporaryDirectory(prefix="pucs-merge-") as place:
        files = [Path(place, name) for name in ("ours", "base", "theirs")]
        for file, content in zip(files, (ours, base, theirs), strict=True):
            file.write_bytes(content)
        # The exit status is the number of conflicts, cut at 127; 255 is an error.
        output = Git(directory=directory, environment=environment or {})(
            "merge-file",
            "-p",
            *comparing(),
            f"--marker-size={marker_size}",
            *names,
            *map(str, files),
            ok=range(128),
        )
    return output.text.encode("utf-8", "surrogateescape"), output.status
