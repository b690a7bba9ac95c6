"""Claude Code's settings: ``.claude/settings.local.json`` of the main checkout, which is personal and kept out of git.

Claude Code reads that file in the linked worktrees of a checkout, too. It carries no MCP servers, so that those are left
to one command of the person.
"""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pucs.core.errors import Refused
from pucs.hooks.installing_files import Change, Plan, Write, read, text_of
from pucs.hooks.installing_guard import (
    EDIT,
    GUARD,
    TELL,
    command_line,
    guard_text,
    guarding,
    unguarding,
)
from pucs.hooks.installing_settings import Groups, installed, ours, uninstalled

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.hooks.installing_site import Site

PROGRAM = "claude"
SETTINGS = ".claude/settings.local.json"
EDITORS = "Edit|MultiEdit|Write|NotebookEdit|Bash"
"""Tools that change files, or may."""
READERS = "Read"
"""Tools that show files: what was seen is noted, so that an edit of something older is noticed."""
DECISION_S = 60
"""Time of a decision, waits for the store's gate included; later the edit is blocked."""
WORD_S = 30
"""Time of everything that only tells."""
WHAT = (
    "What it does: in this repository your Claude Code asks PUCS before it changes a file or runs a command,\n"
    "and is told no while another agent holds the file. While no session of PUCS is active, nothing changes for you."
)
_IGNORED = "# pucs install claude"


def hooks(guard: str) -> Groups:
    """Return what is installed; ``guard``: the file that all of them call."""
    return _groups(lambda denies: command_line(guard, denies=denies))


def plugin_hooks() -> dict[str, Groups]:
    """Return ``hooks/hooks.json`` of the plugin (``plugins/claude``): the same, with the file that it brings along."""
    place = '"${CLAUDE_PLUGIN_ROOT}/hooks/hook"'
    return {"hooks": _groups(lambda denies: f"[ ! -r {place} ] || sh {place} {EDIT if denies else TELL}")}


def _groups(command: Callable[[bool], str]) -> Groups:
    """Return the groups of each event.

    Only a failure before an edit blocks: elsewhere it would swallow a prompt, keep a turn from ending or a file from
    being read.
    """
    edit: dict[str, Any] = {
        "type": "command",
        "command": command(True),  # noqa: FBT003 - it denies
        "timeout": DECISION_S,
        "onFailure": "block",
    }
    tell: dict[str, Any] = {"type": "command", "command": command(False), "timeout": WORD_S}  # noqa: FBT003
    every = f"{EDITORS}|{READERS}"
    return {
        "SessionStart": [{"hooks": [tell]}],
        "UserPromptSubmit": [{"hooks": [tell]}],
        "PreToolUse": [{"matcher": EDITORS, "hooks": [edit]}, {"matcher": READERS, "hooks": [tell]}],
        "PostToolUse": [{"matcher": every, "hooks": [tell]}],
        "PostToolUseFailure": [{"matcher": every, "hooks": [tell]}],
        "Stop": [{"hooks": [tell]}],
        "SessionEnd": [{"hooks": [tell]}],
    }


def install(site: Site) -> Plan:
    """Return what installing would change.

    Raises:
        Refused: the settings are committed, a symlink or read-only.
        ConfigurationError: they are no JSON, or something else than Claude Code's settings.
    """
    path = settings_file(site)
    if site.repository.tracks(SETTINGS):
        raise Refused(
            f"{path} is committed, so that its hooks would come to everybody who clones; nothing was changed.",
            remedy=f"Take it out of git first: git rm --cached {SETTINGS}",
        )
    before = read(path)
    guard = _guard(site)
    text = installed(text_of(path, before or b""), str(path), hooks(str(guard)))
    changes = guarding(guard, guard_text(site.hook, PROGRAM, user=os.getuid(), everywhere=False))
    if not site.repository.ignores(SETTINGS):
        changes += _exclude(site)
    if text.encode() != before:
        changes.append(Write(path=path, before=before, after=text.encode(), folder=True))
    return Plan(
        program=PROGRAM, what=WHAT, changes=tuple(changes), notes=_notes(site, text), next=_next(site)
    )


