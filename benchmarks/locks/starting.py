"""How long ``pucs status`` takes against a Python that does nothing."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PUCS_"))},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.invalid",
    "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.invalid",
}  # fmt: skip


def measure(runs: int) -> tuple[float, float] | None:
    """Return the median milliseconds of bare Python and of ``pucs status``, taking turns; None if it does not work."""
    with tempfile.TemporaryDirectory(prefix="pucs-bench-") as scratch:
        root = Path(scratch) / "repository"
        root.mkdir()
        environment = {**_ENVIRONMENT, "HOME": scratch, "XDG_STATE_HOME": scratch}
        pucs = [str(Path(sys.executable).with_name("pucs"))]
        (root / "a.py").write_text("A = 1\n")
        setup = (
            ["git", "init", "-q"],
            ["git", "add", "-A"],
            ["git", "commit", "-qm", "Start"],
            [*pucs, "init"],
        )
        for call in setup:
            if subprocess.run(call, cwd=root, env=environment, capture_output=True, check=False).returncode:
                return None
        calls = ([sys.executable, "-I", "-S", "-c", "pass"], [*pucs, "status"])
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(runs + 1):
            for call, found in zip(calls, times, strict=True):
                began = time.perf_counter()
                status = subprocess.run(
                    call, cwd=root, env=environment, capture_output=True, check=False
                ).returncode
                found.append((time.perf_counter() - began) * 1000)
                if status:
                    return None
        bare, ours = (statistics.median(found[1:]) for found in times)
        return bare, ours
