"""The stage itself: the real programs do what the script says, and call nobody else."""

import subprocess
from pathlib import Path

from tests.clients.stage import Stage

SCRIPT = [
    {"read": "a.py"},
    {"edit": "a.py", "old": "a = 1", "new": "a = 10"},
    {"write": "new/b.py", "text": "b = 1\n"},
    {"shell": "cat a.py"},
    {"if_saw": "a = 10", "then": {"text": "all done"}, "else": {"text": "the edit is not there"}},
]


def work(stage: Stage) -> Path:
    place = stage.root / "work"
    place.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=place, check=True)
    (place / "a.py").write_text("a = 1\n")
    return place


def test_claude_code_follows_a_script_and_calls_nobody(stage: Stage) -> None:
    """Claude Code edits, writes and runs what the scripted model says; its proxy is not asked for any host."""
    stage.models.script("x", SCRIPT)
    place = work(stage)
    with stage.claude("x", place, "--allowedTools", "Bash") as talk:
        assert talk.ask("Do it")["result"] == "all done"
    assert (place / "a.py").read_text() == "a = 10\n"
    assert (place / "new/b.py").read_text() == "b = 1\n"
    assert stage.proxy.hosts == ()
    assert stage.models.strays == ()


def test_codex_follows_the_same_script(stage: Stage) -> None:
    """Codex does the same with patches; whom it would call besides is refused."""
    stage.models.script("x", SCRIPT)
    place = work(stage)
    call = ["codex", "exec", "--json", "-s", "workspace-write", "Do it"]
    done = subprocess.run(
        call,
        cwd=place,
        env=stage.environment("x"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert "all done" in done.stdout, done.stderr
    assert (place / "a.py").read_text() == "a = 10\n"
    assert (place / "new/b.py").read_text() == "b = 1\n"
    assert {host.rpartition(":")[0].removeprefix("www.") for host in stage.proxy.hosts} <= {
        "github.com",
        "api.github.com",
        "chatgpt.com",
    }
