"""Finds definitions of one name in several modules, and how alike they are.

Likeness of two classes is the larger of what their members share (Jaccard, names of methods and class attributes) and of
what their bodies share (Dice over bags of words, see ``syntax.bodies``); of two enumerations the first, of two functions the
second. Same names that are there by convention are left out: a name that many modules define, plug-ins that lie side by side,
what extends or replaces the class of its own name.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Final

from pucs.code.readiness.likeness import dice, jaccard
from pucs.code.readiness.records import Location
from pucs.core.sources import is_test
from pucs.syntax.facts import DefinitionKind, ImportKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.code.readiness.view import Taken, View
    from pucs.syntax.facts import DefinitionFact

CONVENTION_MIN: Final = 9
"""A name that so many modules define is a convention: each plug-in has its own."""
FILES_READ_MAX: Final = 1500
"""Files looked into again for the bodies of candidates: a few seconds."""
PLUG_INS_MIN: Final = 3
"""Modules side by side that define one name: whoever loads them tells them apart."""
ALIKE: Final = 0.7
"""From here on two bodies are one that was copied; unrelated ones of the same name have 0.1 to 0.4."""
RELATED: Final = 0.45
SLIGHTLY: Final = 0.3
MEMBERS_MIN: Final = 3
"""Members below which those that two classes share are chance."""
_ENTRY_POINTS: Final = frozenset({
    "main", "run", "print_help", "usage", "setup", "cli", "create_app", "parse_args", "build_parser", "create_parser", "get_logger", "register",
})  # fmt: skip
_ENUMS: Final = ("Enum", "Flag", "Choices")


@dataclass(slots=True)
class Group:
    """Definitions of one name."""

    name: str
    places: list[tuple[str, DefinitionFact]]
    users: dict[str, dict[str, Taken]] = field(default_factory=dict)
    """Defining file → importing file → how."""
    likeness: dict[tuple[str, str], float] = field(default_factory=dict)
    """Of each pair of defining files, sorted."""

    @property
    def paths(self) -> list[str]:
        """Return the defining files."""
        return [path for path, _ in self.places]

    @property
    def most(self) -> float:
        """Return the likeness of the two that are most alike."""
        return max(self.likeness.values(), default=0.0)

    @property
    def enum(self) -> bool:
        """Tell whether all are enumerations or errors: names for things rather than code."""
        return all(
            any(base.endswith((*_ENUMS, "Error", "Exception", "Warning")) for base in one.bases)
            for _, one in self.places
        )

    def together(self) -> tuple[list[Location], list[Location]]:
        """Return files that import more than one of them: those where one hides the other, and those that rename one."""
        counted: defaultdict[str, list[Taken]] = defaultdict(list)
        for importers in self.users.values():
            for path, taken in importers.items():
                counted[path].append(taken)
        hidden: list[Location] = []
        renamed: list[Location] = []
        for path, several in sorted(counted.items()):
            loaded = [taken for taken in several if taken.kind in (ImportKind.TOP, ImportKind.OPTIONAL)]
            names = {taken.bound for taken in loaded}
            # Of alternatives within ``try`` one is taken; what a function imports is its own.
            if len(names) < len(loaded) and any(taken.kind is ImportKind.TOP for taken in loaded):
                hidden.append(Location(path, max(taken.line for taken in loaded)))
            elif len(names) > 1:
                renamed.append(Location(path, max(taken.line for taken in loaded)))
        return hidden, renamed

    @property
    def confusing(self) -> bool:
        """Tell whether the program itself imports one over another."""
        hidden, _ = self.together()
        return any(not is_test(place.file) for place in hidden)


def groups(view: View, kind: DefinitionKind) -> list[Group]:
    """Return the names that several modules define, those by convention apart."""
    defined: defaultdict[str, dict[str, DefinitionFact]] = defaultdict(dict)
    for path in sorted(view.own):
        facts = view.code.facts[path]
        taken = {bound for fact in facts.imports for _, bound in fact.names}
        for one in facts.definitions:
            # What is imported under the same name as well is a stand-in for where the import fails, or wraps it.
            if one.kind is kind and "." not in one.name and one.name not in taken:
                defined[one.name][path] = one
    found = []
    for name, places in sorted(defined.items()):
        if not 1 < len(places) < CONVENTION_MIN or name in _ENTRY_POINTS or name.startswith("__"):
            continue
        kept = [(path, one) for path, one in places.items() if not _extends(view, path, one)]
        if len(kept) > 1 and not _plugged_in(kept):
            found.append(Group(name, kept))
    takers = view.takers({group.name for group in found})
    for group in found:
        group.users = {path: takers.get((path, group.name), {}) for path in group.paths}
    return found


def _extends(view: View, path: str, one: DefinitionFact) -> bool:
    """Tell whether a class builds on one of its own name, or only describes what others have."""
    if "overload" in one.decorators:
        return True
    for base in one.bases:
        place = view.code.place(path, base)
        if one.name in (base.rpartition(".")[2], place.symbol if place else "") or base.endswith("Protocol"):
            return True
    return False


def _plugged_in(places: Sequence[tuple[str, DefinitionFact]]) -> bool:
    """Tell whether files are parts of plug-ins, each with its own take on one name.

    Such as ``backends/a/base.py`` and ``backends/b/base.py``, or three or more modules of one directory.
    """
    paths = [path for path, _ in places]
    parts: defaultdict[tuple[str, ...], int] = defaultdict(int)
    for path in paths:
        *directories, file = path.split("/")
        if directories:
            parts[(file, *directories[:-1])] += 1
    for (_, *around), number in parts.items():
        # Two packages at the root are neighbours by chance.
        if number >= PLUG_INS_MIN or (around and number == len(paths)):
            return True
    beside: defaultdict[str, int] = defaultdict(int)
    for path, one in places:
        beside[path.rpartition("/")[0]] += one.kind is DefinitionKind.FUNCTION or bool(one.bases)
    return max(beside.values()) >= PLUG_INS_MIN


def compare(view: View, found: Sequence[Group]) -> None:
    """Work out how alike the definitions of each group are."""
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for group in found:
        for path in group.paths:
            if len(wanted) < FILES_READ_MAX or path in wanted:
                wanted[path].add(group.name)
    told = {path: view.bodies(path, names) for path, names in sorted(wanted.items())}
    for group in found:
        # What is defined only where an import fails is a stand-in for what should have been imported.
        group.places = [
            (path, one) for path, one in group.places if path not in told or group.name in told[path]
        ]
        for (one, _), (other, _) in combinations(group.places, 2):
            members = _members(view, one, group.name), _members(view, other, group.name)
            first, second = (told.get(path, {}).get(group.name) for path in (one, other))
            alike = dice(first, second) if first and second else 0.0
            if group.enum and min(map(len, members)) > 1:
                alike = jaccard(*members)
            elif min(map(len, members)) >= MEMBERS_MIN:
                alike = max(alike, jaccard(*members))
            group.likeness[one, other] = alike


def _members(view: View, path: str, name: str) -> set[str]:
    start = f"{name}."
    return {
        inner
        for one in view.code.defines(path)
        if one.startswith(start) and "." not in (inner := one[len(start) :]) and not inner.startswith("__")
    }
