"""How Codex is found, judged and started; programs here are scripts of one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pucs.agents.calls import Ruling
from pucs.launch.programs import Brief, Endpoint, Found
from pucs.launch.programs.codex import Codex

pytestmark = pytest.mark.process


def program(place: Path, script: str) -> dict[str, str]:
    """Put a program called codex on the search path, and return the environment that finds it."""
    (place / "bin").mkdir()
    file = place / "bin" / "codex"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return {"PATH": f"{place / 'bin'}:/usr/bin:/bin", "HOME": str(place)}


def brief(place: Path, **more: object) -> Brief:
    """Return what an agent is started with."""
    known: dict[str, object] = {
        "agent": "me",
        "secret": "s3cret",
        "worktree": str(place / "work"),
        "prompt": "Do it.",
        "directory": str(place),
        "endpoint": Endpoint(url="http://127.0.0.1:7"),
        "decide": lambda _: Ruling(),
        "environment": {"PATH": "/nowhere", "HOME": str(place), "PUCS_STORE": "/store"},
    }
    return Brief(**{**known, **more})  # type: ignore[arg-type]


def test_tried_version_is_found(tmp_path: Path) -> None:
    """The version that was tried has nothing to be said about it."""
    assert Codex().look(program(tmp_path, "echo codex-cli 0.169.0")) == Found(version="0.169.0")


@pytest.mark.parametrize(
    ("script", "version", "problem", "warning"),
    [
        ("echo codex-cli 0.42.0", "0.42.0", "Codex 0.42.0 is too old", ""),
        ("echo codex-cli 0.170.1-alpha.2", "0.170.1", "", "Codex 0.170.1 is newer than 0.169.0"),
        ("echo some other codex", "", "does not say its version; is it Codex?", ""),
        ("exit 1", "", "does not say its version", ""),
        ("exec /not/there", "", "does not say its version", ""),
    ],
)
def test_other_programs_are_judged(
    tmp_path: Path, script: str, version: str, problem: str, warning: str
) -> None:
    """An old one is refused, a newer one is used with a warning, anything else is not taken for Codex."""
    found = Codex().look(program(tmp_path, script))
    assert found.version == version
    assert problem in found.problem
    assert bool(found.problem) == bool(problem) == bool(found.remedy)
    assert warning in found.warning
    assert bool(found.warning) == bool(warning)


def test_missing_program_says_how_to_get_it(tmp_path: Path) -> None:
    """Whoever has no Codex learns how to install it, and where to name it."""
    found = Codex().look({"PATH": str(tmp_path)})
    assert found.problem == "Codex is not installed: there is no codex."
    assert "npm install -g @openai/codex" in found.remedy
    assert "agents.programs.codex.executable" in found.remedy
    named = Codex().look({"PATH": str(tmp_path)}, str(tmp_path / "other"))
    assert str(tmp_path / "other") in named.problem


def test_rules_that_let_commands_out_unasked_are_told(tmp_path: Path) -> None:
    """They cannot be overridden, so the person learns of them; rules that only forbid are no matter."""
    environment = program(tmp_path, "echo codex-cli 0.169.0")
    rules = tmp_path / "home" / "rules"
    rules.mkdir(parents=True)
    environment["CODEX_HOME"] = str(tmp_path / "home")
    (rules / "a.rules").write_text('prefix_rule(pattern=["rm"], decision="forbidden")\n')
    assert Codex().look(environment) == Found(version="0.169.0")
    (rules / "b.rules").write_text('prefix_rule(pattern=["make"], decision="allow")\n')
    assert Codex().look(environment).warning == (
        f"{rules / 'b.rules'} lets commands out of Codex's sandbox without asking; what they change is seen afterwards."
    )


def test_launch_overrides_what_would_weaken_it(tmp_path: Path) -> None:
    """A person's arguments come first, ours last; the secret is in the environment, not on the command line."""
    launch = Codex().launch(
        brief(tmp_path, arguments=("-c", 'approval_policy="never"'), executable="/opt/codex")
    )
    assert launch.argv[:4] == ("/opt/codex", "-c", 'approval_policy="never"', "app-server")
    ours = launch.argv[4:]
    assert set(ours[::2]) == {"-c"}
    assert {
        'approval_policy="on-request"',
        'approvals_reviewer="user"',
        'sandbox_mode="read-only"',
        'mcp_servers.pucs.url="http://127.0.0.1:7/mcp"',
        'mcp_servers.pucs.bearer_token_env_var="PUCS_SECRET"',
        'mcp_servers.pucs.http_headers={"X-Pucs-Agent" = "me"}',
    } <= set(ours)
    assert launch.env == {"PUCS_HOOKED": "1", "PUCS_SECRET": "s3cret"}
    assert "s3cret" not in " ".join(launch.argv)
    assert json.loads(launch.conversation.outgoing().splitlines()[0])["method"] == "initialize"


def test_mcp_is_a_program_where_no_server_runs(tmp_path: Path) -> None:
    """Without an endpoint the tools come from `pucs mcp`, with the agent's id and store and, by name, its secret."""
    argv = Codex().launch(brief(tmp_path, endpoint=None)).argv
    assert 'mcp_servers.pucs.args=["-P", "-m", "pucs", "mcp"]' in argv
    assert 'mcp_servers.pucs.env={"PUCS_STORE" = "/store", "PUCS_AGENT" = "me"}' in argv
    assert 'mcp_servers.pucs.env_vars=["PUCS_SECRET"]' in argv


@pytest.mark.parametrize("where", [".codex", "work/.codex"])
def test_server_of_the_same_name_is_left_alone(tmp_path: Path, where: str) -> None:
    """Two kinds of server under one name would make Codex refuse its whole configuration."""
    place = tmp_path / where
    place.mkdir(parents=True)
    (place / "config.toml").write_text('[mcp_servers.pucs]\ncommand = "pucs"\nargs = ["mcp"]\n')
    argv = Codex().launch(brief(tmp_path)).argv
    assert "mcp_servers.pucs.enabled=false" in argv
    assert 'mcp_servers.pucs_session.url="http://127.0.0.1:7/mcp"' in argv


@pytest.mark.parametrize("content", ["mcp_servers = 3", "not = [toml", "x" * 1_100_000, "mcp_servers = ["])
def test_odd_configuration_does_not_keep_codex_from_starting(tmp_path: Path, content: str) -> None:
    """What is wrong with a person's file Codex tells itself."""
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "config.toml").write_text(content)
    assert 'mcp_servers.pucs.url="http://127.0.0.1:7/mcp"' in Codex().launch(brief(tmp_path)).argv
