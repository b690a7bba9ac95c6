"""Turns: suspended agents keep their place in the queue without a process, are told, and claim in minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pucs.conflicts.records import Kind, Status
from pucs.coordinator import turns
from pucs.coordinator.agents import register, retire
from pucs.coordinator.asking import AWAITED_MAX
from pucs.coordinator.conflicts import conflicts
from pucs.coordinator.context import Context
from pucs.coordinator.inspecting import locks, queue, why
from pucs.coordinator.leases import acquire, cleanup, release
from pucs.coordinator.log import entries
from pucs.coordinator.messages import inbox
from pucs.coordinator.pausing import pause, resume, terminate
from pucs.coordinator.releasing import give_up
from pucs.coordinator.status import agents_document, status
from pucs.core.errors import Refused
from pucs.crosslog.records import Query
from pucs.locks.records import LeaseState
from pucs.messages.records import MessageKind
from pucs.streams.records import Session, SessionState
from pucs.streams.settings import Configuration, Limits
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.coordinator.answering import Acquired
    from pucs.core.processes import Process
    from pucs.messages.records import Message
    from tests.conftest import Kept


class World:
    """Launched agents with a keeper each, and one that nobody minds."""

    def __init__(self, kept: Kept) -> None:
        self.clock, self.processes, self.bells = FakeClock(), FakeProcesses(), FakeBells()
        self.context = Context(
            store=kept(self.clock),
            clock=self.clock,
            processes=self.processes,
            bells=self.bells,
            git=cast("Any", None),
            door="test",
        )
        with self.context.store.transaction() as tx:
            tx.sessions.put(
                Session(
                    id="S", state=SessionState.ACTIVE, base="b" * 40, target="", branch="s", started_at=""
                )
            )
            limits = Limits(default_duration_s=600.0, queue_timeout_s=1200.0, claim_ttl_s=2.0)
            tx.sessions.put_configuration(Configuration(limits=limits))
        self.keepers = {name: self.launch(name, pid) for pid, name in enumerate(("ann", "bob", "cyd"), 10)}
        register(self.context, agent="pat", program="claude")

    def launch(self, agent: str, pid: int) -> Process:
        """Register an agent under a keeper of its own."""
        keeper = self.processes.process(pid)
        register(self.context, agent=agent, owner=keeper)
        return keeper

    def edit(self, agent: str, *names: str, task: str = "") -> Acquired:
        """Do what a hook does before an edit."""
        return turns.line_up(self.context, agent=agent, resources=names, task=task)

    def wait(self, agent: str, wait_s: float = 100.0) -> Acquired | None:
        """Do what a supervisor does for a suspended agent."""
        return turns.wait(self.context, agent=agent, wait_s=wait_s)

    def awaited(self, agent: str) -> tuple[str, ...]:
        """Return what an agent is in the queue for."""
        return turns.awaited(self.context, agent=agent)

    def free(self, agent: str, *names: str) -> None:
        """Let an agent give something up."""
        release(self.context, agent=agent, resources=names)

    def held(self) -> dict[str, str]:
        """Return who has what, without what is only reserved."""
        return {one.resource: one.agent for one in locks(self.context) if one.state is LeaseState.HELD}

    def told(self, agent: str) -> list[Message]:
        """Return what an agent is told about its waits."""
        kinds = {MessageKind.LOCK_GRANTED, MessageKind.LOCK_DENIED}
        return [one for one in inbox(self.context, agent=agent, acknowledge=True) if one.kind in kinds]

    def while_asleep(self, *steps: Callable[[], None]) -> None:
        """Let these happen one at each sleep; after them time passes."""
        left = list(steps)

        def during(timeout_s: float) -> None:
            if left:
                left.pop(0)()
            else:
                self.clock.pass_s(timeout_s)

        self.bells.during = during


@pytest.fixture
def world(kept: Kept) -> World:
    return World(kept)


def test_a_free_file_is_had_at_once(world: World) -> None:
    """Nothing waits, and there is nothing to resume for."""
    assert world.edit("ann", "a.py").granted
    assert world.awaited("ann") == ()
    assert world.held() == {"a.py": "ann"}


def test_a_held_file_is_waited_for_without_a_process(world: World) -> None:
    """The answer says who has it and the place; the request lives as long as the keeper."""
    world.edit("ann", "a.py", task="VAT")
    answer = world.edit("bob", "a.py")
    assert not answer.granted
    assert answer.queue_position == 1
    assert 'a.py is held by ann ("VAT")' in answer.reason
    assert world.awaited("bob") == ("a.py",)
    [request] = queue(world.context)
    assert (request.waiter, request.bell, request.claim_s) == (
        world.keepers["bob"],
        "turn-bob",
        turns.CLAIM_S,
    )


def test_asking_again_keeps_the_place(world: World) -> None:
    """However often an edit is tried again, who came later stays later."""
    world.edit("ann", "a.py")
    world.edit("bob", "a.py")
    assert world.edit("cyd", "a.py").queue_position == 2
    again = world.edit("bob", "a.py")
    assert (again.queue_position, "held by ann" in again.reason) == (1, True)
    assert [request.agent for request in queue(world.context)] == ["bob", "cyd"]
    assert len(conflicts(world.context)) == 2


def test_a_turn_is_told_and_claimed_by_the_next_edit(world: World) -> None:
    """The release reserves for minutes; the agent is told with its next call, and its edit takes the lease."""
    world.edit("ann", "a.py")
    world.edit("bob", "a.py")
    world.free("ann", "a.py")
    assert world.bells.rung == ["turn-bob"]
    assert turns.CLAIM_S > 100, "a program has to start first"
    world.clock.pass_s(turns.CLAIM_S - 1)
    [message] = world.told("bob")
    assert message.kind is MessageKind.LOCK_GRANTED
    assert "your turn for a.py" in message.text
    assert world.awaited("bob") == ("a.py",)
    assert world.edit("bob", "a.py").granted
    assert world.held() == {"a.py": "bob"}
    assert world.awaited("bob") == ()
    assert [conflict.status for conflict in conflicts(world.context)] == [Status.RESOLVED]


def test_asking_by_any_verb_claims_what_is_reserved(world: World) -> None:
    """An agent that asks with the tool instead of editing has one lease afterwards, not two."""
    world.edit("ann", "a.py")
    world.edit("bob", "a.py")
    world.free("ann", "a.py")
    answer = acquire(world.context, agent="bob", resources=["a.py"])
    assert answer.granted
    assert [lease.token for lease in locks(world.context)] == [answer.tokens["a.py"]]


def test_a_supervisor_sleeps_until_the_turn_and_claims(world: World) -> None:
    """The wait is one sleep on the agent's bell; nothing is polled."""
    world.edit("ann", "a.py")
    world.edit("bob", "a.py", task="T-2")
    world.while_asleep(lambda: world.free("ann", "a.py"))
    answer = world.wait("bob")
    assert answer is not None
    assert answer.granted
    assert list(answer.tokens) == ["a.py"]
    assert world.held() == {"a.py": "bob"}
    assert world.told("bob") == [], "what it has needs no announcement any more"


