"""How long the installed merge driver takes for one file, beside `git merge-file` alone. See docs/reference/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pucs.hooks.installing_merge import command, filled
from pucs.merge.merging import LineMerge, merge
from pucs.merge.records import Tier, Versions

FUNCTIONS = 80
"""Functions of the file that is merged: some five hundred lines."""
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PUCS_"))}


def main() -> None:
    """Measure every way without and with a conflict, in turn with `git merge-file`, and print a table of each."""
    parser = argparse.ArgumentParser(prog="./run bench merge_driver", description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help="Calls of each way [60].")
    parser.add_argument("--repeats", type=int, default=5, help="Repeats of the whole [5].")
    options = parser.parse_args()
    base = _file(1, 2)
    kinds = {
        "without conflict": Versions(
            base, _file(10, 2), base.replace(b"part_70(first, 1)", b"part_70(first, 7)")
        ),
        "with a conflict": Versions(base, _file(10, 2), _file(1, 20)),
    }
    with tempfile.TemporaryDirectory(prefix="pucs-bench-") as scratch:
        for kind, versions in kinds.items():
            print(
                f"\n{kind}: median milliseconds, and as multiples of git merge-file"
                f" (least to most of {options.repeats})\n"
            )
            for name, figures in _measured(Path(scratch), versions, options).items():
                print(f"  {name:28} {figures}")


def _file(first: int, second: int) -> bytes:
    """Return a file in which one line depends on two numbers."""
    lines = ["import os", "import sys", ""]
    for number in range(FUNCTIONS):
        numbers = (first, second) if number == FUNCTIONS // 2 else (1, 2)
        lines += [
            "",
            f"def part_{number}(first: int, second: int) -> int:",
            f'    """Add part {number} of what there is."""',
            f"    return part_{number}(first, {numbers[0]}) + part_{number}(second, {numbers[1]})",
            "",
        ]
    return "\n".join(lines).encode()


def _measured(place: Path, versions: Versions, options: argparse.Namespace) -> dict[str, str]:
    ratios: dict[str, list[float]] = {}
    medians: dict[str, list[float]] = {}
    for _ in range(options.repeats):
        times = _times(place, versions, options.rounds)
        alone = statistics.median(times["git merge-file"])
        for name, found in times.items():
            medians.setdefault(name, []).append(statistics.median(found))
            ratios.setdefault(name, []).append(statistics.median(found) / alone)
    return {
        name: f"{statistics.median(found):7.2f}   {statistics.median(ratios[name]):6.2f} x"
        f" ({min(ratios[name]):.2f} to {max(ratios[name]):.2f})"
        for name, found in medians.items()
    }


def _times(place: Path, versions: Versions, rounds: int) -> dict[str, list[float]]:
    """Return milliseconds of each call, the ways taking turns on fresh files; the first round warms up."""
    ways = _ways(place, versions)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            (place / "O").write_bytes(versions.base or b"")
            (place / "A").write_bytes(versions.ours)
            (place / "B").write_bytes(versions.theirs)
            began = time.perf_counter()
            way()
            if number:
                times[name].append((time.perf_counter() - began) * 1000)
    return times


def _ways(place: Path, versions: Versions) -> Mapping[str, Callable[[], object]]:
    names = {"%%": "%", "%O": "O", "%A": "A", "%B": "B", "%L": "7", "%P": "'shop/cart.py'"}
    pucs = (
        f"{shlex.quote(str(Path(sys.executable).with_name('pucs')))} merge driver --accept review %O %A %B %P"
    )
    lines = {
        "git merge-file": "exec git merge-file --marker-size=%L -L ours -L base -L theirs %A %O %B",
        "the installed driver": command("review"),
        "pucs merge driver": pucs,
        "bare Python": f"exec {shlex.quote(sys.executable)} -I -S -c pass",
    }

    def run(line: str) -> Callable[[], object]:
        # As git does it.
        arguments = ["/bin/sh", "-c", filled(line, names)]
        return lambda: subprocess.run(
            arguments, cwd=place, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )

    found: dict[str, Callable[[], object]] = {name: run(line) for name, line in lines.items()}
    files = [place / name for name in ("A", "O", "B")]
    for file, content in zip(files, (versions.ours, versions.base or b"", versions.theirs), strict=True):
        file.write_bytes(content)
    merged = subprocess.run(["git", "merge-file", "-p", *map(str, files)], capture_output=True, check=False)
    by_lines = LineMerge(merged.stdout, merged.returncode)
    found["the merge itself"] = lambda: merge("shop/cart.py", versions, by_lines, accept=Tier.REVIEW)
    return found


if __name__ == "__main__":
    main()
