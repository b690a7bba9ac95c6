"""Parses many files side by side in processes that a bad file may hang or kill (``coordinator.ports.Parsers``)."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from pucs.coordinator.records import Parsed
from pucs.core.errors import EnvironmentFailure
from pucs.launch.parser import CPU_S_MAX, HEADER, NUMBER, READY, Work, told
from pucs.syntax.packing import packed
from pucs.syntax.reading import unread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import IO

FILES_ALONE_MAX: Final = 32
"""So few files, if they are small, are parsed in this process: to start another takes as long."""
BYTES_ALONE_MAX: Final = 400_000
"""Their size together; what is parsed here has no limit of time."""
FILES_EACH_MIN: Final = 40
"""A process for fewer files would not pay."""
PROCESSES_MAX: Final = 16
"""More do not help: what they tell is put together by one."""
WAITING_MAX: Final = 16
"""Files a process has before it, so that it never waits for us; their numbers fit into any pipe."""
SILENCE_S_MAX: Final = 120.0
"""Longest time without an answer, for what takes no processor time: a disk that does not come back."""
START_S_MAX: Final = 60.0
"""Longest time a process may take to be loaded."""
END_S_MAX: Final = 5.0
"""Longest time a process may take to end after it closed its output."""
_READ_BYTES: Final = 256 * 1024
_SAID_CHARS_MAX: Final = 500
_PROGRAM: Final = (
    "import sys; sys.path[:] = sys.argv[2:]; from pucs.launch.parser import main; main(int(sys.argv[1]))"
)


class ProcessParsers:
    """Parsers in processes of their own, as many as there are processors for us."""

    def __init__(self, processes_max: int = 0, *, cpu_s_max: float = CPU_S_MAX) -> None:
        """Take how many processes may run at once (0: as many as there are processors), and the time for one file."""
        self._cpu_s_max = cpu_s_max
        self._processes_max = processes_max or min(_processors(), PROCESSES_MAX)

    def parsed(self, root: str, files: Mapping[str, str]) -> Iterator[Parsed]:
        """Give the packed facts of files, each once, in any order; see the port.

        Raises:
            EnvironmentFailure: no process can be started.
        """
        if _few(root, files):
            top = os.fsencode(root)
            for path, blob in files.items():
                data, lasting = told(top, os.fsencode(path), blob)
                yield Parsed(path, data, lasting)
            return
        listed = [(os.fsencode(path), blob) for path, blob in files.items()]
        work = Work(os.fsencode(root), listed, self._cpu_s_max)
        processes = min(self._processes_max, -(-len(files) // FILES_EACH_MIN))
        yield from _Pool(work, list(files), processes).parsed()


def _processors() -> int:
    """Return how many processors this process may use, as far as the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _few(root: str, files: Mapping[str, str]) -> bool:
    if len(files) > FILES_ALONE_MAX:
        return False
    size = 0
    for path in files:
        with suppress(OSError):
            size += os.lstat(os.path.join(root, path)).st_size  # noqa: PTH118 - names stay names
    return size <= BYTES_ALONE_MAX


class _Child:
    """One process with the files it has before it, in the order in which it answers."""

    def __init__(self, list_file: int) -> None:
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _PROGRAM, str(list_file), *filter(None, sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.said,
                pass_fds=(list_file,),
                start_new_session=True,  # ^C is for us, and we end it
            )
        except OSError as error:
            self.said.close()
            raise EnvironmentFailure(f"{sys.executable} cannot be started: {error.strerror}.") from error
        self.waiting: deque[int] = deque()
        self.buffer = bytearray()
        self.ready = False
        self.heard_at = time.monotonic()

    @property
    def output(self) -> IO[bytes]:
        assert self.process.stdout is not None, "asked for"
        return self.process.stdout

    def ask(self, number: int) -> None:
        assert self.process.stdin is not None, "asked for"
        self.waiting.append(number)
        with suppress(BrokenPipeError):  # its output will end, too
            os.write(self.process.stdin.fileno(), NUMBER.pack(number))

    def answers(self) -> Iterator[tuple[int, bytes, bool]]:
        """Give the answers that have come in whole."""
        at = 0
        while len(self.buffer) - at >= HEADER.size:
            number, size, lasting = HEADER.unpack_from(self.buffer, at)
            end = at + HEADER.size + size
            if len(self.buffer) < end:
                break
            data = bytes(self.buffer[at + HEADER.size : end])
            at = end
            if number == READY:
                self.ready = True
                continue
            self.waiting.popleft()
            yield number, data, bool(lasting)
        del self.buffer[:at]

    def end(self) -> int:
        """End the process, whatever it does, and return its exit status."""
        with suppress(ProcessLookupError):
            self.process.kill()
        status = self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.said):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        return status

    def complaint(self) -> str:
        """Return the end of what the process said was wrong."""
        self.said.seek(0)
        return self.said.read().decode("utf-8", "replace").strip()[-_SAID_CHARS_MAX:]


