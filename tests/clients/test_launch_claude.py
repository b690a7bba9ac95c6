"""Attempts of the real Claude Code beyond the plain run: paused, corrected, stopped, and not let loose."""

import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pucs.coordinator import agents as registry
from pucs.coordinator import leases, pausing, spending
from pucs.hooks import place
from pucs.launch import events
from pucs.launch.programs import Program
from pucs.launch.programs.claude import TRIED, Claude
from pucs.launch.settings import RunResult
from pucs.server.hosting import hosted
from pucs.streams.settings import AgentSettings
from pucs.wiring import mark_active
from tests.clients.stage import Stage
from tests.launch.scenes import CONFIGURATION, Scene, task

PATIENCE_S = 30


class Launches:
    """Runs of the real program over a session, in this process."""

    program: Program = Claude()

    def __init__(self, stage: Stage, root: Path) -> None:
        """Start the session."""
        self.stage = stage
        self.scene = Scene(root, stage.root / "outputs", stage.root / "line")
        mark_active(self.scene.context)
        self.scene.configure(replace(CONFIGURATION, agents=AgentSettings(attempts=1, timeout_s=50.0)))

    def __call__(
        self,
        steps: object,
        *,
        hear: Callable[[events.Event], None] | None = None,
        hook: str = str(place()),
        endpoint: str = "",
        variables: dict[str, str] | None = None,
    ) -> RunResult:
        """Run one task with what the model does."""
        self.stage.models.script("script", steps)
        self.scene.tasks(task("t1", "", prompt="Do it.", files=()))
        env = {
            name: value
            for name, value in self.stage.environment("script", **(variables or {})).items()
            if value
        }
        name = self.program.name
        settings = {"program": name, "programs": {name: self.program}, "environment": env}
        supervisor = self.scene.supervisor(hear, **settings, hook=(hook,), endpoint=endpoint)
        self.stop = supervisor.stop
        return supervisor.run()

    def log(self) -> str:
        """Return what was said."""
        return "\n".join(path.read_text() for path in self.scene.outputs.glob("*.log"))

    def file(self, name: str) -> str:
        """Return a command that says that something has happened, in words that do not look like an edit."""
        return f"python3 -c 'import pathlib; pathlib.Path(\"{self.stage.root / name}\").touch()'"

    def after(self, name: str, then: Callable[[], Any]) -> threading.Thread:
        """Do something once a file is there."""

        def wait() -> None:
            limit = threading.Event()
            for _ in range(PATIENCE_S * 20):
                if (self.stage.root / name).exists():
                    break
                limit.wait(0.05)
            then()

        thread = threading.Thread(target=wait)
        thread.start()
        return thread


@pytest.fixture
def launches(stage: Stage, make_repository: Callable[..., Path]) -> Launches:
    """Return a repository with two streams."""
    return Launches(stage, make_repository(files={"core/a.txt": "a\n", "shop/b.txt": "b\n"}))


def test_tried_version_is_the_pinned_one(stage: Stage) -> None:
    """What the tests run with is what the program calls tried, and it is found without a warning."""
    found = Claude().look(stage.environment("script"))
    assert found.version == ".".join(map(str, TRIED))
    assert (found.problem, found.warning) == ("", "")


def test_pause_ends_the_turn_and_resume_goes_on(launches: Launches) -> None:
    """A pause in the middle of a command kills the command, not the conversation."""
    context = launches.scene.context
    steps = [
        {"write": "core/one.txt", "text": "1\n"},
        {"shell": f"{launches.file('up')}; sleep 60"},
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
    assert launches.log().count("claude is told") == 2


def test_terminated_in_a_command_it_ends_with_all_it_started(launches: Launches) -> None:
    """TERMINATE ends a Claude Code whose command hangs; the work is kept and the task goes back."""
    context = launches.scene.context
    steps = [
        {"write": "core/one.txt", "text": "1\n"},
        {"shell": f"{launches.file('up')}; sleep 6543"},
        {"text": "Done."},
    ]

    def terminate() -> None:
        pausing.terminate(context, agent="core-agent-1", by="me")
        launches.stop()

    thread = launches.after("up", terminate)
    result = launches(steps)
    thread.join()
    (back,) = result.unfinished
    assert launches.scene.git("show", f"{back.salvage}:core/one.txt") == "1\n"
    assert not [line for line in _processes() if "sleep 6543" in line]


def _processes() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip())
        except OSError:
            continue
    return found


