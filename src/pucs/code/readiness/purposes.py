"""Guesses which definitions serve the same purpose under different names.

Two signs have to come together. Names: classes that end in the same two words (``SessionStateManager``,
``OvernightStateManager``), or begin and end in the same word and share most between; functions whose names say the same with another verb
(``expand_env_vars``, ``substitute_env_vars``). Bodies: classes share methods by name, functions share a good part of their
words (Dice). What extends one class of the repository has been brought together already and is left out.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, Final

from pucs.code.readiness.likeness import dice, jaccard, words
from pucs.code.readiness.namesakes import FILES_READ_MAX
from pucs.code.readiness.records import Finding, Kind, Location, finding, named
from pucs.core.severities import Severity
from pucs.syntax.facts import DefinitionKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pucs.code.readiness.view import View
    from pucs.syntax.facts import DefinitionFact

FAMILY_MAX: Final = 5
"""Classes with one ending, beyond which it is the repository's own word for a kind of thing."""
METHODS_MIN: Final = 2
"""Public methods that two classes have to share, those that every fifth class has apart."""
COMMON_SHARE: Final = 0.02
"""A method that more than this share of the classes has (``to_dict``) says nothing."""
COMMON_MIN: Final = 4
CLASS_LINES_MIN: Final = 20
WORDS_ALIKE: Final = 0.6
FUNCTION_LINES_MIN: Final = 6
FUNCTIONS_ALIKE: Final = 0.38
"""Functions with other verbs and less in common than this do different things."""
_PLAIN: Final = frozenset({
    "get", "set", "is", "has", "test", "create", "make", "build", "load", "save", "add", "remove", "delete", "update", "to",
    "from", "on", "visit", "print", "list", "start", "stop", "enable", "disable", "read", "write", "open", "close", "async",
})  # fmt: skip
"""First words of functions that come in pairs, or that say what is different."""

_Class = tuple[str, "DefinitionFact", frozenset[str]]
_Function = tuple[str, "DefinitionFact"]


def purposes(view: View) -> Iterator[Finding]:
    """Give classes and functions that look like two takes on one thing."""
    yield from _classes(view)
    yield from _functions(view)


def _classes(view: View) -> Iterator[Finding]:
    known = _known(view)
    counts = Counter(method for _, _, methods in known for method in methods)
    most = max(COMMON_MIN, len(known) * COMMON_SHARE)
    common = {method for method, count in counts.items() if count > most}
    families: defaultdict[tuple[str, ...], list[_Class]] = defaultdict(list)
    for one in known:
        said = words(one[1].name)
        if len(said) > 2:  # noqa: PLR2004 - the ending, and what tells it from others
            families[said[-2:]].append(one)
    for ending, members in sorted(families.items()):
        alike = _connected(view, members, common) if len(members) <= FAMILY_MAX else []
        if len(alike) > 1:
            others = [one for one in members if not any(_related(view, one, known) for known in alike)]
            yield _family(view, alike, others, f"end in {''.join(word.capitalize() for word in ending)}")
    by_ends: defaultdict[tuple[str, str], list[_Class]] = defaultdict(list)
    for one in known:
        said = words(one[1].name)
        by_ends[said[0], said[-1]].append(one)
    for members in by_ends.values():
        for pair in combinations(members, 2):
            names = [words(one.name) for _, one, _ in pair]
            near = min(map(len, names)) > 1 and jaccard(*names) >= WORDS_ALIKE
            if (
                near
                and names[0][-2:] != names[1][-2:]
                and pair[0][1].name != pair[1][1].name
                and len(pair[0][2] & pair[1][2]) >= METHODS_MIN
                and (pair[0][2] & pair[1][2]) - common
                and pair[0][0] != pair[1][0]
                and not _related(view, *pair)
            ):
                yield _family(view, pair, (), "are nearly called the same")


def _known(view: View) -> list[_Class]:
    """Return the classes with their public methods, those too small to matter apart."""
    found = []
    for path in sorted(view.own):
        methods: defaultdict[str, set[str]] = defaultdict(set)
        definitions = view.code.facts[path].definitions
        for one in definitions:
            owner, _, name = one.name.partition(".")
            if one.kind is DefinitionKind.METHOD and "." not in name and not name.startswith("_"):
                methods[owner].add(name)
        found += [
            (path, one, frozenset(methods[one.name]))
            for one in definitions
            if one.kind is DefinitionKind.CLASS
            and "." not in one.name
            and one.last_line - one.line >= CLASS_LINES_MIN
            and words(one.name)
        ]
    return found


def _connected(view: View, members: Sequence[_Class], common: set[str]) -> list[_Class]:
    """Return the members that share methods with another one, and no class of the repository as a base."""
    kept = set()
    for (a, one), (b, other) in combinations(enumerate(members), 2):
        if one[0] == other[0] or one[1].name == other[1].name:
            continue
        shared = (one[2] & other[2]) - common
        if len(shared) >= METHODS_MIN and not _related(view, one, other):
            kept |= {a, b}
    return [members[number] for number in sorted(kept)]


