"""The rows' SQL as PostgreSQL reads it.

The rows are written for both databases; what is left to translate is the sign for parameters, hints to SQLite's planner, and
names of streams, which SQLite compares without regard to case by itself.
"""

from __future__ import annotations

import re
from functools import lru_cache

STATEMENTS_MAX = 2048
"""Translations remembered: all there are, with room for lists of different lengths."""
_STEPS = (
    (re.compile(r" INDEXED BY \w+"), ""),
    (re.compile(r"CROSS JOIN (\w+ \w+) ON"), r"JOIN \1 ON"),
    (
        re.compile(r"(?<= AND )((?:e\.)?stream) = \?|(?<= WHERE )(e\.stream) = \?"),
        r'lower(\1\2) = lower(? COLLATE "C")',
    ),
    (re.compile(r"(GROUP|ORDER) BY stream"), r"\1 BY lower(stream)"),
    (re.compile(r"ON CONFLICT \(((?:\w+, )+)(stream|name)\)"), r"ON CONFLICT (\1lower(\2))"),
)
_INSERT = re.compile(r"INSERT INTO (\w+) \((.*)\) VALUES \((.*)\)$")
_WRITTEN = re.compile(r"(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)")


@lru_cache(maxsize=STATEMENTS_MAX)
def written(sql: str) -> str:
    """Return the table that a statement changes; empty, which is in every text, where it is not told."""
    found = _WRITTEN.match(sql)
    return found[1] if found else ""


@lru_cache(maxsize=STATEMENTS_MAX)
def translated(sql: str) -> bytes:
    """Return a statement with numbered parameters."""
    for pattern, replacement in _STEPS:
        sql = pattern.sub(replacement, sql)
    first, *rest = sql.split("?")
    return "".join([first, *(f"${number}{part}" for number, part in enumerate(rest, 1))]).encode()


@lru_cache(maxsize=STATEMENTS_MAX)
def numbered(sql: str) -> tuple[str, str]:
    """Return the table of an insert, and the insert with the row's number as its first value."""
    found = _INSERT.fullmatch(sql)
    if found is None:
        raise ValueError(f"this is no insert that can be given a number: {sql}")
    table, columns, values = found.groups()
    key = "seq" if table == "entries" else "id"
    return table, f"INSERT INTO {table} ({key}, {columns}) VALUES (?, {values})"  # noqa: S608 - of our own text
