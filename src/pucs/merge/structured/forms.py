"""Which form a file has by its name, and the forms of prose and of lists."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.merge.structured import listed
from pucs.merge.structured.counts import lines_miscounted
from pucs.merge.structured.leaves import higher_version, words
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
    r"(?i)(^|/)((changes|change-?log|history|news|releases|whats-?new|release[-_]?notes)([-_.][\w.-]*)?"
    r"|release[-_.]?v?\d[\w.-]*)$"
)
_LISTS = (
    (
        re.compile(r"(?i)(^|/)([\w.-]*(requirements|constraints)[\w.-]*|requirements/[\w.-]+)\.(txt|in)$"),
        "requirement",
    ),
    (re.compile(r"(?i)(^|/)\.env(\.[\w-]+)*$|\.env(\.[\w-]+)?$"), "setting"),
    (re.compile(r"(^|/)(CODEOWNERS|MANIFEST\.in|\.gitattributes)$"), "rule"),
    (re.compile(r"(^|/)(\.[a-z]*ignore|\.mailmap)$"), ""),
    (re.compile(r"(?i)(^|/)(authors|contributors|thanks)(\.txt)?$"), ""),
)

_JSON = frozenset({".babelrc", ".eslintrc", ".prettierrc", ".stylelintrc", ".swcrc"})
_INI = frozenset({".flake8", ".coveragerc", ".pylintrc", ".editorconfig", ".gitmodules", ".isort.cfg"})


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
    return _data(path)


def _data(path: str) -> Form | None:
    """Return the form of files that hold data."""
    name = path.rsplit("/", 1)[-1]
    if name.endswith((".json", ".jsonc", ".json5", ".webmanifest", ".code-workspace")) or name in _JSON:
        from pucs.merge.structured.jsons import Json  # noqa: PLC0415 - what reads a form loads when it is met

        return Json()
    if name.endswith((".yml", ".yaml", ".cff")):
        from pucs.merge.structured.yamls import Yaml  # noqa: PLC0415 - the same

        return Yaml()
    if name.endswith(".toml") or name == "Pipfile":
        from pucs.merge.structured.tomls import Toml  # noqa: PLC0415 - the same

        return Toml()
    if name.endswith((".cfg", ".ini", ".conf")) or name in _INI:
        from pucs.merge.structured.inis import Ini  # noqa: PLC0415 - the same

        return Ini()
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
        return "" if guesses else lines_miscounted(tuple(versions), merged)

    def objections(self, versions: Sequence[Lines], merged: Lines) -> tuple[Objection, ...]:  # noqa: ARG002
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
        return ("" if guesses else lines_miscounted(tuple(versions), merged)) or listed.misheaded(
            versions, merged, self.what
        )

    def objections(self, versions: Sequence[Lines], merged: Lines) -> tuple[Objection, ...]:  # noqa: ARG002
        """See ``Form``: any text is a list."""
        return ()
