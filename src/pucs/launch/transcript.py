"""What a program and its model said during one attempt, kept twice: for people, and as it came over the wire."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, assert_never

from pucs.agents.output import Broke, ChangedFile, Said, Spent, TurnEnded, UsedTool

if TYPE_CHECKING:
    from pucs.agents.output import ProgramEvent

TEXT_LENGTH_MAX = 20_000
"""Longest text kept of one event in the readable file; the other has all of it."""


class Transcript:
    """Two files, each up to a cap; a full disk costs the record, not the work."""

    def __init__(self, readable: str, wire: str, bytes_max: int) -> None:
        """Begin both files anew."""
        self._readable = _Capped(readable, bytes_max)
        self._wire = _Capped(wire, bytes_max)

    def raw(self, line: bytes) -> None:
        """Keep one line as it came."""
        self._wire.write(line + b"\n")

    def note(self, text: str) -> None:
        """Write down what happened beside the talk."""
        self._tell("*", text)

    def event(self, event: ProgramEvent) -> None:
        """Write down what was said or done."""
        match event:
            case Said(text):
                self._tell(" ", text)
            case UsedTool(tool, about):
                self._tell(">", f"{tool} {about}")
            case ChangedFile(path):
                self._tell("+", path)
            case Spent():
                cost = f", {event.cost_usd:.4f} USD" if event.cost_usd is not None else ""
                self._tell("$", f"{event.input_tokens} tokens in, {event.output_tokens} out{cost}")
            case TurnEnded():
                self._tell(".", "interrupted" if event.interrupted else "the turn has ended")
            case Broke(reason):
                self._tell("!", reason)
            case _:
                assert_never(event)

    def close(self) -> None:
        """Close both files."""
        self._readable.close()
        self._wire.close()

    def _tell(self, mark: str, text: str) -> None:
        stamp = time.strftime("%H:%M:%S")
        first, *others = text[:TEXT_LENGTH_MAX].rstrip().split("\n")
        lines = [f"{stamp} {mark} {first}", *(f"{'':10} {line}" for line in others)]
        self._readable.write(("\n".join(lines) + "\n").encode("utf-8", "replace"))


class _Capped:
    """A private file that stops growing at a cap."""

    def __init__(self, path: str, bytes_max: int) -> None:
        self._left = bytes_max
        self._file = -1
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(path, flags, 0o600)

    def write(self, data: bytes) -> None:
        """Append, up to the cap."""
        data = data[: self._left]
        self._left -= len(data)
        try:
            while self._file >= 0 and data:
                data = data[os.write(self._file, data) :]
        except OSError:  # full, or too large for this user
            self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = -1
