"""One process of the rival: Bernstein's own lock manager in a closed loop; run by a Python that has the package ``bernstein``.

Called with a directory, the number of the process, the moment of the monotonic clock to begin at, and the seconds to run;
prints how many pairs it did and by how much its last one was late. ``fill N`` in place of a number holds N locks.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bernstein.core.persistence.file_locks import FileLockManager  # type: ignore[import-not-found]

FILES = 40
"""As in ``throughput.py``."""


def main() -> None:
    """Fill the locks, or run the loop."""
    manager = FileLockManager(Path(sys.argv[1]))
    if sys.argv[2] == "fill":
        held = [f"held/file_{at}.py" for at in range(int(sys.argv[3]))]
        if held and manager.acquire(held, agent_id="holder", task_id="bench"):
            raise RuntimeError("the locks to be held were not granted")
        return
    agent, begin, length_s = f"agent-{sys.argv[2]}", float(sys.argv[3]), float(sys.argv[4])
    if time.monotonic() > begin:
        raise RuntimeError("this process was not ready at the beginning")
    time.sleep(begin - time.monotonic())
    done, end = 0, begin + length_s
    while time.monotonic() < end:
        refused = manager.acquire([f"{agent}/file_{done % FILES}.py"], agent_id=agent, task_id="bench")
        if refused or not manager.release(agent):
            raise RuntimeError("a lock that nobody else wants was refused")
        done += 1
    print(done, time.monotonic() - end)


if __name__ == "__main__":
    main()
