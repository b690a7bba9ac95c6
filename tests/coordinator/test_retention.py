"""The log within its limit: the oldest go, and nothing that open work needs."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pucs.conflicts.records import Kind
from pucs.coordinator import agents, intents, leases, retention, tasks
from pucs.coordinator.conflicts import decide_in, record
from pucs.coordinator.context import Context, unit
from pucs.coordinator.log import log
from pucs.coordinator.messages import send_in
from pucs.coordinator.records import Intention
from pucs.coordinator.retention import trim
from pucs.crosslog.records import Level, Query
from pucs.messages.handoffs import HandOff, HandOffState
from pucs.messages.records import MessageKind
from pucs.streams.records import Session, SessionState
from pucs.streams.settings import Configuration
from pucs.tasks.records import Task, TaskState
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Kept

LIMIT = 20
SESSION = Session(id="S", state=SessionState.ACTIVE, base="b", target="", branch="s", started_at="")


@pytest.fixture
def context(kept: Kept) -> Context:
    """Return a session whose log may hold few entries."""
    clock = FakeClock()
    made = Context(
        store=kept(clock),
        clock=clock,
        processes=FakeProcesses(),
        bells=FakeBells(),
        git=cast("Any", None),
        door="test",
    )
    with made.store.transaction() as tx:
        tx.sessions.put(SESSION)
        tx.sessions.put_configuration(Configuration(logging_max_entries=LIMIT))
    return made


def chatter(context: Context, count: int = 60) -> None:
    """Let PUCS say things that nobody needs."""
    with unit(context) as opened:
        for number in range(count):
            opened.log(f"chatter {number}", level=Level.DEBUG, files=("a.py", f"{number}.py"))


def actions(context: Context, **query: Any) -> list[str]:
    with context.store.read() as tx:
        return [entry.action for entry in tx.entries.select(Query(limit=100_000, **query))]


def left(context: Context) -> list[str]:
    """Return what is left besides chatter, after much of it has pushed everything else out."""
    chatter(context)
    trim(context)
    return [
        action for action in actions(context) if not action.startswith("chatter") and action != "log trimmed"
    ]


def test_the_oldest_go_beyond_the_limit(context: Context) -> None:
    """As many as are too many, their files with them; the trim itself is an entry."""
    chatter(context)
    assert trim(context) == 40
    assert actions(context) == [*(f"chatter {number}" for number in range(40, 60)), "log trimmed"]
    assert actions(context, file="a.py") == [f"chatter {number}" for number in range(40, 60)]
    assert actions(context, file="0.py") == []
    assert trim(context) == 1


def test_no_limit_and_enough_room_remove_nothing(context: Context) -> None:
    """0 means all, and a log within its limit is left alone."""
    chatter(context, LIMIT)
    assert trim(context) == 0
    chatter(context)
    with context.store.transaction() as tx:
        tx.sessions.put_configuration(Configuration(logging_max_entries=0))
    assert trim(context) == 0
    assert len(actions(context)) == LIMIT + 60


def test_new_entries_are_numbered_on(context: Context) -> None:
    """A number is never given twice, so that whoever follows the log misses nothing."""
    chatter(context)
    trim(context)
    with context.store.transaction() as tx:
        before = tx.entries.select(Query(limit=1))[0].seq
        assert tx.entries.add(replace(tx.entries.select(Query(limit=1))[0], seq=0)) == before + 1


def test_live_leases_keep_their_grants(context: Context) -> None:
    """As long as a lease lives its entries stay; once it is over they go."""
    leases.acquire(context, agent="ann", resources=("a.py",))
    assert "lock granted" in left(context)
    leases.release(context, agent="ann")
    assert "lock granted" not in left(context)


def test_open_conflicts_keep_theirs(context: Context) -> None:
    """A record that waits for a decision keeps what led to it."""
    with unit(context) as opened:
        number = record(opened, Kind.SEMANTIC, ("ann",), ("a.py",))
        opened.log("landing conflicts", agent="ann", conflict=number)
    assert left(context) == ["landing conflicts"]
    with unit(context) as opened:
        decide_in(opened, number, "settled")
    assert "landing conflicts" not in left(context)


def test_tasks_that_are_not_done_keep_theirs(context: Context) -> None:
    """Pending and running ones; also one that was done and is begun again."""
    task = Task(id="T-1", title="t", stream="", session="S")
    with unit(context) as opened:
        opened.tx.tasks.put(task)
        opened.log("task started", task="T-1")
    assert left(context) == ["task started"]
    with unit(context) as opened:
        opened.tx.tasks.put(replace(task, state=TaskState.DONE))
    assert left(context) == []


def test_open_messages_keep_theirs(context: Context) -> None:
    """What nobody has acknowledged yet can still be traced to its sender."""
    agents.register(context, agent="ann")
    agents.register(context, agent="bob")
    with unit(context) as opened:
        send_in(opened, MessageKind.REQUEST_HELP, "bob", sender="ann", text="help")
    assert "message sent" in left(context)


def test_open_plans_keep_theirs(context: Context) -> None:
    """What an agent means to do stays with the plan, and goes with it."""
    agents.register(context, agent="ann")
    intents.signal(context, agent="ann", files=["a.py"], description="VAT")
    assert "intent signaled" in left(context)
    intents.clear(context, agent="ann")
    assert "intent signaled" not in left(context)


def test_a_log_in_which_all_is_needed_stays_whole(context: Context) -> None:
    """Though it is longer than it should be: the limit bounds what nobody needs."""
    with unit(context) as opened:
        for number in range(LIMIT + 10):
            opened.log("landed", agent="ann", level=Level.CHANGE, landing=number)
    assert trim(context) == 0
    assert len(actions(context)) == LIMIT + 10


def test_open_handoffs_keep_theirs(context: Context) -> None:
    """Until somebody has taken the work, how it was left can be read."""
    handoff = HandOff(session="S", giver="ann")
    with unit(context) as opened:
        number = opened.tx.handoffs.add(handoff)
        opened.log("handed over", agent="ann", handoff=number)
    assert left(context) == ["handed over"]
    with unit(context) as opened:
        opened.tx.handoffs.put(replace(handoff, id=number, state=HandOffState.CLOSED))
    assert left(context) == []


def test_unfinished_intentions_keep_what_their_agent_did(context: Context) -> None:
    """Whoever completes a dead agent's landing can read how it came to it."""
    intention = Intention(
        id=0,
        verb="land",
        session="S",
        agent="ann",
        owner=FakeProcesses.process(7),
        ref="refs/heads/x",
        old="",
        new="",
        payload={},
        begun_at="",
    )
    with unit(context) as opened:
        number = opened.tx.intentions.add(intention)
        opened.log("worktree ready", agent="ann")
    assert left(context) == ["worktree ready"]
    with unit(context) as opened:
        opened.tx.intentions.remove(number)
    assert left(context) == []


