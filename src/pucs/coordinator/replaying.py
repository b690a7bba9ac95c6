"""Replays the merges a repository has behind it: what git stopped at, what PUCS makes of it, what people committed.

Needs no session and no store, and writes nothing. Files are told of one by one, so that whoever asked may stop at any time
with what is there; an ``Account`` adds them up.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pucs.coordinator.past import LeftOut, PastConflict, PastMerge
from pucs.core.instants import iso
from pucs.merge.agreement import AGREE, Verdict, verdict
from pucs.merge.merging import LineMerge, merge
from pucs.merge.records import Origin, Tier, Versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pucs.coordinator.past import PastMerges
    from pucs.merge.records import Merged

MERGES_MAX: Final = 2000
"""Newest merges that are looked at unless more are asked for: some minutes of work, and older ones tell of other code."""
ID_CHARS: Final = 10
"""Of a commit, in the name of a replayed file: enough to be alone in any repository."""
NAMED_MAX: Final = 5
"""Merges that could not be redone and are named; the number says the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One file of one merge, merged again."""

    conflict: PastConflict
    merged: Merged
    verdict: Verdict
    took_s: float

    @property
    def id(self) -> str:
        """Name of the file and its merge, in git's own manner: ``1a2b3c4d5e:shop/cart.py``."""
        return f"{self.conflict.merge.commit[:ID_CHARS]}:{self.conflict.path}"

    @property
    def git_lines(self) -> int:
        """Lines of git's conflicts, with their markers."""
        return marked_lines(self.conflict.merged) if self.conflict.conflicts else 0

    @property
    def left_lines(self) -> int:
        """Lines of conflict that are left."""
        return sum(one.lines for one in self.merged.conflicts)


def replay(
    past: PastMerges,
    merges: Sequence[PastMerge],
    *,
    accept: Tier,
    clock: Callable[[], float],
    wanted: Callable[[str], bool] = lambda _path: True,
) -> Iterator[Replayed | LeftOut | PastMerge]:
    """Give what becomes of every wanted file that git stops at, what is left out, and each merge once it is through.

    Args:
        past: Where the merges are.
        merges: Those to replay.
        accept: REVIEW applies guesses as well.
        clock: Seconds, to tell how long each merge of a file takes.
        wanted: Whether a path is looked at.
    """
    for found in past.again(merges, wanted):
        yield again(found, accept=accept, clock=clock) if isinstance(found, PastConflict) else found


def again(conflict: PastConflict, *, accept: Tier, clock: Callable[[], float]) -> Replayed:
    """Merge one file and compare it with what people committed."""
    versions = Versions(conflict.base, conflict.ours, conflict.theirs)
    begun = clock()
    merged = merge(conflict.path, versions, LineMerge(conflict.merged, conflict.conflicts), accept=accept)
    took = clock() - begun
    compared = Verdict.CONFLICT
    if merged.clean:
        inputs = (conflict.base or b"", conflict.ours, conflict.theirs)
        compared = verdict(conflict.path, merged.content, conflict.committed, inputs)
    return Replayed(conflict=conflict, merged=merged, verdict=compared, took_s=took)


def marked_lines(content: bytes) -> int:
    """Count the lines between conflict markers, markers included."""
    count = 0
    inside = False
    for line in content.split(b"\n"):
        inside = inside or line.startswith(b"<<<<<<< ")
        count += inside
        inside = inside and not line.startswith(b">>>>>>> ")
    return count


