"""Finds the files that decide how git merges (gitattributes(5), git-config(1))."""

from __future__ import annotations

import os
from pathlib import Path

from pucs.coordinator.merge_settings import MergeSettings
from pucs.core.errors import GitError
from pucs.git.run import Git, nowhere, require_git

TEXT_BYTES_MAX = 1_000_000
"""Largest file of attributes that is looked into; git itself stops at 100 MiB."""
FILES_MAX = 1000
"""Files of attributes looked into: repositories have a handful."""


def of_repository(path: str) -> MergeSettings:
    """Return those of the repository around a directory, bare ones and linked worktrees too.

    Raises:
        GitError: there is none.
        EnvironmentFailure: git is missing or too old.
    """
    require_git()
    git = Git(directory=path)
    names = ("--git-path", "config", "--git-path", "info/attributes", "--is-bare-repository")
    try:
        places = git("rev-parse", "--path-format=absolute", *names)
    except GitError as error:
        told = GitError(
            f"{path} is not in a git repository.",
            remedy="Go to one, or use --global for all repositories of yours.",
            path=path,
        )
        raise nowhere(error, told) from None
    config, attributes, bare = places.line.rsplit("\n", 2)
    general = _text(Path(of_person().attributes))
    others = [("", general)] if general else []
    if bare == "false":
        others += _committed(git)
    return MergeSettings(_resolved(config), _resolved(attributes), tuple(others))


def of_person() -> MergeSettings:
    """Return those that count in all repositories of this person.

    Raises:
        EnvironmentFailure: git is missing or too old.
    """
    home = Path.home()
    more = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "git"
    named = os.environ.get("GIT_CONFIG_GLOBAL")
    config = Path(named) if named else home / ".gitconfig"
    if not named and not config.exists() and (more / "config").exists():
        config = more / "config"
    require_git()
    git = Git(directory="/", environment={"GIT_CONFIG_GLOBAL": str(config)})
    attributes = git("config", "--type=path", "--get", "core.attributesFile", ok=(0, 1)).line
    return MergeSettings(_resolved(str(config)), _resolved(attributes or str(more / "attributes")))


def _committed(git: Git) -> list[tuple[str, str]]:
    """Return the tracked files of attributes as they are in the checkout, those of the top first."""
    top = git("rev-parse", "--show-toplevel", ok=(0, 128))
    if top.status:
        return []
    names = git("ls-files", "-z", "--full-name", "--", ":(top,glob)**/.gitattributes").items[:FILES_MAX]
    found = []
    for name in sorted(names, key=lambda name: (name.count("/"), name)):
        text = _text(Path(top.line, name))
        if text:
            found.append((name.removesuffix(".gitattributes"), text))
    return found


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(TEXT_BYTES_MAX).decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def _resolved(path: str) -> str:
    return str(Path(path).resolve())
