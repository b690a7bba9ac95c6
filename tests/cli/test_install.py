"""``pucs install`` and ``uninstall`` for Claude Code and Codex: merged with what is there, undone without a trace."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pucs.hooks.installing_guard import calls_guard, command_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git
SETTINGS = Path(".claude/settings.local.json")
EXCLUDE = Path(".git/info/exclude")
GUARD = Path(".git/pucs/hook")
PEOPLES = """\
{
    "permissions": {"allow": ["Bash(ls:*)"], "deny": []},
    "hooks": {
        "PreToolUse": [
            {"matcher": "Bash", "hooks": [{"type": "command", "command": "./mine.sh", "timeout": 5}]}
        ],
        "Notification": [{"hooks": [{"type": "command", "command": "notify-send «done»"}]}]
    },
    "model": "opus"
}
"""
CODEX_EVENTS = ["PostToolUse", "PreToolUse", "SessionEnd", "SessionStart", "Stop", "UserPromptSubmit"]
EVENTS = sorted([*CODEX_EVENTS, "PostToolUseFailure"])


def written(text: str, path: Path = SETTINGS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def ours(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return our handlers by event, the first of each."""
    return {
        event: handler
        for event, groups in document["hooks"].items()
        for group in reversed(groups)
        for handler in group["hooks"]
        if calls_guard(handler["command"])
    }


