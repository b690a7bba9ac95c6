"""What every command shares: options and environment, exit statuses, errors in words and as JSON, help, completion."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click import Command, Context, Group

from pucs.cli import COMMANDS, cli
from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git


def commands(group: Group = cli, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Command]]:
    """Return every command with the words that call it."""
    found: list[tuple[tuple[str, ...], Command]] = []
    for name in group.list_commands(Context(group)):
        command = group.get_command(Context(group), name)
        assert command is not None
        found.append(((*path, name), command))
        if isinstance(command, Group):
            found += commands(command, (*path, name))
    return found


@pytest.mark.parametrize("words", [pytest.param(words, id=" ".join(words)) for words, _ in commands()])
def test_help_needs_nothing_and_shows_an_example(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pucs: Pucs
) -> None:
    """Outside any repository every command explains itself, with a line to copy."""
    monkeypatch.chdir(tmp_path)
    assert f"Example: pucs {words[0]}" in pucs.ok(*words, "--help")
    assert not list(tmp_path.iterdir())


def test_every_command_is_listed_without_being_loaded() -> None:
    """The list of commands and the one-line helps come from a table; each name in it leads to a command."""
    assert {words[0] for words, _ in commands()} == set(COMMANDS)
    listed = subprocess.run(
        [sys.executable, "-m", "pucs", "--help"], capture_output=True, text=True, check=True
    )
    assert all(re.search(rf"^  {name}\b", listed.stdout, re.MULTILINE) for name in COMMANDS)


def test_common_options_work_before_and_after_the_name(
    session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pucs: Pucs
) -> None:
    """Each of the four is taken on both sides of the command, and the later one wins."""
    monkeypatch.chdir(tmp_path)
    root = str(session)
    assert pucs.json("--repo", root, "status")["session"] == "S-1"
    assert pucs.json("status", "--repo", root, "--session", "S-1")["session"] == "S-1"
    assert json.loads(pucs.ok("--json", "--repo", "nowhere", "status", "--repo", root))["session"] == "S-1"
    assert pucs("--session", "S-9", "status", "--repo", root).status == 1
    assert pucs("--store", str(tmp_path / "none.db"), "status", "--repo", root).status == 4
    for words in (
        ["--repo", root, "task", "list"],
        ["task", "--repo", root, "list"],
        ["task", "list", "--repo", root],
    ):
        assert pucs.json(*words) == []


def test_environment_stands_in_for_options(
    session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pucs: Pucs
) -> None:
    """PUCS_REPO, PUCS_STORE, PUCS_SESSION and PUCS_AGENT are read; an option overrules them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PUCS_REPO", str(session))
    monkeypatch.setenv("PUCS_AGENT", "ada")
    assert pucs.json("lock", "app/a.py")["granted"]
    assert pucs.json("locks")[0]["agent"] == "ada"
    monkeypatch.setenv("PUCS_SESSION", "S-9")
    assert "no session 'S-9'" in pucs("status").err
    assert pucs.json("status", "--session", "S-1")["session"] == "S-1"
    monkeypatch.delenv("PUCS_SESSION")
    elsewhere = tmp_path / "elsewhere.db"
    monkeypatch.setenv("PUCS_STORE", str(elsewhere))
    assert str(elsewhere) in pucs("status").err
    assert pucs.json("init", "--session", "S-2")["session"] == "S-2"
    assert elsewhere.exists()
    assert pucs.json("locks") == []


@pytest.mark.parametrize(
    "command", ["status", "state", "agents", "locks", "queue", "conflicts", "log", "report", "verify"]
)
def test_session_that_does_not_exist_is_told(command: str, session: Path, pucs: Pucs) -> None:
    """No command answers for a session that nobody started."""
    said = pucs(command, "--session", "S-9")
    assert (said.status, said.out) == (1, "")
    assert "There is no session 'S-9'." in said.err


