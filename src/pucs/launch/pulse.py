"""The signs of life that a supervisor gives for an agent whose command is running, and its ear for orders."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from pucs.coordinator import agents as registry
from pucs.core.errors import Refused, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from pucs.coordinator.context import Context

HEARTBEAT_S_MAX = 30.0
"""Longest pause between heartbeats, however long leases live: people want to see that an agent lives."""
LOOK_S = 1.0
"""Pause between looks for an order to pause or to end; without any change in the store a look costs next to nothing."""


class Carrier(Protocol):
    """Carries orders out: a keeper, or whoever knows the program that runs in it."""

    def pause(self) -> None:
        """Let what runs pause."""
        ...

    def resume(self) -> None:
        """Let it go on."""
        ...

    def stop(self) -> None:
        """End it."""
        ...


class Pulse:
    """Heartbeats of one agent, each renewing its leases, and the orders it gets (PAUSE, RESUME, TERMINATE)."""

    def __init__(self, context: Context, agent: str, lease_s: float, carrier: Carrier | None = None) -> None:
        """Beat three times in the life of a lease, so that one may fail without harm; ``carrier`` carries orders out."""
        self.pause_s = min(lease_s / 3, HEARTBEAT_S_MAX)
        self.look_s = min(self.pause_s, LOOK_S)
        """Longest pause between two calls of ``look``."""
        self.paused = False
        self.terminated = False
        self._context = context
        self._agent = agent
        self._lease_s = lease_s
        self._carrier = carrier
        self._failing_since: float | None = None
        self._beaten_s: float | None = None
        self._seen: int | None = None

    @contextmanager
    def carried_out_by(self, carrier: Carrier) -> Iterator[None]:
        """Let somebody else carry orders out while the block runs."""
        before, self._carrier = self._carrier, carrier
        try:
            yield
        finally:
            self._carrier = before

    def look(self, resources: Collection[str] = ()) -> None:
        """Carry out what was ordered meanwhile, and beat if it is time; raises what ``beat`` raises."""
        with suppress(StoreError):  # a store that fails for too long is the heartbeat's to tell
            self._obey()
        now_s = self._context.clock.now().boot_s
        if self._beaten_s is None:
            self._beaten_s = now_s  # whoever registered or leased just now has shown life
        elif now_s - self._beaten_s >= self.pause_s:
            self._beaten_s = now_s
            self.beat(resources)

    def rest(self, stopping: Callable[[], bool], resources: Collection[str] = ()) -> bool:
        """Wait while the agent is paused; True if it was, and may go on now."""
        self.look(resources)
        was_paused = self.paused
        while self.paused and not self.terminated and not stopping():
            threading.Event().wait(self.look_s)
            self.look(resources)
        return was_paused and not self.terminated and not stopping()

    def _obey(self) -> None:
        version = self._context.store.version()
        if version == self._seen:
            return
        self._seen = version
        with self._context.store.read() as tx:
            known = tx.agents.get(self._agent)
        if known is None:
            return
        if known.paused != self.paused:
            self.paused = known.paused
            if self._carrier is not None:
                (self._carrier.pause if self.paused else self._carrier.resume)()
        if known.terminated and not self.terminated:
            self.terminated = True
            if self._carrier is not None:
                self._carrier.stop()

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
