"""Intents and proposals to divide a file, on every store there is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import apsw
import psycopg
import pytest

from pucs.intents.records import Contest, Intent, IntentState, Obstacle, Partition, PartitionState

if TYPE_CHECKING:
    from pucs.coordinator.ports import Store


def intent(agent: str, *resources: str, **more: object) -> Intent:
    made = Intent(
        session="S",
        agent=agent,
        stream="shop",
        task="T-1",
        planned=tuple((name, 0) for name in resources),
        description="words\nof many \N{SNOWMAN}",
        estimated_duration_s=60.5,
        boot_id="boot",
        declared_s=1.5,
        expires_s=122.5,
        declared_at="2025-12-06T10:00:00.000Z",
        expires_at="2025-12-06T10:02:01.000Z",
        contests=(
            Contest(
                kind=Obstacle.DEPENDENCY,
                files=("a, b", "c"),
                holder="",
                holder_stream="core",
                details="d",
                conflict=3,
            ),
        ),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def test_an_intent_comes_back_as_it_was_written(store: Store) -> None:
    """Every field survives; a resource without a place gets that of the intent, one with a place keeps it."""
    with store.transaction() as tx:
        first = tx.intents.add(intent("ann", "a", "b"))
        assert first == intent("ann", id=1, planned=(("a", 1), ("b", 1)))
        second = tx.intents.add(intent("bob", planned=(("a", 1), ("c", 0))))
        assert (second.id, second.planned) == (2, (("a", 1), ("c", 2)))
        changed = replace(
            first,
            planned=(("z", 1),),
            description="other",
            estimated_duration_s=1.0,
            task="T-2",
            state=IntentState.CONTESTED,
            expires_s=7.0,
            expires_at="later",
            contests=(),
            ended_at="then",
            why="because",
        )
        tx.intents.put(changed)
        assert tx.intents.get(1) == changed
        assert tx.intents.get(77) is None
        assert tx.intents.of_agent("ann") == changed
        assert tx.intents.of_agent("nobody") is None


def test_open_intents_are_found_by_what_they_overlap(store: Store) -> None:
    """Ancestors, the resource itself and everything below, each intent once, by id; ended ones only by their id."""
    with store.transaction() as tx:
        assert tx.intents.overlapping(["a/"]) == []
        for agent, *names in (
            ("ann", "a/", "e"),
            ("bob", "a/b.py", "a/c.py"),
            ("cy", "ab"),
            ("dan", "res:a/"),
        ):
            tx.intents.add(intent(agent, *names))

        def found(*resources: str) -> list[str]:
            return [one.agent for one in tx.intents.overlapping(resources)]

        assert found("a/b.py", "a/c.py") == ["ann", "bob"]
        assert found("a/b.py::C") == ["ann", "bob"]
        assert found("/") == ["ann", "bob", "cy"]
        assert found("res:a/") == ["dan"]
        ended = tx.intents.get(1)
        assert ended is not None
        tx.intents.put(replace(ended, state=IntentState.CLEARED))
        assert found("a/b.py", "e") == ["bob"]
        assert [one.agent for one in tx.intents.open("S")] == ["bob", "cy", "dan"]
        assert (tx.intents.count("S"), tx.intents.count("T"), tx.intents.open("T")) == (3, 0, [])
        assert tx.intents.of_agent("ann") is None
        assert tx.intents.get(1) is not None


def test_an_agent_has_one_open_intent(store: Store) -> None:
    """The store itself holds it, whatever a verb forgets; after the end of the first there may be another."""
    with store.transaction() as tx:
        first = tx.intents.add(intent("ann", "a"))
        tx.intents.put(replace(first, state=IntentState.EXPIRED))
        tx.intents.add(intent("ann", "a"))
    with pytest.raises((apsw.ConstraintError, psycopg.IntegrityError)), store.transaction() as tx:
        tx.intents.add(intent("ann", "b"))


def test_a_proposal_comes_back_as_it_was_written(store: Store) -> None:
    """Every field survives; decided ones are left out where only undecided ones are asked for."""
    made = Partition(
        session="S",
        file="a.py",
        parties=("ann", "bob"),
        scopes={"ann": ("a.py::f",), "bob": ("a.py::g", "a.py::h")},
        waits={"bob": ("a.py::f",)},
        accepted=("bob",),
        requests={"bob": (4, 5)},
        boot_id="boot",
        deadline_s=9.5,
        proposed_at="now",
        deadline_at="then",
    )
    with store.transaction() as tx:
        number = tx.partitions.add(made)
        assert tx.partitions.get(number) == replace(made, id=number)
        assert tx.partitions.get(77) is None
        decided = replace(made, id=number, state=PartitionState.ACCEPTED, ended_at="end", why="all agreed")
        other = tx.partitions.add(made)
        tx.partitions.put(decided)
        assert tx.partitions.all("S") == [decided, replace(made, id=other)]
        assert [one.id for one in tx.partitions.all("S", undecided=True)] == [other]
        assert tx.partitions.all("T") == []
