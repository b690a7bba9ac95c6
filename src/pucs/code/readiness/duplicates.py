"""Finds classes and functions of the same name in different modules, and modules that are twins.

Likeness of two classes is the larger of what their members share (Jaccard, names of methods and class attributes) and of
what their bodies share (Dice over bags of words, see ``syntax.bodies``); of two functions the latter. Same names that are
there by convention are left out: a name that many modules define, plug-ins that lie side by side, what extends or replaces
the class of its own name, what implements one interface of the repository.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Final

from pucs.code.readiness.likeness import dice, homely, jaccard, words
from pucs.code.readiness.records import Finding, Kind, Location, finding, named
from pucs.core.severities import Severity
from pucs.core.sources import is_test
from pucs.syntax.facts import DefinitionKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pucs.code.readiness.view import View
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
LINES_MIN: Final = 4
"""Shorter definitions are too small to be told apart or to be worth the work."""
MEMBERS_MIN: Final = 3
"""Members below which those that two classes share are chance."""
MANY: Final = 4
"""Definitions of one name, beyond two or three, that confuse whoever looks for it even if they differ."""
SPECIFIC_WORDS: Final = 3
"""Words of a function's name that no two people choose by chance for different things."""
TWINS_MIN: Final = 2
"""Names of classes that two modules share for them to be seen as a pair."""
_ENTRY_POINTS: Final = frozenset({
    "main", "run", "print_help", "usage", "setup", "cli", "create_app", "parse_args", "build_parser", "create_parser", "get_logger", "register",
})  # fmt: skip
_ENUMS: Final = ("Enum", "Flag", "Choices")


@dataclass(slots=True)
class Group:
    """Definitions of one name."""

    name: str
    places: list[tuple[str, DefinitionFact]]
    users: dict[str, dict[str, tuple[int, str]]] = field(default_factory=dict)
    """Defining file → importing file → line, and the name it is bound to."""
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
        counted: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        for importers in self.users.values():
            for path, taken in importers.items():
                counted[path].append(taken)
        hidden: list[Location] = []
        renamed: list[Location] = []
        for path, several in sorted(counted.items()):
            if len(several) > 1:
                same = len({bound for _, bound in several}) < len(several)
                (hidden if same else renamed).append(Location(path, max(several)[0]))
        return hidden, renamed


def duplicates(view: View) -> Iterator[Finding]:
    """Give twin modules, and classes and functions of the same name."""
    classes = _groups(view, DefinitionKind.CLASS)
    functions = _groups(view, DefinitionKind.FUNCTION)
    _compare(view, [*classes, *functions])
    twins: list[tuple[str, str]] = []
    for pair, one in _twins(view, classes, functions):
        twins.append(pair)
        yield one
    for found in (
        *(_class_finding(view, group) for group in classes if tuple(group.paths) not in twins),
        *(_function_finding(group) for group in functions if tuple(group.paths) not in twins),
    ):
        if found is not None:
            yield found


def _groups(view: View, kind: DefinitionKind) -> list[Group]:
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


def _compare(view: View, groups: Sequence[Group]) -> None:
    """Work out how alike the definitions of each group are."""
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for group in groups:
        for path in group.paths:
            if len(wanted) < FILES_READ_MAX or path in wanted:
                wanted[path].add(group.name)
    told = {path: view.bodies(path, names) for path, names in sorted(wanted.items())}
    for group in groups:
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


def _twins(
    view: View, classes: Sequence[Group], functions: Sequence[Group]
) -> Iterator[tuple[tuple[str, str], Finding]]:
    """Give pairs of modules that define several classes, or many functions, of the same names."""
    shared: defaultdict[tuple[str, str], list[tuple[float, Group]]] = defaultdict(list)
    for group in (*classes, *functions):
        for pair, alike in group.likeness.items():
            shared[pair].append((alike, group))
    kinds = {id(group) for group in classes}
    for pair, names in sorted(shared.items()):
        common = [group.name for _, group in names if id(group) in kinds]
        copied = [group.name for alike, group in names if alike >= ALIKE]
        solid = _upper_half([alike for alike, group in names if not group.enum])
        most = max(alike for alike, _ in names)
        if (len(common) < TWINS_MIN and len(copied) <= TWINS_MIN) or most < SLIGHTLY:
            continue
        level = 2 if solid >= RELATED else 1 if solid >= SLIGHTLY else 0
        if any(edge.importer in pair for path in pair for edge in view.importers(path)):
            level -= 1  # one knows the other, so the names are the same on purpose
        if level < 0:
            continue
        severity = (Severity.LOW, Severity.MEDIUM, Severity.HIGH)[level]
        yield pair, _twin_finding(view, pair, sorted({*common, *copied}), severity, most)


