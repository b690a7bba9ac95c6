"""Makes the merges of a repository's history again, beside the repository (``coordinator.past.PastMerges``).

All merging happens in an empty repository of our own that borrows the objects. So nothing is written into the one that is
looked at, not even objects, and neither its settings and merge drivers nor the user's take part: a driver that merges by
structure, set up there already, would hide the very conflicts that are looked for.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from pucs.coordinator.past import LeftOut, PastConflict, PastMerge, Reason
from pucs.core.errors import GitError, NotFound
from pucs.core.instants import parse_iso
from pucs.git.line_merge import merge_file
from pucs.git.merging import read_blobs
from pucs.git.run import CHECKOUT_TIMEOUT_S, Git, checked_revision, nowhere, require_git

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FILE_BYTES_MAX: Final = 1_000_000
"""Largest version that is read, as ``merge.merging.BYTES_MAX``: larger ones stay git's."""
BATCH: Final = 32
"""Merges asked of one git: starting one costs as much as merging. A batch with a bad one is done again one by one."""
SCRATCH_MERGES: Final = 512
"""Merges after which the borrowed repository is made anew, so that what they wrote does not pile up."""
READ_FILES: Final = 16
"""Conflicting files read at a time: four versions of each, up to 64 MB together."""
_TWO: Final = ("--min-parents=2", "--max-parents=2")
_MARKERS = re.compile(rb"^<{7} .*^>{7} ", re.MULTILINE | re.DOTALL)
_MISSING = re.compile(
    "unable to read|could not read|could not parse|not something we can merge|bad object|missing",
    re.IGNORECASE,
)
_QUOTED: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
_SETTINGS: Final = ("-c", "core.fsync=none", "-c", "core.attributesFile=/dev/null")
_ALONE: Final = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1"}


class _Stopped(NamedTuple):
    """A path at which git stops: mode and blob of each stage, of base, ours and theirs."""

    path: str
    stages: dict[str, tuple[str, str]]


