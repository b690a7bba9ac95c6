"""Resolves imports and names across files: edges from file to file, and the place where a name is really defined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from pucs.code.modules import Modules, is_python
from pucs.syntax.facts import DefinitionKind, ImportKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pucs.syntax.facts import FileFacts, ImportFact

_HOPS_MAX: Final = 100
"""Re-exports followed one behind the other for one name; people write three or four."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One file imports another."""

    importer: str
    imported: str
    line: int
    """First line that does."""
    kind: ImportKind
    """The strongest of all statements that do: TOP before OPTIONAL before LAZY before TYPING."""


class Place(NamedTuple):
    """Where a name leads: a module, or a definition in one."""

    path: str
    symbol: str
    """Qualified name as the file defines it; empty: the module itself."""


_STRENGTH: Final = {
    ImportKind.TOP: 0,
    ImportKind.OPTIONAL: 1,
    ImportKind.LAZY: 2,
    ImportKind.TYPING: 3,
}


class Code:
    """The Python files of a repository with what their names mean to each other."""

    def __init__(self, facts: Mapping[str, FileFacts], *, roots: Collection[str] = ()) -> None:
        """Take the facts of every file by path (others than Python are left out), and further import roots."""
        self.facts = {path: facts[path] for path in sorted(facts) if is_python(path)}
        self.modules = Modules(self.facts, roots=roots)
        self._imports: dict[tuple[str, str], str | None] = {}
        self._bound: dict[str, dict[str, Place]] = {}
        self._defined: dict[str, dict[str, DefinitionKind]] = {}

    def edges(self) -> list[Edge]:
        """Return who imports whom, each pair once, sorted."""
        found: dict[tuple[str, str], Edge] = {}
        for path, facts in self.facts.items():
            for fact in facts.imports:
                for imported in self.imported(path, fact):
                    if imported == path:
                        continue
                    known = found.get((path, imported))
                    if known is None:
                        found[path, imported] = Edge(path, imported, fact.line, fact.kind)
                    elif _STRENGTH[fact.kind] < _STRENGTH[known.kind]:
                        found[path, imported] = Edge(path, imported, min(known.line, fact.line), fact.kind)
        return sorted(found.values(), key=lambda edge: (edge.importer, edge.imported))

    def imported(self, path: str, fact: ImportFact) -> Iterator[str]:
        """Give the files that one import of a file loads by name."""
        origin = self._origin(path, fact.level, fact.module)
        if origin is None:
            return
        if not fact.names:
            if not origin.endswith("/"):
                yield origin
            return
        whole = False
        for name, _ in fact.names:
            part = self._submodule(origin, name)
            if part is not None and not part.endswith("/"):
                yield part
            else:
                whole = True
        if whole and not origin.endswith("/"):
            yield origin

    def external(self, path: str, fact: ImportFact) -> str:
        """Return the top-level name that an import takes from outside the repository; empty: it is inside."""
        if fact.level or self._origin(path, 0, fact.module) is not None:
            return ""
        return fact.module.partition(".")[0]

    def place(self, path: str, name: str) -> Place | None:
        """Return where a dotted name of a file leads, through re-exports; None: outside, or not to be told.

        Of a chain that goes on into objects, the last part that is a definition: ``config.load.cache_clear`` leads
        to ``load``.
        """
        first, *rest = name.split(".")
        place = self._member(path, first, set())
        for part in rest:
            if place is None:
                return None
            deeper = self._into(place, part) if place.symbol else self._attribute(place.path, part, set())
            if deeper is None:
                return place if place.symbol else None
            place = deeper
        return place

    def defines(self, path: str) -> dict[str, DefinitionKind]:
        """Return the qualified names that a file defines, with what each is."""
        known = self._defined.get(path)
        if known is None:
            known = self._defined[path] = {
                definition.name: definition.kind for definition in self.facts[path].definitions
            }
        return known

    def _into(self, place: Place, part: str) -> Place | None:
        name = f"{place.symbol}.{part}"
        return Place(place.path, name) if name in self.defines(place.path) else None

    def _attribute(self, path: str, name: str, asked: set[Place], hops: int = 0) -> Place | None:
        """Return what a module has under a name: a definition, something imported, or a part of the package."""
        found = self._member(path, name, asked, hops) if not path.endswith("/") else None
        if found is not None:
            return found
        part = self._submodule(path, name)
        return None if part is None else Place(part, "")

    def _member(self, path: str, name: str, asked: set[Place], hops: int = 0) -> Place | None:
        """Return what a file itself binds to a name, followed to the place that defines it.

        ``asked`` are the places that the search has been to: each is looked at once, whatever circles there are.
        """
        here = Place(path, name)
        if here in asked or hops > _HOPS_MAX or path not in self.facts:
            return None
        asked.add(here)
        if name in self.defines(path):
            return here
        bound = self._bindings(path).get(name)
        if bound is None:
            return self._starred(path, name, asked, hops)
        if not bound.symbol:
            return bound
        # Of a package, the name may be re-exported from one of its own parts.
        return self._attribute(bound.path, bound.symbol, asked, hops + 1)

    def _starred(self, path: str, name: str, asked: set[Place], hops: int = 0) -> Place | None:
        for fact in self.facts[path].imports:
            if fact.names and fact.names[0][0] == "*":
                origin = self._origin(path, fact.level, fact.module)
                if origin is None or origin.endswith("/") or origin == path:
                    continue
                exports = self.facts[origin].exports
                if (name in exports) if exports else not name.startswith("_"):
                    found = self._member(origin, name, asked, hops + 1)
                    if found is not None:
                        return found
        return None

    def _bindings(self, path: str) -> dict[str, Place]:
        """Return the names that the imports of a file bind: to a module, or to a name in one, not yet followed."""
        known = self._bound.get(path)
        if known is not None:
            return known
        known = self._bound[path] = {}
        for fact in self.facts[path].imports:
            if not fact.names:
                self._bind_module(path, fact, known)
                continue
            origin = self._origin(path, fact.level, fact.module)
            if origin is not None:
                for name, bound in fact.names:
                    if name != "*":
                        known[bound] = Place(origin, name)
        return known

    def _bind_module(self, path: str, fact: ImportFact, known: dict[str, Place]) -> None:
        if fact.bound == fact.module:
            # ``import a.b.c`` binds ``a``; the parts are found when the name is used.
            fact_top = fact.module.partition(".")[0]
            top = self._origin(path, 0, fact_top)
            if top is not None:
                known[fact_top] = Place(top, "")
            return
        origin = self._origin(path, 0, fact.module)
        if origin is not None:
            known[fact.bound] = Place(origin, "")

    def _origin(self, path: str, level: int, module: str) -> str | None:
        """Return the file or directory that an import names, remembered for each directory."""
        if level:
            return self.modules.relative(path, level, module)
        key = (path.rpartition("/")[0], module)
        if key not in self._imports:
            self._imports[key] = self.modules.absolute(path, module)
        found = self._imports[key]
        if found is None and self.facts[path].changes_path:
            return self.modules.loose(module)
        return found

    def _submodule(self, origin: str, name: str) -> str | None:
        """Return the module of this name inside a package; None: it is no package or has none."""
        if origin.endswith("/"):
            return self.modules.at(origin.rstrip("/"), name)
        directory, _, file = origin.rpartition("/")
        return self.modules.at(directory, name) if file.startswith("__init__.") else None
