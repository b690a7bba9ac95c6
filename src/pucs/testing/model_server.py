"""A scripted model server: agent programs talk to it instead of to a model, and do what a script says.

It speaks four languages, so that Claude Code, Codex, Gemini CLI, opencode and others work against it unchanged; only
their base URL is set to ``server.url(NAME)``. It keeps every request, so that a test can ask what the model saw: the
reason of a refusal, a briefing, a message. Scripts are described in ``pucs.testing.scripts``.

Without Python: ``python -m pucs.testing.model_server SCRIPT.json`` prints the URL and serves until it is interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pucs.testing import scripts
from pucs.testing.dialects import Asked, Dialect, Say, Use, anthropic, calling, chat, gemini, responses

_ROUTES: tuple[tuple[re.Pattern[str], Dialect], ...] = (
    (re.compile(r"/(?:v1/)?messages"), anthropic),
    (re.compile(r"/(?:v1/)?responses"), responses),
    (re.compile(r"/(?:v1/)?chat/completions"), chat),
    (re.compile(r"/v1\w*/models/(?P<model>[^/:]+):(?:streamG|g)enerateContent"), gemini),
)
_COUNTS = re.compile(r"/v1/messages/count_tokens|/v1\w*/models/[^/:]+:countTokens")
_SCRIPTED = re.compile(r"/s/(?P<name>[^/?]+)(?P<route>/[^?]*)?(?:\?(?P<query>.*))?")

_COUNTED = {"input_tokens": 100, "totalTokens": 100}
"""What every text counts, in both languages that ask."""

_BACKLOG = 256
"""Connections that may wait at once: every agent of a large test."""


class ModelServer:
    """Serves scripts on a free loopback port, from entering the context to leaving it; any number of agents at once."""

    def __init__(self, port: int = 0) -> None:
        """Take the port; 0 is any free one."""
        self._scripts: dict[str, tuple[scripts.Step, ...]] = {}
        self._requests: dict[str, list[Asked]] = {}
        self._strays: list[str] = []
        self._troubles: dict[tuple[str, int, int], int] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._server = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving; who waits for an answer gets none."""
        self.close()

    def close(self) -> None:
        """Stop serving."""
        self._closed.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    @property
    def root(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def script(self, name: str, steps: object) -> str:
        """Say what the model does under a name, instead of what it did before; return its URL.

        Raises:
            ValueError: when a step is none.
        """
        self._scripts[name] = scripts.check(steps)
        return self.url(name)

    def url(self, name: str) -> str:
        """Return the base URL of a script: ``ANTHROPIC_BASE_URL`` and its like; OpenAI's have ``/v1`` after it."""
        return f"{self.root}/s/{name}"

    def requests(self, name: str) -> tuple[Asked, ...]:
        """Return what came for a script, oldest first."""
        with self._lock:
            return tuple(self._requests.get(name, ()))

    @property
    def strays(self) -> tuple[str, ...]:
        """Return what nobody could answer: method and address, oldest first."""
        with self._lock:
            return tuple(self._strays)

    def saw(self, name: str, text: str) -> bool:
        """Tell whether the model of a script was shown a text; what it said itself does not count."""
        return any(text in asked.text for asked in self.requests(name))

    def answer(self, name: str, asked: Asked) -> tuple[int, Say | Use]:
        """Keep a request and return HTTP status and answer, after the time that the model thinks."""
        with self._lock:
            self._requests.setdefault(name, []).append(asked)
        if not asked.tools and asked.turns == 0 and asked.dialect != "chat":
            return 200, calling.reply(scripts.OVER, asked)
        due = scripts.due(self._scripts[name], asked.sights)
        if due.sleep_s:
            self._closed.wait(due.sleep_s)
        for at, step in enumerate(due.trouble):
            if self._still(step, (name, asked.turns, at)):
                return int(step["fail"]), Say(str(step.get("says", "The script wants trouble.")))
        return 200, calling.reply(due.step, asked)

    def stray(self, what: str) -> None:
        """Note a request that nobody could answer."""
        with self._lock:
            self._strays.append(what)

    def knows(self, name: str) -> bool:
        """Tell whether there is a script of a name."""
        return name in self._scripts

    def _still(self, step: Mapping[str, Any], place: tuple[str, int, int]) -> bool:
        """Tell whether trouble goes on; the only thing remembered between requests."""
        if "times" not in step:
            return True
        with self._lock:
            self._troubles[place] = self._troubles.get(place, 0) + 1
            return self._troubles[place] <= int(step["times"])


class _Server(ThreadingHTTPServer):
    """A thread per connection; none of them keeps the program alive."""

    daemon_threads = True
    request_queue_size = _BACKLOG

    def __init__(self, address: tuple[str, int], models: ModelServer) -> None:
        """Take the address."""
        self.models = models
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about programs that hang up: they are stopped in the middle by many a test."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, asks the server of scripts, writes the answer."""

    server: _Server  # type: ignore[mutable-override]  # no other kind of server makes it
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._stray()

    do_HEAD = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names that the base class looks for

    def do_POST(self) -> None:
        place = _SCRIPTED.fullmatch(self.path)
        body = self._body()
        name = place["name"] if place else ""
        route = (place["route"] or "") if place else ""
        if not self.server.models.knows(name) or body is None:
            self._stray()
        elif _COUNTS.fullmatch(route):
            self._send(200, "application/json", json.dumps(_COUNTED).encode())
        else:
            self._answer(name, route, (place and place["query"]) or "", body)

    def _answer(self, name: str, route: str, query: str, body: Mapping[str, Any]) -> None:
        found = next(((dialect, match) for way, dialect in _ROUTES if (match := way.fullmatch(route))), None)
        if found is None:
            self._stray()
            return
        dialect, match = found
        asked = dialect.understand(body)
        if "model" in match.groupdict():
            asked = replace(asked, model=match["model"], streams="stream" in route)
        status, reply = self.server.models.answer(name, asked)
        if status != 200:  # noqa: PLR2004 - HTTP's own number
            self._trouble(status, reply.text)
        elif asked.streams and (dialect is not gemini or "alt=sse" in query):
            self._send(200, "text/event-stream", b"".join(dialect.pieces(asked, reply)))
        else:
            document = dialect.whole(asked, reply)
            listed = [document] if asked.streams else document  # Gemini streams a list without alt=sse
            self._send(200, "application/json", json.dumps(listed).encode())

    def _body(self) -> Mapping[str, Any] | None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with contextlib.suppress(ValueError):
            body = json.loads(raw)
            return body if isinstance(body, Mapping) else None
        return None

    def _stray(self) -> None:
        self.server.models.stray(f"{self.command} {self.path}")
        self._trouble(404, f"There is no script for {self.command} {self.path}.")

    def _trouble(self, status: int, text: str) -> None:
        kind = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}.get(
            status,
            "overloaded_error" if status == 529 else "api_error",  # noqa: PLR2004 - Anthropic's own number
        )
        error = {"type": kind, "message": text, "code": status}
        self._send(status, "application/json", json.dumps({"type": "error", "error": error}).encode())

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep quiet; what came is kept as requests and strays."""


def main(arguments: Iterable[str] | None = None) -> None:
    """Serve the scripts of a file: a list of steps, or an object with a list for each name."""
    parser = argparse.ArgumentParser(prog="python -m pucs.testing.model_server", description=main.__doc__)
    parser.add_argument("script", type=Path, help="JSON: a list of steps, or an object name -> list of steps")
    parser.add_argument("--port", type=int, default=0, help="port to serve on (default: any free one)")
    given = parser.parse_args(None if arguments is None else list(arguments))
    content = json.loads(given.script.read_text(encoding="utf-8"))
    named = (
        content
        if isinstance(content, dict) and not content.keys() & {"do", "if_saw", "text"}
        else {"main": content}
    )
    # Around everything: an interruption may come as soon as the addresses are told.
    with contextlib.suppress(KeyboardInterrupt), ModelServer(given.port) as server:
        for name, steps in named.items():
            sys.stdout.write(f"{server.script(name, steps)}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
