"""What a reader said about merges that were applied without asking, and what follows for all of them."""

from __future__ import annotations

import csv
import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.merging.running import Outcome

LABELS = Path(__file__).parent / "labels.tsv"
Z_95 = 1.959964
"""Standard normal quantile of a two-sided interval of 95 %."""


class Label(NamedTuple):
    """One reader's word on one merge."""

    id: str
    verdict: str
    """``right``, ``wrong`` or ``doubtful``."""
    rules: str
    """Resolvers that took part then."""
    reason: str
    sha256: str
    """Of the merge that was read: a label speaks of no other."""


class Judgement(NamedTuple):
    """What the labels say about the merges of a run."""

    right: int
    wrong: int
    doubtful: int
    changed: int
    """Labelled merges that come out otherwise now: without a conflict, but with other content."""
    withdrawn: int
    """Labelled merges that have a conflict now."""
    wrong_ids: tuple[str, ...]

    @property
    def read(self) -> int:
        """Labels that still hold."""
        return self.right + self.wrong + self.doubtful


def labels() -> list[Label]:
    """Return the labels, none if nobody has read anything yet."""
    if not LABELS.exists():
        return []
    with LABELS.open(encoding="utf-8", newline="") as file:
        return [Label(**row) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def judgement(known: Sequence[Label], outcomes: Sequence[Outcome]) -> Judgement:
    """Hold labels against the merges of a run that applies no guesses."""
    now = {outcome.id: outcome for outcome in outcomes}
    said = Counter[str]()
    changed = withdrawn = 0
    wrong = []
    for label in known:
        outcome = now.get(label.id)
        if outcome is None:
            continue
        if not outcome.resolved:
            withdrawn += 1
        elif outcome.sha256 != label.sha256:
            changed += 1
        else:
            said[label.verdict] += 1
            if label.verdict == "wrong":
                wrong.append(label.id)
    return Judgement(said["right"], said["wrong"], said["doubtful"], changed, withdrawn, tuple(wrong))


def interval(hits: int, tries: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share, in percent."""
    if not tries:
        return 0.0, 100.0
    share, spread = hits / tries, Z_95**2 / tries
    middle = share + spread / 2
    half = Z_95 * math.sqrt((share * (1 - share) + spread / 4) / tries)
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    return 100 * max(0.0, low), 100 * min(1.0, high)
