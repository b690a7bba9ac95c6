"""The signs of life that a supervisor gives for an agent whose command is running."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.coordinator import agents as registry
from pucs.core.errors import Refused, StoreError

if TYPE_CHECKING:
    from collections.abc import Collection

    from pucs.coordinator.context import Context

HEARTBEAT_S_MAX = 30.0
"""Longest pause between heartbeats, however long leases live: people want to see that an agent lives."""


class Pulse:
    """Heartbeats of one agent; each renews its leases."""

    def __init__(self, context: Context, agent: str, lease_s: float) -> None:
        """Beat three times in the life of a lease, so that one may fail without harm."""
        self.pause_s = min(lease_s / 3, HEARTBEAT_S_MAX)
        self._context = context
        self._agent = agent
        self._lease_s = lease_s
        self._failing_since: float | None = None

    def beat(self, resources: Collection[str] = ()) -> None:
        """Record that the agent lives and that it still holds these resources.

        A store that is busy or full for a while is survived, up to half of a lease's life.

        Raises:
            Refused: one of the leases has ended (its longest duration is over), or the agent was ended by somebody.
            StoreError: the store has failed for too long.
        """
        now_s = self._context.clock.now().boot_s
        try:
            held = registry.heartbeat(self._context, agent=self._agent)
        except StoreError:
            self._failing_since = now_s if self._failing_since is None else self._failing_since
            if now_s - self._failing_since > self._lease_s / 2:
                raise
            return
        self._failing_since = None
        lost = sorted(set(resources) - set(held))
        if lost:
            raise Refused(
                f"{self._agent} lost its lease on {', '.join(lost[:3])} while it worked.",
                remedy="Give the task fewer files or more time (locks.max_duration_minutes).",
            )
