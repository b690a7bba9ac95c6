"""What a stream's ``dependencies`` mean: other streams, the streams that cover a path, or shared code (DESIGN §7)."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from pucs.core.errors import Usage
from pucs.streams.patterns import matches, may_match_below

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pucs.streams.records import Stream


def streams_meant(entry: str, streams: Sequence[Stream]) -> tuple[str, ...]:
    """Return the streams that one entry stands for; none: shared code.

    An entry is the name of a stream, else a path (``models``, ``models/risk_manager.py``, also without ``.py``) and
    then the streams that cover it or something below it.
    """
    named = [stream.name for stream in streams if stream.name.casefold() == entry.casefold()]
    if named:
        return tuple(named)
    path = entry.strip("/")
    return tuple(
        stream.name for stream in streams if any(_touches(pattern, path) for pattern in stream.files_pattern)
    )


def needs(streams: Sequence[Stream]) -> dict[str, tuple[str, ...]]:
    """Return for each stream the other streams it depends on, in the order it names them.

    A stream that covers part of a path it depends on does not depend on itself.
    """
    meant = {
        stream.name: [name for entry in stream.dependencies for name in streams_meant(entry, streams)]
        for stream in streams
    }
    return {
        name: tuple(dict.fromkeys(other for other in others if other != name))
        for name, others in meant.items()
    }


def cycle(graph: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return one cycle in the order "needs", its first node repeated at the end; empty: there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return tuple(reversed(error.args[1]))
    return ()


def _touches(pattern: str, path: str) -> bool:
    try:
        return matches(pattern, path) or matches(pattern, f"{path}.py") or may_match_below(pattern, path)
    except Usage:  # a bad pattern is told about where it is checked
        return False
