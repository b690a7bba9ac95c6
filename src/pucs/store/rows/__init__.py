"""Rows: records in and out of tables, in SQL that both drivers understand."""

from __future__ import annotations

from functools import cached_property
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
    from pucs.store.rows.database import Database
    from pucs.store.rows.handoffs import HandOffRows
    from pucs.store.rows.intents import IntentRows, PartitionRows
    from pucs.store.rows.landings import IntentionRows, LandingRows
    from pucs.store.rows.messages import MessageRows
    from pucs.store.rows.tasks import TaskRows
    from pucs.store.rows.test_runs import TestRunRows
    from pucs.store.rows.waivers import WaiverRows

__all__ = ["Remembered", "Rows"]


class Rows:
    """One open transaction: implements ``coordinator.ports.Transaction``.

    What every lease verb needs is there at once; the other tables are loaded by the first who asks for them, because a
    transaction takes less time than loading all of them.
    """

    def __init__(self, database: Database, tokens: Callable[[int], int], remembered: Remembered) -> None:
        """Bind the rows of every room to one connection."""
        self.leases = LeaseRows(database)
        self.requests = RequestRows(database)
        self.entries = EntryRows(database)
        self.agents = AgentRows(database)
        self.sessions = SessionRows(database, remembered)
        self._database = database
        self._tokens = tokens

    def _rows(self, module: str, name: str) -> Any:
        return getattr(import_module(f"pucs.store.rows.{module}"), name)(self._database)

    @cached_property
    def conflicts(self) -> ConflictRows:
        """See ``coordinator.tables.ConflictRows``."""
        rows: ConflictRows = self._rows("conflicts", "ConflictRows")
        return rows

    @cached_property
    def waivers(self) -> WaiverRows:
        """See ``coordinator.tables.WaiverRows``."""
        rows: WaiverRows = self._rows("waivers", "WaiverRows")
        return rows

    @cached_property
    def tasks(self) -> TaskRows:
        """See ``coordinator.tables.TaskRows``."""
        rows: TaskRows = self._rows("tasks", "TaskRows")
        return rows

    @cached_property
    def landings(self) -> LandingRows:
        """See ``coordinator.tables.LandingRows``."""
        rows: LandingRows = self._rows("landings", "LandingRows")
        return rows

    @cached_property
    def intentions(self) -> IntentionRows:
        """See ``coordinator.tables.IntentionRows``."""
        rows: IntentionRows = self._rows("landings", "IntentionRows")
        return rows

    @cached_property
    def intents(self) -> IntentRows:
        """See ``coordinator.tables.IntentRows``."""
        rows: IntentRows = self._rows("intents", "IntentRows")
        return rows

    @cached_property
    def partitions(self) -> PartitionRows:
        """See ``coordinator.tables.PartitionRows``."""
        rows: PartitionRows = self._rows("intents", "PartitionRows")
        return rows

    @cached_property
    def messages(self) -> MessageRows:
        """See ``coordinator.tables.MessageRows``."""
        rows: MessageRows = self._rows("messages", "MessageRows")
        return rows

    @cached_property
    def handoffs(self) -> HandOffRows:
        """See ``coordinator.tables.HandOffRows``."""
        rows: HandOffRows = self._rows("handoffs", "HandOffRows")
        return rows

    @cached_property
    def test_runs(self) -> TestRunRows:
        """See ``coordinator.tables.TestRunRows``."""
        rows: TestRunRows = self._rows("test_runs", "TestRunRows")
        return rows

    def tokens(self, count: int) -> int:
        """Take ``count`` consecutive fencing tokens and return the first."""
        return self._tokens(count)
