"""Hooks of Claude Code's settings, called as the program calls them: measured at version 2.1.329."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TIMEOUT_S = 60.0
"""What the program gives a hook that names no time of its own."""

_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What all hooks of one event say together."""

    denied: str = ""
    """Why the tool must not run, or the turn not end; empty: nobody minds."""
    failed: str = ""
    """What went wrong with a hook, whether that blocks or not."""
    stops: bool = False
    """The turn ends here."""
    context: tuple[str, ...] = ()
    """What the model is told besides."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the tool that a hook gave it instead."""


class Hooks:
    """The hooks of a conversation."""

    def __init__(self, settings: Iterable[Mapping[str, Any]], cwd: Path) -> None:
        """Take settings, each as read from its file; the hooks of all of them are called."""
        self._groups: dict[str, list[Mapping[str, Any]]] = {}
        self._cwd = cwd
        for one in settings:
            for event, groups in one.get("hooks", {}).items():
                self._groups.setdefault(event, []).extend(groups)

    def call(self, event: str, payload: Mapping[str, Any]) -> Verdict:
        """Call every hook of an event that fits, and sum up what they say."""
        tool = str(payload.get("tool_name", ""))
        said = Verdict()
        for group in self._groups.get(event, ()):
            if tool and not _fits(str(group.get("matcher", "")), tool):
                continue
            for hook in group.get("hooks", ()):
                if hook.get("type") == "http" and event == "SessionStart":
                    continue  # the program does not call it there
                said = _together(said, self._ask(event, hook, {**payload, "hook_event_name": event}))
        return said

    def _ask(self, event: str, hook: Mapping[str, Any], payload: Mapping[str, Any]) -> Verdict:
        body = json.dumps(payload).encode()
        limit_s = float(hook.get("timeout", TIMEOUT_S))
        try:
            answer = (
                _post(hook, body, limit_s) if hook.get("type") == "http" else self._run(hook, body, limit_s)
            )
        except _Blocked as blocked:
            return Verdict(denied=str(blocked), failed=str(blocked))
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            if hook.get("onFailure") == "block":
                return Verdict(
                    denied=f'hook failed; blocking because onFailure is "block": {error}', failed=str(error)
                )
            return Verdict(failed=str(error))
        return _verdict(event, answer)

    def _run(self, hook: Mapping[str, Any], body: bytes, limit_s: float) -> Mapping[str, Any]:
        command, more = str(hook["command"]), hook.get("args")
        call = ["/bin/sh", "-c", command] if more is None else [command, *more]
        environment = {**os.environ, "CLAUDE_PROJECT_DIR": str(self._cwd)}
        done = subprocess.run(
            call,
            input=body,
            capture_output=True,
            cwd=self._cwd,
            env=environment,
            timeout=limit_s,
            check=False,
        )
        if done.returncode == 2:  # noqa: PLR2004 - the program's own sign for "block"
            raise _Blocked(done.stderr.decode(errors="replace").strip() or "No stderr output")
        done.check_returncode()
        output = done.stdout.strip()
        # Words that are no JSON are no answer; only at the beginning of a conversation are they context.
        return _object(output) if output.startswith(b"{") else {"plain": output.decode(errors="replace")}


class _Blocked(Exception):
    """A hook ended with status 2."""


def read_settings(cwd: Path, given: str) -> list[Mapping[str, Any]]:
    """Return the settings that count: of the person, of the project, of the launch (a file, or JSON itself).

    Raises:
        ValueError: when one of them is no JSON object.
    """
    home = Path(os.environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude")
    files = [
        home / "settings.json",
        *(cwd / ".claude" / name for name in ("settings.json", "settings.local.json")),
    ]
    texts = [file.read_bytes() for file in files if file.is_file()]
    if given:
        texts.append(given.encode() if given.lstrip().startswith("{") else Path(given).read_bytes())
    return [_object(text) for text in texts]


def _post(hook: Mapping[str, Any], body: bytes, limit_s: float) -> Mapping[str, Any]:
    seen = {name: os.environ.get(name, "") for name in hook.get("allowedEnvVars", ())}
    headers = {
        name: _VARIABLE.sub(lambda found: seen.get(found[1], ""), str(value))
        for name, value in hook.get("headers", {}).items()
    }
    url = str(hook["url"])
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})  # noqa: S310 - the settings' own address
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        request, timeout=limit_s
    ) as answer:
        return _object(answer.read() or b"{}")


def _verdict(event: str, answer: Mapping[str, Any]) -> Verdict:
    """Read one hook's answer."""
    special = answer.get("hookSpecificOutput") or {}
    denied = ""
    if special.get("permissionDecision") in {"deny", "ask"}:  # nobody can be asked here
        denied = str(special.get("permissionDecisionReason") or "denied")
    elif answer.get("decision") == "block":
        denied = str(answer.get("reason") or "blocked")
    context = [str(special.get("additionalContext") or "")]
    if event in {"SessionStart", "UserPromptSubmit"}:
        context.append(str(answer.get("plain", "")))
    return Verdict(
        denied=denied,
        stops=answer.get("continue") is False,
        context=tuple(text for text in context if text),
        arguments=special.get("updatedInput") or {},
    )


def _together(one: Verdict, other: Verdict) -> Verdict:
    return Verdict(
        denied=one.denied or other.denied,
        failed=one.failed or other.failed,
        stops=one.stops or other.stops,
        context=(*one.context, *other.context),
        arguments={**one.arguments, **other.arguments},
    )


def _fits(matcher: str, tool: str) -> bool:
    return matcher in {"", "*"} or re.fullmatch(matcher, tool) is not None


def _object(text: bytes) -> Mapping[str, Any]:
    read = json.loads(text)
    if not isinstance(read, Mapping):
        raise ValueError("the answer is no JSON object")  # noqa: TRY004 - it comes from outside
    return read
