"""A scripted agent program that behaves like Claude Code towards hooks and whoever launched it, without any model.

Tests put it into a directory of PATH under the name ``claude`` (``shim``). It reads user lines from standard input, follows
the script of the file ``HOOK_AGENT_PLAN`` (see ``pucs.testing.scripts``) with real file operations, calls the hooks of
its settings before and after each of them exactly like the program, and reports in the program's own lines.

The plan is a script, or an object of scripts: the first whose name is the agent's (``PUCS_AGENT``) or stands in the first
prompt is followed, one named ``""`` by everybody else. On top of the words of scripts there are ``{"append": PATH,
"text": T}``, ``{"replace": ...}`` for ``edit``, and ``"expect_denied": T`` beside a tool: the program fails unless the call
is refused with ``T`` in the reason. A conversation that is resumed goes on after the last step it has done.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import shlex
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pucs.testing import scripts
from pucs.testing.hook_calls import Hooks, Verdict, read_settings

VERSION = "2.1.329 (Claude Code)"
PLAN = "HOOK_AGENT_PLAN"
"""Not ``PUCS_…``: nothing of that name reaches an agent from outside."""
MODEL = "scripted-model"
TURN_USD = 0.001
"""What one turn of the model costs."""
INPUT_TOKENS = 100
OUTPUT_TOKENS = 20
RETRIES = 10
"""How often the program tries to reach its model."""
SHELL_LIMIT_S = 60.0
"""A shell command of a script that takes longer hangs."""

_VALUED = frozenset(
    {
        "--settings",
        "--session-id",
        "--resume",
        "--input-format",
        "--output-format",
        "--permission-mode",
        "--model",
    }
    | {"--permission-prompt-tool", "--mcp-config", "--allowedTools", "--plugin-dir", "--append-system-prompt"}
)
"""Flags that are followed by a value."""


class Failed(Exception):
    """The script says that something else should have happened."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a tool."""

    text: str
    failed: bool = False
    stops: bool = False
    """A hook ended the turn."""


