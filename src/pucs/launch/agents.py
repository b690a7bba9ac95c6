"""The supervisor's end of a keeper: start it, run commands through it, and be certain how each one ended."""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import select
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pucs.core.errors import EnvironmentFailure
from pucs.launch import leftovers, processes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pucs.core.processes import Process
    from pucs.launch.talk import Talk

MARK = "PUCS_LAUNCH"
"""Environment variable that every process of an agent's tree inherits; its value is the keeper's random id."""
START_S_MAX = 30.0
"""Longest time a keeper may take to say it is ready: it takes 30 ms, a machine under load some seconds."""
CLOSE_S_MAX = 15.0
"""Longest time to wait for a keeper that was told to exit: beyond ``keeper.STUCK_S`` something hangs in the kernel."""
WAIT_S = 5.0
"""Default pause between two calls of ``on_wait``."""
ANSWER_BYTES_MAX = 1024 * 1024
"""Longest accepted answer; the largest one carries a tail of some kilobytes."""


class Ending(StrEnum):
    """How a command ended."""

    EXITED = "exited"
    """By itself, with a code or by a signal of its own making."""
    TIMED_OUT = "timed_out"
    """Stopped because it took too long."""
    STOPPED = "stopped"
    """Stopped because ``Keeper.stop`` was called."""
    UNSTARTED = "unstarted"
    """It could not be started at all; ``error`` says why."""
    LOST = "lost"
    """Its keeper died; whatever was left of the tree has been killed."""
    STUCK = "stuck"
    """It was killed and does not die; its keeper goes on waiting for it and stays the owner of the leases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run."""

    cwd: str
    """Absolute path of the directory."""
    env: Mapping[str, str]
    """Whole environment; the mark of the keeper is added."""
    output: str
    """Absolute path of the file that takes standard output and error, merged."""
    shell: str = ""
    """Command line for ``/bin/sh -c``; exactly one of this and ``argv`` is set."""
    argv: tuple[str, ...] = ()
    """Program and arguments."""
    output_bytes_max: int = 10 * 1024 * 1024
    """Output kept; the rest is counted and dropped."""
    timeout_s: float = 0.0
    """Longest time it may take; 0: no limit."""
    stop_grace_s: float = 5.0
    """Pause between SIGINT, SIGTERM and SIGKILL when it is stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command ended and what it left to read; nothing of its tree is alive unless it is stuck."""

    ending: Ending
    code: int | None = None
    """Exit code; None if it ended by a signal or not at all."""
    signal: int | None = None
    """Signal that ended it."""
    output_bytes: int = 0
    """Output kept in the file."""
    output_dropped: int = 0
    """Output beyond the cap, or beyond what the disk took."""
    output_error: str = ""
    """Why output could not be kept, such as a full disk."""
    duration_s: float = 0.0
    tail: str = ""
    """The last four kilobytes of the output."""
    error: str = ""
    """Why it was not started, is lost or is stuck."""

    @property
    def succeeded(self) -> bool:
        """Tell whether it ended by itself with code 0."""
        return self.ending is Ending.EXITED and self.code == 0


