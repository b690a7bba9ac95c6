"""``init``: what it proposes, what it writes, and where it refuses."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def bare(make_repository: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a repository without a configuration."""
    files = {"app/a.py": "", "app/views/b.py": "", "lib/c.py": "", "docs/x.md": "", "README.md": ""}
    root = make_repository("bäre shop", files)
    monkeypatch.chdir(root)
    return root


def test_proposal_is_written_and_valid(bare: Path, pucs: Pucs) -> None:
    """Streams are proposed from directories, also where the path has spaces and other letters; nothing else changes."""
    document = pucs.json("init", "--session", "S-1")
    assert (document["created"], document["proposed"]) == (True, True)
    assert {"app", "lib"} <= {stream["name"] for stream in document["streams"]}
    assert git(bare, "status", "--porcelain") == "?? pucs.yaml\n"
    assert pucs.ok("config", "check").startswith("pucs.yaml is valid.")
    assert "Continuing session S-1" in pucs.ok("init")
    assert "uncommitted" not in pucs.ok("init"), (
        "the configuration that init wrote is no reason for a warning"
    )


def test_dry_run_writes_nothing(bare: Path, pucs: Pucs) -> None:
    """The proposal is shown, and neither file, store nor session is made."""
    text = pucs.ok("init", "--dry-run")
    assert text.startswith("Would write ")
    assert "files_pattern" in text
    assert git(bare, "status", "--porcelain") == ""
    assert not (bare / ".git" / "pucs").exists()
    assert git(bare, "branch", "--format=%(refname:short)") == "main\n"


def test_state_of_the_checkout_is_noted(shop: Path, pucs: Pucs) -> None:
    """A detached head and uncommitted work are told, and left as they are."""
    git(shop, "checkout", "-q", "--detach")
    (shop / "app" / "a.py").write_text("mine\n", encoding="utf-8")
    text = pucs.ok("init")
    assert "Note: HEAD is detached" in text
    assert "Note: Your checkout has 1 uncommitted change;" in text
    assert git(shop, "status", "--porcelain") == " M app/a.py\n"


@pytest.mark.parametrize(
    ("prepare", "words"),
    [([], "is not in a git repository"), (["init", "-q"], "has no commit yet")],
)
def test_place_without_history_is_refused(
    prepare: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pucs: Pucs
) -> None:
    """Without a repository or a commit the words say how to get one."""
    monkeypatch.chdir(tmp_path)
    if prepare:
        git(tmp_path, *prepare)
    for command in (["init"], ["run"], ["run", "--plan"]):
        said = pucs(*command)
        assert (said.status, words in said.err, "git " in said.err) == (4, True, True)
    assert not (tmp_path / "pucs.yaml").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("streems: {}\n", "streems"),
        ("streams:\n  a: {files_pattern: app/, colour: red}\n", "colour"),
        (
            "streams:\n  a: {files_pattern: app/}\n  b: {files_pattern: '**/a.py'}\n",
            "would be in two streams",
        ),
        (
            "streams:\n  a: {files_pattern: app/, dependencies: [b]}\n  b: {files_pattern: lib/, dependencies: [a]}\n",
            "a",
        ),
        ("streams: [", "pucs.yaml:"),
        ("", ""),
        ("streams:\n  'a b': {files_pattern: app/}\n", "cannot name a stream"),
        ("streams:\n  x.lock: {files_pattern: app/}\n", "cannot name a stream"),
        ("streams:\n  a: {files_pattern: app/}\nbranches: {stream: 'x..{stream}'}\n", "branch name"),
        ("streams:\n  a: {files_pattern: ../app/}\n", "../app/"),
        ("\ufeffstreams: \x00", "pucs.yaml"),
    ],
)
def test_wrong_configuration_starts_nothing(text: str, words: str, shop: Path, pucs: Pucs) -> None:
    """Every mistake is named with its file, and no store is made."""
    (shop / "pucs.yaml").write_text(text, encoding="utf-8")
    said = pucs("init")
    if not text:
        assert said.status == 0, "an empty configuration is one without streams"
        assert "No streams: every file is shared." in said.out
        return
    assert (said.status, words in said.err, "Traceback" in said.err) == (2, True, False), said.err
    assert not (shop / ".git" / "pucs").exists()


def test_second_session_is_refused_while_one_is_active(session: Path, pucs: Pucs) -> None:
    """One session at a time; after it is finalized the next may begin."""
    said = pucs("init", "--session", "S-2")
    assert (said.status, "Session S-1 is active." in said.err) == (1, True)
    pucs.ok("finalize")
    assert pucs.json("init", "--session", "S-2")["created"]
    said = pucs("init", "--session", "S-1")
    assert said.status == 1


@pytest.mark.parametrize(
    "name", ["--help", "../x", "a b", "-rf", "x.lock", "a\nb", "\x1b[31m", "é", "x" * 300]
)
def test_session_cannot_be_called_anything(name: str, shop: Path, pucs: Pucs) -> None:
    """The id becomes part of branch names."""
    said = pucs("init", f"--session={name}")
    assert (said.status, "cannot be a session id" in said.err) == (2, True)
    assert git(shop, "branch", "--format=%(refname:short)") == "main\n"


def test_nested_repository_is_its_own(session: Path, pucs: Pucs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository inside has no session; from outside its files are not ours to track."""
    git(session, "init", "-q", "nested")
    (session / "nested" / "x.py").write_text("x = 1\n", encoding="utf-8")
    monkeypatch.chdir(session / "nested")
    said = pucs("status")
    assert (said.status, "There is no store" in said.err) == (4, True)


@pytest.mark.parametrize("home", ["/proc/none", "/dev/null/x"])
def test_home_that_cannot_be_written_stops_nothing(
    home: str, shop: Path, monkeypatch: pytest.MonkeyPatch, pucs: Pucs
) -> None:
    """Without a place for backups the session begins all the same, and it is told how to name one."""
    monkeypatch.setenv("XDG_STATE_HOME", home)
    said = pucs("init", "--session", "S-1")
    assert said.status == 0
    assert "No backup of the store can be written" in said.err
    assert "XDG_STATE_HOME" in said.err
    assert "backups" in pucs("doctor", "--fix").out
