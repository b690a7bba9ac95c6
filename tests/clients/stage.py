"""Where real agent programs play: their environment, and conversations with them."""

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pucs.testing.model_server import ModelServer
from pucs.testing.refusing_proxy import RefusingProxy
from tests.clients import installing

PATIENCE_S = 45
"""Far beyond what any step takes; only a failing test waits this long."""


class Stage:
    """A home, a scripted model and a refusing proxy."""

    def __init__(self, root: Path) -> None:
        """Make the home; nothing runs yet."""
        self.root = root
        self.home = root / "home"
        self.home.mkdir()
        self.models = ModelServer()
        self.proxy = RefusingProxy()

    def __enter__(self) -> Self:
        """Begin to serve."""
        self.models.__enter__()
        self.proxy.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self.proxy.__exit__(None, None, None)
        self.models.close()

    def environment(self, script: str, **more: str) -> dict[str, str]:
        """Return all the variables a program has: both Claude Code and Codex find the scripted model by them."""
        base = {
            "PATH": installing.path(),
            "HOME": str(self.home),
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
            **{name: value for name, value in os.environ.items() if name.startswith(("GIT_", "XDG_"))},
        }
        claude = {
            "ANTHROPIC_BASE_URL": self.models.url(script),
            "ANTHROPIC_API_KEY": "dummy",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "DISABLE_AUTOUPDATER": "1",
        }
        codex = {"CODEX_HOME": str(self.codex_home(script)), "FAKE_KEY": "dummy"}
        return {**base, **self.proxy.environment, **claude, **codex, **more}

    def codex_home(self, script: str, model: str = "gpt-5.5") -> Path:
        """Write Codex's settings for a script and return where they are."""
        place = self.home / f".codex-{script}"
        place.mkdir(exist_ok=True)
        (place / "config.toml").write_text(
            f'model = "{model}"\nmodel_provider = "scripted"\ncheck_for_update_on_startup = false\n'
            f'[model_providers.scripted]\nname = "scripted"\nbase_url = "{self.models.url(script)}/v1"\n'
            'wire_api = "responses"\nenv_key = "FAKE_KEY"\n[analytics]\nenabled = false\n',
            encoding="utf-8",
        )
        return place

    def claude(self, script: str, work: Path, *flags: str, **more: str) -> "Talk":
        """Start Claude Code in a directory, to be talked with line by line."""
        streams = ("-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose")
        call = ["claude", *streams, "--permission-mode", "acceptEdits", *flags]
        return Talk(call, work, self.environment(script, **more))


class Talk:
    """A conversation with a running Claude Code, or whatever speaks its lines; used as a context."""

    def __init__(self, call: Sequence[str], work: Path, environment: Mapping[str, str]) -> None:
        """Start the program."""
        self.lines: list[dict[str, Any]] = []
        """Everything it has said, oldest first."""
        self._rest = b""
        self._errors = (work.parent / f"{work.name}.errors").open("w+b")
        self.process = subprocess.Popen(
            call,
            cwd=work,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
            bufsize=0,
        )

    def __enter__(self) -> Self:
        """Talk."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the program, with all it started where it does not end by itself."""
        self.close()
        try:
            self.process.wait(5 if error is None else 0)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self._errors.close()

    def close(self) -> None:
        """Say that nothing more will be said."""
        if self.process.stdin and not self.process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()

    def send(self, line: Mapping[str, Any]) -> None:
        """Write one line."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(line).encode() + b"\n")

    def say(self, text: str) -> None:
        """Say something to the model."""
        self.send({"type": "user", "message": {"role": "user", "content": text}})

    def interrupt(self) -> None:
        """End the turn under way."""
        self.send({"type": "control_request", "request_id": "r1", "request": {"subtype": "interrupt"}})

    def heard(self, **wanted: object) -> dict[str, Any]:
        """Return the next line with these values, waiting for it."""
        for line in self._read():
            if all(line.get(name) == value for name, value in wanted.items()):
                return line
        raise AssertionError(
            f"no line with {wanted} came; it said: {self.lines[-3:]}, and beside it: {self.errors()}"
        )

    def ask(self, text: str) -> dict[str, Any]:
        """Say something and return the line that ends the turn."""
        self.say(text)
        return self.heard(type="result")

    def used(self, tool: str) -> dict[str, Any]:
        """Wait until it uses a tool; return the line."""
        for line in self._read():
            content = line.get("message", {}).get("content", ())
            if line["type"] == "assistant" and any(block.get("name") == tool for block in content):
                return line
        raise AssertionError(f"it did not use {tool}; it said: {self.lines[-3:]}")

    def errors(self) -> str:
        """Return what it wrote beside its lines."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def results(self) -> list[str]:
        """Return what came of its tools, oldest first."""
        contents = [line["message"]["content"] for line in self.lines if line["type"] == "user"]
        blocks = [block for content in contents if isinstance(content, list) for block in content]
        return [str(block.get("content")) for block in blocks if block.get("type") == "tool_result"]

    def _read(self) -> Iterator[dict[str, Any]]:
        """Yield lines as they come; end with the program's, or when patience does."""
        assert self.process.stdout
        limit = time.monotonic() + PATIENCE_S
        while True:
            while b"\n" in self._rest:
                line, _, self._rest = self._rest.partition(b"\n")
                self.lines.append(json.loads(line))
                yield self.lines[-1]
            wait_s = limit - time.monotonic()
            if wait_s <= 0 or not select.select([self.process.stdout], [], [], wait_s)[0]:
                return
            piece = os.read(self.process.stdout.fileno(), 65536)
            if not piece:
                return
            self._rest += piece