def test_a_holder_whose_lease_runs_out_ends_the_wait(world: World) -> None:
    """Nobody gives anything up: the supervisor itself meets the expired lease."""
    acquire(world.context, agent="pat", resources=["a.py"], duration_s=50.0)
    world.edit("bob", "a.py")
    world.while_asleep()
    answer = world.wait("bob")
    assert answer is not None
    assert answer.granted


def test_a_dead_holder_ends_the_wait(world: World) -> None:
    """The death of a keeper frees what its agent held."""
    world.edit("ann", "a.py")
    world.edit("bob", "a.py")
    world.while_asleep(lambda: world.processes.kill(world.keepers["ann"]))
    answer = world.wait("bob")
    assert answer is not None
    assert answer.granted


def test_a_wait_that_is_over_or_cancelled_keeps_the_place(world: World) -> None:
    """The supervisor looks after something else for a while; the agent stays where it was."""
    world.edit("ann", "a.py")
    world.edit("bob", "a.py")
    world.while_asleep()
    assert world.wait("bob", 5.0) is None
    assert turns.wait(world.context, agent="bob", wait_s=100.0, cancelled=lambda: True) is None
    assert world.awaited("bob") == ("a.py",)


def test_who_waits_for_nothing_does_not_sleep(world: World) -> None:
    """A supervisor that asks without need is answered at once."""
    assert world.wait("ann") is None


def test_a_turn_nobody_claims_passes_on_and_is_told(world: World) -> None:
    """After its minutes the next in line has it, and the late one hears why and may ask again."""
    world.edit("ann", "a.py")
    world.edit("bob", "a.py")
    world.edit("cyd", "a.py")
    world.free("ann", "a.py")
    world.clock.pass_s(turns.CLAIM_S + 1)
    assert world.awaited("bob") == ()
    assert world.edit("cyd", "a.py").granted
    [message] = world.told("bob")
    assert message.kind is MessageKind.LOCK_DENIED
    assert "passed on" in message.text
    assert world.edit("bob", "a.py").queue_position == 1
    assert "lease lapsed" in [entry.action for entry in entries(world.context, Query())]