@pytest.fixture
def codex_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give Codex a home of its own that does not exist yet."""
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    return tmp_path / "codex"


def test_settings_are_made_and_kept_out_of_git(shop: Path, pucs: Pucs) -> None:
    """All events get a hook, only one before a tool blocks when it fails, and git does not see the file."""
    said = pucs.ok("install", "claude", "--yes")
    handlers = ours(json.loads(SETTINGS.read_text(encoding="utf-8")))
    assert sorted(handlers) == EVENTS
    assert [event for event in EVENTS if "onFailure" in handlers[event]] == ["PreToolUse"]
    assert handlers["PreToolUse"]["onFailure"] == "block"
    status = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True)
    assert status.stdout == ""
    assert f"+++ {shop / SETTINGS}" in said
    assert f"+++ {shop / GUARD}" in said
    assert f"makes    {shop / GUARD}\n" in said
    assert "What it does: in this repository your Claude Code asks PUCS before it changes a file" in said
    assert f"+++ {shop / EXCLUDE}" in said
    assert "claude mcp add --scope local pucs -- " in said


def test_other_peoples_settings_stay_as_they_are(shop: Path, pucs: Pucs) -> None:
    """Keys, order, hooks, umlauts and line breaks of others survive installing, and uninstalling leaves the very bytes."""
    written(PEOPLES)
    SETTINGS.chmod(0o640)
    excluded = EXCLUDE.read_bytes() if EXCLUDE.exists() else None
    pucs.ok("install", "claude", "--yes")
    text = SETTINGS.read_text(encoding="utf-8")
    document = json.loads(text)
    assert list(document) == ["permissions", "hooks", "model"]
    assert document["hooks"]["PreToolUse"][0]["hooks"][0]["command"] == "./mine.sh"
    assert "notify-send «done»" in text
    assert [line for line in PEOPLES.splitlines() if line.rstrip(",") not in text] == []
    assert SETTINGS.stat().st_mode & 0o777 == 0o640
    pucs.ok("uninstall", "claude", "--yes")
    assert SETTINGS.read_text(encoding="utf-8") == PEOPLES
    assert SETTINGS.stat().st_mode & 0o777 == 0o640
    assert (EXCLUDE.read_bytes() if EXCLUDE.exists() else None) == excluded


@pytest.mark.parametrize(
    "text", ['{"a":1}', "{}\n", '{\n\t"hooks": {}\n}', '{"hooks": {"Stop": []}, "z": [1,2]}\r\n']
)
def test_every_way_of_writing_json_keeps_its_own(shop: Path, pucs: Pucs, text: str) -> None:
    """Tabs, one line, empty containers: what was installed is valid, and what is left means the same."""
    SETTINGS.parent.mkdir()
    SETTINGS.write_bytes(text.encode())
    pucs.ok("install", "claude", "--yes")
    assert sorted(ours(json.loads(SETTINGS.read_bytes()))) == EVENTS
    pucs.ok("uninstall", "claude", "--yes")
    left = json.loads(SETTINGS.read_bytes()) if SETTINGS.exists() else {}
    assert left.pop("hooks", {}) in ({}, {"Stop": []})
    assert left == {key: value for key, value in json.loads(text).items() if key != "hooks"}


@pytest.mark.slow
def test_twice_changes_nothing(shop: Path, pucs: Pucs) -> None:
    """Installing again finds all as it should be, and uninstalling again finds nothing."""
    written(PEOPLES)
    pucs.ok("install", "claude", "--yes")
    once = SETTINGS.read_bytes()
    assert "Nothing is to be changed." in pucs.ok("install", "claude")
    assert SETTINGS.read_bytes() == once
    pucs.ok("uninstall", "claude", "--yes")
    assert "Nothing is to be changed." in pucs.ok("uninstall", "claude")


@pytest.mark.slow
def test_an_installation_that_moved_takes_the_place_of_the_old_one(shop: Path, pucs: Pucs) -> None:
    """Hooks of another installation are replaced; no event is asked twice."""
    command = command_line("/gone/.git/pucs/hook", denies=True)
    handler = {"type": "command", "command": command, "onFailure": "block"}
    written(json.dumps({"hooks": {"PreToolUse": [{"matcher": "Edit", "hooks": [handler]}]}}, indent=2))
    pucs.ok("install", "claude", "--yes")
    text = SETTINGS.read_text(encoding="utf-8")
    assert "/gone/" not in text
    assert (
        text.count(f"sh {GUARD.absolute()}") == len(EVENTS) + 1
    )  # before a tool, reading has one of its own


def test_edits_made_since_are_kept(shop: Path, pucs: Pucs) -> None:
    """A hook put into our group and a key added later stay when ours go."""
    pucs.ok("install", "claude", "--yes")
    document = json.loads(SETTINGS.read_text(encoding="utf-8"))
    document["hooks"]["PreToolUse"][0]["hooks"].append({"type": "command", "command": "./later.sh"})
    document["theme"] = "dark"
    written(json.dumps(document))
    pucs.ok("uninstall", "claude", "--yes")
    left = json.loads(SETTINGS.read_text(encoding="utf-8"))
    assert left == {
        "hooks": {
            "PreToolUse": [
                {
                    "matcher": document["hooks"]["PreToolUse"][0]["matcher"],
                    "hooks": [{"type": "command", "command": "./later.sh"}],
                }
            ]
        },
        "theme": "dark",
    }


def test_what_was_made_goes_again(shop: Path, pucs: Pucs) -> None:
    """Where nothing was before, nothing is left."""
    before = EXCLUDE.read_bytes() if EXCLUDE.exists() else None
    pucs.ok("install", "claude", "--yes")
    pucs.ok("uninstall", "claude", "--yes")
    assert not SETTINGS.parent.exists()
    assert not GUARD.parent.exists()
    assert (EXCLUDE.read_bytes() if EXCLUDE.exists() else None) == before


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{\n  "hooks": {,}\n}', ":2:13: this is no JSON"),
        (b'{\n  "hooks": []\n}', ':2:12: "hooks" is an object'),
        (b'{"hooks": {\n "Stop": {}}}', ':2:10: "hooks.Stop" is a list'),
        (b"[]", ":1:1: settings are an object"),
        (b'{\n"a": "\xff"}', ":2: byte 0xff is not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
    ],
    ids=["syntax", "hooks", "event", "root", "bytes", "depth"],
)
def test_broken_settings_are_named_and_left_alone(shop: Path, pucs: Pucs, data: bytes, said: str) -> None:
    """File, line and column are told, the status is 2, and nothing is written."""
    SETTINGS.parent.mkdir()
    SETTINGS.write_bytes(data)
    excluded = EXCLUDE.read_bytes() if EXCLUDE.exists() else None
    answer = pucs("install", "claude", "--yes")
    assert answer.status == 2
    assert f"{shop / SETTINGS}{said}" in answer.err or said in answer.err
    assert SETTINGS.read_bytes() == data
    assert (EXCLUDE.read_bytes() if EXCLUDE.exists() else None) == excluded


def test_a_symlink_is_not_written_through(shop: Path, tmp_path: Path, pucs: Pucs) -> None:
    """Settings that lie elsewhere belong to more than this checkout."""
    elsewhere = tmp_path / "dotfiles.json"
    elsewhere.write_text("{}", encoding="utf-8")
    SETTINGS.parent.mkdir()
    SETTINGS.symlink_to(elsewhere)
    answer = pucs("install", "claude", "--yes")
    assert (answer.status, "is a symlink to" in answer.err) == (1, True)
    assert elsewhere.read_text(encoding="utf-8") == "{}"
    SETTINGS.unlink()
    SETTINGS.parent.rmdir()
    (tmp_path / "claude").mkdir()
    SETTINGS.parent.symlink_to(tmp_path / "claude")
    assert pucs("install", "claude", "--yes").status == 1
    assert list((tmp_path / "claude").iterdir()) == []


@pytest.mark.slow
def test_read_only_and_committed_settings_are_refused(shop: Path, pucs: Pucs) -> None:
    """Neither what its owner protects nor what colleagues share is changed."""
    written("{}")
    SETTINGS.chmod(0o400)
    answer = pucs("install", "claude", "--yes")
    assert (answer.status, "is read-only" in answer.err) == (1, True)
    SETTINGS.chmod(0o600)
    subprocess.run(["git", "add", "-f", str(SETTINGS)], check=True)
    answer = pucs("install", "claude", "--yes")
    assert (answer.status, "git rm --cached" in answer.err) == (1, True)
    assert SETTINGS.read_text(encoding="utf-8") == "{}"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_directory_is_told(shop: Path, pucs: Pucs) -> None:
    """What the system refuses names the place, with status 4."""
    SETTINGS.parent.mkdir(mode=0o500)
    answer = pucs("install", "claude", "--yes")
    assert answer.status == 4
    assert str(SETTINGS) in answer.err


def test_where_one_place_cannot_be_written_nothing_is(shop: Path, pucs: Pucs) -> None:
    """The settings' directory is a file, so that git's list of what it leaves out stays as well."""
    SETTINGS.parent.write_text("", encoding="utf-8")
    excluded = EXCLUDE.read_bytes() if EXCLUDE.exists() else None
    answer = pucs("install", "claude", "--yes")
    assert answer.status == 4
    assert f"{shop / SETTINGS} cannot be written; nothing was changed." in answer.err
    assert SETTINGS.parent.read_text(encoding="utf-8") == ""
    assert (EXCLUDE.read_bytes() if EXCLUDE.exists() else None) == excluded


def test_nothing_is_written_without_being_agreed_to(
    shop: Path, pucs: Pucs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run shows the change; without a terminal and without --yes it is shown and refused."""
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert "+++" in pucs.ok("install", "claude", "--dry-run")
        answer = pucs("install", "claude")
        assert answer.status == 1
        assert "+++" in answer.out
        assert "Agree with --yes" in answer.err
        document = json.loads(pucs("install", "claude", "--json").out)
    assert (document["written"], "+++" in document["diff"]) == (False, True)
    assert not SETTINGS.exists()


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize(("word", "status"), [(b"y\n", 0), (b"n\n", 1)])
def test_a_person_is_asked_at_the_terminal(shop: Path, word: bytes, status: int) -> None:
    """Yes writes, no does not."""
    ours_end, its_end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "pucs", "install", "claude"], stdin=its_end, stdout=subprocess.PIPE
    ) as asked:
        os.write(ours_end, word)
        asked.communicate(timeout=30)
    os.close(ours_end)
    os.close(its_end)
    assert (asked.returncode, SETTINGS.exists()) == (status, status == 0)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["mine", "shared", "home"])
