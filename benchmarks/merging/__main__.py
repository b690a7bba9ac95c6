"""Real merges made again: how many conflicts are resolved, and how many as people did. See docs/reference/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.merging import corpus, drawing, labels, other_forms, report, running

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "merging.json"
SEED = "1"


def main() -> None:
    """Run the cases and print the tables."""
    parser = argparse.ArgumentParser(prog="./run bench merging", description=__doc__)
    parser.add_argument(
        "--repos",
        type=Path,
        default=ROOT / "benchmarks" / "results" / "repositories",
        help="folder of bare clones OWNER+NAME/repo; missing ones are cloned from their home (some GB)",
    )
    parser.add_argument("--sample", type=int, default=0, help="only so many conflicts, at random")
    parser.add_argument("--seed", default=SEED)
    parser.add_argument("--repository", action="append", default=[], metavar="OWNER+NAME")
    parser.add_argument(
        "--jobs", type=int, default=1, help="processes; times are true with fewer than processors"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument(
        "--draw", type=int, default=0, help="write so many AUTO results to --to, for a reader"
    )
    parser.add_argument(
        "--other-forms", action="store_true", help="only labelled merges of JSON, YAML, TOML, logs and lists"
    )
    parser.add_argument("--to", type=Path, default=ROOT / "benchmarks" / "results" / "drawn")
    options = parser.parse_args()
    if options.other_forms:
        print("\n".join(other_forms.lines(list(other_forms.made_again(options.repos)))))
        return
    chosen = [
        case
        for case in corpus.cases(corpus.CONFLICTS)
        if not options.repository or case.repository in options.repository
    ]
    cases = corpus.sampled(chosen, options.sample, options.seed)
    found = _conflicts(options.repos, cases, options.jobs)
    if options.draw:
        picked = _drawn(found["auto"], options.draw, options.seed)
        drawing.write(options.repos, cases, picked, options.to)
        print(f"Wrote {len(picked)} results to {options.to}.")
        return
    clean = _clean(options.repos, options.repository, options.jobs) if not options.sample else []
    missing = len(cases) - len(found["auto"])
    print(f"{len(found['auto'])} conflicts of {_version()}" + (f", {missing} not there" if missing else ""))
    print()
    print("\n".join(report.tables(found)))
    print()
    print("\n".join(report.clean_lines(clean)))
    print()
    print("\n".join(report.label_lines(labels.labels(), found["auto"], len(found["auto"]))))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    document = {tier: [one.document() for one in outcomes] for tier, outcomes in found.items()}
    options.out.write_text(json.dumps(document | {"clean": [asdict(one) for one in clean]}), encoding="utf-8")
    crashes = [one for outcomes in found.values() for one in outcomes if one.verdict == "crash"]
    for one in crashes[:5]:
        print(f"\n{one.id} crashed:\n{one.error}", file=sys.stderr)


def _conflicts(repos: Path, cases: list[corpus.Case], jobs: int) -> dict[str, list[running.Outcome]]:
    lots = corpus.by_repository(cases)
    found: dict[str, list[running.Outcome]] = {"auto": [], "review": []}
    with ProcessPoolExecutor(jobs) as pool:
        waiting = [pool.submit(running.conflicts, repos, name, lot, tuple(found)) for name, lot in lots]
        for (name, _), future in zip(lots, waiting, strict=True):
            for tier, outcomes in future.result().items():
                found[tier] += outcomes
            print(f"{name} is through", file=sys.stderr)
    return {tier: sorted(outcomes, key=lambda one: one.id) for tier, outcomes in found.items()}


def _clean(repos: Path, names: list[str], jobs: int) -> list[running.Clean]:
    lots = [lot for lot in corpus.by_repository(corpus.cases(corpus.CLEAN)) if not names or lot[0] in names]
    with ProcessPoolExecutor(jobs) as pool:
        parts = pool.map(partial(running.clean, repos), *zip(*lots, strict=True)) if lots else []
        return [one for part in parts for one in part]


def _drawn(outcomes: list[running.Outcome], size: int, seed: str) -> list[running.Outcome]:
    """Return so many at random of those that a resolver settled without a guess.

    The order is one of all conflicts: when rules change, most of what was drawn before is drawn again.
    """
    order = sorted(outcomes, key=lambda one: one.id)
    random.Random(seed).shuffle(order)
    return [one for one in order if one.resolved and not one.by_git][:size]


def _version() -> str:
    git = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return git.stdout.strip()


if __name__ == "__main__":
    main()
