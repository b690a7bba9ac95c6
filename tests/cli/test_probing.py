"""What ``pucs doctor`` says of installed hooks: it runs them, and sees when they let through what they have to refuse."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pucs.hooks.installing_site import site
from pucs.hooks.probing import Probe, probes
from pucs.wiring import open_repository

if TYPE_CHECKING:
    from tests.cli.conftest import Pucs

pytestmark = [pytest.mark.git, pytest.mark.process]
SETTINGS = Path(".claude/settings.local.json")
GUARD = Path(".git/pucs/hook")


@pytest.fixture(autouse=True)
def _codex_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))


def probed(front: str) -> Probe:
    found = {probe.front: probe for probe in probes(site(open_repository(".")[0]))}
    return found[f"{front} hooks"]


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_installed_hooks_are_seen_to_block(
    session: Path, pucs: Pucs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All three fronts block; trying them registers nobody, writes no entry and calls no hook of the person's."""
    Path(".git/hooks").mkdir(exist_ok=True)
    mine = Path(".git/hooks/pre-push")
    mine.write_text("#!/bin/sh\ntouch called\nexit 1\n", encoding="utf-8")
    mine.chmod(0o755)
    for program in ("claude", "codex", "git"):
        pucs.ok("install", program, "--yes")
    before = pucs.ok("log", "--json")
    monkeypatch.setenv("PUCS_HOOKED", "1")
    monkeypatch.setenv("PUCS_AGENT", "nobody")
    assert [(probe.ok, probe.found) for probe in probes(site(open_repository(".")[0]))] == [
        (True, "blocks"),
        (True, "blocks"),
        (True, "block agents (pre-commit, commit-msg, pre-push)"),
    ]
    assert pucs.ok("log", "--json") == before
    assert pucs.json("agents") == []
    assert not Path("called").exists()


def test_without_a_session_they_are_tried_aside(shop: Path, pucs: Pucs) -> None:
    """Then they let everything pass here, so they are shown a place where a session seems to be active."""
    pucs.ok("install", "claude", "--yes")
    found = probed("claude")
    assert (found.ok, found.found) == (True, "blocks; tried aside, for no session is active here")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["shop", "session"])
def test_a_hook_that_lets_pass_is_told(where: str, request: pytest.FixtureRequest, pucs: Pucs) -> None:
    """A hook that answers yes to everything, or is not there before a tool, is no enforcement."""
    request.getfixturevalue(where)
    pucs.ok("install", "claude", "--yes")
    right = SETTINGS.read_text(encoding="utf-8")
    yes = Path("yes-hook").absolute()
    yes.write_text("exit 0\n", encoding="utf-8")
    guard = GUARD.read_text(encoding="utf-8")
    replaced(GUARD, site(open_repository(".")[0]).hook, str(yes))
    found = probed("claude")
    assert (found.ok, found.found) == (False, "does NOT block: status 0")
    assert found.remedy == "Install them again: pucs install claude"
    GUARD.unlink()
    assert probed("claude").found == "does NOT block: status 0"
    GUARD.write_text(guard, encoding="utf-8")
    SETTINGS.write_text(right.replace('"PreToolUse"', '"PreToolUsed"'), encoding="utf-8")
    assert probed("claude").found == "does NOT block: there is none before a tool"
    SETTINGS.write_text(right.replace("{", '{"disableAllHooks": true,', 1), encoding="utf-8")
    assert probed("claude").found == "does NOT block: no hook runs, for the settings say so"
    SETTINGS.write_text(right.replace("Edit|", "", 1), encoding="utf-8")
    assert probed("claude").found == "blocks, but is not what this version installs"
    SETTINGS.write_text("{", encoding="utf-8")
    assert "this is no JSON" in probed("claude").found


@pytest.mark.slow
def test_a_hook_that_stops_everything_is_told(session: Path, pucs: Pucs) -> None:
    """Blocking because nobody can be asked is not what was wanted either."""
    pucs.ok("install", "codex", "--yes")
    path = Path(os.environ["CODEX_HOME"], "pucs", "hook")
    replaced(path, "pucs-hook", "gone-hook")
    found = probed("codex")
    assert not found.ok
    assert found.found.startswith("stops every edit, for PUCS cannot be asked: PUCS cannot be asked: /")


@pytest.mark.slow
def test_git_hooks_that_judge_nobody_are_told(session: Path, pucs: Pucs) -> None:
    """Missing, replaced, not executable, or without a program to call."""
    pucs.ok("install", "git", "--yes")
    hooks = Path(".git/hooks")
    (hooks / "pre-push").chmod(0o644)
    assert probed("git").found == "pre-push: does NOT block an agent"
    (hooks / "pre-push").unlink()
    assert probed("git").found == "pre-push: not there any more"
    pucs.ok("install", "git", "--yes")
    replaced(hooks / "commit-msg", "  pucs=/", "  pucs=/gone/")
    replaced(hooks / "commit-msg", "$(command -v pucs)", "$(command -v gone-pucs)")
    assert probed("git").found == "commit-msg: does NOT block an agent"


@pytest.mark.slow
def test_doctor_sums_up(session: Path, tmp_path: Path, pucs: Pucs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs with their versions, hooks, and whose have called in; an old program is wrong only where hooks rely on it."""
    old = tmp_path / "bin" / "claude"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho '1.0.2 (Claude Code)'\n", encoding="utf-8")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}:/usr/bin:/bin")
    assert {probe.found for probe in probes(site(open_repository(".")[0]))} == {"not installed"}
    found = {check["name"]: check for check in pucs.json("doctor", "--fix")}
    assert found["claude"]["ok"]
    assert found["claude"]["found"].startswith("1.0.2: Claude Code 1.0.2 is too old")
    assert found["codex"]["found"] == "not installed, or not on PATH"
    assert found["claude hooks"]["found"] == "not installed"
    assert found["claude calls"]["found"] == "none in this session yet"
    pucs.ok("install", "claude", "--yes")
    said = pucs("doctor", "--json")
    assert said.status == 1
    wrong = [check["name"] for check in json.loads(said.out) if not check["ok"]]
    assert wrong == ["claude"]
