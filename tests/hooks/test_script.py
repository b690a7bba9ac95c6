"""`pucs-hook` run for real, as agent programs run it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pucs.coordinator import sessions
from pucs.coordinator.context import Context
from pucs.hooks import place
from pucs.streams.records import Stream
from pucs.streams.settings import Configuration
from pucs.wiring import mark_active, open_context

pytestmark = [pytest.mark.process, pytest.mark.git]

SHOP = Configuration(streams=(Stream(name="shop", files_pattern=("shop/**",)),))
ANSWER = b'{"hookSpecificOutput": {"hookEventName": "PreToolUse", "additionalContext": "from the server"}}'
BLOCK = 2


class Hook:
    """A repository, and the script called in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.marker = root / ".git" / "pucs" / "active"

    def report(self, event: str = "PreToolUse", **more: Any) -> bytes:
        """Return what Claude Code would report about an edit."""
        tool: dict[str, Any] = {
            "file_path": str(self.root / "shop/cart.py"),
            "old_string": "0",
            "new_string": "1",
        }
        document: dict[str, Any] = {
            "session_id": "c-1",
            "transcript_path": "/t",
            "cwd": str(self.root),
            "hook_event_name": event,
        }
        document |= {"tool_name": "Edit", "tool_input": tool} if "Tool" in event else {}
        return json.dumps(document | more, separators=(",", ":"), ensure_ascii=False).encode()

    def __call__(
        self,
        body: bytes | None = None,
        *arguments: str,
        where: Path | None = None,
        shell: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        **more: str,
    ) -> subprocess.CompletedProcess[bytes]:
        """Call the script and return what came of it."""
        return subprocess.run(
            [*shell, str(place()), *(arguments or ("claude",))],
            input=self.report() if body is None else body,
            cwd=where or self.root,
            env={**os.environ, **(environment or {}), **more},
            capture_output=True,
            check=False,
            timeout=50,
        )


class Server:
    """Answers like ``pucs serve``, or however a test says."""

    def __init__(self, directory: Path, host: str = "127.0.0.1") -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        self.answer = ANSWER
        self.cut = 0
        """Bytes that are promised and not sent."""
        self.hangs_up = False
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                if server.hangs_up:
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.requests.append((self.path, headers, body))
                self.send_response(server.status)
                self.send_header("Content-Length", str(len(server.answer) + server.cut))
                self.end_headers()
                self.wfile.write(server.answer)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer((host, 0), Handler)
        self.url = f"http://{host}:{self.http.server_port}"
        (directory / "server.json").write_text(
            json.dumps({"url": self.url, "pid": os.getpid(), "started": "now"}, indent=1)
        )
        (directory / "token").write_text("the-token\n")
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def repository(make_repository: Callable[..., Path]) -> Path:
    return make_repository(files={"shop/cart.py": "TOTAL = 0\n"})


@pytest.fixture
def context(repository: Path) -> Context:
    opened = open_context(repository, create=True)
    sessions.start(opened, configuration=SHOP)
    mark_active(opened)
    return opened


@pytest.fixture
def hook(context: Context, repository: Path) -> Hook:
    return Hook(repository)


@pytest.fixture
def server(hook: Hook) -> Iterator[Server]:
    made = Server(hook.marker.parent)
    yield made
    made.http.shutdown()
    made.http.server_close()


def test_a_running_server_is_asked_with_the_token(hook: Hook, server: Server) -> None:
    """The report arrives byte by byte as it was, and the answer is passed on."""
    body = hook.report(note="né\\ %s \\n ' \" `x` $HOME \u2028")
    done = hook(body)
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, json.loads(ANSWER), b"")
    ((path, headers, arrived),) = server.requests
    assert (path, arrived) == ("/v1/hook/claude", body)
    assert headers["authorization"] == "Bearer the-token"
    assert headers["host"] == server.url.removeprefix("http://")
    hook(None, "codex", PUCS_AGENT="a-1", PUCS_SECRET="s-1")
    path, headers, _ = server.requests[1]
    assert (path, headers["authorization"], headers["x-pucs-agent"]) == (
        "/v1/hook/codex",
        "Bearer s-1",
        "a-1",
    )


