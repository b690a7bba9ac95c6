"""Tells of classes and functions of one name in different modules, and of twin modules; see ``namesakes`` for likeness."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from pucs.code.readiness.likeness import homely, words
from pucs.code.readiness.namesakes import ALIKE, RELATED, SLIGHTLY, Group, compare, groups
from pucs.code.readiness.records import Finding, Kind, Location, finding, named
from pucs.code.readiness.twins import twin_finding, twins
from pucs.core.severities import Severity
from pucs.syntax.facts import DefinitionKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pucs.code.readiness.view import View
    from pucs.syntax.facts import DefinitionFact

LINES_MIN: Final = 4
"""Shorter definitions are too small to be told apart or to be worth the work."""
MANY: Final = 4
"""Definitions of one name, beyond two or three, that confuse whoever looks for it even if they differ."""
SPECIFIC_WORDS: Final = 3
"""Words of a function's name that no two people choose by chance for different things."""


def duplicates(view: View) -> Iterator[Finding]:
    """Give twin modules, and classes and functions of the same name."""
    classes = groups(view, DefinitionKind.CLASS)
    functions = groups(view, DefinitionKind.FUNCTION)
    compare(view, [*classes, *functions])
    told: set[tuple[str, str]] = set()
    for one in twins(view, classes, functions):
        told |= one.pairs
        yield twin_finding(view, one)
    for known in (classes, functions):
        for group in known:
            if group.likeness.keys() <= told and not group.confusing:
                continue
            found = _class_finding(view, group) if known is classes else _function_finding(group)
            if found is not None:
                yield found


def _files(number: int) -> str:
    return f"{number} file imports" if number == 1 else f"{number} files import"


def _class_finding(view: View, group: Group) -> Finding | None:
    if len(group.places) < 2:  # noqa: PLR2004 - a stand-in was the other
        return None
    hidden, renamed = group.together()
    together = [*hidden, *renamed]
    lengths = [one.last_line - one.line + 1 for _, one in group.places]
    severity = _class_severity(view, group, max(lengths))
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


def _class_severity(view: View, group: Group, longest: int) -> Severity | None:
    most, several = group.most, len(words(group.name))
    if group.confusing:
        return Severity.HIGH
    private = group.name.startswith("_")
    if longest < LINES_MIN or (private and most < ALIKE):
        return None
    if group.enum:
        return Severity.LOW if most >= ALIKE else None
    if most < ALIKE and _one_interface(view, group):
        return None
    many = len(group.places) >= MANY and several > 1 and most >= SLIGHTLY
    if many or (most >= ALIKE and longest > 2 * LINES_MIN and not private):
        return Severity.MEDIUM
    # A single word is soon used twice for different things.
    worth = (
        most >= ALIKE or (several > 1 and most >= RELATED) or (several >= SPECIFIC_WORDS and most >= SLIGHTLY)
    )
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
    severity = _function_severity(group, length)
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


def _function_severity(group: Group, length: int) -> Severity | None:
    most = group.most
    specific = len(words(group.name)) >= SPECIFIC_WORDS
    if group.confusing:
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
    """Return likeness x places x root of (1 + files that import it) x (1 + files that import several), tenfold where one hides another."""
    users = len({path for importers in group.users.values() for path in importers})
    hides = 10 if group.confusing else 1
    return hides * (0.1 + group.most) * len(group.places) * math.sqrt(1 + users) * (1 + len(together))
