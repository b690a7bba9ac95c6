"""Brings a run's events to its door in a thread of its own, so that a slow terminal holds up no agent."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.launch.events import Event

CLOSE_S_MAX = 5.0
"""Longest wait at the end of a run for a door that has stopped listening, such as a terminal after Ctrl-S."""


class Teller:
    """Calls ``on_event`` with one event after the other; a run has a few for each attempt, so nothing piles up."""

    def __init__(self, on_event: Callable[[Event], None] | None) -> None:
        """Start to tell; None: nobody listens."""
        self.failure: Exception | None = None
        """What the door raised; it has been told nothing since."""
        self._on_event = on_event
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._tell, name="teller", daemon=True)
        if on_event:
            self._thread.start()

    def say(self, event: Event) -> None:
        """Hand an event over; returns at once."""
        if self._on_event:
            self._events.put(event)

    def close(self) -> None:
        """Wait until everything was told."""
        if self._on_event:
            self._events.put(None)
            self._thread.join(CLOSE_S_MAX)

    def _tell(self) -> None:
        assert self._on_event is not None, "started only then"
        while (event := self._events.get()) is not None:
            if self.failure is None:
                try:
                    self._on_event(event)
                except Exception as error:  # noqa: BLE001 - whoever draws the progress must not end the agents
                    self.failure = error
