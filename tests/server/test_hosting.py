"""The real server in a thread: it answers agents, leaves signals alone, and ends at once."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import signal
import socket
import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import httpx2
import mcp
import pytest
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent

from pucs.coordinator import agents, leases
from pucs.coordinator.context import Context
from pucs.coordinator.credentials import remember
from pucs.core.errors import EnvironmentFailure
from pucs.core.modes import Mode
from pucs.server import hosting
from pucs.server.hosting import Hosted, bound, hosted
from pucs.server.place import only_server
from tests.server.conftest import PATIENCE_S, read_once_nobody_waits_to_write, said

if TYPE_CHECKING:
    from pathlib import Path

    from pucs.coordinator.ports import Git, Store

pytestmark = [pytest.mark.git, pytest.mark.process]


def post(url: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE_S)
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    read = json.loads(answer.read())
    connection.close()
    return answer.status, read


def ada(hands: Context) -> dict[str, str]:
    """Let there be an agent with a secret; returns the headers that prove who it is."""
    agents.register(hands, agent="ada", stream="app", program="claude")
    remember(hands, agent="ada", secret="ada-secret")
    return {"Authorization": "Bearer ada-secret"}


def test_an_agent_calls_hooks_and_tools_of_the_run_that_started_it(hands: Context) -> None:
    """With its secret it asks before an edit and reserves by MCP as the same agent; without it nobody is let in."""
    headers = ada(hands)
    edit = {
        "hook_event_name": "PreToolUse",
        "session_id": "11111111-2222",
        "cwd": hands.repository.root,
        "tool_name": "Write",
        "tool_input": {"file_path": f"{hands.repository.root}/app/a.py", "content": "a = 2\n"},
    }

    async def reserve(url: str) -> str:
        async with (
            httpx2.AsyncClient(headers=headers) as web,
            mcp.Client(streamable_http_client(f"{url}/mcp", http_client=web)) as client,
        ):
            got = said(await client.call_tool("acquire_locks", {"files": ["lib/b.py"]}))
            assert not got.failed, got.text
            return str((said(await client.call_tool("status", {}))).document["you"]["agent"])

    with hosted(hands) as url:
        assert post(url, "/v1/hook/claude", edit, {})[0] == 401
        status, ruling = post(url, "/v1/hook/claude", edit, headers)
        assert status == 200
        assert isinstance(ruling, dict)
        assert post(url, "/v1/hook/nothing", edit, headers)[0] == 404
        assert asyncio.run(reserve(url)) == "ada"


def test_the_server_leaves_signals_to_the_process(hands: Context) -> None:
    """Whoever runs it decides what Ctrl-C means; the server neither takes nor restores a handler."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with hosted(hands) as url:
        assert {number: signal.getsignal(number) for number in before} == before
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE_S)
        connection.request("GET", "/v1/health")
        assert connection.getresponse().status == 200
        connection.close()
    assert {number: signal.getsignal(number) for number in before} == before


@pytest.mark.slow
def test_it_ends_at_once_though_somebody_waits(hands: Context) -> None:
    """A wait in line gives up, the port is closed, no thread of it is left."""
    headers = ada(hands)
    agents.register(hands, agent="bob")
    leases.acquire(hands, agent="bob", resources=["app/a.py"], mode=Mode.SHARED_READ)
    waits, ended = threading.Event(), threading.Event()

    async def wait(url: str) -> None:
        async def progress(progress: float, total: float | None, message: str | None) -> None:
            waits.set()

        async with (
            httpx2.AsyncClient(headers=headers, timeout=PATIENCE_S) as web,
            mcp.Client(streamable_http_client(f"{url}/mcp", http_client=web)) as client,
        ):
            answer = await client.call_tool(
                "acquire_locks", {"files": ["app/a.py"], "wait_s": 200}, progress_callback=progress
            )
            (content,) = answer.content
            assert isinstance(content, TextContent)

    def client(url: str) -> None:
        with contextlib.suppress(BaseException):  # cut off or told, both are an end
            asyncio.run(wait(url))
        ended.set()

    with hosted(hands) as url:
        threading.Thread(target=client, args=(url,), daemon=True).start()
        assert waits.wait(PATIENCE_S)
        began = time.monotonic()
    assert time.monotonic() - began < hosting.STOP_S_MAX
    assert ended.wait(PATIENCE_S)
    read_once_nobody_waits_to_write(hands)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=1)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
