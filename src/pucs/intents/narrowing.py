"""Sets and plans that name a file, once it is divided: symbols stand in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.core.modes import Mode, stronger
from pucs.core.resources import contains
from pucs.intents.records import Partition, PartitionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def narrowed(
    resources: Sequence[tuple[str, Mode]], file: str, scope: Sequence[str]
) -> tuple[tuple[str, Mode], ...]:
    """Return a set with symbols in place of the file and of what else it names in the file, in its strongest mode."""
    inside = [mode for name, mode in resources if contains(file, name)]
    if not inside:
        return tuple(resources)
    strongest = inside[0]
    for mode in inside[1:]:
        strongest = stronger(strongest, mode)
    kept = [(name, mode) for name, mode in resources if not contains(file, name)]
    return tuple(sorted([*kept, *((symbol, strongest) for symbol in scope)]))


def narrowed_plan(
    planned: Sequence[tuple[str, int]], file: str, scope: Sequence[str]
) -> tuple[tuple[str, int], ...]:
    """Return a plan with symbols in place of the file, in the earliest of their places; one for a directory stays."""
    inside = [place for name, place in planned if contains(file, name)]
    if not inside:
        return tuple(planned)
    kept = [(name, place) for name, place in planned if not contains(file, name)]
    return tuple(sorted([*kept, *((symbol, min(inside)) for symbol in scope)]))


def as_divided(
    resources: Sequence[tuple[str, Mode]], agent: str, request: int, divisions: Iterable[Partition]
) -> tuple[tuple[str, Mode], ...]:
    """Return the set of an agent's request as the accepted divisions that concern it have left it, in their order."""
    found = tuple(resources)
    for division in divisions:
        accepted = division.state is PartitionState.ACCEPTED
        if accepted and request in division.requests.get(agent, ()):
            found = narrowed(found, division.file, division.scopes[agent])
    return found
