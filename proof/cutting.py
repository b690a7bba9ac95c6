"""A go-between for connections that cuts some: the request is heard, its answer is lost.

It stands before a server, on a port of the machine or on a socket in a directory, and passes on what it gets. Now and then it
closes both sides in place of passing on an answer, or right after a request.
"""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CHUNK = 1 << 16


def inside(path: Path) -> tuple[socket.AddressFamily, str]:
    """Return the address of a socket in the file system."""
    return socket.AF_UNIX, str(path)


def on_port(port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Return the address of a port of this machine; 0: any that is free."""
    return socket.AF_INET, ("127.0.0.1", port)


class Cutting(threading.Thread):
    """Passes on everything between clients and one server, but for what it cuts."""

    def __init__(
        self,
        listen: tuple[socket.AddressFamily, tuple[str, int] | str],
        server: tuple[socket.AddressFamily, tuple[str, int] | str],
        *,
        share: float,
        seed: str,
    ) -> None:
        """Listen; ``share`` is how many of the answers are lost, and half as many follow a request that is cut."""
        super().__init__(name="cutting", daemon=True)
        self.cuts = 0
        self._server = server
        self._share = share
        self._rng = random.Random(seed)
        self._listener = socket.socket(listen[0])
        self._listener.bind(listen[1])  # whichever its family takes
        self._listener.listen(64)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._peers: dict[socket.socket, socket.socket] = {}
        self._clients: set[socket.socket] = set()
        self._ends, self._end = socket.socketpair()
        self._selector.register(self._ends, selectors.EVENT_READ)

    @property
    def port(self) -> int:
        """Return the port on which it listens."""
        return int(self._listener.getsockname()[1])

    def stop(self) -> None:
        """End it, and every connection."""
        self._end.close()
        self.join()

    def run(self) -> None:
        """Pass on until it is stopped."""
        while True:
            for key, _ in self._selector.select():
                found = key.fileobj
                assert isinstance(found, socket.socket)
                if found is self._ends:
                    self._close()
                    return
                if found is self._listener:
                    self._accept()
                elif found in self._peers:  # else it was closed in this round
                    self._pass(found)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.socket(self._server[0])
        try:
            server.connect(self._server[1])
        except OSError:
            server.close()
            client.close()
            return
        self._clients.add(client)
        for one, other in ((client, server), (server, client)):
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass(self, source: socket.socket) -> None:
        asks = source in self._clients
        try:
            data = source.recv(CHUNK)
            if data and not asks and self._rng.random() < self._share:
                self.cuts += 1
                data = b""
            elif data:
                self._peers[source].sendall(self._named(data) if asks else data)
                if asks and self._rng.random() < self._share / 2:
                    self.cuts += 1
                    data = b""
        except OSError:
            data = b""
        if not data:
            self._drop(source)

    def _named(self, data: bytes) -> bytes:
        """Return a request that names the server's port, not this one: a server answers to its own name only."""
        if self._server[0] is not socket.AF_INET:
            return data
        assert isinstance(self._server[1], tuple)
        return data.replace(
            f"\r\nHost: 127.0.0.1:{self.port}\r\n".encode(),
            f"\r\nHost: 127.0.0.1:{self._server[1][1]}\r\n".encode(),
            1,
        )

    def _drop(self, one: socket.socket) -> None:
        for side in (one, self._peers.get(one)):
            if side is not None and side in self._peers:
                del self._peers[side]
                self._clients.discard(side)
                self._selector.unregister(side)
                side.close()

    def _close(self) -> None:
        for side in list(self._peers):
            self._drop(side)
        self._listener.close()
        self._selector.close()
        with contextlib.suppress(OSError):
            self._ends.close()
