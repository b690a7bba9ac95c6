"""What hooks add to an edit in the real Claude Code, with and without a server. See docs/reference/benchmarks.md.

A scripted model orders one edit after the other; what counts is the time from one edit's result to the next one's: two
hooks, the edit itself, and a turn of a model that does not think. Each round runs every way once, in turn.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.clients import installing  # noqa: E402 - found by the line above
from tests.clients.stage import Stage, Talk  # noqa: E402 - the same
from tests.clients.world import World  # noqa: E402 - the same

WAYS = ("no hooks", "http hooks", "command hooks, server", "command hooks, no server")
START_S_MAX = 30.0
"""Longest start of the server."""


def repository(root: Path, name: str) -> Path:
    """Make a repository with one file."""
    place = root / name
    (place / "core").mkdir(parents=True)
    (place / "core" / "a.py").write_text("a = 0\n", encoding="utf-8")
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Start"]):
        subprocess.run(["git", *words], cwd=place, check=True)
    return place


@contextlib.contextmanager
def served(root: Path) -> Iterator[str]:
    """Serve a repository in a process of its own, and give the URL."""
    address = root / ".git" / "pucs" / "server.json"
    with subprocess.Popen(
        [sys.executable, "-m", "pucs", "serve"], cwd=root, stdout=subprocess.DEVNULL
    ) as server:
        began = time.monotonic()
        while not address.exists() or "url" not in address.read_text(encoding="utf-8"):
            if server.poll() is not None or time.monotonic() - began > START_S_MAX:
                raise SystemExit("the server did not start")
            time.sleep(0.05)
        yield str(json.loads(address.read_text(encoding="utf-8"))["url"])
        server.terminate()


def gaps_ms(talk: Talk, edits: int) -> list[float]:
    """Let Claude Code work through its script; return the time from each edit's result to the next one's."""
    seen: list[float] = []
    with talk:
        talk.say("Count up")
        while len(seen) < edits:
            line = talk.heard(type="user")
            block = line["message"]["content"][0]
            if block.get("is_error"):
                raise SystemExit(f"an edit failed: {block['content']}")
            seen.append(time.perf_counter())
        talk.heard(type="result")
    # First the file is read, then the first edit takes the lease; what counts is what agents do most.
    return [(later - earlier) * 1000 for earlier, later in itertools.pairwise(seen[2:])]


def script(edits: int) -> Sequence[dict[str, str]]:
    """Return the model's orders: write the file, and edit it again and again; nobody reads it in between."""
    return [
        {"read": "core/a.py"},
        *(
            {"edit": "core/a.py", "old": f"a = {number}", "new": f"a = {number + 1}"}
            for number in range(edits)
        ),
        *[{"text": "done"}] * 4,
    ]


def measure(rounds: int, edits: int) -> dict[str, list[float]]:
    """Return the median of each round, by way."""
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="pucs-bench-") as scratch, Stage(Path(scratch)) as stage:
        stage.models.script("x", script(edits))
        with_server = World(stage, repository(Path(scratch), "served"))
        without = World(stage, repository(Path(scratch), "alone"))
        with served(with_server.root) as url:
            for turn in range(rounds):
                order = random.sample(WAYS, len(WAYS))
                for number, way in enumerate(order):
                    world = with_server if way in WAYS[1:3] else without
                    agent = world.agent(f"agent-{turn}-{number}")
                    if way == WAYS[0]:
                        talk = stage.claude("x", Path(agent.worktree))
                    else:
                        talk = world.claude(agent, "x", endpoint=url if way == WAYS[1] else "")
                    found[way].append(statistics.median(gaps_ms(talk, edits + 1)))
                    world.end(agent)
    return found


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="./run bench claude", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--edits", type=int, default=30, help="in each conversation")
    options = parser.parse_args()
    try:
        installing.install()
    except installing.Missing as missing:
        raise SystemExit(f"this needs the real Claude Code: {missing}") from missing
    os.environ |= {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Bench"), ("EMAIL", "bench@example.invalid"))
    }
    found = measure(options.rounds, options.edits)
    base = found[WAYS[0]]
    print(
        f"{installing.PINS['claude']}, {options.rounds} rounds of {options.edits} edits\n\n"
        "| hooks | one edit, median of rounds | added (median, min to max) | ratio |\n|---|---|---|---|"
    )
    for way, times in found.items():
        added = [time_ms - base_ms for time_ms, base_ms in zip(times, base, strict=True)]
        ratio = statistics.median(time_ms / base_ms for time_ms, base_ms in zip(times, base, strict=True))
        spread = f"{statistics.median(added):.1f} ms ({min(added):.1f} to {max(added):.1f})"
        print(f"| {way} | {statistics.median(times):.1f} ms | {spread} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
