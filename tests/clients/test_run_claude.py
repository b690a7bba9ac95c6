"""`pucs run` with real Claude Codes: stopped before the edit, suspended, resumed at their turn, and all of it landed."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.stage import Stage

STREAMS = 'streams:\n  core: {files_pattern: ["core/**"], max_agents: 3}\n'


class Runs:
    """A repository and runs over it."""

    program = "claude"

    def __init__(self, stage: Stage, root: Path) -> None:
        """Keep both."""
        self.stage = stage
        self.root = root

    def signal(self, name: str) -> str:
        """Return a command that says that something has happened, in words that do not look like an edit."""
        return f"python3 -c 'import pathlib; pathlib.Path(\"{self.stage.root / name}\").touch()'"

    def until(self, name: str) -> str:
        """Return a command that waits for such a signal."""
        return f"while ! test -e {self.stage.root / name}; do sleep 0.05; done"

    def __call__(self, steps: object, *prompts: str, code: int = 0, **environment: str) -> dict[str, Any]:
        """Run a task for each prompt, and return what came of it."""
        tasks = [
            {"id": f"t{number}", "title": f"feat: Task {number}", "stream": "core", "prompt": prompt}
            for number, prompt in enumerate(prompts, 1)
        ]
        (self.stage.root / "tasks.yaml").write_text(json.dumps({"tasks": tasks}))
        self.stage.models.script("script", steps)
        done = subprocess.run(
            [
                "pucs",
                "run",
                "--tasks",
                str(self.stage.root / "tasks.yaml"),
                "--agent",
                self.program,
                "--json",
            ],
            cwd=self.root,
            env={**self.stage.environment("script"), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=55,
        )
        assert done.returncode == code, (done.stdout, done.stderr, self.told())
        found: dict[str, Any] = json.loads(done.stdout or done.stderr)
        return found

    def told(self) -> str:
        """Return everything that was said in the run, for a test that fails."""
        return "\n".join(path.read_text() for path in self.root.glob(".git/pucs/output/*/*.log"))

    def result(self, document: dict[str, Any], path: str) -> str:
        """Return a file of the merged result."""
        return subprocess.run(
            ["git", "show", f"{document['branch']}:{path}"],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def entries(self, action: str) -> list[dict[str, Any]]:
        """Return the entries of the log with this action."""
        said = subprocess.run(
            ["pucs", "log", "--all", "--json", "--limit", "1000"],
            cwd=self.root,
            env=self.stage.environment("script"),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        found = [json.loads(line) for line in said.splitlines()]
        return [entry for entry in found if entry["action"] == action]


@pytest.fixture
def runs(stage: Stage, make_repository: Callable[..., Path]) -> Runs:
    """Return a repository with one stream."""
    return Runs(stage, make_repository(files={"core/a.py": "a = 1\n", "pucs.yaml": STREAMS}))


def test_one_is_stopped_suspended_and_resumed_at_its_turn(runs: Runs) -> None:
    """The second is told who holds the file, ends its turn, and builds on what the first landed."""
    first = [
        {"read": "core/a.py"},
        {"edit": "core/a.py", "old": "a = 1", "new": "a = 2"},
        {"shell": f"{runs.signal('held')}; {runs.until('denied')}"},
        {"text": "Done with my part."},
    ]
    second = [
        {"shell": runs.until("held")},
        {"read": "core/a.py"},
        {"edit": "core/a.py", "old": "a = 1", "new": "a = 3"},
        {"if_saw": "held by", "then": [{"shell": runs.signal("denied")}], "else": []},
        {"text": "I come back for core/a.py."},
        {"read": "core/a.py"},
        {"edit": "core/a.py", "old": "a = 2", "new": "a = 2\nb = 3"},
        {"text": "Done as well."},
    ]
    steps = [{"if_saw": "Be the first", "then": first, "else": second}]
    document = runs(steps, "Be the first", "Be the second")
    assert runs.result(document, "core/a.py") == "a = 2\nb = 3\n", runs.told()
    (suspended,) = runs.entries("agent suspended")
    (resumed,) = runs.entries("agent resumed")
    assert suspended["files"] == resumed["files"] == ["core/a.py"]
    assert runs.stage.models.saw("script", "It is your turn: core/a.py is yours now.")
    assert runs.stage.models.saw(
        "script", "Others changed these files since you last saw them; read them again: core/a.py"
    )
    assert document["spent"]["agents"].keys() == {"core-agent-1", "core-agent-2"}
    assert document["spent"]["cost_usd"] > 0
