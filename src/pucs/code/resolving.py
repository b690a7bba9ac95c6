"""Resolves imports and names across files: edges from file to file, and the place where a name is really defined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from pucs.code.modules import Modules, is_python
from pucs.code.scripts import Scripts, is_script
from pucs.syntax.facts import WHOLE, DefinitionKind, ImportKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

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


_NONE: Final[dict[str, str]] = {}


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
    """The files of a repository with what their names mean to each other."""

    def __init__(
        self,
        facts: Mapping[str, FileFacts],
        *,
        roots: Collection[str] = (),
        texts: Mapping[str, bytes] | None = None,
    ) -> None:
        """Take the facts of every file by path.

        Args:
            facts: The facts; files of languages that are not known here are left out.
            roots: Directories from which Python imports, besides the usual ones.
            texts: Content of the files that ``scripts.configurations`` names.
        """
        self.facts = {path: facts[path] for path in sorted(facts) if is_python(path) or is_script(path)}
        self.modules = Modules(self.facts, roots=roots)
        self.scripts = Scripts(self.facts, texts or {})
        self._scripts = {path for path in self.facts if is_script(path)}
        self._aliased: dict[str, dict[str, str]] = {}
        self._imports: dict[tuple[str, str], str | None] = {}
        self._bound: dict[str, dict[str, Place]] = {}
        self._defined: dict[str, dict[str, DefinitionKind]] = {}
        self._used: dict[str, frozenset[str]] = {}

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
        if path in self._scripts:
            return self.scripts.external(path, fact.module)
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

    def used(self, path: str) -> frozenset[str]:
        """Return the other files of which a file uses something that they define, through re-exports too.

        Of a script what it imports counts as used, also where no single thing can be told; what it only hands on does not.
        """
        known = self._used.get(path)
        if known is None:
            known = self._used[path] = frozenset(self._uses(path) - {path})
        return known

    def _uses(self, path: str) -> set[str]:
        found = {
            place.path
            for use in self.facts[path].uses
            if (place := self.place(path, use.name)) is not None and place.symbol
        }
        if path in self._scripts:
            exports = set(self.facts[path].exports)
            for fact in self.facts[path].imports:
                bound = [name for _, name in fact.names] or [fact.bound]
                if not exports.issuperset(bound):
                    found |= self._reached(path, fact, [name for name in bound if name != "*"])
        return found

    def _reached(self, path: str, fact: ImportFact, bound: Sequence[str]) -> set[str]:
        """Return the files that define what an import of a script binds; the imported one, where that is not to be told."""
        places = [self._member(path, name, set()) for name in bound if name]
        found = {place.path for place in places if place is not None and place.symbol}
        origin = self._origin(path, 0, fact.module)
        return found or ({origin} if origin is not None else set())

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
        if name == "default" and path in self._scripts:
            # Of a module that exports in the old way, everything.
            return self._whole(Place(path, ""), asked, hops) if self._old(path) else None
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
        alias = self._aliases(path).get(name)
        if alias is not None:
            return self._member(path, alias, asked, hops + 1)
        bound = self._bindings(path).get(name)
        if bound is None:
            return self._starred(path, name, asked, hops)
        if not bound.symbol:
            return self._whole(bound, asked, hops)
        # Of a package, the name may be re-exported from one of its own parts.
        return self._attribute(bound.path, bound.symbol, asked, hops + 1)

    def _starred(self, path: str, name: str, asked: set[Place], hops: int = 0) -> Place | None:
        for fact in self.facts[path].imports:
            if fact.names and fact.names[0][0] == "*":
                origin = self._origin(path, fact.level, fact.module)
                if origin is None or origin.endswith("/") or origin == path:
                    continue
                if self._gives(origin, name):
                    found = self._member(origin, name, asked, hops + 1)
                    if found is not None:
                        return found
        return None

    def _gives(self, origin: str, name: str) -> bool:
        """Tell whether ``*`` may bring a name along."""
        if origin in self._scripts:
            return name != "default"  # it may have it from elsewhere in the same way
        exports = self.facts[origin].exports
        return name in exports if exports else not name.startswith("_")

    def _aliases(self, path: str) -> dict[str, str]:
        """Return what a script calls itself that it exports under other names."""
        aliases = self.facts[path].aliases
        if not aliases:
            return _NONE
        known = self._aliased.get(path)
        if known is None:
            known = self._aliased[path] = dict(aliases)
        return known

    def _old(self, path: str) -> bool:
        return "default" not in self.facts[path].exports

    def _whole(self, module: Place, asked: set[Place], hops: int) -> Place:
        """Return what a module is as a whole: of most themselves, of some scripts one thing they export."""
        if module.path not in self._scripts or WHOLE not in self.facts[module.path].exports:
            return module
        return self._member(module.path, WHOLE, asked, hops + 1) or module

    def _bindings(self, path: str) -> dict[str, Place]:
        """Return the names that the imports of a file bind: to a module, or to a name in one, not yet followed."""
        known = self._bound.get(path)
        if known is not None:
            return known
        known = self._bound[path] = {}
        for fact in self.facts[path].imports:
            if not fact.names:
                if fact.bound:
                    self._bind_module(path, fact, known)
                continue
            origin = self._origin(path, fact.level, fact.module)
            if origin is not None:
                for name, bound in fact.names:
                    if name != "*":
                        known[bound] = Place(origin, name)
        return known

    def _bind_module(self, path: str, fact: ImportFact, known: dict[str, Place]) -> None:
        if fact.bound == fact.module and path not in self._scripts:
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
        if path in self._scripts:
            return self.scripts.imported(path, module)
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
        if origin in self._scripts:
            return None
        if origin.endswith("/"):
            return self.modules.at(origin.rstrip("/"), name)
        directory, _, file = origin.rpartition("/")
        return self.modules.at(directory, name) if file.startswith("__init__.") else None