def test_disabled_hooks_are_told(
    shop: Path, tmp_path: Path, pucs: Pucs, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Hooks that will not run are no enforcement, whichever of the three files says so; the personal one has the last word."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "home"))
    files = {
        "mine": SETTINGS,
        "shared": SETTINGS.with_name("settings.json"),
        "home": tmp_path / "home" / "settings.json",
    }
    written('{"disableAllHooks": true}', files[where])
    assert f"No hook runs while {files[where].absolute()} says" in pucs.ok("install", "claude", "--yes")
    if where != "mine":
        written('{"disableAllHooks": false}')
        assert "No hook runs" not in pucs.ok("install", "claude", "--yes")


@pytest.mark.slow
def test_a_linked_worktree_installs_into_the_main_checkout(shop: Path, pucs: Pucs) -> None:
    """Claude Code reads the main checkout's settings in its worktrees as well."""
    subprocess.run(["git", "worktree", "add", "-q", "../linked"], check=True)
    pucs.ok("install", "claude", "--yes", "--repo", "../linked")
    assert SETTINGS.exists()
    assert not Path("../linked", SETTINGS).exists()


def test_codex_gets_its_own_file(shop: Path, codex_home: Path, pucs: Pucs) -> None:
    """Everything is in the person's home, nothing that Codex does not know is written, and trust is asked for."""
    said = pucs.ok("install", "codex", "--yes")
    handlers = ours(json.loads((codex_home / "hooks.json").read_text(encoding="utf-8")))
    assert sorted(handlers) == CODEX_EVENTS
    assert {key for handler in handlers.values() for key in handler} == {"type", "command", "timeout"}
    assert "/hooks" in said
    assert "Nothing is to be changed." in pucs.ok("install", "codex")
    pucs.ok("uninstall", "codex", "--yes")
    assert list(codex_home.iterdir()) == []


@pytest.mark.slow
def test_a_file_that_changes_meanwhile_is_left_alone(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not shown is not overwritten."""
    from pucs.core.errors import Refused  # noqa: PLC0415
    from pucs.hooks.installing_files import Write, make  # noqa: PLC0415

    written("{}")
    change = Write(path=SETTINGS, before=b"{ }", after=b"ours")
    with pytest.raises(Refused, match="changed meanwhile"):
        make([change])
    assert [path.name for path in SETTINGS.parent.iterdir()] == [SETTINGS.name]


@pytest.mark.slow
def test_uninstalling_needs_no_installation(
    shop: Path, pucs: Pucs, make_repository: Callable[..., Path]
) -> None:
    """Where nothing was installed there is nothing to do, in a repository of any kind."""
    for program in ("claude", "codex", "git"):
        assert "Nothing is to be changed." in pucs.ok("uninstall", program)


def test_the_plugin_has_the_version_of_the_package(project: Path) -> None:
    """Whoever updates one updates the other."""
    manifest = json.loads((project / "plugins/claude/.claude-plugin/plugin.json").read_text(encoding="utf-8"))
    package = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    assert manifest["version"] == package["project"]["version"]
