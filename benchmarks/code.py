"""What it costs to know the code of a repository, beside ruff and grimp, and whether the edges are ruff's. See docs/reference/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

RUFF = ("analyze", "graph", "--isolated", "--config", "respect-gitignore=false", ".")
OURS = """
import json, sys, time
began = time.perf_counter()
from pathlib import Path
from pucs.code.resolving import Code
from pucs.coordinator.indexing import indexed
from pucs.git.sources import CheckoutSources
from pucs.launch.parsing import ProcessParsers
from pucs.store.index import FileIndex
kept = FileIndex(Path(sys.argv[2]))
facts = indexed(CheckoutSources.open(sys.argv[1]), kept, ProcessParsers())
read = time.perf_counter()
edges = Code(facts).edges()
print(json.dumps({
    "files": len(facts), "lines": sum(each.lines for each in facts.values()), "edges": len(edges),
    "index_s": read - began, "edges_s": time.perf_counter() - read, "trouble": kept.trouble(),
    "problems": sum(bool(each.problem) for each in facts.values()),
    "pairs": [(edge.importer, edge.imported) for edge in edges] if sys.argv[3:] else [],
}))
"""
GRIMP = """
import sys
from pathlib import Path
root = Path(sys.argv[1])
roots = [place for place in (root, root / "src") if place.is_dir()]
sys.path[:0] = map(str, roots)
import grimp
names = sorted({each.parent.name for place in roots for each in place.glob("*/__init__.py")})
if names:
    graph = grimp.build_graph(*names, cache_dir=None)
    print(len(graph.modules), graph.count_imports())
else:
    print("none: it finds no package")
"""


class Run(NamedTuple):
    """One process that ran to its end."""

    seconds: float
    processor_s: float
    """Of the process and all that it started."""
    peak_mb: float
    """Of the largest of them."""
    said: str


def run(call: list[str], cwd: Path) -> Run:
    """Run a program and return what it took."""
    with tempfile.TemporaryFile() as out:
        began = time.perf_counter()
        process = subprocess.Popen(call, cwd=cwd, stdout=out, stderr=subprocess.PIPE)
        assert process.stderr is not None
        complaint = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{call[0]} failed: {complaint.decode()[-2000:]}")
        out.seek(0)
        return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read().decode())


def ruff() -> str:
    """Return where ruff is."""
    beside = Path(sys.executable).with_name("ruff")
    return str(beside) if beside.exists() else "ruff"


def spread(values: list[float]) -> str:
    """Return median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def measure(root: Path, repeats: int) -> None:
    """Let all take turns and print what each took, and the ratios."""
    sides: dict[str, list[Run]] = {"cold": [], "warm": [], "ruff": [], "grimp": []}
    size_mb = 0.0
    run([ruff(), *RUFF], root)  # so that nobody is the first to read the files
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as directory:
            ours = [sys.executable, "-c", OURS, str(root), str(Path(directory, "index.db"))]
            sides["cold"].append(run(ours, ROOT))
            sides["warm"].append(run(ours, ROOT))
            sides["ruff"].append(run([ruff(), *RUFF], root))
            sides["grimp"].append(run([sys.executable, "-c", GRIMP, str(root)], root))
            size_mb = sum(file.stat().st_size for file in Path(directory).iterdir()) / 1e6
    facts = json.loads(sides["warm"][-1].said)
    print(
        f"\n{root.name}: {facts['files']} files, {facts['lines']:,} lines, {facts['edges']:,} edges, "
        f"{facts['problems']} files with problems, index {size_mb:.1f} MB {facts['trouble']}"
    )
    for name, runs in sides.items():
        ratios = [one.seconds / other.seconds for one, other in zip(runs, sides["ruff"], strict=True)]
        inside = [json.loads(each.said)["index_s"] for each in runs] if name in {"cold", "warm"} else []
        print(
            f"  {name:5} {spread([each.seconds for each in runs])} s, processor "
            f"{statistics.median(each.processor_s for each in runs):.2f} s, largest process "
            f"{max(each.peak_mb for each in runs):.0f} MB, {spread(ratios)} x ruff"
            + (f", of it the index {spread(inside)} s" if inside else "")
        )
    print(f"  grimp modules and imports: {sides['grimp'][-1].said.strip()}")


def compare(root: Path) -> None:
    """Print where the edges differ from ruff's, all of them."""
    answer = json.loads(run([ruff(), *RUFF], root).said)
    theirs = {(importer, each) for importer, loaded in answer.items() for each in loaded if each != importer}
    with tempfile.TemporaryDirectory() as directory:
        call = [sys.executable, "-c", OURS, str(root), str(Path(directory, "index.db")), "pairs"]
        pairs = json.loads(run(call, ROOT).said)["pairs"]
    ours = {
        (importer, imported) for importer, imported in pairs if importer.endswith((".py", ".pyi", ".ipynb"))
    }
    print(f"\n{root.name}: ours {len(ours)}, ruff's {len(theirs)}, both {len(ours & theirs)}")
    for title, differences in (("only ours", ours - theirs), ("only ruff's", theirs - ours)):
        for importer, imported in sorted(differences):
            print(f"  {title}: {importer} -> {imported}")


def main() -> None:
    """Measure or compare each repository that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repositories", nargs="+", type=Path, help="checkouts; nothing is written to them")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--edges", action="store_true", help="compare edges with ruff's instead of measuring")
    arguments = parser.parse_args()
    for repository in arguments.repositories:
        if arguments.edges:
            compare(repository.resolve())
        else:
            measure(repository.resolve(), arguments.repeats)


if __name__ == "__main__":
    main()
