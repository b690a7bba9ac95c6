"""Divides files by who imports whom: the communities of the import graph (Blondel et al. 2008, "Louvain")."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pucs.code.resolving import Edge

DIRECTORY_PULL: Final = 1.0
"""Weight that ties a file to its directory, as much as one import of a file that nobody else imports."""
RESOLUTION: Final = 1.0
_SEED: Final = 7
"""Louvain visits files in a random order; a fixed one gives the same answer each time."""
SMALL_SHARE: Final = 0.01
_SMALL: Final = 3
"""A community with fewer files, or a smaller share, joins the one that it is tied to most."""


def communities(files: Collection[str], edges: Sequence[Edge]) -> list[list[str]]:
    """Return the files in groups that import mostly each other, the largest group first.

    An import of a file that many import counts less (1 / sqrt(importers)): everybody uses it, so it ties nobody together.
    """
    import networkx as nx  # noqa: PLC0415 - takes a while to load, and only an analysis needs it

    inside = set(files)
    kept = [edge for edge in edges if edge.importer in inside and edge.imported in inside]
    importers = Counter(edge.imported for edge in kept)
    graph = nx.Graph()
    graph.add_nodes_from(sorted(inside))
    for edge in kept:
        weight = importers[edge.imported] ** -0.5
        known = graph.get_edge_data(edge.importer, edge.imported, {"weight": 0.0})["weight"]
        graph.add_edge(edge.importer, edge.imported, weight=known + weight)
    for path in sorted(inside):
        # A directory is a node of its own, so that its pull does not grow with its size.
        graph.add_edge(path, f"{path.rpartition('/')[0]}/", weight=DIRECTORY_PULL)
    groups = [
        sorted(found & inside)
        for found in nx.community.louvain_communities(graph, resolution=RESOLUTION, seed=_SEED)
    ]
    return _joined([group for group in groups if group], kept, len(inside))


def _joined(groups: list[list[str]], edges: Sequence[Edge], files: int) -> list[list[str]]:
    """Let each small group join the one that it is tied to most, or else the one that has most of its directory."""
    small = max(_SMALL, round(SMALL_SHARE * files))
    group_of = {path: number for number, group in enumerate(groups) for path in group}
    members = {number: set(group) for number, group in enumerate(groups)}
    neighbours: defaultdict[str, list[str]] = defaultdict(list)
    for edge in edges:
        neighbours[edge.importer].append(edge.imported)
        neighbours[edge.imported].append(edge.importer)
    for number in sorted(members, key=lambda number: (len(members[number]), min(members[number]))):
        group = members[number]
        if len(group) >= small or len(members) == 1:
            continue
        ties = Counter(
            group_of[other] for path in group for other in neighbours[path] if group_of[other] != number
        )
        if not ties:
            ties = Counter({other: _common(group, members[other]) for other in members if other != number})
        home = max(ties, key=lambda other: (ties[other], len(members[other]), min(members[other])))
        members[home] |= group
        group_of.update(dict.fromkeys(group, home))
        del members[number]
    return sorted((sorted(group) for group in members.values()), key=lambda group: (-len(group), group[0]))


def _common(group: Collection[str], other: Collection[str]) -> int:
    """Return how many files of another group lie below the directory that a group has in common."""
    parts = [path.split("/")[:-1] for path in group]
    shared = parts[0]
    for part in parts[1:]:
        shared = [one for one, two in zip(shared, part, strict=False) if one == two]
    start = "".join(f"{name}/" for name in shared)
    return sum(path.startswith(start) for path in other)
