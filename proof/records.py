"""What the proof knows about one session: the agents' notes, what git holds, and what was seen from outside.

Nothing here or in the checker comes from the system under proof: plans and notes are the proof's own, the rest is read
with git and from ``/proc``. What the system says about itself is kept apart, in ``Evidence.claims``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LINE = "~ "
"""Beginning of a line that an agent wrote; every such line is unique."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One rule broken once."""

    rule: str
    what: str
    """What was seen, in one sentence, with the evidence."""


@dataclass(frozen=True, slots=True)
class Note:
    """One line of an agent's notes."""

    t: int
    """CLOCK_MONOTONIC in nanoseconds."""
    kind: str
    task: str
    nonce: str
    """Names the attempt; a child carries its parent's."""
    role: str
    """``agent`` or ``child``."""
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """Return the file it is about, empty if it is about none or several."""
        return str(self.fields.get("file", ""))

    @property
    def files(self) -> list[str]:
        """Return all files it is about."""
        return [str(file) for file in self.fields.get("files", ())] or ([self.file] if self.file else [])


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream as it was configured."""

    prefix: str
    """Directory whose files are its own."""
    after: tuple[str, ...] = ()
    """Streams it depends on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as it was given to the system."""

    stream: str
    declared: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    doomed: bool = False
    """Every attempt fails on purpose, or it comes after such a task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What the system says of a task in the end."""

    state: str
    result: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything about a session beside notes and git."""

    name: str
    base: str
    """Commit the session began at."""
    result: str
    """Branch of the session."""
    branches: dict[str, str]
    """Branch of each stream."""
    streams: dict[str, Stream]
    tasks: dict[str, Task]
    claims: dict[str, Claim] = field(default_factory=dict)
    verified: int = 0
    """Exit status of the system's own check."""
    verified_text: str = ""
    checkout_before: dict[str, str] = field(default_factory=dict)
    """What there was in the user's checkout: HEAD, index and every file with a hash."""
    checkout_after: dict[str, str] = field(default_factory=dict)
    survivors: tuple[str, ...] = ()
    """Processes of the session that were alive after its end."""
    statuses: tuple[int, ...] = ()
    """Exit status of each run; negative: killed by that signal."""
    unreachable: int = 0
    """Runs that ended with status 4, which says so, while the store's server was killed or down."""
    finished: bool = True
    """It came to its end within the bounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit."""

    id: str
    parents: tuple[str, ...]
    subject: str
    time_s: int
    """Committer time in seconds."""
    trailers: tuple[tuple[str, str], ...] = ()
    changes: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Changed paths against the first parent, each with its blob before and after."""

    def trailer(self, name: str) -> str:
        """Return the first value of a trailer, empty if there is none."""
        return next((value for key, value in self.trailers if key == name), "")

    @property
    def tokens(self) -> tuple[int, ...]:
        """Return the fencing tokens it names; what is no number counts as 0."""
        return tuple(
            int(value) if value.isdecimal() else 0 for key, value in self.trailers if key == "PUCS-Token"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What git holds after a session."""

    commits: dict[str, Commit]
    """Every commit that a ref leads to, parents before children."""
    refs: dict[str, str]
    """Full ref names with their commits."""
    base_files: dict[str, str] = field(default_factory=dict)
    """Text of each file at the base."""
    result_files: dict[str, str] = field(default_factory=dict)
    """Text of each file on the session's branch."""
    landed: frozenset[str] = frozenset()
    """Agents' lines in the newest files of any stream's branch."""
    kept: frozenset[str] = frozenset()
    """Agents' lines in any object that a ref leads to."""
    on_disk: frozenset[str] = frozenset()
    """Agents' lines in files of any worktree."""
    unexplained: tuple[str, ...] = ()
    """Files of worktrees whose content no ref leads to."""

    def tip(self, branch: str) -> str:
        """Return the commit of a branch, empty if there is none."""
        return self.refs.get(f"refs/heads/{branch}", "")


def evidence_to_json(evidence: Evidence) -> str:
    """Return evidence as JSON."""
    from dataclasses import asdict  # noqa: PLC0415 - as near to its use as its inverse

    return json.dumps(asdict(evidence), indent=1)


def evidence_from_json(text: str) -> Evidence:
    """Return evidence that was written as JSON."""
    raw = json.loads(text)
    raw["streams"] = {
        name: Stream(prefix=one["prefix"], after=tuple(one["after"])) for name, one in raw["streams"].items()
    }
    raw["tasks"] = {
        name: Task(**{**one, "declared": tuple(one["declared"]), "after": tuple(one["after"])})
        for name, one in raw["tasks"].items()
    }
    raw["claims"] = {name: Claim(**one) for name, one in raw["claims"].items()}
    raw["survivors"] = tuple(raw["survivors"])
    raw["statuses"] = tuple(raw["statuses"])
    return Evidence(**raw)


def read_notes(directory: Path) -> list[Note]:
    """Return all notes in the order of their clock; a line cut off by a kill is left out."""
    notes: list[Note] = []
    for path in directory.glob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").split("\n"):
            try:
                raw = json.loads(line)
            except ValueError:
                continue
            t, kind, task, nonce, role = (raw.pop(key) for key in ("t", "kind", "task", "nonce", "role"))
            notes.append(Note(t, kind, task, nonce, role, raw))
    return sorted(notes, key=lambda note: note.t)
