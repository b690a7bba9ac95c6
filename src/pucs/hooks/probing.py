"""Whether installed hooks really block: each is run as its program would run it, with a call that has to be refused.

The call names no conversation, so that it is refused before anything is registered or written.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pucs.core.errors import PucsError
from pucs.hooks import installing_claude, installing_codex, installing_git

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pucs.hooks.installing_site import Site

LIMIT_S = 60.0
"""Longest time of one probe: what the programs allow the hook."""
_WORDS_MAX = 300
"""Characters of a hook's own words that are shown."""
_IDENTITY = ("PUCS_AGENT", "PUCS_SECRET", "PUCS_HOOKED", "PUCS_LAUNCH")
_BLOCKED = 2
_PROGRAMS = {"claude": installing_claude, "codex": installing_codex}
_REPORTS: dict[str, dict[str, Any]] = {
    "claude": {
        "tool_name": "Edit",
        "tool_input": {"file_path": ".git/config", "old_string": "", "new_string": ""},
    },
    "codex": {
        "tool_name": "apply_patch",
        "tool_input": {"command": "*** Begin Patch\n*** Delete File: .git/config\n*** End Patch\n"},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a probe of one front showed."""

    front: str
    """``claude hooks``, ``git hooks`` and so on."""
    ok: bool
    """False: it is installed and does not do what it is there for."""
    found: str
    remedy: str = ""
    installed: bool = True


def probes(site: Site) -> Iterator[Probe]:
    """Run what is installed for each program and for git, one result each."""
    for program in _PROGRAMS:
        yield _tried(f"{program} hooks", lambda program=program: _of_program(site, program))
    yield _tried("git hooks", lambda: _of_git(site))


def is_active(site: Site) -> bool:
    """Tell whether hooks take a session for active here."""
    return Path(site.repository.common_dir, "pucs", "active").exists()


def _tried(front: str, probe: Any) -> Probe:
    try:
        found: Probe = probe()
    except PucsError as error:
        return Probe(front=front, ok=False, found=error.message, remedy=error.remedy)
    return found


def _of_program(site: Site, program: str) -> Probe:
    front, kind = f"{program} hooks", _PROGRAMS[program]
    commands = kind.commands(site)
    if not commands:
        return Probe(front=front, ok=True, found="not installed", installed=False)
    again = f"Install them again: pucs install {program}"
    off = installing_claude.switched_off(site) if program == installing_claude.PROGRAM else None
    if off is not None:
        again = f'Take "disableAllHooks" out of {off}'
        problem = "does NOT block: no hook runs, for the settings say so"
    elif (command := dict(reversed(commands)).get("PreToolUse")) is None:
        problem = "does NOT block: there is none before a tool"
    else:
        problem = _unblocked(site, program, command)
    if problem:
        return Probe(front=front, ok=False, found=problem, remedy=again)
    if kind.install(site).changes:
        return Probe(
            front=front, ok=False, found="blocks, but is not what this version installs", remedy=again
        )
    where = "" if is_active(site) else "; tried aside, for no session is active here"
    return Probe(front=front, ok=True, found=f"blocks{where}")


def _unblocked(site: Site, program: str, command: str) -> str:
    """Return what is wrong with a hook that has to refuse this and nothing else; empty: it does.

    Without a session it lets everything pass; then it is tried in a place that looks like a repository with one, where it
    can ask nobody and so has to block.
    """
    if is_active(site):
        status, out, err = _call(site.repository.root, program, command)
        words = _reason(out) if status == 0 else err if status == _BLOCKED else ""
        if "could not be asked" in words or "cannot be asked" in words:
            return f"stops every edit, for PUCS cannot be asked: {_short(words)}"
        blocks = bool(words)
    else:
        with tempfile.TemporaryDirectory(prefix="pucs-probe-") as aside:
            folder = Path(aside, ".git", "pucs")
            folder.mkdir(parents=True)
            (folder.parent / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
            (folder / "active").touch()
            status, out, err = _call(aside, program, command)
        blocks = status == _BLOCKED or bool(_reason(out))
    return "" if blocks else f"does NOT block: status {status} {_short(err or out)}".rstrip()


def _call(place: str, program: str, command: str) -> tuple[int, str, str]:
    """Run a hook's command line in a repository as its program would before an edit of git's own files."""
    report = {
        "session_id": "",
        "transcript_path": "",
        "cwd": place,
        "hook_event_name": "PreToolUse",
        "permission_mode": "default",
        **_REPORTS[program],
    }
    return _run(["/bin/sh", "-c", command], place, json.dumps(report), CLAUDE_PROJECT_DIR=place)


def _short(words: str) -> str:
    return " ".join(words.split())[:_WORDS_MAX]


def _reason(out: str) -> str:
    """Return the reason of a denial, empty if it is none."""
    try:
        answer = json.loads(out)["hookSpecificOutput"]
    except (ValueError, TypeError, KeyError):
        return ""
    denied = isinstance(answer, dict) and answer.get("permissionDecision") == "deny"
    return str(answer.get("permissionDecisionReason") or "denied") if denied else ""


def _of_git(site: Site) -> Probe:
    hooks = installing_git.installed(site)
    again = "Install them again: pucs install git"
    if not hooks:
        return Probe(front="git hooks", ok=True, found="not installed", installed=False)
    there = {path.name.partition(".")[0] for path in hooks}
    missing = [name for name in installing_git.NAMES if name not in there]
    if missing:
        return Probe(
            front="git hooks", ok=False, found=f"{', '.join(missing)}: not there any more", remedy=again
        )
    open_ones = [path.name for path in hooks if not _git_hook_blocks(site, path)]
    if open_ones:
        found = f"{', '.join(open_ones)}: does NOT block an agent"
        return Probe(front="git hooks", ok=False, found=found, remedy=again)
    return Probe(front="git hooks", ok=True, found=f"block agents ({', '.join(installing_git.NAMES)})")


def _git_hook_blocks(site: Site, path: Path) -> bool:
    """Run one hook as git would for an agent's commit or push that has to be refused; hooks of others are left out."""
    if not os.access(path, os.X_OK):
        return False
    refs = f"refs/heads/pucs/probe {'1' * 40} refs/heads/pucs/probe {'0' * 40}\n"
    with tempfile.NamedTemporaryFile("w", prefix="pucs-probe-") as message:
        message.write("no message of the protocol\n")
        message.flush()
        arguments = {"commit-msg": [message.name], "pre-push": ["probe", "probe"]}
        status, _, _ = _run(
            [str(path), *arguments.get(path.name.partition(".")[0], [])],
            site.repository.root,
            refs,
            PUCS_PROBE="1",
        )
    return status == 1


def _run(command: list[str], place: str, given: str, **variables: str) -> tuple[int, str, str]:
    """Run a hook with the environment of a person, and return status, output and error output; late is no answer."""
    environment = {key: value for key, value in os.environ.items() if key not in _IDENTITY}
    environment.pop("PUCS_PUSH", None)
    try:
        ended = subprocess.run(
            command,
            cwd=place,
            env=environment | variables,
            input=given,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1, "", f"no answer within {LIMIT_S:.0f} s"
    except OSError as error:
        return -1, "", str(error.strerror)
    return ended.returncode, ended.stdout, ended.stderr
