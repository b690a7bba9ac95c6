"""Claude Code: how it is found, started with hooks of its own, and what it says (tried with ``TRIED``).

Each launch has its own settings file, so that nothing of the person's is changed and the agent is held to the locks from
its first call on. The session start hook is always a command, because Claude Code starts none of the type ``http``
there; and it is awaited before the first word is said, because one that fails does not keep Claude Code from working.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pucs.launch.programs import Found, Launch
from pucs.launch.programs.claude_talk import ClaudeTalk
from pucs.launch.programs.finding import found, version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pucs.launch.programs import Brief

OLDEST = (2, 1, 329)
"""First version known to stop a tool when its hook fails (``onFailure``); older ones would let the edit through."""
TRIED = (2, 1, 329)
"""Newest version that the project's tests were run with."""
DECISION_S = 60
"""Longest time of the decision about an edit, waits for the store included; then the edit is blocked."""
WORD_S = 30
"""Longest time of a hook that only tells."""
LEAVE_S = 5
"""Longest time of the hook at the end: the supervisor waits for the program no longer than twice that."""
ALLOWED = ("Bash", "mcp__pucs")
"""What may run unasked, beside edits in the worktree; the hooks judge each use, and a person's own denials still hold."""
WITHHELD = ("EnterWorktree", "ExitWorktree", "CronCreate", "ScheduleWakeup")
"""Tools that would take the agent out of its worktree, or wake it when nobody minds it any more."""
_HOOKS = {
    "SessionStart": WORD_S,
    "UserPromptSubmit": WORD_S,
    "PreToolUse": DECISION_S,
    "PostToolUse": WORD_S,
    "PostToolUseFailure": WORD_S,
    "Stop": WORD_S,
    "SessionEnd": LEAVE_S,
}
"""Every report, with the time for its answer; a tool that fails reports by ``PostToolUseFailure`` alone."""


class Claude:
    """Claude Code as a program that PUCS can launch."""

    name = "claude"
    resumable = True

    def look(self, environment: Mapping[str, str], executable: str = "") -> Found:
        """Find it and its version."""
        said = version(
            "Claude Code",
            executable or self.name,
            {**environment, "DISABLE_AUTOUPDATER": "1"},
            pattern=r"(\d+)\.(\d+)\.(\d+)",
            install="npm install -g @anthropic-ai/claude-code",
            setting="agents.programs.claude.executable",
        )
        return said if isinstance(said, Found) else judged(said)

    def launch(self, brief: Brief) -> Launch:
        """Write settings and MCP configuration for this launch and return how to start it."""
        settings = _written(brief, "claude-settings.json", _settings(brief))
        servers = _written(brief, "claude-mcp.json", {"mcpServers": {"pucs": _server(brief)}})
        conversation = brief.conversation or str(uuid.uuid4())
        argv = [
            found(brief.executable or self.name, brief.environment) or brief.executable or self.name,
            "-p",
            *("--input-format", "stream-json", "--output-format", "stream-json", "--verbose"),
            *("--permission-mode", "acceptEdits"),
            *("--settings", settings, "--mcp-config", servers, "--strict-mcp-config"),
            *("--resume" if brief.conversation else "--session-id", conversation),
            *(("--model", brief.model) if brief.model else ()),
            *brief.arguments,
        ]
        return Launch(
            argv=tuple(argv),
            env={
                "PUCS_HOOKED": "1",
                "PUCS_SECRET": brief.secret,
                "DISABLE_AUTOUPDATER": "1",
                # The end of a turn is the end of the work: nothing may go on behind it.
                "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
                **({"PUCS_ENDPOINT": brief.endpoint.url} if brief.endpoint is not None else {}),
            },
            conversation=ClaudeTalk(conversation, brief.prompt, brief.called_in),
        )


def judged(numbers: tuple[int, ...]) -> Found:
    """Return what a version is good for."""
    version = ".".join(map(str, numbers))
    if numbers < OLDEST:
        needed = ".".join(map(str, OLDEST))
        return Found(
            version=version,
            problem=f"Claude Code {version} is too old: before {needed} an edit goes through when its hook fails.",
            remedy="Update it: claude update",
        )
    tried = ".".join(map(str, TRIED))
    warning = f"Claude Code {version} is newer than {tried}, the newest one tried." if numbers > TRIED else ""
    return Found(version=version, warning=warning)


def _settings(brief: Brief) -> dict[str, Any]:
    hooks = {}
    for event, limit_s in _HOOKS.items():
        handler: dict[str, Any] = {"timeout": limit_s, "onFailure": "block"}
        if brief.endpoint is not None and event != "SessionStart":
            handler |= {
                "type": "http",
                "url": f"{brief.endpoint.url}/v1/hook/claude",
                "headers": _headers(brief),
            }
        else:
            handler |= {"type": "command", "command": shlex.join([*brief.hook, "claude", "--launched"])}
        matcher = {"matcher": "*"} if "ToolUse" in event else {}
        hooks[event] = [{**matcher, "hooks": [handler]}]
    return {
        "hooks": hooks,
        "disableAllHooks": False,
        "permissions": {"allow": list(ALLOWED), "deny": list(WITHHELD)},
    }


def _server(brief: Brief) -> dict[str, Any]:
    """Return where the agent's MCP tools are."""
    if brief.endpoint is not None:
        return {"type": "http", "url": f"{brief.endpoint.url}/mcp", "headers": _headers(brief)}
    known = {name: value for name, value in brief.environment.items() if name.startswith("PUCS_")}
    return {
        "type": "stdio",
        "command": sys.executable,
        "args": ["-P", "-m", "pucs", "mcp"],  # -P: a package called pucs in the worktree is not meant
        "env": {**known, "PUCS_AGENT": brief.agent, "PUCS_SECRET": brief.secret},
    }


def _headers(brief: Brief) -> dict[str, str]:
    return {"Authorization": f"Bearer {brief.secret}", "X-Pucs-Agent": brief.agent}


def _written(brief: Brief, name: str, content: dict[str, Any]) -> str:
    """Write a private file: it holds the agent's secret."""
    path = Path(brief.directory) / name
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as opened:
        json.dump(content, opened, indent=1)
    return str(path)
