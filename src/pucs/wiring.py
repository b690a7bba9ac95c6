"""The composition root: the only module that names concrete hands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.coordinator.context import Context
from pucs.launch.bells import FifoBells
from pucs.launch.processes import SystemClock, SystemProcesses
from pucs.store.sqlite import SQLiteStore

if TYPE_CHECKING:
    from pucs.coordinator.ports import Repository, Worktrees

STORE_DIRECTORY = "pucs"
"""Below the git common directory, so that every worktree shares it (DESIGN §4)."""
STORE_FILE = "state.db"


def open_context(
    repo: str | Path = ".",
    *,
    store: str = "",
    session: str = "",
    door: str = "client",
    create: bool = False,
) -> Context:
    """Return a context for the repository that holds ``repo``.

    ``store`` names another store file. Nothing is written unless ``create`` is set and there is no store yet.

    Raises:
        EnvironmentFailure: not a git repository, or the store cannot be opened; the message says what to do.
    """
    hands = _Git(str(repo))
    place = Path(store).expanduser() if store else Path(hands.common_dir) / STORE_DIRECTORY / STORE_FILE
    clock = SystemClock()
    opened = SQLiteStore(place, clock, create=create)
    return Context(
        store=opened,
        clock=clock,
        processes=SystemProcesses(),
        bells=FifoBells(place.parent / "bells"),
        git=hands,
        door=door,
        session=session,
    )


class _Git:
    """Git's hands, imported and started only by verbs that need them; finding the repository needs neither."""

    def __init__(self, start: str) -> None:
        self._start = start
        self._repository: Repository | None = None
        self._worktrees: Worktrees | None = None
        self.common_dir = _common_dir(start) or self.repository.common_dir

    @property
    def repository(self) -> Repository:
        """Objects and refs."""
        if self._repository is None:
            from pucs.git.repository import GitRepository  # noqa: PLC0415 - light verbs never need it

            self._repository = GitRepository.open(self._start)
        return self._repository

    @property
    def worktrees(self) -> Worktrees:
        """Agents' checkouts."""
        if self._worktrees is None:
            from pucs.git.worktrees import GitWorktrees  # noqa: PLC0415 - light verbs never need it

            self._worktrees = GitWorktrees.open(self._start)
        return self._worktrees


def _common_dir(start: str) -> str | None:
    """Find the git common directory from any directory of a checkout, as git does; None leaves it to git."""
    if "GIT_DIR" in os.environ:
        return None
    try:
        directory = Path(start).resolve(strict=True)
    except OSError:
        return None
    for place in (directory, *directory.parents):
        dot_git = place / ".git"
        if dot_git.is_dir() and (dot_git / "HEAD").exists():
            return str(dot_git)
        if dot_git.is_file():
            linked = dot_git.read_text(encoding="utf-8", errors="surrogateescape").removeprefix("gitdir:").strip()
            git_dir = (place / linked).resolve()
            common = git_dir / "commondir"
            if common.exists():
                return str((git_dir / common.read_text(encoding="utf-8").strip()).resolve())
            return None
    return None
