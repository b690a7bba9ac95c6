"""``pucs serve`` and ``pucs mcp`` as people and clients start them, and everything else without the extra."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mcp
import pytest
from mcp import StdioServerParameters

from pucs.coordinator import agents, leases
from pucs.coordinator.context import Context
from pucs.coordinator.credentials import remember
from pucs.coordinator.inspecting import locks
from tests.server.conftest import PATIENCE_S, Mouth

pytestmark = [pytest.mark.git, pytest.mark.process]

PUCS = [sys.executable, "-m", "pucs"]
BLOCKED = """
import sys
for name in ("mcp", "mcp_types", "starlette", "uvicorn", "pydantic", "anyio"):
    sys.modules[name] = None
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if sys.modules.get(name, 0) is None else found(name, *rest)
import pucs
from pucs import PUCSClient
from pucs.cli import main
main()
"""


@contextmanager
def serving(root: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run ``pucs serve`` and yield it with what it printed."""
    with subprocess.Popen(
        [*PUCS, "serve", "--json", *arguments], cwd=root, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            line = server.stdout.readline()
            assert line, "it did not start"
            yield server, json.loads(line)
        finally:
            server.kill()


@pytest.mark.slow
def test_one_server_serves_a_store_and_says_where(shop: Path) -> None:
    """Address and token are for the owner alone; a second one is refused; the end leaves no address behind."""
    folder = shop / ".git" / "pucs"
    with serving(shop) as (first, shown):
        address = json.loads((folder / "server.json").read_text(encoding="utf-8"))
        assert set(address) == {"url", "pid", "started_at"}
        assert address["pid"] == first.pid
        assert shown == address | {"mcp": f"{shown['url']}/mcp", "token_file": str(folder / "token")}
        for name in ("server.json", "token"):
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        second = subprocess.run([*PUCS, "serve"], cwd=shop, check=False, capture_output=True, text=True)
        assert second.returncode == 1
        assert f"at work: {shown['url']} (process {first.pid})" in second.stderr
        first.send_signal(signal.SIGTERM)
        assert first.wait(PATIENCE_S) == 0
        assert not (folder / "server.json").exists()


@pytest.mark.slow
def test_a_server_that_crashed_is_followed_by_another(shop: Path) -> None:
    """Nothing of it has to be cleaned up, and the token stays what clients were told."""
    place = shop / ".git/pucs/token"
    with serving(shop) as (crashing, _):
        token = place.read_text(encoding="utf-8")
        crashing.kill()
        crashing.wait(PATIENCE_S)
    with serving(shop) as (last, _):
        last.send_signal(signal.SIGINT)
        assert last.wait(PATIENCE_S) == 0
    assert place.read_text(encoding="utf-8") == token


@pytest.mark.slow
def test_a_server_of_another_store_is_not_where_hooks_look(shop: Path, tmp_path: Path) -> None:
    """Its answers would be about other leases."""
    elsewhere = tmp_path / "elsewhere.db"
    subprocess.run(
        [*PUCS, "init", "--session", "S-2", "--store", str(elsewhere)],
        cwd=shop,
        check=True,
        capture_output=True,
    )
    with serving(shop, "--store", str(elsewhere)):
        assert not (shop / ".git/pucs/server.json").exists()
        with serving(shop):
            assert (shop / ".git/pucs/server.json").exists()


def test_a_token_that_others_can_read_opens_nothing(shop: Path) -> None:
    """It is refused instead of being used."""
    token = shop / ".git/pucs/token"
    token.write_text("known", encoding="ascii")
    token.chmod(0o644)
    done = subprocess.run([*PUCS, "serve"], cwd=shop, check=False, capture_output=True, text=True)
    assert done.returncode == 4
    assert "Others can read the token" in done.stderr


def by_stdio(shop: Path, conversation: Any, *arguments: str, **environment: str) -> Any:
    """Hold a conversation with ``pucs mcp`` as clients start it."""

    async def main() -> Any:
        launch = StdioServerParameters(
            command=sys.executable,
            args=["-m", "pucs", "mcp", *arguments],
            env={**os.environ, **environment},
            cwd=shop,
        )
        async with asyncio.timeout(PATIENCE_S), mcp.Client(launch) as client:
            return await conversation(Mouth(client))

    return asyncio.run(main())


@pytest.mark.slow
def test_a_client_reserves_over_standard_input_and_leaves_nothing_behind(shop: Path, hands: Context) -> None:
    """It gets an agent of its own whose leases are free when it goes."""

    async def reserve(mouth: Mouth) -> str:
        got = await mouth.ok("acquire_locks", files=["app/a.py"])
        assert got.document["granted"]
        (lease,) = locks(hands)
        return lease.agent

    agent = by_stdio(shop, reserve)
    assert agent == "mcp-mcp-1"
    assert locks(hands) == []
    assert leases.acquire(hands, agent="ada", resources=["app/a.py"]).granted


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_client_that_ends_its_server_by_a_signal_has_left(shop: Path, hands: Context, number: int) -> None:
    """The agent has ended in order, as if the client had closed the pipe."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}
    call["params"] = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "x", "version": "1"},
    }
    lock = {"name": "acquire_locks", "arguments": {"files": ["app/a.py"]}}
    lines = [
        call,
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": lock},
    ]
    with subprocess.Popen(
        [*PUCS, "mcp"], cwd=shop, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write("".join(json.dumps(line) + "\n" for line in lines))
        server.stdin.flush()
        assert json.loads(server.stdout.readline())["id"] == 1
        assert "Granted" in server.stdout.readline()
        server.send_signal(number)
        assert server.wait(PATIENCE_S) == 128 + number
    (agent,) = agents.agents(hands)
    assert (agent.id, agent.active) == ("mcp-x-1", False)


@pytest.mark.slow
def test_a_launched_agent_acts_for_itself_over_standard_input(shop: Path, hands: Context) -> None:
    """With id and secret from its environment; what it holds outlives the server."""
    agents.register(hands, agent="ada", stream="app", program="claude", owner=hands.processes.current())
    remember(hands, agent="ada", secret="s")

    async def reserve(mouth: Mouth) -> bool:
        return (await mouth("acquire_locks", files=["app/a.py"])).failed

    assert by_stdio(shop, reserve, PUCS_AGENT="ada"), "without the secret"
    assert not by_stdio(shop, reserve, PUCS_AGENT="ada", PUCS_SECRET="s")
    assert [lease.agent for lease in locks(hands)] == ["ada"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["status"], 0, "S-1"),
        (["lock", "app/a.py", "--agent", "ada"], 0, "ada holds app/a.py"),
        (["serve"], 4, "pip install 'pucs[server]'"),
        (["mcp"], 4, "pip install 'pucs[server]'"),
    ],
)
def test_without_the_extra_all_but_the_servers_work(
    shop: Path, arguments: list[str], status: int, words: str
) -> None:
    """The base install has none of these packages; who asks for a server is told how to get them."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, *arguments], cwd=shop, check=False, capture_output=True, text=True
    )
    assert done.returncode == status, done.stderr
    assert words in done.stdout + done.stderr
