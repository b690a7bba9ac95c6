"""Codex's hooks: ``hooks.json`` in ``$CODEX_HOME``, which is the person's own and counts in all repositories.

Where no session is active the hook ends at once. Codex runs no hook that the person has not trusted, without saying so;
only the conversations that have called in tell.
"""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.hooks.installing_files import Change, Plan, Write, read, text_of
from pucs.hooks.installing_guard import GUARD, command_line, guard_text, guarding, unguarding
from pucs.hooks.installing_settings import Groups, installed, ours, uninstalled

if TYPE_CHECKING:
    from pucs.hooks.installing_site import Site

PROGRAM = "codex"
HOOKS = "hooks.json"
TOOLS = "apply_patch|Bash"
"""Codex's names of its tools that change files."""
DECISION_S = 60
"""Time of a decision; Codex lets an edit go on when it is over, so the hook itself ends long before."""
WORD_S = 30
"""Time of everything that only tells."""
WHAT = (
    "What it does: in all repositories your Codex asks PUCS before it changes a file or runs a command,\n"
    "and is told no while another agent holds the file. Where no session of PUCS is active, nothing changes for you."
)
_EVENTS = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "SessionEnd")


def hooks(guard: str) -> Groups:
    """Return what is installed; ``guard``: the file that all of them call.

    Codex knows no ``onFailure`` and one hook of another type makes the whole file count for nothing, so that file
    turns each failure before a tool into the exit status that stops it.
    """
    wanted: Groups = {}
    for event in _EVENTS:
        denies = event == "PreToolUse"
        handler = {
            "type": "command",
            "command": command_line(guard, denies=denies),
            "timeout": DECISION_S if denies else WORD_S,
        }
        matcher = {"matcher": TOOLS} if event in {"PreToolUse", "PostToolUse"} else {}
        wanted[event] = [{**matcher, "hooks": [handler]}]
    return wanted


def install(site: Site) -> Plan:
    """Return what installing would change.

    Raises:
        Refused: the file is a symlink or read-only.
        ConfigurationError: it is no JSON, or something else than Codex's hooks.
    """
    path = settings_file(site)
    before = read(path)
    guard = path.parent / GUARD
    text = installed(text_of(path, before or b""), str(path), hooks(str(guard)))
    changes = guarding(guard, guard_text(site.hook, PROGRAM, user=os.getuid(), everywhere=True))
    if text.encode() != before:
        changes.append(Write(path=path, before=before, after=text.encode()))
    return Plan(
        program=PROGRAM,
        what=WHAT,
        changes=tuple(changes),
        next=(
            "Start Codex and trust the hooks with /hooks: until then it skips them without a word.",
            f"If it shall have PUCS's tools as well: codex mcp add pucs -- {shlex.join([site.pucs, 'mcp'])}",
            "See that the hooks block, and whether they have called in: pucs doctor",
        ),
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
            changes.append(Write(path=path, before=before, after=None if empty else left))
    changes += unguarding(path.parent / GUARD)
    return Plan(
        program=PROGRAM,
        what="What it does: Codex no longer asks PUCS, in any repository.",
        changes=tuple(changes),
        next=("If you added the MCP server: codex mcp remove pucs",) if changes else (),
    )


def commands(site: Site) -> list[tuple[str, str]]:
    """Return event and command line of every hook of ours that is installed."""
    path = settings_file(site)
    data = read(path)
    return ours(text_of(path, data), str(path)) if data is not None else []


def settings_file(site: Site) -> Path:
    """Return the file that is written."""
    del site
    home = os.environ.get("CODEX_HOME")
    return Path(home).absolute() / HOOKS if home else Path.home() / ".codex" / HOOKS
