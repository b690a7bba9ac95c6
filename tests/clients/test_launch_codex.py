"""Attempts of the real Codex beyond the plain run: paused, ended, and corrected."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs.coordinator import pausing
from pucs.launch.programs import Program
from pucs.launch.programs.codex import Codex
from tests.clients.stage import Stage
from tests.clients.test_launch_claude import PATIENCE_S, Launches, _processes


class CodexLaunches(Launches):
    """Runs of the real Codex."""

    program: Program = Codex()

    def hangs(self, name: str, seconds: int) -> dict[str, object]:
        """Return a step outside of the sandbox that says that it has begun, and then hangs."""
        way_out = {"sandbox_permissions": "require_escalated", "justification": "The test needs to know."}
        command = f"{self.file(name)}; sleep {seconds}"
        return {"tool": "exec_command", "arguments": {"cmd": command, "yield_time_ms": 30_000, **way_out}}


@pytest.fixture
def launches(stage: Stage, make_repository: Callable[..., Path]) -> CodexLaunches:
    """Return a repository with two streams."""
    return CodexLaunches(stage, make_repository(files={"core/a.txt": "a\n", "shop/b.txt": "b\n"}))


def test_pause_ends_the_turn_and_resume_goes_on(launches: CodexLaunches) -> None:
    """A pause in the middle of a command kills the command, not the thread."""
    context = launches.scene.context
    steps = [
        {"write": "core/one.txt", "text": "1\n"},
        launches.hangs("up", 4321),
        {"if_saw": "Go on with your task", "then": [{"write": "core/two.txt", "text": "2\n"}], "else": []},
        {"text": "Done."},
    ]

    def paused() -> None:
        pausing.pause(context, agent="core-agent-1", by="me")
        limit = threading.Event()
        for _ in range(PATIENCE_S * 20):
            if "interrupted" in launches.log():
                break
            limit.wait(0.05)
        pausing.resume(context, agent="core-agent-1", by="me")

    thread = launches.after("up", paused)
    result = launches(steps)
    thread.join()
    assert result.exit_status == 0, launches.log()
    assert launches.scene.landed("core", "core/one.txt") == "1\n"
    assert launches.scene.landed("core", "core/two.txt") == "2\n"
    assert launches.log().count("codex is told") == 2
    assert not [line for line in _processes() if "sleep 4321" in line]


def test_terminated_in_a_command_it_ends_with_all_it_started(launches: CodexLaunches) -> None:
    """TERMINATE ends a Codex whose command hangs; the work is kept and the task goes back."""
    context = launches.scene.context
    steps = [{"write": "core/one.txt", "text": "1\n"}, launches.hangs("up", 5432), {"text": "Done."}]

    def terminate() -> None:
        pausing.terminate(context, agent="core-agent-1", by="me")
        launches.stop()

    thread = launches.after("up", terminate)
    result = launches(steps)
    thread.join()
    (back,) = result.unfinished
    assert launches.scene.git("show", f"{back.salvage}:core/one.txt") == "1\n"
    assert not [line for line in _processes() if "sleep 5432" in line]


def test_refused_landing_is_put_right_in_the_same_thread(launches: CodexLaunches) -> None:
    """What the repository's own hook refuses is told to Codex, which mends it in its next turn."""
    hook = launches.scene.root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n! grep -q tab core/a.txt || { echo no tabs, please >&2; exit 1; }\n")
    hook.chmod(0o755)
    steps = [
        {"edit": "core/a.txt", "old": "a", "new": "tab"},
        {"text": "Done."},
        {"if_saw": "no tabs, please", "then": [{"edit": "core/a.txt", "old": "tab", "new": "b"}], "else": []},
        {"text": "Done as well."},
    ]
    result = launches(steps)
    assert result.exit_status == 0, launches.log()
    assert launches.scene.landed("core", "core/a.txt") == "b\n"