def test_large_reports_arrive_whole(hook: Hook, server: Server) -> None:
    """Also where standard input is a socket, as Claude Code has it, and where no bash is."""
    body = hook.report(tool_input={"file_path": "x", "content": "é" * 400_000})
    hook(body)
    ours, theirs = socket.socketpair()
    with subprocess.Popen(
        [str(place()), "claude"], cwd=hook.root, stdin=theirs.fileno(), stdout=subprocess.PIPE
    ) as process:
        theirs.close()
        ours.sendall(body)
        ours.close()
        assert process.wait(20) == 0
    assert [len(arrived) for _, _, arrived in server.requests] == [len(body)] * 2
    assert server.requests[1][2] == body


@pytest.mark.slow
def test_a_server_that_does_not_answer_properly_is_passed_over(hook: Hook, server: Server) -> None:
    """The second step asks the store itself; nothing of the bad answer shows."""
    bad = [
        (401, ANSWER, 0),
        (403, b"{}", 0),
        (500, ANSWER, 0),
        (200, b"<html>", 0),
        (200, ANSWER, 7),
        (200, b"", 0),
    ]
    for number, (server.status, server.answer, server.cut) in enumerate(bad, 1):
        done = hook()
        assert len(server.requests) == number
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"from the server" not in done.stdout
        assert json.loads(done.stdout) is not None


def test_without_a_server_the_store_is_asked(hook: Hook, context: Context) -> None:
    """An edit of a file that another agent holds is denied, also where a dead server left its file."""
    from pucs.coordinator import agents, leases  # noqa: PLC0415 - only here

    agents.register(context, agent="agent-2", stream="shop")
    leases.acquire(context, agent="agent-2", resources=("shop/cart.py",))
    (hook.marker.parent / "server.json").write_text('{"url": "http://127.0.0.1:1"}')
    (hook.marker.parent / "token").write_text("t\n")
    done = hook()
    assert (done.returncode, done.stderr) == (0, b"")
    specific = json.loads(done.stdout)["hookSpecificOutput"]
    assert specific["permissionDecision"] == "deny"
    assert "agent-2" in specific["permissionDecisionReason"]


def test_a_server_that_hangs_up_is_passed_over(hook: Hook, server: Server) -> None:
    """Writing to nobody kills many a shell; programs would take that for a yes."""
    server.hangs_up = True
    done = hook(hook.report(note="x" * 5_000_000))
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout) is not None


