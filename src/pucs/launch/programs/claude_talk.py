"""What Claude Code says and is told in one launch: lines of ``stream-json``, without any input or output of its own."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from pucs.agents.output import Broke, ChangedFile, ProgramEvent, Said, Spent, TurnEnded, UsedTool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

RETRIES_MAX = 8
"""Tries of one model call: with Claude Code's own growing pauses about two minutes, longer than a usual disturbance."""
REFUSALS_MAX = 2
"""The same for a login that the model's server refuses: it does not get better by waiting."""
NONSENSE_MAX = 100
"""Lines that are no ``stream-json`` before the program is given up: a few come from whatever runs beside it."""
ABOUT_LENGTH_MAX = 200
"""Longest description of a tool's use: one line for people."""
_LOGIN_ERRORS = frozenset({401, 403})
_ABOUT = ("file_path", "notebook_path", "command", "pattern", "path", "url", "query", "description", "prompt")


class ClaudeTalk:
    """One launch of Claude Code.

    Its first words wait until its hook has called in: the hook of a session's start runs before anything is said, and one
    that fails stops nothing.
    """

    def __init__(self, conversation: str, prompt: str, called_in: Callable[[], bool]) -> None:
        """Begin with a prompt; ``called_in`` tells whether the hook has."""
        self.id = conversation
        self.enforced = False
        self._called_in = called_in
        self._prompts = [prompt]
        self._controls: list[dict[str, Any]] = []
        self._at_work = False
        self._interrupted = False
        self._starting = 0
        """Hooks of the session's start that are under way."""
        self._hook_errors: list[str] = []
        self._blocked = ""
        """Why a prompt was not even given to the model."""
        self._nonsense = 0

    def outgoing(self) -> bytes:
        """Return what is to be written now; prompts only once the hook has called in."""
        lines, self._controls = self._controls, []
        if self._prompts and not self.enforced:
            self.enforced = self._called_in()
        if self._prompts and self.enforced:
            lines += [
                {"type": "user", "message": {"role": "user", "content": text}} for text in self._prompts
            ]
            self._prompts.clear()
            self._at_work = True
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    def tell(self, text: str) -> None:
        """Say something more."""
        self._prompts.append(text)

    def interrupt(self) -> None:
        """End the turn under way."""
        self._interrupted = True
        if not self._at_work:
            self._prompts.clear()
        request = {"subtype": "interrupt"}
        self._controls.append({"type": "control_request", "request_id": "pucs-interrupt", "request": request})

    def receive(self, line: bytes) -> Sequence[ProgramEvent]:
        """Take one line of its output."""
        try:
            said = json.loads(line)
            return list(self._heard(said, str(said.get("type", ""))))
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError):
            self._nonsense += 1
            if self._nonsense > NONSENSE_MAX:
                return [Broke("what it says is not stream-json")]
            return [Said(f"(not understood: {line[:ABOUT_LENGTH_MAX].decode('utf-8', 'replace')})")]

    def _heard(self, said: dict[str, Any], kind: str) -> Iterator[ProgramEvent]:
        match kind:
            case "system":
                yield from self._system(said, str(said.get("subtype", "")))
            case "assistant":
                for block in _blocks(said):
                    if block["type"] == "text":
                        yield Said(str(block["text"]))
                    elif block["type"] == "tool_use":
                        yield UsedTool(str(block["name"]), _about(block["input"]))
            case "user":
                yield from _answers(said)
            case "result":
                yield from self._result(said)
            case "control_response":
                if self._interrupted and not self._at_work:  # it had nothing to do anyway
                    self._interrupted = False
                    yield TurnEnded(interrupted=True)

    def _system(self, said: dict[str, Any], kind: str) -> Iterator[ProgramEvent]:
        if kind == "init":
            for server in said.get("mcp_servers", ()):
                if server["status"] not in {"connected", "pending"}:
                    yield Said(f"(its MCP server {server['name']}: {server['status']})")
        elif kind == "api_retry":
            status = said.get("error_status")
            tries_max = REFUSALS_MAX if status in _LOGIN_ERRORS else RETRIES_MAX
            what = f"the model's server answers {said.get('error')} ({status})"
            if said["attempt"] >= tries_max:
                login = "; is it logged in, or its key valid?" if status in _LOGIN_ERRORS else ""
                yield Broke(f"{what}, {said['attempt']} times{login}")
            else:
                yield Said(f"({what})")
        elif kind in {"hook_started", "hook_response"} and said.get("hook_event") == "SessionStart":
            yield from self._starts(said, over=kind == "hook_response")
        elif kind == "informational" and said.get("prevent_continuation"):
            self._blocked = str(said["content"])

    def _starts(self, said: dict[str, Any], *, over: bool) -> Iterator[ProgramEvent]:
        self._starting += -1 if over else 1
        if over and said.get("outcome") != "success":
            self._hook_errors.append(str(said.get("output", "")).strip())
        if over and self._starting == 0 and not self.enforced:
            self.enforced = self._called_in()
            if not self.enforced:
                why = "; ".join(filter(None, self._hook_errors))
                yield Broke(f"its hooks did not call in{': ' if why else ''}{why}")

    def _result(self, said: dict[str, Any]) -> Iterator[ProgramEvent]:
        yield _spent(said)
        self._at_work = False
        text = str(said.get("result") or "")
        interrupted, self._interrupted = self._interrupted, False
        if self._blocked and not said.get("num_turns") and not interrupted:
            yield Broke(self._blocked)
        elif interrupted or said.get("terminal_reason") == "hook_stopped":
            yield TurnEnded(text=text, interrupted=True)
        elif said.get("is_error"):
            yield Broke(text or "; ".join(map(str, said.get("errors") or ())) or str(said.get("subtype")))
        else:
            yield TurnEnded(text=text)


def _spent(said: dict[str, Any]) -> Spent:
    """Return what the conversation cost so far: Claude Code counts by model, on from a resume."""
    models = list(said.get("modelUsage", {}).values())

    def total(*names: str) -> int:
        return sum(int(model.get(name) or 0) for model in models for name in names)

    cost = float(said.get("total_cost_usd") or 0)
    return Spent(
        input_tokens=total("inputTokens", "cacheCreationInputTokens"),
        cached_tokens=total("cacheReadInputTokens"),
        output_tokens=total("outputTokens"),
        cost_usd=cost if math.isfinite(cost) else None,
    )


def _answers(said: dict[str, Any]) -> Iterator[ProgramEvent]:
    """Return what came of tools: files that were written, and refusals."""
    result = said.get("tool_use_result")
    if isinstance(result, dict) and result.get("filePath") and ("structuredPatch" in result):
        yield ChangedFile(str(result["filePath"]))
    for block in _blocks(said):
        if block["type"] == "tool_result" and block.get("is_error"):
            content = block.get("content")
            text = content if isinstance(content, str) else json.dumps(content)
            yield Said(f"(refused or failed: {text})")


def _blocks(said: dict[str, Any]) -> list[dict[str, Any]]:
    content = said["message"]["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _about(given: dict[str, Any]) -> str:
    """Return the most telling argument of a tool, in one line."""
    text = next((str(given[name]) for name in _ABOUT if given.get(name)), "")
    return " ".join(text.split())[:ABOUT_LENGTH_MAX]
