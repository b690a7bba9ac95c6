"""The object store and the refs, without a checkout (``coordinator.ports.Repository``)."""

from __future__ import annotations

import os
import re
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.coordinator.records import CommitFacts
from pucs.core.errors import GitError, Refused, Usage
from pucs.core.resources import Resource, file_path, path_resource
from pucs.git.identity import identity
from pucs.git.line_merge import merge_file
from pucs.git.merging import lines_alone, merge_commits, read_blobs, replace_blobs
from pucs.git.paths import CONTENT_BYTES_MAX
from pucs.git.run import ARGUMENTS_MAX, Git, checked_branch, checked_revision, nowhere, require_git

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pucs.coordinator.records import Merged

STALE_LOCK_S = 10.0
"""Age from which a ref's lock file counts as left behind by a killed git: a ref update holds it for milliseconds."""
LIST_ATTEMPTS_MAX = 40
"""Looks at the list of worktrees while another process makes one: git writes the entry within milliseconds."""
LIST_RETRY_S = 0.025
"""Pause between two such looks."""
PATCH_CHARS_MAX = 1_000_000
"""Longest patch handed out: more than anybody reads, less than hurts."""
REFTABLE_LOCK = Path("reftable", "tables.list.lock")
"""Locks all refs of a git directory at once, where they are kept as reftables (git 2.45)."""
_LOCK_TAKEN = re.compile(r"Unable to create '(?P<lock>.+?\.lock)': File exists", re.DOTALL)
_BARE = re.compile(r"(?m)^\s*bare\s*(=\s*(true|yes|on|1)\s*)?$")
_LOG_FORMAT = "%x00%H%x00%P%x00%s%x00%(trailers:only,unfold,separator=%x1e,key_value_separator=%x1f)"
_LOG_FIELDS = 4
_REMERGED_PARENTS = 2
_PLACES = ("--absolute-git-dir", "--git-common-dir", "--show-toplevel")


