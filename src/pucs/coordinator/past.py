"""Merges that a repository has behind it: the port to git's hand, and the records that come through it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


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


class PastMerges(Protocol):
    """The merges of two commits in a repository's history, made again beside it: nothing in it is written."""

    place: str
    """The repository, as a path for people."""

    def listing(self, *, after: str, beyond: str, merges_max: int) -> list[PastMerge]:
        """Return the newest merges reachable from any branch or tag, newest first.

        Args:
            after: Only those committed since this wall time (ISO 8601); empty: any.
            beyond: Only those not reachable from this revision; empty: any.
            merges_max: Most merges to return.

        Raises:
            NotFound: ``beyond`` is no commit here.
        """
        ...

    def one(self, revision: str) -> PastMerge:
        """Return the merge of this name.

        Raises:
            NotFound: there is none, or it does not have two parents.
        """
        ...

    def again(
        self, merges: Sequence[PastMerge], wanted: Callable[[str], bool]
    ) -> Iterator[PastMerge | PastConflict | LeftOut]:
        """Merge again, and give for each merge the wanted files that git stops at and those left out, then the merge itself.

        The same three versions of a file are given once.
        """
        ...
