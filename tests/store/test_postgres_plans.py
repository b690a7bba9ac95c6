"""How PostgreSQL goes about our questions: by their indexes, whatever it thought of the tables when it first saw them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import psycopg
import pytest

from pucs.testing.fakes import FakeClock
from tests.store.test_rows import lease

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.store.postgres import PostgresStore
    from pucs.testing.postgres import PostgresServer

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

MANY = 2000


def fetched(store: PostgresStore, resource: str) -> int:
    """Return how many rows of the table of leases the server looks at to find those on a resource."""
    raw = store._connection().raw
    asked = (
        "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relid = 'leases'::regclass"
    )
    with raw.transaction():
        text = next(
            cast("str", name)
            for name, statement in raw.execute(
                "SELECT name, statement FROM pg_prepared_statements"
            ).fetchall()
            if "FROM leases WHERE state <> 'ended' AND resource IN ($1,$2) UNION ALL"
            in cast("str", statement)
        )
        raw.execute(f"EXECUTE {text} ('/', '{resource}', '{resource}::', '{resource}:;')".encode())
        row = raw.execute(asked).fetchone()
    assert row is not None
    return int(cast("int", row[0]))


def test_what_was_planned_for_an_empty_table_is_planned_anew_for_a_full_one(
    postgres: PostgresServer, schema: str, opened: Callable[..., PostgresStore]
) -> None:
    """Or each question would read every lease, until the server gathers statistics by itself."""
    store = opened(postgres.url(schema=schema), FakeClock())
    with psycopg.connect(postgres.url(), autocommit=True) as raw:
        raw.execute(f"VACUUM ANALYZE {schema}.leases")
    with store.transaction() as tx:
        assert tx.leases.overlapping(["f1"]) == []
        first = tx.tokens(MANY)
        for number in range(MANY):
            tx.leases.add(lease(first + number, f"f{number}"))
    with store.read() as tx:
        assert [each.resource for each in tx.leases.overlapping(["f1"])] == ["f1"]
    assert fetched(store, "f1") < MANY / 10
