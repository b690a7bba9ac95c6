"""The talk with an agent program while it runs: lines between two named pipes and a conversation.

The pipes lie beside the keeper: it only gives them to the process, and no byte of the talk passes through it. All work
here is done in small steps from the supervisor's wait for its keeper and never blocks; whatever a program puts out, no
more than one line of it is held.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.agents.output import Broke, TurnEnded

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.agents.output import ProgramEvent
    from pucs.launch.programs import Conversation
    from pucs.launch.transcript import Transcript

LINE_BYTES_MAX = 16 * 1024 * 1024
"""Longest line that is understood: a whole file of the largest size that leases look into, quoted twice."""
CHUNK_BYTES = 64 * 1024
"""One read or write: the default capacity of a pipe."""
DRAIN_READS_MAX = 64
"""Reads after the program is gone: four times what the largest pipe (1 MiB) can hold."""
LEAVE_S = 10.0
"""Time a program has to end by itself after its last turn: it runs its own closing hooks, on a machine under load."""


class Talk:
    """One launch's end of the pipes; for the thread that runs the keeper."""

    def __init__(
        self, conversation: Conversation, transcript: Transcript, heard: Callable[[ProgramEvent], None]
    ) -> None:
        """Speak through a conversation, write down what is said, and pass each event on."""
        self.conversation = conversation
        self.over = False
        """The turn has ended and nothing more was said since."""
        self._transcript = transcript
        self._heard = heard
        self._names: tuple[str, ...] = ()
        self._mouth = -1
        self._ear = -1
        self._outbox = b""
        self._line = bytearray()
        self._skipping = False
        self._broken = False
        """It does not talk as it should; nothing is said to it any more, not even what was about to be."""
        self._leave_by = 0.0

    def open(self, base: str) -> list[str]:
        """Make both pipes, ``base`` being the beginning of their names, and return the program's ends.

        Raises:
            OSError: the place takes no pipes.
        """
        self._names = (f"{base}.in", f"{base}.out")
        for name in self._names:
            Path(name).unlink(missing_ok=True)
            os.mkfifo(name, 0o600)
        # Both ways, so that it opens before anybody reads; nobody but the program ever does.
        self._mouth = os.open(self._names[0], os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        self._ear = os.open(self._names[1], os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        return list(self._names)

    def begun(self) -> None:
        """Take the names away once the program has its ends."""
        for name in self._names:
            Path(name).unlink(missing_ok=True)
        self._names = ()

    def wanted(self) -> dict[int, int]:
        """Return what to wait for: descriptors with their poll events."""
        if self._mouth >= 0 and not self._names and self._broken:
            self._hang_up()
        elif self._mouth >= 0 and not self._names:  # as long as the pipes have names, nothing is said
            self._outbox = self._outbox or self.conversation.outgoing()
            if self._outbox:
                self.over = False
            elif self.over:
                self._hang_up()
        waits = {self._ear: select.POLLIN, self._mouth: select.POLLOUT if self._outbox else 0}
        return {descriptor: events for descriptor, events in waits.items() if descriptor >= 0 and events}

    def attend(self, descriptor: int) -> None:
        """Do one step with a descriptor that is ready."""
        if descriptor == self._ear:
            self._listen()
        elif descriptor == self._mouth:
            self._speak()

    def overdue(self) -> bool:
        """Tell whether the program should have ended by now."""
        return self._mouth < 0 and self._leave_by > 0 and time.monotonic() > self._leave_by

    def close(self) -> None:
        """Hear what is left in the pipe and close everything."""
        try:
            for _ in range(DRAIN_READS_MAX):
                if self._ear < 0 or not self._listen():
                    break
            if self._line and not self._skipping:
                self._take(bytes(self._line))
        finally:
            self._line.clear()
            for descriptor in (self._ear, self._mouth):
                if descriptor >= 0:
                    os.close(descriptor)
            self._ear = self._mouth = -1
            self.begun()

    def _hang_up(self) -> None:
        """End the program's input: it has nothing more to do."""
        os.close(self._mouth)
        self._mouth = -1
        self._outbox = b""
        self._leave_by = time.monotonic() + LEAVE_S

    def _speak(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._outbox = self._outbox[os.write(self._mouth, self._outbox[:CHUNK_BYTES]) :]

    def _listen(self) -> bool:
        """Take one chunk; False if nothing was there or the program has closed its end."""
        try:
            chunk = os.read(self._ear, CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            os.close(self._ear)
            self._ear = -1
            return False
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._add(end)
            if not self._skipping:
                self._take(bytes(self._line))
            self._line.clear()
            self._skipping = False
        self._add(rest)
        return True

    def _add(self, part: bytes) -> None:
        """Lengthen the line under way, or give it up if it gets too long."""
        if self._skipping:
            return
        if len(self._line) + len(part) > LINE_BYTES_MAX:
            self._skipping = True
            self._line.clear()
            self._transcript.note(f"a line of more than {LINE_BYTES_MAX} bytes was left out")
            return
        self._line += part

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        self._transcript.raw(line)
        for event in self.conversation.receive(line):
            self._transcript.event(event)
            if isinstance(event, TurnEnded | Broke):
                self.over = True
            self._broken = self._broken or isinstance(event, Broke)
            self._heard(event)
