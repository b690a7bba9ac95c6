"""What is not committed yet in one worktree: finding, committing, keeping and undoing it."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.core.errors import GitError, Refused
from pucs.core.resources import Resource, contains, file_path, path_resource
from pucs.git.identity import identity
from pucs.git.run import ARGUMENTS_MAX, CHECKOUT_TIMEOUT_S, Git

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MARKERS = (b"<<<<<<< ", b">>>>>>> ")
_FROM_STDIN = ("--pathspec-from-file=-", "--pathspec-file-nul")


def at(path: str) -> Git:
    """Return git for one worktree, which must be the top of one: nothing is searched for above it.

    Raises:
        GitError: there is no worktree.
    """
    if not os.path.lexists(Path(path, ".git")):
        there = os.path.isdir(path)  # noqa: PTH112 - a name stays one
        raise GitError(
            f"{path} is not a worktree any more.",
            remedy="Its .git file is gone; mend it: git worktree repair"
            if there
            else "A worktree deleted by hand is made again when its agent starts.",
            path=path,
        )
    return Git(
        directory=path, environment={"GIT_CEILING_DIRECTORIES": str(Path(os.path.realpath(path)).parent)}
    )


def dirty(git: Git) -> list[Resource]:
    """Return the path resources with uncommitted changes, untracked files included, ignored ones not.

    A repository inside the worktree is not part of it and left out, and so are changes inside a submodule.
    """
    arguments = ("--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=dirty")
    items = git("status", *arguments, timeout_s=CHECKOUT_TIMEOUT_S).items
    names = [item[3:] for item in items if not (item.startswith("?? ") and item.endswith("/"))]
    return sorted(path_resource(name) for name in names)


def ignored(git: Git, resources: Sequence[Resource]) -> set[Resource]:
    """Return those of these paths that git ignores; a tracked one never is."""
    names = {file_path(resource): resource for resource in resources}
    stdin = "".join(f"{name}\0" for name in names if name)
    found = git("check-ignore", "-z", "--stdin", stdin=stdin, ok=(0, 1)).items if stdin else []
    return {names[name] for name in found if name in names}


def staged(git: Git, index: str) -> list[Resource]:
    """Return the path resources that an index changes against HEAD; an empty name means the worktree's own."""
    variables = {"GIT_INDEX_FILE": index} if index else {}
    names = git("diff", "--cached", "--name-only", "--no-renames", "-z", environment=variables).items
    return sorted(path_resource(name) for name in names)


def commit(git: Git, message: str, *, author: str, only: Sequence[Resource] | None, sign: bool) -> str | None:
    """Commit the changes and return the commit, None if there were none (see ``GitWorktrees.commit``).

    Raises:
        GitError: a hook refused or git failed.
        Refused: files still contain conflict markers.
    """
    merging = git("rev-parse", "--verify", "--quiet", "MERGE_HEAD", ok=(0, 1)).status == 0
    _refuse_markers(git)
    found = dirty(git)
    chosen = found if only is None or merging else _among(found, only)
    if not chosen and not merging:
        return None
    _stage(git, chosen)
    if not merging and git("diff", "--cached", "--quiet", ok=(0, 1)).status == 0:
        return None  # only line endings or times differed
    arguments = ["commit", "--quiet", "--cleanup=whitespace", "--allow-empty-message"]
    arguments += [] if sign else ["--no-gpg-sign"]
    who = identity(git.directory, author)
    # The message goes by a file, so that standard input can carry paths that no command line would hold.
    with tempfile.NamedTemporaryFile("wb", prefix="pucs-message-") as file:
        file.write(message.encode("utf-8", "surrogateescape"))
        file.flush()
        if chosen == found or merging:
            output = git.with_hooks(*arguments, "-F", file.name, signed=sign, environment=who)
        else:
            arguments += ["--only", "-F", file.name, *_FROM_STDIN]
            output = git.with_hooks(*arguments, stdin=_specs(chosen), signed=sign, environment=who)
    if output.status != 0:
        raise GitError(
            f"The commit in {git.directory} was refused: {output.error or f'exit status {output.status}'}",
            remedy="Fix what the hook complains about in the worktree, then land again.",
            stderr=output.error,
        )
    return git("rev-parse", "--verify", "HEAD").line


