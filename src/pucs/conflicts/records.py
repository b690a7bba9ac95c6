"""The conflict record."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pucs.core.severities import Severity

if TYPE_CHECKING:
    from pucs.merge.records import Resolution as Settlement

__all__ = [
    "Change",
    "Conflict",
    "ConflictInfo",
    "Kind",
    "MergeResult",
    "Resolution",
    "Severity",
    "Status",
    "Strategy",
]


class Kind(StrEnum):
    """What clashed (000 §4.1; DESIGN §2)."""

    FILE_LOCK = "FILE_LOCK"
    """Two agents need the same resource."""
    INTENT_OVERLAP = "INTENT_OVERLAP"
    """Two agents plan to change the same resource (002 §4.2)."""
    BOUNDARY = "BOUNDARY"
    """An agent reached into a part of the code that another stream covers."""
    SEMANTIC = "SEMANTIC"
    """Changes that do not fit together: a merge that conflicts, or tests that fail on the merged result."""
    DEPENDENCY = "DEPENDENCY"
    """A change, or a plan for one, reaches into what another stream builds on."""
    RESOURCE = "RESOURCE"
    """A named resource (``res:``) is used to its limit."""


class Status(StrEnum):
    """Whether somebody still has to act."""

    OPEN = "open"
    RESOLVED = "resolved"


class Strategy(StrEnum):
    """How it was, or is being, resolved (000 §4.2 ``STRATEGIES``)."""

    QUEUE = "QUEUE"
    """The second agent waits for the first."""
    PARTITION = "PARTITION"
    """The agents take disjoint scopes of it."""
    MERGE = "MERGE"
    """Both changes are merged by machine."""
    ARBITRATE = "ARBITRATE"
    """The coordinator, or a person, decides which change wins."""
    ROLLBACK = "ROLLBACK"
    """One side's change is taken back and kept on a salvage ref."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """One clash between agents, streams or changes."""

    id: int = 0
    """0 while not recorded."""
    session: str
    kind: Kind
    severity: Severity
    status: Status
    parties: tuple[str, ...]
    """Agents and streams concerned, the one that met the obstacle first."""
    resources: tuple[str, ...]
    """Canonical resources."""
    strategy: Strategy | None = None
    decision: str = ""
    """What was decided, in one sentence; empty while open."""
    decided_by: str = ""
    """Agent or person who decided; ``pucs`` where a rule did, ``timeout`` where nobody did in time."""
    evidence: dict[str, Any] = field(default_factory=dict)
    """Facts for whoever decides: holders, refs of parked work, files git could not merge."""
    opened_at: str
    """Wall time."""
    resolved_at: str = ""
    """Wall time."""
    deadline_s: float | None = None
    """Boot seconds at which its default applies; None: it waits for as long as it takes."""
    boot_id: str = ""
    """Boot of that reading."""
    deadline_at: str = ""
    """The deadline as wall time, for people; empty: none."""

    @property
    def file(self) -> str:
        """The first resource, as 000 §9 reads it."""
        return self.resources[0] if self.resources else ""

    @property
    def holder(self) -> str:
        """Who was there first, as 000 §9 reads it; empty if nobody is known."""
        return str(self.evidence.get("holder") or next(iter(self.parties[1:]), ""))

    @property
    def holder_stream(self) -> str:
        """Stream of whoever was there first; empty if unknown."""
        return str(self.evidence.get("holder_stream") or self.evidence.get("covered_by") or "")

    @property
    def details(self) -> str:
        """Return the decision, else why it was opened, in one sentence."""
        return self.decision or str(self.evidence.get("reason") or self.evidence.get("why") or "")

    @property
    def salvage(self) -> str:
        """Salvage ref of the change that was parked; empty if none was."""
        return str(self.evidence.get("salvage") or "")

    def document(self) -> dict[str, Any]:
        """Return the conflict as its JSON document (DESIGN §7)."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "severity": self.severity.value,
            "status": self.status.value,
            "parties": list(self.parties),
            "resources": list(self.resources),
            "strategy": self.strategy.value if self.strategy else None,
            "decision": self.decision,
            "decided_by": self.decided_by,
            "deadline": self.deadline_at,
            "evidence": self.evidence,
            "opened_at": self.opened_at,
            "resolved_at": self.resolved_at,
        }


@dataclass(frozen=True, slots=True)
class ConflictInfo:
    """A clash as it is told to whoever asks (002 §4.2), readable under the names of 000 §9 and 001 §9 as well."""

    file_path: str
    """Resources concerned, separated by a comma and a space."""
    conflict_type: str
    """``LOCKED``, ``INTENT_OVERLAP`` or ``DEPENDENCY``; the names of other kinds stand for themselves."""
    holder_agent: str
    """Who was there first; ``N/A``: a stream, no agent."""
    holder_stream: str
    details: str
    """What the holder does there, in one sentence."""
    conflict: int = 0
    """Its record, 0 if none was made."""

    @property
    def kind(self) -> str:
        """The kind under its name in ``Kind``."""
        return Kind.FILE_LOCK.value if self.conflict_type == "LOCKED" else self.conflict_type

    @property
    def file(self) -> str:
        """The same as ``file_path`` (000 §9)."""
        return self.file_path

    @property
    def holder(self) -> str:
        """The same as ``holder_agent`` (000 §9)."""
        return self.holder_agent


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What came of ``resolve`` (000 §4.2)."""

    conflict: int
    """The record; 0 if it was never recorded."""
    strategy: Strategy
    status: Status
    """Open: the strategy is at work, or somebody still has to decide."""
    message: str
    """What happens now, in one sentence."""
    decided_by: str = ""
    """Who decided; empty while open."""
    winner: str = ""
    """Agent whose change stands, where one was chosen."""
    kept: str = ""
    """Salvage ref of the side that does not stand; empty: nothing was set aside."""
    commit: str = ""
    """What the stream's branch points at, where a change was brought in."""
    scopes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Resources by agent, where the work was divided."""
    proposal: str = ""
    """A merge that is a guess and was not applied, as a patch of what the stream has; empty: there is none."""

    @property
    def resolved(self) -> bool:
        """Tell whether nobody has to act any more."""
        return self.status is Status.RESOLVED


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One side's version of a file (000 §4.2)."""

    agent: str = ""
    """Who made it."""
    before: bytes
    """The file as they found it; the same on both sides of a merge."""
    after: bytes
    """The file as they left it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeResult:
    """What came of merging two changes of one file (000 §4.2)."""

    success: bool
    content: bytes = b""
    """The merged file; empty if it could not be merged."""
    conflicts: int = 0
    """Places where both sides changed the same lines."""
    reason: str = ""
    """Why not, in one sentence."""
    tier: str = ""
    """``auto`` or ``review``: how far the merge, or the proposal, is to be trusted; empty: there is neither."""
    resolutions: tuple[Settlement, ...] = ()
    """Places that both sides changed, each with the rule that merged it."""
    proposal: bytes = b""
    """Without success: what a guess makes of the file; empty: there is none."""