def uninstall(site: Site) -> Plan:
    """Return what uninstalling would change; see ``install`` for what can go wrong."""
    path = settings_file(site)
    before = read(path)
    changes: list[Change] = []
    if before is not None:
        left = uninstalled(text_of(path, before), str(path)).encode()
        if left != before:
            empty = json.loads(left) == {}
            changes.append(Write(path=path, before=before, after=None if empty else left, folder=True))
    changes += unguarding(_guard(site))
    return Plan(
        program=PROGRAM,
        what="What it does: Claude Code no longer asks PUCS in this repository.",
        changes=(*changes, *_exclude(site, back=True)),
        next=("If you added the MCP server: claude mcp remove pucs",) if changes else (),
    )


def commands(site: Site) -> list[tuple[str, str]]:
    """Return event and command line of every hook of ours that is installed."""
    path = settings_file(site)
    data = read(path)
    return ours(text_of(path, data), str(path)) if data is not None else []


def settings_file(site: Site) -> Path:
    """Return the file that is written.

    Raises:
        Refused: its directory is a symlink.
    """
    path = Path(site.repository.root, SETTINGS)
    if path.parent.is_symlink():
        raise Refused(
            f"{path.parent} is a symlink to {path.parent.readlink()}; nothing was changed.",
            remedy="Hooks written there would count elsewhere, too. Make it a directory of this checkout.",
        )
    return path


def _guard(site: Site) -> Path:
    return Path(site.repository.common_dir, GUARD)


def _exclude(site: Site, *, back: bool = False) -> list[Change]:
    """Return the change that keeps the settings out of git, or with ``back`` the one that takes it back."""
    path = Path(site.repository.common_dir, "info", "exclude")
    before = read(path)
    lines = (before or b"").decode("utf-8", "surrogateescape").splitlines(keepends=True)
    ours_at = [number for number, line in enumerate(lines) if line.strip() == _IGNORED]
    if back:
        gone = {place for number in ours_at for place in (number, number + 1)}
        after = "".join(line for number, line in enumerate(lines) if number not in gone)
    else:
        joint = "" if not lines or lines[-1].endswith("\n") else "\n"
        after = "".join(lines) + f"{joint}{_IGNORED}\n/{SETTINGS}\n"
    data = after.encode("utf-8", "surrogateescape")
    return (
        [Write(path=path, before=before, after=data or None, folder=True)] if data != (before or b"") else []
    )


def switched_off(site: Site, settings: str | None = None) -> Path | None:
    """Return the file that says that no hook runs, None if none does; ``settings`` stands for what the personal one says.

    The personal file counts before the shared one of the repository, and that before the one of the home directory.
    """
    home = os.environ.get("CLAUDE_CONFIG_DIR")
    user = Path(home) if home else Path.home() / ".claude"
    mine = Path(site.repository.root, SETTINGS)
    for path in (mine, mine.with_name("settings.json"), user / "settings.json"):
        try:
            text = settings if path == mine and settings is not None else path.read_text(encoding="utf-8")
            says = json.loads(text).get("disableAllHooks")
        except (OSError, ValueError, AttributeError):
            continue  # what cannot be read counts for nothing; what we write into is looked at with more care
        if isinstance(says, bool):
            return path if says else None
    return None


def _notes(site: Site, text: str) -> tuple[str, ...]:
    path = switched_off(site, text)
    return (f'No hook runs while {path} says "disableAllHooks": true.',) if path else ()


def _next(site: Site) -> tuple[str, ...]:
    mcp = shlex.join([site.pucs, "mcp"])
    return (
        "Start Claude Code anew in this repository: it reads its settings when it starts.",
        f"If it shall have PUCS's tools as well: claude mcp add --scope local pucs -- {mcp}",
        "See that the hooks block: pucs doctor",
    )
