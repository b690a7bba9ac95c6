"""``LockManager`` and its records (000 §3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pucs.classic.places import here
from pucs.core.errors import Usage
from pucs.core.modes import Mode
from pucs.core.resources import overlaps

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_DURATION_MIN = 30
"""Length of a lock that names none (000 §3.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockResult:
    """The answer to a request for a lock."""

    granted: bool
    """Whether the agent holds it now."""
    wait_time: float = 0.0
    """Seconds until it is free at the latest if nobody renews; 0 when granted."""
    queue_position: int = 0
    """Place in the queue, 1 for the next; 0 when granted."""
    reason: str = ""
    """Why not, in one sentence; empty when granted."""
    expires_at: str = ""
    """When it ends, ISO 8601, UTC; empty when not granted."""
    token: int = 0
    """Fencing token of the lock; 0 when not granted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockStatus:
    """Who has a file at this moment."""

    file_path: str
    """The file that was asked for, in canonical form."""
    locked: bool
    """Whether anybody holds it, a directory around it or a definition in it."""
    lock_type: str = ""
    """Type of the strongest lock (``LOCK_TYPES``); empty: free."""
    agent_id: str = ""
    """Holder of the strongest lock; empty: free."""
    work_stream: str = ""
    """Stream of that lock; empty: an agent without one."""
    task: str = ""
    """What for, in the holder's words."""
    locked_at: str = ""
    """ISO 8601, UTC."""
    expires_at: str = ""
    """ISO 8601, UTC; renewals move it."""
    holders: tuple[str, ...] = ()
    """Every agent that holds it, the strongest lock first."""
    queue_length: int = 0
    """How many wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueEntry:
    """One agent that waits for a file."""

    position: int
    """1 for the next."""
    agent_id: str
    """Who waits."""
    file_path: str
    """What it waits for; of a set, the part that overlaps the file that was asked about."""
    lock_type: str
    """Type it asked for (``LOCK_TYPES``)."""
    task: str
    """What for, in its words."""
    waited_s: float
    """Seconds since it asked."""


class LockManager:
    """Prevents agents that work in parallel from changing the same files.

    A refused agent is told the place it would have, and is not put in the queue: a place is held by a process that
    waits for it, so that nobody waits behind somebody who has gone. ``wait_s`` waits in the queue.
    """

    LOCK_TYPES: ClassVar[dict[str, str]] = {
        "EXCLUSIVE": "No other agent can modify",
        "SHARED_READ": "Multiple agents can read",
        "INTENT": "Agent plans to modify soon",
    }

    def __init__(self, repo: str | Path = "", store: str = "", session: str = "") -> None:
        """Act in the repository that is named, else in ``PUCS_REPO``, else around the current directory.

        Raises:
            EnvironmentFailure: not a git repository, or there is no store; the message says what to do.
        """
        self._place = here(repo, store, session)

    def acquire_lock(
        self,
        agent_id: str,
        file_path: str,
        lock_type: str = "EXCLUSIVE",
        duration_min: float = DEFAULT_DURATION_MIN,
        *,
        wait_s: float = 0.0,
        task: str = "",
    ) -> LockResult:
        """Attempt to acquire a lock on a file; at once, or within ``wait_s`` in the queue.

        Asking again for what one holds is granted under the same token.

        Raises:
            Usage: there is no such type, or the path is outside the repository.
            Refused: the agent has ended, or no session is active.
        """
        if lock_type not in self.LOCK_TYPES:
            raise Usage(
                f"There is no lock type {lock_type!r}.", remedy=f"Types: {', '.join(self.LOCK_TYPES)}."
            )
        answer = self._place.acquire(
            file_path,
            agent=agent_id,
            mode=Mode(lock_type),
            duration_min=duration_min,
            wait_s=wait_s,
            task=task,
        )
        return LockResult(
            granted=answer.granted,
            wait_time=answer.wait_time,
            queue_position=answer.queue_position,
            reason=answer.reason,
            expires_at=answer.expires_at,
            token=min(answer.tokens.values(), default=0),
        )

    def release_lock(self, agent_id: str, file_path: str) -> bool:
        """Release an agent's lock; False if it has none. Unlanded changes land first, or are kept aside."""
        return self._place.release(file_path, agent=agent_id)

    def check_lock(self, file_path: str) -> LockStatus:
        """Return the lock status of a file."""
        name = self._place.canonical([file_path])[0]
        held, waiting = self._place.holders(file_path), self._place.waiting(file_path)
        if not held:
            return LockStatus(file_path=name, locked=False, queue_length=len(waiting))
        first = held[0]
        return LockStatus(
            file_path=name,
            locked=True,
            lock_type=first.mode.value,
            agent_id=first.agent,
            work_stream=first.stream,
            task=first.task,
            locked_at=first.granted_at,
            expires_at=first.expires_at,
            holders=tuple(dict.fromkeys(lease.agent for lease in held)),
            queue_length=len(waiting),
        )

    def get_queue(self, file_path: str) -> list[QueueEntry]:
        """Return the agents that wait for a file, in order."""
        name = self._place.canonical([file_path])[0]
        now_s = self._place.context.clock.now().boot_s
        return [
            QueueEntry(
                position=position,
                agent_id=request.agent,
                file_path=wanted,
                lock_type=mode.value,
                task=request.task,
                waited_s=round(now_s - request.asked_s, 3),
            )
            for position, request in enumerate(self._place.waiting(file_path), 1)
            for wanted, mode in [next(pair for pair in request.resources if overlaps(pair[0], name))]
        ]
