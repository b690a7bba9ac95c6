"""What is written down about launched programs: their start, their sleep, their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pucs.agents.records import Agent, Enforcement
from pucs.coordinator import launching, turns
from pucs.coordinator.agents import register
from pucs.coordinator.context import Context
from pucs.coordinator.conversations import enforced
from pucs.coordinator.leases import acquire, release
from pucs.coordinator.log import entries
from pucs.coordinator.pausing import terminate
from pucs.core.errors import Terminated
from pucs.crosslog.records import Query
from pucs.streams.records import Session, SessionState
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from tests.conftest import Kept


@pytest.fixture
def context(kept: Kept) -> Context:
    """A session with two launched agents."""
    clock, processes = FakeClock(), FakeProcesses()
    made = Context(
        store=kept(clock),
        clock=clock,
        processes=processes,
        bells=FakeBells(),
        git=cast("Any", None),
        door="test",
    )
    with made.store.transaction() as tx:
        tx.sessions.put(
            Session(id="S", state=SessionState.ACTIVE, base="b" * 40, target="", branch="s", started_at="")
        )
    for name in ("ann", "bob"):
        register(made, agent=name, owner=processes.current())
    return made


def agent(context: Context, name: str = "ann") -> Agent:
    """Return an agent as it stands."""
    with context.store.read() as tx:
        found = tx.agents.get(name)
    assert found
    return found


def test_each_launch_earns_its_level_anew(context: Context) -> None:
    """A hook that called in once proves nothing about the next process; each change has its entry."""
    launching.started(context, agent="ann", program="claude")
    assert (agent(context).program, agent(context).enforcement) == ("claude", Enforcement.CHECKED)
    enforced(context, agent="ann")
    launching.started(context, agent="ann", program="claude", conversation="c-1")
    assert agent(context).enforcement is Enforcement.CHECKED
    enforced(context, agent="ann")
    launching.ended(context, agent="ann")
    launching.ended(context, agent="ann")
    launching.ended(context, agent="nobody")
    assert (agent(context).program, agent(context).enforcement) == ("command", Enforcement.CHECKED)
    said = [entry.action for entry in entries(context, Query(agent="ann"))]
    assert [said.count(action) for action in ("program started", "program ended")] == [2, 1]


def test_sleep_and_waking_are_logged(context: Context) -> None:
    """Who waits without a process, for what and how long, is in the log."""
    launching.suspended(context, agent="ann", resources=("a.py",))
    launching.resumed(context, agent="ann", resources=("a.py",), waited_s=1.23456)
    found = {entry.action: entry for entry in entries(context, Query(agent="ann"))}
    assert found["agent suspended"].files == found["agent resumed"].files == ("a.py",)
    assert found["agent resumed"].details["waited_s"] == 1.235
    terminate(context, agent="ann", by="me")
    with pytest.raises(Terminated):
        launching.started(context, agent="ann", program="claude")


def test_who_waits_for_what_an_agent_holds(context: Context) -> None:
    """Overlapping requests of others count, one's own and those for other files do not."""
    assert acquire(context, agent="ann", resources=("shop/",)).granted
    assert acquire(context, agent="bob", resources=("lib/b.py",)).granted
    assert launching.wanted_by_others(context, agent="ann") == ()
    turns.line_up(context, agent="bob", resources=("shop/a.py",))
    turns.line_up(context, agent="ann", resources=("lib/",))
    assert launching.wanted_by_others(context, agent="ann") == ("bob",)


def test_refused_in_a_circle_until_it_is_had(context: Context) -> None:
    """What was refused counts until it is granted, or until the program is started again."""
    assert acquire(context, agent="ann", resources=("a.py",)).granted
    assert acquire(context, agent="bob", resources=("b.py",)).granted
    launching.started(context, agent="bob", program="claude")
    assert turns.line_up(context, agent="ann", resources=("b.py",)).queue_position
    assert not turns.line_up(context, agent="bob", resources=("a.py",)).queue_position
    assert launching.refused_in_circles(context, agent="bob") == ("a.py",)
    assert launching.refused_in_circles(context, agent="ann") == ()
    release(context, agent="ann")
    turns.leave(context, agent="ann")
    assert turns.line_up(context, agent="bob", resources=("a.py",)).granted
    assert launching.refused_in_circles(context, agent="bob") == ()
    launching.started(context, agent="bob", program="claude", conversation="c")
    assert launching.refused_in_circles(context, agent="bob") == ()
