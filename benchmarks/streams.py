"""Whether commits stay in the streams that would have been proposed before them. See docs/reference/benchmarks.md."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pucs.code.resolving import Code, Edge

PAST_PCT = 70
"""Share of the first-parent history after which streams are proposed."""
LATER_MAX = 2000
"""Commits after it that are looked at, the next ones first: nobody keeps one division for ten years."""
FILES_MAX = 30
"""A commit over more files than this is a sweep (formatting, renaming), no piece of work."""


class Seen(NamedTuple):
    """A repository as it was, and what came after."""

    name: str
    code: Code
    edges: Sequence[Edge]
    files: Sequence[str]
    past: Sequence[tuple[int, Collection[str]]]
    """Newest first, as an analysis sees them."""
    later: Sequence[Collection[str]]


class Figures(NamedTuple):
    """How well one division does."""

    streams: int
    largest_pct: float
    covered_pct: float
    cut_pct: float
    commits: int
    stay_pct: float
    """Commits over several source files, all of which lie in one stream."""
    with_shared_pct: float
    """The same, where files of no stream do not count."""
    normalised: float
    """(chance that two files of a commit share a stream - the same of any two changes) / (1 - the latter)."""


def git(directory: Path, *arguments: str) -> str:
    """Run git."""
    return subprocess.run(
        ["git", "-C", str(directory), "-c", "core.quotePath=off", *arguments],
        check=True,
        capture_output=True,
        text=True,
        errors="replace",
    ).stdout


def seen(repository: Path, scratch: Path) -> Seen:
    """Check a repository out as it was, and read it."""
    from pucs.code.resolving import Code  # noqa: PLC0415
    from pucs.coordinator.indexing import indexed  # noqa: PLC0415
    from pucs.git.sources import CheckoutSources  # noqa: PLC0415
    from pucs.launch.parsing import ProcessParsers  # noqa: PLC0415
    from pucs.store.index import FileIndex  # noqa: PLC0415

    chain = git(repository, "rev-list", "--first-parent", "--reverse", "HEAD").split()
    then = chain[len(chain) * PAST_PCT // 100 - 1]
    place = scratch / "tree"
    git(scratch, "clone", "-q", "--shared", "--no-checkout", str(repository), str(place))
    git(place, "checkout", "-q", "--detach", then)
    sources = CheckoutSources.open(str(place))
    listing = sources.listing()
    code = Code(indexed(sources, FileIndex(scratch / "index.db"), ProcessParsers(), listing=listing))
    # Newer commits, the next ones first, as an analysis reads them: without merges, renamed files under their new names.
    newer = git(
        repository, "log", "--no-merges", "--no-renames", "--name-only", "--format=%x01", f"{then}..HEAD"
    )
    later = [record.split("\n") for record in newer.split("\x01")[1:]]
    return Seen(
        name=repository.name,
        code=code,
        edges=code.edges(),
        files=list(listing),
        past=sources.history(LATER_MAX),
        later=later[::-1][:LATER_MAX],
    )


def figures(found: Seen, owner_of: Mapping[str, str]) -> Figures:
    """Hold a division against what came later."""
    from pucs.core.sources import is_source  # noqa: PLC0415

    sources = {path for path in found.files if is_source(path)}
    work = [changed for paths in found.later if 1 < len(changed := sorted(sources & set(paths))) <= FILES_MAX]
    stay = with_shared = 0
    pairs = 0.0
    weight = Counter[str]()
    for changed in work:
        owners = [owner_of.get(path, "") for path in changed]
        stay += len(set(owners)) == 1 and "" not in owners
        with_shared += len({*owners} - {""}) <= 1
        couples = list(combinations(owners, 2))
        pairs += sum(one == other != "" for one, other in couples) / len(couples)
        weight.update(owners)
    changes = weight.total() or 1
    chance = sum((count / changes) ** 2 for owner, count in weight.items() if owner)
    sizes = Counter(owner_of[path] for path in owner_of if path in sources)
    inner = outer = 0
    for edge in found.edges:
        importer, imported = owner_of.get(edge.importer), owner_of.get(edge.imported)
        if importer and imported:
            inner, outer = inner + (importer == imported), outer + (importer != imported)
    number = len(work) or 1
    return Figures(
        streams=len(sizes),
        largest_pct=100 * max(sizes.values(), default=0) / (len(sources) or 1),
        covered_pct=100 * sizes.total() / (len(sources) or 1),
        cut_pct=100 * outer / ((inner + outer) or 1),
        commits=len(work),
        stay_pct=100 * stay / number,
        with_shared_pct=100 * with_shared / number,
        normalised=(pairs / number - chance) / ((1 - chance) or 1),
    )


def divisions(found: Seen) -> dict[str, dict[str, str]]:
    """Return what is compared: plain directories, and what is proposed."""
    from pucs.code.proposing import proposals  # noqa: PLC0415
    from pucs.core.sources import is_source  # noqa: PLC0415

    sources = [path for path in found.files if is_source(path)]
    packages = _below(sources)
    ways = {
        "directories at the top": {path: packages[path] for path in sources},
        "directories of the files": {path: path.rpartition("/")[0] or "." for path in sources},
    }
    for plan in proposals(found.code, found.edges, found.files, found.past):
        ways[f"proposed by {plan.method}"] = {path: each.name for each in plan.streams for path in each.files}
    for plan in proposals(found.code, found.edges, found.files, []):
        if plan.method == "imports":
            ways["the same, without history"] = {
                path: each.name for each in plan.streams for path in each.files
            }
    return ways


def _below(sources: Sequence[str]) -> dict[str, str]:
    """Return the first directory of each file in which the ways of the largest package part."""
    counts = Counter(path.rpartition("/")[0] for path in sources)
    start = ""
    while True:
        inside = Counter(
            path[len(start) :].partition("/")[0]
            for path, count in counts.items()
            for _ in range(count)
            if path.startswith(start) and path[len(start) :]
        )
        below = {directory: count for directory, count in inside.items() if directory}
        name, most = max(below.items(), key=lambda item: (item[1], item[0]), default=("", 0))
        if most < 0.9 * sum(path.startswith(start) for path in sources) or not name:
            break
        start = f"{start}{name}/"
    return {
        path: start + path[len(start) :].partition("/")[0]
        if path.startswith(start) and "/" in path[len(start) :]
        else (path.rpartition("/")[0] or ".")
        for path in sources
    }


def critical(repository: Path, wanted: Sequence[str]) -> None:
    """Print the critical files of a checkout as it is now, and where some stand among them."""
    from pucs.coordinator.analysis import analyze  # noqa: PLC0415
    from pucs.git.sources import CheckoutSources  # noqa: PLC0415
    from pucs.launch.parsing import ProcessParsers  # noqa: PLC0415
    from pucs.store.index import FileIndex  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as scratch:
        index = FileIndex(Path(scratch, "index.db"))
        found = analyze(CheckoutSources.open(str(repository)), index, ProcessParsers()).critical
    print(f"{repository.name}: the ten most critical files")
    for rank, each in enumerate(found[:10], 1):
        print(f"{rank:4}  {each.path:60}{each.risk:8}{each.reason}")
    ranks = {each.path: rank for rank, each in enumerate(found, 1)}
    for path in wanted:
        print(f"{ranks.get(path, '-'):>4}  {path}")


def main() -> None:
    """Print a table of every repository and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repositories", nargs="+", type=Path, help="checkouts or bare repositories")
    parser.add_argument(
        "--critical", action="store_true", help="tell the critical files of checkouts instead"
    )
    parser.add_argument("--file", action="append", default=[], help="with --critical: tell where it stands")
    chosen = parser.parse_args()
    if chosen.critical:
        for repository in chosen.repositories:
            critical(repository.resolve(), chosen.file)
        return
    print(f"{'repository':14}{'division':28}{'streams':>8}{'largest':>9}{'covered':>9}{'cut':>7}", end="")
    print(f"{'commits':>9}{'stay':>7}{'+shared':>9}{'norm':>7}")
    for repository in chosen.repositories:
        with tempfile.TemporaryDirectory() as scratch:
            found = seen(repository.resolve(), Path(scratch))
        for way, owner_of in divisions(found).items():
            row = figures(found, owner_of)
            print(
                f"{found.name:14}{way:28}{row.streams:8}{row.largest_pct:8.0f}%{row.covered_pct:8.0f}%{row.cut_pct:6.0f}%"
                f"{row.commits:9}{row.stay_pct:6.0f}%{row.with_shared_pct:8.0f}%{row.normalised:7.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
