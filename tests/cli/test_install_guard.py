"""The file that installed hooks call: it blocks where it has to, and nobody else ever, whatever has become of PUCS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pucs.core.errors import Refused
from pucs.hooks.installing_claude import plugin_hooks
from pucs.hooks.installing_guard import calls_guard, command_line, guard_text, guarding, shared_guard_text

if TYPE_CHECKING:
    from tests.cli.conftest import Pucs

pytestmark = [pytest.mark.git, pytest.mark.process]
WRITE = "PUCS_WRITE" in os.environ  # asked when this is loaded: tests do without such variables
SHELLS = [shell for shell in ("sh", "bash", "dash", "zsh", "fish") if shutil.which(shell)]


def active(shop: Path) -> Path:
    """Let a session seem to be active."""
    marker = shop / ".git" / "pucs" / "active"
    marker.parent.mkdir(exist_ok=True)
    marker.touch()
    return marker


def hook_of(tmp_path: Path, text: str) -> str:
    path = tmp_path / "pucs-hook"
    path.write_text(text, encoding="utf-8")
    return str(path)


def guard_of(place: Path, hook: str, *, user: int | None = None, everywhere: bool = False) -> str:
    """Write the file as it is installed, and return where it is."""
    path = place / "pucs" / "hook"
    path.parent.mkdir(parents=True, exist_ok=True)
    asked_by = os.getuid() if user is None else user
    text = guard_text(hook, "codex" if everywhere else "claude", user=asked_by, everywhere=everywhere)
    path.write_text(text, encoding="utf-8")
    return str(path)


def called(
    command: str, where: Path, shell: str = "sh", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a hook's command as its program does."""
    environment = {key: value for key, value in os.environ.items() if key != "PUCS_HOOKED"} | variables
    return subprocess.run(
        [shell, "-c", command], cwd=where, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("script", "where", "status"),
    [
        ("exit 0", "a session", 0),
        ("exit 2", "a session", 2),
        ("exit 2", "no session", 2),
        ("exit 1", "a session", 2),
        ("exit 1", "no session", 0),
        ("exec /gone/python", "a session", 2),
        ("exec /gone/python", "no session", 0),
        ("", "a session", 2),
        ("", "no session", 0),
        ("", "a colleague's session", 0),
        ("exit 2", "a colleague's session", 0),
        ("exec /gone/python", "a colleague's session", 0),
    ],
)
def test_a_hook_blocks_where_it_has_to_and_nowhere_else(
    shop: Path, tmp_path: Path, script: str, where: str, status: int
) -> None:
    """A missing or failing hook blocks whoever installed it while a session is active, and nobody else ever."""
    hook = hook_of(tmp_path, script) if script else str(tmp_path / "gone")
    user = os.getuid() + (1 if "colleague" in where else 0)
    if where != "no session":
        active(shop)
    (shop / "app" / "deep").mkdir()
    for everywhere in (False, True):
        place = tmp_path / "codex" if everywhere else shop / ".git"
        guard = guard_of(place, hook, user=user, everywhere=everywhere)
        ended = called(command_line(guard, denies=True), shop / "app" / "deep")
        assert ended.returncode == status, ended.stderr
        told = f"To work without it: rm {guard}" in ended.stderr
        assert told is (status == 2 and script != "exit 2")


def test_what_only_tells_never_blocks(shop: Path, tmp_path: Path) -> None:
    """Elsewhere a failure is told, not taken for a no: a turn can end, a file be read, and no prompt is lost."""
    active(shop)
    for script in ("exit 2", "exit 7", ""):
        hook = hook_of(tmp_path, script) if script else str(tmp_path / "gone")
        guard = guard_of(shop / ".git", hook)
        assert called(command_line(guard, denies=False), shop).returncode == 1


def test_a_launched_agent_depends_on_no_installation(shop: Path) -> None:
    """It has hooks of its own; what a person installed once, and is gone, does not block it."""
    active(shop)
    command = command_line(guard_of(shop / ".git", "/gone/pucs-hook"), denies=True)
    assert called(command, shop).returncode == 2
    assert called(command, shop, PUCS_HOOKED="1").returncode == 0


@pytest.mark.parametrize("shell", SHELLS)
def test_a_file_that_is_gone_lets_pass(shop: Path, tmp_path: Path, shell: str) -> None:
    """Whoever takes PUCS's directory out of the repository is rid of it, whatever their settings still say."""
    active(shop)
    command = command_line(guard_of(shop / ".git", str(tmp_path / "gone")), denies=True)
    assert called(command, shop, shell).returncode == 2
    shutil.rmtree(shop / ".git" / "pucs")
    ended = called(command, shop, shell)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_of_somebody_else_lets_pass(shop: Path, tmp_path: Path) -> None:
    """What a colleague may not even read cannot block them."""
    active(shop)
    guard = guard_of(shop / ".git", str(tmp_path / "gone"))
    Path(guard).chmod(0)
    assert called(command_line(guard, denies=True), shop).returncode == 0


