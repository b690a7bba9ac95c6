"""The small shell file that installed hooks call: it asks ``pucs-hook``, and knows what to do when that is gone or fails.

Settings outlive installations. So they name this file, and pass where it is not there; this file names the installation.
It blocks only while a session is active, and only whoever installed it.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.core.errors import Refused
from pucs.hooks.installing_files import Write, read

if TYPE_CHECKING:
    from pucs.hooks.installing_files import Change

GUARD = "pucs/hook"
"""Where the file is, below git's common directory or the program's home."""
EDIT, TELL = "edit", "tell"
"""What it is called with: a failure stops the first, and is only told at the second."""
_CALLED = re.compile(rf"/{GUARD}'? (?:{EDIT}|{TELL})\b")
_OURS = b"# Put here by: pucs install "
_TEXT = """\
#!/bin/sh
# @NAME@ calls this at every step of its work.
@PUT@
#
#   hook edit    before it changes a file or runs a command: PUCS says no while somebody else holds the file
#   hook tell    at all other steps: PUCS takes note of what happened, and passes messages on
#
# While no session of PUCS is active in the repository, it does nothing. If PUCS is gone or fails during a session, it
# stops the edits of @WHOM@, and never holds up anybody else.

@FACTS@

# Agents that PUCS launches have hooks of their own.
[ -z "$PUCS_HOOKED" ] || exit 0

status=127
if @THERE@; then
    @ASK@
    status=$?
fi
[ $status -ne 0 ] || exit 0

# PUCS gave no answer. To @NAME@ status 1 is a remark, and 2 a no.
@IF_ANOTHER_USER@failed=1
[ "$1" != edit ] || failed=2
[ $status -ne 2 ] || exit $failed # it has said why itself
@ACTIVE@
[ -e "$active" ] || exit 0
@IF_ANOTHERS_SESSION@echo "PUCS cannot be asked: $hook ended with status $status, and a session is active here." \\
    "Install PUCS again. To work without it: rm @WAY_OUT@" >&2
exit $failed
"""
_NAMES = {"claude": "Claude Code", "codex": "Codex"}
_BESIDE = "active=${0%/*}/active # there while a session is active"
_OF_REPOSITORY = """\
common=$(git @PLACE@rev-parse --path-format=absolute --git-common-dir 2>/dev/null)
active=$common/pucs/active # there while a session is active"""


def guard_text(hook: str, program: str, *, user: int, everywhere: bool) -> str:
    """Return the file for one person (``user``: their number).

    ``everywhere``: it serves all repositories, and so looks for the one that it is called in; else it lies in its own.
    """
    return _filled({
        "NAME": _NAMES[program],
        "PUT": f"{_OURS.decode()}{program}. Taken out by: pucs uninstall {program}",
        "WHOM": "the person who installed it",
        "FACTS": f"hook={shlex.quote(hook)}\nuser={user} # who installed it",
        "THERE": '[ -r "$hook" ]',
        "ASK": f'sh "$hook" {program}',
        "IF_ANOTHER_USER": '[ "$(id -u)" = "$user" ] || exit 0 # colleagues go on\n',
        "ACTIVE": _OF_REPOSITORY.replace("@PLACE@", "") if everywhere else _BESIDE,
        "IF_ANOTHERS_SESSION": "",
        "WAY_OUT": "$0",
    })


def shared_guard_text() -> str:
    """Return the file for a plugin that many may share: it finds ``pucs-hook`` on PATH.

    Whoever has no such program is let through, except in a session that they started themselves.
    """
    return _filled({
        "NAME": _NAMES["claude"],
        "PUT": "# Part of the plugin PUCS.",
        "WHOM": "whoever started the session",
        "FACTS": "hook=pucs-hook # found on PATH",
        "THERE": 'command -v "$hook" >/dev/null',
        "ASK": '"$hook" claude',
        "IF_ANOTHER_USER": "",
        "ACTIVE": _OF_REPOSITORY.replace("@PLACE@", '-C "${CLAUDE_PROJECT_DIR:-.}" '),
        "IF_ANOTHERS_SESSION": '[ -O "$active" ] || exit 0 # it is a colleague\'s\n',
        "WAY_OUT": "$active",
    })


def _filled(parts: dict[str, str]) -> str:
    return re.sub("@([A-Z_]+)@", lambda found: parts[found[1]], _TEXT)


def command_line(guard: str, *, denies: bool) -> str:
    """Return the command of a hook; where its file is gone or belongs to somebody else it passes.

    ``denies``: its failure stops what the agent program is about to do.
    """
    place = shlex.quote(guard)
    return f"[ ! -r {place} ] || sh {place} {EDIT if denies else TELL}"


def calls_guard(command: str) -> bool:
    """Tell whether a command of a hook is one of ours."""
    return _CALLED.search(command) is not None


def guarding(path: Path, text: str) -> list[Change]:
    """Return the change that puts the file there, none if it is as it should be.

    Raises:
        Refused: there is something else, or settings cannot name the place.
    """
    if any("\ud800" <= character <= "\udfff" for character in str(path)):
        raise Refused(
            f"{str(path)!a} is not UTF-8, so that settings cannot name it; nothing was changed.",
            remedy="Rename the directory.",
        )
    before, after = read(path), text.encode("utf-8", "surrogateescape")
    if before is not None and _OURS not in before:
        raise Refused(
            f"{path} is there and is not ours; nothing was changed.",
            remedy="Move it away, then call this again.",
        )
    return [] if before == after else [Write(path=path, before=before, after=after, private=True)]


def unguarding(path: Path) -> list[Change]:
    """Return the change that takes the file away, none if there is none of ours."""
    before = read(path)
    ours = before is not None and _OURS in before
    return [Write(path=path, before=before, after=None, folder=True)] if ours else []
