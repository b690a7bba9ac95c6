"""`pucs run` with three real Claude Codes and two real Codexes at one file: each gets its turn, and all of it is landed."""

import json
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.clients.stage import Stage
from tests.clients.test_run_claude import Runs

PROGRAMS = ("claude", "codex", "claude", "codex", "claude")
END = "# the end"
YAML = 'streams:\n  core: {files_pattern: ["core/**"], max_agents: 5}\n'
RUN_S_MAX = 240
"""Far beyond what the run takes: 15 s alone on two cores, 95 s beside thirty other busy processes."""


class Crowd:
    """Five models: the first takes the file and keeps it until all others have been turned away."""

    def __init__(self) -> None:
        """Nobody has been anywhere yet."""
        self.held = threading.Event()
        self.denied: set[int] = set()
        self._all_denied = threading.Condition()

    def __call__(self, prompt: str) -> Sequence[object]:
        """Return the steps of the model that was given this prompt."""
        number = next(number for number in range(len(PROGRAMS)) if f"Change number {number}" in prompt)
        edit = {"edit": "core/hot.py", "old": END, "new": f"x{number} = {number}\n{END}"}
        own = {"write": f"core/own{number}.py", "text": f"own = {number}\n"}
        done = {"text": f"Change number {number} is made."}
        if number == 0:
            return [{"read": "core/hot.py"}, edit, self.taken, own, done]
        turn = [{"read": "core/hot.py"}, edit, lambda saw: self.answered(number, saw)]
        return [self.wait, own, {"do": turn, "while_saw": ["It is your turn", "read them again"]}, done]

    def taken(self, _saw: str) -> Sequence[object]:
        """Let the others try, and wait until all have; at each later look it is so already."""
        self.held.set()
        with self._all_denied:
            assert self._all_denied.wait_for(lambda: len(self.denied) == len(PROGRAMS) - 1, RUN_S_MAX)
        return ()

    def wait(self, _saw: str) -> Sequence[object]:
        """Begin when the file is taken."""
        assert self.held.wait(RUN_S_MAX)
        return ()

    def answered(self, number: int, saw: str) -> Sequence[object]:
        """End the turn if the edit was refused."""
        if "held by" not in saw:
            return ()
        with self._all_denied:
            self.denied.add(number)
            self._all_denied.notify_all()
        return ({"text": "I come back for it."},)


@pytest.mark.timeout(RUN_S_MAX + 30)
def test_five_agents_of_two_programs_share_one_file(
    stage: Stage, make_repository: Callable[..., Path]
) -> None:
    """Everybody's line is in the result, nobody's work is lost, and what it cost is told."""
    root = make_repository(files={"core/hot.py": f"{END}\n", "pucs.yaml": YAML})
    crowd = Crowd()
    stage.models.script("script", [crowd])
    tasks = [
        {
            "id": f"t{number}",
            "title": f"feat: Change number {number}",
            "stream": "core",
            "prompt": f"Change number {number}",
            "agent": program,
        }
        for number, program in enumerate(PROGRAMS)
    ]
    (stage.root / "tasks.yaml").write_text(json.dumps({"tasks": tasks}))
    runs = Runs(stage, root)
    document = run(runs, "run", "--tasks", str(stage.root / "tasks.yaml"), "--json")

    hot = runs.result(document, "core/hot.py").splitlines()
    assert sorted(hot[:-1]) == [f"x{number} = {number}" for number in range(len(PROGRAMS))], runs.told()
    assert (hot[0], hot[-1]) == ("x0 = 0", END)
    for number in range(len(PROGRAMS)):
        assert runs.result(document, f"core/own{number}.py") == f"own = {number}\n"
    assert run(runs, "verify", "--json")
    assert crowd.denied == {1, 2, 3, 4}
    denied = {entry["agent"] for entry in runs.entries("edit denied") if entry["files"] == ["core/hot.py"]}
    assert len(denied) == len(crowd.denied)
    assert len(runs.entries("agent suspended")) >= len(crowd.denied)
    assert len(runs.entries("agent resumed")) >= len(crowd.denied)
    assert stage.models.saw("script", "It is your turn: core/hot.py is yours now.")
    assert document["spent"]["agents"].keys() == {f"core-agent-{number}" for number in range(1, 6)}
    assert document["spent"]["output_tokens"] > 0
    assert stage.models.strays == ()


def run(runs: Runs, *words: str) -> dict[str, Any]:
    """Run a command of PUCS and return its document."""
    done = subprocess.run(
        ["pucs", *words],
        cwd=runs.root,
        env=runs.stage.environment("script"),
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_S_MAX,
    )
    assert done.returncode == 0, (done.stdout, done.stderr, runs.told())
    found: dict[str, Any] = json.loads(done.stdout)
    return found
