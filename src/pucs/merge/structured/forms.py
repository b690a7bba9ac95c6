"""Which form a file has by its name, and the forms of prose and of lists."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.merge.structured import listed
from pucs.merge.structured.leaves import higher_version, words
from pucs.merge.structured.outline import blank
from pucs.merge.structured.prose import Prose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.merge.records import Lines, Objection
    from pucs.merge.structured.language import Form
    from pucs.merge.structured.outline import Node
    from pucs.merge.structured.weaving import Leaf

_LOCKED = re.compile(r"(^|/)(package-lock|npm-shrinkwrap|pnpm-lock|packages\.lock|conda-lock)\.(json|ya?ml)$")
"""Made by a program from other files: merged text would pass for what that program never said."""
_CHANGES = re.compile(
    r"(?i)(^|/)(changes|change-?log|history|news|releases?|whats-?new|release[-_]?notes)([-_.][\w.-]*)?$"
)
_LISTS = (
    (re.compile(r"(?i)(^|/)([\w.-]*(requirements|constraints)[\w.-]*|requirements/[\w.-]+)\.(txt|in)$"), "requirement"),
    (re.compile(r"(?i)(^|/)\.env(\.[\w-]+)*$|\.env(\.[\w-]+)?$"), "setting"),
    (re.compile(r"(^|/)(\.[a-z]*ignore|CODEOWNERS|MANIFEST\.in|\.mailmap|\.gitattributes)$"), ""),
    (re.compile(r"(?i)(^|/)(authors|contributors|thanks)(\.txt)?$"), ""),
)


def of(path: str) -> Form | None:
    """Return the form of files with this name, None: nothing is known of it."""
    if _LOCKED.search(path):
        return None
    for pattern, what in _LISTS:
        if pattern.search(path):
            return Lists(what)
    if path.endswith((".md", ".markdown", ".mdx")):
        return Texted("changelog" if _CHANGES.search(path) else "markdown", Prose(markdown=True))
    if path.endswith((".rst", ".rest")) or _CHANGES.search(path):
        return Texted("changelog" if _CHANGES.search(path) else "rst", Prose(markdown=False))
    return None


@dataclass(frozen=True, slots=True)
class Texted:
    """Prose and change logs."""

    name: str
    prose: Prose
    leaves: Sequence[Leaf] = (higher_version, words)

    def outlines(self, versions: Sequence[Lines]) -> tuple[Node, ...]:
        """See ``Form``."""
        reader = self.prose.among(versions)
        return tuple(reader.outline(lines) for lines in versions)

    def doubts(self, versions: Sequence[Lines], merged: Lines, *, guesses: int) -> str:
        """See ``Form``."""
        return "" if guesses else miscounted(versions, merged)

    def objections(self, versions: Sequence[Lines], merged: Lines) -> tuple[Objection, ...]:
        """See ``Form``: any text is prose."""
        return ()


@dataclass(frozen=True, slots=True)
class Lists:
    """Lists of lines."""

    what: str
    name: str = "list"
    leaves: Sequence[Leaf] = (higher_version,)

    def outlines(self, versions: Sequence[Lines]) -> tuple[Node, ...]:
        """See ``Form``."""
        return tuple(listed.outline(lines, self.what) for lines in versions)

    def doubts(self, versions: Sequence[Lines], merged: Lines, *, guesses: int) -> str:
        """See ``Form``."""
        return "" if guesses else miscounted(versions, merged)

    def objections(self, versions: Sequence[Lines], merged: Lines) -> tuple[Objection, ...]:
        """See ``Form``: any text is a list."""
        return ()


def miscounted(versions: Sequence[Lines], merged: Lines) -> str:
    """Return a line that the merge has more or less often than the sides' changes make it, empty if there is none."""
    base, ours, theirs, found = (
        Counter(line.strip() for line in lines if not blank(line)) for lines in (*versions, merged)
    )
    for line in {**base, **ours, **theirs, **found}:
        was, mine, other = base[line], ours[line], theirs[line]
        expected = {other if was == mine else mine}
        if mine not in (was, other) and was != other:
            expected = {mine, other, mine + other - was}
        elif mine == other != was:
            expected = {mine, max(0, mine + other - was)}
        if found[line] not in expected:
            return line
    return ""