class GitRepository:
    """One repository, addressed by its common directory; commands never search for another one."""

    def __init__(self, root: str, common_dir: str) -> None:
        self.root = root
        self.common_dir = common_dir
        self._git = Git(directory=root, environment={"GIT_DIR": common_dir, "GIT_WORK_TREE": root})

    @staticmethod
    def open(path: str) -> GitRepository:
        """Return the repository that a directory belongs to, from any of its worktrees or subdirectories.

        Raises:
            GitError: it is no git repository, a bare one, or has no commit yet; the remedy says what to do.
            EnvironmentFailure: git is missing or too old.
        """
        require_git()
        git = Git(directory=path)
        # One process tells everything where the main checkout is an ordinary one; the questions below are for the rest.
        told = git("rev-parse", "--path-format=absolute", *_PLACES, "HEAD^{commit}", ok=(0, 128))
        match told.line.split("\n") if told.status == 0 else ():
            case [git_dir, shared, top, _] if git_dir == shared:
                return GitRepository(str(Path(top).resolve()), str(Path(shared).resolve()))
        try:
            common_dir = git("rev-parse", "--path-format=absolute", "--git-common-dir").line
        except GitError as error:
            absent = GitError(
                f"{path} is not in a git repository.",
                remedy="Go to one, or make one: git init && git add -A && git commit -m first",
                path=path,
            )
            raise nowhere(error, absent) from None
        root = _main_checkout(git, common_dir)
        if root is None:
            raise GitError(
                f"{common_dir} is a bare repository.",
                remedy="PUCS needs a main checkout; clone it: git clone PATH DIRECTORY",
                path=path,
            )
        repository = GitRepository(str(Path(root).resolve()), str(Path(common_dir).resolve()))
        if repository.resolve("HEAD") is None:
            raise GitError(
                f"The repository {repository.root} has no commit yet.",
                remedy="Make a first one: git commit --allow-empty -m first",
                path=path,
            )
        return repository

    @staticmethod
    def known(common_dir: str) -> GitRepository | None:
        """Return the repository of an ordinary main checkout without running git; None: only git can tell what it is."""
        common = Path(common_dir)
        if common.name != ".git" or "GIT_DIR" in os.environ:
            return None
        try:
            configuration = (common / "config").read_text(encoding="utf-8", errors="surrogateescape").lower()
        except OSError:
            return None
        # A main checkout elsewhere, a bare repository or parts of the configuration in other files.
        if any(word in configuration for word in ("worktree", "include")) or _BARE.search(configuration):
            return None
        return GitRepository(str(common.parent), common_dir)

    def head(self) -> tuple[str, str]:
        """Return commit and branch name (empty if detached) of the main checkout."""
        commit, name = self._git("rev-parse", "HEAD", "--symbolic-full-name", "HEAD").line.split("\n")
        return commit, name.removeprefix("refs/heads/") if name.startswith("refs/heads/") else ""

    def resolve(self, revision: str) -> str | None:
        """Return the commit a revision names, None if there is none."""
        name = f"{checked_revision(revision)}^{{commit}}"
        output = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", name, ok=(0, 1, 128))
        return output.line if output.status == 0 else None

    def move_ref(self, ref: str, new: str, old: str | None) -> bool:
        """Compare-and-swap a full ref name; ``old`` None: it must not exist. False if it was not as expected.

        A lock file that a killed git left beside the ref is removed once it is ``STALE_LOCK_S`` old.
        """
        if not ref.startswith("refs/"):
            raise Usage(f"{ref!r} is not a full ref name.", remedy="It starts with refs/.")
        checked_branch(ref.removeprefix("refs/heads/"))
        zero = "0" * len(new)
        expected = None if old in {None, zero} else old
        order = f"update {ref}\0{new}\0{expected or zero}\0"
        arguments = ("update-ref", "-m", "pucs", "--stdin", "-z")
        for attempt in (1, 2):
            output = self._git(*arguments, stdin=order, ok=(0, 1, 128))
            if output.status == 0:
                return True
            found = self._git("rev-parse", "--verify", "--quiet", ref, ok=(0, 1, 128)).line or None
            if found != expected:
                return False
            lock = self._lock_taken(output.error)
            if attempt == 1 and lock is not None and removed_stale(lock):
                continue
            raise GitError(
                f"git cannot move {ref}: {output.error}",
                remedy=""
                if lock is None
                else f"If a git was killed there, try again in {STALE_LOCK_S:.0f} s: its lock is removed then.",
                ref=ref,
                stderr=output.error,
            )
        raise AssertionError("both attempts end in the loop")

    def _lock_taken(self, error: str) -> Path | None:
        """Return the lock file that kept git from moving a ref, None if it was something else."""
        found = _LOCK_TAKEN.search(error)
        if found is not None:
            return Path(found["lock"])
        of_all = Path(self.common_dir, REFTABLE_LOCK)  # git names it nowhere
        return of_all if os.path.lexists(of_all) else None

    def make_refs(self, refs: Sequence[str], start: str) -> None:
        """Make those of these full ref names that do not exist, at a commit; the others stay as they are."""
        for ref in refs:
            checked_branch(ref.removeprefix("refs/heads/"))
        order = "".join(f"create {ref}\0{checked_revision(start)}\0" for ref in refs)
        # All of them in one process, unless one is there already.
        if self._git("update-ref", "-m", "pucs", "--stdin", "-z", stdin=order, ok=(0, 1, 128)).status:
            for ref in refs:
                if self.resolve(ref) is None:
                    self.move_ref(ref, start, None)

    def delete_ref(self, ref: str, old: str) -> bool:
        """Delete a full ref name if it still has the value ``old``; False if it does not."""
        output = self._git(
            "update-ref", "--stdin", "-z", stdin=f"delete {checked_branch(ref)}\0{old}\0", ok=(0, 1, 128)
        )
        return output.status == 0

    def refs(self, prefix: str) -> dict[str, str]:
        """Return refs below a prefix with the commits they point at."""
        pattern = checked_revision(prefix).removesuffix("/")
        output = self._git("for-each-ref", "--format=%(refname) %(objectname) %(*objectname)", "--", pattern)
        found: dict[str, str] = {}
        for line in output.text.splitlines():
            name, direct, peeled = line.split(" ")
            found[name] = peeled or direct
        return found

    def contains(self, descendant: str, ancestor: str) -> bool:
        """Tell whether ``ancestor`` is reachable from ``descendant``."""
        if descendant == ancestor:
            return True
        names = (checked_revision(ancestor), checked_revision(descendant))
        return self._git("merge-base", "--is-ancestor", *names, ok=(0, 1)).status == 0

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the best common ancestor of two commits, None if their histories have nothing in common."""
        names = (checked_revision(one), checked_revision(other))
        output = self._git("merge-base", *names, ok=(0, 1))
        return output.line if output.status == 0 else None

    def changed(self, base: str, tip: str) -> list[Resource]:
        """Return the path resources that differ between two commits' trees."""
        names = (checked_revision(base), checked_revision(tip))
        output = self._git("diff-tree", "-r", "-z", "--name-only", "--no-renames", *names, "--")
        return [path_resource(name) for name in output.items]

    def merge(self, ours: str, theirs: str) -> Merged:
        """Merge two commits three-way without any worktree.

        ``git merge-tree --write-tree`` (git-merge-tree(1)): merge drivers of ``info/attributes`` and of the main
        checkout's ``.gitattributes`` take part, except ours: what is beyond lines is for the caller.
        """
        return merge_commits(self._git, ours, theirs)

    def blobs(self, names: Sequence[str]) -> list[bytes | None]:
        """Return the blobs of these names (ids, or ``commit:path``); None: there is none, or it is too large to look at."""
        return read_blobs(self._git, names, CONTENT_BYTES_MAX)

    def tree_replacing(self, tree: str, files: Mapping[Resource, tuple[str, bytes]]) -> str:
        """Return a tree in which these files have this mode and content, and all others are as in ``tree``."""
        return replace_blobs(self._git, tree, files)

    def merge_file(self, base: bytes, ours: bytes, theirs: bytes) -> tuple[bytes, int]:
        """Merge two changes of one file line by line; return the result and in how many places both change the same."""
        return merge_file(
            base, ours, theirs, directory=self._git.directory, environment=self._git.environment
        )

    def commit(self, tree: str, parents: Sequence[str], message: str, *, author: str) -> str:
        """Write a commit object; ``author`` is an agent id used where the user has no identity configured."""
        arguments = [part for parent in parents for part in ("-p", checked_revision(parent))]
        who = identity(self.root, author)
        return self._git("commit-tree", *arguments, "-F", "-", tree, stdin=message, environment=who).line

    def commits(self, base: str, *tips: str, also_not: Sequence[str] = ()) -> list[CommitFacts]:
        """Return the commits reachable from any of ``tips`` and neither from ``base`` nor ``also_not``, oldest first.

        Names among ``also_not`` that do not exist exclude nothing.
        """
        names = [*(checked_revision(tip) for tip in tips), f"^{checked_revision(base)}"]
        if also_not:
            names += ["--ignore-missing", *(f"^{checked_revision(name)}" for name in also_not)]
        arguments = (
            "log",
            "-z",
            "--reverse",
            "--topo-order",
            "--remerge-diff",
            "--name-only",
            "--no-renames",
        )
        output = self._git(*arguments, f"--format={_LOG_FORMAT}", *names, "--", environment=lines_alone())
        # git remerges two parents only; what an octopus did is told from its first parent, which is never too little.
        return [
            replace(facts, paths=tuple(self.changed(facts.parents[0], facts.id)))
            if len(facts.parents) > _REMERGED_PARENTS
            else facts
            for facts in _facts(output.text)
        ]

    def message(self, commit: str) -> str:
        """Return the whole message of a commit."""
        return self._git("log", "-1", "--format=%B", checked_revision(commit), "--").text.strip("\n")

    def content(self, commit: str, resource: str) -> bytes | None:
        """Return what a commit holds in a file (of a symbol: in its file), None if it has none there.

        Raises:
            Refused: it is no regular file there, or larger than ``CONTENT_BYTES_MAX``.
        """
        path = file_path(resource)
        names = ("ls-tree", "-z", "-l", "--full-tree", checked_revision(commit), "--", path)
        entry = next(iter(self._git("--literal-pathspecs", *names).items), None)
        if entry is None:
            return None
        mode, _, blob, size = entry.partition("\t")[0].split()
        if not mode.startswith("100"):
            raise Refused(
                f"{path} is no regular file in {commit[:12]}.", remedy="Name a file.", commit=commit
            )
        if int(size) > CONTENT_BYTES_MAX:
            raise Refused(
                f"{path} is larger than {CONTENT_BYTES_MAX} bytes in {commit[:12]}.",
                remedy="Take a lease on all of it.",
                commit=commit,
            )
        # Text goes in and out as surrogate escapes, which keep every byte.
        return self._git("cat-file", "blob", blob).text.encode("utf-8", "surrogateescape")

    def patch(self, base: str, tip: str, resources: Sequence[Resource]) -> str:
        """Return the changes between two commits as a patch (of these paths, if any are named), cut at ``PATCH_CHARS_MAX``."""
        specs = [file_path(resource) or "." for resource in resources[:ARGUMENTS_MAX]]
        names = (checked_revision(base), checked_revision(tip))
        arguments = ("diff-tree", "-p", "--no-ext-diff", "--no-textconv", *names, "--", *specs)
        text = self._git("--literal-pathspecs", *arguments).text
        return text if len(text) <= PATCH_CHARS_MAX else text[:PATCH_CHARS_MAX] + "\n[cut]\n"

    def files(self, commit: str) -> list[str]:
        """Return the real paths of all files of a commit."""
        return self._git("ls-tree", "-r", "-z", "--name-only", "--full-tree", checked_revision(commit)).items

    def tree_with(self, commit: str, resources: Sequence[Resource], base: str) -> str:
        """Return the tree of ``commit`` in which these paths are as they are in ``base``, absent ones included."""
        paths = [file_path(resource) for resource in resources]
        entries = [f"0 {'0' * len(commit)}\t{path}\0" for path in paths]
        for start in range(0, len(paths), ARGUMENTS_MAX):
            chunk = paths[start : start + ARGUMENTS_MAX]
            found = self._git("--literal-pathspecs", "ls-tree", "-r", "-z", "--full-tree", base, "--", *chunk)
            entries += [f"{entry}\0" for entry in found.items]
        with tempfile.TemporaryDirectory(prefix="pucs-index-") as place:
            index = {"GIT_INDEX_FILE": str(Path(place, "index"))}
            self._git("read-tree", checked_revision(commit), environment=index)
            self._git("update-index", "-z", "--index-info", stdin="".join(entries), environment=index)
            return self._git("write-tree", environment=index).line

    def checkout_of(self, branch: str) -> str | None:
        """Return the worktree that has a branch checked out, None if nobody has."""
        ref = f"refs/heads/{branch}"
        return next((path for path, at in worktree_list(self._git) if at.get("branch") == ref), None)

    def hooks_directory(self) -> str:
        """Return the absolute path of the directory in which git looks for the main checkout's hooks."""
        # Our own setting, which keeps the user's hooks out of our commands, is the last of them.
        set_to = self._git("config", "--get-all", "-z", "--type=path", "core.hooksPath", ok=(0, 1)).items[:-1]
        if not set_to:
            return str(Path(self.common_dir, "hooks"))
        return os.path.normpath(Path(self.root, set_to[-1]))

    def ignores(self, path: str) -> bool:
        """Tell whether git leaves a path of the main checkout out, whether it exists or not."""
        return self._git("check-ignore", "--quiet", "--", path, ok=(0, 1)).status == 0

    def tracks(self, path: str) -> bool:
        """Tell whether a path of the main checkout is in its index."""
        return bool(self._git("--literal-pathspecs", "ls-files", "-z", "--", path).items)


