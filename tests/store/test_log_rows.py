"""Rows of test runs, and what retention and patterns ask of the log, on every store there is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import apsw
import pytest

from pucs.crosslog.patterns import NOTED
from pucs.crosslog.records import Entry, Level, Query
from pucs.store.rows import entries as entry_rows
from pucs.store.sqlite import SQLiteStore
from pucs.streams.checks import TestResult, TestRun
from pucs.testing.fakes import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

    from pucs.coordinator.ports import Store

RUN = TestRun(
    session="S",
    stream="Shop",
    agent="ann",
    task="T-1",
    commit="c1",
    tree="t1",
    command="pytest",
    result=TestResult.PASSED,
    status=0,
    duration_s=1.25,
    output="1 passed",
    at="2025-12-06T10:00:00.000Z",
)


def entry(at: int, **more: object) -> Entry:
    made = Entry(
        timestamp=f"2025-12-06T10:00:{at:02}.000Z",
        session="S",
        agent="ann",
        stream="shop",
        level=Level.INFO,
        action="step",
    )
    return replace(made, **more)  # type: ignore[arg-type]


def test_a_run_comes_back_as_it_was_written(store: Store) -> None:
    """Every field, also an absent exit status; streams match without regard to case."""
    with store.transaction() as tx:
        first = replace(RUN, id=tx.test_runs.add(RUN))
        other = replace(RUN, stream="till", status=None, result=TestResult.COULD_NOT_RUN)
        second = replace(other, id=tx.test_runs.add(other))
        tx.test_runs.add(replace(RUN, session="T"))
        assert tx.test_runs.all("S") == [first, second]
        assert tx.test_runs.all("S", "SHOP") == [first]
        assert tx.test_runs.all("S", limit=1) == [second]
        assert tx.test_runs.all("none") == []


def test_the_newest_run_of_a_stream_and_of_a_content_counts(store: Store) -> None:
    """A later failure on the same content undoes a pass; another content, stream or session does not."""
    with store.transaction() as tx:
        tx.test_runs.add(RUN)
        assert tx.test_runs.passed("S", "shop", "t1") is not None
        for elsewhere in ({"tree": "t2"}, {"stream": "till"}, {"session": "T"}):
            tx.test_runs.add(replace(RUN, result=TestResult.FAILED, **elsewhere))  # type: ignore[arg-type]
        assert tx.test_runs.passed("S", "shop", "t1") is not None
        assert tx.test_runs.passed("S", "shop", "t2") is None
        assert tx.test_runs.passed("S", "docs", "t1") is None
        assert [(run.stream, run.result.value) for run in tx.test_runs.latest("S")] == [
            ("Shop", "failed"),
            ("till", "failed"),
        ]
        tx.test_runs.add(replace(RUN, result=TestResult.FAILED))
        assert tx.test_runs.passed("S", "shop", "t1") is None


def test_only_the_newest_runs_are_kept(store: Store) -> None:
    """Of the session that is named; the others keep theirs."""
    with store.transaction() as tx:
        tx.test_runs.add(replace(RUN, session="T"))
        ids = [tx.test_runs.add(RUN) for _ in range(5)]
        tx.test_runs.keep("S", 5)
        assert [run.id for run in tx.test_runs.all("S")] == ids
        tx.test_runs.keep("S", 2)
        assert [run.id for run in tx.test_runs.all("S")] == ids[-2:]
        assert len(tx.test_runs.all("T")) == 1


def test_entries_are_narrowed_by_action_and_least_level(store: Store) -> None:
    """Noted actions and any others, and everything from a level on."""
    with store.transaction() as tx:
        for at, (action, level) in enumerate(
            [
                ("lock claimed", Level.INFO),
                ("other", Level.DEBUG),
                ("lease expired", Level.INFO),
                ("landed", Level.CHANGE),
                ("bad", Level.ERROR),
            ],
            1,
        ):
            tx.entries.add(entry(at, action=action, level=level))

        def actions(query: Query) -> list[str]:
            return [found.action for found in tx.entries.select(query)]

        assert actions(Query(actions=NOTED)) == ["lock claimed", "lease expired"]
        assert actions(Query(actions=("lease expired",))) == ["lease expired"]
        assert actions(Query(actions=("other", "landed"))) == ["other", "landed"]
        assert actions(Query(least=Level.DEBUG)) == actions(Query())
        assert actions(Query(least=Level.INFO)) == ["lock claimed", "lease expired", "landed", "bad"]
        assert actions(Query(least=Level.ERROR, session="S")) == ["bad"]


def test_the_log_is_counted_and_walked_from_its_beginning(store: Store) -> None:
    """How many, since when, the oldest first."""
    with store.transaction() as tx:
        assert (tx.entries.count(), tx.entries.first_since("2025"), tx.entries.oldest(0, 9)) == (0, 0, [])
        for at in range(1, 6):
            tx.entries.add(entry(at, action="even" if at % 2 == 0 else "odd"))
        assert tx.entries.count() == 5
        assert tx.entries.count(after_seq=2) == 3
        assert tx.entries.count(after_seq=2, actions=("even",)) == 1
        assert tx.entries.count(actions=("odd", "even")) == 5
        assert tx.entries.first_since("2025-12-06T10:00:03") == 3
        assert tx.entries.first_since("2026") == 0
        assert [found.seq for found in tx.entries.oldest(1, 3)] == [2, 3, 4]


def test_removed_entries_are_gone_from_every_question(store: Store) -> None:
    """Also from the question about a file; the others stay."""
    with store.transaction() as tx:
        for at in range(1, 4):
            tx.entries.add(entry(at, files=("a.py", f"{at}.py", "a.py")))
        tx.entries.remove(tx.entries.oldest(0, 2))
        assert [found.seq for found in tx.entries.select(Query())] == [3]
        assert [found.seq for found in tx.entries.select(Query(file="a.py"))] == [3]
        assert tx.entries.select(Query(file="1.py")) == []
        tx.entries.remove([])
        assert tx.entries.count() == 1


def test_the_index_and_the_detectors_speak_of_the_same_actions() -> None:
    """The words of the partial index are those that patterns are told from."""
    assert set(entry_rows._NOTED) == set(NOTED)
    assert all(f"'{action}'" in entry_rows._IS_NOTED for action in NOTED)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (Query(session="S", level=Level.CHANGE, after_seq=5, limit=10), "entries_by_level"),
        (Query(session="S", level=Level.CONFLICT, after_seq=5, limit=10), "entries_by_level"),
        (Query(session="S", actions=NOTED, after_seq=5, limit=10), "entries_noted"),
    ],
)
def test_what_patterns_ask_is_answered_by_an_index(tmp_path: Path, query: Query, index: str) -> None:
    """The cost follows what is found, not the length of the log."""
    store = SQLiteStore(tmp_path / "state.db", FakeClock())
    with store.transaction() as tx:
        tx.entries.add(entry(1))
    asked: list[tuple[str, tuple[object, ...]]] = []

    class Database:
        def all(self, sql: str, parameters: list[object]) -> list[object]:
            asked.append((sql, tuple(parameters)))
            return []

    entry_rows.EntryRows(Database()).select(query)  # type: ignore[arg-type]
    ((sql, parameters),) = asked
    plan = apsw.Connection(str(tmp_path / "state.db")).execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
    assert any(f"USING INDEX {index} " in str(row[3]) for row in plan)
