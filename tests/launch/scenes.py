"""A session over a real repository, and runs over it."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pucs.coordinator import sessions
from pucs.coordinator import tasks as todo
from pucs.coordinator.context import Context
from pucs.launch import events
from pucs.launch.settings import RunResult, RunSettings
from pucs.launch.supervisor import Supervisor
from pucs.streams.records import Stream
from pucs.streams.settings import AgentSettings, Configuration
from pucs.tasks.records import Task
from pucs.wiring import open_context

CONFIGURATION = Configuration(
    streams=(
        Stream(name="core", files_pattern=("core/**",), max_agents=2),
        Stream(name="shop", files_pattern=("shop/**",), max_agents=2),
    ),
    agents=AgentSettings(attempts=2, timeout_s=30.0),
)


class Scene:
    """A repository with a session, and runs over it."""

    def __init__(self, root: Path, outputs: Path, line: Path) -> None:
        """Start a session with two streams."""
        self.root = root
        self.outputs = outputs
        self.context: Context = open_context(root, door="run", create=True)
        self.said: list[events.Event] = []
        self.line = line
        self.settings = RunSettings(
            output=str(outputs),
            store=self.context.store.path,
            stop_grace_s=0.2,
            environment={**os.environ, "LINE": str(line), "GIT_DIR": "/elsewhere", "PUCS_PROMPT": "old"},
        )
        sessions.start(self.context, configuration=CONFIGURATION)

    def configure(self, configuration: Configuration) -> None:
        """Change the configuration."""
        sessions.apply(self.context, configuration=configuration)

    def tasks(self, *tasks: Task) -> None:
        """Bring in tasks."""
        todo.import_tasks(self.context, tasks=tasks)

    def supervisor(
        self, on_event: Callable[[events.Event], None] | None = None, **changes: object
    ) -> Supervisor:
        """Make a run that has not begun."""

        def hear(event: events.Event) -> None:
            self.said.append(event)
            if on_event:
                on_event(event)

        return Supervisor(self.context, replace(self.settings, **changes), hear)  # type: ignore[arg-type]

    def run(self, *tasks: Task, **changes: object) -> RunResult:
        """Run tasks to the end."""
        if tasks:
            self.tasks(*tasks)
        return self.supervisor(**changes).run()  # type: ignore[arg-type]

    def git(self, *words: str) -> str:
        """Ask git."""
        return subprocess.run(
            ["git", *words], cwd=self.root, check=True, capture_output=True, text=True
        ).stdout

    def landed(self, stream: str, path: str) -> str:
        """Return a file as a stream's branch has it."""
        session = sessions.current(self.context)
        with self.context.store.read() as tx:
            branch = next(row.branch for row in tx.sessions.streams(session.id) if row.stream.name == stream)
        return self.git("show", f"{branch}:{path}")

    def heard(self, kind: type[events.Event]) -> list[events.Event]:
        """Return what a run said of one kind."""
        return [event for event in self.said if isinstance(event, kind)]


def task(name: str, command: str, stream: str = "core", **more: object) -> Task:
    """Make a task that declares ``core/a.txt`` unless told otherwise."""
    given: dict[str, object] = {"id": name, "title": f"feat: Do {name}", "stream": stream, "command": command}
    return Task(**{"files": ("core/a.txt",) if stream == "core" else ("shop/b.txt",), **given, **more})  # type: ignore[arg-type]