@pytest.mark.parametrize("shell", SHELLS)
def test_a_command_survives_any_shell(tmp_path: Path, shell: str) -> None:
    """Blanks and quotes in the places of repository and installation reach the hook as they are; ours stays recognised."""
    place = tmp_path / 'it\'s "here" $HOME'
    place.mkdir()
    hook = hook_of(place, 'printf %s "$0|$1"')
    command = command_line(guard_of(place, hook), denies=True)
    assert called(command, tmp_path, shell).stdout == f"{hook}|claude"
    assert calls_guard(command)


def test_a_command_is_short(tmp_path: Path) -> None:
    """A person reads it eight times before they agree to it."""
    command = command_line("/home/anna/projects/shop/.git/pucs/hook", denies=True)
    assert command == (
        "[ ! -r /home/anna/projects/shop/.git/pucs/hook ] || sh /home/anna/projects/shop/.git/pucs/hook edit"
    )
    text = guard_text("/opt/pucs/bin/pucs-hook", "codex", user=1000, everywhere=True)
    assert max(len(line) for line in text.splitlines()) <= 120


def test_it_is_put_where_nobody_else_looks(shop: Path, pucs: Pucs) -> None:
    """A directory that was not there is made for its owner alone, as sessions make it."""
    assert not Path(".git/pucs").exists()
    pucs.ok("install", "claude", "--yes")
    assert Path(".git/pucs").stat().st_mode & 0o777 == 0o700


def test_a_file_that_is_not_ours_stays(shop: Path, pucs: Pucs) -> None:
    """What somebody else has put there is neither replaced nor taken away."""
    Path(".git/pucs").mkdir()
    Path(".git/pucs/hook").write_text("#!/bin/sh\n", encoding="utf-8")
    assert "is there and is not ours" in pucs("install", "claude", "--yes").err
    assert not Path(".claude").exists()
    assert "Nothing is to be changed." in pucs.ok("uninstall", "claude", "--yes")
    assert Path(".git/pucs/hook").read_text(encoding="utf-8") == "#!/bin/sh\n"


def test_a_place_that_settings_cannot_name_is_refused(tmp_path: Path) -> None:
    """JSON is UTF-8; names of directories need not be."""
    with pytest.raises(Refused, match="not UTF-8"):
        guarding(tmp_path / "caf\udce9" / "pucs" / "hook", "")
    assert guarding(tmp_path / "café" / "pucs" / "hook", "")


@pytest.mark.slow
def test_an_installation_elsewhere_changes_only_this_file(shop: Path, pucs: Pucs) -> None:
    """After an update of PUCS the settings, and the trust that a person has put in them, stay as they are."""
    pucs.ok("install", "claude", "--yes")
    guard = Path(".git/pucs/hook")
    right = guard.read_text(encoding="utf-8")
    guard.write_text(right.replace("hook=/", "hook=/older/"), encoding="utf-8")
    said = pucs.ok("install", "claude", "--yes")
    assert f"+++ {guard.absolute()}" in said
    assert "settings.local.json" not in said
    assert guard.read_text(encoding="utf-8") == right


def test_the_plugin_has_the_hooks_that_are_installed(project: Path) -> None:
    """Its files are made from the same groups and the same text: PUCS_WRITE=1 writes them anew."""
    folder = project / "plugins" / "claude" / "hooks"
    made = {"hooks.json": json.dumps(plugin_hooks(), indent=2) + "\n", "hook": shared_guard_text()}
    for name, text in made.items():
        if WRITE:
            (folder / name).write_text(text, encoding="utf-8")
        assert (folder / name).read_text(encoding="utf-8") == text


def plugin_called(shop: Path, project: Path) -> subprocess.CompletedProcess[str]:
    """Run the plugin's hook before an edit, where no program of PUCS is on PATH."""
    edits = plugin_hooks()["hooks"]["PreToolUse"][0]["hooks"][0]
    return called(
        edits["command"], shop, PATH="/usr/bin:/bin", CLAUDE_PLUGIN_ROOT=str(project / "plugins" / "claude")
    )


@pytest.mark.parametrize(("session", "status"), [("none", 0), ("mine", 2)])
def test_the_plugin_lets_pass_who_has_no_pucs(shop: Path, project: Path, session: str, status: int) -> None:
    """Without the program on PATH an edit is blocked only in a session that one started oneself."""
    if session == "mine":
        active(shop)
    assert plugin_called(shop, project).returncode == status


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_plugin_lets_a_colleague_pass(shop: Path, project: Path) -> None:
    """The session of somebody else does not block whoever has no PUCS."""
    os.chown(active(shop), 12345, 12345)
    assert plugin_called(shop, project).returncode == 0
