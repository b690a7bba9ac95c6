"""Connections to one server: kept alive, shared by threads, and never used by two at once."""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pucs.core.errors import EnvironmentFailure, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONNECT_S_MAX = 10.0
"""Longest time until a server takes a connection; on one machine it is a matter of microseconds."""
KEPT_MAX = 8
"""Idle connections that are kept: few threads of one program call at the same time."""
ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""Largest answer that is read: far more than a thousand leases or messages."""
LOOK_S = 1.0
"""Time between two looks whether whoever waits has given up, as in-process."""
SILENT_AFTER_S = 30
"""Time without a packet after which the kernel asks whether the other machine is still there."""
PROBE_S = 10
"""Time between two such questions."""
PROBES = 3
"""Unanswered questions after which the connection counts as cut."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Cut(Exception):
    """The connection ended before the answer was there; it is not known whether the call was heard."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a server answered."""

    status: int
    body: bytes
    server: str
    """Which run of a server it was."""


class Connections:
    """The connections of one client."""

    def __init__(self, url: str) -> None:
        """Take the URL apart; nothing is connected yet.

        Raises:
            Usage: it cannot be the URL of a server.
        """
        try:
            parts = urlsplit(url)
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError as error:
            raise Usage(f"The URL of the store cannot be read: {error}.", remedy=_LIKE) from error
        if not self._host or parts.username or parts.password or parts.query or parts.fragment:
            raise Usage("The URL of the store has no host, or more than host, port and path.", remedy=_LIKE)
        self._tls = ssl.create_default_context() if parts.scheme.lower() == "https" else None
        self.local = self._host in LOOPBACK
        """The server is on this machine, or looks so through a tunnel."""
        if not self.local and self._tls is None:
            raise Usage(
                f"A token would travel to {self._host} for everybody to read.",
                remedy="Use https, or a tunnel: ssh -L 7827:127.0.0.1:7827 HOST, then http://127.0.0.1:7827.",
            )
        self._prefix = parts.path.rstrip("/")
        self.name = f"{parts.scheme.lower()}://{parts.netloc}{self._prefix}"
        """The URL, for messages."""
        self._idle: list[http.client.HTTPConnection] = []
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def post(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        patience_s: float,
        cancelled: Callable[[], bool] | None = None,
        cancel: Callable[[], object] | None = None,
    ) -> Told:
        """Send one request and return the answer; while it waits, ``cancelled`` is asked and ``cancel`` called once.

        Raises:
            Cut: the connection ended before the answer.
            EnvironmentFailure: nobody listens there, or it does not answer in time.
        """
        connection = self._taken()
        try:
            connection.sock.settimeout(patience_s)
            connection.request("POST", f"{self._prefix}{path}", body, dict(headers))
            if cancelled is not None and cancel is not None:
                _watch(connection.sock, patience_s, cancelled, cancel)
            answer = connection.getresponse()
            read = answer.read(ANSWER_BYTES_MAX + 1)
            if answer.length and len(read) <= ANSWER_BYTES_MAX:
                raise http.client.IncompleteRead(read, answer.length)  # reading a part does not say so  # noqa: TRY301
        except TimeoutError as error:
            connection.close()
            raise EnvironmentFailure(
                f"The server at {self.name} has not answered for {patience_s:.0f} s; whether it did what was asked is not known.",
                remedy="See whether it still runs, and start it again: pucs serve",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Cut from error
        except BaseException:
            connection.close()  # Ctrl-C in the middle: the next call must not read this answer
            raise
        if len(read) > ANSWER_BYTES_MAX or answer.will_close:
            connection.close()
        else:
            self._keep(connection)
        return Told(answer.status, read, answer.headers.get("X-Pucs-Server", ""))

    def close(self) -> None:
        """Close what is idle; the connections can be used again."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __del__(self) -> None:
        """Leave no connection open of a client that is not closed but forgotten, as in-process."""
        if hasattr(self, "_lock"):
            self.close()

    def _taken(self) -> http.client.HTTPConnection:
        """Return a connection that is open: an idle one that the server has not closed, else a new one."""
        while True:
            with self._lock:
                if self._pid != os.getpid():  # forked: these are the parent's
                    self._idle, self._pid = [], os.getpid()
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return self._opened()
            if not _readable(connection.sock, 0.0):
                return connection
            connection.close()  # nothing is under way, so what there is to read is its end

    def _opened(self) -> http.client.HTTPConnection:
        connection = (
            http.client.HTTPSConnection(self._host, self._port, timeout=CONNECT_S_MAX, context=self._tls)
            if self._tls is not None
            else http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_S_MAX)
        )
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise EnvironmentFailure(
                f"No server answers at {self.name}: {error.strerror or error}.",
                remedy="Start it: pucs serve",
            ) from error
        _notice_death(connection.sock)
        return connection

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < KEPT_MAX and self._pid == os.getpid():
                self._idle.append(connection)
                return
        connection.close()


_LIKE = "Give one like http://127.0.0.1:7827."


def _readable(sock: socket.socket, wait_s: float) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(wait_s * 1000))


def _watch(
    sock: socket.socket, patience_s: float, cancelled: Callable[[], bool], cancel: Callable[[], object]
) -> None:
    """Sleep until the answer comes, and cancel the call once if whoever waits has given up."""
    end = time.monotonic() + patience_s
    while (left := end - time.monotonic()) > 0 and not _readable(sock, min(LOOK_S, left)):
        if cancelled():
            cancel()
            return


def _notice_death(sock: socket.socket) -> None:
    """Let the kernel find out that the other machine is gone, so that a long wait for it ends."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", SILENT_AFTER_S),
        ("TCP_KEEPINTVL", PROBE_S),
        ("TCP_KEEPCNT", PROBES),
    ):
        with contextlib.suppress(AttributeError, OSError):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
