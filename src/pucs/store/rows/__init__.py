"""Rows: records in and out of tables, in SQL that both drivers understand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.store.rows.agents import AgentRows
from pucs.store.rows.conflicts import ConflictRows
from pucs.store.rows.entries import EntryRows
from pucs.store.rows.handoffs import HandOffRows
from pucs.store.rows.intents import IntentRows, PartitionRows
from pucs.store.rows.landings import IntentionRows, LandingRows
from pucs.store.rows.leases import LeaseRows
from pucs.store.rows.messages import MessageRows
from pucs.store.rows.requests import RequestRows
from pucs.store.rows.sessions import Remembered, SessionRows
from pucs.store.rows.tasks import TaskRows
from pucs.store.rows.test_runs import TestRunRows
from pucs.store.rows.waivers import WaiverRows

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.store.rows.database import Database

__all__ = ["Remembered", "Rows"]


class Rows:
    """One open transaction: implements ``coordinator.ports.Transaction``."""

    def __init__(self, database: Database, tokens: Callable[[int], int], remembered: Remembered) -> None:
        """Bind the rows of every room to one connection."""
        self.leases = LeaseRows(database)
        self.requests = RequestRows(database)
        self.entries = EntryRows(database)
        self.agents = AgentRows(database)
        self.sessions = SessionRows(database, remembered)
        self.conflicts = ConflictRows(database)
        self.waivers = WaiverRows(database)
        self.tasks = TaskRows(database)
        self.landings = LandingRows(database)
        self.intentions = IntentionRows(database)
        self.intents = IntentRows(database)
        self.partitions = PartitionRows(database)
        self.messages = MessageRows(database)
        self.handoffs = HandOffRows(database)
        self.test_runs = TestRunRows(database)
        self._tokens = tokens

    def tokens(self, count: int) -> int:
        """Take ``count`` consecutive fencing tokens and return the first."""
        return self._tokens(count)