class GitPastMerges:
    """One repository, bare or with checkouts."""

    def __init__(self, directory: str, place: str, objects: str, shallow: str, object_format: str) -> None:
        self.place = place
        self._objects, self._shallow, self._format = objects, shallow, object_format
        self._git = Git(directory=directory, environment={"GIT_NO_LAZY_FETCH": "1"})

    @staticmethod
    def open(path: str) -> GitPastMerges:
        """Return the repository around a directory, or of this name.

        Raises:
            GitError: there is none, or git will not look into it.
            EnvironmentFailure: git is missing or too old.
        """
        require_git()
        git = Git(directory=path)
        try:
            place, objects, shallow = (
                git("rev-parse", "--path-format=absolute", *question).line
                for question in (("--git-common-dir",), ("--git-path", "objects"), ("--git-path", "shallow"))
            )
            return GitPastMerges(path, place, objects, shallow, git("rev-parse", "--show-object-format").line)
        except GitError as error:
            told = GitError(
                f"{path} is in no git repository.",
                remedy="Name a repository: pucs merge replay PATH",
                path=path,
            )
            raise nowhere(error, told) from None

    def listing(self, *, after: str, beyond: str, merges_max: int) -> list[PastMerge]:
        """Return the newest merges reachable from any branch or tag, newest first."""
        since_s = parse_iso(after) if after else 0.0
        # Times are compared here: git takes a date it cannot read for today.
        bounds = [] if after else [f"--max-count={merges_max}"]
        tips = ["--branches", "--tags", "--remotes"]
        if self._commit("HEAD"):
            tips.append("HEAD")  # of a detached checkout
        if beyond:
            found = self._commit(checked_revision(beyond))
            if not found:
                raise NotFound(
                    f"{beyond!r} names no commit here.", remedy="Name a commit, a branch or a tag."
                )
            tips.append(f"^{found}")
        merges = self._log(*_TWO, *bounds, *tips)
        return [merge for merge in merges if merge.committed_at_s >= since_s][:merges_max]

    def one(self, revision: str) -> PastMerge:
        """Return the merge of this name."""
        commit = self._commit(checked_revision(revision))
        merges = self._log(*_TWO, "--no-walk", commit) if commit else []
        if not merges:
            raise NotFound(
                f"{revision!r} names no merge of two commits here.", remedy="List them: git log --merges"
            )
        return merges[0]

    def again(
        self, merges: Sequence[PastMerge], wanted: Callable[[str], bool]
    ) -> Iterator[PastMerge | PastConflict | LeftOut]:
        """Merge again, and give for each merge what git stops at, then the merge itself."""
        seen: set[tuple[str, ...]] = set()
        for start in range(0, len(merges), SCRATCH_MERGES):
            with self._scratch() as git:
                for first in range(start, min(start + SCRATCH_MERGES, len(merges)), BATCH):
                    batch = merges[first : min(first + BATCH, start + SCRATCH_MERGES)]
                    for merge, found in _stopped(git, batch):
                        if isinstance(found, LeftOut):
                            yield found
                        else:
                            yield from _files(git, merge, [each for each in found if wanted(each.path)], seen)
                        yield merge

    def _commit(self, revision: str) -> str:
        """Return the commit of a name, empty if there is none."""
        output = self._git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", ok=(0, 1, 128))
        return output.line if output.status == 0 else ""

    def _log(self, *arguments: str) -> list[PastMerge]:
        # Not git log: it wants trees, which a partial clone may not have.
        text = self._git(
            "rev-list", "--timestamp", "--parents", *arguments, "--", timeout_s=CHECKOUT_TIMEOUT_S
        ).text
        found = []
        for record in text.splitlines():
            when, commit, ours, theirs = record.split()
            found.append(PastMerge(commit=commit, ours=ours, theirs=theirs, committed_at_s=int(when)))
        return found

    @contextmanager
    def _scratch(self) -> Iterator[Git]:
        """Give a repository for a while that borrows this one's objects and has nothing else of it."""
        with tempfile.TemporaryDirectory(prefix="pucs-replay-") as place:
            # Named, because some versions and settings let git find no bare repository by itself (safe.bareRepository).
            git = Git(directory=place, environment=_ALONE | {"GIT_DIR": place})
            git("init", "-q", "--bare", "--template=", f"--object-format={self._format}", ".")
            # For whatever reads the user's settings: conflicts have the plain style here.
            git("config", "merge.conflictStyle", "merge")
            quoted = "".join(_QUOTED.get(letter, letter) for letter in self._objects)
            borrowed = Path(place, "objects", "info", "alternates")
            borrowed.parent.mkdir(exist_ok=True)
            borrowed.write_text(f'"{quoted}"\n', encoding="utf-8", errors="surrogateescape")
            if Path(self._shallow).is_file():
                Path(place, "shallow").write_bytes(Path(self._shallow).read_bytes())
            yield git


def _stopped(git: Git, merges: Sequence[PastMerge]) -> Iterator[tuple[PastMerge, list[_Stopped] | LeftOut]]:
    """Merge again, many at once; if that fails, each alone, to know which one it is."""
    asked = "".join(f"{merge.ours} {merge.theirs}\n" for merge in merges)
    try:
        output = git(*_SETTINGS, "merge-tree", "--write-tree", "-z", "--no-messages", "--stdin", stdin=asked)
        # Some versions go on with a tree that is missing as if it were empty, and only complain.
        answers = [] if output.error else list(_answers(output.text))
    except GitError:  # one of them cannot be merged, or git is older than 2.39 and takes one at a time
        answers = []
    if len(answers) == len(merges):
        yield from zip(merges, answers, strict=True)
        return
    for merge in merges:
        yield merge, _stopped_alone(git, merge)