class Keeper:
    """One running keeper; ``run`` is for one thread at a time, ``stop`` for any."""

    def __init__(self) -> None:
        """Start it and wait until it is ready.

        Raises:
            EnvironmentFailure: it did not start.
        """
        self.launch = secrets.token_hex(16)
        """Value of the mark in the environment of everything it starts."""
        self._lock = threading.Lock()
        self._buffer = b""
        self._patient_until = math.inf
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-X", "utf8", str(Path(__file__).with_name("keeper.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        ready = self._receive(time.monotonic() + START_S_MAX)
        owner = processes.identity(self._child.pid)
        if ready is None or ready["event"] != "ready" or owner is None:
            self._child.kill()
            self._release()
            raise EnvironmentFailure(
                "The keeper of an agent did not start.",
                remedy=f"Try: {sys.executable} -I -S -X utf8 -c 'import ctypes'",
            )
        self.process: Process = owner
        """Its identity, to be recorded as the owner of the agent's leases."""

    def run(
        self,
        command: Command,
        *,
        on_wait: Callable[[], None] | None = None,
        wait_s: float = WAIT_S,
        cancelled: Callable[[], bool] = bool,
        talk: Talk | None = None,
    ) -> Outcome:
        """Run a command and return once nothing of it is alive (or it is stuck).

        Args:
            command: what to run.
            on_wait: called at least every ``wait_s`` seconds while it runs, for heartbeats and renewals; an
                exception from it stops the command and is raised again.
            wait_s: that pause.
            cancelled: asked once the command has begun, so that a stop from just before is not lost.
            talk: speaks with the command over its standard input and output; only its standard error goes to
                ``output`` then. It is closed in the end.
        """

        def waited() -> None:
            if on_wait:
                on_wait()
            if talk and talk.overdue():
                self.stop()

        if talk is None:
            return self._ran(self._order(command, []), waited, wait_s, cancelled, talk)
        try:
            try:
                channels = talk.open(command.output)
            except OSError as error:
                return Outcome(
                    ending=Ending.UNSTARTED, error=f"no pipes can be made to talk with it: {error}"
                )
            return self._ran(self._order(command, channels), waited, wait_s, cancelled, talk)
        finally:
            talk.close()

    def _order(self, command: Command, channels: list[str]) -> dict[str, Any]:
        return {
            "op": "run",
            "cwd": command.cwd,
            "env": _utf8({**command.env, MARK: self.launch}),
            "output": command.output,
            "output_bytes_max": command.output_bytes_max,
            "timeout_s": command.timeout_s,
            "stop_grace_s": command.stop_grace_s,
            "channels": channels,
            **({"argv": list(command.argv)} if command.argv else {"command": command.shell}),
        }

    def _ran(
        self,
        order: dict[str, Any],
        on_wait: Callable[[], None],
        wait_s: float,
        cancelled: Callable[[], bool],
        talk: Talk | None,
    ) -> Outcome:
        self._patient_until = math.inf
        began = time.monotonic()
        if not self._send(order):
            return self._lost(began)
        if cancelled():
            self.stop()
        try:
            return self._watch(began, on_wait, wait_s, talk)
        except BaseException:
            self.stop(grace_s=0)
            self._watch(began, None, wait_s)
            raise

    def stop(self, *, grace_s: float | None = None) -> None:
        """Stop the command under way, if any; a second call with a shorter grace hurries. Returns at once."""
        if grace_s is not None and grace_s <= 0:
            self._patient_until = min(self._patient_until, time.monotonic() + CLOSE_S_MAX)
        self._send({"op": "stop"} if grace_s is None else {"op": "stop", "grace_s": grace_s})

    def pause(self) -> None:
        """Stop the command under way where it stands, with its whole tree; its timeout stands still. Returns at once."""
        self._send({"op": "pause"})

    def resume(self) -> None:
        """Let a paused command go on. Returns at once."""
        self._send({"op": "resume"})

    def close(self) -> bool:
        """End the keeper with everything it started; False if something does not die and the keeper waits for it."""
        self._send({"op": "exit"})
        with self._lock, contextlib.suppress(OSError):
            assert self._child.stdin is not None
            self._child.stdin.close()
        if not self._dead(CLOSE_S_MAX):
            return False
        self._release()
        return True

    def _send(self, order: dict[str, Any]) -> bool:
        stdin = self._child.stdin
        assert stdin is not None
        try:
            with self._lock:
                stdin.write(json.dumps(order).encode() + b"\n")
                stdin.flush()
        except (OSError, ValueError):  # it is dead, or closed already
            return False
        return True

    def _watch(
        self, began: float, on_wait: Callable[[], None] | None, wait_s: float, talk: Talk | None = None
    ) -> Outcome:
        while True:
            answer = self._receive(min(time.monotonic() + wait_s, self._patient_until), talk)
            if answer is None:
                if time.monotonic() > self._patient_until:
                    self._child.kill()  # it does not even answer: stopped, perhaps
                elif on_wait:
                    on_wait()
                continue
            event = answer.pop("event")
            if talk:
                talk.begun()
            if event == "exited":
                return _outcome(answer)
            if event == "failed":
                return Outcome(ending=Ending.UNSTARTED, error=answer["error"])
            if event == "stuck":
                pids = ", ".join(map(str, answer["pids"]))
                reason = f"Killed, and still not gone: process {pids}."
                return Outcome(ending=Ending.STUCK, duration_s=time.monotonic() - began, error=reason)
            if event in {"lost", "crashed"}:
                return self._lost(began)

    def _receive(self, until: float, talk: Talk | None = None) -> dict[str, Any] | None:
        """Return the next answer, ``{"event": "lost"}`` at the end of answers, None at ``until``."""
        assert self._child.stdout is not None
        answers = self._child.stdout.fileno()
        while b"\n" not in self._buffer:
            if not _answered(answers, until, talk):
                return None
            data = os.read(answers, 65536)
            if not data or len(self._buffer) > ANSWER_BYTES_MAX:
                return {"event": "lost"}
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _lost(self, began: float) -> Outcome:
        """Make sure that nothing of a dead keeper's tree goes on."""
        if not self._dead(1.0):
            self._child.kill()
            self._dead(CLOSE_S_MAX)
        # Not reaped yet: as long as it is a zombie, its pid and so its session id belong to nobody else.
        session = self._child.pid if self._child.returncode is None else 0
        alive = leftovers.kill({MARK: self.launch}, session=session)
        self._child.wait()
        if alive:
            reason = f"The keeper was killed, and process {', '.join(map(str, alive))} does not die."
            return Outcome(ending=Ending.STUCK, duration_s=time.monotonic() - began, error=reason)
        reason = "The keeper was killed; whatever it had started has been killed too."
        return Outcome(ending=Ending.LOST, duration_s=time.monotonic() - began, error=reason)

    def _dead(self, within_s: float) -> bool:
        """Wait until the keeper is dead, without reaping it."""
        if self._child.returncode is not None:
            return True
        try:
            death = os.pidfd_open(self._child.pid)
        except (OSError, AttributeError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(within_s)
            return self._child.returncode is not None
        try:
            return _readable(death, within_s)
        finally:
            os.close(death)

    def _release(self) -> None:
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _outcome(answer: dict[str, Any]) -> Outcome:
    ending = Ending.EXITED
    if answer.pop("timed_out"):
        ending = Ending.TIMED_OUT
    if answer.pop("stopped"):
        ending = Ending.STOPPED
    return Outcome(ending=ending, **answer)


def _answered(answers: int, until: float, talk: Talk | None) -> bool:
    """Wait for the keeper, and go on with the talk meanwhile; False at ``until``."""
    while talk is not None:
        poll = select.poll()
        poll.register(answers, select.POLLIN)
        for descriptor, events in talk.wanted().items():
            poll.register(descriptor, events)
        ready = {descriptor for descriptor, _ in poll.poll(max(0.0, until - time.monotonic()) * 1000)}
        for descriptor in ready - {answers}:
            talk.attend(descriptor)
        if answers in ready:
            return True
        if time.monotonic() >= until:
            return False
    return _readable(answers, until - time.monotonic())


def _readable(descriptor: int, within_s: float) -> bool:
    poll = select.poll()  # select(2) takes no descriptor beyond 1023
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(math.ceil(max(0.0, within_s) * 1000)))


def _utf8(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment as a UTF-8 process would read it, whatever the locale of this one."""
    return {_recode(name): _recode(value) for name, value in env.items()}


def _recode(text: str) -> str:
    return os.fsencode(text).decode("utf-8", "surrogateescape")