def test_landings_stay_while_their_session_goes_on(context: Context) -> None:
    """The story of the session is told from them; afterwards they are history."""
    with unit(context) as opened:
        opened.log("landed", agent="ann", level=Level.CHANGE)
    assert left(context) == ["landed"]
    with context.store.transaction() as tx:
        tx.sessions.put(replace(SESSION, state=SessionState.FINALIZED))
    assert left(context) == []


def test_an_agents_words_are_kept_no_longer_for_their_details(context: Context) -> None:
    """Details of any type in the places of numbers keep nothing and break nothing."""
    log(
        context,
        agent="ann",
        action="odd",
        details={"tokens": "all", "conflict": [None], "task": ["T-1"], "to": {}},
    )
    assert "odd" not in left(context)


def test_removal_goes_in_small_transactions(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """No transaction removes more than a batch, and one call no more than its share."""
    monkeypatch.setattr(retention, "REMOVED_MAX", 130)
    chatter(context, 400)
    counts: list[int] = []
    store = context.store
    begin = store.transaction

    @contextmanager
    def counted(**options: Any) -> Iterator[Any]:
        with begin(**options) as tx:
            before = tx.entries.count()
            yield tx
            counts.append(before - tx.entries.count())

    monkeypatch.setattr(store, "transaction", counted)
    assert trim(context) == 130
    assert counts == [50, 50, 30, -1]


def test_what_is_needed_by_the_time_of_removal_stays(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that is begun again between the look and the removal keeps its entries."""
    done = Task(id="T-1", title="t", stream="", session="S", state=TaskState.DONE)
    with unit(context) as opened:
        opened.tx.tasks.put(done)
        opened.log("task started", task="T-1")
    chatter(context)
    look = retention._candidates

    def then_begun_again(given: Context) -> Any:
        found = look(given)
        with given.store.transaction() as tx:
            tx.tasks.put(replace(done, state=TaskState.RUNNING))
        return found

    monkeypatch.setattr(retention, "_candidates", then_begun_again)
    assert trim(context) == 40
    assert actions(context)[0] == "task started"
    assert tasks.tasks(context)[0].state is TaskState.RUNNING
