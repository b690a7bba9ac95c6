"""A small repository with a session, and an MCP client that speaks to the server in this process."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import mcp
import pytest
from mcp_types import CallToolResult, TextContent

from pucs.cli.door import Door
from pucs.cli.init import initialise
from pucs.coordinator import leases
from pucs.coordinator.context import Context
from pucs.coordinator.inspecting import queue
from pucs.core.modes import Mode
from pucs.server.acting import OnStdio
from pucs.server.protocol import make_server
from pucs.server.workers import Workers
from pucs.wiring import open_context

T = TypeVar("T")
FILES = {
    "pucs.yaml": "streams:\n  app: {files_pattern: app/}\n  lib: {files_pattern: lib/}\n",
    "app/a.py": "a = 1\n",
    "lib/b.py": "b = 1\n",
    "README.md": "A shop.\n",
}
PATIENCE_S = 20.0
"""Far beyond what any step takes; only a failing test waits this long."""


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a repository with a session once; tests copy it."""
    import subprocess  # noqa: PLC0415 - only here

    place = tmp_path_factory.mktemp("begun") / "shop"
    for path, text in FILES.items():
        target = place / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    for call in (["init", "-q", "-b", "main", "--template="], ["add", "-A"], ["commit", "-q", "-m", "Start"]):
        subprocess.run(["git", *call], cwd=place, check=True, capture_output=True)
    initialise(Door(repo=str(place), session="S-1", json=True))
    return place


@pytest.fixture
def shop(begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a repository with a session begun."""
    root = shutil.copytree(begun, tmp_path / "shop")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def hands(shop: Path) -> Iterator[Context]:
    """Return what verbs work with."""
    context = open_context(shop, door="mcp")
    yield context
    context.store.close()


@dataclass
class Said:
    """What a tool answered."""

    text: str
    document: dict[str, Any]
    failed: bool


def said(result: CallToolResult) -> Said:
    """Take the line of data out of an answer."""
    (content,) = result.content
    assert isinstance(content, TextContent)
    data = (line for line in content.text.splitlines() if line.startswith("{"))
    return Said(content.text, json.loads(next(data, "{}")), bool(result.is_error))


class Mouth:
    """An MCP client in this process."""

    def __init__(self, client: mcp.Client) -> None:
        self.client = client

    async def __call__(self, tool: str, /, **arguments: Any) -> Said:
        """Call a tool."""
        return said(await self.client.call_tool(tool, arguments))

    async def ok(self, tool: str, /, **arguments: Any) -> Said:
        """Call a tool that must not fail."""
        answer = await self(tool, **arguments)
        assert not answer.failed, answer.text
        return answer


def read_once_nobody_waits_to_write(hands: Context) -> None:
    """Return when whoever was in line to write ``app/a.py``, which somebody reads, has left: a reader may not pass it."""
    got = leases.acquire(hands, agent="eve", resources=["app/a.py"], mode=Mode.SHARED_READ, wait_s=PATIENCE_S)
    assert got.granted, got.reason
    assert not queue(hands)
    hands.store.close()


Talk = Callable[..., Any]


@pytest.fixture
def talk(hands: Context) -> Talk:
    """Return a function that runs a conversation with a server made for one client."""

    def run(
        conversation: Callable[[Mouth], Awaitable[T]],
        who: OnStdio | None = None,
        mode: str = "auto",
    ) -> T:
        async def main() -> T:
            workers = Workers()
            try:
                server = make_server(hands, workers, who or OnStdio(hands))
                async with asyncio.timeout(PATIENCE_S), mcp.Client(server, mode=mode) as client:
                    return await conversation(Mouth(client))
            finally:
                workers.close()

        return asyncio.run(main())

    return run