class _Pool:
    """Processes at work on one list of files."""

    def __init__(self, work: Work, paths: list[str], processes: int) -> None:
        self._paths = paths
        self._cpu_s_max = work.cpu_s_max
        self._processes = processes
        self._left = deque(range(len(paths)))
        self._children: list[_Child] = []
        self._ears = selectors.DefaultSelector()
        self._list_file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the pool
        self._list_file.write(msgspec.msgpack.encode(work))
        self._list_file.flush()

    def parsed(self) -> Iterator[Parsed]:
        try:
            for _ in range(self._processes):
                self._start()
            while self._children:
                for key, _ in self._ears.select(timeout=1.0):
                    yield from self._heard(key.data)
                for child in [*self._children]:
                    yield from self._watched(child)
        finally:
            for child in self._children:
                child.end()
            self._ears.close()
            self._list_file.close()

    def _start(self) -> None:
        child = _Child(self._list_file.fileno())
        self._children.append(child)
        self._ears.register(child.output, selectors.EVENT_READ, child)
        self._feed(child)

    def _feed(self, child: _Child) -> None:
        while self._left and len(child.waiting) < WAITING_MAX:
            child.ask(self._left.popleft())

    def _heard(self, child: _Child) -> Iterator[Parsed]:
        data = os.read(child.output.fileno(), _READ_BYTES)
        if not data:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(END_S_MAX)
            yield from self._lost(child)
            return
        child.heard_at = time.monotonic()
        child.buffer += data
        for number, told_of_it, lasting in child.answers():
            yield Parsed(self._paths[number], told_of_it, lasting)
        self._feed(child)
        if not child.waiting:
            self._leave(child)

    def _watched(self, child: _Child) -> Iterator[Parsed]:
        """Give up on a process that has been silent for too long."""
        silence_s_max = SILENCE_S_MAX if child.ready else START_S_MAX
        if time.monotonic() - child.heard_at > silence_s_max:
            yield from self._lost(child)

    def _lost(self, child: _Child) -> Iterator[Parsed]:
        """Let another process go on behind the file on which this one ended or fell silent."""
        complaint = child.complaint()
        ended = child.process.poll()
        self._leave(child)
        if not child.ready:
            raise EnvironmentFailure(
                f"The program that parses files cannot be started: {complaint or child.process.returncode}.",
                remedy="Check the installation: pucs doctor",
            )
        if child.waiting:
            path = self._paths[child.waiting.popleft()]
            self._left.extendleft(reversed(child.waiting))
            why = self._why(ended, complaint)
            yield Parsed(path, packed(unread(path, why)), ended == -signal.SIGPROF)
        if self._left:
            self._start()

    def _leave(self, child: _Child) -> None:
        self._ears.unregister(child.output)
        self._children.remove(child)
        child.end()

    def _why(self, status: int | None, complaint: str) -> str:
        if status is None:
            return f"the parser gave no answer for {SILENCE_S_MAX:.0f} s"
        if status == -signal.SIGPROF:
            return f"takes more than {self._cpu_s_max:.0f} s to parse"
        if status < 0:
            return f"the parser died of signal {-status}"
        return f"the parser failed: {complaint.rpartition(chr(10))[2] or status}"