def worktree_list(git: Git) -> list[tuple[str, dict[str, str]]]:
    """Return every registered worktree, the main one first, with its attributes (git-worktree(1), porcelain)."""
    found: list[tuple[str, dict[str, str]]] = []
    for record in _worktree_list(git).split("\0\0"):
        fields = dict(line.partition(" ")[::2] for line in record.strip("\0").split("\0") if line)
        if "worktree" in fields:
            found.append((fields.pop("worktree"), fields))
    return found


def _worktree_list(git: Git) -> str:
    """Ask git for its worktrees; it fails if it reads the entry of one that is being made at that moment."""
    for _ in range(LIST_ATTEMPTS_MAX - 1):
        try:
            return git("worktree", "list", "--porcelain", "-z").text
        except GitError as error:
            if "/commondir" not in error.fields.get("stderr", ""):
                raise
        time.sleep(LIST_RETRY_S)
    return git("worktree", "list", "--porcelain", "-z").text


def _main_checkout(git: Git, common_dir: str) -> str | None:
    if git("rev-parse", "--path-format=absolute", "--absolute-git-dir").line == common_dir:
        # Asked this way because a submodule's list of worktrees names its git directory as the main one.
        output = git("rev-parse", "--path-format=absolute", "--show-toplevel", ok=(0, 128))
        if output.status == 0:
            return output.line
    path, attributes = worktree_list(git)[0]
    return None if "bare" in attributes else path


def _facts(text: str) -> Iterator[CommitFacts]:
    """Read ``git log -z --name-only``: an empty field opens each commit, names follow behind one newline."""
    fields = text.split("\0")
    at = 0
    while at + _LOG_FIELDS < len(fields):
        commit, parents, subject, trailers = fields[at + 1 : at + 1 + _LOG_FIELDS]
        at += 1 + _LOG_FIELDS
        names: list[str] = []
        while at < len(fields) and fields[at]:
            names.append(fields[at] if names else fields[at].removeprefix("\n"))
            at += 1
        pairs = [pair.partition("\x1f")[::2] for pair in trailers.split("\x1e") if pair]
        yield CommitFacts(
            id=commit,
            parents=tuple(parents.split()),
            subject=subject,
            trailers=tuple((key, value) for key, value in pairs if key.startswith("PUCS-")),
            paths=tuple(path_resource(name) for name in names),
        )


def removed_stale(lock: Path) -> bool:
    """Remove a lock file that a killed git left behind; False if it is young, and somebody may be at work."""
    with suppress(FileNotFoundError):
        if time.time() - lock.lstat().st_mtime < STALE_LOCK_S:
            return False
        lock.unlink()
    return True