def _upper_half(values: Sequence[float]) -> float:
    """Return the mean of the larger half of values; 0 without any."""
    upper = sorted(values, reverse=True)[: (len(values) + 1) // 2]
    return sum(upper) / len(upper) if upper else 0.0


def _twin_finding(
    view: View, pair: tuple[str, str], names: list[str], severity: Severity, most: float
) -> Finding:
    users = {path: len(view.working_importers(path)) for path in pair}
    kept, other = sorted(pair, key=lambda path: (homely(path), -users[path], -view.code.facts[path].lines))
    lines = {
        path: {one.name: one.line for one in reversed(view.code.facts[path].definitions)} for path in pair
    }
    return finding(
        Kind.TWIN_MODULES,
        severity,
        pair,
        f"{kept} and {other} both define {named(names)}, the closest two {most:.0%} alike; "
        f"{_files(users[kept])} the first, {_files(users[other])} the second.",
        [Location(path, lines[path][name]) for path in (kept, other) for name in names],
        f"Keep one {named(names)}: take those of {kept}, import them in {other}, and delete the rest of {other} if it does the same.",
        weight=len(names) * (0.5 + most) * math.sqrt(1 + sum(users.values())),
    )


def _files(number: int) -> str:
    return f"{number} file imports" if number == 1 else f"{number} files import"


def _class_finding(view: View, group: Group) -> Finding | None:
    if len(group.places) < 2:  # noqa: PLR2004 - a stand-in was the other
        return None
    hidden, renamed = group.together()
    together = [*hidden, *renamed]
    lengths = [one.last_line - one.line + 1 for _, one in group.places]
    severity = _class_severity(view, group, hidden, max(lengths))
    if severity is None:
        return None
    return finding(
        Kind.DUPLICATE_CLASS,
        severity,
        (group.name, *group.paths),
        f"{len(group.places)} classes are called {group.name}, {_how_alike(group)}."
        + _confused(hidden, renamed),
        [*(Location(path, one.line) for path, one in group.places), *together],
        _remedy(group, "class"),
        weight=_weight(group, together),
    )


def _class_severity(view: View, group: Group, hidden: Sequence[Location], longest: int) -> Severity | None:
    most, several = group.most, len(words(group.name))
    if any(not is_test(place.file) for place in hidden):
        return Severity.HIGH
    if longest < LINES_MIN or (group.name.startswith("_") and most < ALIKE):
        return None
    if group.enum:
        return Severity.LOW if most >= ALIKE else None
    if most < ALIKE and _one_interface(view, group):
        return None
    many = len(group.places) >= MANY and several > 1 and most >= SLIGHTLY
    if many or (most >= ALIKE and longest > 2 * LINES_MIN):
        return Severity.MEDIUM
    worth = most >= RELATED or (most >= SLIGHTLY and several >= SPECIFIC_WORDS)
    return Severity.LOW if worth else None


def _one_interface(view: View, group: Group) -> bool:
    """Tell whether the classes extend the same class of the repository."""
    return bool(set.intersection(*(view.ancestors(path, one.name) for path, one in group.places)))


def _function_finding(group: Group) -> Finding | None:
    if len(group.places) < 2:  # noqa: PLR2004 - a stand-in was the other
        return None
    hidden, renamed = group.together()
    together = [*hidden, *renamed]
    length = sorted(one.last_line - one.line + 1 for _, one in group.places)[-2]
    severity = _function_severity(group, hidden, length)
    if severity is None:
        return None
    return finding(
        Kind.DUPLICATE_FUNCTION,
        severity,
        (group.name, *group.paths),
        f"{len(group.places)} functions are called {group.name}, {_how_alike(group)}."
        + _confused(hidden, renamed),
        [*(Location(path, one.line) for path, one in group.places), *together],
        _remedy(group, "function"),
        weight=_weight(group, together),
    )


def _function_severity(group: Group, hidden: Sequence[Location], length: int) -> Severity | None:
    most = group.most
    specific = len(words(group.name)) >= SPECIFIC_WORDS
    if hidden and any(not is_test(place.file) for place in hidden):
        return Severity.HIGH
    if length < LINES_MIN:
        return None
    private = group.name.startswith("_")
    if specific and len(group.places) >= MANY and most >= SLIGHTLY:
        return Severity.MEDIUM
    if most >= ALIKE and length > 2 * LINES_MIN and not private:
        return Severity.MEDIUM
    if most >= ALIKE or (specific and most >= RELATED):
        return Severity.LOW
    return None


def _how_alike(group: Group) -> str:
    if len(group.places) == 2:  # noqa: PLR2004 - a pair
        return f"{group.most:.0%} alike"
    alike = sum(value >= ALIKE for value in group.likeness.values())
    return f"the two closest {group.most:.0%} alike" + (f" ({alike} pairs nearly equal)" if alike > 1 else "")


def _confused(hidden: Sequence[Location], renamed: Sequence[Location]) -> str:
    said = ""
    if hidden:
        said += f" In {named(place.file for place in hidden)} one hides another that was imported before."
    if renamed:
        said += f" {named(place.file for place in renamed)} needs both, under different names."
    return said


def _remedy(group: Group, thing: str) -> str:
    users: Mapping[str, Mapping[str, object]] = group.users
    kept = min(group.places, key=lambda place: _fitness(place, users))
    others = [path for path in group.paths if path != kept[0]]
    if group.most >= RELATED:
        taken = f" ({_files(len(users[kept[0]]))} it)" if users[kept[0]] else ""
        return f"Keep {group.name} of {kept[0]}{taken} and import it in {named(others)}, or rename a {thing} that means something else."
    return f"Decide whether {group.name} means one thing: then keep that of {kept[0]}; else rename the {thing} in {named(others)}."


def _fitness(
    place: tuple[str, DefinitionFact], users: Mapping[str, Mapping[str, object]]
) -> tuple[int, int, int, str]:
    path, one = place
    return homely(path), -len(users[path]), one.line - one.last_line, path


def _weight(group: Group, together: Sequence[Location]) -> float:
    """Return likeness x places x (1 + files that import it) x (1 + files that import several)."""
    users = len({path for importers in group.users.values() for path in importers})
    return (0.1 + group.most) * len(group.places) * math.sqrt(1 + users) * (1 + len(together))
