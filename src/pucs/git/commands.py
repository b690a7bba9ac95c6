"""Running a command of the user's, such as the tests of a merged result, so that it ends and leaves nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import deque
from contextlib import suppress
from typing import IO

from pucs.coordinator.records import Ran
from pucs.core.errors import EnvironmentFailure
from pucs.git.run import stop

OUTPUT_BYTES_MAX = 16 * 1024
"""How much of the output's tail is kept: the end of a test run says what failed."""
DRAIN_S = 2.0
"""Time to read what is left in the pipe once the command has ended."""
_CHUNK_BYTES = 4096


def run_shell(directory: str, command: str, *, timeout_s: float) -> Ran:
    """Run a shell command in a directory, in a process group of its own that is ended with it.

    ``GIT_*`` variables of a surrounding git are dropped, so that the command sees the repository it runs in.

    Raises:
        EnvironmentFailure: there is no shell, or the directory is missing.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise EnvironmentFailure(f"{command!r} cannot be run in {directory}: {error.strerror}.") from error
    assert process.stdout is not None, "asked for"
    chunks: deque[bytes] = deque(maxlen=OUTPUT_BYTES_MAX // _CHUNK_BYTES + 1)
    reader = threading.Thread(target=_read, args=(process.stdout, chunks), daemon=True)
    reader.start()
    timed_out = False
    try:
        status = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        timed_out, status = True, -signal.SIGKILL
    finally:
        # Also after a good end: what it left in the background must not outlive its worktree.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)
        if process.poll() is None:
            stop(process, close=False)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        reader.join(DRAIN_S)
    return Ran(status, b"".join(chunks)[-OUTPUT_BYTES_MAX:].decode("utf-8", "replace"), timed_out)


def _read(pipe: IO[bytes], chunks: deque[bytes]) -> None:
    with suppress(OSError, ValueError):
        while chunk := os.read(pipe.fileno(), _CHUNK_BYTES):
            chunks.append(chunk)
        pipe.close()
