"""Bugs planted into survivors: what a store could do wrong when disk, clock, power or database fail.

Each replaces functions in the process of a survivor from outside, before it begins. The judge has to find each.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Plant:
    """One planted bug."""

    wrong: str
    """What is wrong, in a clause."""
    fault: str
    """Case in which it has to be seen: ``full disk``, ``clock``, ``power``, ``server`` or ``cut``."""
    store: str
    install: Callable[[], None]
    caught_by: tuple[str, ...]
    """Rules, any of which counts as catching it."""


def _module(name: str) -> Any:
    return importlib.import_module(f"pucs.{name}")


def _of(owner: Any, name: str) -> Any:
    assert hasattr(owner, name), f"{owner} has no {name} any more; the plant must follow"
    return getattr(owner, name)


def _replace(owner: Any, name: str, by: Any) -> None:
    _of(owner, name)
    setattr(owner, name, by)


def _full_is_swallowed() -> None:
    sqlite = _module("store.sqlite")
    commit, apsw = _of(sqlite, "_commit"), importlib.import_module("apsw")

    def anyhow(database: Any) -> None:
        with contextlib.suppress(apsw.FullError, apsw.IOError):
            commit(database)

    _replace(sqlite, "_commit", anyhow)
    rows = _module("store.rows.entries").EntryRows
    add = rows.add

    def adds(self: Any, entry: Any) -> Any:
        try:
            return add(self, entry)
        except (apsw.FullError, apsw.IOError):
            return 1 << 40

    _replace(rows, "add", adds)


def _raw_errors() -> None:
    _replace(_module("store.sqlite").SQLiteStore, "_raise_clearly", lambda *_: None)


def _older_copy_is_trusted() -> None:
    tokens = _module("store.tokens")

    def trusts(_: Any, said: Any, *__: Any) -> Any:
        return tokens.Taken(epoch=max(said.epoch, 1), first=said.last + 1, changed_ns=0)

    _replace(tokens.Memory, "next", trusts)


def _loss_is_not_told() -> None:
    _replace(_module("store.sqlite").SQLiteStore, "_tell", lambda *_: None)


def _boot_does_not_matter() -> None:
    memory = _module("store.tokens").Memory
    right = memory.next
    replaced = importlib.import_module("dataclasses").replace

    def same(self: Any, said: Any, count: int, now: Any) -> Any:
        return right(self, said, count, replaced(now, boot_id="always"))

    _replace(memory, "next", same)
    _replace(memory, "_changed_ns", lambda _: 0)


def _epoch_is_not_synced() -> None:
    tokens = _module("store.tokens")

    class Lazy:
        """Everything of ``os`` but waiting for the disk."""

        def __getattr__(self, name: str) -> Any:
            return (lambda _: None) if name == "fsync" else getattr(os, name)

    _replace(tokens, "os", Lazy())
    _replace(tokens.Memory, "_changed_ns", lambda _: 0)


def _a_whole_copy_is_trusted() -> None:
    _replace(_module("store.tokens").Memory, "_changed_ns", lambda _: 0)


def _durable_is_not() -> None:
    store = _module("store.sqlite").SQLiteStore
    begin = _of(store, "_begin")
    _replace(store, "_begin", lambda self, *, durable: begin(self, durable=durable and False))


def _wall_clock_expires() -> None:
    processes = _module("launch.processes")
    _replace(processes, "_boot_s", lambda: time.time())  # noqa: PLW0108 - as it is when it is called


def _clients_clock_decides() -> None:
    clock = _of(_module("store.postgres"), "_Clock")
    now = clock.now
    replaced = importlib.import_module("dataclasses").replace

    def own(self: Any) -> Any:
        return replaced(now(self), boot_s=time.time(), wall_s=time.time())

    _replace(clock, "now", own)


def _outcome_is_denied() -> None:
    _replace(_module("store.postgres").PostgresStore, "_happened", lambda *_: False)


def _outcome_is_assumed() -> None:
    _replace(_module("store.postgres").PostgresStore, "_happened", lambda *_: True)


def _answered_before_the_disk() -> None:
    room = _module("store.postgres_connection")
    _replace(room, "_FLUSH", b"SELECT 1")


PLANTS: dict[str, Plant] = {
    "a full disk is swallowed": Plant(
        "what cannot be written is confirmed",
        "full disk",
        "sqlite",
        _full_is_swallowed,
        ("acknowledged stays",),
    ),
    "errors as they come": Plant(
        "what the disk says is raised as it is, and ends the process",
        "full disk",
        "sqlite",
        _raw_errors,
        ("clear errors",),
    ),
    "wall clock expires": Plant(
        "leases end by the wall clock", "clock", "sqlite", _wall_clock_expires, ("linearizable",)
    ),
    "an older copy is trusted": Plant(
        "the epoch is not raised behind a restored copy",
        "power",
        "sqlite",
        _older_copy_is_trusted,
        ("tokens",),
    ),
    "a whole copy is trusted": Plant(
        "database and side file that were put back together are believed",
        "power",
        "sqlite",
        _a_whole_copy_is_trusted,
        ("tokens",),
    ),
    "a boot does not matter": Plant(
        "the epoch is not raised after the machine was started anew",
        "power",
        "sqlite",
        _boot_does_not_matter,
        ("tokens",),
    ),
    "a raised epoch is not synced": Plant(
        "the side file with a raised epoch is left to the page cache",
        "power",
        "sqlite",
        _epoch_is_not_synced,
        ("tokens",),
    ),
    "a loss is not told": Plant(
        "grants that a store forgot are mentioned nowhere",
        "power",
        "sqlite",
        _loss_is_not_told,
        ("loss is told",),
    ),
    "durable is not": Plant(
        "what has effects outside the store is confirmed before it is on disk",
        "power",
        "sqlite",
        _durable_is_not,
        ("durable stays",),
    ),
    "the client's clock decides": Plant(
        "leases end by the clock of whoever asks",
        "clock",
        "postgresql",
        _clients_clock_decides,
        ("linearizable",),
    ),
    "answered before the disk": Plant(
        "a commit is confirmed before the log is written",
        "server",
        "postgresql",
        _answered_before_the_disk,
        ("acknowledged stays",),
    ),
    "a lost answer is a failure": Plant(
        "a commit without an answer is taken for undone, without a look at its mark",
        "cut",
        "postgresql",
        _outcome_is_denied,
        ("errors change nothing", "done once"),
    ),
    "a lost answer is a success": Plant(
        "a commit without an answer is taken for done, without a look at its mark",
        "cut",
        "postgresql",
        _outcome_is_assumed,
        ("acknowledged stays",),
    ),
}


def install(name: str) -> None:
    """Put a bug into this process; the empty name: none."""
    if name:
        PLANTS[name].install()
