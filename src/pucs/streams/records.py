"""The records of the room: what a session is made of, as the configuration says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A named part of the code with a boundary."""

    name: str
    """Name as the configuration spells it; compared without regard to case."""
    title: str = ""
    """What people call it (``name:`` in 002 §2.2)."""
    description: str = ""
    """One sentence on its focus."""
    files_pattern: tuple[str, ...]
    """Glob patterns of its files, relative to the repository, ``**`` matching zero or more directories."""
    max_agents: int = 3
    """Most agents that may hold a claim on it at once."""
    dependencies: tuple[str, ...] = ()
    """As written: streams, paths, or shared code."""
    test_pattern: tuple[str, ...] = ()
    """Glob patterns of its tests."""
    test_required: bool = False
    """A landing needs a passing test run of this stream on what lands."""
    critical: bool = False
    """Its changes need extra review."""
    critical_files: tuple[str, ...] = ()
    """Files of the stream with the limits of critical files (002 §2.2)."""
    agent_templates: tuple[str, ...] = ()
    """Kinds of agents meant for it (002 §2.2)."""
    pattern_lines: tuple[int, ...] = field(default=(), compare=False)
    """Line of each pattern of ``files_pattern`` in the configuration; empty if it was not read from one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalFile:
    """A shared file with limits of its own (000 §10)."""

    path: str
    """Path or glob pattern."""
    max_lock_duration_s: float
    """Longest lease on it, renewals included."""
    requires_review: bool = False
    """A person approves changes before they reach the target."""
    test_required: bool = False
    """A landing needs a passing test run."""


class SessionState(StrEnum):
    """Where a session stands."""

    ACTIVE = "active"
    FINALIZED = "finalized"
    MOVED = "moved"
    """It goes on in another store; what is here stays as it was when it left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One coordinated effort over one base commit."""

    id: str
    """Such as ``PUCS-20251206-001``."""
    state: SessionState
    base: str
    """Commit that every stream branch started from."""
    target: str
    """Branch the user had out at ``init``; empty for a detached HEAD."""
    branch: str
    """Session branch that streams are merged to (000 §5.1 "coordination branch")."""
    started_at: str
    """Wall time."""
    ended_at: str = ""
    """Wall time of finalisation."""


class StreamState(StrEnum):
    """Where a stream of a session stands."""

    ACTIVE = "active"
    MERGED = "merged"
    """Its branch is contained in the session branch."""
    CONFLICTED = "conflicted"
    """It could not be merged; its branch is intact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRow:
    """A stream at work in a session."""

    session: str
    stream: Stream
    branch: str
    """Branch that agents land on; checked out nowhere."""
    state: StreamState = StreamState.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """One arrival of an agent's commits on its stream's branch."""

    id: int
    session: str
    stream: str
    agent: str
    task: str
    commit: str
    """What the stream branch points at afterwards."""
    before: str
    """What it pointed at before."""
    paths: tuple[tuple[str, int], ...]
    """Changed path resources, each with the fencing token that covered it; 0 for shared generated files."""
    landed_at: str
    """Wall time."""
