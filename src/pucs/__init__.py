"""PUCS lets many coding agents change one git repository at once and end with one tested, merged result.

`PUCSClient` is the way in for programs; the command `pucs` is the way in for people. The classes and records of the
first designs have their names here too (docs/reference/classic.md). Everything not named in `__all__` is private, whatever
its name looks like. Importing this package loads nothing else: the names below are fetched when they are first used, so
that `pucs lock` and the hooks start fast.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pucs.classic.agent_log import (
        AgentEventType,
        AgentLogEntry,
        AgentLogger,
        LogCategory,
        LogLevel,
        create_agent_logger,
    )
    from pucs.classic.crosslog import CrossLogger, LogEntry
    from pucs.classic.locking import LockManager, LockResult, LockStatus, QueueEntry
    from pucs.classic.planning import Conflict, IntentResult, IntentSignal, PartitionResult
    from pucs.classic.resolving import ConflictResolver, PUCSConflictResolver
    from pucs.client import PUCSClient
    from pucs.conflicts.records import Change, MergeResult, Resolution
    from pucs.crosslog.patterns import Pattern
    from pucs.messages.records import AgentMessage, CoordinatorMessage

__all__ = [
    "AgentEventType",
    "AgentLogEntry",
    "AgentLogger",
    "AgentMessage",
    "Change",
    "Conflict",
    "ConflictResolver",
    "CoordinatorMessage",
    "CrossLogger",
    "IntentResult",
    "IntentSignal",
    "LockManager",
    "LockResult",
    "LockStatus",
    "LogCategory",
    "LogEntry",
    "LogLevel",
    "MergeResult",
    "PUCSClient",
    "PUCSConflictResolver",
    "PartitionResult",
    "Pattern",
    "QueueEntry",
    "Resolution",
    "__version__",
    "create_agent_logger",
]

__version__ = "0.1.0"

_NAMES_OF_HOME = {
    "pucs.classic.agent_log": (
        "AgentEventType",
        "AgentLogEntry",
        "AgentLogger",
        "LogCategory",
        "LogLevel",
        "create_agent_logger",
    ),
    "pucs.classic.crosslog": ("CrossLogger", "LogEntry"),
    "pucs.classic.locking": ("LockManager", "LockResult", "LockStatus", "QueueEntry"),
    "pucs.classic.planning": ("Conflict", "IntentResult", "IntentSignal", "PartitionResult"),
    "pucs.classic.resolving": ("ConflictResolver", "PUCSConflictResolver"),
    "pucs.client": ("PUCSClient",),
    "pucs.conflicts.records": ("Change", "MergeResult", "Resolution"),
    "pucs.crosslog.patterns": ("Pattern",),
    "pucs.messages.records": ("AgentMessage", "CoordinatorMessage"),
}
_HOME_OF_NAME = {name: home for home, names in _NAMES_OF_HOME.items() for name in names}


def __getattr__(name: str) -> object:
    """Fetch a public name from its home at first use and keep it.

    Raises:
        AttributeError: when the name is not one of the public names.
    """
    home = _HOME_OF_NAME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Name what the package offers, fetched already or not."""
    return sorted({*globals(), *__all__})
