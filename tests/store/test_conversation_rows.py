"""Conversations, secrets and sights, on every store there is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pucs.agents.records import Conversation

if TYPE_CHECKING:
    from pucs.coordinator.ports import Store

CONVERSATION = Conversation(
    program="claude",
    id="c1",
    session="S",
    agent="ann",
    place="/home/ann",
    refusals=1,
    denied=("a\\012b.py", "c.py"),
    briefings=2,
    begun_at="2025-12-06T10:00:00.000Z",
)


def test_a_conversation_comes_back_as_it_was_written(store: Store) -> None:
    """It is one of a program and a session, and overwritten whole."""
    with store.transaction() as tx:
        tx.conversations.put(CONVERSATION)
        tx.conversations.put(replace(CONVERSATION, id="c0"))
        tx.conversations.put(replace(CONVERSATION, session="T", denied=()))
    with store.transaction() as tx:
        assert tx.conversations.get("claude", "c1", "S") == CONVERSATION
        assert tx.conversations.get("codex", "c1", "S") is None
        assert [(one.id, one.session) for one in tx.conversations.of_agent("ann")] == [
            ("c0", "S"),
            ("c1", "S"),
            ("c1", "T"),
        ]
        tx.conversations.put(replace(CONVERSATION, denied=(), refusals=0))
        assert tx.conversations.get("claude", "c1", "S") == replace(CONVERSATION, denied=(), refusals=0)


def test_a_secret_is_found_by_agent_and_by_digest(store: Store) -> None:
    """A new one takes the place of the old one, an empty one of any."""
    with store.transaction() as tx:
        tx.secrets.put("ann", "one")
        tx.secrets.put("ann", "two")
        assert (tx.secrets.digest("ann"), tx.secrets.agent("two"), tx.secrets.agent("one")) == (
            "two",
            "ann",
            "",
        )
        tx.secrets.put("ann", "")
        assert (tx.secrets.digest("ann"), tx.secrets.agent("two")) == ("", "")


def test_what_was_seen_and_under_which_lease_do_not_overwrite_each_other(store: Store) -> None:
    """A file may be known by either alone; forgetting takes both."""
    with store.transaction() as tx:
        tx.sights.base("ann", "a.py", 7)
        assert (tx.sights.get("ann", "a.py"), tx.sights.based("ann", "a.py")) == ("", 7)
        tx.sights.put("ann", "a.py", "x")
        tx.sights.base("ann", "a.py", 9)
        tx.sights.put("ann", "b.py", "y")
        tx.sights.put("bob", "a.py", "z")
        assert (tx.sights.get("ann", "a.py"), tx.sights.based("ann", "a.py")) == ("x", 9)
        assert (tx.sights.get("ann", "b.py"), tx.sights.based("ann", "b.py")) == ("y", 0)
        tx.sights.forget("ann", ["a.py"])
        assert (tx.sights.get("ann", "a.py"), tx.sights.based("ann", "a.py")) == ("", 0)
        assert tx.sights.get("ann", "b.py") == "y"
        tx.sights.forget("ann")
        assert (tx.sights.get("ann", "b.py"), tx.sights.get("bob", "a.py")) == ("", "z")


def test_what_an_agent_was_refused_is_remembered_once_and_forgotten(store: Store) -> None:
    """By agent, sorted, whatever it was told how often; some of it or all of it is forgotten."""
    with store.transaction() as tx:
        tx.refusals.add("ann", ["b.py", "a.py"])
        tx.refusals.add("ann", ["a.py", "c.py"])
        tx.refusals.add("bob", ["a.py"])
        assert tx.refusals.of_agent("ann") == ["a.py", "b.py", "c.py"]
        tx.refusals.forget("ann", ["b.py", "z.py"])
        assert tx.refusals.of_agent("ann") == ["a.py", "c.py"]
        tx.refusals.forget("ann")
        assert (tx.refusals.of_agent("ann"), tx.refusals.of_agent("bob")) == ([], ["a.py"])