def test_a_supervisor_that_overslept_is_told_that_it_is_late(world: World) -> None:
    """It hears it as its answer, so that it can line up again instead of sleeping for ever."""
    world.edit("ann", "a.py")
    world.edit("bob", "a.py")

    def too_long() -> None:
        world.free("ann", "a.py")
        world.clock.pass_s(turns.CLAIM_S + 1)
        cleanup(world.context)

    world.while_asleep(too_long)
    answer = world.wait("bob")
    assert answer is not None
    assert (answer.granted, answer.late) == (False, True)


def test_several_sets_are_waited_for_at_once(world: World) -> None:
    """Whichever comes free first is claimed; the other keeps its place."""
    world.edit("ann", "a.py")
    world.edit("cyd", "b.py")
    world.edit("bob", "a.py")
    world.edit("bob", "b.py")
    assert world.awaited("bob") == ("a.py", "b.py")
    world.while_asleep(lambda: world.free("cyd", "b.py"))
    answer = world.wait("bob")
    assert answer is not None
    assert list(answer.tokens) == ["b.py"]
    assert world.awaited("bob") == ("a.py",)


def test_a_set_that_grows_is_had_once(world: World) -> None:
    """Whoever asks for more than it waits for already has two places, and in the end one lease on each file."""
    world.edit("ann", "a.py", "b.py")
    world.edit("bob", "a.py")
    assert world.edit("bob", "a.py", "b.py").queue_position == 1
    world.free("ann", "a.py", "b.py")
    assert world.edit("bob", "a.py", "b.py").granted
    assert sorted(lease.resource for lease in locks(world.context)) == ["a.py", "b.py"]
    assert {conflict.status for conflict in conflicts(world.context)} == {Status.RESOLVED}


def test_a_set_is_claimed_whole_or_not_at_all(world: World) -> None:
    """Nothing of a set is had while a part of it is with somebody else."""
    world.edit("ann", "a.py")
    assert not world.edit("bob", "a.py", "b.py").granted
    assert world.held() == {"a.py": "ann"}
    world.free("ann", "a.py")
    assert world.edit("bob", "b.py").granted
    assert world.held() == {"a.py": "bob", "b.py": "bob"}


def test_too_many_places_are_refused(world: World) -> None:
    """An agent that tries everything in turn does not fill the queue."""
    names = [f"{number}.py" for number in range(AWAITED_MAX + 1)]
    world.edit("ann", *names)
    answers = [world.edit("bob", name) for name in names]
    assert [answer.queue_position for answer in answers] == [1] * AWAITED_MAX + [0]
    assert "in the queue 8 times already" in answers[-1].reason
    assert len(queue(world.context)) == AWAITED_MAX


def test_a_circle_is_refused_in_words(world: World) -> None:
    """Two suspended agents never wait for each other."""
    world.edit("ann", "a.py")
    world.edit("bob", "b.py")
    assert world.edit("ann", "b.py").queue_position == 1
    answer = world.edit("bob", "a.py")
    assert not answer.granted
    assert answer.queue_position == 0
    assert "Nobody in this circle could go on" in answer.reason
    assert world.awaited("bob") == ()


def test_an_agent_nobody_minds_gets_no_place(world: World) -> None:
    """A person's agent could not be resumed: it is told its position, and nothing is reserved for it."""
    world.edit("ann", "a.py")
    answer = world.edit("pat", "a.py")
    assert (answer.granted, answer.queue_position) == (False, 1)
    assert queue(world.context) == []
    world.free("ann", "a.py")
    assert locks(world.context) == []


def test_leaving_gives_back_places_and_reservations(world: World) -> None:
    """What is not needed any more holds nobody up, and nobody is told that it was late."""
    world.edit("ann", "a.py", "b.py")
    world.edit("bob", "a.py")
    world.edit("bob", "b.py")
    world.edit("cyd", "a.py")
    world.free("ann", "a.py")
    turns.leave(world.context, agent="bob")
    turns.leave(world.context, agent="bob")
    assert world.awaited("bob") == ()
    assert world.told("bob") == []
    assert world.edit("cyd", "a.py").granted


def test_giving_something_up_is_not_waiting_for_it_either(world: World) -> None:
    """An agent that found another way is not woken for what it can do without; other places stay."""
    world.edit("ann", "a.py", "b.py", "c.py")
    world.edit("bob", "a.py", "b.py")
    world.edit("bob", "c.py")
    done = give_up(world.context, agent="bob", resources=["b.py"])
    assert (done.resources, done.left) == ((), ("a.py", "b.py"))
    assert world.awaited("bob") == ("c.py",)
    assert give_up(world.context, agent="bob").left == ("c.py",)
    assert give_up(world.context, agent="bob").left == ()


@pytest.mark.parametrize("failed", [False, True])
def test_the_end_of_an_agent_ends_its_waits(world: World, *, failed: bool) -> None:
    """Whoever waited behind it is served in the same transaction."""
    world.edit("ann", "a.py")
    world.edit("bob", "a.py", "b.py")
    world.edit("cyd", "b.py")
    retire(world.context, agent="bob", failed=failed)
    assert [request.agent for request in queue(world.context)] == []
    assert world.edit("cyd", "b.py").granted