@dataclass(slots=True, kw_only=True)
class History:
    """What a conversation has seen so far, kept beside it on disk."""

    path: Path
    sights: list[str] = field(default_factory=list)
    turns: int = 0

    def save(self) -> None:
        """Write it whole, so that a kill at any moment leaves the old or the new one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps({"sights": self.sights, "turns": self.turns}), encoding="utf-8")
        fresh.replace(self.path)

    def load(self) -> None:
        """Read it back."""
        kept = json.loads(self.path.read_text(encoding="utf-8"))
        self.sights, self.turns = kept["sights"], kept["turns"]


class Agent:
    """One run of the program."""

    def __init__(self, options: Mapping[str, str]) -> None:
        """Begin a conversation or take one up again, as the flags say."""
        self.cwd = Path.cwd()
        self.session = options.get("--resume") or options.get("--session-id") or str(uuid.uuid4())
        self.resumed = "--resume" in options
        self.lines = options.get("--output-format") == "stream-json"
        self.hooks = Hooks(read_settings(self.cwd, options.get("--settings", "")), self.cwd)
        home = Path(os.environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude")
        project = re.sub(r"[^a-zA-Z0-9]", "-", str(self.cwd))
        self.history = History(path=home / "projects" / project / f"{self.session}.jsonl")
        self.prompts: queue.Queue[str | None] = queue.Queue()
        self.interrupted = threading.Event()
        self.before = 0
        self._writing = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    # What the launcher hears -----------------------------------------------------------------------------------

    def emit(self, kind: str, **fields: object) -> None:
        """Write one line of output."""
        if self.lines:
            line = json.dumps({"type": kind, **fields, "session_id": self.session, "uuid": str(uuid.uuid4())})
            with self._writing, contextlib.suppress(BrokenPipeError):
                sys.stdout.write(line + "\n")
                sys.stdout.flush()

    def emit_message(
        self, role: str, block: Mapping[str, Any], more: Mapping[str, Any] | None = None
    ) -> None:
        """Write one message of the conversation."""
        message: dict[str, Any] = {"role": role, "content": [block]}
        if role == "assistant":
            usage = {"input_tokens": INPUT_TOKENS, "output_tokens": 1}
            message |= {"id": f"msg_{self.history.turns}", "type": "message", "model": MODEL, "usage": usage}
        self.emit(role, message=message, parent_tool_use_id=None, **(more or {}))

    def emit_result(
        self, text: str, *, why: str = "completed", denials: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        """Write the line that ends a turn; tokens are the turn's, money is the conversation's."""
        here, all_of_it = self.history.turns - self.before, self.history.turns
        self.before = self.history.turns
        aborted = why == "aborted_tools"
        usage = {"input_tokens": INPUT_TOKENS * here, "output_tokens": OUTPUT_TOKENS * here}
        spent = {"inputTokens": INPUT_TOKENS * all_of_it, "outputTokens": OUTPUT_TOKENS * all_of_it}
        more: dict[str, Any] = {"errors": ["aborted"]} if aborted else {"result": text}
        self.emit(
            "result",
            subtype="error_during_execution" if aborted else "success",
            is_error=aborted or why == "api_error",
            duration_ms=1,
            num_turns=here,
            stop_reason="end_turn",
            terminal_reason=why,
            total_cost_usd=all_of_it * TURN_USD,
            usage={**usage, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0},
            modelUsage={MODEL: {**spent, "cacheReadInputTokens": 0, "costUSD": all_of_it * TURN_USD}},
            permission_denials=list(denials),
            **more,
        )
        if not self.lines:
            sys.stdout.write(text + "\n")

    def emit_retries(self, trouble: Sequence[Mapping[str, Any]]) -> int:
        """Try to reach a model that is in trouble, without the pauses; return the status it stays with, 0 for none."""
        for step in trouble:
            status, times = int(step["fail"]), int(step.get("times", RETRIES + 1))
            for attempt in range(1, min(times, RETRIES) + 1):
                fields = {
                    "attempt": attempt,
                    "max_retries": RETRIES,
                    "retry_delay_ms": 0,
                    "error_status": status,
                }
                self.emit("system", subtype="api_retry", error="overloaded", **fields)
            if times > RETRIES:
                return status
        return 0

    # What the launcher says ------------------------------------------------------------------------------------

    def listen(self) -> None:
        """Read lines until there are no more; runs beside the work."""
        for line in sys.stdin.buffer:
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                if said.get("type") == "user":
                    self.prompts.put(_words(said["message"]["content"]))
                elif said.get("type") == "control_request":
                    self.control(said)
        self.prompts.put(None)

    def control(self, said: Mapping[str, Any]) -> None:
        """Answer a request outside the conversation."""
        if said.get("request", {}).get("subtype") == "interrupt":
            self.interrupt()
        response: dict[str, Any] = {
            "subtype": "success",
            "request_id": said.get("request_id"),
            "response": {},
        }
        self.emit("control_response", response=response)

    def interrupt(self) -> None:
        """End the turn under way, and the command that runs in it."""
        self.interrupted.set()
        child = self._child
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)

    def leave(self, _number: int, _frame: object) -> None:
        """End the turn under way and then the program."""
        self.interrupt()
        self.prompts.put(None)

    # Turns -----------------------------------------------------------------------------------------------------

    def converse(self) -> None:
        """Answer one prompt after the other, from the first hook to the last."""
        source = "resume" if self.resumed else "startup"
        about = {"hook_name": f"SessionStart:{source}", "hook_event": "SessionStart", "hook_id": "start"}
        self.emit("system", subtype="hook_started", **about)
        start = self.call("SessionStart", source=source)
        outcome = "error" if start.failed else "success"
        self.emit(
            "system", subtype="hook_response", outcome=outcome, output=start.denied or start.failed, **about
        )
        if self.resumed:
            self.history.load()
            self.before = self.history.turns
        context = list(start.context)
        while (prompt := self.prompts.get()) is not None:
            self.interrupted.clear()
            self.emit(
                "system",
                subtype="init",
                cwd=str(self.cwd),
                model=MODEL,
                claude_code_version=VERSION.split(maxsplit=1)[0],
            )
            verdict = self.call("UserPromptSubmit", prompt=prompt)
            if verdict.denied:
                self.emit(
                    "system", subtype="informational", content=verdict.denied, prevent_continuation=True
                )
                self.emit_result("", why="hook_stopped")
                continue
            self.see("\n".join([prompt, *context, *verdict.context]))
            context = []
            self.turn()
        self.call("SessionEnd", reason="other")

    def turn(self) -> None:
        """Follow the script until it says something that no hook minds, or until somebody ends it."""
        plan, blocked, denials = self.plan(), False, list[Mapping[str, Any]]()
        while True:
            due = scripts.due(plan, self.history.sights)
            if due.sleep_s:
                self.interrupted.wait(due.sleep_s)
            status = self.emit_retries(due.trouble)
            if status:
                return self.emit_result(f"API Error: {status}", why="api_error", denials=denials)
            step = due.step
            if "text" in step and not step.keys() & {"write", "append"} and not self.interrupted.is_set():
                text = str(step["text"])
                self.emit_message("assistant", {"type": "text", "text": text})
                self.step_done("")
                verdict = self.call("Stop", stop_hook_active=blocked, last_assistant_message=text)
                if not verdict.denied or verdict.stops:
                    return self.emit_result(text, denials=denials)
                blocked = True
                feedback = f"Stop hook feedback:\n{verdict.denied}"
                self.emit_message("user", {"type": "text", "text": feedback})
                self.see(feedback)
                continue
            if not self.interrupted.is_set():
                done = self.use(step, denials)
                if done.stops:
                    return self.emit_result("", why="hook_stopped", denials=denials)
            if self.interrupted.is_set():
                self.emit_message(
                    "user", {"type": "text", "text": "[Request interrupted by user for tool use]"}
                )
                return self.emit_result("", why="aborted_tools", denials=denials)

    def use(self, step: Mapping[str, Any], denials: list[Mapping[str, Any]]) -> Done:
        """Use the tool of a step, between its two hooks."""
        name, arguments = self.tool(step)
        use = {"type": "tool_use", "id": f"toolu_{self.history.turns}", "name": name, "input": arguments}
        self.emit_message("assistant", use)
        payload = {"tool_name": name, "tool_input": arguments, "tool_use_id": use["id"]}
        before = self.call("PreToolUse", **payload)
        if before.denied:
            denials.append({key: payload[key] for key in ("tool_name", "tool_use_id", "tool_input")})
            done = Done(f"PreToolUse:{name} hook error: {before.denied}", failed=True, stops=before.stops)
        else:
            # The program lets the tool run even where the hook ends the turn.
            ran = self.run(name, {**arguments, **before.arguments})
            how = "PostToolUseFailure" if ran.failed else "PostToolUse"
            after = self.call(how, **payload, **{"error" if ran.failed else "tool_response": ran.text})
            told = [ran.text, *before.context, *after.context, after.denied]
            done = Done("\n".join(filter(None, told)), failed=ran.failed, stops=before.stops or after.stops)
        result = {
            "type": "tool_result",
            "tool_use_id": use["id"],
            "content": done.text,
            "is_error": done.failed,
        }
        changed = (
            {"filePath": arguments["file_path"], "structuredPatch": []} if name in {"Write", "Edit"} else None
        )
        self.emit_message(
            "user", result, {} if done.failed or changed is None else {"tool_use_result": changed}
        )
        expected = step.get("expect_denied")
        if expected is not None and not (before.denied and str(expected) in done.text):
            raise Failed(f"{dict(step)} should have been denied with {expected!r}; it was told: {done.text}")
        self.step_done("\n".join([done.text, *([] if done.stops else self.steering())]))
        return done

    def tool(self, step: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return the tool's name and arguments for a step."""
        if "tool" in step:
            return str(step["tool"]), dict(step.get("arguments", {}))
        if "mcp" in step:
            return f"mcp__{step.get('server', 'pucs')}__{step['mcp']}", dict(step.get("arguments", {}))
        if "shell" in step:
            return "Bash", {"command": str(step["shell"]), "description": "As the script says."}
        kind = next(word for word in ("write", "append", "edit", "replace", "read") if word in step)
        path = self.cwd / str(step[kind]).replace("{cwd}", str(self.cwd))
        where: dict[str, Any] = {"file_path": str(path)}
        if kind == "read":
            return "Read", where
        if kind in {"edit", "replace"}:
            return "Edit", {
                **where,
                "old_string": step["old"],
                "new_string": step["new"],
                "replace_all": False,
            }
        old = path.read_text(encoding="utf-8") if kind == "append" and path.exists() else ""
        return "Write", {**where, "content": old + str(step["text"])}

    def run(self, name: str, arguments: Mapping[str, Any]) -> Done:
        """Do what a tool does."""
        if name == "Bash":
            return self.shell(str(arguments["command"]))
        if name not in {"Write", "Read", "Edit"}:
            return Done(f"No such tool available: {name}", failed=True)
        try:
            return _file_tool(name, Path(str(arguments["file_path"])), arguments)
        except OSError as error:
            return Done(str(error), failed=True)

    def shell(self, command: str) -> Done:
        """Run a command; an interrupt kills it with everything it started."""
        self._child = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.cwd,
            start_new_session=True,
        )
        if self.interrupted.is_set():
            self.interrupt()  # it came before there was anything to kill
        with self._child as child:
            try:
                output = child.communicate(timeout=SHELL_LIMIT_S)[0]
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                return Done("Command timed out", failed=True)
        self._child = None
        return Done(output.decode(errors="replace"), failed=child.returncode != 0)

    # Bookkeeping -----------------------------------------------------------------------------------------------

    def call(self, event: str, **fields: object) -> Verdict:
        """Call the hooks of an event."""
        known = {
            "session_id": self.session,
            "transcript_path": str(self.history.path),
            "cwd": str(self.cwd),
            "permission_mode": "acceptEdits",
        }
        return self.hooks.call(event, {**known, **fields})

    def plan(self) -> object:
        """Return this conversation's script."""
        plans = json.loads(Path(os.environ[PLAN]).read_text(encoding="utf-8"))
        if not isinstance(plans, dict) or plans.keys() & {"do", "if_saw"}:
            return plans
        first = self.history.sights[0]
        agent = os.environ.get("PUCS_AGENT", "")
        return next(
            (plan for name, plan in plans.items() if name and (name == agent or name in first)),
            plans.get("", []),
        )

    def see(self, text: str) -> None:
        """Note what came before the next turn."""
        if self.history.sights:
            self.history.sights[-1] += "\n" + text
        else:
            self.history.sights.append(text)
        self.history.save()

    def step_done(self, saw: str) -> None:
        """Note that a turn lies behind, and what followed it."""
        self.history.sights.append(saw)
        self.history.turns += 1
        self.history.save()

    def steering(self) -> list[str]:
        """Return what was said meanwhile; the end of all words is left where it is."""
        said: list[str] = []
        while not self.prompts.empty():
            text = self.prompts.get()
            if text is None:
                self.prompts.put(None)
                break
            said.append(text)
        return said


