"""The lock functions of the second design (001 §3.3): exclusive locks of an hour, named by file.

They act in the repository around the current directory, or in ``PUCS_REPO``.

    from pucs.agent_lock import acquire_lock, check_lock, release_lock
"""

from __future__ import annotations

from pucs.classic.places import STATE_DIRECTORY, here

LOCK_FILE = STATE_DIRECTORY / "file_locks.json"
"""Where ``pucs export`` writes these locks; the truth is the store."""
LOCK_DURATION_MINUTES = 60
"""Length of a lock, cut to the longest that the configuration allows."""


def acquire_lock(file_path: str, agent_id: str, stream: str, task: str) -> bool:
    """Acquire an exclusive lock on a file for an agent of a stream; False if somebody else has it.

    Asking again for what one holds is granted. False as well when another stream covers the file.

    Raises:
        NotFound: there is no such stream.
        Refused: the stream has its agents already, the agent has ended, or no session is active.
    """
    return (
        here()
        .acquire(file_path, agent=agent_id, duration_min=LOCK_DURATION_MINUTES, task=task, stream=stream)
        .granted
    )


def release_lock(file_path: str, agent_id: str) -> bool:
    """Release an agent's lock on a file; False if it has none. Unlanded changes land first, or are kept aside."""
    return here().release(file_path, agent=agent_id)


def check_lock(file_path: str) -> dict[str, str] | None:
    """Return the lock on a file with ``agent``, ``stream``, ``acquired``, ``expires`` and ``task``; None: it is free."""
    held = here().holders(file_path)
    if not held:
        return None
    lease = held[0]
    return {
        "agent": lease.agent,
        "stream": lease.stream,
        "acquired": lease.granted_at,
        "expires": lease.expires_at,
        "task": lease.task,
    }
