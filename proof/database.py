"""A PostgreSQL server for the proof: started for it, killed and started again when asked, or one that is there already.

The program that runs it (``tests/histories/contender.py``) uses the product; this module only talks to that.
"""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from proof.tally import POSTGRESQL, SQLITE

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(__file__).parent.parent / "tests" / "histories" / "contender.py"


class Database:
    """One server, and the pipe to the program that runs it."""

    def __init__(self, url: str, program: subprocess.Popen[str], *, ours: bool) -> None:
        """Name it; ``ours``: it was started for this and may be killed."""
        self.url = url
        self.ours = ours
        self._program = program

    def store(self, name: str) -> str:
        """Return the URL of a store in a schema of its own."""
        schema = f"proof_{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        return f"{self.url}{'&' if '?' in self.url else '?'}schema={schema}"

    def kill(self) -> None:
        """End every process of the server with SIGKILL."""
        self._tell("kill")

    def start(self) -> None:
        """Start it again and wait until it answers."""
        self._tell("start")

    def drop(self, store: str) -> None:
        """Remove a store's schema, if it is there."""
        self._tell(f"drop {store}")

    def _tell(self, what: str) -> None:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(what + "\n")
        self._program.stdin.flush()
        answer = self._program.stdout.readline().strip()
        if answer != "done":
            raise RuntimeError(
                f"the program that runs PostgreSQL was to {what} and said: {answer or 'nothing'}"
            )


@contextlib.contextmanager
def database(url: str = "") -> Iterator[Database | str]:
    """Run a PostgreSQL server, or use the one at a URL; give it, or why there is none."""
    call = [sys.executable, str(PROGRAM), "--database", *([url] if url else [])]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        said = program.stdout.readline().strip()
        yield Database(said, program, ours=not url) if "://" in said else said or "left out: it did not start"
        program.communicate()


@contextlib.contextmanager
def server_of(store: str) -> Iterator[Database | str | None]:
    """Give the server of a store (``sqlite``: None, ``postgresql``: started for this, else a URL), or why there is none."""
    if store == SQLITE:
        yield None
        return
    with database("" if store == POSTGRESQL else store) as server:
        yield server
