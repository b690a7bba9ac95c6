"""What two agents do to one file at once is merged right, or left to somebody: never silently wrong."""

from __future__ import annotations

import ast
import subprocess
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest

from pucs.merge.markers import rendered
from pucs.merge.merging import LineMerge, merge
from pucs.merge.pieces import by_lines
from pucs.merge.records import Tier, Versions
from pucs.merge.texts import split
from tests.rules.merge.pair_files import read
from tests.rules.merge.pair_kinds import Owed
from tests.rules.merge.pair_templates import FILES
from tests.rules.merge.pairs import KINDS, PAIRS, Outcome, likeness, outcome, pairs, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.rules.merge.pairs import Pair

MORE, MORE_SEED = 1_000, 11
"""Pairs of the long run, and another seed, so that rules are not made for the pairs of every day."""


def by_our_lines(pair: Pair) -> LineMerge:
    """Merge by lines as git does, without git."""
    lines, conflicts = rendered(by_lines(split(pair.base), split(pair.ours), split(pair.theirs)))
    return LineMerge("".join(lines).encode(), len(conflicts))


def wrong(found: Sequence[Pair], line_merge: Callable[[Pair], LineMerge], accept: Tier) -> list[str]:
    """Return the pairs that were merged silently and wrong, and the kinds that were merged less often than promised."""
    told: list[str] = []
    became: defaultdict[str, Counter[Outcome]] = defaultdict(Counter)
    for pair in found:
        merged = merge(pair.path, versions(pair), line_merge(pair), accept=accept)
        result = outcome(pair, merged)
        became[pair.kind.name][result] += 1
        if result is Outcome.WRONG:
            told.append(f"{pair.kind.name} in {pair.path}:\n{merged.content.decode()}")
    for kind in KINDS:
        counts = became[kind.name]
        floor = kind.floor if accept is Tier.AUTO else kind.guessed
        if counts[Outcome.RIGHT] < floor * counts.total():
            told.append(
                f"{kind.name}: {counts[Outcome.RIGHT]} of {counts.total()} right, {floor:.0%} promised"
            )
    return told


@pytest.mark.parametrize("accept", [Tier.AUTO, pytest.param(Tier.REVIEW, marks=pytest.mark.slow)])
def test_no_pair_is_silently_wrong(accept: Tier) -> None:
    """Each is merged with both changes in it, or is a conflict, or an objection; and what is promised is merged."""
    assert wrong(pairs(), by_our_lines, accept) == []


@pytest.mark.slow
def test_sides_may_be_exchanged() -> None:
    """It does not matter whose change is called ours."""
    assert wrong([one.exchanged() for one in pairs()], by_our_lines, Tier.AUTO) == []


@pytest.mark.git
@pytest.mark.slow
def test_no_pair_is_silently_wrong_after_git(tmp_path: Path) -> None:
    """The same holds with what git's own line merge makes of each."""

    def gits(pair: Pair) -> LineMerge:
        names = []
        for name, text in (("ours", pair.ours), ("base", pair.base), ("theirs", pair.theirs)):
            (tmp_path / name).write_text(text)
            names.append(name)
        done = subprocess.run(
            ["git", "merge-file", "-p", *names], cwd=tmp_path, capture_output=True, check=False, timeout=10
        )
        return LineMerge(done.stdout, done.returncode)

    assert wrong(pairs(), gits, Tier.AUTO) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("accept", Tier)
def test_no_other_pair_is_silently_wrong(accept: Tier) -> None:
    """The same holds for many more pairs."""
    assert wrong(pairs(MORE, MORE_SEED), by_our_lines, accept) == []


def test_the_pairs_are_what_they_say() -> None:
    """All parse, both sides changed something, each has every kind, and a right result has what both have."""
    found = pairs()
    assert len(found) == PAIRS
    assert {one.kind.name for one in found} == {kind.name for kind in KINDS}
    for pair in found:
        texts = [pair.base, pair.ours, pair.theirs, *pair.right]
        for text in texts:
            ast.parse(text)
        assert pair.base not in texts[1:], pair.kind.name
        assert bool(pair.right) == (pair.kind.owed is not Owed.NOTHING)


@pytest.mark.parametrize("name", FILES)
def test_templates_are_taken_apart_without_loss(name: str) -> None:
    """A file's parts give the same file again."""
    assert read(FILES[name]).text() == FILES[name]


def test_a_wrong_merge_is_seen() -> None:
    """One side alone, both sides one after the other, and text that does not parse are wrong; another order is not."""
    pair = pairs()[0]
    for content in (pair.ours, pair.theirs, pair.ours + pair.theirs, "def ("):
        merged = merge("a.txt", Versions(b"", b"", b""), LineMerge(content.encode(), 0))
        assert outcome(pair, merged) is Outcome.WRONG
    assert likeness("import a\nimport b\nx = 1\n") == likeness("import b\nimport a\nx = 1\n")
    assert likeness("x = 1\ny = 2\n") != likeness("y = 2\nx = 1\n")
    assert likeness("x = 1\n") != likeness("x = 1  # why\n# why\n")
