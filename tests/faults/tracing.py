"""The steps of a verb, found by watching its hands: every transaction and every call of git, in the order they come.

The list is never written by hand: a run in which nothing goes wrong records it, and a later run meets the same points,
where it can be killed or stopped. A step is met ``before`` and ``after``; a call of git also ``inside``, a moment after
git was started.
"""

from __future__ import annotations

import functools
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from pucs.git import run as git_run
from pucs.store import postgres, sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    Say = Callable[..., None]

INSIDE_S_MAX = 0.008
"""Longest time that git is left to work before it is met: most calls take that long."""
_HERE = "pucs.coordinator."
_PASSED = {"pucs.coordinator.context"}


class Trace:
    """Meets the steps of this process once it is switched on."""

    def __init__(self, say: Say, fault: dict[str, Any]) -> None:
        self.on = False
        self._say = say
        self._fault = fault
        self._times = Counter[str]()
        self._at = ("", 0)
        """The step that is met now: its name, and how often it came."""
        self._given = ""

    def install(self) -> None:
        """Put itself around the hands: the store's transactions and git's commands."""
        for store in (sqlite.SQLiteStore, postgres.PostgresStore):
            self._around_store(store)
        call, with_hooks, start = git_run.Git.__call__, git_run.Git.with_hooks, git_run.Git._start

        def traced(real: Any) -> Any:
            @functools.wraps(real)
            def run(git: Any, *arguments: str, stdin: str = "", **named: Any) -> Any:
                self._given = stdin
                words = [
                    word
                    for at, word in enumerate(arguments)
                    if not word.startswith("-") and "-c" not in arguments[at - 1 : at]
                ]
                with self._step(f"git {words[0]}", "git"):
                    return real(git, *arguments, stdin=stdin, **named)

            return run

        def started(*arguments: Any) -> Any:
            process = start(*arguments)
            if self._wanted("inside"):
                self._inside(process)
            return process

        for name, by in (("__call__", traced(call)), ("with_hooks", traced(with_hooks)), ("_start", started)):
            setattr(git_run.Git, name, by)

    def _around_store(self, store: Any) -> None:
        transaction, read = store.transaction, store.read

        @contextmanager
        def written(self_: Any, **named: Any) -> Iterator[Any]:
            opened = transaction(self_, **named)
            with self._step("opens", "opens"):
                tx = opened.__enter__()
            try:
                yield tx
            except BaseException as error:
                if not opened.__exit__(type(error), error, error.__traceback__):
                    raise
            else:
                with self._step("commits", "commits"):
                    opened.__exit__(None, None, None)

        @contextmanager
        def looked(self_: Any) -> Iterator[Any]:
            with self._step("reads", "reads"):
                opened = read(self_)
                tx = opened.__enter__()
            try:
                yield tx
            except BaseException as error:
                if not opened.__exit__(type(error), error, error.__traceback__):
                    raise
            else:
                opened.__exit__(None, None, None)

        store.transaction, store.read = written, looked

    @contextmanager
    def _step(self, what: str, kind: str) -> Iterator[None]:
        if not self.on:
            yield
            return
        name = f"{_whose()}: {what}"
        self._times[name] += 1
        self._at = (name, self._times[name])
        self._say("step", name=name, of=kind)
        self._meet("before")
        yield
        self._meet("after")

    def _wanted(self, when: str) -> bool:
        return self.on and self._fault.get("step") == list(self._at) and self._fault["when"] == when

    def _meet(self, when: str) -> None:
        if not self._wanted(when):
            return
        if self._fault["how"] == "stop":
            self._say("stops")
            os.kill(os.getpid(), signal.SIGSTOP)
            self._say("goes on")
        else:
            self._die()

    def _die(self) -> None:
        self._say("dies")
        os.kill(os.getpid(), signal.SIGKILL)

    def _inside(self, process: Any) -> None:
        """Give git what it was to be given, and a moment; then die, and in half of the cases git with this process."""
        rng = random.Random(self._fault["seed"])  # noqa: S311 - no secret
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.write(self._given.encode("utf-8", "surrogateescape"))
                process.stdin.close()
        time.sleep(rng.uniform(0.0, INSIDE_S_MAX))  # some moment of git's work, and git tells of none
        if rng.random() < 0.5:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        self._die()


def _whose() -> str:
    """Return which function of the verbs the step belongs to."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        room = frame.f_globals.get("__name__", "")
        if room.startswith(_HERE) and room not in _PASSED:
            return f"{room.removeprefix(_HERE)}.{frame.f_code.co_qualname}"
        frame = frame.f_back
    return "?"
