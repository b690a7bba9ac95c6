"""Real `pucs` processes in a generated repository, and pipes instead of sleeping."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 30
"""Far beyond what any step takes; only a failing test waits this long."""
CONFIGURATION = "streams:\n  app: {files_pattern: app/}\n  lib: {files_pattern: lib/}\n"
FILES = {"pucs.yaml": CONFIGURATION, "app/a.py": "a = 1\n", "lib/b.py": "b = 1\n", "README.md": "A shop.\n"}


class Place:
    """A repository that `pucs` processes work in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment: dict[str, str] = {}
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, prefix: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Start `pucs` in a process group of its own."""
        started = subprocess.Popen(
            [*prefix, "pucs", *arguments],
            cwd=self.root,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._started.append(started)
        return started

    def pucs(
        self, *arguments: str, status: int | None = 0, prefix: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run `pucs` to its end, which has to have this status (None: any), and never be a bug."""
        started = self.start(*arguments, prefix=prefix)
        out, err = started.communicate(timeout=PATIENCE_S)
        assert "Traceback" not in err, err
        assert started.returncode == status or status is None, out + err
        return subprocess.CompletedProcess(arguments, started.returncode, out, err)

    def json(self, *arguments: str, status: int | None = 0) -> Any:
        """Return the document of a call."""
        return json.loads(self.pucs(*arguments, "--json", status=status).stdout)

    def git(self, *arguments: str) -> str:
        """Run git and return what it printed."""
        done = subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True)
        return os.fsdecode(done.stdout).strip()

    def tasks(self, *tasks: str, name: str = "tasks.yaml") -> str:
        """Write a tasks file beside the repository; each task is the inside of a YAML mapping."""
        path = self.root.parent / name
        path.write_text("tasks:\n" + "".join(f"- {{{task}}}\n" for task in tasks), encoding="utf-8")
        return str(path)

    def script(self, text: str, name: str = "agent.sh") -> str:
        """Write an agent's program beside the repository and return the command that runs it."""
        path = self.root.parent / name
        path.write_text(text, encoding="utf-8")
        return f"sh '{path}'"

    def result(self, path: str) -> str:
        """Return a file as the session branch has it."""
        return self.git("show", f"{self.json('status')['branch']}:{path}")

    def accounted(self) -> None:
        """Nothing may be lost: `verify` says so, the checkout is as it was, and git finds its objects sound."""
        self.pucs("verify")
        assert self.git("status", "--porcelain", "--untracked-files=no") == ""
        self.git("fsck", "--connectivity-only")

    def close(self) -> None:
        """End what is still running."""
        for started in self._started:
            if started.poll() is None:
                os.killpg(started.pid, signal.SIGKILL)
            started.communicate()


class Pipe:
    """A named pipe that agents write lines to, and one they read from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._open = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._buffer = b""

    def next(self) -> str:
        """Return the next line, waiting for it."""
        while b"\n" not in self._buffer:
            assert select.select([self._open], [], [], PATIENCE_S)[0], "no line came"
            self._buffer += os.read(self._open, 4096)
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()

    def send(self, line: str) -> None:
        """Give a reader a line."""
        os.write(self._open, f"{line}\n".encode())

    def close(self) -> None:
        """Close our end."""
        os.close(self._open)


@pytest.fixture
def make_place(make_repository: Callable[..., Path]) -> Iterator[Callable[..., Place]]:
    """Return a function that makes a repository to work in; everything started in it is ended."""
    made: list[Place] = []

    def make(name: str = "shop", files: dict[str, str] | None = None, more: str = "") -> Place:
        content = dict(files or FILES)
        if more:
            content["pucs.yaml"] += more
        made.append(Place(make_repository(name, content)))
        return made[-1]

    yield make
    for place in made:
        place.close()


@pytest.fixture
def place(make_place: Callable[..., Place]) -> Place:
    """Return a repository with the streams app and lib."""
    return make_place()


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    """Return a named pipe from agents to the test."""
    made = Pipe(tmp_path / "pipe")
    yield made
    made.close()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Pipe]:
    """Return a named pipe from the test to agents."""
    made = Pipe(tmp_path / "gate")
    yield made
    made.close()
