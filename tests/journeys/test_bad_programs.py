"""Agent programs that break, flood, hang, or do with their worktree what they should not: told in words, and nothing lost."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs.testing.hook_agent import shim
from tests.journeys.conftest import PATIENCE_S, Pipe, Place

pytestmark = [pytest.mark.git, pytest.mark.process, pytest.mark.slow]

ONCE = "agents: {attempts: 1, output_max_mb: 1}\n"
WEAK = """\
read -r line; echo '{"id":1,"result":{}}'; read -r line; read -r line
echo '{"id":2,"result":{"thread":{"id":"t"},"approvalPolicy":"never","sandbox":{"type":"readOnly"}}}'
cat >/dev/null"""
"""Codex, if it took no notice of what it is told about approvals."""
TASK = "id: one, stream: app, prompt: Do it."


@pytest.fixture
def place(make_place: Callable[..., Place]) -> Place:
    """Return a repository where a task is tried once."""
    made = make_place(more=ONCE)
    made.environment = {
        "PATH": f"{made.root.parent / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(made.root.parent),
    }
    return made


def codex(place: Path, script: str) -> None:
    """Put a program called codex on the search path: it says its version, and then does what a script says."""
    bin_ = place.parent / "bin"
    bin_.mkdir()
    file = bin_ / "codex"
    file.write_text(f'#!/bin/bash\n[ "$1" = --version ] && exec echo codex-cli 0.169.0\n{script}\n')
    file.chmod(0o755)


def claude(place: Place, *steps: object) -> None:
    """Put a program called claude there: it calls its hooks as it should, and follows a script."""
    plan = place.root.parent / "plan.json"
    plan.write_text(json.dumps([*steps, {"text": "Done."}]))
    shim(place.root.parent / "bin", plan=plan)


def run(place: Place, program: str, status: int = 1) -> str:
    """Run the task and return what was said."""
    said = place.pucs("run", "--tasks", place.tasks(TASK), "--agent", program, status=status)
    return said.stdout


# Programs that are no good conversation ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo cannot open libssl >&2; exit 3", "codex: exit 3: cannot open libssl"),
        ("exit 0", "codex: exit 0"),
        ("kill -9 $$", "codex: killed by SIGKILL"),
        (
            "for n in {1..200}; do echo 'usage: codex [OPTIONS]'; done; cat >/dev/null",
            "codex: 100 lines in a row are not what Codex's app-server says: 'usage: codex [OPTIONS]'",
        ),
        (
            'echo \'{"id": 1, "error": {"code": -32600, "message": "no such method"}}\'; cat >/dev/null',
            "codex: Codex does not start a conversation: no such method",
        ),
        (
            WEAK,
            "codex: Codex does not ask before each edit, so it is not used: its approval policy is never.",
        ),
    ],
)
def test_program_that_does_not_talk_is_told(place: Place, script: str, told: str) -> None:
    """Whatever ends the conversation is the reason of the failed task, in one line."""
    codex(place.root, script)
    assert f"one failed: {told}" in run(place, "codex")
    place.accounted()


@pytest.mark.parametrize(
    "flood",
    [
        "head -c 100000000 /dev/zero | tr '\\0' x",
        "yes 'not a message' | head -c 100000000",
        "yes 'not a message' | head -c 100000000 >&2",
    ],
    ids=["one line", "lines", "errors"],
)
def test_flood_of_a_program_is_bounded(place: Place, flood: str) -> None:
    """A hundred megabytes end in a failed task; what is kept of them is bounded."""
    codex(place.root, flood)
    assert "one failed: codex: " in run(place, "codex")
    sizes = [file.stat().st_size for file in place.root.glob(".git/pucs/output/*/*")]
    assert sum(sizes) < 4_000_000
    place.accounted()


def test_program_that_ignores_everything_is_ended(make_place: Callable[..., Place], pipe: Pipe) -> None:
    """It never answers, ignores SIGINT and SIGTERM, and leaves a daemon: after its time all of it is gone."""
    place = make_place(more="agents: {timeout_min: 0.02, attempts: 1}\n")
    place.environment = {
        "PATH": f"{place.root.parent / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PIPE": str(pipe.path),
    }
    codex(
        place.root,
        "trap '' INT TERM\nsetsid bash -c 'trap \"\" INT TERM; echo $$ >$PIPE; while :; do sleep 60; done' &\n"
        "echo x >>app/a.py\nwhile :; do sleep 60; done",
    )
    assert "one failed: codex: timed out after 1.2 s" in run(place, "codex")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pipe.next()), 0)
    assert place.git("show", f"{place.json('salvage', 'list')[-1]['ref']}:app/a.py") == "a = 1\nx"
    place.accounted()


# Programs that talk as they should and act as they should not --------------------------------------------------


def test_edits_outside_the_worktree_are_refused(place: Place) -> None:
    """Neither a person's checkout nor another stream's files change, by tool or by a readable command."""
    outside = place.root / "app" / "a.py"
    claude(
        place,
        {"write": str(outside), "text": "lost\n", "expect_denied": "own checkout"},
        {"shell": f"echo lost >{outside}", "expect_denied": "own checkout"},
        {"read": "lib/b.py"},
        {"edit": "lib/b.py", "old": "b = 1", "new": "b = 2", "expect_denied": "stream lib"},
        {"write": "app/mine.py", "text": "mine\n"},
    )
    run(place, "claude", 0)
    assert place.result("app/mine.py") == "mine"
    assert place.result("lib/b.py") == "b = 1"
    assert outside.read_text() == "a = 1\n"
    place.accounted()


def test_git_that_is_not_for_agents_is_refused(place: Place) -> None:
    """No branch is switched or deleted and nothing is pushed where the command can be read; a commit of its own lands."""
    origin = place.root.parent / "origin.git"
    place.git("clone", "-q", "--bare", str(place.root), str(origin))
    place.git("remote", "add", "origin", str(origin))
    claude(
        place,
        {"shell": "git push --force origin HEAD:main", "expect_denied": "push"},
        {"shell": "git switch -c other", "expect_denied": "switch"},
        {"shell": "git branch -D main", "expect_denied": "branch"},
        {"shell": "sed -i s/1/9/ app/a.py && git commit -qam mine"},
    )
    before = place.git("ls-remote", "origin")
    run(place, "claude", 0)
    assert place.git("ls-remote", "origin") == before
    assert place.result("app/a.py") == "a = 9"
    assert "mine" in place.git("log", "--all", "--format=%s")
    place.accounted()


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("rm .git", "Its .git file is gone; mend it: git worktree repair"),
        ("git switch -qc other", "is on other instead of pucs/agent/app-agent-1"),
        (
            "git checkout -q --detach && git commit -qam mine",
            "is on no branch instead of pucs/agent/app-agent-1",
        ),
        ("git update-ref -d $(git symbolic-ref HEAD)", "is gone"),
    ],
    ids=["no git file", "other branch", "no branch", "branch gone"],
)
def test_script_that_ruins_its_worktree_loses_nothing(place: Place, script: str, told: str) -> None:
    """What no hook can read is found at the landing: the work stays where it is, named, until somebody takes it."""
    bad = place.script(f"echo x >>app/a.py\n{script}\n", "bad.sh")
    claude(place, {"read": "app/a.py"}, {"shell": bad})
    said = run(place, "claude")
    worktree = next(place.root.parent.glob("shop.pucs/app-agent-1"))
    assert told in said
    assert f"What app-agent-1 did stays in {worktree}" in said
    assert (worktree / "app" / "a.py").read_text() == "a = 1\nx\n"
    account = place.json("verify", status=1)
    assert [finding["severity"] for finding in account["findings"]] == ["open"]
    assert place.git("status", "--porcelain") == ""


def test_worktree_that_lost_its_git_file_is_mended_by_its_remedy(place: Place) -> None:
    """After the command that the message names, the work lands."""
    claude(place, {"read": "app/a.py"}, {"shell": place.script("echo x >>app/a.py\nrm .git\n", "bad.sh")})
    run(place, "claude")
    place.git("worktree", "repair")
    assert [found["kind"] for found in place.json("verify", status=1)["findings"]] == ["edits"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_killed_run_takes_its_server_and_its_programs_with_it(place: Place, pipe: Pipe, number: int) -> None:
    """Neither the program, nor what it started, nor the port it called goes on; the secret is gone with the next run."""
    once = f"[ -e ../again ] && exit 0; : >../again; echo $$ >'{pipe.path}'; sleep 600"
    claude(place, {"shell": once})
    running = place.start("run", "--tasks", place.tasks(TASK), "--agent", "claude")
    shell = os.pidfd_open(int(pipe.next()))
    output = place.root / ".git" / "pucs" / "output"
    (settings,) = output.glob("*/*.launch/claude-mcp.json")
    found = re.search(r"http://127\.0\.0\.1:(\d+)", settings.read_text())
    assert found is not None
    server = ("127.0.0.1", int(found[1]))
    socket.create_connection(server).close()
    running.send_signal(number)
    running.communicate(timeout=PATIENCE_S)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server)
    assert select.select([shell], [], [], PATIENCE_S)[0], "what the program started goes on"
    os.close(shell)
    place.pucs("run", "--agent", "claude")
    assert not list(output.glob("*/*.launch"))
    place.accounted()
