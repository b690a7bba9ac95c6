"""Which definitions an edit changes, and whether it stays inside the symbols somebody holds.

The same decision serves landing, hooks and proposals. Text counts, not meaning: a line that is only formatted anew is a
change of its symbol. What counts as nothing: blank lines between definitions, the order of functions, classes and
imports, and comments inside an import. The order of variables counts, because later ones are made of earlier ones.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.syntax.definitions import SymbolKind, Unparsable, definitions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pucs.syntax.definitions import Definition, Import, Outline

IMPORTS = "<imports>"
"""Stands for an import that was removed or altered."""
MODULE = "<module>"
"""Stands for what belongs to no symbol, and for a file that cannot be parsed."""

_OWN_NAME = "\0"  # no source holds it


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What one version of a file does to another, by qualified names."""

    changed: tuple[str, ...] = ()
    """Symbols whose own text differs; a class is one only by its header, its text and its loose statements."""
    added: tuple[str, ...] = ()
    """New symbols; members of a new class are not named beside it."""
    removed: tuple[str, ...] = ()
    """Symbols that are gone; members of a class that is gone are not named beside it."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Old and new name of symbols that differ by their own name alone."""
    imports_added: tuple[str, ...] = ()
    """Names that new imports bind, where they take no name that was in use."""
    imports_changed: tuple[str, ...] = ()
    """Names of imports that are gone or altered, or that take a name which was in use; ``from __future__`` changes all."""
    outside: bool = False
    """Something changed at module level that belongs to no symbol and no import."""
    parsed: bool = True
    """False: a version cannot be parsed, and nothing is known but that they differ."""

    @property
    def nothing(self) -> bool:
        """Tell whether the versions differ in nothing that counts."""
        return self == Changes()


def changed_symbols(old: bytes | None, new: bytes | None) -> Changes:
    """Return what a new version of a Python file changes; None is a file that is not there.

    In a file that was not there everything is added; one that is gone has changed beyond its symbols, too.
    """
    if old == new:
        return Changes()
    try:
        before, after = definitions(old or b""), definitions(new or b"")
    except Unparsable:
        return Changes(outside=True, parsed=False)
    added, removed, renamed = _came_and_went(before, after)
    imports_added, imports_changed = _imports(before, after, added)
    loose = (before.loose, before.form) != (after.loose, after.form)
    lost_words = bool(Counter(before.above_imports) - Counter(after.above_imports))
    return Changes(
        changed=_changed(before, after),
        added=added,
        removed=removed,
        renamed=renamed,
        imports_added=imports_added,
        imports_changed=imports_changed,
        outside=new is None or (old is not None and (loose or lost_words)),
    )


def outside(changes: Changes, held: Iterable[str]) -> tuple[str, ...]:
    """Return what an edit touches beyond the held symbols (qualified names), empty if it stays inside them.

    A held class covers its members. New definitions and new imports are inside whatever is held: they belong to who adds
    them. A renamed symbol keeps the lease on its old name. That anything of the file is held at all is the caller's to see.
    """
    names = tuple(held)
    touched = [*changes.changed, *changes.removed, *(old for old, _ in changes.renamed)]
    beyond = [name for name in touched if not any(covers(each, name) for each in names)]
    if changes.imports_changed:
        beyond.append(IMPORTS)
    if changes.outside:
        beyond.append(MODULE)
    return tuple(beyond)


def common(one: Changes, other: Changes) -> Changes:
    """Return what both of two comparisons find: of a merge with its two parents, what neither parent had."""
    return Changes(
        changed=_both(one.changed, other.changed),
        added=_both(one.added, other.added),
        removed=_both(one.removed, other.removed),
        renamed=tuple(pair for pair in one.renamed if pair in other.renamed),
        imports_added=_both(one.imports_added, other.imports_added),
        imports_changed=_both(one.imports_changed, other.imports_changed),
        outside=one.outside and other.outside,
        parsed=one.parsed and other.parsed,
    )


def covers(held: str, name: str) -> bool:
    """Tell whether a held symbol is this one or a class around it."""
    return held == name or name.startswith(held + ".")


def _both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in one if name in other)


