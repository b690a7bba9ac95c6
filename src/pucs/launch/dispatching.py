"""Which slot works for which stream: the one place where the threads of a run meet.

A slot that has nothing to do sleeps until another slot changed something, and looks at the store at most once a
second for what other processes changed.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from pucs.tasks import schedule
from pucs.tasks.records import TaskState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

from pucs.tasks.records import Task

LOOK_S = 1.0
"""Longest sleep of an idle slot without looking at the store (DESIGN §3.3)."""


class Outlook:
    """What there is to do at one moment."""

    def __init__(
        self, tasks: Sequence[Task], others: Mapping[str, int] | None = None, stuck: Collection[str] = ()
    ) -> None:
        """Take all tasks of the session.

        ``others`` counts the active agents of each stream that this run does not look after; ``stuck`` are agents that
        cannot be ended, whose tasks will not get on.
        """
        self.others = others or {}
        self._ready = Counter(task.stream for task in schedule.ready(tasks))
        unfinished = [task for task in tasks if task.state in {TaskState.PENDING, TaskState.RUNNING}]
        self._left = {task.stream for task in unfinished}
        self.moving = any(
            task.state is TaskState.RUNNING and task.assignee not in stuck for task in unfinished
        )
        """A task is at work somewhere, so that what is blocked may come free."""

    def ready(self, stream: str) -> int:
        """Return how many tasks of a stream could begin now."""
        return self._ready[stream]

    def left(self, stream: str) -> bool:
        """Tell whether a stream has unfinished tasks."""
        return stream in self._left


class Dispatcher:
    """Hands streams to slots and lets idle agents wait; safe to use from many threads."""

    def __init__(self, limits: Mapping[str, int], look: Callable[[], Outlook]) -> None:
        """Serve these streams, with at most so many agents each; ``look`` reads the store."""
        self._limits = dict(limits)
        self._look = look
        self._changed = threading.Condition()
        self._changes = 0
        self._working: Counter[str] = Counter()
        """Slots at work for each stream."""
        self._eager: Counter[str] = Counter()
        """Those of them that are about to take a task."""
        self._idle: Counter[str] = Counter()
        """Those of them whose agent waits for another task."""
        self._free = 0
        """Slots without a stream, or about to be."""
        self._coming = 0
        """Free slots that gave way and have not asked for a stream yet."""
        self._stopping = False

    def stop(self) -> None:
        """Send everybody home: nothing new is begun."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def stopping(self) -> bool:
        """Tell whether ``stop`` was called."""
        return self._stopping

    def changed(self) -> None:
        """Let idle slots look again: a task ended or was given back."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def drop(self, stream: str) -> None:
        """Begin nothing new for a stream whose agents cannot be started."""
        with self._changed:
            self._limits.pop(stream, None)
        self.changed()

    def stream(self) -> str | None:
        """Wait for a stream that needs an agent and reserve a place in it; None: there is nothing left to do."""
        with self._changed:
            if self._coming:
                self._coming -= 1
            else:
                self._free += 1
        try:
            while True:
                seen, outlook = self._seen()
                with self._changed:
                    if self._stopping or not self._hopeful(outlook):
                        return None
                    name = next((name for name in self._limits if self._wants_agent(name, outlook)), None)
                    if self._changes != seen:
                        continue  # what was seen may be taken already
                    if name is not None:
                        self._working[name] += 1
                        self._eager[name] += 1
                        return name
                    self._changed.wait(LOOK_S)
        finally:
            with self._changed:
                self._free -= 1

    def rest(self) -> None:
        """Sleep until something changed, after the store turned out otherwise than it looked."""
        with self._changed:
            if not self._stopping:
                self._changed.wait(LOOK_S)

    def limit(self, stream: str) -> int:
        """Return how many agents a stream may have."""
        return self._limits.get(stream, 0)

    def taken(self, stream: str) -> None:
        """Note that a slot of this stream has looked for a task; from now on it counts as busy."""
        with self._changed:
            self._eager[stream] -= 1
            self._changes += 1

    def more(self, stream: str, *, idle: bool, ended: Callable[[], bool] = bool) -> bool:
        """Wait for another task of the stream; False: the agent should retire.

        After True the slot counts as about to take a task. An agent that is ``idle``, because it looked and found none,
        does not look again before something changed. It gives way when another stream could use its slot, and leaves
        when ``ended`` says so.
        """
        with self._changed:
            self._idle[stream] += 1
            if idle and not self._stopping:
                self._changed.wait(LOOK_S)
        try:
            return self._more(stream, ended)
        finally:
            with self._changed:
                self._idle[stream] -= 1

    def _more(self, stream: str, ended: Callable[[], bool]) -> bool:
        while True:
            seen, outlook = self._seen()
            over = ended()
            with self._changed:
                if over or self._stopping or not outlook.left(stream) or not self._hopeful(outlook):
                    return False
                if self._changes != seen:
                    continue
                if outlook.ready(stream) > self._eager[stream]:
                    self._eager[stream] += 1
                    return True
                if not self._free and any(self._wants_agent(name, outlook) for name in self._limits):
                    self._free += 1
                    self._coming += 1
                    return False
                self._changed.wait(LOOK_S)

    def leave(self, stream: str) -> None:
        """Give up the place in a stream."""
        with self._changed:
            self._working[stream] -= 1
            self._changes += 1
            self._changed.notify_all()

    def _seen(self) -> tuple[int, Outlook]:
        with self._changed:
            seen = self._changes
        return seen, self._look()

    def _wants_agent(self, name: str, outlook: Outlook) -> bool:
        places = self._limits[name] - self._working[name] - outlook.others.get(name, 0)
        return places > 0 and outlook.ready(name) > self._eager[name] + self._idle[name]

    def _hopeful(self, outlook: Outlook) -> bool:
        """Tell whether any stream of this run has, or may yet get, something to do."""
        if any(outlook.ready(name) for name in self._limits):
            return True
        return outlook.moving and any(outlook.left(name) for name in self._limits)
