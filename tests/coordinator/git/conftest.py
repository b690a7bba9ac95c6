"""A session on a real repository, with clock and processes under the test's control, and a way to die between steps."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pucs.coordinator import agents, landing, leases, sessions
from pucs.coordinator.context import Context
from pucs.coordinator.places import prepare_worktree
from pucs.core.processes import Process
from pucs.git.repository import GitRepository
from pucs.git.worktrees import GitWorktrees
from pucs.streams.records import Stream
from pucs.streams.settings import Configuration
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from tests.conftest import Kept

FILES = {
    "core/a.py": "a = 1\n\n\nz = 1\n",
    "core/b.py": "b = 1\n",
    "api/x.py": "x = 1\n",
    "shared.txt": "s\n",
}
STREAMS = (
    Stream(name="core", files_pattern=("core/**",)),
    Stream(name="api", files_pattern=("api/**",), dependencies=("core",)),
    Stream(name="docs", files_pattern=("docs/**",)),
)


class Killed(BaseException):
    """The process of the test is dead; nothing it calls afterwards happens."""


@dataclass
class Git:
    """The two git hands, as a context wants them."""

    repository: Any
    worktrees: Any
    common_dir: str


class Death:
    """Counts changes made through mortal hands and kills at a chosen one, after it happened."""

    CHANGES = frozenset({"move_ref", "commit", "snapshot", "restore", "advance"})

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0
        self.dead = False

    def step(self) -> None:
        """Count a change; die if it is the chosen one."""
        self.count += 1
        if self.count == self.at:
            self.dead = True
        self.check()

    def check(self) -> None:
        """Do nothing more once dead."""
        if self.dead:
            raise Killed


class Mortal:
    """A hand that stops doing anything once its process has died."""

    def __init__(self, hand: Any, death: Death) -> None:
        self._hand = hand
        self._death = death

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._hand, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            self._death.check()
            result = found(*arguments, **named)
            if name in Death.CHANGES:
                self._death.step()
            return result

        return call

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        """Open a transaction; its commit is a change."""
        self._death.check()
        with self._hand.transaction(**options) as tx:
            yield tx
            self._death.check()
        self._death.step()

    @contextmanager
    def read(self) -> Iterator[Any]:
        """Open a read transaction."""
        self._death.check()
        with self._hand.read() as tx:
            yield tx


class World:
    """A repository with three streams and a session."""

    def __init__(self, root: Path, configuration: Configuration, kept: Kept) -> None:
        self.root = root
        self.clock = FakeClock()
        self.processes = FakeProcesses()
        repository = GitRepository.open(str(root))
        self.context = Context(
            store=kept(self.clock),
            clock=self.clock,
            processes=self.processes,
            bells=FakeBells(),
            git=Git(repository, GitWorktrees(repository), repository.common_dir),
            door="test",
        )
        sessions.start(self.context, configuration=configuration, session="S1")
        self.places: dict[str, Path] = {}

    def agent(self, name: str, stream: str = "core", pid: int = 0) -> Path:
        """Register an agent with a worktree of its own and return it."""
        owner = FakeProcesses.process(pid) if pid else None
        agents.register(self.context, agent=name, stream=stream, owner=owner)
        self.places[name] = Path(prepare_worktree(self.context, agent=name).worktree)
        return self.places[name]

    def lock(self, agent: str, *resources: str) -> dict[str, int]:
        """Lease resources, which must be free."""
        answer = leases.acquire(self.context, agent=agent, resources=resources)
        assert answer.granted, answer.reason
        return answer.tokens

    def edit(self, agent: str, path: str, text: str) -> None:
        """Write a file in the worktree of an agent."""
        target = self.places[agent] / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def land(self, agent: str, **named: Any) -> landing.Landed:
        """Land, which must succeed."""
        outcome = landing.land(self.context, agent=agent, **named)
        assert isinstance(outcome, landing.Landed), outcome
        return outcome

    def not_landed(self, agent: str, **named: Any) -> landing.NotLanded:
        """Land, which must be refused."""
        outcome = landing.land(self.context, agent=agent, **named)
        assert isinstance(outcome, landing.NotLanded), outcome
        return outcome

    def git(self, *arguments: str, at: Path | None = None) -> str:
        """Run git and return what it printed."""
        done = subprocess.run(
            ["git", *arguments], cwd=at or self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def branch(self, stream: str) -> str:
        """Return the branch of a stream."""
        with self.context.store.read() as tx:
            return next(row.branch for row in tx.sessions.streams("S1") if row.stream.name == stream)

    def text(self, stream: str, path: str) -> str:
        """Return a file as the stream's branch has it."""
        return self.git("show", f"{self.branch(stream)}:{path}")

    def held(self, agent: str) -> list[str]:
        """Return what an agent holds."""
        with self.context.store.read() as tx:
            return [lease.resource for lease in tx.leases.of_agent(agent)]

    def dying(self, at: int) -> tuple[Context, Death]:
        """Return a context of another process that dies right after its change number ``at``."""
        death = Death(at)
        processes = replace_me(self.processes, FakeProcesses.process(1000 + at))
        hands = Git(
            Mortal(self.context.repository, death),
            Mortal(self.context.worktrees, death),
            self.context.git.common_dir,
        )
        return replace(
            self.context, store=Mortal(self.context.store, death), git=hands, processes=processes
        ), death

    def bury(self, at: int) -> None:
        """Let everybody know that the process of ``dying(at)`` is dead."""
        self.processes.kill(FakeProcesses.process(1000 + at))


def replace_me(processes: FakeProcesses, me: Process) -> FakeProcesses:
    return FakeProcesses(dead=processes.dead, unknown=processes.unknown, me=me)


@pytest.fixture
def make_world(make_repository: Callable[..., Path], kept: Kept) -> Callable[..., World]:
    """Return a function that makes a world of these files; keywords go into its configuration."""
    count = 0

    def make(files: Mapping[str, str] = FILES, **settings: Any) -> World:
        nonlocal count
        count += 1
        return World(
            make_repository(f"world{count}", files), Configuration(streams=STREAMS, **settings), kept
        )

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


@pytest.fixture
def killed() -> type[BaseException]:
    """Return what is raised in a process that dies."""
    return Killed
