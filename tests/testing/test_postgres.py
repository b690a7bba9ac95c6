"""The throw-away PostgreSQL server leaves nothing behind, however the process that started it ends."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pucs.testing.postgres import PostgresServer
with PostgresServer() as server:
    print(server.pid, server.watch, server.directory, flush=True)
    sys.stdin.readline()
"""
PATIENCE_S = 30
"""Far beyond what any step takes; only a failing test waits this long."""


def await_death(pid: int) -> None:
    """Wait until a process that is not our child is gone."""
    try:
        death = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([death], [], [], PATIENCE_S)[0], f"process {pid} goes on living"
    os.close(death)


@pytest.mark.postgres
@pytest.mark.process
@pytest.mark.slow
@pytest.mark.usefixtures("postgres_programs")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, 0])
def test_a_server_ends_with_the_process_that_started_it(number: int) -> None:
    """Killed by whatever signal, or ended in order: no process of the server goes on and no file is left."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdin is not None
        assert starter.stdout is not None
        said = starter.stdout.readline().split()
        assert said, "the server did not start; its words are on the standard error"
        server, watch, directory = int(said[0]), int(said[1]), Path(said[2])
        assert directory.is_dir()
        if number:
            starter.send_signal(number)
        else:
            starter.stdin.write("\n")
            starter.stdin.flush()
        starter.wait(PATIENCE_S)
        for pid in (server, watch):
            await_death(pid)
        assert not directory.exists()
