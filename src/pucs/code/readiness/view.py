"""What every family of findings looks at."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pucs.core.sources import is_test
from pucs.syntax.facts import ImportKind

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from pucs.code.resolving import Code, Edge


class Taken(NamedTuple):
    """How a file imports a name."""

    line: int
    bound: str
    """Name it is bound to."""
    kind: ImportKind


@dataclass(frozen=True, slots=True)
class View:
    """The code, who imports whom, and a way to look into single definitions again."""

    code: Code
    edges: Sequence[Edge]
    own: frozenset[str]
    """Python files in which likeness counts."""
    bodies: Callable[[str, Collection[str]], Mapping[str, Counter[str]]]
    """Words of some definitions of a file, by qualified name; reads the file again."""
    _to: dict[str, list[Edge]] = field(default_factory=dict)

    def importers(self, path: str) -> list[Edge]:
        """Return the imports of a file, whoever makes them; those for type checkers too."""
        if not self._to and self.edges:
            for edge in self.edges:
                self._to.setdefault(edge.imported, []).append(edge)
        return self._to.get(path, [])

    def working_importers(self, path: str) -> list[Edge]:
        """Return the imports of a file by others than tests, as they are carried out."""
        return [
            edge
            for edge in self.importers(path)
            if not is_test(edge.importer) and edge.kind is not ImportKind.TYPING
        ]

    def takers(self, names: Collection[str]) -> dict[tuple[str, str], dict[str, Taken]]:
        """Return who imports some names by name: (defining file, name) → importing file → how."""
        found: defaultdict[tuple[str, str], dict[str, Taken]] = defaultdict(dict)
        for path, facts in self.code.facts.items():
            for fact in facts.imports:
                for name, bound in fact.names:
                    if name not in names:
                        continue
                    place = self.code.place(path, bound)
                    if place is not None and not place.symbol:
                        continue  # a module of this name
                    files = [file for file in self.code.imported(path, fact) if _is_origin(file, fact.module)]
                    # What the name leads to follows from its last import; this may be an earlier one.
                    defining = [file for file in files if name in self.code.defines(file)]
                    for file in defining or (*files, place.path if place else ""):
                        if file and file != path:
                            found[file, name].setdefault(path, Taken(fact.line, bound, fact.kind))
        return found

    def ancestors(self, path: str, name: str) -> set[tuple[str, str]]:
        """Return a class and all classes of the repository that it extends, each as file and name."""
        found: set[tuple[str, str]] = set()
        waiting = [(path, name)]
        while waiting:
            here = waiting.pop()
            if here in found or here[0] not in self.code.facts:
                continue
            found.add(here)
            for base in self._bases(*here):
                place = self.code.place(here[0], base)
                if place is not None and place.symbol:
                    waiting.append((place.path, place.symbol))
        return found

    def _bases(self, path: str, name: str) -> tuple[str, ...]:
        for one in self.code.facts[path].definitions:
            if one.name == name:
                return one.bases
        return ()


def _is_origin(path: str, module: str) -> bool:
    """Tell whether a file loaded by ``from module import name`` is that module itself, and no part of it."""
    *directories, file = path.split("/")
    last = module.rpartition(".")[2]
    if file.startswith("__init__."):
        return not last or last == "".join(directories[-1:])
    return file.partition(".")[0] == last


def apart(paths: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return paths divided into those of the program and those of its tests."""
    program: list[str] = []
    tests: list[str] = []
    for path in paths:
        (tests if is_test(path) else program).append(path)
    return program, tests
