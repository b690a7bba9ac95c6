"""The partition of the repository among the streams of a session, compiled once per configuration and process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.core.resources import file_path, is_directory
from pucs.streams.boundaries import Boundaries
from pucs.streams.patterns import matches, may_match_below

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.ports import Transaction
    from pucs.streams.records import CriticalFile


def boundaries_of(tx: Transaction, session: str) -> Boundaries:
    """Return the boundaries of a session's streams."""
    found: Boundaries = tx.sessions.derived(("boundaries", session), lambda: _compiled(tx, session))
    return found


def _compiled(tx: Transaction, session: str) -> Boundaries:
    streams = tuple(row.stream for row in tx.sessions.streams(session))
    return Boundaries(streams, tx.sessions.configuration().generated)


def critical_files(resource: str, files: Sequence[CriticalFile]) -> list[CriticalFile]:
    """Return the critical files that a lease on this resource would hold."""
    path = file_path(resource)
    if is_directory(resource):
        return [file for file in files if may_match_below(file.path, path)]
    return [file for file in files if matches(file.path, path)]
