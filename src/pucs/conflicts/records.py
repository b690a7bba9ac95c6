"""The conflict record."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


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


class Severity(StrEnum):
    """How urgent it is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


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
    """What was decided and by whom, in one sentence; empty while open."""
    evidence: dict[str, Any] = field(default_factory=dict)
    """Facts for whoever decides: holders, refs of parked work, files git could not merge."""
    opened_at: str
    """Wall time."""
    resolved_at: str = ""
    """Wall time."""

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
            "evidence": self.evidence,
            "opened_at": self.opened_at,
        }
