"""Labelled merges of other forms than Python made again: how many come out as they were read, and what was said of them."""

from __future__ import annotations

import csv
import hashlib
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.merging.corpus import repository
from benchmarks.merging.labels import interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pucs.coordinator.past import PastConflict

LABELS = Path(__file__).parent / "labels_structured.tsv"
VERDICTS = ("right", "doubtful", "wrong")


class Label(NamedTuple):
    """One reader's word on one merge, see the README."""

    repository: str
    """``owner/name``."""
    merge: str
    path: str
    verdict: str
    rules: str
    reason: str
    sha256: str


class Now(NamedTuple):
    """What became of a labelled merge."""

    form: str
    """``json``; ``changelog``."""
    verdict: str
    outcome: str
    """``holds``; ``conflict``: it is none that AUTO applies any more; ``changed``: it comes out otherwise."""


def labels() -> list[Label]:
    """Return the labels."""
    with LABELS.open(encoding="utf-8", newline="") as file:
        return [Label(**row) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def made_again(repos: Path) -> Iterator[Now]:
    """Merge every labelled file again; those whose commits are not there are left out."""
    from pucs.coordinator.past import PastConflict  # noqa: PLC0415 - after the path is set
    from pucs.core.errors import PucsError  # noqa: PLC0415
    from pucs.git.past_merges import GitPastMerges  # noqa: PLC0415

    lots: defaultdict[str, list[Label]] = defaultdict(list)
    for label in labels():
        lots[label.repository].append(label)
    for name, lot in sorted(lots.items()):
        past = GitPastMerges.open(str(repository(repos, name.replace("/", "+", 1))))
        for label in lot:
            try:
                merge = past.one(label.merge)
            except PucsError as error:
                print(f"{name} {label.merge}: {error}", file=sys.stderr)
                continue
            for told in past.again([merge], label.path.__eq__):
                if isinstance(told, PastConflict):
                    yield _now(label, told)
        print(f"{name} is through", file=sys.stderr)


def _now(label: Label, conflict: PastConflict) -> Now:
    from pucs.merge.merging import LineMerge, merge  # noqa: PLC0415 - after the path is set
    from pucs.merge.records import Versions  # noqa: PLC0415
    from pucs.merge.structured.forms import of  # noqa: PLC0415

    versions = Versions(conflict.base, conflict.ours, conflict.theirs)
    merged = merge(label.path, versions, LineMerge(conflict.merged, conflict.conflicts))
    form = of(label.path)
    outcome = "holds" if hashlib.sha256(merged.content).hexdigest() == label.sha256 else "changed"
    return Now(form.name if form else "other", label.verdict, outcome if merged.clean else "conflict")


def lines(found: list[Now]) -> Iterator[str]:
    """Yield a table: for each form what was said as it was read, and of those that still come out so."""
    yield "| form | read | right | doubtful | wrong | still so | right | doubtful | wrong | right, 95 % |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for form in sorted({one.form for one in found}):
        mine = [one for one in found if one.form == form]
        said = Counter(one.verdict for one in mine)
        held = Counter(one.verdict for one in mine if one.outcome == "holds")
        low, high = interval(held["right"], held.total())
        first, second = (" | ".join(str(counts[verdict]) for verdict in VERDICTS) for counts in (said, held))
        yield f"| {form} | {said.total()} | {first} | {held.total()} | {second} | {low:.1f} to {high:.1f} % |"