def snapshot(git: Git, message: str, *, author: str, only: Sequence[Resource] | None) -> str | None:
    """Write the worktree's content as a commit on top of HEAD, through a temporary index; None if nothing differs."""
    chosen = dirty(git)
    if only is not None:
        chosen = _among(chosen, only)
    if not chosen:
        return None
    with tempfile.TemporaryDirectory(prefix="pucs-index-") as place:
        index = {"GIT_INDEX_FILE": str(Path(place, "index"))}
        if only is None:
            # A copy of the real index knows which files are unchanged, so that git need not read them all again.
            real = Path(git("rev-parse", "--path-format=absolute", "--absolute-git-dir").line, "index")
            if real.exists():
                shutil.copyfile(real, index["GIT_INDEX_FILE"])
        else:
            git("read-tree", "HEAD", environment=index)
        _stage(git, chosen, environment=index)
        tree = git("write-tree", environment=index).line
    if tree == git("rev-parse", "--verify", "HEAD^{tree}").line:
        return None
    who = identity(git.directory, author)
    return git("commit-tree", "-p", "HEAD", "-F", "-", tree, stdin=message, environment=who).line


def restore(git: Git, resources: Sequence[Resource]) -> None:
    """Set paths back to HEAD; new files are removed, ignored ones are not touched."""
    chosen = _among(dirty(git), resources)
    if not chosen:
        return
    paths = [file_path(resource) for resource in chosen]
    known: set[str] = set()
    for start in range(0, len(paths), ARGUMENTS_MAX):
        chunk = paths[start : start + ARGUMENTS_MAX]
        known.update(
            git("--literal-pathspecs", "ls-tree", "-r", "-z", "--name-only", "HEAD", "--", *chunk).items
        )
    added = [path for path in paths if path not in known]
    git("update-index", "--force-remove", "-z", "--stdin", stdin="".join(f"{path}\0" for path in added))
    for path in added:
        _unlink(Path(git.directory, path), Path(git.directory))
    if known:
        arguments = ("--source=HEAD", "--staged", "--worktree", *_FROM_STDIN)
        specs = _specs(path_resource(path) for path in sorted(known))
        git("restore", *arguments, stdin=specs, timeout_s=CHECKOUT_TIMEOUT_S)


def _unlink(path: Path, top: Path) -> None:
    """Remove a file and the directories it leaves empty, as git does."""
    with suppress(FileNotFoundError):
        path.unlink()
    with suppress(OSError):  # the first directory that is not empty ends it
        for directory in path.parents:
            if directory == top:
                break
            directory.rmdir()


def _stage(git: Git, chosen: Sequence[Resource], environment: dict[str, str] | None = None) -> None:
    if chosen:
        git(
            *("add", "-A", *_FROM_STDIN),
            stdin=_specs(chosen),
            environment=environment,
            timeout_s=CHECKOUT_TIMEOUT_S,
        )


def _specs(chosen: Iterable[Resource]) -> str:
    """Return the paths as literal pathspecs; the option for that would reach the user's hooks as well."""
    return "".join(f":(top,literal){file_path(resource)}\0" for resource in chosen)


def _among(found: Iterable[Resource], wanted: Sequence[Resource]) -> list[Resource]:
    return [path for path in found if any(contains(resource, path) for resource in wanted)]


def _refuse_markers(git: Git) -> None:
    unmerged = sorted({item.partition("\t")[2] for item in git("ls-files", "-u", "-z").items})
    left = [name for name in unmerged if _has_markers(Path(git.directory, name))]
    if left:
        raise Refused(
            f"Files in {git.directory} still contain conflict markers: {', '.join(map(path_resource, left[:5]))}.",
            remedy="Resolve them there, then land again; or give the merge up: git merge --abort",
            files=[path_resource(name) for name in left],
        )


def _has_markers(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            found = {mark for line in file for mark in _MARKERS if line.startswith(mark)}
    except OSError:
        return False
    return len(found) == len(_MARKERS)
