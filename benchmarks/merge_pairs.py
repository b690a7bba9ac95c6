"""What becomes of pairs of changes that two agents make to one file, kind by kind, beside git. See docs/reference/benchmarks.md."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pucs.merge.merging import LineMerge, merge
from pucs.merge.records import Merged, Origin, Tier, Unresolved
from tests.rules.merge.pairs import KINDS, PAIRS, SEED, Outcome, outcome, pairs, versions

if TYPE_CHECKING:
    from tests.rules.merge.pairs import Pair

WIDTH = 84
"""Of the names of kinds."""


def by_git(pair: Pair, place: Path) -> LineMerge:
    """Return what git's line merge makes of a pair."""
    for name, text in (("ours", pair.ours), ("base", pair.base), ("theirs", pair.theirs)):
        (place / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["git", "merge-file", "-p", "ours", "base", "theirs"], cwd=place, capture_output=True, check=False
    )
    return LineMerge(done.stdout, done.returncode)


def judged(count: int, seed: int) -> dict[str, dict[str, Counter[Outcome]]]:
    """Return how often what came of each kind: by git, by AUTO, by AUTO and REVIEW."""
    found: defaultdict[str, dict[str, Counter[Outcome]]] = defaultdict(lambda: defaultdict(Counter))
    with tempfile.TemporaryDirectory() as directory:
        for pair in pairs(count, seed):
            lines = by_git(pair, Path(directory))
            conflicts = tuple(Unresolved(1, 1, "", "") for _ in range(lines.conflicts))
            kind = found[pair.kind.name]
            kind["git"][outcome(pair, Merged(lines.content, Origin.GIT, conflicts))] += 1
            for tier in Tier:
                kind[tier][outcome(pair, merge(pair.path, versions(pair), lines, accept=tier))] += 1
    return found


def row(name: str, by: dict[str, Counter[Outcome]]) -> str:
    """Return one line of the table."""
    cells = [
        f"{counts[Outcome.RIGHT]:>6} {counts[Outcome.CONFLICT] + counts[Outcome.OBJECTED]:>5} {counts[Outcome.WRONG]:>5}"
        for counts in (by["git"], by[Tier.AUTO], by[Tier.REVIEW])
    ]
    return f"{name:<{WIDTH}} {by['git'].total():>5} │ {' │ '.join(cells)}"


def main() -> int:
    """Print the table; 1 if anything is silently wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seed", type=int, default=SEED)
    chosen = parser.parse_args()
    found = judged(chosen.pairs, chosen.seed)
    heads = " │ ".join(f"{name:^18}" for name in ("git", "AUTO", "AUTO and REVIEW"))
    print(f"{'':<{WIDTH}}       │ {heads}")
    print(f"{'kind':<{WIDTH}} pairs │ {' │ '.join([' right  left wrong'] * 3)}")
    total: defaultdict[str, Counter[Outcome]] = defaultdict(Counter)
    for kind in KINDS:
        print(row(kind.name, found[kind.name]))
        for who, counts in found[kind.name].items():
            total[who] += counts
    print(row("all", total))
    print("left: a conflict, or merged by git with an objection of a guard; wrong: merged silently and wrong")
    return int(any(total[tier][Outcome.WRONG] for tier in Tier))


if __name__ == "__main__":
    sys.exit(main())
