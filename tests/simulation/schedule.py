"""Virtual time, and agents that run one at a time in it: each is a thread that goes on only when it is its turn.

So the real verbs run as they are, blocking ones too, and still every order of events follows from the seed alone.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.testing.fakes import FakeClock

STEPS_SHOWN = 30
"""Steps before a failure that are shown with it."""
STACK_BYTES = 512 * 1024
"""Stack of one agent's thread; hundreds of them live at a time."""


def _taken() -> threading.Lock:
    """Return a lock that is taken: whoever takes it again sleeps until somebody gives it back."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class Killed(BaseException):
    """The process that runs here is no more: nothing that it would still do happens."""


class Broken(AssertionError):
    """A rule was broken."""

    def __init__(self, rule: str, what: str) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule = rule
        self.what = what


@dataclass(eq=False)
class Actor:
    """One thread in virtual time."""

    schedule: Schedule
    name: str
    body: Callable[[], None]
    turn: int = 0
    """Counts its sleeps; a wake-up meant for an earlier one is void."""
    killed: bool = False
    """Its process is dead; it will find out when it next runs."""
    stopped_until_s: float = 0.0
    """Not scheduled before (SIGSTOP, a laptop's lid)."""
    overslept_s: float = 0.0
    """By how much it woke too late in all, since somebody set this to zero."""
    over: bool = False
    _baton: threading.Lock = field(default_factory=_taken)

    def start(self, after_s: float) -> None:
        """Begin to live after a while."""
        threading.Thread(target=self._live, name=self.name, daemon=True).start()
        self.schedule.wake(self, after_s)

    def sleep(self, seconds: float) -> None:
        """Let the others go on for that long.

        Raises:
            Killed: the process died meanwhile.
        """
        planned_s = self.schedule.now_s + seconds
        self.schedule.wake(self, seconds)
        self.schedule.hand_back()
        self._baton.acquire()
        self.turn += 1
        self.overslept_s += max(0.0, self.schedule.now_s - planned_s)
        if self.killed:
            raise Killed

    def go_on(self) -> None:
        """Run until it sleeps again; called by the schedule."""
        self._baton.release()

    def _live(self) -> None:
        self._baton.acquire()
        self.turn += 1
        try:
            self.body()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - the schedule raises it where it is seen
            self.schedule.failure = error
        finally:
            self.over = True
            self.schedule.hand_back()


class Schedule:
    """What happens next, and at what time."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.now_s = 0.0
        self.failure: BaseException | None = None
        self.after_step: Callable[[], None] = lambda: None
        self.steps = 0
        self.shown: deque[str] = deque(maxlen=STEPS_SHOWN)
        self.digest = 0  # of every step so far: equal for equal histories
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._back = _taken()

    def say(self, text: str) -> None:
        """Note a step; the last ones are shown when something fails."""
        line = f"{self.now_s:9.3f}  {text}"
        self.shown.append(line)
        self.digest = crc32(line.encode(), self.digest)

    def at(self, after_s: float, what: Callable[[], None]) -> None:
        """Let something happen after a while."""
        self._number += 1
        heapq.heappush(self._events, (self.now_s + after_s, self._number, what))

    def wake(self, actor: Actor, after_s: float) -> None:
        """Let an actor go on after a while, if it still sleeps the same sleep."""
        turn = actor.turn
        self.at(after_s, lambda: self._go_on(actor, turn))

    def pass_s(self, seconds: float) -> None:
        """Let time go by."""
        self.clock.pass_s(seconds)
        self.now_s += seconds

    def hand_back(self) -> None:
        """Let the schedule decide who goes on."""
        self._back.release()

    def run(self, until: Callable[[], bool]) -> None:
        """Let things happen, one after the other, until the condition holds or nothing is left to happen.

        Raises:
            Broken: a rule was.
        """
        while self._events and not until():
            when_s, _, what = heapq.heappop(self._events)
            self.pass_s(when_s - self.now_s)
            what()
            if self.failure is not None:
                raise self.failure
            self.steps += 1
            self.after_step()

    def drain(self) -> None:
        """Let whoever still lives find out that it was killed."""
        while self._events:
            heapq.heappop(self._events)[2]()

    def _go_on(self, actor: Actor, turn: int) -> None:
        if actor.over or actor.turn != turn:
            return
        if self.now_s < actor.stopped_until_s and not actor.killed:
            self.at(actor.stopped_until_s - self.now_s, lambda: self._go_on(actor, turn))
            return
        actor.go_on()
        self._back.acquire()