@pytest.mark.slow
def test_a_server_that_keeps_silent_is_passed_over(hook: Hook) -> None:
    """After ten seconds the store is asked; both together stay far below what programs wait for."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = hook(PUCS_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}", PUCS_AGENT="nobody")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"nobody" in done.stdout


def test_secrets_go_to_this_machine_only(hook: Hook) -> None:
    """A server elsewhere, or what is no address, is not asked."""
    elsewhere = Server(hook.marker.parent, "127.0.0.2")
    for url in (
        elsewhere.url,
        "http://127.0.0.1.example.invalid:80",
        "https://127.0.0.1:1",
        "http://127.0.0.1:80@h:1",
    ):
        done = hook(PUCS_ENDPOINT=url, PUCS_AGENT="nobody")
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"nobody" in done.stdout
    elsewhere.http.shutdown()
    elsewhere.http.server_close()
    assert elsewhere.requests == []


def test_a_server_of_another_store_is_not_asked(hook: Hook, server: Server, tmp_path: Path) -> None:
    """Whoever works with a store elsewhere is answered by that one, here that it is not there."""
    done = hook(PUCS_STORE=str(tmp_path / "other.db"))
    assert (done.returncode, server.requests) == (BLOCK, [])
    assert b"other.db" in done.stderr
    assert hook(PUCS_STORE=str(hook.marker.parent / "state.db")).stdout.strip() == ANSWER


def test_the_server_of_the_store_is_asked_from_a_worktree(hook: Hook, server: Server, tmp_path: Path) -> None:
    """There the way to the store has another spelling."""
    place = tmp_path / "worktree"
    subprocess.run(
        ["git", "worktree", "add", "-q", str(place)], cwd=hook.root, check=True, capture_output=True
    )
    done = hook(where=place, PUCS_STORE=str(hook.marker.parent / "state.db"))
    assert done.stdout.strip() == ANSWER


def test_the_endpoint_of_a_run_comes_first(hook: Hook, server: Server) -> None:
    """Launched agents are told where their run listens."""
    (hook.marker.parent / "server.json").unlink()
    assert hook(PUCS_ENDPOINT=server.url, PUCS_SECRET="s").stdout.strip() == ANSWER


def test_every_directory_of_every_worktree_finds_the_session(
    hook: Hook, server: Server, tmp_path: Path
) -> None:
    """Below the root, in a linked worktree, and elsewhere by what the program says of itself."""
    subprocess.run(["git", "worktree", "add", "-q", tmp_path / "linked"], cwd=hook.root, check=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert hook(where=hook.root / "shop").stdout
    linked = tmp_path / "linked" / "shop"
    assert hook(hook.report(cwd=str(linked)), where=linked).stdout
    assert hook(where=elsewhere).stdout
    assert hook(hook.report(cwd=str(elsewhere)), where=elsewhere, CLAUDE_PROJECT_DIR=str(hook.root)).stdout
    assert not hook(hook.report(cwd=str(elsewhere)), where=elsewhere).stdout


def test_nothing_is_said_where_no_session_is_active(hook: Hook, server: Server, context: Context) -> None:
    """A colleague is never held up: whatever is broken, without the marker all passes."""
    sessions.end(context)
    mark_active(context)
    assert not hook.marker.exists()
    for body in (hook.report(), b"{", b""):
        done = hook(body)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert server.requests == []


def test_a_persons_hook_is_silent_for_launched_agents(hook: Hook, server: Server) -> None:
    """Agents launched by PUCS have hooks of their own, which say so."""
    assert hook(None, "claude", PUCS_HOOKED="1").stdout == b""
    assert hook(None, "claude", "--launched", PUCS_HOOKED="1").stdout


def test_what_is_not_understood_is_blocked(hook: Hook) -> None:
    """A report that cannot be read may be one of an edit."""
    for body in (b"", b"{", b'{"a": "\xff\xfe"}', b'{"hook_event_name":"Invented"}'):
        done = hook(body)
        assert (done.returncode, done.stdout) == (BLOCK, b"")
        assert done.stderr.startswith(b"PUCS: ")
        assert b"Traceback" not in done.stderr


@pytest.mark.slow
def test_an_endless_report_is_blocked(hook: Hook, server: Server) -> None:
    """It is not sent anywhere, and the limit is named."""
    done = hook(hook.report(tool_input={"content": "x" * 25_200_000}))
    assert (done.returncode, server.requests) == (BLOCK, [])
    assert b"25165824 are the most" in done.stderr


def test_an_unknown_program_is_blocked(hook: Hook, server: Server) -> None:
    """So is one that tries to be more than a name."""
    assert hook(None, "emacs", PUCS_ENDPOINT="http://127.0.0.1:1", PUCS_SECRET="s").returncode == BLOCK
    done = hook(None, "claude HTTP/1.1\r\nX: y")
    assert (done.returncode, server.requests) == (BLOCK, [])


def test_a_broken_store_blocks_edits_only(hook: Hook) -> None:
    """Where the truth cannot be known, nothing is changed; a turn may end all the same."""
    state = hook.marker.parent / "state.db"
    for file in state.parent.glob("state.db-*"):
        file.unlink()
    state.write_bytes(b"no database" * 1000)
    done = hook()
    assert done.returncode == BLOCK
    assert b"state.db" in done.stderr
    for event in ("Stop", "PostToolUse", "SessionStart", "SessionEnd"):
        done = hook(hook.report(event))
        assert (done.returncode, done.stdout) == (0, b"")
        assert b"PUCS" in done.stderr


def test_a_lost_store_blocks(hook: Hook) -> None:
    """It is not made anew in silence."""
    for file in hook.marker.parent.glob("state.db*"):
        file.unlink()
    assert hook().returncode == BLOCK


def test_without_a_python_edits_are_blocked(hook: Hook, tmp_path: Path) -> None:
    """The sentence says what to do; other events pass with a note."""
    facts = [line for line in hook.marker.read_text().splitlines() if not line.startswith("python=")]
    # A copy, because beside the installed script there is a Python that could take over.
    script = shutil.copy(place(), tmp_path / "pucs-hook")
    for python in ("/nowhere/python", "", shutil.which("false")):
        hook.marker.write_text("".join(f"{line}\n" for line in [*facts, f"python={python}"]))
        for event, status in (("PreToolUse", BLOCK), ("Stop", 0)):
            report = hook.report(event)
            done = subprocess.run(
                [script, "claude"], input=report, cwd=hook.root, capture_output=True, check=False
            )
            assert (done.returncode, done.stdout) == (status, b"")
            assert b"pucs" in done.stderr


def test_any_shell_will_do(hook: Hook, server: Server) -> None:
    """Whatever /bin/sh is, the answer is the same."""
    for shell in (("dash",), ("bash", "--posix"), ("bash",)):
        if shutil.which(shell[0]):
            assert hook(shell=shell).stdout.strip() == ANSWER


@pytest.mark.skipif(shutil.which("dash") is None, reason="there is no dash")
def test_without_bash_the_python_step_answers(hook: Hook, server: Server, tmp_path: Path) -> None:
    """A shell that cannot speak to the server by itself goes the long way."""
    script = tmp_path / "pucs-hook"
    # /bin and /usr/bin hold bash here: take the script's way to them out.
    script.write_text(place().read_text().replace("PATH=${PATH:+$PATH:}/usr/bin:/bin\n", ""))
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("cat", "printf"):
        found = shutil.which(tool)
        assert found
        (tools / tool).symlink_to(found)
    dash = shutil.which("dash")
    assert dash
    environment = {**os.environ, "PATH": str(tools)}
    done = subprocess.run([dash, str(script), "claude"], input=hook.report(), cwd=hook.root, env=environment, capture_output=True, check=False)  # fmt: skip
    assert (done.returncode, done.stderr, server.requests) == (0, b"", [])
    assert json.loads(done.stdout) is not None


def test_the_environment_of_a_program_cannot_mislead_it(hook: Hook, server: Server, tmp_path: Path) -> None:
    """Start-up files, functions and Python settings of whoever runs the agent are not for the hook."""
    trap = tmp_path / "trap"
    trap.write_text("exit 0\n")
    done = hook(
        None,
        "claude",
        environment={"BASH_ENV": str(trap), "ENV": str(trap), "BASH_FUNC_printf%%": "() { exit 0; }"},
    )
    assert done.stdout.strip() == ANSWER
    (hook.marker.parent / "server.json").unlink()
    (hook.root / "json.py").write_text("raise SystemExit(0)\n")
    done = hook(PYTHONPATH=str(hook.root), PYTHONSTARTUP=str(trap), PYTHONHOME="/nowhere")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout) is not None


def test_the_command_on_the_path_is_the_script(hook: Hook, server: Server) -> None:
    """``pucs-hook`` of the package does what the script does."""
    from pucs.hooks import main  # noqa: PLC0415 - it is only looked at

    assert main.__module__ == "pucs.hooks"
    import sys  # noqa: PLC0415 - only here

    call = [
        sys.executable,
        "-c",
        "import sys; from pucs.hooks import main; sys.argv[0] = 'pucs-hook'; main()",
        "claude",
    ]
    done = subprocess.run(call, input=hook.report(), cwd=hook.root, capture_output=True, check=False)
    assert done.stdout.strip() == ANSWER
