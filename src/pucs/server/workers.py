"""Threads that do the blocking work of the server: a few for short verbs, some for waits, some for what takes long.

They live as long as the server, so that each has one connection to the store and no call pays for opening one. The kinds
are apart, so that agents who wait or run tests never stand in the way of a hook.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from pucs.core.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


class Kind(Enum):
    """How long a piece of work may take, with the number of threads for it."""

    SHORT = 16
    """One or a few transactions; they pass one gate anyway, so more threads would not make them faster."""
    LONG = 8
    """Git, tests: each may keep a core busy."""
    WAIT = 64
    """Sleeping in the queue; each keeps about five descriptors open, and 1,024 are usual."""


class Workers:
    """The threads of one server."""

    def __init__(self) -> None:
        """Start none before there is work."""
        self._pools = {kind: ThreadPoolExecutor(kind.value, f"pucs-{kind.name.lower()}") for kind in Kind}
        self._closing = threading.Event()
        self._waiting = 0

    @property
    def closing(self) -> bool:
        """Tell whether the server ends."""
        return self._closing.is_set()

    async def run(self, kind: Kind, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do one piece of work in a thread and return what it returns; others queue if all threads are busy."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pools[kind], lambda: work(*args, **kwargs))

    async def wait(self, work: Callable[[Callable[[], bool]], T]) -> T:
        """Do something that sleeps; ``work`` gets a function that tells whether it should give up.

        It should as soon as whoever called has gone away, or the server ends.

        Raises:
            Refused: as many wait already as there are threads for it.
        """
        if self._waiting >= Kind.WAIT.value:
            raise Refused(
                f"{self._waiting} agents wait through this server already.",
                remedy="Ask without wait_s, and again later.",
            )
        gone = threading.Event()
        self._waiting += 1
        try:
            return await self.run(Kind.WAIT, work, lambda: gone.is_set() or self._closing.is_set())
        finally:
            gone.set()
            self._waiting -= 1

    def close(self) -> None:
        """Let waits give up and start nothing more; what is at work ends by itself."""
        self._closing.set()
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
