"""What a run tells its door while it goes on, so that progress can be drawn; the cross-log has the lasting record."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStarted:
    """An agent is registered and its worktree is ready."""

    agent: str
    stream: str
    worktree: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEnded:
    """An agent retired or failed."""

    agent: str
    stream: str
    failed: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTaken:
    """An agent began an attempt at a task."""

    task: str
    agent: str
    attempt: int
    """1 for the first one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskWaiting:
    """The files of a task are held by somebody else; the agent waits in the queue."""

    task: str
    agent: str
    position: int
    """1 for the next."""
    reason: str
    """Who holds what, for how long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandStarted:
    """A task has its leases and a current base; its command runs."""

    task: str
    agent: str
    output: str
    """File that takes its output."""
    waited_s: float
    """Time spent in the queue."""
    program: str = ""
    """Agent program that does it; empty: its own command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSuspended:
    """An agent waits for its turn, and no process waits with it."""

    task: str
    agent: str
    resources: tuple[str, ...]
    """What it waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentResumed:
    """A suspended agent goes on."""

    task: str
    agent: str
    resources: tuple[str, ...]
    """What it got; empty: its wait has ended otherwise."""
    waited_s: float
    changed: tuple[str, ...]
    """Files that others changed in its worktree meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDone:
    """The work of a task is on its stream's branch."""

    task: str
    agent: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    """An attempt came to nothing; what it changed is kept."""

    task: str
    agent: str
    reason: str
    salvage: str
    """Ref that keeps its changes; empty if it made none."""
    final: bool
    """No further attempt follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskGivenBack:
    """A task was interrupted and waits for the next run; this does not count as an attempt."""

    task: str
    agent: str
    salvage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """The run was asked to stop."""

    fast: bool
    """Asked a second time: nothing is waited for any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something went wrong beside the tasks; the run goes on as far as it can."""

    message: str


Event = (
    AgentStarted
    | AgentEnded
    | TaskTaken
    | TaskWaiting
    | CommandStarted
    | AgentSuspended
    | AgentResumed
    | TaskDone
    | AttemptFailed
    | TaskGivenBack
    | Stopping
    | Problem
)
