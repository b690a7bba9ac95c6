"""Retention: the log keeps at most ``logging.max_entries``, and whatever open work needs beyond them.

Which entries may go is found by reading, without the gate; they are removed in small transactions, each of which looks
once more whether one of them is needed by now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.conflicts.records import Status
from pucs.coordinator.context import Context, unit
from pucs.crosslog.records import Level
from pucs.crosslog.retention import BATCH, LANDED, PAGE, REMOVED_MAX, References, references
from pucs.locks.records import LeaseState
from pucs.messages.handoffs import HandOffState
from pucs.tasks.records import TaskState

if TYPE_CHECKING:
    from pucs.coordinator.ports import Transaction
    from pucs.crosslog.records import Entry

_UNDONE = frozenset({TaskState.PENDING, TaskState.RUNNING})


def trim(context: Context) -> int:
    """Remove the oldest entries beyond ``logging.max_entries`` that nothing open needs, and return how many.

    At most ``REMOVED_MAX`` in one call, in transactions of ``BATCH``. 0 entries as the limit means no limit.
    """
    removed = 0
    candidates = _candidates(context)
    for start in range(0, len(candidates), BATCH):
        with context.store.transaction() as tx:
            needed = _Needed(tx, again=True)
            going = [entry for entry in candidates[start : start + BATCH] if not needed.by_open_work(entry)]
            tx.entries.remove(going)
        removed += len(going)
    if removed:
        with unit(context) as opened:
            opened.log("log trimmed", level=Level.DEBUG, removed=removed, up_to=candidates[-1].seq)
    return removed


def _candidates(context: Context) -> list[Entry]:
    """Return the oldest entries that may go, as many as are too many."""
    found: list[Entry] = []
    with context.store.read() as tx:
        limit = tx.sessions.configuration().logging_max_entries
        excess = min(tx.entries.count() - limit, REMOVED_MAX) if limit else 0
        if excess <= 0:
            return []
        needed = _Needed(tx)
        seen = 0
        while len(found) < excess:
            page = tx.entries.oldest(seen, PAGE)
            if not page:
                break
            seen = page[-1].seq
            found += [entry for entry in page if not needed.by_open_work(entry)]
    return found[:excess]


class _Needed:
    """Answers, within one transaction, what is still open; each question is one search by key.

    ``again`` spares what does not open again once it has ended: leases, of which one entry may name ten thousand,
    intents, hand-offs and messages.
    """

    def __init__(self, tx: Transaction, *, again: bool = False) -> None:
        self._tx = tx
        self._again = again
        active = tx.sessions.active()
        self._active = active.id if active is not None else None
        self._at_work = {intention.agent for intention in tx.intentions.all()}

    def by_open_work(self, entry: Entry) -> bool:
        """Tell whether an entry must stay."""
        if entry.action == LANDED and entry.session == self._active:
            return True
        if entry.agent and entry.agent in self._at_work:
            return True
        spoken = references(entry)
        return spoken != References() and self._open(entry.session, spoken)

    def _open(self, session: str, spoken: References) -> bool:
        return self._undecided(session, spoken) or (not self._again and self._unended(spoken))

    def _undecided(self, session: str, spoken: References) -> bool:
        """Tell whether a conflict or a task is open, which may happen anew."""
        conflicts = (self._tx.conflicts.get(number) for number in spoken.conflicts)
        if any(conflict is not None and conflict.status is Status.OPEN for conflict in conflicts):
            return True
        tasks = (self._tx.tasks.get(session, task) for task in spoken.tasks)
        return any(task is not None and task.state in _UNDONE for task in tasks)

    def _unended(self, spoken: References) -> bool:
        """Tell whether something has not ended yet that ends but once."""
        tx = self._tx
        if any(lease.state is not LeaseState.ENDED for lease in tx.leases.by_tokens(spoken.tokens)):
            return True
        intents = (tx.intents.get(number) for number in spoken.intents)
        if any(intent is not None and intent.open for intent in intents):
            return True
        handoffs = (tx.handoffs.get(number) for number in spoken.handoffs)
        if any(handoff is not None and handoff.state is HandOffState.OPEN for handoff in handoffs):
            return True
        messages = (tx.messages.get(number) for number in spoken.messages)
        return any(message is not None and message.ending is None for message in messages)