class Account:
    """Adds up what a replay tells."""

    def __init__(self, place: str, accept: Tier, merges: int) -> None:
        self._place, self._accept, self._merges = place, accept, merges
        self._done = self._conflicting = 0
        self._unfinished = False
        self._left_out = Counter[str]()
        self._named: list[LeftOut] = []
        self._per_file: list[dict[str, Any]] = []

    def add(self, told: Replayed | LeftOut | PastMerge) -> None:
        """Take one more thing into account."""
        if isinstance(told, PastMerge):
            self._done += 1
            self._conflicting += self._unfinished
            self._unfinished = False
            return
        if isinstance(told, LeftOut):
            self._left_out[told.reason.value] += 1
            if not told.path and len(self._named) < NAMED_MAX:
                self._named.append(told)
            self._unfinished = self._unfinished or bool(told.path)
            return
        self._unfinished = True
        self._per_file.append(file_document(told))

    @property
    def done(self) -> int:
        """Merges that are through."""
        return self._done

    def document(self, *, interrupted: bool = False) -> dict[str, Any]:
        """Return what there is so far (DESIGN §7); ``agrees`` counts every verdict but "differs" and "does not parse"."""
        files = self._per_file
        settled = [each for each in files if each["verdict"] != Verdict.CONFLICT]
        agree = {each.value for each in AGREE}
        times = sorted(each["ms"] for each in files)
        return {
            "repository": self._place,
            "accept": self._accept.value,
            "merges": self._merges,
            "replayed": self._done,
            "conflicting_merges": self._conflicting,
            "interrupted": interrupted,
            "conflicted": len(files),
            "resolved": len(settled),
            "agrees": sum(each["verdict"] in agree for each in settled),
            "unparsable": sum(each["verdict"] == Verdict.UNPARSABLE for each in settled),
            "verdicts": {each.value: sum(one["verdict"] == each for one in files) for each in Verdict},
            "tiers": {tier.value: _figures([one for one in settled if one["tier"] == tier]) for tier in Tier},
            "resolvers": _resolvers(settled),
            "conflict_lines": {
                "git": sum(each["git_lines"] for each in files),
                "left": sum(each["left_lines"] for each in files),
            },
            "ms": {"p50": _percentile(times, 50), "p95": _percentile(times, 95)},
            "left_out": dict(self._left_out.most_common()),
            "not_redone": [
                {"merge": each.merge.commit, "reason": each.reason.value, "detail": each.detail}
                for each in self._named
            ],
            "per_file": files,
        }


def file_document(told: Replayed) -> dict[str, Any]:
    """Return what is told of one file, without its content."""
    merged, conflict = told.merged, told.conflict
    return {
        "id": told.id,
        "path": conflict.path,
        "merge": conflict.merge.commit,
        "ours": conflict.merge.ours,
        "theirs": conflict.merge.theirs,
        "committed_at": iso(conflict.merge.committed_at_s),
        "blobs": dict(zip(("base", "ours", "theirs"), conflict.blobs, strict=True)),
        "verdict": told.verdict.value,
        "by": Origin.GIT.value if not conflict.conflicts else merged.origin.value,
        "tier": merged.tier.value,
        "resolvers": [
            {
                "resolver": one.resolver,
                "tier": one.tier.value,
                "entity": one.entity,
                "line": one.first_line,
                "lines": one.lines,
            }
            for one in merged.resolutions
        ],
        "conflicts": [
            {"entity": one.entity, "reason": one.reason, "line": one.first_line, "lines": one.lines}
            for one in merged.conflicts
        ],
        "git_lines": told.git_lines,
        "left_lines": told.left_lines,
        "ms": round(told.took_s * 1000, 1),
    }


def _figures(files: Sequence[dict[str, Any]]) -> dict[str, int]:
    agree = {each.value for each in AGREE}
    return {"resolved": len(files), "agrees": sum(each["verdict"] in agree for each in files)}


def _resolvers(settled: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Count for each rule the files without conflicts that it took part in, those with many first."""
    part: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in settled:
        for key in {(one["resolver"], one["tier"]) for one in each["resolvers"]}:
            part.setdefault(key, []).append(each)
    return [
        {"resolver": name, "tier": tier, **_figures(files)}
        for (name, tier), files in sorted(part.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def _percentile(ordered: Sequence[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0.0
