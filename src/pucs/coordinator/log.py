"""The cross-log: what an agent did in its own words, and reading what everybody did (000 §3.5)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pucs.coordinator.agents import acting, stream_named
from pucs.coordinator.context import Context, unit
from pucs.core.errors import Usage
from pucs.crosslog.records import Entry, Level, Query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ACTION_LENGTH_MAX = 500
"""Longest action text; what is longer belongs into the details."""
DETAILS_LENGTH_MAX = 64 * 1024
"""Longest details as JSON: what is longer belongs into a file that they name, for everybody who reads the log reads it."""
FILES_MAX = 10_000
"""Most files of one entry: as many as one set of leases."""


def log(
    context: Context,
    *,
    agent: str,
    action: str,
    files: Sequence[str] = (),
    level: Level = Level.CHANGE,
    details: Mapping[str, Any] | None = None,
    stream: str = "",
) -> int:
    """Record what an agent says it did and return the number of the entry; one transaction.

    ``stream`` says for which stream it speaks, if not for its own; words claim nothing.

    Raises:
        Usage: the action is empty or too long, or the details are too long or no JSON.
        NotFound: there is no such stream.
    """
    if not action.strip() or len(action) > ACTION_LENGTH_MAX:
        raise Usage("An action needs a text.", remedy=f"At most {ACTION_LENGTH_MAX} characters.")
    if len(files) > FILES_MAX:
        raise Usage(f"{len(files):,} files are too many for one entry.", remedy="Name their directory.")
    _check_details(details or {})
    with unit(context) as opened:
        who = acting(opened, agent)
        named = stream_named(opened.tx, who.session, stream).stream.name if stream else who.stream
        return opened.tx.entries.add(
            Entry(
                timestamp=opened.now.wall(),
                session=who.session,
                agent=who.id,
                stream=named,
                level=level,
                action=action,
                files=tuple(files),
                details={**(details or {}), "door": opened.door},
            )
        )


def _check_details(details: Mapping[str, Any]) -> None:
    try:
        length = len(json.dumps(dict(details)))
    except (TypeError, ValueError) as error:
        raise Usage(f"The details are no JSON: {error}.", remedy="Use plain values.") from error
    if length > DETAILS_LENGTH_MAX:
        raise Usage(
            f"Details of {length:,} characters are too long.",
            remedy=f"At most {DETAILS_LENGTH_MAX:,}; put the rest into a file and name it.",
        )


def entries(context: Context, query: Query) -> list[Entry]:
    """Return the entries that match, oldest first."""
    with context.store.read() as tx:
        return tx.entries.select(query)
