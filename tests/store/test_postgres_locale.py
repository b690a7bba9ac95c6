"""Databases of any locale: names of streams match without regard to the case of ASCII letters, as they do in SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from pucs.crosslog.records import Query
from pucs.testing.fakes import FakeClock
from tests.store.test_rows import entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.coordinator.ports import Store
    from pucs.testing.postgres import PostgresServer

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def test_the_databases_own_locale_changes_no_name(
    postgres: PostgresServer, schema: str, opened: Callable[..., Store]
) -> None:
    """Where it knows other lower letters than the tables do, a name is still found by itself."""
    with psycopg.connect(postgres.url(), autocommit=True) as raw:
        raw.execute(f"CREATE DATABASE {schema} TEMPLATE template0 LOCALE 'C.UTF-8'")
    store = opened(postgres.url(database=schema), FakeClock())
    names = ("Shop", "SHOP", "\u00c9", "I", "i")
    with store.transaction() as tx:
        for name in names:
            tx.entries.add(entry(1, stream=name))
    with store.read() as tx:
        found = {name: len(tx.entries.select(Query(stream=name))) for name in (*names, "\u00e9")}
    assert found == {"Shop": 2, "SHOP": 2, "\u00c9": 1, "I": 2, "i": 2, "\u00e9": 0}