@pytest.mark.parametrize(
    ("arguments", "status", "code", "words"),
    [
        (["land", "--agent", "nobody"], 1, "not_found", "no agent 'nobody'"),
        (["lock", "app/a.py", "--agent", "a b"], 2, "usage", "'a b' cannot be an agent id"),
        (["lock", "../x", "--agent", "ada"], 2, "usage", "outside the repository"),
        (["status", "--nope"], 2, "usage", "No such option"),
        (["stauts"], 2, "usage", "Did you mean 'status'?"),
        (["run", "--tasks", "none.yaml"], 2, "configuration", "no file none.yaml"),
        (["--store", "/dev/null/x", "status"], 4, "store", "/dev/null/x"),
        (["--repo", "/", "status"], 4, "git", "is not in a git repository"),
        (["--repo", "/none", "status"], 2, "usage", "There is no directory /none."),
        (["--store", ".", "status"], 2, "usage", "is a directory"),
        (["--store", "README.md", "status"], 4, "store", "README.md"),
    ],
)
def test_errors_are_words_and_documents(  # noqa: PLR0917 - one case
    arguments: list[str], status: int, code: str, words: str, session: Path, pucs: Pucs
) -> None:
    """The status says what kind of error it is, the words what happened; with --json there is a document as well."""
    said = pucs(*arguments)
    assert (said.status, said.out) == (status, "")
    assert words in said.err
    assert "Traceback" not in said.err
    said = pucs(*arguments, "--json")
    assert said.status == status
    error = json.loads(said.out)["error"]
    assert (error["code"], words in error["message"]) == (code, True)


def test_bug_keeps_its_own_status(session: Path, monkeypatch: pytest.MonkeyPatch, pucs: Pucs) -> None:
    """Only what nobody foresaw ends with 3, with everything a report needs."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of course")

    monkeypatch.setattr("pucs.coordinator.status.status", broken)
    said = pucs("status", "--json")
    assert said.status == 3
    assert json.loads(said.out)["error"]["code"] == "bug"
    assert "Traceback" in said.err
    assert said.err.endswith("pucs: this is a bug; please report it with the lines above.\n")


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "Interrupted."),
        (OSError(28, "No space left on device", "/x"), 4, "The system refused: No space left on device: /x."),
    ],
)
def test_interruption_and_full_disk_are_no_bugs(  # noqa: PLR0917 - one case
    error: BaseException, status: int, words: str, session: Path, monkeypatch: pytest.MonkeyPatch, pucs: Pucs
) -> None:
    """Ctrl-C ends with 130, what the machine refuses with 4."""

    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("pucs.coordinator.status.status", broken)
    said = pucs("status")
    assert (said.status, words in said.err, "bug" in said.err) == (status, True, False)


@pytest.mark.process
def test_completion_script_is_printed() -> None:
    """The shell gets click's completion, named after the program."""
    environment = {**os.environ, "_PUCS_COMPLETE": "bash_source"}
    done = subprocess.run(["pucs"], env=environment, capture_output=True, text=True, check=True)
    assert "_pucs_completion" in done.stdout


@pytest.mark.process
@pytest.mark.parametrize("arguments", [["log"], ["log", "--json"], ["status"], ["--help"]])
def test_reader_that_leaves_is_no_error(arguments: list[str], session: Path, pucs: Pucs) -> None:
    """`pucs log | head` ends without a word."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        ["pucs", *arguments], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.process
def test_full_output_is_no_bug(session: Path) -> None:
    """A disk that is full under the output is told in words."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(["pucs", "status"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 4
    assert "No space left on device" in done.stderr


@pytest.mark.process
def test_narrow_encoding_does_not_crash(session: Path) -> None:
    """A terminal without our signs gets their escapes."""
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(["pucs", "status"], env=environment, capture_output=True, check=False)
    assert (done.returncode, b"\\u2591" in done.stdout) == (0, True)


def test_version_is_told(pucs: Pucs) -> None:
    """The version is that of the package."""
    assert re.fullmatch(r"pucs, version \d+\.\d+\.\d+\S*\n", pucs.ok("--version"))


def test_repository_is_found_from_below(session: Path, monkeypatch: pytest.MonkeyPatch, pucs: Pucs) -> None:
    """A command may be called from any directory of the repository; paths are taken from the root."""
    monkeypatch.chdir(session / "app")
    assert pucs.json("status")["session"] == "S-1"


def test_two_sessions_do_not_mix(
    make_repository: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, pucs: Pucs
) -> None:
    """A store is shared by nobody but the worktrees of one repository."""
    for name in ("one", "two"):
        monkeypatch.chdir(make_repository(name, {"app/a.py": "", "lib/b.py": ""}))
        assert pucs.json("init", "--session", name)["session"] == name
    assert pucs.json("status")["session"] == "two"
