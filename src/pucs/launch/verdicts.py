"""What can come of an attempt, and how it is said in one line."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.launch.agents import Ending

if TYPE_CHECKING:
    from pucs.launch.agents import Outcome

REASON_LENGTH_MAX = 500
"""Longest part of a reason that was taken from a command's output: it goes into the task's record."""
SHELL_SIGNAL_BASE = 128
"""A shell reports a command that was killed by adding this to the signal."""
_COMMAND_NOT_FOUND = 127


@dataclass(frozen=True, slots=True)
class Done:
    """The work of the task is on its stream's branch."""

    result: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The attempt came to nothing."""

    reason: str
    salvage: str = ""
    """Ref that keeps what landing parked already."""
    remedy: str = ""
    """What whoever did the work could do about it; empty: nothing, or it is not known."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The run was stopped during the attempt."""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Something of the attempt does not die, so nothing may be parked or released; its keeper waits for it."""

    reason: str


Verdict = Done | Failure | Interrupted | Abandoned


def explained(outcome: Outcome, timeout_s: float) -> str:
    """Return how a command failed, in one line, with the last line it printed."""
    if outcome.ending is Ending.TIMED_OUT:
        said = f"timed out after {timeout_s:g} s"
    elif outcome.ending in {Ending.LOST, Ending.UNSTARTED, Ending.STUCK}:
        said = outcome.error
    elif outcome.signal is not None:
        said = f"killed by {_signal_name(outcome.signal)}"
    elif outcome.code == _COMMAND_NOT_FOUND:
        said = "command not found (exit 127)"
    else:
        by = outcome.code - SHELL_SIGNAL_BASE if outcome.code is not None else 0
        said = f"exit {outcome.code}" + (f" ({_signal_name(by)})" if by > 0 else "")
    last = last_line(outcome.tail)
    return f"{said}: {last}" if last else said


def last_line(output: str) -> str:
    """Return the last line of an output that says anything, printable and not too long."""
    lines = [line for line in output.splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else ""


def one_line(text: str) -> str:
    """Return what others said as part of a reason: on one line, printable and not too long."""
    plain = " ".join(text[: 2 * REASON_LENGTH_MAX].split())[:REASON_LENGTH_MAX]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in plain)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
