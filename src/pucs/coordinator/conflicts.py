"""Conflicts: recorded where they are met, closed with who decided what (000 §4)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pucs.conflicts.records import Conflict, Kind, Severity, Status, Strategy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.context import Context, Unit


def record(
    opened: Unit,
    kind: Kind,
    parties: Sequence[str],
    resources: Sequence[str],
    *,
    severity: Severity = Severity.LOW,
    strategy: Strategy | None = None,
    decision: str = "",
    **evidence: Any,
) -> int:
    """Record a conflict inside an open unit and return its id; one with a decision is resolved already."""
    return opened.tx.conflicts.add(
        Conflict(
            session=opened.active().id,
            kind=kind,
            severity=severity,
            status=Status.RESOLVED if decision else Status.OPEN,
            parties=tuple(dict.fromkeys(party for party in parties if party)),
            resources=tuple(resources),
            strategy=strategy,
            decision=decision,
            evidence=evidence,
            opened_at=opened.now.wall(),
            resolved_at=opened.now.wall() if decision else "",
        )
    )


def decide_in(opened: Unit, conflict: int, decision: str) -> None:
    """Close an open conflict inside an open unit; a closed one keeps its first decision."""
    found = opened.tx.conflicts.get(conflict)
    if found is not None and found.status is Status.OPEN:
        opened.tx.conflicts.put(
            replace(found, status=Status.RESOLVED, decision=decision, resolved_at=opened.now.wall())
        )


def conflicts(context: Context, *, unresolved: bool = False) -> list[Conflict]:
    """Return the conflicts of the session by id."""
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.latest()
        return tx.conflicts.all(session.id, unresolved=unresolved) if session else []
