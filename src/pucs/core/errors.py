"""Every exception PUCS raises on purpose, with the exit status and the stable code that each one maps to.

Expected outcomes of a verb (a lease that has to wait, a landing that conflicts) are values, not exceptions.
An exception here means that the caller cannot go on as asked. The message says what happened and to what; the
remedy says what to do next.
"""

from __future__ import annotations

from typing import Any, ClassVar


class PucsError(Exception):
    """The root of everything PUCS raises on purpose."""

    code: ClassVar[str] = "error"
    """Stable name for programs; never renamed."""
    exit_status: ClassVar[int] = 3
    """Process exit status at the command line (DESIGN §7)."""

    def __init__(self, message: str, *, remedy: str = "", **fields: Any) -> None:
        """Keep the parts apart, so that doors can print, serialise or translate them."""
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.fields = fields

    def __str__(self) -> str:
        """Message and remedy in one line."""
        return f"{self.message} {self.remedy}".strip()


class Refused(PucsError):
    """A rule of coordination says no: a boundary, a limit, a stale base, a lease of somebody else."""

    code = "refused"
    exit_status = 1


class NotFound(Refused):
    """The named session, agent, task, lease or conflict does not exist."""

    code = "not_found"


class Terminated(Refused):
    """The agent was told to terminate and may not act any more (000 §6.2)."""

    code = "terminated"


class Usage(PucsError):
    """The call itself is wrong: a malformed resource, an unknown mode, a value out of range."""

    code = "usage"
    exit_status = 2


class ConfigurationError(Usage):
    """A configuration or tasks file is wrong; carries every problem found, each with file and line."""

    code = "configuration"


class EnvironmentFailure(PucsError):
    """Something outside PUCS failed: disk, permissions, a missing program."""

    code = "environment"
    exit_status = 4


class StoreError(EnvironmentFailure):
    """The store cannot be opened, read or written; nothing was overwritten."""

    code = "store"


class StoreBusy(StoreError):
    """The gate was not free within its bound; names the process that holds it."""

    code = "store_busy"


class GitError(EnvironmentFailure):
    """A git command failed, timed out or is missing; carries the command and what it printed."""

    code = "git"