def test_a_client_that_vanishes_leaves_the_line(hands: Context, version: str) -> None:
    """A closed connection is all the notice some clients give; nobody waits behind them."""
    headers = {
        **ada(hands),
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": version,
    }
    agents.register(hands, agent="bob")
    leases.acquire(hands, agent="bob", resources=["app/a.py"], mode=Mode.SHARED_READ)
    about: dict[str, Any] = {"progressToken": "p"}
    info = {"name": "x", "version": "1"}
    if version > "2026":
        about |= {
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientInfo": info,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        headers |= {"Mcp-Method": "tools/call", "Mcp-Name": "acquire_locks"}
    hello = {"protocolVersion": version, "capabilities": {}, "clientInfo": info}
    call = {"name": "acquire_locks", "arguments": {"files": ["app/a.py"], "wait_s": 200}, "_meta": about}
    with hosted(hands) as url:
        if version < "2026":
            with httpx2.Client(headers=headers, timeout=PATIENCE_S) as web:
                begun = web.post(f"{url}/mcp", json=request("initialize", hello))
                headers["Mcp-Session-Id"] = begun.headers["mcp-session-id"]
                web.post(
                    f"{url}/mcp",
                    json={"jsonrpc": "2.0", "method": "notifications/initialized"},
                    headers=headers,
                )
        with (
            httpx2.Client(headers=headers, timeout=PATIENCE_S) as web,
            web.stream("POST", f"{url}/mcp", json=request("tools/call", call)) as answer,
        ):
            told = next(line for line in answer.iter_lines() if "number 1 in line" in line)
            assert "held by bob" in told
        read_once_nobody_waits_to_write(hands)


def request(method: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}


def test_a_server_that_cannot_start_says_so_at_once(hands: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wanted it is not left waiting for an answer."""

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "broken"})

    monkeypatch.setattr("pucs.server.app.make_app", lambda *_, **__: broken)
    began = time.monotonic()
    with pytest.raises(EnvironmentFailure, match="did not start"):
        Hosted(hands, bound())
    assert time.monotonic() - began < hosting.START_S_MAX / 2


def test_a_port_that_is_taken_is_said_to_be(hands: Context) -> None:
    """With what to do, and without leaving a socket behind."""
    (listener,) = bound()
    with pytest.raises(EnvironmentFailure, match="cannot be listened on"):
        bound(listener.getsockname()[1])
    listener.close()


def test_a_server_stands_where_no_session_was_started(hands: Context, tmp_path: Path) -> None:
    """The store is in a database, and somebody started the session on another machine."""
    (tmp_path / "shop.git").mkdir()
    store = cast("Store", SimpleNamespace(path="postgresql://db.example.org/work"))
    git = cast("Git", SimpleNamespace(common_dir=str(tmp_path / "shop.git")))
    elsewhere = replace(hands, store=store, git=git)
    with only_server(elsewhere, public=False):
        assert len(list((tmp_path / "shop.git" / "pucs").glob("*.server"))) == 1


def test_whoever_hangs_up_in_the_middle_of_a_question_is_no_defect(
    hands: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody waits for the answer, and there is nothing to report."""
    server = Hosted(hands, bound(), token="word")
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as caller:
        head = f"POST /v1/register HTTP/1.1\r\nHost: {server.url.removeprefix('http://')}\r\nAuthorization: Bearer word\r\n"
        caller.sendall(f"{head}X-Pucs-Agent: ada\r\nContent-Length: 90\r\n\r\n{{".encode())
    server.stop()
    assert not capsys.readouterr().err


def test_it_listens_on_this_machine_only(hands: Context) -> None:
    """127.0.0.1, and ::1 with the same port if that is asked for."""
    sockets = bound(ipv6=True)
    addresses = [one.getsockname()[:2] for one in sockets]
    assert [address for address, _ in addresses] == ["127.0.0.1", "::1"]
    assert len({port for _, port in addresses}) == 1
    server = Hosted(hands, sockets)
    connection = http.client.HTTPConnection("::1", addresses[0][1], timeout=PATIENCE_S)
    connection.request("GET", "/v1/health")
    assert connection.getresponse().status == 200
    connection.close()
    server.stop()


def test_it_is_known_without_importing_whether_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """All packages of the extra must be there."""
    assert hosting.available()
    monkeypatch.setattr(hosting, "EXTRA", ("mcp", "no_such_package"))
    assert not hosting.available()
