"""What a run is told, and what it answers at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pucs.tasks.records import TaskState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pucs.launch.programs import Program
    from pucs.tasks.records import Task

STOP_GRACE_S = 5.0
"""Default pause between SIGINT, SIGTERM and SIGKILL: programs that save their state on SIGINT take a second or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How to run; what is left at its default comes from the configuration."""

    output: str
    """Absolute path of the directory for the output of commands; made if need be."""
    streams: tuple[str, ...] = ()
    """Only these streams; empty: all."""
    agents: int = 0
    """Most agents at once; 0: as configured."""
    program: str = ""
    """Agent program, or shell command, for tasks that have a prompt and name none; a command finds it in ``PUCS_PROMPT``."""
    programs: Mapping[str, Program] = field(default_factory=dict)
    """Agent programs by name; every other word is a shell command."""
    endpoint: str = ""
    """Where hooks and MCP reach this run (``http://127.0.0.1:PORT``); empty: hooks are programs of their own."""
    hook: tuple[str, ...] = ()
    """Command line of ``pucs-hook``."""
    stop_grace_s: float = STOP_GRACE_S
    """Pause between the steps of the stop sequence."""
    store: str = ""
    """Path of the store, for the agents' ``PUCS_STORE``."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment that agents start from."""
    keep_worktrees: bool = False
    """Leave the worktrees of agents that ended; what they did is safe elsewhere either way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What came of a run."""

    tasks: tuple[Task, ...]
    """The tasks of its streams, as they stand at the end."""
    agents: tuple[str, ...]
    """Agents it started, in order."""
    interrupted: bool
    """It was asked to stop."""
    problems: tuple[str, ...]
    """What went wrong beside the tasks."""
    duration_s: float

    @property
    def done(self) -> tuple[Task, ...]:
        """Tasks whose work is on their stream's branch."""
        return tuple(task for task in self.tasks if task.state is TaskState.DONE)

    @property
    def failed(self) -> tuple[Task, ...]:
        """Tasks whose every attempt failed, or that wait for such a one."""
        return tuple(task for task in self.tasks if task.state is TaskState.FAILED)

    @property
    def unfinished(self) -> tuple[Task, ...]:
        """Tasks that are left for another run."""
        return tuple(task for task in self.tasks if task.state in {TaskState.PENDING, TaskState.RUNNING})

    @property
    def exit_status(self) -> int:
        """130 when interrupted, 1 when anything is not done or went wrong, else 0 (DESIGN §7)."""
        if self.interrupted:
            return 130
        return 1 if self.failed or self.unfinished or self.problems else 0
