"""A PostgreSQL server that is killed and started again, and a line to it that can be cut at chosen bytes.

The program that runs the server (``tests/histories/survivor.py --database``) uses the product; this module only talks to it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proof.survivors import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""What a server sends when a commit is done: CommandComplete."""
CHUNK_BYTES = 65_536


class Server:
    """One server, and the pipe to the program that runs it."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        """Wait until it is there."""
        self._program = program
        self.told = self._answer()

    def store(self, name: str) -> str:
        """Return the URL of a store in a schema of its own."""
        return f"{self.told['socket']}&schema={_schema(name)}"

    def through(self, port: int, name: str) -> str:
        """Return the URL of the same store through a port that passes everything on."""
        url = self.told["tcp"].replace(f":{self.told['port']}/", f":{port}/")
        return f"{url}?sslmode=disable&gssencmode=disable&schema={_schema(name)}"

    def kill(self) -> None:
        """End every process of the server with SIGKILL."""
        self._tell("kill")

    def start(self) -> None:
        """Start it again and wait until it answers."""
        self._tell("start")

    def room(self) -> None:
        """Make its small file system larger."""
        self._tell("room")

    def kill_one(self, rng: random.Random) -> bool:
        """End one process that serves a client with SIGKILL; the server then ends all others, and starts anew."""
        pid = self.told["pid"]
        serving = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_bytes().rpartition(b") ")[2].split()[1])
                words = (entry / "cmdline").read_bytes()
                if parent == pid and words.startswith(b"postgres: postgres "):
                    serving.append(int(entry.name))
        if not serving:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(rng.choice(sorted(serving)), signal.SIGKILL)
        return True

    def _tell(self, what: str) -> None:
        assert self._program.stdin is not None
        self._program.stdin.write(what + "\n")
        self._program.stdin.flush()
        found = self._answer()
        if found.get("pid"):
            self.told["pid"] = found["pid"]

    def _answer(self) -> dict[str, Any]:
        assert self._program.stdout is not None
        line = self._program.stdout.readline()
        found: dict[str, Any] = json.loads(line) if line else {"left out": "the program that runs it ended"}
        return found


def _schema(name: str) -> str:
    return "proof_" + "".join(letter if letter.isalnum() else "_" for letter in name).lower()


@contextlib.contextmanager
def server(*, within: Sequence[str] = (), small: str = "") -> Iterator[Server | str]:
    """Run a server and give it, or why there is none; ``small`` is a small file system for its tables."""
    call = [*within, sys.executable, str(PROGRAM), "--database", *([small] if small else [])]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        found = Server(program)
        yield found if "socket" in found.told else f"left out: {found.told['left out']}"
        program.communicate()


class Commits:
    """Reads what a client sends, and finds the moment at which it asks for a commit."""

    def __init__(self) -> None:
        """Begin with what opens a connection, which has no type."""
        self._left = b""
        self._started = False
        self._names: set[bytes] = set()
        """Statements that were prepared and are a commit."""

    def feed(self, data: bytes) -> int:
        """Take more bytes; return how many of them stand before the first request to commit, -1 if there is none."""
        before, self._left = len(self._left), self._left + data
        at, found = 0, -1
        while True:
            head = 1 if self._started else 0
            if len(self._left) - at < head + 4:
                break
            length = int.from_bytes(self._left[at + head : at + head + 4], "big") + head
            if len(self._left) - at < length:
                break
            message = self._left[at : at + length]
            if self._started and found < 0 and self._commits(message[:1], message[5:]):
                found = max(0, at - before)
            self._started = True
            at += length
        self._left = self._left[at:]
        return found

    def _commits(self, kind: bytes, body: bytes) -> bool:
        if kind == b"P":
            name, text = body.split(b"\0", 2)[:2]
            if text == b"COMMIT":
                self._names.add(name)
            return False
        if kind == b"B":
            return body.split(b"\0", 2)[1] in self._names
        return kind == b"Q" and body.startswith(b"COMMIT")


class CuttingProxy:
    """Passes bytes between clients and a server, and cuts now and then: before a commit, behind it, or anywhere."""

    def __init__(self, port: int, seed: str, *, chance: float) -> None:
        """Listen on a free port; ``chance`` is that of each connection's next commit to be cut around."""
        self.port_behind = port
        self.chance = chance
        self.rng = random.Random(seed)
        self.cuts: dict[str, int] = {"before the commit": 0, "behind the commit": 0, "anywhere": 0}
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        """Return where it listens."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            client,
            socket.create_connection(("127.0.0.1", self.port_behind)) as server,
        ):
            for side in (client, server):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._until_cut(client, server)

    def _until_cut(self, client: socket.socket, server: socket.socket) -> None:
        commits = Commits()
        plan, budget = self._plan()
        while True:
            for source in select.select([client, server], [], [])[0]:
                data = source.recv(CHUNK_BYTES)
                if not data:
                    return
                if plan == "anywhere":
                    budget -= len(data)
                    if budget < 0:
                        (server if source is client else client).sendall(data[: len(data) + budget])
                        self.cuts[plan] += 1
                        return
                elif source is client:
                    before = commits.feed(data)
                    if before >= 0 and plan == "before the commit":
                        server.sendall(data[:before])
                        self.cuts[plan] += 1
                        return
                elif COMMITTED in data:
                    if plan == "behind the commit":
                        client.sendall(data[: data.index(COMMITTED)])
                        self.cuts[plan] += 1
                        return
                    plan, budget = self._plan()
                (server if source is client else client).sendall(data)

    def _plan(self) -> tuple[str, int]:
        """Return how the connection is cut around its next commit, if at all, and after how many bytes."""
        if self.rng.random() > self.chance:
            return "", 0
        return self.rng.choice((
            "before the commit",
            "behind the commit",
            "behind the commit",
            "anywhere",
        )), self.rng.randint(600, 6000)
