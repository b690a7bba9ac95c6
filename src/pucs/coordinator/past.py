"""Records of merges that a repository has behind it, as they pass between git's hand and who replays them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class PastMerge:
    """A merge of two commits that somebody made."""

    commit: str
    ours: str
    """First parent."""
    theirs: str
    committed_at_s: int
    """Seconds since 1970 UTC, by the committer's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastConflict:
    """A file on which git's merge of two commits stops, and what became of it."""

    merge: PastMerge
    path: str
    """In the merge; bytes outside UTF-8 as surrogate escapes."""
    blobs: tuple[str, str, str]
    """Git's names of base, ours and theirs; the base's is empty where both sides added the file."""
    base: bytes | None
    ours: bytes
    theirs: bytes
    committed: bytes
    """What people put in its place."""
    merged: bytes
    """What git's line merge makes of it, its markers included."""
    conflicts: int
    """Places with markers; 0: merging this file alone succeeds, though the merge of the commits stopped at it."""


class Reason(StrEnum):
    """Why something cannot be replayed."""

    DELETED = "one side deleted or moved the file"
    KIND = "no conflict of content: submodule, symlink, rename, or a change of kind"
    BINARY = "binary content"
    LARGE = "larger than 1 MB"
    GONE = "what people committed has no such file"
    MARKERS = "what people committed has conflict markers in it"
    REPEATED = "the same three versions as in another merge"
    MISSING = "objects are missing here (shallow or partial clone)"
    UNRELATED = "the commits have no ancestor in common here"
    FAILED = "git could not redo the merge"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A file of a merge, or a whole merge, that is not replayed."""

    merge: PastMerge
    path: str
    """Empty: the whole merge."""
    reason: Reason
    detail: str = ""
    """Git's own words, where it has some."""