def _related(view: View, one: _Class, other: _Class) -> bool:
    """Tell whether two classes know each other: a common base, one module that has both or imports the other's."""
    (path, definition, _), (other_path, other_definition, _) = one, other
    if view.ancestors(path, definition.name) & view.ancestors(other_path, other_definition.name):
        return True
    return _acquainted(view, (path, definition), (other_path, other_definition))


def _acquainted(view: View, one: _Function, other: _Function) -> bool:
    """Tell whether one of two files has both definitions, or imports what the other one defines."""
    for (path, _), (other_path, theirs) in ((one, other), (other, one)):
        top = theirs.name.partition(".")[0]
        if theirs.name in view.code.defines(path):
            return True
        place = view.code.place(path, top)
        if place is not None and place.path == other_path:
            return True
    return False


def _says_both(view: View, one: _Function, other: _Function) -> bool:
    """Tell whether a class has methods of both names, so that they mean different things."""
    names = [function[1].name.rpartition(".")[2] for function in (one, other)]
    for path, function in (one, other):
        owner = function.name.rpartition(".")[0]
        known = view.code.defines(path)
        if all((f"{owner}.{name}" if owner else name) in known for name in names):
            return True
    return False


def _family(view: View, members: Sequence[_Class], others: Sequence[_Class], how: str) -> Finding:
    """Return the finding for classes that share methods, with others of the same ending that may belong to them."""
    shared = sorted(frozenset.intersection(*(methods for _, _, methods in members)))
    places = [Location(path, one.line) for path, one, _ in members]
    largest = max(members, key=lambda member: (member[1].last_line - member[1].line, member[0]))
    users = sum(len(view.working_importers(path)) for path, _, _ in members)
    return finding(
        Kind.SAME_PURPOSE,
        Severity.MEDIUM,
        sorted(f"{path}:{one.name}" for path, one, _ in (*members, *others)),
        f"{named(one.name for _, one, _ in members)} {how}"
        + (f" and share {named(shared)}" if shared else " and share methods")
        + "; they may be several takes on one thing."
        + (f" So may {named(one.name for _, one, _ in others)}." if others else ""),
        [*places, *(Location(path, one.line) for path, one, _ in others)],
        f"Compare {named(one.name for _, one, _ in members)}: move what they share to one base class "
        f"(begin with {largest[1].name} of {largest[0]}), or say in each what it is for.",
        weight=len(members) * (1 + len(shared)) * math.sqrt(1 + users),
        guess=True,
    )


def _functions(view: View) -> Iterator[Finding]:
    """Give functions and methods that say the same with another verb and are alike."""
    by_object: defaultdict[tuple[str, ...], list[_Function]] = defaultdict(list)
    for path in sorted(view.own):
        for one in view.code.facts[path].definitions:
            said = words(one.name.rpartition(".")[2])
            if (
                one.kind in (DefinitionKind.FUNCTION, DefinitionKind.METHOD)
                and len(said) > 2  # noqa: PLR2004 - a verb and two words
                and said[0] not in _PLAIN
                and one.last_line - one.line >= FUNCTION_LINES_MIN
                and one.name.count(".") < 2  # noqa: PLR2004 - a class in a class is looked at no further
            ):
                by_object[said[1:]].append((path, one))
    pairs = [
        (one, other)
        for members in by_object.values()
        if len(members) <= FAMILY_MAX
        for one, other in combinations(members, 2)
        if one[0] != other[0]
        and _verb(one) != _verb(other)
        and not _acquainted(view, one, other)
        and not _says_both(view, one, other)
    ]
    told = _bodies(view, pairs)
    for pair in sorted(pairs, key=lambda pair: [(path, fact.line) for path, fact in pair]):
        first, second = (told.get((path, fact.name)) for path, fact in pair)
        alike = dice(first, second) if first and second else 0.0
        if alike < FUNCTIONS_ALIKE:
            continue
        names = [fact.name for _, fact in pair]
        yield finding(
            Kind.SAME_PURPOSE,
            Severity.MEDIUM,
            sorted(f"{path}:{fact.name}" for path, fact in pair),
            f"{named(names)} differ in their verb and are {alike:.0%} alike; they may do the same.",
            [Location(path, fact.line) for path, fact in pair],
            f"Compare {names[0]} of {pair[0][0]} with {names[1]} of {pair[1][0]}: keep one, in a module that both can import.",
            weight=alike,
            guess=True,
        )


def _verb(function: _Function) -> str:
    return words(function[1].name.rpartition(".")[2])[0]


def _bodies(
    view: View, pairs: Iterable[tuple[_Function, _Function]]
) -> Mapping[tuple[str, str], Counter[str]]:
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        for path, one in pair:
            if len(wanted) < FILES_READ_MAX or path in wanted:
                wanted[path].add(one.name)
    return {
        (path, name): body
        for path, names in sorted(wanted.items())
        for name, body in view.bodies(path, names).items()
    }
