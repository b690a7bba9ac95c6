"""What holds for every merge of a Python file, tried on real files with random edits and on random bytes."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pucs.merge.merging import LineMerge, merge
from pucs.merge.pieces import by_lines, side_of
from pucs.merge.records import Tier, Versions, clashes
from pucs.merge.texts import Unmergeable, texts, written
from tests.rules.merge.mutations import NAMES, Side, mutated, owed, real

if TYPE_CHECKING:
    from pathlib import Path

    from pucs.merge.records import Merged

FORCED = LineMerge(b"<<<<<<< ours\n=======\n>>>>>>> theirs\n" * 10_000, 1)
"""As if git had found a conflict, a large one, so that PUCS has to merge whatever the versions are."""


def by_pucs(versions: Versions, accept: Tier = Tier.REVIEW) -> Merged:
    """Merge with the line merge of the same versions in the place of git's."""
    try:
        read, form = texts(versions)
    except Unmergeable:
        return merge("m.py", versions, LineMerge(versions.ours, 1), accept=accept)
    pieces = by_lines(read.base, read.ours, read.theirs)
    if clashes(pieces):
        return merge("m.py", versions, FORCED, accept=accept)
    return merge("m.py", versions, LineMerge(written(side_of(pieces, "ours"), form), 0), accept=accept)


files = st.sampled_from(NAMES).map(real)
seeds = st.integers(0, 2**32)
tiers = st.sampled_from(Tier)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, Side, Side]:
    """Return a real file and two ways in which it was changed."""
    base = draw(files)
    around = draw(st.none() | st.floats(0, 1))
    ours = mutated(base, draw(seeds), draw(st.integers(1, 4)), "Ours", around)
    theirs = mutated(base, draw(seeds), draw(st.integers(1, 4)), "Theirs", around)
    return base, ours, theirs


def versions_of(base: str, ours: Side, theirs: Side) -> Versions:
    """Return the versions as bytes."""
    return Versions(base.encode(), ours.text.encode(), theirs.text.encode())


@given(files, seeds)
def test_what_only_one_side_changed_is_taken(base: str, seed: int) -> None:
    """merge(x, x, y) = merge(x, y, x) = merge(x, y, y) = y, even if git were not clean."""
    old, new = base.encode(), mutated(base, seed, 3, "New").text.encode()
    for versions in (Versions(old, old, new), Versions(old, new, old), Versions(old, new, new)):
        assert by_pucs(versions).content == new
        assert merge("m.py", versions, FORCED, accept=Tier.REVIEW).content == new


@given(pairs(), tiers)
def test_nothing_that_was_done_is_lost_or_undone(pair: tuple[str, Side, Side], accept: Tier) -> None:
    """Reckoned from the edits themselves: added words are there, removed lines are not, nothing is made up.

    And no guess is applied unasked.
    """
    base, ours, theirs = pair
    merged = by_pucs(versions_of(base, ours, theirs), accept)
    assert accept is Tier.REVIEW or merged.tier is Tier.AUTO
    text = merged.content.decode()
    if merged.clean:
        assert owed(ours, theirs, base, text) == []
        if not merged.objections:  # git's own result may be broken, and then that is told
            ast.parse(text)
    else:
        words = set(re.findall(r"\w+", text))
        assert merged.content == FORCED.content or not (ours.added | theirs.added) - words


@given(pairs())
def test_whose_side_is_whose_makes_no_difference(pair: tuple[str, Side, Side]) -> None:
    """Both ways are clean or neither is, with the same words, up to their order."""
    base, ours, theirs = pair
    one, other = by_pucs(versions_of(base, ours, theirs)), by_pucs(versions_of(base, theirs, ours))
    assert one.clean == other.clean
    if one.clean:
        assert Counter(re.findall(rb"\w+", one.content)) == Counter(re.findall(rb"\w+", other.content))


@given(pairs())
def test_merging_again_changes_nothing(pair: tuple[str, Side, Side]) -> None:
    """The same arguments give the same result; who merged already and merges again gets what is there, or is told."""
    base, ours, theirs = pair
    versions = versions_of(base, ours, theirs)
    merged = by_pucs(versions)
    assert by_pucs(versions) == merged
    if merged.clean:
        again = by_pucs(Versions(versions.base, merged.content, versions.theirs))
        assert not again.clean or again.objections or again.content == merged.content


ROUGH = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.sampled_from(
            [b"def f():\n", b"    return 1\n", b"x = (\n", b")\n", b"import os\r\n", b"\xff\n", b"\0", b"'''\n",
             b"class A:\n", b"\tx = 1\n", b"\r", b"if x:\n", b"# \xc3\xa4", b"\xef\xbb\xbf", b"@\n", b"<<<<<<< \n"]
        ),
        max_size=12,
    ).map(b"".join),
)  # fmt: skip


@given(base=st.none() | ROUGH, ours=ROUGH, theirs=ROUGH, conflict=st.booleans())
def test_no_bytes_make_a_merge_raise(
    base: bytes | None, ours: bytes, theirs: bytes, *, conflict: bool
) -> None:
    """Binary, broken, half a file: there is always a result."""
    versions = Versions(base, ours, theirs)
    merge("m.py", versions, LineMerge(ours, int(conflict)), accept=Tier.REVIEW)
    assert isinstance(by_pucs(versions).content, bytes)


def gits(versions: Versions, place: Path) -> LineMerge:
    """Let git merge the lines."""
    for name, content in (
        ("base", versions.base or b""),
        ("ours", versions.ours),
        ("theirs", versions.theirs),
    ):
        (place / name).write_bytes(content)
    command = ["git", "merge-file", "-p", "ours", "base", "theirs"]
    done = subprocess.run(command, cwd=place, capture_output=True, check=False)
    return LineMerge(done.stdout, done.returncode)


@pytest.mark.git
@settings(max_examples=15)
@given(pair=pairs(), accept=tiers)
def test_where_git_is_clean_the_result_is_gits(
    tmp_path_factory: pytest.TempPathFactory, pair: tuple[str, Side, Side], accept: Tier
) -> None:
    """Byte for byte; where it is not, what is left has never more lines of conflict than git's."""
    versions = versions_of(*pair)
    lines = gits(versions, tmp_path_factory.mktemp("git"))
    merged = merge("m.py", versions, lines, accept=accept)
    if not lines.conflicts:
        assert merged.content == lines.content
    else:
        assert sum(one.lines for one in merged.conflicts) <= lines.content.count(b"\n")
