"""What an entry speaks of, so that none is removed that open work still needs (000 §10 ``logging.max_entries``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pucs.crosslog.records import Entry

BATCH = 50
"""Entries removed in one transaction: it stays well under the five milliseconds that others may wait for."""
PAGE = 500
"""Entries read at once to find those that may go."""
REMOVED_MAX = 10_000
"""Entries removed by one call: whoever cleans up or ends a run is not kept for longer than a second or so."""
LANDED = "landed"
"""Entries of landings stay as long as their session goes on: the report and the merge tell their story from them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What an entry speaks of, by kind; what an agent wrote into its details counts only if it is of the right type."""

    tokens: frozenset[int] = frozenset()
    conflicts: frozenset[int] = frozenset()
    intents: frozenset[int] = frozenset()
    messages: frozenset[int] = frozenset()
    handoffs: frozenset[int] = frozenset()
    tasks: frozenset[str] = frozenset()


def references(entry: Entry) -> References:
    """Return what an entry speaks of."""
    details = entry.details
    messages = set(_numbers(details, "message", "messages"))
    to = details.get("to")
    if isinstance(to, (list, tuple)):
        # A broadcast is one message for each receiver, numbered in a row.
        messages = {number + at for number in messages for at in range(len(to))}
    task = details.get("task")
    return References(
        tokens=frozenset(_numbers(details, "token", "tokens")),
        conflicts=frozenset(_numbers(details, "conflict", "conflicts")),
        intents=frozenset(_numbers(details, "intent", "intents")),
        messages=frozenset(messages),
        handoffs=frozenset(_numbers(details, "handoff")),
        tasks=frozenset([task] if isinstance(task, str) and task else []),
    )


def _numbers(details: dict[str, Any], *names: str) -> Iterator[int]:
    for name in names:
        value = details.get(name)
        several: Iterable[Any] = value if isinstance(value, (list, tuple)) else (value,)
        yield from (
            one for one in several if isinstance(one, int) and not isinstance(one, bool) and 0 < one < 2**63
        )
