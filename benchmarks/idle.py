"""What a run costs while its agents do nothing: processor and memory of the supervisor. See docs/reference/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pucs.core.errors import PucsError
from pucs.testing.hook_agent import shim
from pucs.wiring import open_context

READY_S_MAX = 300.0
"""Longest wait until all agents are where they should be: fifty checkouts on two cores take half a minute."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What some processes have used."""

    cpu_s: float
    memory_mb: float
    """Their own share of it: what several processes share counts for each in part."""
    processes: int
    threads: int


def used(pids: list[int]) -> Used:
    """Look at processes as they are now."""
    cpu_s = memory_kb = threads = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        cpu_s += (int(fields[11]) + int(fields[12])) / TICKS
        threads += int(fields[17])
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        memory_kb += next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return Used(cpu_s=cpu_s, memory_mb=memory_kb / 1024, processes=len(pids), threads=int(threads))


def keepers(supervisor: int) -> list[int]:
    """Return the supervisor's children that keep its agents."""
    found = Path(f"/proc/{supervisor}/task").glob("*/children")
    return sorted({int(pid) for file in found for pid in file.read_text().split()})


def place(root: Path, agents: int) -> Path:
    """Make a repository for so many agents."""
    repository = root / "repository"
    (repository / "app").mkdir(parents=True)
    (repository / "app" / "hot.py").write_text("hot = 1\n", encoding="utf-8")
    stream = {"files_pattern": "app/**", "max_agents": agents + 1}
    (repository / "pucs.yaml").write_text(json.dumps({"streams": {"app": stream}}), encoding="utf-8")
    who = ["-c", "user.name=Bench", "-c", "user.email=bench@example.com"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "Begin"]):
        subprocess.run(["git", *words], cwd=repository, check=True)
    return repository


@contextmanager
def run(
    repository: Path, tasks: list[dict[str, str]], *words: str, **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run tasks, and stop the run at the end."""
    file = repository.parent / "tasks.json"
    file.write_text(json.dumps({"tasks": tasks}), encoding="utf-8")
    call = [sys.executable, "-m", "pucs", "run", "--tasks", str(file), *words]
    with (repository.parent / "run.log").open("wb") as log:
        process = subprocess.Popen(
            call, cwd=repository, env={**os.environ, **more}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGINT)
            process.wait(120)


@contextmanager
def asleep(root: Path, agents: int) -> Iterator[int]:
    """Agents whose command sleeps."""
    repository = place(root, agents)
    ready = root / "ready"
    ready.mkdir()
    command = 'touch "$READY/$PUCS_AGENT"; exec sleep 3600'
    tasks = [{"id": f"T-{n}", "stream": "app", "command": command} for n in range(agents)]
    with run(repository, tasks, READY=str(ready)) as supervisor:
        until(lambda: len(list(ready.iterdir())), agents, supervisor, root)
        yield supervisor.pid


@contextmanager
def suspended(root: Path, agents: int) -> Iterator[int]:
    """Agents that wait for a file that one more agent has, without a process of their own."""
    repository = place(root, agents)
    shim(root / "bin", plan=root / "plan.json")
    thinks = [{"sleep": 3600}, {"text": "Done."}]
    waits = [{"text": "I come back."}]
    plan = [
        {"read": "app/hot.py"},
        {"edit": "app/hot.py", "old": "hot = 1", "new": "hot = 2"},
        {"if_saw": "held by", "then": waits, "else": thinks},
    ]
    (root / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    more = {
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "CLAUDE_CONFIG_DIR": str(root / "claude"),
    }
    tasks = [{"id": f"T-{n}", "stream": "app", "prompt": "Change it."} for n in range(agents + 1)]

    def waiting() -> int:
        with open_context(repository, door="bench").store.read() as tx:
            return tx.entries.count(actions=["agent suspended"])

    with run(repository, tasks, "--agent", "claude", **more) as supervisor:
        until(waiting, agents, supervisor, root)
        yield supervisor.pid


def until(count: Callable[[], int], wanted: int, run: subprocess.Popen[bytes], root: Path) -> None:
    """Wait until so many agents are where they should be."""
    limit = time.monotonic() + READY_S_MAX
    while run.poll() is None and time.monotonic() < limit:
        with suppress(PucsError):  # the store is not there yet
            if count() >= wanted:
                return
        time.sleep(0.5)
    log = (root / "run.log").read_text(encoding="utf-8")
    raise SystemExit(f"The agents did not come so far: {log[-2000:]}")


def measure(supervisor: int, seconds: float) -> None:
    """Look twice and print what happened between."""
    time.sleep(5)  # what the beginning has left to do
    kept = keepers(supervisor)
    before, keeping = used([supervisor]), used(kept)
    began = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    after, kept_on = used([supervisor]), used(kept)
    print(
        f"  supervisor: {(after.cpu_s - before.cpu_s) / passed:.2%} of a core, {after.memory_mb:.0f} MB, "
        f"{after.threads} threads"
    )
    print(
        f"  {kept_on.processes} keepers: {(kept_on.cpu_s - keeping.cpu_s) / passed:.2%} of a core, "
        f"{kept_on.memory_mb:.0f} MB together"
    )


def main() -> None:
    """Measure both kinds of idleness."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("kinds", nargs="*", default=["asleep", "suspended"])
    given = parser.parse_args()
    known = {"asleep": asleep, "suspended": suspended}
    for kind in given.kinds:
        print(f"{given.agents} agents {kind}, {given.seconds:g} s")
        with tempfile.TemporaryDirectory() as root, known[kind](Path(root), given.agents) as supervisor:
            measure(supervisor, given.seconds)


if __name__ == "__main__":
    main()
