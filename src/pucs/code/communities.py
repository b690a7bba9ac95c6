"""Divides files by who imports whom: the communities of the import graph (Blondel et al. 2008, "Louvain")."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pucs.code.resolving import Edge

DIRECTORY_PULL: Final = 1.0
"""Weight that ties a file to its directory, as much as one import of a file that nobody else imports."""
CHANGE_PULL: Final = 1.0
"""Weight that ties a file to the others of a commit, all of them together."""
RESOLUTION: Final = 1.0
TIDY_SHARE: Final = 0.8
"""A directory of which one group has this share goes to it whole: exceptions are more to remember than they save."""
_SEED: Final = 7
"""Louvain visits files in a random order; a fixed one gives the same answer each time."""
_SMALL_SHARE: Final = 0.01
_SMALL: Final = 3
"""A group with fewer files, or a smaller share, joins the one that it is tied to most."""


def communities(
    files: Collection[str], edges: Sequence[Edge], together: Mapping[tuple[str, str], float] | None = None
) -> list[list[str]]:
    """Return the files in groups that import mostly each other, the largest group first.

    An import of a file that many import counts less (1 / sqrt(importers)): everybody uses it, so it ties nobody together.
    The few files that nothing ties to a group are in none.

    Args:
        files: What is divided.
        edges: Who imports whom; files that are not divided do not count.
        together: How much the history ties pairs of files, see ``locality.together``.
    """
    import networkx as nx  # noqa: PLC0415 - takes a while to load, and only an analysis needs it

    inside = set(files)
    ties = _ties(inside, edges, together or {})
    graph = nx.Graph()
    graph.add_nodes_from(sorted(inside))
    graph.add_weighted_edges_from((one, other, weight) for (one, other), weight in sorted(ties.items()))
    for path in sorted(inside):
        # A directory is a node of its own, so that its pull does not grow with its size. No file ends in a slash.
        graph.add_edge(path, f"{path.rpartition('/')[0]}/", weight=DIRECTORY_PULL)
    found = nx.community.louvain_communities(graph, resolution=RESOLUTION, seed=_SEED)
    groups = sorted(sorted(group & inside) for group in found)
    return _joined(_tidied([group for group in groups if group]), ties, len(inside))


def adopted(groups: Sequence[Sequence[str]], others: Collection[str]) -> list[list[str]]:
    """Return the groups with files of which nobody knows what they import, such as templates and styles.

    Each goes to the group that has most in the nearest directory, above the file but below the root, where any has some.
    """
    held: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for number, group in enumerate(groups):
        for path in group:
            directory = path
            while directory := directory.rpartition("/")[0]:
                held[directory][number] += 1
    found = [list(group) for group in groups]
    for path in others:
        directory = path
        while (directory := directory.rpartition("/")[0]) and directory not in held:
            pass
        if directory:
            found[min(held[directory], key=lambda number: (-held[directory][number], number))].append(path)
    return sorted((sorted(group) for group in found), key=lambda group: (-len(group), group[0]))


def _ties(
    inside: Collection[str], edges: Sequence[Edge], together: Mapping[tuple[str, str], float]
) -> dict[tuple[str, str], float]:
    """Return how much pairs of files are tied to each other, each pair in the order of its names."""
    kept = [edge for edge in edges if edge.importer in inside and edge.imported in inside]
    importers = Counter(edge.imported for edge in kept)
    ties: defaultdict[tuple[str, str], float] = defaultdict(float)
    for edge in kept:
        pair = (min(edge.importer, edge.imported), max(edge.importer, edge.imported))
        ties[pair] += importers[edge.imported] ** -0.5
    for (one, other), weight in together.items():
        if one in inside and other in inside:
            ties[min(one, other), max(one, other)] += CHANGE_PULL * weight
    return dict(ties)


def _tidied(groups: Sequence[Sequence[str]]) -> list[list[str]]:
    """Give a directory that one group has nearly alone to it, with the files that lie directly in it."""
    owners: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for number, group in enumerate(groups):
        owners_of_group = Counter(path.rpartition("/")[0] for path in group)
        for directory, count in owners_of_group.items():
            owners[directory][number] = count
    found: defaultdict[int, list[str]] = defaultdict(list)
    for number, group in enumerate(groups):
        for path in group:
            (most, count), *_ = owners[path.rpartition("/")[0]].most_common(1)
            whole = count >= TIDY_SHARE * owners[path.rpartition("/")[0]].total()
            found[most if whole else number].append(path)
    return [sorted(found[number]) for number in sorted(found)]


def _joined(
    groups: Sequence[Sequence[str]], ties: Mapping[tuple[str, str], float], files: int
) -> list[list[str]]:
    """Let each small group join the one that it is tied to most, or else the one that has most of its directory."""
    small = max(_SMALL, round(_SMALL_SHARE * files))
    group_of = {path: number for number, group in enumerate(groups) for path in group}
    members = {number: set(group) for number, group in enumerate(groups)}
    neighbours: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    for (one, other), weight in sorted(ties.items()):
        neighbours[one].append((other, weight))
        neighbours[other].append((one, weight))
    for number in sorted(members, key=lambda number: (len(members[number]), min(members[number]))):
        group = members[number]
        if len(group) >= small or len(members) == 1:
            continue
        pull: defaultdict[int, float] = defaultdict(float)
        for path in sorted(group):
            for other, weight in neighbours[path]:
                if group_of.get(other, number) != number:
                    pull[group_of[other]] += weight
        if not pull:
            pull.update(_beside(group, {other: members[other] for other in members if other != number}))
        del members[number]
        if pull:
            home = max(pull, key=lambda other: (pull[other], len(members[other]), min(members[other])))
            members[home] |= group
            group_of.update(dict.fromkeys(group, home))
        else:
            for path in group:
                del group_of[path]
    return sorted((sorted(group) for group in members.values()), key=lambda group: (-len(group), group[0]))


def _beside(group: Collection[str], others: Mapping[int, Collection[str]]) -> dict[int, int]:
    """Return how many files of others lie below the deepest directory that holds a group and some of them, but the root."""
    directory = min(group)
    while directory := directory.rpartition("/")[0]:
        start = f"{directory}/"
        if not all(path.startswith(start) for path in group):
            continue
        counts = {number: sum(path.startswith(start) for path in other) for number, other in others.items()}
        found = {number: count for number, count in counts.items() if count}
        if found:
            return found
    return {}
