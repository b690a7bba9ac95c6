"""From the call of ``release`` in one process until the waiter in another one has its answer."""

from __future__ import annotations

import os
import struct
import time
from typing import TYPE_CHECKING

from benchmarks.locks import world

if TYPE_CHECKING:
    from pathlib import Path

FILE = "shared/hot.py"
_TIME = struct.Struct("d")


def measure(place: Path | str, trials: int) -> list[float]:
    """Return the milliseconds of each trial, sorted. Both processes read the same monotonic clock."""
    world.build(place)
    return sorted(_trials(place, trials))


def _trials(directory: Path | str, trials: int) -> list[float]:
    go_read, go_write = os.pipe()
    answer_read, answer_write = os.pipe()
    waiter = os.fork()
    if waiter == 0:
        context = world.open_context(directory)
        while os.read(go_read, 1) == b"g":
            granted = world.acquire(context, agent="waiter", resources=(FILE,), wait_s=30.0).granted
            os.write(answer_write, _TIME.pack(time.monotonic() if granted else 0.0))
            world.release(context, agent="waiter")
            os.write(answer_write, _TIME.pack(0.0))
        os._exit(0)
    context = world.open_context(directory)
    found = []
    for _ in range(trials):
        assert world.acquire(context, agent="holder", resources=(FILE,)).granted
        os.write(go_write, b"g")
        while not _asleep(context):
            time.sleep(0.002)
        called = time.monotonic()
        world.release(context, agent="holder")
        found.append((_TIME.unpack(os.read(answer_read, _TIME.size))[0] - called) * 1000)
        os.read(answer_read, _TIME.size)
    os.write(go_write, b"x")
    os.waitpid(waiter, 0)
    return found


def _asleep(context: world.Context) -> bool:
    with context.store.read() as tx:
        queued = tx.requests.count() == 1
    if queued:
        time.sleep(0.005)  # from the commit of its request to its sleep on the bell
    return queued
