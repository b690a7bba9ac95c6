"""Calls that may come twice: a client whose connection was cut asks again under the same key, and gets the same answer.

Kept in memory only and for minutes: whoever asks again does so at once.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.core.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

KEPT_S = 300.0
"""Time an answer is kept: a client asks again within seconds, or after its machine was asleep for a moment."""
KEPT_MAX = 4096
"""Answers kept: some minutes of a hundred busy agents."""
BYTES_MAX = 16 * 1024 * 1024
"""What they may take together."""
KEY_LENGTH_MAX = 100
"""Longest key; a UUID has 36 characters."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a call was answered."""

    status: int
    body: bytes
    final: bool = True
    """False: nothing was done, so whoever asks again is to be heard anew."""


@dataclass(slots=True)
class _Kept:
    asked: bytes
    task: asyncio.Task[Answered]
    cancelled: threading.Event
    at_s: float
    size_bytes: int = 0


class Repeats:
    """The calls of the last minutes by caller and key; used by the server's event loop alone."""

    def __init__(self) -> None:
        """Know of none."""
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._size_bytes = 0

    def knows(self, who: str, key: str) -> bool:
        """Tell whether a call of this key was heard."""
        return (who, key) in self._kept

    def cancel(self, who: str, key: str) -> bool:
        """Let the call of this key give up waiting; tell whether it is under way."""
        kept = self._kept.get((who, key))
        if kept is None or kept.task.done():
            return False
        kept.cancelled.set()
        return True

    async def once(
        self, who: str, key: str, asked: bytes, begin: Callable[[threading.Event], Awaitable[Answered]]
    ) -> Answered:
        """Do a call, or return what the call of the same key was answered; ``begin`` gets what tells it to give up.

        Raises:
            Usage: the key is too long, or was used for something else.
        """
        if len(key) > KEY_LENGTH_MAX:
            raise Usage(f"A key of {len(key)} characters is too long.", remedy=f"At most {KEY_LENGTH_MAX}.")
        if not key:
            return await begin(threading.Event())
        while (kept := self._kept.get((who, key))) is not None:
            if kept.asked != asked:
                raise Usage("This Idempotency-Key stands for another call.", remedy="Use a new one.")
            answer = await asyncio.shield(kept.task)
            if answer.final:
                return answer
            self._forget((who, key), kept)
        self._make_room()
        event = threading.Event()
        task = asyncio.ensure_future(begin(event))
        kept = _Kept(asked, task, event, time.monotonic())
        self._kept[who, key] = kept
        task.add_done_callback(lambda _: self._done((who, key), kept))
        return await asyncio.shield(task)

    def _done(self, key: tuple[str, str], kept: _Kept) -> None:
        if kept.task.cancelled() or kept.task.exception() is not None or not kept.task.result().final:
            self._forget(key, kept)
            return
        kept.size_bytes = len(kept.task.result().body) + len(kept.asked)
        self._size_bytes += kept.size_bytes
        self._make_room()

    def _make_room(self) -> None:
        """Forget what is old or too much, oldest first; what is under way stays."""
        now_s = time.monotonic()
        for key, kept in list(self._kept.items()):
            full = len(self._kept) >= KEPT_MAX or self._size_bytes > BYTES_MAX
            if not full and now_s - kept.at_s < KEPT_S:
                return
            if kept.task.done():
                self._forget(key, kept)

    def _forget(self, key: tuple[str, str], kept: _Kept) -> None:
        if self._kept.get(key) is kept:
            del self._kept[key]
            self._size_bytes -= kept.size_bytes
