"""The little that rows ask of a connection, and the SQL for overlapping resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

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

    def insert(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Execute an insert and return the id it was given."""
        ...

    def changes(self) -> int:
        """Return how many rows the last statement changed."""
        ...


def overlap_condition(resource: str, column: str = "resource") -> tuple[str, list[str]]:
    """Return the WHERE part, with parameters, that holds for resources overlapping ``resource``.

    Equality with each ancestor and one range for the descendants: both are index searches, so the cost does not grow
    with the number of rows.
    """
    exact = [*ancestors(resource), resource]
    condition = f"{column} IN ({','.join('?' * len(exact))})"
    below = descendants_range(resource)
    if below is None:
        return condition, list(exact)
    if resource == ROOT:
        return f"{column} NOT LIKE 'res:%'", []
    return f"({condition} OR ({column} >= ? AND {column} < ?))", [*exact, *below]


def overlapping_rows(database: Database, sql: str, resources: Iterable[str], column: str = "resource") -> list[tuple[Any, ...]]:
    """Return the rows of ``sql`` (which ends in a WHERE clause to be continued) that overlap any of the resources."""
    found: dict[Any, tuple[Any, ...]] = {}
    for resource in resources:
        condition, parameters = overlap_condition(resource, column)
        for row in database.all(sql + condition, parameters):
            found[row[0]] = row
    return [found[key] for key in sorted(found)]