def _stopped_alone(git: Git, merge: PastMerge) -> list[_Stopped] | LeftOut:
    names = (merge.ours, merge.theirs)
    try:
        output = git(*_SETTINGS, "merge-tree", "--write-tree", "-z", "--no-messages", *names, ok=(0, 1))
    except GitError as error:
        return _failed(merge, str(error.fields.get("stderr", "")) or error.message)
    if output.error:
        return _failed(merge, output.error)
    return _entries(output.text.split("\0")[1:]) if output.status else []


def _failed(merge: PastMerge, said: str) -> LeftOut:
    reason = Reason.FAILED
    if "unrelated histories" in said:
        reason = Reason.UNRELATED
    elif _MISSING.search(said):
        reason = Reason.MISSING
    return LeftOut(merge=merge, path="", reason=reason, detail=said.partition("\n")[0])


def _answers(text: str) -> Iterator[list[_Stopped]]:
    """Take apart what git said of many merges: status, tree, paths at which it stopped, and an empty field each."""
    fields = text.split("\0")
    at = 0
    while at + 1 < len(fields):
        end = fields.index("", at + 2)
        yield _entries(fields[at + 2 : end])
        at = end + 1


def _entries(fields: Sequence[str]) -> list[_Stopped]:
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for field in filter(None, fields):
        facts, _, path = field.partition("\t")
        mode, blob, stage = facts.split(" ")
        found.setdefault(path, {})[stage] = (mode, blob)
    return [_Stopped(path, stages) for path, stages in found.items()]


def _files(
    git: Git, merge: PastMerge, stopped: Sequence[_Stopped], seen: set[tuple[str, ...]]
) -> Iterator[PastConflict | LeftOut]:
    """Give the files that can be merged by their content, and why the others cannot."""
    kept: list[tuple[str, tuple[str, str, str]]] = []
    for path, stages in stopped:
        blobs = (stages.get("1", ("", ""))[1], stages.get("2", ("", ""))[1], stages.get("3", ("", ""))[1])
        reason = _unlike(stages)
        if reason is None and (path, *blobs) in seen:
            reason = Reason.REPEATED
        if reason is None:
            seen.add((path, *blobs))
            kept.append((path, blobs))
        else:
            yield LeftOut(merge=merge, path=path, reason=reason)
    for first in range(0, len(kept), READ_FILES):
        some = kept[first : first + READ_FILES]
        names = [name for path, blobs in some for name in (*blobs, f"{merge.commit}:{path}") if name]
        contents = iter(read_blobs(git, names, FILE_BYTES_MAX))
        for path, blobs in some:
            base = next(contents) if blobs[0] else None
            ours, theirs, committed = next(contents), next(contents), next(contents)
            yield _conflict(merge, path, blobs, (base, ours, theirs, committed))


def _unlike(stages: dict[str, tuple[str, str]]) -> Reason | None:
    """Return why a path has no three versions of one regular file."""
    if not {"2", "3"} <= stages.keys():
        return Reason.DELETED
    if any(not mode.startswith("100") for mode, _ in stages.values()):
        return Reason.KIND
    blobs = [blob for _, blob in stages.values()]
    return Reason.KIND if len(set(blobs)) < len(blobs) else None


def _conflict(
    merge: PastMerge, path: str, blobs: tuple[str, str, str], versions: Sequence[bytes | None]
) -> PastConflict | LeftOut:
    base, ours, theirs, committed = versions
    if ours is None or theirs is None or (base is None and blobs[0]):
        return LeftOut(merge=merge, path=path, reason=Reason.LARGE)
    if committed is None:
        return LeftOut(merge=merge, path=path, reason=Reason.GONE)
    if any(b"\0" in version for version in versions if version):
        return LeftOut(merge=merge, path=path, reason=Reason.BINARY)
    if _MARKERS.search(committed):
        return LeftOut(merge=merge, path=path, reason=Reason.MARKERS)
    merged, conflicts = merge_file(base or b"", ours, theirs, environment=_ALONE)
    return PastConflict(
        merge=merge,
        path=path,
        blobs=blobs,
        base=base,
        ours=ours,
        theirs=theirs,
        committed=committed,
        merged=merged,
        conflicts=conflicts,
    )
