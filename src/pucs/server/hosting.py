"""The server in a thread of this process: sockets, start and stop. Signals stay with whoever runs the process."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pucs.core.errors import EnvironmentFailure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pucs.coordinator.context import Context

EXTRA = ("mcp", "starlette", "uvicorn")
"""Packages of the extra."""
INSTALL = "pip install 'pucs[server]'"
"""How to get them."""
LOOPBACK = "127.0.0.1"
LOOPBACK_6 = "::1"
BACKLOG = 512
"""Connections that may wait to be taken up: a burst of hooks of some hundred agents."""
KEPT_S = 3600
"""Time after which an idle connection is closed: long, because a hook that meets a closing one fails, and blocks an edit."""
START_S_MAX = 20.0
"""Longest start: importing takes about a second, on a machine under load some."""
STOP_S_MAX = 5.0
"""Time for requests under way at the end; what is not done by then is cut off."""
DRAIN_S = 1
"""Part of it for streams that are open: their clients would keep them for ever."""


def available() -> bool:
    """Tell whether the packages of the extra are installed, without importing them."""
    return all(find_spec(name) is not None for name in EXTRA)


def bound(port: int = 0, *, ipv6: bool = False) -> list[socket.socket]:
    """Return listening sockets on this machine's own addresses, all with one port; 0: any that is free.

    Raises:
        EnvironmentFailure: the port is taken, or there is no such address.
    """
    opened: list[socket.socket] = []
    try:
        for family, address in _addresses(ipv6=ipv6):
            # Named, because asyncio lets small answers go at once (TCP_NODELAY) only where the protocol says TCP.
            listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            opened.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, opened[0].getsockname()[1] if len(opened) > 1 else port))
            listener.listen(BACKLOG)
    except OSError as error:
        for listener in opened:
            listener.close()
        raise EnvironmentFailure(
            f"Port {port} cannot be listened on: {error.strerror}.",
            remedy="Name another one with --port, or none to take any that is free.",
        ) from error
    return opened


def _addresses(*, ipv6: bool) -> Sequence[tuple[socket.AddressFamily, str]]:
    first = (socket.AF_INET, LOOPBACK)
    return (first, (socket.AF_INET6, LOOPBACK_6)) if ipv6 else (first,)


class Hosted:
    """A server at work in a thread."""

    def __init__(self, context: Context, sockets: Sequence[socket.socket], *, token: str = "") -> None:
        """Start it on listening sockets, and return once it answers.

        Raises:
            EnvironmentFailure: it did not start.
        """
        import uvicorn  # noqa: PLC0415 - of the extra

        from pucs.server.app import make_app  # noqa: PLC0415 - of the extra
        from pucs.server.workers import Workers  # noqa: PLC0415 - of the extra

        port = sockets[0].getsockname()[1]
        self.url = f"http://{LOOPBACK}:{port}"
        self.ended = threading.Event()
        self._workers = Workers()
        self._sockets = list(sockets)
        self._failure = ""
        names = (LOOPBACK, "localhost", f"[{LOOPBACK_6}]")
        app = make_app(
            context, self._workers, hosts=frozenset(f"{name}:{port}" for name in names), token=token
        )
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="on",
            loop="asyncio",
            access_log=False,
            log_config=None,
            log_level="critical",
            server_header=False,
            timeout_keep_alive=KEPT_S,
            timeout_graceful_shutdown=DRAIN_S,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="pucs-server", daemon=True)
        self._thread.start()
        if not self._answers():
            self.stop()
            raise EnvironmentFailure(
                f"The server on {self.url} did not start{self._failure}.",
                remedy="Try again; pucs doctor looks at the rest.",
            )

    def _run(self) -> None:
        try:
            self._server.run(sockets=self._sockets)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a background loop; whoever looks is told
            self._failure = f" ({type(error).__name__}: {error})"
        finally:
            self.ended.set()
            for listener in self._sockets:
                listener.close()  # whoever waits for an answer is told that there will be none

    def _answers(self) -> bool:
        """Ask the server something; the kernel holds the question until it is there."""
        import http.client  # noqa: PLC0415 - only here

        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=START_S_MAX)
        try:
            connection.request("GET", "/v1/health")
            return connection.getresponse().status == 200  # noqa: PLR2004 - OK
        except OSError:
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        """Let waits give up, finish what is under way for a moment, and close the port."""
        self._workers.close()
        self._server.should_exit = True
        self._thread.join(STOP_S_MAX)


@contextmanager
def hosted(context: Context) -> Iterator[str]:
    """Run the server for the agents of a run on a free port, and yield its URL. Only agents with a secret may use it.

    Raises:
        EnvironmentFailure: it did not start.
    """
    server = Hosted(context, bound())
    try:
        yield server.url
    finally:
        server.stop()
