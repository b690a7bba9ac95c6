"""A proxy that lets nobody out and says who wanted to: tests stay on their machine, and a program that calls home is seen."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from types import TracebackType
from typing import Self

_ANSWER = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_LINE_LENGTH_MAX = 8192
"""Longest first line that is read: an address with a query."""


class RefusingProxy:
    """Refuses on a free loopback port, from entering the context to leaving it.

    A refusal comes at once, so that programs go on sooner than with a network that swallows their words.
    """

    def __init__(self) -> None:
        """Take a port."""
        self._asked: list[str] = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    words = self.rfile.readline(_LINE_LENGTH_MAX).decode("latin-1").split()
                    outer._asked.append(words[1] if len(words) > 1 else "?")
                    self.wfile.write(_ANSWER)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        """Begin to refuse."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return what was asked for, oldest first: ``HOST:PORT``, or an address where nothing was encrypted."""
        return tuple(self._asked)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that send a program's requests here, all but those to this machine."""
        url = f"http://127.0.0.1:{self._server.server_address[1]}"
        here = "127.0.0.1,localhost"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        return {**dict.fromkeys(names, url), "NO_PROXY": here, "no_proxy": here}
