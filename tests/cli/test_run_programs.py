"""``pucs run`` looks at the agent programs of its tasks before anything is started."""

from pathlib import Path

import pytest

from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A search path with nothing but what a small system has, and a directory for more."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return programs


def prompts(path: Path, *more: str) -> str:
    """Write a task with a prompt for each of these."""
    lines = [
        f"- {{id: t{number}, stream: app, prompt: Do it{extra}}}\n" for number, extra in enumerate(more, 1)
    ]
    path.write_text("tasks:\n" + "".join(lines), encoding="utf-8")
    return str(path)


def test_missing_program_ends_the_command(shop: Path, bare: Path, tmp_path: Path, pucs: Pucs) -> None:
    """The message says what is missing and how to get it; no session was started."""
    tasks = prompts(tmp_path / "tasks.yaml", "")
    said = pucs("run", "--tasks", tasks, "--agent", "claude")
    assert said.status == 4
    assert "Claude Code is not installed" in said.err
    assert "npm install" in said.err
    assert not (shop / ".git" / "pucs").exists()


@pytest.mark.parametrize(
    ("version", "words"), [("2.1.100", "is too old"), ("nonsense", "does not say its version")]
)
def test_wrong_version_ends_the_command(
    bare: Path, pucs: Pucs, version: str, words: str, *, shop: Path, tmp_path: Path
) -> None:
    """A version whose hooks let edits through is not used, also if only one task names it."""
    (bare / "claude").write_text(f"#!/bin/sh\necho '{version}'\n")
    (bare / "claude").chmod(0o755)
    tasks = prompts(tmp_path / "tasks.yaml", "", ", agent: claude")
    said = pucs("run", "--tasks", tasks, "--agent", "sh -c true")
    assert said.status == 4
    assert words in said.err
    assert not (shop / ".git" / "pucs").exists()


def test_slip_in_a_programs_name_is_told(shop: Path, bare: Path, tmp_path: Path, pucs: Pucs) -> None:
    """One word that is neither a program nor an executable is no command line that fails later, in every agent."""
    said = pucs("run", "--tasks", prompts(tmp_path / "tasks.yaml", ""), "--agent", "cluade")
    assert said.status == 2
    assert "'cluade' is neither an agent program nor an executable" in said.err
    assert "claude, codex" in said.err


def test_prompt_without_a_program_is_refused(shop: Path, bare: Path, tmp_path: Path, pucs: Pucs) -> None:
    """Tasks of an earlier import count as well, and a task's own program is enough."""
    tasks = prompts(tmp_path / "tasks.yaml", "")
    said = pucs("run", "--tasks", tasks)
    assert said.status == 2
    assert "Task t1 has a prompt, and no agent program is named" in said.err
    pucs.ok("init")
    pucs.ok("task", "import", tasks)
    assert pucs("run").status == 2
    own = prompts(tmp_path / "tasks.yaml", ', agent: "echo 1 >> app/a.py"')
    assert pucs.json("run", "--tasks", own)["ok"]