def _changed(before: Outline, after: Outline) -> tuple[str, ...]:
    """Return the symbols of both versions whose text differs, and the variables that changed places."""
    moved = _moved(before, after)
    return tuple(
        symbol.name
        for symbol in before.symbols
        if symbol.name in after.texts
        and (symbol.name in moved or before.texts[symbol.name] != after.texts[symbol.name])
    )


def _moved(before: Outline, after: Outline) -> set[str]:
    """Return the fewest variables by whose move the others of their scope are in the order they were in."""
    places = {symbol.name: number for number, symbol in enumerate(before.symbols)}
    scopes: dict[str, list[str]] = {}
    for symbol in after.symbols:
        if symbol.kind is SymbolKind.VARIABLE and symbol.name in places:
            scopes.setdefault(symbol.parent, []).append(symbol.name)
    return {name for names in scopes.values() for name in _out_of_order(names, [places[n] for n in names])}


def _out_of_order(names: Sequence[str], places: Sequence[int]) -> set[str]:
    """Return the names outside one longest run of growing places (patience sorting)."""
    tops: list[int] = []
    at: list[int] = []
    for place in places:
        pile = bisect_left(tops, place)
        tops[pile : pile + 1] = [place]
        at.append(pile)
    wanted, kept = len(tops) - 1, set[str]()
    below = float("inf")
    for name, place, pile in zip(reversed(names), reversed(places), reversed(at), strict=True):
        if pile == wanted and place < below:
            kept.add(name)
            wanted, below = wanted - 1, place
    return set(names) - kept


def _came_and_went(
    before: Outline, after: Outline
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return what was added, removed and renamed, each without what goes with a class around it."""
    old, new = before.names(), after.names()
    gone = [
        symbol for symbol in before.symbols if symbol.name not in new and symbol.parent in {"", *(old & new)}
    ]
    come = [
        symbol for symbol in after.symbols if symbol.name not in old and symbol.parent in {"", *(old & new)}
    ]
    bodies: dict[tuple[str, ...], list[str]] = {}
    for symbol in come:
        bodies.setdefault(_nameless(after, symbol), []).append(symbol.name)
    renamed = [
        (symbol.name, same.pop(0)) for symbol in gone if (same := bodies.get(_nameless(before, symbol)))
    ]
    olds, news = {pair[0] for pair in renamed}, {pair[1] for pair in renamed}
    return (
        tuple(symbol.name for symbol in come if symbol.name not in news),
        tuple(symbol.name for symbol in gone if symbol.name not in olds),
        tuple(renamed),
    )


def _nameless(outline: Outline, symbol: Definition) -> tuple[str, ...]:
    own = symbol.name.rpartition(".")[2]
    source = re.sub(rf"\b{re.escape(own)}\b", _OWN_NAME, outline.source(symbol))
    # A class's own text is in its source; of everything else it also tells the blocks it stands in.
    context = () if symbol.kind is SymbolKind.CLASS else outline.texts[symbol.name][:-1]
    return (
        symbol.parent,
        symbol.kind,
        *(re.sub(rf"\b{re.escape(own)}\b", _OWN_NAME, each) for each in context),
        source,
    )


def _imports(
    before: Outline, after: Outline, added: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of imports that only came, and of those that change what a name of the file means."""
    gone = Counter(before.imports) - Counter(after.imports)
    come = Counter(after.imports) - Counter(before.imports)
    bound = {each.bound for each in before.imports}
    # A submodule comes beside its package: `import os` and `import os.path` bind one and the same module.
    packages = {each.bound for each in before.imports if _is_package(each)}
    used = bound | {symbol.name for symbol in before.symbols if not symbol.parent}

    def takes_a_name(each: Import) -> bool:
        return each.bound in used and not (_is_package(each) and each.bound in packages)

    altering = [
        each for each in come if each.name == "*" or each.module == "__future__" or takes_a_name(each)
    ]
    changed = [*(each.bound for each in (*gone, *altering)), *(name for name in added if name in bound)]
    fresh = [each.bound for each in come if each not in altering]
    return tuple(dict.fromkeys(fresh)), tuple(dict.fromkeys(changed))


def _is_package(each: Import) -> bool:
    return not each.name and each.bound == each.module.partition(".")[0]
