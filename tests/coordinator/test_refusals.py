"""What verbs cannot go on from, one after the other: each error says what is missing, on every store alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pucs.agents.calls import Call, Moment
from pucs.coordinator import (
    checks,
    conversations,
    credentials,
    dividing,
    exporting,
    finalizing,
    handoffs,
    intents,
    leases,
    log,
    messages,
    negotiating,
    pausing,
    posting,
    requesting,
    resolving,
    salvaging,
    sessions,
    status,
    tasks,
    verifying,
)
from pucs.coordinator.agents import register, retire
from pucs.coordinator.context import Context
from pucs.core.errors import NotFound, PucsError, Refused, Usage
from pucs.messages import rules
from pucs.messages.handoffs import Contents
from pucs.streams.records import Session, SessionState
from pucs.streams.settings import Configuration
from pucs.tasks.records import Task
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses
from tests.coordinator.test_leases import World

if TYPE_CHECKING:
    from tests.conftest import Kept

Act = Callable[[Context], object]
SESSION = Session(id="S", state=SessionState.ACTIVE, base="b" * 40, target="", branch="s", started_at="")
TOLD = Contents(completed=("x",), test_status="ok")
CALL = Call(moment=Moment.BEFORE, program="claude", conversation="c", cwd="/")


@pytest.fixture
def world(kept: Kept) -> World:
    made = World(kept)
    for name in ("ann", "bob"):
        register(made.context, agent=name)
    return made


@pytest.fixture
def nowhere(kept: Kept) -> Context:
    """Return a store in which no session was ever started."""
    clock = FakeClock()
    return Context(
        store=kept(clock),
        clock=clock,
        processes=FakeProcesses(),
        bells=FakeBells(),
        git=cast("Any", None),
        door="test",
    )


WITHOUT_SESSION: dict[str, Act] = {
    "register": lambda c: register(c, agent="ann"),
    "acquire": lambda c: leases.acquire(c, agent="ann", resources=["a.py"]),
    "signal": lambda c: intents.signal(c, agent="ann", files=["a.py"], description="x"),
    "negotiate": lambda c: negotiating.negotiate(c, file="a.py", agents=["ann", "bob"]),
    "log": lambda c: log.log(c, agent="ann", action="x"),
    "send": lambda c: posting.send(c, agent="ann", to="bob", text="x"),
    "inbox": lambda c: messages.inbox(c, agent="ann"),
    "hand off": lambda c: handoffs.hand_off(c, agent="ann", contents=TOLD, incomplete=True),
    "request": lambda c: requesting.request(c, agent="ann", files=["a.py"], reason="x"),
    "import tasks": lambda c: tasks.import_tasks(c, tasks=[Task(id="T", title="t", stream="")]),
    "apply": lambda c: sessions.apply(c, configuration=Configuration()),
    "a call": lambda c: conversations.identified(c, CALL),
    "a bench": lambda c: salvaging.bench_of(c, "ann"),
    "documents": exporting.documents,
    "finalize": finalizing.finalize,
    "state": status.state,
    "status": status.status,
    "verify": verifying.verify,
}


@pytest.mark.parametrize("act", WITHOUT_SESSION.values(), ids=WITHOUT_SESSION.keys())
def test_before_the_first_session_the_way_to_one_is_told(nowhere: Context, act: Act) -> None:
    """Nothing can be held, said or shown."""
    with pytest.raises(Refused, match=r"[Tt]here is no (active )?session") as caught:
        act(nowhere)
    assert caught.value.remedy == "Start one with: pucs init"


ABSENT: list[tuple[type[PucsError], str, Act]] = [
    (Refused, "no session 'S7'", lambda c: log.log(replace(c, session="S7"), agent="ann", action="x")),
    (NotFound, "no session 'S7'", lambda c: status.state(replace(c, session="S7"))),
    (NotFound, "no agent 'zoe'", lambda c: conversations.enforced(c, agent="zoe")),
    (NotFound, "no agent 'zoe'", lambda c: credentials.remember(c, agent="zoe", secret="x")),
    (NotFound, "no agent 'zoe'", lambda c: pausing.pause(c, agent="zoe", by="ann")),
    (NotFound, "no agent 'zoe'", lambda c: posting.send(c, agent="ann", to="zoe", text="x")),
    (NotFound, "no agent 'zoe'", lambda c: handoffs.hand_off(c, agent="ann", to=["zoe"], contents=TOLD)),
    (NotFound, "no agent 'zoe'", lambda c: messages.inbox(c, agent="zoe")),
    (
        NotFound,
        "no active agent 'zoe'",
        lambda c: negotiating.negotiate(c, file="a.py", agents=["ann", "zoe"]),
    ),
    (NotFound, "no proposal 9", lambda c: dividing.accept(c, agent="ann", proposal=9)),
    (NotFound, "no proposal 9", lambda c: dividing.refuse(c, agent="ann", proposal=9)),
    (NotFound, "no hand-off 9", lambda c: handoffs.accept(c, agent="ann", handoff=9)),
    (NotFound, "no hand-off 9", lambda c: handoffs.close(c, agent="ann", handoff=9)),
    (NotFound, "no hand-off 9", lambda c: handoffs.handoff(c, number=9)),
    (NotFound, "no conflict 9", lambda c: resolving.explained(c, conflict=9)),
    (NotFound, "no conflict 9", lambda c: resolving.resolve(c, conflict=9)),
    (NotFound, "no request for a waiver 9", lambda c: requesting.approve(c, waiver=9, by="pat")),
    (NotFound, "no request for a waiver 9", lambda c: requesting.refuse(c, waiver=9, by="pat")),
    (NotFound, "no message 9", lambda c: messages.acknowledge(c, agent="ann", messages=[9])),
    (NotFound, "no task 'T-9'", lambda c: tasks.finish(c, agent="ann", task="T-9")),
    (NotFound, "no stream 'web'", lambda c: checks.runs(c, stream="web")),
    (
        Usage,
        "no functions to divide",
        lambda c: negotiating.negotiate(c, file="shop/", agents=["ann", "bob"]),
    ),
    (Usage, "no two agents", lambda c: negotiating.negotiate(c, file="a.py")),
    (
        Usage,
        "21 agents are too many",
        lambda c: negotiating.negotiate(c, file="a.py", agents=[f"a{n}" for n in range(21)]),
    ),
]


@pytest.mark.parametrize(
    ("kind", "said", "act"), ABSENT, ids=[f"{n} {said}" for n, (_, said, _) in enumerate(ABSENT)]
)
def test_what_is_not_there_is_named(world: World, kind: type[PucsError], said: str, act: Act) -> None:
    """With what to call to see what there is."""
    with pytest.raises(kind, match=said) as caught:
        act(world.context)
    assert caught.value.remedy


def test_a_receiver_that_has_ended_takes_nothing_over(world: World) -> None:
    """Nobody would come for it."""
    retire(world.context, agent="bob")
    with pytest.raises(Refused, match="Agent bob has ended"):
        handoffs.hand_off(world.context, agent="ann", to=["bob"], contents=TOLD)


def test_what_has_a_limit_is_refused_at_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand-offs that nobody takes, and a broadcast to more than can be meant."""
    monkeypatch.setattr(handoffs, "OPEN_MAX", 1)
    monkeypatch.setattr(rules, "ADDRESSEES_MAX", 0)
    handoffs.hand_off(world.context, agent="ann", to=["bob"], contents=TOLD)
    with pytest.raises(Refused, match="1 hand-offs are open"):
        handoffs.hand_off(world.context, agent="bob", to=["ann"], contents=TOLD)
    with pytest.raises(Refused, match="agents are too many for one message"):
        posting.send(world.context, agent="ann", to="", text="x")


def test_a_task_needs_a_stream_that_there_is(nowhere: Context, world: World) -> None:
    """In a session without any, and in one where none covers its files."""
    task = Task(id="T", title="t", stream="")
    with pytest.raises(Usage, match="no stream covers its files"):
        tasks.import_tasks(world.context, tasks=[task])
    with nowhere.store.transaction() as tx:
        tx.sessions.put(SESSION)
        tx.sessions.put_configuration(Configuration())
    with pytest.raises(Usage, match="the configuration has none"):
        tasks.import_tasks(nowhere, tasks=[task])
