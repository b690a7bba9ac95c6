"""The hands of a simulated agent: the real store, and clock, processes and bells with everything that goes wrong in them.

Before every transaction the agent may be interrupted, for a moment or for long; it may be killed inside one, so that
nothing of it happened, or right after its commit, so that nobody heard. Bells ring late, twice or never.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pucs.testing.fakes import FakeProcesses
from tests.simulation.plain import SOURCES
from tests.simulation.schedule import Actor, Broken, Killed, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

    from pucs.coordinator.ports import Store, Transaction
    from pucs.core.processes import Process


LOOKS_MAX = 300
"""Transactions of one agent in one second of virtual time: whoever makes more does not sleep but spins (DESIGN §3.3)."""


@dataclass(frozen=True, kw_only=True)
class Faults:
    """How often things go wrong, as probabilities."""

    interrupted: float = 0.25
    """Somebody else runs between two transactions of one verb."""
    interruption_s: float = 0.005
    """How long that takes on average."""
    long_pause: float = 0.004
    """... and the agent comes back only after seconds or minutes."""
    killed_inside: float = 0.001
    """It is killed before a commit, or right after it."""
    ring_lost: float = 0.04
    ring_twice: float = 0.04
    ring_late: float = 0.05
    answer_lost: float = 0.03
    """A verb did what it was asked, but the answer never came, and the agent asks again."""


@dataclass
class World:
    """What all agents share."""

    schedule: Schedule
    random: Random
    faults: Faults
    store: Store
    processes: FakeProcesses = field(default_factory=FakeProcesses)
    quiet: bool = False
    """Nothing goes wrong any more."""
    commits: int = 0
    on_death: Callable[[Hands], None] = lambda _: None
    _bells: dict[str, _Bell] = field(default_factory=dict)
    _watchers: dict[Process, dict[Actor, int]] = field(default_factory=dict)
    _pid: int = 100

    def process(self) -> Process:
        """Start a process."""
        self._pid += 1
        return self.processes.process(self._pid)

    def happens(self, chance: float) -> bool:
        """Throw the dice."""
        return not self.quiet and self.random.random() < chance

    def kill(self, process: Process) -> None:
        """End a process; those who watch it wake at once."""
        self.processes.kill(process)
        for actor, turn in self._watchers.pop(process, {}).items():
            if actor.turn == turn:
                self.schedule.wake(actor, 0.0005)

    def watch(self, process: Process, actor: Actor) -> None:
        """Wake an agent when a process dies during its coming sleep."""
        self._watchers.setdefault(process, {})[actor] = actor.turn

    def ring(self, name: str) -> None:
        """Ring a bell, as well as it goes."""
        if self.happens(self.faults.ring_lost):
            self.schedule.say(f"     the bell {name} is not heard")
            return
        for _ in range(2 if self.happens(self.faults.ring_twice) else 1):
            late = self.happens(self.faults.ring_late)
            self.schedule.at(self.random.uniform(0.0, 4.0 if late else 0.002), lambda: self._rung(name))

    def _rung(self, name: str) -> None:
        bell = self._bells.get(name)
        if bell is not None:
            bell.rung = True
            if bell.asleep:
                self.schedule.wake(bell.actor, 0.0)


@dataclass(eq=False)
class _Bell:
    world: World
    actor: Actor
    rung: bool = False
    asleep: bool = False

    def wait(self, timeout_s: float, watched: Sequence[Process]) -> None:
        """Sleep until rung, until a watched process dies, or for ``timeout_s``."""
        for process in watched:
            if process in self.world.processes.dead:
                timeout_s = 0.0
            self.world.watch(process, self.actor)
        self.asleep = True
        try:
            self.actor.sleep(0.0 if self.rung else timeout_s)
        finally:
            self.asleep = self.rung = False


@dataclass(eq=False)
class Hands:
    """Store, processes, bells and git of one agent; all of them ports of ``coordinator.ports``."""

    world: World
    name: str
    actor: Actor = field(init=False)
    owner: Process | None = None
    """The process it registered with; None: it is known by name only, as an agent of the command line is."""
    process: Process = field(init=False)
    """The process that runs its verbs."""
    path: str = ":simulated:"
    _second: int = 0
    _looks: int = 0
    steady: bool = False
    """Nothing goes wrong for it: it stands outside the history, as whoever runs the session does."""

    def __post_init__(self) -> None:
        self.process = self.world.process()

    # Store

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Transaction]:
        """Open the real write transaction, after whatever comes between."""
        world = self.world
        if self.steady:
            with world.store.transaction(**options) as tx:
                yield tx
            world.commits += 1
            return
        self._alive()
        if world.happens(world.faults.interrupted):
            pause_s = world.random.expovariate(1.0 / world.faults.interruption_s)
            self.actor.overslept_s += pause_s
            self.actor.sleep(pause_s)
        if world.happens(world.faults.long_pause):
            pause_s = world.random.choice((1.5, 2.5, 6.0, 25.0, 70.0))
            world.schedule.say(f"     {self.name} is stopped for {pause_s:g} s")
            self.actor.overslept_s += pause_s
            self.actor.sleep(pause_s)
        dies = world.random.choice(("before", "after")) if world.happens(world.faults.killed_inside) else ""
        with world.store.transaction(**options) as tx:
            yield tx
            if dies == "before":
                self._dies("before its commit")
        world.commits += 1
        if dies == "after":
            self._dies("right after its commit")

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a real read transaction."""
        if not self.steady:
            self._alive()
        with self.world.store.read() as tx:
            yield tx

    def _dies(self, when: str) -> None:
        self.world.schedule.say(f"     {self.name} is killed {when}")
        self.actor.killed = True
        self.world.on_death(self)
        raise Killed

    def _alive(self) -> None:
        if self.actor.killed:
            raise Killed
        second = int(self.world.schedule.now_s)
        self._looks = self._looks + 1 if second == self._second else 0
        self._second = second
        if self._looks > LOOKS_MAX:
            raise Broken("waits", f"{self.name} does not sleep, it looks again and again")

    # Processes

    def current(self) -> Process:
        """Return the process that runs the verb."""
        return self.process

    def alive(self, process: Process) -> bool | None:
        """Tell whether a process lives."""
        return self.world.processes.alive(process)

    # Bells

    @contextmanager
    def hang(self, name: str) -> Iterator[Any]:
        """Give the waiter its bell."""
        bell = self.world._bells[name] = _Bell(self.world, self.actor)
        try:
            yield bell
        finally:
            self.world._bells.pop(name, None)

    def ring(self, name: str) -> None:
        """Ring somebody's bell; whoever was killed rings nobody."""
        self.world.ring(name)


class Sources:
    """All of git that the lease verbs ask for: what is in a file."""

    root = ""
    common_dir = ""

    @property
    def repository(self) -> Sources:
        """Return the repository."""
        return self

    @property
    def worktrees(self) -> Sources:
        """Return the worktrees."""
        return self

    def read(self, path: str, resource: str) -> bytes | None:
        """Return the bytes of a file."""
        del path
        return SOURCES.get(resource)
