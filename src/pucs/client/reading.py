"""Everything a report or a dashboard needs of a session, as one document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pucs.coordinator.conflicts import conflicts
from pucs.coordinator.log import entries
from pucs.coordinator.patterns import detect
from pucs.coordinator.salvaging import salvages
from pucs.coordinator.status import status
from pucs.coordinator.symbols import shared_files
from pucs.coordinator.tasks import tasks
from pucs.core.instants import parse_iso
from pucs.crosslog.records import Query

if TYPE_CHECKING:
    from pucs.coordinator.context import Context

ENTRIES_MAX = 100_000
"""Entries read for a report: more than any session has had."""


def session_document(context: Context) -> dict[str, Any]:
    """Return status, tasks, conflicts, landings, files that were changed by several at once, salvage refs, patterns and the whole log of the session."""
    found = status(context)
    now_s = context.clock.now().wall_s
    with context.store.read() as tx:
        landings = tx.landings.all(found["session"])
        shared = shared_files(tx, found["session"])
    return {
        **found,
        "task_list": tasks(context),
        "conflict_list": conflicts(context),
        "landing_list": landings,
        "shared_files": shared,
        "salvage_list": salvages(context, session=found["session"]),
        "pattern_list": detect(context, since_s=max(0.0, now_s - parse_iso(found["started_at"]))),
        "log": entries(context, Query(session=found["session"], limit=ENTRIES_MAX)),
    }
