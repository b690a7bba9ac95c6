"""What the history says of a division: which files are changed together, and which commits stay in one stream."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

SWEEP_FILES: Final = 30
"""A commit over more source files than this (formatting, a renaming) says nothing about what belongs together."""
JUDGED_MIN: Final = 20
"""Commits over several source files that a statement about the history needs at least."""
TAUGHT_MIN: Final = 100
"""Such commits from which it is worth to learn."""
TAUGHT_DAYS_MIN: Final = 30
"""Time that these must span: a history of a few days is one that was squashed, or made by one push."""
_JUDGED_SHARE: Final = 0.3
_DAY_S: Final = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Work:
    """The commits of a history that changed several source files, the newest first."""

    commits: tuple[tuple[str, ...], ...]
    teaches: bool
    """There are enough of them, over a time long enough, to learn from."""

    @property
    def judging(self) -> tuple[tuple[str, ...], ...]:
        """Return those that divisions are judged by: where some are learnt from, the newest, else all."""
        return self.commits[: round(_JUDGED_SHARE * len(self.commits))] if self.teaches else self.commits

    @property
    def older(self) -> tuple[tuple[str, ...], ...]:
        """Return those before the ones that judge; nothing where nothing is learnt."""
        return self.commits[len(self.judging) :]


def work(history: Sequence[tuple[int, Collection[str]]], sources: Collection[str]) -> Work:
    """Return the commits of a history that say something about which files belong together.

    Args:
        history: Of each commit, the newest first, when it was made (seconds since the epoch) and the paths it changed.
        sources: Paths that count.
    """
    known = frozenset(sources)
    found = [(when, tuple(sorted(known.intersection(paths)))) for when, paths in history]
    found = [(when, changed) for when, changed in found if 1 < len(changed) <= SWEEP_FILES]
    times = [when for when, _ in found]
    long = len(times) >= TAUGHT_MIN and max(times) - min(times) >= TAUGHT_DAYS_MIN * _DAY_S
    return Work(tuple(changed for _, changed in found), long)


def together(commits: Sequence[Sequence[str]]) -> dict[tuple[str, str], float]:
    """Return how much commits tie pairs of files: 1 / (files - 1) for each commit, so that each of its files gets 1."""
    found: defaultdict[tuple[str, str], float] = defaultdict(float)
    for changed in commits:
        for pair in combinations(sorted(changed), 2):
            found[pair] += 1 / (len(changed) - 1)
    return dict(found)


def staying(
    commits: Sequence[Sequence[str]], owner_of: Mapping[str, str], shared: Collection[str] = ()
) -> int:
    """Return how many commits stay in one stream: all that they change is in it, but for files that all share."""
    return sum(
        len(owners) == 1 and "" not in owners
        for changed in commits
        if (owners := {owner_of.get(path, "") for path in changed if path not in shared})
    )
