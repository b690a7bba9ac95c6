"""Rows: records in and out of tables, in SQL that both drivers understand."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pucs.store.rows.agents import AgentRows
from pucs.store.rows.entries import EntryRows
from pucs.store.rows.leases import LeaseRows
from pucs.store.rows.requests import RequestRows
from pucs.store.rows.sessions import Remembered, SessionRows

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.store.rows.conflicts import ConflictRows
    from pucs.store.rows.conversations import ConversationRows, RefusalRows, SecretRows, SightRows
    from pucs.store.rows.database import Database
    from pucs.store.rows.handoffs import HandOffRows
    from pucs.store.rows.intents import IntentRows, PartitionRows
    from pucs.store.rows.landings import IntentionRows, LandingRows
    from pucs.store.rows.messages import MessageRows
    from pucs.store.rows.moving import MoveRows
    from pucs.store.rows.tasks import TaskRows
    from pucs.store.rows.test_runs import TestRunRows
    from pucs.store.rows.waivers import WaiverRows

__all__ = ["Remembered", "Rows"]


_HOMES = {
    "conflicts": ("conflicts", "ConflictRows"),
    "waivers": ("waivers", "WaiverRows"),
    "tasks": ("tasks", "TaskRows"),
    "landings": ("landings", "LandingRows"),
    "intentions": ("landings", "IntentionRows"),
    "intents": ("intents", "IntentRows"),
    "partitions": ("intents", "PartitionRows"),
    "messages": ("messages", "MessageRows"),
    "handoffs": ("handoffs", "HandOffRows"),
    "test_runs": ("test_runs", "TestRunRows"),
    "conversations": ("conversations", "ConversationRows"),
    "secrets": ("conversations", "SecretRows"),
    "sights": ("conversations", "SightRows"),
    "refusals": ("conversations", "RefusalRows"),
    "moves": ("moving", "MoveRows"),
}
_MADE: dict[str, Callable[[Database], Any]] = {}
"""Classes of the tables somebody has asked for in this process."""


def _load(name: str) -> Callable[[Database], Any]:
    if name not in _HOMES:
        raise AttributeError(f"a transaction has no {name!r}")
    module, kind = _HOMES[name]
    made: Callable[[Database], Any] = getattr(import_module(f"pucs.store.rows.{module}"), kind)
    _MADE[name] = made
    return made


class Rows:
    """One open transaction: implements ``coordinator.ports.Transaction``.

    What every lease verb needs is there at once; the other tables are loaded by the first who asks for them, because a
    transaction takes less time than loading all of them.
    """

    conflicts: ConflictRows
    waivers: WaiverRows
    tasks: TaskRows
    landings: LandingRows
    intentions: IntentionRows
    intents: IntentRows
    partitions: PartitionRows
    messages: MessageRows
    handoffs: HandOffRows
    test_runs: TestRunRows
    conversations: ConversationRows
    secrets: SecretRows
    sights: SightRows
    refusals: RefusalRows
    moves: MoveRows

    def __init__(self, database: Database, tokens: Callable[[int], int], remembered: Remembered) -> None:
        """Bind the rows of every room to one connection."""
        self.leases = LeaseRows(database)
        self.requests = RequestRows(database)
        self.entries = EntryRows(database)
        self.agents = AgentRows(database)
        self.sessions = SessionRows(database, remembered)
        self._database = database
        self._tokens = tokens

    def __getattr__(self, name: str) -> Any:
        """Make the rows of a table that is asked for the first time in this transaction."""
        make = _MADE.get(name) or _load(name)
        rows = make(self._database)
        setattr(self, name, rows)
        return rows

    def tokens(self, count: int) -> int:
        """Take ``count`` consecutive fencing tokens and return the first."""
        return self._tokens(count)
