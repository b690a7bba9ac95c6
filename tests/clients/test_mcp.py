"""Real Claude Code and Codex call PUCS by MCP, on standard input and output and over HTTP, as themselves."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pucs.cli.door import Door
from pucs.cli.init import initialise
from pucs.coordinator import agents, credentials, leases
from pucs.coordinator.context import Context
from pucs.core.errors import Refused
from pucs.server.hosting import hosted
from pucs.wiring import open_context
from tests.clients.stage import Stage

SCRIPT = [
    {"mcp": "acquire_locks", "arguments": {"files": ["a.py"], "task": "VAT"}},
    {"mcp": "acquire_locks", "arguments": {"files": ["b.py"]}},
    {"text": "done"},
]
BY_STDIO = {"claude": "mcp-claude-code-1", "codex": "mcp-codex-mcp-client-1"}
"""Whom an unnamed client becomes."""


@pytest.fixture
def hands(make_repository: Callable[..., Path]) -> Iterator[Context]:
    """Return a session in which ada has a secret and bob holds b.py."""
    root = make_repository(files={"a.py": "a = 1\n", "b.py": "b = 1\n"})
    initialise(Door(repo=str(root), session="S-1", json=True))
    context = open_context(root, door="mcp")
    agents.register(context, agent="ada", program="claude")
    credentials.remember(context, agent="ada", secret="ada-secret")
    assert leases.acquire(context, agent="bob", resources=["b.py"]).granted
    yield context
    context.store.close()


def run(stage: Stage, hands: Context, program: str, url: str) -> str:
    """Let a program follow the script, with MCP over HTTP if there is a URL; return what it printed."""
    stage.models.script("x", SCRIPT)
    environment = stage.environment("x", PUCS_SECRET="ada-secret") if url else stage.environment("x")
    http = {"type": "http", "url": f"{url}/mcp", "headers": {"Authorization": "Bearer ada-secret"}}
    if program == "claude":
        servers = {"pucs": http if url else {"command": "pucs", "args": ["mcp"]}}
        settings = stage.root / "mcp.json"
        settings.write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")
        call = ["claude", "-p", "Do it", "--mcp-config", str(settings), "--strict-mcp-config"]
        call += ["--allowedTools", "mcp__pucs__acquire_locks"]
    else:
        # An unknown model is offered the tools of MCP servers by their names; `required` lets the first turn wait for them.
        lines = [f'url = "{url}/mcp"', 'bearer_token_env_var = "PUCS_SECRET"']
        lines = lines if url else ['command = "pucs"', 'args = ["mcp"]']
        with (stage.codex_home("x", "gpt-5") / "config.toml").open("a", encoding="utf-8") as toml:
            toml.write("\n".join(["[mcp_servers.pucs]", "required = true", *lines, ""]))
        call = ["codex", "exec", "--json", "-s", "workspace-write", "Do it"]
    done = subprocess.run(
        call,
        cwd=hands.repository.root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert "done" in done.stdout, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("program", ["claude", "codex"])
def test_a_launched_program_acts_over_http_as_the_agent_of_its_secret(
    stage: Stage, hands: Context, program: str
) -> None:
    """The model reads that one file is granted and who has the other; the lease is the agent's."""
    with hosted(hands) as url:
        run(stage, hands, program, url)
    assert stage.models.saw("x", "Granted until")
    assert stage.models.saw("x", "b.py is held by bob until")
    with hands.store.read() as tx:
        assert [lease.resource for lease in tx.leases.of_agent("ada")] == ["a.py"]


@pytest.mark.parametrize("program", ["claude", "codex"])
def test_any_program_acts_over_standard_input_as_an_agent_of_its_own(
    stage: Stage, hands: Context, program: str
) -> None:
    """It is named after the program, and its leases are free once it has gone."""
    run(stage, hands, program, "")
    assert stage.models.saw("x", "Granted until")
    assert stage.models.saw("x", "b.py is held by bob until")
    with hands.store.read() as tx:
        known = tx.agents.get(BY_STDIO[program])
    assert known is not None
    assert leases.acquire(hands, agent="eve", resources=["a.py"]).granted
    with pytest.raises(Refused, match="has ended"):
        leases.acquire(hands, agent=known.id, resources=["a.py"])
