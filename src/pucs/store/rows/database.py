"""The little that rows ask of a connection, and the SQL for overlapping resources."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from pucs.core.processes import Process
from pucs.core.resources import ROOT, ancestors, descendants_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Database(Protocol):
    """One connection inside one transaction; ``?`` marks parameters."""

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return every row."""
        ...

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row, None if there is none."""
        ...

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Execute a statement."""
        ...

    def many(self, sql: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Execute a statement once for each set of parameters."""
        ...

    def insert(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Execute an insert and return the id it was given."""
        ...

    def changes(self) -> int:
        """Return how many rows the last statement changed."""
        ...


@lru_cache(maxsize=1024)
def decoded_process(text: str) -> Process:
    """Return the process that ``Process.encode`` wrote; few processes own many rows."""
    return Process.decode(text)


def overlapping_rows(
    database: Database, select: str, resources: Iterable[str], leading: tuple[Any, ...] = ()
) -> list[tuple[Any, ...]]:
    """Return the rows of ``select``, by its first column, whose resource overlaps any of these, each once.

    ``select`` ends in a condition to be continued with ``AND``; ``leading`` are its parameters. Equality with each
    ancestor and one range for the descendants are two searches of one index each, so the cost does not grow with the
    number of rows.
    """
    found: dict[Any, tuple[Any, ...]] = {}
    for resource in resources:
        for row in _overlapping(database, select, resource, leading):
            found[row[0]] = row
    return [found[key] for key in sorted(found)] if len(found) > 1 else list(found.values())


def _overlapping(
    database: Database, select: str, resource: str, leading: tuple[Any, ...]
) -> list[tuple[Any, ...]]:
    if resource == ROOT:
        return database.all(select + " AND resource NOT LIKE 'res:%'", leading)
    exact = (*ancestors(resource), resource)
    below = descendants_range(resource)
    if below is None:
        return database.all(_exact(select, len(exact)), (*leading, *exact))
    return database.all(_around(select, len(exact)), (*leading, *exact, *leading, *below))


@cache
def _exact(select: str, count: int) -> str:
    return f"{select} AND resource IN ({','.join('?' * count)})"


@cache
def _around(select: str, count: int) -> str:
    # Two statements in one, because the planner turns an OR into a scan when it knows no statistics. The text depends
    # on the depth alone, so that prepared statements are found again.
    return f"{_exact(select, count)} UNION ALL {select} AND resource >= ? AND resource < ?"
