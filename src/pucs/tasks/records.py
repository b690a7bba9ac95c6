"""The records of the room."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TaskState(StrEnum):
    """Where a task stands; ``ready`` is derived: pending with every prerequisite done."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    """Every attempt failed, or a prerequisite did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One piece of work for one agent."""

    id: str
    title: str
    stream: str
    files: tuple[str, ...] = ()
    """Files and directories it declares, as written; leased before it starts."""
    after: tuple[str, ...] = ()
    """Tasks that must be done first."""
    priority: int = 0
    """Higher first."""
    command: str = ""
    """Shell command run in the agent's worktree."""
    prompt: str = ""
    """What a model-driven agent is asked; exactly one of command and prompt is set."""
    agent: str = ""
    """Program that does it; empty: the run's default."""
    timeout_s: float = 0.0
    """Longest time of one attempt; 0: the configured one."""
    session: str = ""
    state: TaskState = TaskState.PENDING
    assignee: str = ""
    """Agent at work on it, or the last one."""
    attempts: int = 0
    """Attempts begun."""
    tried_by: tuple[str, ...] = ()
    """Agents whose attempt failed."""
    result: str = ""
    """What came of it, in one sentence."""
    salvage: str = ""
    """Salvage ref with the work of the last failed attempt."""
    position: int = 0
    """Order in the tasks file."""
    ended_at: str = ""
    """Wall time of the end."""
    requested_by: str = ""
    """Agent of another stream that asked for it, or ``operator``; empty: nobody, it was planned."""
    reason: str = ""
    """Why, in the words of whoever asked."""
    conflict: int = 0
    """The boundary conflict that led to it, 0 if there was none."""
