"""`pucs run` with real Codexes: stopped before the patch, suspended, resumed at their turn, and all of it landed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.stage import Stage
from tests.clients.test_run_claude import STREAMS, Runs


class CodexRuns(Runs):
    """Runs with Codex, whose shell may not write unasked."""

    program = "codex"

    def does(self, name: str) -> dict[str, object]:
        """Return a step that says outside of the sandbox that something has happened."""
        return {
            "tool": "exec_command",
            "arguments": {
                "cmd": self.signal(name),
                "sandbox_permissions": "require_escalated",
                "justification": "The test needs to know.",
            },
        }


@pytest.fixture
def runs(stage: Stage, make_repository: Callable[..., Path]) -> CodexRuns:
    """Return a repository with one stream."""
    return CodexRuns(stage, make_repository(files={"core/a.py": "a = 1\n", "pucs.yaml": STREAMS}))


def test_one_is_stopped_suspended_and_resumed_at_its_turn(runs: CodexRuns) -> None:
    """The second is told who holds the file, ends its turn, and builds on what the first landed."""
    first = [
        {"edit": "core/a.py", "old": "a = 1", "new": "a = 2"},
        runs.does("held"),
        {"shell": runs.until("denied")},
        {"text": "Done with my part."},
    ]
    second = [
        {"shell": runs.until("held")},
        {"edit": "core/a.py", "old": "a = 1", "new": "a = 3"},
        {"if_saw": "held by", "then": [runs.does("denied")], "else": []},
        {"text": "I come back for core/a.py."},
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
    assert document["spent"]["agents"].keys() == {"core-agent-1", "core-agent-2"}
    assert document["spent"]["unpriced_tokens"] > 0
    assert document["spent"]["cost_usd"] is None


def test_tools_of_the_run_are_there(runs: CodexRuns) -> None:
    """Our MCP server answers in the run, as the agent; the model that the configuration names is asked."""
    configured = f"{STREAMS}agents: {{programs: {{codex: {{model: gpt-5}}}}}}\n"
    (runs.root / "pucs.yaml").write_text(configured)
    steps = [
        {"mcp": "acquire_locks", "arguments": {"files": ["core/a.py"]}},
        {"edit": "core/a.py", "old": "a = 1", "new": "a = 2"},
        {"mcp": "land", "arguments": {}},
        {"text": "Landed."},
    ]
    document = runs(steps, "Use the tools")
    assert runs.result(document, "core/a.py") == "a = 2\n", runs.told()
    assert {asked.model for asked in runs.stage.models.requests("script")} == {"gpt-5"}
    (granted,) = runs.entries("lock granted")
    assert (granted["agent"], granted["details"]["door"]) == ("core-agent-1", "mcp")


def test_no_patch_leaves_the_own_worktree(runs: CodexRuns) -> None:
    """The person's checkout stays as it is; the model learns where it works."""
    outside = runs.root / "core" / "a.py"
    steps = [
        {"write": str(outside), "text": "lost\n"},
        {"write": "core/new.py", "text": "new\n"},
        {"text": "Done."},
    ]
    document = runs(steps, "Go astray")
    assert outside.read_text() == "a = 1\n"
    assert runs.result(document, "core/new.py") == "new\n"
    assert runs.stage.models.saw("script", "own checkout")
