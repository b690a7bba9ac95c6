"""Records that pass between verbs and hands; light, because the store's rows load them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pucs.core.processes import Process
    from pucs.core.resources import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Intention:
    """A ref about to move: written before the compare-and-swap, removed after it (DESIGN §3.6)."""

    id: int
    """0 while not recorded."""
    verb: str
    """Verb that knows how to close it: ``land``, ``sync``, ``merge``, ``salvage``, ``finalize``."""
    session: str
    agent: str
    owner: Process
    """Process at work on it; once it is dead, anyone may complete or undo the intention."""
    ref: str
    """Full ref name."""
    old: str
    """Value it is moved from; zeros for a new ref."""
    new: str
    """Value it is moved to."""
    payload: dict[str, Any]
    """What the closing transaction needs, as JSON."""
    begun_at: str
    """Wall time."""


@dataclass(frozen=True, slots=True)
class Stages:
    """A regular file that a merge conflicts in, and in nothing but lines: its versions as names of blobs."""

    path: Resource
    mode: str
    """The same in all versions."""
    base: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True)
class Merged:
    """The outcome of a three-way merge of two commits."""

    tree: str
    """Tree of the result; empty if it conflicts."""
    conflicts: tuple[str, ...]
    """Paths (as canonical path resources) that git could not merge."""
    both: tuple[Resource, ...] = ()
    """Files that both sides changed and git merged by their lines."""
    marked: str = ""
    """Of a conflict: the tree with git's markers in the conflicting files."""
    stages: tuple[Stages, ...] = ()
    """Of a conflict: the files in which both sides changed the same lines, and nothing else is wrong."""
    troubles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Of a conflict: what git says is wrong with each file, in its words: ``contents``, ``modify/delete``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitFacts:
    """One commit as the gates see it."""

    id: str
    parents: tuple[str, ...]
    subject: str
    trailers: tuple[tuple[str, str], ...]
    """``PUCS-*`` trailers in order."""
    paths: tuple[Resource, ...] = ()
    """Path resources it changed; of a merge, those it made differ from what merging its parents gives by itself."""

    def trailer(self, name: str) -> str:
        """Return the first value of a trailer, empty if absent."""
        return next((value for key, value in self.trailers if key == name), "")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command of the user's ended."""

    status: int
    """Exit status; negative: the signal that ended it."""
    output: str
    """The tail of what it printed."""
    timed_out: bool = False


class FactsKey(NamedTuple):
    """What the facts of a file depend on."""

    reader: str
    """How it is read (``syntax.reading.reader``)."""
    blob: str
    """Git's name for its content."""


class Parsed(NamedTuple):
    """What was told of one file."""

    path: str
    facts: bytes
    """Packed by ``syntax.packing``; empty: there is no such file any more, or it cannot be read."""
    lasting: bool
    """They are those of the blob that was asked for, and would be the same again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a file lies."""

    path: str
    """Absolute; the directories on the way are resolved, a last part that is a symlink is not."""
    checkout: str
    """Top of the nearest checkout around it, of whatever repository; empty: it is in none."""
    ours: bool
    """Whether that is a checkout of this repository."""
    internal: bool
    """It is git's own of this repository: ``.git`` or in the common directory."""
