"""The records of the room."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pucs.core.processes import Process


class Phase(StrEnum):
    """Steps of the lifecycle (000 §6.1), in order, and the two ends."""

    REGISTER = "REGISTER"
    CLAIM_STREAM = "CLAIM_STREAM"
    SIGNAL_INTENT = "SIGNAL_INTENT"
    ACQUIRE_LOCKS = "ACQUIRE_LOCKS"
    WORK = "WORK"
    COMMIT = "COMMIT"
    RELEASE_LOCKS = "RELEASE_LOCKS"
    REPORT = "REPORT"
    HANDOFF = "HANDOFF"
    RETIRED = "RETIRED"
    """Ended in order."""
    FAILED = "FAILED"
    """Ended by a crash, a kill or a timeout."""


class Enforcement(StrEnum):
    """How strictly leases bind this agent (DESIGN §5)."""

    ENFORCED = "ENFORCED"
    """Edits are blocked inside the agent, proved by its own hook call."""
    CHECKED = "CHECKED"
    """Changes are checked at landing and merging."""
    ADVISORY = "ADVISORY"
    """Nothing is checked for it."""


class Halt(StrEnum):
    """What somebody ordered an agent to do instead of working (000 §6.2)."""

    NONE = ""
    """Nothing: it works."""
    PAUSED = "paused"
    """No new leases and no edits until it is resumed; what it holds stays its own."""
    TERMINATED = "terminated"
    """To end, and not to act any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One running worker."""

    id: str
    session: str
    incarnation: int
    """1 for the first start of this id, one more for each restart."""
    stream: str = ""
    """Claimed stream; empty: none."""
    phase: Phase = Phase.REGISTER
    program: str = "command"
    """What it is: ``command``, ``claude``, a person."""
    worktree: str = ""
    """Absolute path of its worktree; empty: none of its own."""
    branch: str = ""
    """Branch of that worktree."""
    owner: Process | None = None
    """The process whose death ends the agent; None: a person at the command line."""
    enforcement: Enforcement = Enforcement.ADVISORY
    heartbeat_s: float = 0.0
    """Boot seconds of the last sign of life."""
    boot_id: str = ""
    """Boot of that reading."""
    registered_at: str = ""
    """Wall time."""
    task: str = ""
    """Task at work on."""
    halt: Halt = Halt.NONE
    """Whether it was paused or terminated."""
    halted_by: str = ""
    """Who ordered that, as they called themselves."""
    halted_because: str = ""
    """Why, in their words."""

    @property
    def launched(self) -> bool:
        """Tell whether a supervisor launched it and minds it."""
        return self.owner is not None and self.program != "client"

    @property
    def active(self) -> bool:
        """Tell whether it has neither retired nor failed."""
        return self.phase not in {Phase.RETIRED, Phase.FAILED}

    @property
    def paused(self) -> bool:
        """Tell whether it was paused and not resumed yet."""
        return self.halt is Halt.PAUSED

    @property
    def terminated(self) -> bool:
        """Tell whether it was told to end for good."""
        return self.halt is Halt.TERMINATED


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation of an agent program that has called in."""

    program: str
    """``claude``, ``codex`` and so on."""
    id: str
    """The program's own id of it."""
    session: str
    agent: str
    """Whose it is."""
    place: str
    """Absolute path of the checkout in which it began."""
    refusals: int = 0
    """How often its end of turn was refused in a row."""
    denied: tuple[str, ...] = ()
    """Files whose edit was denied since one was last allowed, in order; the first ones, bounded."""
    briefings: int = 0
    """How often it was briefed: when it began, and each time it was taken up again."""
    begun_at: str = ""
    """Wall time."""
