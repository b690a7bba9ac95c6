"""Finds modules that import each other in circles, and the import that is easiest to take out.

The weight of an import is the number of names that it takes; of a circle the lightest edge is named. Circles are sought among
imports that are carried out while modules are loaded; then among all but those for type checkers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pucs.code.readiness.records import Finding, Kind, Location, finding, named
from pucs.core.severities import Severity
from pucs.core.sources import is_test
from pucs.syntax.facts import ImportKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pucs.code.readiness.view import View
    from pucs.code.resolving import Edge

CUTS_MAX: Final = 12
"""Imports to take out that are worked out for one knot of circles; nobody plans more at once."""
_LOADED: Final = (ImportKind.TOP, ImportKind.OPTIONAL)


def cycles(view: View) -> Iterator[Finding]:
    """Give the knots of modules that import each other; those that involve functions' imports later and lighter."""
    edges = [
        edge
        for edge in view.edges
        if edge.kind is not ImportKind.TYPING and not (is_test(edge.importer) or is_test(edge.imported))
    ]
    seen: set[frozenset[str]] = set()
    for kind, chosen in (
        (Kind.IMPORT_CYCLE, [edge for edge in edges if edge.kind in _LOADED]),
        (Kind.LAZY_CYCLE, edges),
    ):
        for knot, cuts, shortest in _knots(view, chosen):
            if knot not in seen:
                seen.add(knot)
                yield _finding(view, kind, knot, cuts, shortest)


def _knots(view: View, edges: list[Edge]) -> Iterator[tuple[frozenset[str], list[Edge], list[str]]]:
    """Give each knot with the edges to cut, lightest first, and the circle that the first of them closes."""
    import networkx as nx  # noqa: PLC0415 - takes a while to load, and only an analysis needs it

    by_pair = {(edge.importer, edge.imported): edge for edge in edges}
    graph = nx.DiGraph()
    graph.add_edges_from(sorted(by_pair))
    knots = [frozenset(knot) for knot in nx.strongly_connected_components(graph) if len(knot) > 1]
    for knot in sorted(knots, key=sorted):
        inner = nx.DiGraph()
        inner.add_edges_from(pair for pair in sorted(by_pair) if pair[0] in knot and pair[1] in knot)
        weights = {pair: _weight(view, by_pair[pair]) for pair in inner.edges}
        cuts: list[Edge] = []
        shortest: list[str] = []
        while len(cuts) < CUTS_MAX and (closing := _closing(nx, inner)):
            # Of equally light ones, that of a function first: it is there because somebody met the circle before.
            # What a package takes from its own parts is what it is for.
            *_, pair = min(
                (pair[0].endswith("__init__.py"), weights[pair], by_pair[pair].kind in _LOADED, pair)
                for pair in closing
            )
            shortest = shortest or nx.shortest_path(inner, pair[1], pair[0])
            inner.remove_edge(*pair)
            cuts.append(by_pair[pair])
        yield knot, cuts, shortest


def _closing(nx: Any, graph: Any) -> list[tuple[str, str]]:
    """Return the edges that are on some circle."""
    part = {
        name: number for number, knot in enumerate(nx.strongly_connected_components(graph)) for name in knot
    }
    return [pair for pair in graph.edges if part[pair[0]] == part[pair[1]]]


def _weight(view: View, edge: Edge) -> int:
    return sum(
        max(1, len(fact.names))
        for fact in view.code.facts[edge.importer].imports
        if edge.imported in view.code.imported(edge.importer, fact)
    )


def _finding(view: View, kind: Kind, knot: frozenset[str], cuts: list[Edge], shortest: list[str]) -> Finding:
    lightest = cuts[0]
    circle = [*(path for path in shortest if path != lightest.importer), lightest.importer]
    lazy = kind is Kind.LAZY_CYCLE
    places = {path.rpartition("/")[0] for path in knot}
    # A package and its own parts are loaded together anyway.
    inside = any(
        path.endswith("/__init__.py") and all(one.startswith(path[: -len("__init__.py")]) for one in knot)
        for path in knot
    )
    severity = Severity.LOW if lazy or inside else Severity.MEDIUM
    when = "" if lazy else " while they are loaded"
    more = f" {len(cuts)} imports have to go for no circle to be left." if len(cuts) > 1 else ""
    if len(cuts) == CUTS_MAX:
        more = f" At least {len(cuts)} imports have to go for no circle to be left."
    return finding(
        kind,
        severity,
        sorted(knot),
        f"{len(knot)} modules import each other{when}: {' → '.join([*circle[:6], '…'] if len(circle) > 6 else [*circle, circle[0]])}.{more}",  # noqa: PLR2004 - a line
        [Location(edge.importer, edge.line) for edge in cuts]
        + [Location(path) for path in sorted(knot - {edge.importer for edge in cuts})],
        f"Take the import of {view.code.modules.name_of(lightest.imported) or lightest.imported} out of {lightest.importer}:{lightest.line}"
        f" ({_weight(view, lightest)} {'name' if _weight(view, lightest) == 1 else 'names'}): move what both need to a module of its own"
        + ("." if lazy else ", or import it in the function that needs it.")
        + (
            f" Then go on with {named(f'{edge.importer}:{edge.line}' for edge in cuts[1:])}."
            if len(cuts) > 1
            else ""
        ),
        weight=len(knot) * len(places),
    )
