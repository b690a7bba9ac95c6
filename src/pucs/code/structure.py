"""Modules, how independent they are, and the layers that their imports form."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from pucs.code.records import Cut, Module
from pucs.core.sources import is_code, is_test
from pucs.syntax.facts import ImportKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pucs.code.resolving import Edge

LARGE_SHARE: Final = 0.25
"""A directory with more than this share of the code is looked into: its parts are the modules."""
PARTS_MAX: Final = 40
"""A directory with more parts than this (plug-ins, integrations) stays one: nobody oversees more."""
_EXAMPLES_MAX: Final = 3
_DEPTH_MAX: Final = 8


def module_names(paths: Iterable[str]) -> dict[str, str]:
    """Return the module of each file of code that is no test: the directory it belongs to, or the file itself.

    Modules are the directories at the root. One that holds more than a quarter of the code (``src``, a single package) and
    whose files lie mostly deeper is divided into its parts, at any depth, unless these are too many; a file beside them is a
    module of its own.
    """
    code = sorted(path for path in paths if is_code(path) and not is_test(path))
    found: dict[str, str] = {}
    _divide("", code, len(code) * LARGE_SHARE, found, _DEPTH_MAX)
    return found


def _divide(start: str, paths: Sequence[str], large: float, found: dict[str, str], depth: int) -> None:
    """Name the module of files below a directory, given with a slash at its end."""
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        first, slash, _ = path[len(start) :].partition("/")
        parts[f"{start}{first}{slash}"].append(path)
    for part, inner in parts.items():
        below = [path[len(part) :].partition("/") for path in inner]
        names = {first for first, slash, _ in below if slash}
        deeper = 2 * sum(slash == "/" for _, slash, _ in below) >= len(inner)
        if part.endswith("/") and len(inner) > large and depth and deeper and len(names) <= PARTS_MAX:
            _divide(part, inner, large, found, depth - 1)
        else:
            found.update(dict.fromkeys(inner, part.rstrip("/")))


def modules(
    edges: Sequence[Edge], module_of: Mapping[str, str], lines: Mapping[str, int]
) -> tuple[tuple[Module, ...], tuple[Cut, ...]]:
    """Return the modules with their layers, and the imports that were set aside to find these.

    Independence of a module is 100 * its imports that stay inside / all its imports of files of the repository, in edges
    from file to file, tests apart; 100 where it imports nothing.
    """
    inner, outer = Counter[str](), Counter[str]()
    weights: defaultdict[tuple[str, str], list[Edge]] = defaultdict(list)
    for edge in edges:
        importer, imported = module_of.get(edge.importer), module_of.get(edge.imported)
        if importer is None or imported is None:
            continue
        if importer == imported:
            inner[importer] += 1
        else:
            outer[importer] += 1
            # What only type checkers see asks for no order.
            if edge.kind is not ImportKind.TYPING:
                weights[importer, imported].append(edge)
    names = sorted(set(module_of.values()))
    imports: defaultdict[str, list[str]] = defaultdict(list)
    for importer, imported in sorted(weights):
        imports[importer].append(imported)
    kept, cuts = acyclic({pair: len(found) for pair, found in weights.items()})
    layer_of = _layers(names, kept)
    files = Counter(module_of.values())
    lengths = Counter[str]()
    for path, module in module_of.items():
        lengths[module] += lines.get(path, 0)
    found = tuple(
        Module(
            path=name,
            files=files[name],
            lines=lengths[name],
            independence_pct=independence_pct(inner[name], outer[name]),
            layer=layer_of[name],
            imports=tuple(imports[name]),
        )
        for name in names
    )
    return found, tuple(
        Cut(
            importer=importer,
            imported=imported,
            weight=len(weights[importer, imported]),
            examples=tuple(
                (edge.importer, edge.line, edge.imported)
                for edge in weights[importer, imported][:_EXAMPLES_MAX]
            ),
        )
        for importer, imported in cuts
    )


def independence_pct(inside: int, outside: int) -> int:
    """Return the share of imports that stay inside, in percent; 100 where there are none."""
    return round(100 * inside / (inside + outside)) if inside + outside else 100


def acyclic(
    weights: Mapping[tuple[str, str], int],
) -> tuple[set[tuple[str, str]], list[tuple[str, str]]]:
    """Return the edges of a graph without its cycles, and those that were taken out, lightest first.

    Taken out is always the lightest edge that is on a cycle; one that turns out not to close any is put back. To find the
    fewest is NP-hard, and people follow "the lightest" more easily anyway.
    """
    import networkx as nx  # noqa: PLC0415 - takes a while to load, and only an analysis needs it

    graph = nx.DiGraph()
    graph.add_edges_from(pair for pair in sorted(weights) if pair[0] != pair[1])
    cut: list[tuple[str, str]] = []
    while True:
        knots = [knot for knot in nx.strongly_connected_components(graph) if len(knot) > 1]
        closing = [
            (weights[pair], pair) for knot in knots for pair in graph.subgraph(knot).edges if pair in weights
        ]
        if not closing:
            break
        _, lightest = min(closing)
        graph.remove_edge(*lightest)
        cut.append(lightest)
    for pair in sorted(cut, key=lambda pair: (-weights[pair], pair)):
        if not nx.has_path(graph, pair[1], pair[0]):
            graph.add_edge(*pair)
            cut.remove(pair)
    return set(graph.edges), sorted(cut, key=lambda pair: (weights[pair], pair))


def _layers(names: Iterable[str], edges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Return the layer of each node of an acyclic graph: one above the highest that it imports."""
    imports: defaultdict[str, list[str]] = defaultdict(list)
    for importer, imported in edges:
        imports[importer].append(imported)
    layer_of: dict[str, int] = {}

    def visit(start: str) -> None:
        stack = [start]
        while stack:
            name = stack[-1]
            waiting = [one for one in imports[name] if one not in layer_of]
            if waiting:
                stack += waiting
                continue
            stack.pop()
            layer_of[name] = 1 + max((layer_of[one] for one in imports[name]), default=-1)

    for name in names:
        if name not in layer_of:
            visit(name)
    return layer_of


def phases(
    names: Iterable[str], weights: Mapping[tuple[str, str], int]
) -> tuple[tuple[tuple[str, ...], ...], list[tuple[str, str]]]:
    """Return the order in which parts that import each other are merged, and the imports it had to pass over.

    Parts of one phase do not depend on each other; each comes after all that it imports.
    """
    kept, cut = acyclic(weights)
    layer_of = _layers(sorted(names), kept)
    rows: defaultdict[int, list[str]] = defaultdict(list)
    for name in sorted(layer_of):
        rows[layer_of[name]].append(name)
    return tuple(tuple(rows[layer]) for layer in sorted(rows)), cut


def weights_between(edges: Iterable[Edge], part_of: Callable[[str], str | None]) -> Counter[tuple[str, str]]:
    """Count the edges from file to file between different parts, those for type checkers apart."""
    found = Counter[tuple[str, str]]()
    for edge in edges:
        importer, imported = part_of(edge.importer), part_of(edge.imported)
        if importer and imported and importer != imported and edge.kind is not ImportKind.TYPING:
            found[importer, imported] += 1
    return found
