"""The stream lock manager of the third design (002 §4.1): file locks that know their stream.

They act in the repository around the current directory, or in ``PUCS_REPO``.

    from pucs.stream_locks import FileLock, acquire_lock, check_lock, get_stream_locks, release_lock
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.classic.places import STATE_DIRECTORY, here
from pucs.coordinator import inspecting, leases

if TYPE_CHECKING:
    from pucs.locks.records import Lease

LOCK_FILE = STATE_DIRECTORY / "pucs_locks.json"
"""Where ``pucs export`` writes these locks; the truth is the store."""
DEFAULT_LOCK_DURATION_MIN = 30
"""Length of a lock that names none."""


@dataclass(frozen=True, slots=True)
class FileLock:
    """One file held by one agent of a stream."""

    agent_id: str
    """Who holds it."""
    stream_id: str
    """Stream it was locked for; empty: an agent without one."""
    acquired_at: str
    """ISO 8601, UTC."""
    expires_at: str
    """ISO 8601, UTC; renewals move it."""
    task: str
    """What for, in the holder's words."""


def acquire_lock(
    file_path: str, agent_id: str, stream_id: str, task: str, duration_min: int = DEFAULT_LOCK_DURATION_MIN
) -> bool:
    """Acquire an exclusive lock on a file for an agent of a stream; False if somebody else has it.

    Asking again for what one holds is granted. False as well when another stream covers the file.

    Raises:
        NotFound: there is no such stream.
        Refused: the stream has its agents already, the agent has ended, or no session is active.
    """
    answer = here().acquire(file_path, agent=agent_id, duration_min=duration_min, task=task, stream=stream_id)
    return answer.granted


def release_lock(file_path: str, agent_id: str) -> bool:
    """Release an agent's lock on a file; False if it has none. Unlanded changes land first, or are kept aside."""
    return here().release(file_path, agent=agent_id)


def check_lock(file_path: str) -> FileLock | None:
    """Return the lock on a file; None: it is free."""
    held = here().holders(file_path)
    return _lock(held[0]) if held else None


def get_stream_locks(stream_id: str) -> dict[str, FileLock]:
    """Return the locks that agents of a stream hold now, by path."""
    held = inspecting.locks(here().context, stream=stream_id)
    return {lease.resource: _lock(lease) for lease in held if stream_id or not lease.stream}


def cleanup_expired_locks() -> int:
    """End every lock that is over by time or by the death of its owner, and return how many."""
    return len(leases.cleanup(here().context))


def _lock(lease: Lease) -> FileLock:
    return FileLock(lease.agent, lease.stream, lease.granted_at, lease.expires_at, lease.task)