def test_a_new_incarnation_begins_without_places(world: World) -> None:
    """What the one before waited for was its own affair."""
    world.edit("ann", "a.py")
    world.edit("bob", "a.py")
    world.processes.kill(world.keepers["bob"])
    world.launch("bob", 99)
    assert queue(world.context) == []


def test_a_dead_keeper_withdraws_the_wait(world: World) -> None:
    """Nobody waits behind an agent that cannot be resumed."""
    world.edit("ann", "a.py")
    world.edit("bob", "a.py")
    world.processes.kill(world.keepers["bob"])
    world.edit("cyd", "a.py")
    world.free("ann", "a.py")
    assert world.edit("cyd", "a.py").granted


def test_the_queue_timeout_ends_the_wait_with_a_word(world: World) -> None:
    """After the configured time the supervisor is told, and the place is gone."""
    acquire(world.context, agent="pat", resources=["a.py"], duration_s=7200.0)
    world.edit("bob", "a.py")
    world.while_asleep()
    answer = world.wait("bob", 5000.0)
    assert answer is not None
    assert "timed out; a.py is held by pat" in answer.reason
    assert world.awaited("bob") == ()


def test_a_paused_agent_is_passed_over_and_keeps_its_place(world: World) -> None:
    """It gets no new lease; once it is resumed it stands where it stood."""
    world.edit("ann", "a.py")
    world.edit("bob", "a.py")
    world.edit("cyd", "a.py")
    pause(world.context, agent="bob", by="op")
    assert world.edit("bob", "b.py").paused
    world.free("ann", "a.py")
    assert world.edit("cyd", "a.py").granted
    resume(world.context, agent="bob", by="op")
    assert world.edit("bob", "a.py").queue_position == 1
    world.free("cyd", "a.py")
    assert world.edit("bob", "a.py").granted


def test_who_comes_back_to_a_circle_leaves_it(world: World) -> None:
    """While it was paused, one that waits behind it got what it waits for: they would wait for each other for ever."""
    acquire(world.context, agent="pat", resources=["a.py"], duration_s=7200.0)
    world.edit("cyd", "b.py")
    world.edit("bob", "a.py", "b.py")
    world.edit("ann", "a.py")
    world.edit("ann", "b.py")
    pause(world.context, agent="bob", by="op")
    world.free("cyd", "b.py")
    assert world.edit("ann", "b.py").granted
    resume(world.context, agent="bob", by="op")
    assert world.awaited("bob") == ()
    [told] = world.told("bob")
    assert "nobody in this circle could go on: bob waits for b.py held by ann" in told.text
    assert world.awaited("ann") == ("a.py",)


def test_a_waiter_that_died_gives_way_while_one_sleeps(world: World) -> None:
    """The one ahead in the queue is suspended and its keeper dies: who sleeps behind it wakes and has the turn."""
    acquire(world.context, agent="pat", resources=["a.py"], duration_s=7200.0)
    world.edit("bob", "a.py", "b.py")
    world.edit("cyd", "b.py")
    world.while_asleep(lambda: world.processes.kill(world.keepers["bob"]))
    answer = world.wait("cyd")
    assert answer is not None
    assert answer.granted


def test_a_terminated_agent_lines_up_no_more(world: World) -> None:
    """It may not act, and it waits for nothing."""
    world.edit("ann", "a.py")
    world.edit("bob", "a.py")
    terminate(world.context, agent="bob", by="op")
    assert world.awaited("bob") == ()
    with pytest.raises(Refused):
        world.edit("bob", "a.py")


def test_a_suspended_wait_is_shown_where_one_looks(world: World) -> None:
    """At a glance, in the list of agents, and told apart from a wait in which a process sleeps."""
    world.edit("ann", "a.py")
    world.edit("bob", "a.py")
    glance = status(world.context)
    assert (glance["queued"], glance["suspended"]) == (1, 1)
    waits_for = {agent["id"]: agent["waits_for"] for agent in agents_document(world.context)}
    assert waits_for == {"ann": [], "bob": ["a.py"], "cyd": [], "pat": []}
    assert [request.suspended for request in why(world.context, resource="a.py").waiting] == [True]


def test_a_wait_is_on_record_as_a_conflict_over_the_file(world: World) -> None:
    """Contention over one file can be counted whoever waited how."""
    world.edit("ann", "a.py")
    world.edit("bob", "a.py")
    [conflict] = conflicts(world.context)
    assert (conflict.kind, conflict.parties, conflict.evidence["suspended"]) == (
        Kind.FILE_LOCK,
        ("bob", "ann"),
        True,
    )