def _file_tool(name: str, path: Path, arguments: Mapping[str, Any]) -> Done:
    if name == "Write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(arguments["content"]), encoding="utf-8")
        return Done(f"The file {path} has been written.")
    text = path.read_text(encoding="utf-8")
    if name == "Read":
        return Done("\n".join(f"{number}\t{line}" for number, line in enumerate(text.split("\n"), 1)))
    if str(arguments["old_string"]) not in text:
        return Done("String to replace not found in file.", failed=True)
    fresh = text.replace(str(arguments["old_string"]), str(arguments["new_string"]), 1)
    path.write_text(fresh, encoding="utf-8")
    return Done(f"The file {path} has been updated.")


def options_of(arguments: Sequence[str]) -> tuple[dict[str, str], str]:
    """Return flags by name and the prompt; flags that this program does not know are passed over."""
    options: dict[str, str] = {}
    prompt, rest = "", list(arguments)
    while rest:
        word = rest.pop(0)
        name, given, value = word.partition("=")
        if name in _VALUED:
            options[name] = value if given else (rest.pop(0) if rest else "")
        elif word.startswith("-"):
            options[name] = value
        elif not prompt:
            prompt = word
    return options, prompt


def shim(directory: Path, name: str = "claude", *, plan: Path | None = None) -> Path:
    """Put this program into a directory under a name, for tests to set at the front of PATH; return its path.

    With ``plan`` it follows that file: of the variables of this project a launched agent sees only its own.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    follow = f"{PLAN}={shlex.quote(str(plan))} " if plan else ""
    call = f'exec "{sys.executable}" -m pucs.testing.hook_agent "$@"'
    path.write_text(f"#!/bin/sh\n{follow and f'export {follow}'}\n{call}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def main(arguments: Sequence[str]) -> int:
    """Be the program; return its exit status."""
    options, prompt = options_of(arguments)
    if options.keys() & {"--version", "-v"}:
        sys.stdout.write(VERSION + "\n")
        return 0
    if not os.environ.get(PLAN):
        sys.stderr.write(f"There is no script to follow: {PLAN} names no file.\n")
        return 1
    try:
        agent = Agent(options)
    except ValueError as error:
        sys.stderr.write(f"Error: invalid settings: {error}\n")
        return 1
    if agent.resumed and not agent.history.path.exists():
        sys.stderr.write(f"No conversation found with session ID: {agent.session}\n")
        return 1
    signal.signal(signal.SIGINT, agent.leave)
    if options.get("--input-format") == "stream-json":
        threading.Thread(target=agent.listen, daemon=True).start()
    else:
        for said in (prompt or sys.stdin.read(), None):
            agent.prompts.put(said)
    try:
        agent.converse()
    except Failed as failed:
        sys.stderr.write(f"the script expected otherwise: {failed}\n")
        return 1
    return 0


def _words(content: object) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(str(block.get("text", "")) for block in blocks if isinstance(block, dict))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