def test_refused_landing_is_put_right_in_the_same_conversation(launches: Launches) -> None:
    """A commit hook of the person's says no: the model is told, goes on where it was, and puts it right."""
    check = launches.scene.root / ".git" / "hooks" / "pre-commit"
    check.parent.mkdir(exist_ok=True)
    check.write_text("#!/bin/sh\n! grep -q bad core/a.txt || { echo 'bad words in a.txt'; exit 1; }\n")
    check.chmod(0o755)
    steps = [
        {"write": "core/a.txt", "text": "bad\n"},
        {"text": "Done."},
        {"read": "core/a.txt"},
        {"write": "core/a.txt", "text": "b\n"},
        {"text": "Now it is right."},
    ]
    result = launches(steps)
    assert result.exit_status == 0, launches.log()
    assert launches.scene.landed("core", "core/a.txt") == "b\n"
    assert launches.stage.models.saw("script", "Your work could not be landed")
    assert launches.stage.models.saw("script", "bad words in a.txt")
    totals = spending.totals(launches.scene.context).all
    assert totals.cost_usd > 0


@pytest.mark.parametrize(
    ("environment", "hook", "steps", "reason"),
    [
        ({"ANTHROPIC_API_KEY": ""}, "", [{"text": "never"}], "Not logged in"),
        ({}, "/no/such/pucs-hook", [{"write": "core/new.txt", "text": "x\n"}], "its hooks did not call in"),
        ({}, "", [{"fail": 401}], "is it logged in, or its key valid?"),
        ({}, "", [{"fail": 400}], "API Error: 400"),
    ],
    ids=["not logged in", "no hook", "login refused", "model broken"],
)
def test_what_cannot_work_fails_with_its_reason(
    launches: Launches, environment: dict[str, str], hook: str, steps: object, reason: str
) -> None:
    """Login, model and hooks: the reason is the program's own, and nothing was edited."""
    result = launches(steps, hook=hook or str(place()), variables=environment)
    (failed,) = result.failed
    assert reason in failed.result, (failed.result, launches.log())
    assert failed.salvage == ""


@pytest.mark.parametrize("written", ['{"disableAllHooks": true}', '{"hooks": ['], ids=["hooks off", "broken"])
def test_persons_settings_do_not_switch_these_hooks_off(launches: Launches, written: str) -> None:
    """The settings of the launch come after the person's, so that its hooks call in and edits are held to the locks."""
    settings = launches.stage.home / ".claude"
    settings.mkdir(exist_ok=True)
    (settings / "settings.json").write_text(written)
    assert leases.acquire(launches.scene.context, agent="alice", resources=("shop/b.txt",)).granted
    steps = [
        {"write": "shop/b.txt", "text": "x\n"},
        {"write": "core/new.txt", "text": "x\n"},
        {"text": "Done."},
    ]
    result = launches(steps)
    assert result.exit_status == 0, launches.log()
    assert "PreToolUse:Write hook error" in launches.log()
    assert launches.scene.landed("core", "core/new.txt") == "x\n"


def test_dead_server_lets_no_edit_through(launches: Launches) -> None:
    """The server of a run dies in the middle: every further edit is blocked, and so the work that counts is intact."""
    with hosted(launches.scene.context) as url:
        context = launches.scene.context
        steps = [{"write": "core/new.txt", "text": "x\n"}, {"text": "Done."}]
        assert launches(steps, endpoint=url).exit_status == 0, launches.log()
    launches.scene.tasks(replace(task("t2", "", prompt="Again.", files=())))
    result = launches([{"write": "core/two.txt", "text": "x\n"}, {"text": "Done."}], endpoint=url)
    (failed,) = result.failed
    assert failed.id == "t2"
    assert "onFailure" in failed.result or "ECONNREFUSED" in failed.result, failed.result
    found = subprocess.run(
        ["git", "cat-file", "-e", f"{failed.salvage or 'HEAD'}:core/two.txt"],
        cwd=launches.scene.root,
        check=False,
    )
    assert found.returncode != 0
    assert leases.cleanup(context) is not None
    assert {agent.active for agent in registry.agents(context)} == {False}


def test_edit_outside_of_the_worktree_is_refused(launches: Launches) -> None:
    """What PUCS has no say in is left to Claude Code's own borders, which nothing here opens."""
    outside = launches.stage.root / "outside.txt"
    steps = [{"write": str(outside), "text": "x\n"}, {"text": "Done."}]
    assert launches(steps).exit_status == 0, launches.log()
    assert not outside.exists()
    assert "(refused or failed: " in launches.log()


def test_change_behind_the_text_of_a_command_does_not_get_out(launches: Launches) -> None:
    """What ``python -c`` does to a held file is seen right afterwards, told, kept aside and never landed."""
    assert leases.acquire(launches.scene.context, agent="alice", resources=("core/a.txt",)).granted
    script = 'import pathlib; pathlib.Path("core/a.txt").write_text("mine\\n")'
    steps = [
        {"write": "core/new.txt", "text": "x\n"},
        {"shell": f"python3 -c '{script}'"},
        {"text": "Done."},
    ]
    result = launches(steps)
    (done,) = result.tasks
    assert launches.scene.landed("core", "core/a.txt") == "a\n"
    assert launches.stage.models.saw("script", "alice")
    assert "refs/pucs/salvage/" in done.result + done.salvage, (done, launches.log())
