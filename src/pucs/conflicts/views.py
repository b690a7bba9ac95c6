"""One record under the names that the seeds give it: both ways, and without losing what they do not name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.conflicts.records import Conflict, ConflictInfo, Kind, Severity, Status
from pucs.core.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

NOBODY = "N/A"
"""Holder of what a stream covers and no agent holds (002 §4.2)."""
LOCKED = "LOCKED"
"""What 002 §4.2 calls a file that somebody holds."""

_IN_000 = {
    # Two agents need, or will need, the same thing.
    Kind.INTENT_OVERLAP: Kind.FILE_LOCK,
    # The code of another stream is what other modules depend on.
    Kind.BOUNDARY: Kind.DEPENDENCY,
}
_IN_002 = {Kind.FILE_LOCK: LOCKED, Kind.RESOURCE: LOCKED, Kind.BOUNDARY: Kind.DEPENDENCY.value}


def type_in_000(kind: Kind) -> str:
    """Return which of the four types of 000 §4.1 a kind counts as."""
    return _IN_000.get(kind, kind).value


def type_in_002(kind: Kind) -> str:
    """Return what 002 §4.2 calls a kind; one it does not know keeps its name, which its resolver leaves to people."""
    return _IN_002.get(kind, kind.value)


def kind_named(name: str) -> Kind:
    """Return the kind of a name, ours or any of the seeds', in whatever case.

    Raises:
        Usage: there is no such kind; the remedy lists those there are.
    """
    upper = name.upper()
    if upper == LOCKED:
        return Kind.FILE_LOCK
    if upper not in Kind.__members__:
        raise Usage(f"There is no kind of conflict {name!r}.", remedy=f"Kinds: {', '.join(Kind)}.")
    return Kind(upper)


def info_of(conflict: Conflict) -> ConflictInfo:
    """Return a record as 002 §4.2 tells it."""
    return ConflictInfo(
        file_path=", ".join(conflict.resources),
        conflict_type=type_in_002(conflict.kind),
        holder_agent=conflict.holder or NOBODY,
        holder_stream=conflict.holder_stream,
        details=conflict.details,
        conflict=conflict.id,
    )


def conflict_of(
    info: ConflictInfo,
    *,
    session: str,
    severity: Severity,
    asked_by: str = "",
    resources: Sequence[str] = (),
    opened_at: str = "",
) -> Conflict:
    """Return a clash that 002 §4.2 tells as an open record; ``resources`` where the file names need to be canonical."""
    holder = "" if info.holder_agent == NOBODY else info.holder_agent
    return Conflict(
        id=info.conflict,
        session=session,
        kind=kind_named(info.conflict_type),
        severity=severity,
        status=Status.OPEN,
        parties=tuple(party for party in (asked_by, holder, info.holder_stream) if party),
        resources=tuple(resources) or tuple(info.file_path.split(", ")),
        evidence={"holder": holder, "holder_stream": info.holder_stream, "reason": info.details},
        opened_at=opened_at,
    )
