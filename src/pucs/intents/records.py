"""The records of the room: intents and what stands in their way."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pucs.core.modes import Mode

NOBODY = "N/A"
"""Holder of what belongs to a stream rather than to an agent, as 002 §4.2 prints it."""


class IntentState(StrEnum):
    """Where an intent stands."""

    ACTIVE = "active"
    """Nothing stands in its way, as last looked at."""
    CONTESTED = "contested"
    """Recorded, although something stands in its way; becomes active when that is gone."""
    CLEARED = "cleared"
    """Taken back, replaced, done, or its agent has ended."""
    EXPIRED = "expired"
    """Older than twice its estimate, or from before a reboot."""


OPEN_STATES = (IntentState.ACTIVE, IntentState.CONTESTED)
"""States in which an intent counts."""


class Obstacle(StrEnum):
    """What kind of thing stands in the way; the names are those of conflicts."""

    FILE_LOCK = "FILE_LOCK"
    """Somebody holds a lease on it."""
    INTENT_OVERLAP = "INTENT_OVERLAP"
    """Somebody planned to change it earlier."""
    DEPENDENCY = "DEPENDENCY"
    """It belongs to a stream that one's own builds on (002 §4.2)."""
    BOUNDARY = "BOUNDARY"
    """It belongs to another stream altogether."""


_IN_002 = {Obstacle.FILE_LOCK: "LOCKED", Obstacle.BOUNDARY: Obstacle.DEPENDENCY.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """One thing that stands in the way of an intent (000 ``Conflict``, 002 ``ConflictInfo``)."""

    kind: Obstacle
    files: tuple[str, ...]
    """Canonical resources concerned, at least one."""
    holder: str = ""
    """Agent that holds or plans it; empty: it is a stream's."""
    holder_stream: str = ""
    """Stream of that agent, or the stream it belongs to."""
    details: str = ""
    """One sentence; quotes words of the holder."""
    conflict: int = 0
    """Conflict record; 0: none of its own."""

    @property
    def file(self) -> str:
        """The resources concerned as one text, joined by commas (002 §4.2)."""
        return ", ".join(self.files)

    @property
    def conflict_type(self) -> str:
        """The kind by 002's names."""
        return _IN_002.get(self.kind, self.kind.value)

    @property
    def file_path(self) -> str:
        """The file by 002's name."""
        return self.file

    @property
    def holder_agent(self) -> str:
        """The holder by 002's name."""
        return self.holder or NOBODY

    @property
    def key(self) -> tuple[str, tuple[str, ...], str, str]:
        """What makes it the same obstacle when it is met again."""
        return self.kind.value, self.files, self.holder, self.holder_stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What one agent plans to change; each agent has one at a time (002 §4.2)."""

    id: int = 0
    """0 while not recorded; grows."""
    session: str
    agent: str
    stream: str
    """Stream of the agent; empty for an agent without one."""
    task: str = ""
    """Task it is planned for; its end clears the intent."""
    planned: tuple[tuple[str, int], ...]
    """Canonical resources, sorted, each with the id of the agent's first intent in a row that named it: who planned
    something first stays first when it plans more. 0: this intent, before it has an id."""
    description: str
    """In the agent's words."""
    estimated_duration_s: float
    state: IntentState = IntentState.ACTIVE
    boot_id: str
    """Boot whose clock the ``_s`` fields are read on."""
    declared_s: float
    """Boot seconds at which it was declared."""
    expires_s: float
    """Boot seconds at which it is over: twice the estimate."""
    declared_at: str
    """Wall time, for people."""
    expires_at: str
    """Wall time, for people."""
    contests: tuple[Contest, ...] = ()
    """What stands in its way, as last looked at."""
    ended_at: str = ""
    """Wall time of the end."""
    why: str = ""
    """Why it ended."""

    @property
    def resources(self) -> tuple[str, ...]:
        """What it plans to change."""
        return tuple(resource for resource, _ in self.planned)

    @property
    def open(self) -> bool:
        """Tell whether it counts."""
        return self.state in OPEN_STATES

    def left_s(self, now_s: float) -> float:
        """Return the seconds until it is over, never negative."""
        return max(0.0, self.expires_s - now_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A lease of somebody else, as far as a plan has to know it."""

    resource: str
    mode: Mode
    agent: str
    stream: str
    task: str
    left_s: float
    """Seconds until it ends unless renewed."""
    expires_at: str
    """Wall time of that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Somebody who queues for what is planned: information, not an obstacle."""

    agent: str
    resources: tuple[str, ...]
    """Those that overlap the plan."""


class PartitionState(StrEnum):
    """Where a proposal to divide a file stands."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    """Every party, or whoever runs the session, has agreed; the leases were divided."""
    REFUSED = "refused"
    """Somebody did not want it, or it did not fit any more; the second waits for the first."""
    LAPSED = "lapsed"
    """Nobody decided in time; the second waits for the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A proposal that agents take disjoint symbols of one file."""

    id: int = 0
    """0 while not recorded."""
    session: str
    file: str
    """Canonical resource of the file."""
    parties: tuple[str, ...]
    """Agents in the order of their turn: who holds it first, then who waits or planned it first."""
    scopes: dict[str, tuple[str, ...]]
    """Symbol resources of each party, sorted; no two of different parties overlap."""
    waits: dict[str, tuple[str, ...]]
    """Symbol resources that a party needs too and that an earlier one has."""
    accepted: tuple[str, ...] = ()
    """Parties that have agreed so far."""
    requests: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Once accepted: the requests of each party that go on for its scope in place of the file."""
    state: PartitionState = PartitionState.PROPOSED
    boot_id: str
    """Boot whose clock ``deadline_s`` is read on."""
    deadline_s: float
    """Boot seconds after which it lapses."""
    proposed_at: str
    """Wall time."""
    deadline_at: str
    """Wall time, for people."""
    ended_at: str = ""
    """Wall time of the decision."""
    why: str = ""
    """Why it was decided so."""
