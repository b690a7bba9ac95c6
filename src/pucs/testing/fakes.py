"""Clock, processes and bells under a test's control; everything else in a test is real."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pucs.core.instants import Instant
from pucs.core.processes import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

EPOCH_S = 1_765_015_200.0
"""Wall time at which a fake clock starts: 2025-12-06T10:00:00Z, the first session of the seeds."""


@dataclass(slots=True)
class FakeClock:
    """A clock that moves only when told to."""

    boot_s: float = 1000.0
    wall_s: float = EPOCH_S
    boot_id: str = "boot-1"

    def now(self) -> Instant:
        """Return the current reading."""
        return Instant(boot_id=self.boot_id, boot_s=self.boot_s, wall_s=self.wall_s)

    def pass_s(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.boot_s += seconds
        self.wall_s += seconds

    def step_wall_s(self, seconds: float) -> None:
        """Step the wall clock alone, as an administrator or NTP does."""
        self.wall_s += seconds

    def reboot(self) -> None:
        """Start another boot: the monotonic clock begins again."""
        self.boot_id += "+"
        self.boot_s = 1.0


@dataclass(slots=True)
class FakeProcesses:
    """Processes that live until a test kills them."""

    dead: set[Process] = field(default_factory=set)
    unknown: set[Process] = field(default_factory=set)
    me: Process = field(default_factory=lambda: FakeProcesses.process(1))

    @staticmethod
    def process(pid: int) -> Process:
        """Return the process of this pid on the one fake host."""
        return Process("host", "boot-1", 1, pid, 0)

    def current(self) -> Process:
        """Return the test's own process."""
        return self.me

    def alive(self, process: Process) -> bool | None:
        """Tell whether a process was killed yet; None for those marked unknown."""
        return None if process in self.unknown else process not in self.dead

    def kill(self, process: Process) -> None:
        """Let a process be dead from now on."""
        self.dead.add(process)


class FakeBell:
    """A bell whose ``wait`` runs what the test put there: other agents' moves while this one sleeps."""

    def __init__(self, during: Callable[[float], None]) -> None:
        """Sleep by running ``during`` with the timeout."""
        self._during = during

    def wait(self, timeout_s: float, watched: Sequence[Process]) -> None:
        """Run the test's step instead of sleeping."""
        del watched
        self._during(timeout_s)


@dataclass(slots=True)
class FakeBells:
    """Bells that record who was rung and let a test act while somebody waits."""

    rung: list[str] = field(default_factory=list)
    during: Callable[[float], None] = lambda _: None

    @contextmanager
    def hang(self, name: str) -> Iterator[FakeBell]:
        """Give the waiter its bell."""
        del name
        yield FakeBell(self.during)

    def ring(self, name: str) -> None:
        """Record the ring."""
        self.rung.append(name)
