"""Agents' checkouts on disk (``coordinator.ports.Worktrees``).

Creation and removal are serialised, because git's own locking of its configuration and worktree list fails instead of
waiting. Nothing here searches upwards for a repository: a worktree whose ``.git`` is gone is an error, never a reason
to write to the checkout around it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.core.errors import EnvironmentFailure, GitError, Refused
from pucs.git import changes, locations, paths
from pucs.git.repository import REFTABLE_LOCK, STALE_LOCK_S, GitRepository, removed_stale, worktree_list
from pucs.git.run import CHECKOUT_TIMEOUT_S, Git, checked_branch, checked_revision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pucs.coordinator.records import Location, Ran
    from pucs.core.resources import Resource

CREATE_WAIT_S = 1800.0
"""Longest wait for others who create worktrees: two of the longest checkouts."""
CREATE_RETRY_S = 0.05
"""Pause between two looks at the creation lock; a checkout takes tenths of a second."""
AGENTS_MARK = "pucs-agent"
"""Empty file in the git directory of an agent's worktree: git's hooks tell by it whose commits they see."""


class GitWorktrees:
    """The worktrees of one repository."""

    def __init__(self, repository: GitRepository, *, sign: Callable[[], bool] = bool) -> None:
        """Bind to a repository; ``sign`` tells whether a commit may be signed, asked when one is made."""
        self._repository = repository
        self._git = Git(directory=repository.common_dir, environment={"GIT_DIR": repository.common_dir})
        self._sign = sign

    @staticmethod
    def open(path: str, *, sign: Callable[[], bool] = bool) -> GitWorktrees:
        """Return the worktrees of the repository that a directory belongs to.

        ``sign`` tells whether commits may be signed as the user's git is configured; no, so that none waits for a passphrase.

        Raises:
            GitError: see ``GitRepository.open``.
        """
        return GitWorktrees(GitRepository.open(path), sign=sign)

    def create(self, path: str, branch: str, start: str) -> None:
        """Add a worktree with a new branch (or the existing one) from ``start``; creation is serialised.

        Doing it twice changes nothing. A worktree that was deleted by hand, or whose creation was killed, is made
        again.

        Raises:
            GitError: git refused; nothing is left behind.
            EnvironmentFailure: the place cannot be written.
            Refused: something else is at that path, or the branch is out elsewhere.
        """
        checked_branch(branch)
        checked_revision(start)
        path = os.path.realpath(path)
        with self._serialised():
            if self._at(path, branch):
                _mark(path)
                return
            if os.path.lexists(path) and not _empty_directory(path):
                raise Refused(
                    f"{path} exists and is not a worktree of this repository.",
                    remedy="Move it away, or choose another place with worktrees.path in the configuration.",
                    path=path,
                )
            known = self._repository.resolve(f"refs/heads/{branch}") is not None
            arguments = ("--", path, branch) if known else ("--no-track", "-b", branch, "--", path, start)
            try:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                self._git("worktree", "add", *arguments, timeout_s=CHECKOUT_TIMEOUT_S)
                _mark(path)
            except OSError as error:
                raise EnvironmentFailure(f"{Path(path).parent} cannot be made: {error.strerror}.") from error
            except BaseException:
                self._take_down(path)
                if not known:
                    self._git("branch", "-D", "--", branch, ok=(0, 1))
                raise

    @contextmanager
    def detached(self, commit: str) -> Iterator[str]:
        """Give a throwaway detached worktree of a commit, removed at the end.

        It is made in the system's temporary directory: tools skip what lies below a ``.git``.
        """
        place = os.path.realpath(tempfile.mkdtemp(prefix="pucs-"))
        path = str(Path(place, Path(self._repository.root).name))
        try:
            with self._serialised():
                names = ("--", path, checked_revision(commit))
                self._git("worktree", "add", "--detach", *names, timeout_s=CHECKOUT_TIMEOUT_S)
            yield path
        finally:
            with self._serialised():
                self._take_down(path)
            shutil.rmtree(place, ignore_errors=True)

    def remove(self, path: str, safe: Sequence[str]) -> None:
        """Remove a worktree whose work is safe elsewhere; its branch stays, ignored files go.

        Raises:
            Refused: it has uncommitted changes, or its HEAD is reachable from none of the revisions ``safe``.
        """
        path = os.path.realpath(path)
        if path == self._repository.root or path == os.path.realpath(self._repository.common_dir):
            raise Refused(f"{path} is the main checkout.", remedy="PUCS never removes it.")
        with self._serialised():
            if not os.path.lexists(path):
                self._take_down(path)
                return
            dirty = self.dirty(path)
            if dirty:
                raise Refused(
                    f"The worktree {path} has uncommitted changes: {', '.join(dirty[:5])}.",
                    remedy="Land them, or keep them on a salvage ref first.",
                    files=dirty,
                )
            head = self.head(path)
            if not any(self._repository.contains(name, head) for name in safe):
                raise Refused(
                    f"The commits of the worktree {path} are nowhere else.",
                    remedy="Land them, or keep them on a salvage ref first.",
                    commit=head,
                )
            self._git("worktree", "remove", "--", path, timeout_s=CHECKOUT_TIMEOUT_S)

    def paths(self) -> dict[str, str]:
        """Return every worktree path of the repository with its branch (empty if detached).

        One whose directory was deleted by hand is left out; ``create`` makes it again.
        """
        listed = [(path, fields) for path, fields in worktree_list(self._git) if os.path.lexists(path)]
        return {path: fields.get("branch", "").removeprefix("refs/heads/") for path, fields in listed}

    def head(self, path: str) -> str:
        """Return the commit a worktree has checked out.

        Raises:
            GitError: it has none, because its branch is gone.
        """
        found = changes.at(path)("rev-parse", "--verify", "--quiet", "HEAD^{commit}", ok=(0, 1))
        if found.status:
            raise GitError(
                f"The branch of the worktree {path} is gone.",
                remedy="Its files are there. Make the branch again with git update-ref; its git directory has the commits "
                "in logs/HEAD.",
                path=path,
            )
        return found.line

    def branch(self, path: str) -> str:
        """Return the branch a worktree has checked out, empty if detached (also while a rebase goes on)."""
        git = changes.at(path)
        found = locations.branch(path)
        if found is not None:
            return found  # asked with every edit of an agent, so that no process is started for it
        return git("symbolic-ref", "--quiet", "HEAD", ok=(0, 1)).line.removeprefix("refs/heads/")

    def dirty(self, path: str) -> list[Resource]:
        """Return the path resources with uncommitted changes, untracked files included, ignored ones not."""
        return changes.dirty(changes.at(path))

    def staged(self, path: str, *, index: str = "") -> list[Resource]:
        """Return the path resources that the next commit of a worktree would change.

        ``index`` is another index file to look in, as git names it to its hooks while it commits.
        """
        return changes.staged(changes.at(path), index)

    def commit(
        self, path: str, message: str, *, author: str, only: Sequence[Resource] | None = None
    ) -> str | None:
        """Commit the uncommitted changes (of ``only`` these paths) and return the commit, None if there were none.

        A merge that the agent has begun and resolved is concluded, whatever ``only`` says: git commits it whole.
        The user's commit hooks run, with a timeout.

        Raises:
            GitError: a hook refused (the message carries what it printed), or git failed.
            Refused: files still contain conflict markers.
        """
        return changes.commit(changes.at(path), message, author=author, only=only, sign=self._sign())

    def snapshot(
        self, path: str, message: str, *, author: str, only: Sequence[Resource] | None = None
    ) -> str | None:
        """Write the worktree's current content as a commit on top of its HEAD, through a temporary index.

        HEAD, index and files stay as they are; works beside a stale ``index.lock``. None if nothing differs.
        """
        return changes.snapshot(changes.at(path), message, author=author, only=only)

    def restore(self, path: str, resources: Sequence[Resource]) -> None:
        """Set paths of an agent's own worktree back to its HEAD; new files are removed. Snapshot first."""
        changes.restore(changes.at(path), resources)

    def advance(self, path: str, commit: str) -> None:
        """Fast-forward a clean worktree and its branch to a commit that contains its HEAD.

        Raises:
            GitError: it is no fast-forward, or a changed file is in the way; nothing was changed.
        """
        arguments = ("--ff-only", "--quiet", "--no-edit", checked_revision(commit))
        changes.at(path)("merge", *arguments, timeout_s=CHECKOUT_TIMEOUT_S)

    def copy(self, path: str, patterns: Sequence[str]) -> None:
        """Copy files that git does not track from the main checkout, where the worktree lacks them.

        Patterns are paths or globs relative to the repository, ``**`` included; what is missing is passed over.

        Raises:
            Usage: a pattern leaves the repository.
            EnvironmentFailure: something cannot be copied.
        """
        paths.copy(self._repository.root, path, patterns)

    def locate(self, directory: str, name: str) -> Location:
        """Tell where a name leads that a program uses in a directory; cheap, and nothing of it needs to exist.

        Raises:
            Usage: no file system has such a name.
        """
        return locations.locate(self._repository.common_dir, directory, name)

    def ignored(self, path: str, resources: Sequence[Resource]) -> set[Resource]:
        """Return those of these paths that git ignores in a worktree, so that they never land."""
        return changes.ignored(changes.at(path), resources)

    def merging(self, path: str) -> bool:
        """Tell whether a worktree is in the middle of a merge or the like; what differs there is not all its agent's."""
        return locations.merging(path)

    def canonical(self, path: str, names: Iterable[str]) -> tuple[Resource, ...]:
        """Return the canonical resources of names as a caller in that worktree writes them.

        A symlink yields both itself and its target; an existing directory is recognised without its slash.

        Raises:
            Usage: a name is outside the repository, also through a symlink.
        """
        return paths.canonical(path, (self._repository.root,), names)

    def run(self, path: str, command: str, *, timeout_s: float) -> Ran:
        """Run a shell command of the user's in a worktree, in its own process group; nothing of it is left running.

        Raises:
            EnvironmentFailure: it could not be started.
        """
        from pucs.git import commands  # noqa: PLC0415 - hooks run none

        return commands.run_shell(path, command, timeout_s=timeout_s)

    def read(self, path: str, resource: str) -> bytes | None:
        """Return what a worktree holds in a file (of a symbol: in its file), None if there is none.

        Raises:
            Refused: it is no regular file, lies behind a symlink, or is larger than ``CONTENT_BYTES_MAX``.
            EnvironmentFailure: it cannot be read.
        """
        return paths.read(path, resource)

    def note(self, path: str, resource: str) -> str:
        """Describe a file (lstat and content hash) so that an unchanged one is recognised without git."""
        return paths.note(path, resource)

    def clear_stale_locks(self, path: str) -> list[str]:
        """Remove what a killed git left locked in an agent's worktree and return the removed files.

        Only for a caller who knows that no process of the agent lives. A git that outlived its caller may be at work yet,
        so that a lock counts as left behind once it is ``STALE_LOCK_S`` old.

        Raises:
            GitError: one is younger; nothing of it was removed.
        """
        git_dir = changes.at(path)("rev-parse", "--path-format=absolute", "--absolute-git-dir").line
        if git_dir == self._repository.common_dir:
            raise Refused(f"{path} is the main checkout.", remedy="Its locks are its owner's.")
        removed: list[str] = []
        branch = self.paths().get(os.path.realpath(path), "")
        candidates = [Path(git_dir, "index.lock"), Path(git_dir, "HEAD.lock")]
        candidates += [Path(self._repository.common_dir, "refs", "heads", f"{branch}.lock")] if branch else []
        candidates += [Path(git_dir, REFTABLE_LOCK)]
        for lock in candidates:
            with suppress(FileNotFoundError, NotADirectoryError):  # beside reftables, refs/heads is a file
                age_s = time.time() - lock.lstat().st_mtime
                if age_s < STALE_LOCK_S:
                    raise GitError(
                        f"{lock} is {age_s:.0f} s old: git is at work in {path}, or was killed there.",
                        remedy=f"Try again in {STALE_LOCK_S:.0f} s; what was left behind is removed then.",
                        path=path,
                    )
                lock.unlink()
                removed.append(str(lock))
        of_all = Path(self._repository.common_dir, REFTABLE_LOCK)
        # A young one is no obstacle: others hold it for milliseconds, all the time.
        if os.path.lexists(of_all) and removed_stale(of_all):
            removed.append(str(of_all))
        return removed

    def _at(self, path: str, branch: str) -> bool:
        """Tell whether the worktree is there already, and clear what stands in the way of making it."""
        for listed, fields in worktree_list(self._git):
            here, on_branch = os.path.realpath(listed) == path, fields.get("branch") == f"refs/heads/{branch}"
            if not here and not on_branch:
                continue
            # Nobody is creating now, we hold the lock: whoever was, was killed, maybe half-way through the files.
            # One that is gone from the disk is forgotten by name; a general prune could forget a person's unmounted one.
            if not os.path.lexists(listed) or (here and "initializing" in fields.get("locked", "")):
                self._take_down(listed)
            elif not here:
                raise Refused(
                    f"Branch {branch} is checked out in {listed}.",
                    remedy="Use another agent id.",
                    path=listed,
                )
            elif not on_branch:
                raise Refused(
                    f"The worktree {path} is not on branch {branch}.",
                    remedy=f"Go there and run: git switch {branch}",
                    path=path,
                )
            else:
                return True
        return False

    def _take_down(self, path: str) -> None:
        with suppress(GitError):
            self._git("worktree", "remove", "--force", "--force", "--", path, timeout_s=CHECKOUT_TIMEOUT_S)
        if Path(path, ".git").is_file() or _empty_directory(path):
            shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def _serialised(self) -> Iterator[None]:
        """Hold the one lock under which worktrees come and go; the kernel drops it if we die."""
        place = Path(self._repository.common_dir, "pucs")
        try:
            place.mkdir(exist_ok=True)
            handle = os.open(place / "worktrees.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EnvironmentFailure(
                f"{place} cannot be written: {error.strerror}.", remedy="Check permissions and free space."
            ) from error
        try:
            give_up = time.monotonic() + CREATE_WAIT_S
            while True:
                with suppress(BlockingIOError):
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                if time.monotonic() > give_up:
                    raise EnvironmentFailure(
                        f"Another process has been creating worktrees for {CREATE_WAIT_S:.0f} s.",
                        remedy=f"See who holds {place / 'worktrees.lock'}: fuser -v FILE",
                    )
                time.sleep(CREATE_RETRY_S)
            yield
        finally:
            os.close(handle)


def _mark(path: str) -> None:
    git_dir = Path(path, ".git").read_text(encoding="utf-8", errors="surrogateescape")
    Path(path, git_dir.removeprefix("gitdir:").strip(), AGENTS_MARK).touch()


def _empty_directory(path: str) -> bool:
    place = Path(path)
    return place.is_dir() and not place.is_symlink() and next(place.iterdir(), None) is None
