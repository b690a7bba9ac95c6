"""Every merge that the page on merging shows is what PUCS makes of it.

After `<!-- merge: auto, NAMES -->` stand two fences: the conflict as git shows it with its base, and the result, settled by
the resolvers of these names; two fences of diffs, of ours and of theirs, may stand for the conflict. What may follow
`merge: ` else: `review`, if it takes somebody who accepts guesses; `left`, if the result still has conflicts; `objected`, if
git merges the two diffs without a conflict, and the last fence is what a guard says to that; `refused`, if the fence
between is a result that somebody could propose, and the last one what guards say to it.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pucs.merge import guards, languages
from pucs.merge.markers import rendered
from pucs.merge.merging import LineMerge, merge
from pucs.merge.pieces import by_lines
from pucs.merge.records import Kept, Texts, Tier, Versions
from pucs.merge.texts import split

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pucs.merge.records import Merged

STEP = re.compile(
    r"^<!-- merge: (\w+)(?:, ([\w, ]+))? -->\n\n((?:```(?:.|\n)*?^```\n\n?(?:.*:\n\n)?)+)", re.MULTILINE
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


NAMES = ("ours", "base", "theirs")


class Example(NamedTuple):
    """One merge on the page."""

    path: str
    kind: str
    resolvers: tuple[str, ...]
    base: str
    ours: str
    theirs: str
    result: str
    """The merged file, or what is objected, one a line."""
    conflict: str
    """What git shows; empty: nothing."""
    proposed: str = ""


PATHS = {"markdown": "CHANGES.md", "toml": "Cargo.toml"}
"""The file that a result in a fence of this language is of; a Python file else."""


def examples(page: str) -> list[Example]:
    """Return the merges of a page."""
    found = []
    for kind, names, fences in STEP.findall(page):
        texts = FENCE.findall(fences)
        language, result = texts[-1]
        path = PATHS.get(language, "example.py")
        resolvers = tuple(names.split(", ")) if names else ()
        if texts[0][0] == "diff":
            ours, theirs = texts[0][1], texts[1][1]
            base = _without(ours, "+")
            assert base == _without(theirs, "+")
            versions = (base, _without(ours, "-"), _without(theirs, "-"))
            found.append(Example(path, kind, resolvers, *versions, result, ""))
        else:
            proposed = texts[1][1] if kind == "refused" else ""
            found.append(
                Example(path, kind, resolvers, *_versions(texts[0][1]), result, texts[0][1], proposed)
            )
    return found


def _without(diff: str, sign: str) -> str:
    """Return the lines of a diff but for the ones of a sign."""
    return "".join(line[1:] or "\n" for line in diff.splitlines(keepends=True) if line[0] != sign)


def _versions(conflict: str) -> tuple[str, str, str]:
    """Return base, ours and theirs of a text with conflicts that show their base."""
    sides: dict[str, list[str]] = {"base": [], "ours": [], "theirs": []}
    at: Sequence[str] = tuple(sides)
    for line in conflict.splitlines(keepends=True):
        if line.startswith("<<<<<<< "):
            at = ("ours",)
        elif line.startswith("||||||| "):
            at = ("base",)
        elif line == "=======\n":
            at = ("theirs",)
        elif line.startswith(">>>>>>> "):
            at = tuple(sides)
        else:
            for side in at:
                sides[side].append(line)
    base, ours, theirs = ("".join(lines) for lines in sides.values())
    return base, ours, theirs


def merged(example: Example, accept: Tier) -> Merged:
    """Merge an example, with our line merge in the place of git's."""
    base, ours, theirs = example.base, example.ours, example.theirs
    lines, conflicts = rendered(by_lines(split(base), split(ours), split(theirs)))
    line_merge = LineMerge("".join(lines).encode(), len(conflicts))
    return merge(
        example.path, Versions(base.encode(), ours.encode(), theirs.encode()), line_merge, accept=accept
    )


def refusals(example: Example) -> list[str]:
    """Return what guards say to a proposed result."""
    versions = Texts(split(example.base), split(example.ours), split(example.theirs))
    language = languages.of(example.path)
    assert language is not None
    return [str(one) for one in guards.objections(language, versions, (Kept(split(example.proposed)),))]


@pytest.fixture(scope="module")
def page(project: Path) -> str:
    """Return the page."""
    return (project / "docs" / "explanation" / "merging.md").read_text(encoding="utf-8")


def test_every_merge_on_the_page_is_made(page: str) -> None:
    """The result, who settled it, in which tier, and what is objected are as shown."""
    found = examples(page)
    assert len(found) == page.count("<!-- merge: ")
    for one in found:
        if one.kind == "refused":
            assert refusals(one) == one.result.splitlines()
            continue
        result = merged(one, Tier.REVIEW if one.kind == "review" else Tier.AUTO)
        if one.kind == "objected":
            assert list(result.objections) == one.result.splitlines()
            continue
        assert result.content.decode() == one.result
        assert {each.resolver for each in result.resolutions} == set(one.resolvers)
        assert bool(result.conflicts) == (one.kind == "left")
        if one.kind == "review":
            assert result.tier is Tier.REVIEW
            assert not merged(one, Tier.AUTO).clean


def test_the_page_names_every_rule_that_may_leave_something_out(page: str) -> None:
    """Whoever reads a resolver's name in a label finds it here."""
    assert [name for name in guards.SUPERSEDES if f"`{name}`" not in page] == []


@pytest.mark.git
def test_the_conflicts_are_shown_as_git_shows_them(page: str, tmp_path: Path) -> None:
    """Git leaves these conflicts of these versions, and merges what is said to be merged."""
    for one in examples(page):
        for name in NAMES:
            (tmp_path / name).write_text(getattr(one, name))
        done = subprocess.run(
            ["git", "merge-file", "-p", "--diff3", *(f"-L{name}" for name in NAMES), *NAMES],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
        if one.conflict:
            assert done.stdout == one.conflict
        else:
            assert (done.returncode == 0) == (one.kind == "objected")
