"""How Claude Code is found and started: with settings of this launch alone, which nobody else can read."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from pucs.agents.calls import Call, Ruling
from pucs.launch.programs import Brief, Endpoint
from pucs.launch.programs.claude import OLDEST, TRIED, Claude, judged

pytestmark = pytest.mark.process
HOOKS = {"UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure", "Stop", "SessionEnd"}


def _never(_call: Call) -> Ruling:
    raise AssertionError("Claude Code asks by its hooks")


def brief(directory: Path, **changes: Any) -> Brief:
    """Return what a launch is started with."""
    given: dict[str, Any] = {
        "agent": "core-agent-1",
        "secret": "hush",
        "worktree": "/w",
        "prompt": "Do it",
        "directory": str(directory),
        "hook": ("/opt/a place/pucs-hook",),
        "decide": _never,
        "environment": {"PATH": str(directory), "PUCS_REPO": "/r", "HOME": "/h"},
    }
    return Brief(**{**given, **changes})


def program(directory: Path, says: str) -> None:
    """Put a program called claude into a directory."""
    file = directory / "claude"
    file.write_text(f"#!/bin/sh\n{says}\n")
    file.chmod(0o755)


def written(argv: tuple[str, ...], flag: str) -> dict[str, Any]:
    """Return the file that a flag names."""
    path = Path(argv[argv.index(flag) + 1])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_hooks_ask_the_server_of_the_run(tmp_path: Path) -> None:
    """Every hook but the first is a request, every failure blocks, and the secret is in a private file."""
    launch = Claude().launch(brief(tmp_path, endpoint=Endpoint(url="http://127.0.0.1:7")))
    settings = written(launch.argv, "--settings")
    assert settings["hooks"].keys() == HOOKS | {"SessionStart"}
    for event, (group,) in settings["hooks"].items():
        (handler,) = group["hooks"]
        assert handler["onFailure"] == "block"
        assert handler["timeout"] > 0
        if event == "SessionStart":
            assert handler["command"] == "'/opt/a place/pucs-hook' claude --launched"
        else:
            assert handler["url"] == "http://127.0.0.1:7/v1/hook/claude"
            assert handler["headers"] == {"Authorization": "Bearer hush", "X-Pucs-Agent": "core-agent-1"}
    assert settings["permissions"]["allow"] == ["Bash", "mcp__pucs"]
    server = written(launch.argv, "--mcp-config")["mcpServers"]["pucs"]
    assert (server["type"], server["url"]) == ("http", "http://127.0.0.1:7/mcp")
    assert not any("hush" in word for word in launch.argv)
    assert (launch.env["PUCS_SECRET"], launch.env["PUCS_HOOKED"]) == ("hush", "1")


def test_hooks_are_commands_where_there_is_no_server(tmp_path: Path) -> None:
    """Without the server extra every hook is the hook program, and MCP goes over standard input."""
    launch = Claude().launch(brief(tmp_path))
    settings = written(launch.argv, "--settings")
    kinds = {handler["type"] for (group,) in settings["hooks"].values() for handler in group["hooks"]}
    assert kinds == {"command"}
    server = written(launch.argv, "--mcp-config")["mcpServers"]["pucs"]
    assert server["args"][-2:] == ["pucs", "mcp"]
    assert server["env"] == {"PUCS_REPO": "/r", "PUCS_AGENT": "core-agent-1", "PUCS_SECRET": "hush"}


def test_a_conversation_is_begun_or_taken_up_again(tmp_path: Path) -> None:
    """A new launch has an id of its own, a resumed one that of its conversation; model and arguments follow."""
    one, other = (Claude().launch(brief(tmp_path)) for _ in range(2))
    ids = {launch.argv[launch.argv.index("--session-id") + 1] for launch in (one, other)}
    assert ids == {one.conversation.id, other.conversation.id}
    assert len(ids) == 2
    again = Claude().launch(brief(tmp_path, conversation="abc", model="small", arguments=("--add-dir", "/x")))
    assert again.argv[again.argv.index("--resume") + 1] == again.conversation.id == "abc"
    assert "--session-id" not in again.argv
    assert again.argv[-4:] == ("--model", "small", "--add-dir", "/x")


def test_versions_are_judged(tmp_path: Path) -> None:
    """Too old is refused with a remedy, untried is warned of, tried is fine."""
    assert judged((2, 1, 328)).problem.startswith("Claude Code 2.1.328 is too old: before 2.1.329")
    assert judged((2, 1, 328)).remedy == "Update it: claude update"
    tried = ".".join(map(str, TRIED))
    assert (judged(TRIED).problem, judged(TRIED).warning) == ("", "")
    assert judged((3, 0, 0)).warning == f"Claude Code 3.0.0 is newer than {tried}, the newest one tried."
    assert OLDEST <= TRIED


def test_program_is_looked_at(tmp_path: Path) -> None:
    """A missing program, one that is something else, and one that does not start are told apart."""
    environment = {"PATH": str(tmp_path)}
    missing = Claude().look(environment)
    assert "there is no claude" in missing.problem
    assert "npm install" in missing.remedy
    program(tmp_path, "echo '2.1.329 (Claude Code)'")
    assert Claude().look(environment).version == "2.1.329"
    assert Claude().look({"PATH": ""}, str(tmp_path / "claude")).version == "2.1.329"
    program(tmp_path, "echo hello")
    assert "does not say its version" in Claude().look(environment).problem
    (tmp_path / "claude").write_text("#!/no/such/interpreter\n")
    assert "does not start" in Claude().look(environment).problem
