"""Real processes that speak to the test through a named pipe, so that nothing has to sleep."""

import os
import select
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pucs.launch import processes
from pucs.launch.agents import Command, Keeper
from tests.launch.scenes import Scene

PATIENCE_S = 20
"""Far beyond what any step takes; only a failing test waits this long."""


class Line:
    """A named pipe that commands write lines to."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._buffer = b""

    def next(self) -> str:
        """Return the next line, waiting for it."""
        while b"\n" not in self._buffer:
            assert select.select([self._pipe], [], [], PATIENCE_S)[0], "no line came"
            self._buffer += os.read(self._pipe, 4096)
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()

    def pid(self) -> int:
        """Return the next line as the pid it is, checked to be alive."""
        pid = int(self.next())
        assert processes.identity(pid)
        return pid

    def beside(self, name: str) -> Path:
        """Make another pipe, ``$LINE.name``, that nobody writes to unless the test does."""
        path = Path(f"{self.path}.{name}")
        os.mkfifo(path)
        return path

    def close(self) -> None:
        """Close our end."""
        os.close(self._pipe)


def is_gone(pid: int) -> bool:
    """Tell whether nothing of that pid can act any more."""
    return processes.identity(pid) is None


def wait_gone(pid: int) -> None:
    """Wait until a process that need not be our child is dead."""
    try:
        death = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([death], [], [], PATIENCE_S)[0], "it goes on living"
    os.close(death)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """A pipe named LINE in the environment of ``order``."""
    made = Line(tmp_path / "line")
    yield made
    made.close()


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    """A running keeper, ended with all it started."""
    started = Keeper()
    yield started
    assert started.close()


class Orders:
    """Makes commands that run in a directory of the test."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.output = directory / "output"

    def __call__(self, shell: str, **changes: object) -> Command:
        """Return a command; any field may be changed."""
        env = {"PATH": os.environ["PATH"], "LINE": str(self.directory / "line")}
        given: dict[str, object] = {
            "cwd": str(self.directory),
            "env": env,
            "output": str(self.output),
            "shell": shell,
        }
        return Command(**{**given, "stop_grace_s": 0.2, **changes})  # type: ignore[arg-type]


@pytest.fixture
def order(tmp_path: Path) -> Orders:
    """Commands with an output file and a short grace."""
    return Orders(tmp_path)


@pytest.fixture
def scene(make_repository: Callable[..., Path], tmp_path: Path, line: Line) -> Scene:
    """A session over a repository of two directories."""
    root = make_repository(files={"core/a.txt": "a\n", "shop/b.txt": "b\n"})
    return Scene(root, tmp_path / "outputs", line.path)
