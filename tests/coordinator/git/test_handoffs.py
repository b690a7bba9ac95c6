"""Hand-offs over a real repository: leases, worktree and task change hands at once, edits are never lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pucs.agents.records import Phase
from pucs.coordinator import agents, handoffs, landing, leases
from pucs.coordinator.handoffs import accept, close, hand_off, handoff
from pucs.coordinator.leases import release
from pucs.coordinator.log import entries
from pucs.coordinator.messages import inbox
from pucs.coordinator.pausing import pause
from pucs.coordinator.releasing import give_up
from pucs.coordinator.tasks import import_tasks, take
from pucs.core.errors import NotFound, Refused, Terminated, Usage
from pucs.crosslog.records import Query
from pucs.messages.handoffs import Contents, HandOffState
from pucs.messages.records import MessageKind
from pucs.tasks.records import Task

if TYPE_CHECKING:
    from tests.coordinator.git.conftest import World

pytestmark = pytest.mark.git
TOLD = Contents(completed=("half of it",), pending=("the rest",), test_status="not run")


def give(world: World, agent: str = "ann", **more: Any) -> int:
    """Hand over and return the number."""
    return hand_off(world.context, agent=agent, **{"contents": TOLD, **more}).id


def lease_of(world: World, agent: str) -> Any:
    """Return the one lease of an agent."""
    with world.context.store.read() as tx:
        (found,) = tx.leases.of_agent(agent)
    return found


def agent_of(world: World, name: str) -> Any:
    """Return an agent."""
    with world.context.store.read() as tx:
        return tx.agents.get(name)


def test_work_changes_hands_with_lease_worktree_and_unlanded_edits(world: World) -> None:
    """The receiver goes on where the giver stopped, lands it under its own token, and the giver lands nothing more."""
    place = world.agent("ann")
    old = world.lock("ann", "core/a.py")["core/a.py"]
    world.edit("ann", "core/a.py", "a = 2\n")
    agents.register(world.context, agent="bob", stream="core")
    number = give(world, to=["bob"])
    before = lease_of(world, "ann")
    world.clock.pass_s(60)
    done = accept(world.context, agent="bob", handoff=number)
    assert done.not_transferred == ()
    after = lease_of(world, "bob")
    assert after.token == done.tokens["core/a.py"] > old
    assert (after.resource, after.mode, after.limit_s) == (before.resource, before.mode, before.limit_s)
    assert world.held("ann") == []
    assert world.lock("bob", "core/b.py")["core/b.py"] == after.token + 1, "one sequence of tokens"
    bob, ann = agent_of(world, "bob"), agent_of(world, "ann")
    assert (bob.worktree, ann.worktree, ann.branch) == (str(place), "", "")
    world.places["bob"] = place
    world.edit("bob", "core/a.py", "a = 3\n")
    landed = world.land("bob")
    assert landed.paths == ("core/a.py",)
    assert world.text("core", "core/a.py") == "a = 3"
    assert landing.land(world.context, agent="ann").paths == ()  # type: ignore[union-attr]
    actions = [entry.action for entry in entries(world.context, Query(agent="bob"))]
    assert [name for name in actions if "hand" in name] == ["worktree handed over", "hand-off accepted"]


def test_nobody_can_slip_between(world: World) -> None:
    """Who waits for the file goes on waiting: the transfer serves nobody."""
    world.agent("ann")
    world.lock("ann", "core/a.py")
    agents.register(world.context, agent="bob", stream="core")
    agents.register(world.context, agent="cyd", stream="core")
    number = give(world, to=["bob"])
    seen: list[str] = []

    def during(_: float) -> None:
        if not seen:
            accept(world.context, agent="bob", handoff=number)
            seen.extend(world.held("bob"))
        else:
            world.clock.pass_s(10)

    world.context.bells.during = during  # type: ignore[attr-defined]
    answer = leases.acquire(world.context, agent="cyd", resources=["core/a.py"], wait_s=25)
    assert seen == ["core/a.py"]
    assert not answer.granted
    assert "held by bob" in answer.reason


def test_what_is_missing_is_named_and_nothing_recorded(world: World) -> None:
    """Everything at once, after looking in the repository and in the giver's worktree."""
    world.agent("ann")
    world.edit("ann", "core/new.py", "n = 1\n")
    told = Contents(
        completed=("x",),
        commits=("0" * 40,),
        branch="nowhere",
        files_to_review=("core/new.py", "core/gone.py", "core/"),
    )
    with pytest.raises(Refused) as refused:
        give(world, contents=told)
    assert refused.value.fields["missing"] == (
        "the state of the tests is not stated (say so if they were not run)",
        "branch nowhere does not exist",
        f"commit {'0' * 40} does not exist",
        "file core/gone.py does not exist",
    )
    assert "core/gone.py" in str(refused.value)
    assert handoffs.handoffs(world.context) == []
    assert give(world, contents=told, incomplete=True) == 1


def test_what_pucs_knows_is_filled_in(world: World) -> None:
    """Branch, own commits and leased files need not be typed."""
    place = world.agent("ann")
    world.lock("ann", "core/a.py", "core/b.py")
    world.edit("ann", "core/b.py", "b = 2\n")
    world.land("ann", files=["core/b.py"])
    world.edit("ann", "core/a.py", "a = 2\n")
    world.git("commit", "-qam", "wip", at=place)
    told = handoff(world.context, number=give(world)).contents
    assert told.branch == agent_of(world, "ann").branch
    assert world.git("rev-parse", "HEAD", at=place) in told.commits
    assert len(told.commits) >= 2
    assert told.locked_files == ("core/a.py",)


def test_a_receiver_with_work_of_its_own_keeps_its_worktree(world: World) -> None:
    """Its edits are not left behind; it gets the lease and is told which branch to merge."""
    world.agent("ann")
    world.lock("ann", "core/a.py")
    mine = world.agent("bob")
    world.lock("bob", "core/b.py")
    world.edit("bob", "core/b.py", "b = 9\n")
    done = accept(world.context, agent="bob", handoff=give(world, to=["bob"]))
    assert list(done.tokens) == ["core/a.py"]
    assert done.worktree == ""
    assert done.branch == agent_of(world, "ann").branch
    assert "unlanded work in its own" in done.not_transferred[0]
    assert agent_of(world, "bob").worktree == str(mine)
    assert (mine / "core/b.py").read_text() == "b = 9\n"


def test_a_receiver_with_a_clean_worktree_moves_and_leaves_it_on_disk(world: World) -> None:
    """Nothing is removed that anybody had."""
    place = world.agent("ann")
    mine = world.agent("bob")
    assert accept(world.context, agent="bob", handoff=give(world, to=["bob"])).worktree == str(place)
    assert mine.is_dir()


def test_many_hand_offs_at_once_and_none_overwritten(world: World) -> None:
    """Each is its own row; a receiver sees all that wait for it, and accepts each."""
    agents.register(world.context, agent="bob", stream="core")
    givers = [f"g{number}" for number in range(5)]
    for name in givers:
        agents.register(world.context, agent=name)
        world.lock(name, f"core/{name}.py")
    numbers = [give(world, name, to=["bob"]) for name in givers]
    assert [one.giver for one in handoffs.handoffs(world.context, pending=True, agent="bob")] == givers
    told = [one for one in inbox(world.context, agent="bob") if one.kind is MessageKind.HANDOFF]
    assert [one.details["handoff"] for one in told] == numbers
    for number in numbers:
        accept(world.context, agent="bob", handoff=number)
    assert world.held("bob") == [f"core/{name}.py" for name in givers]
    assert handoffs.handoffs(world.context, pending=True, agent="bob") == []


def test_context_goes_to_all_and_leases_to_the_first(world: World) -> None:
    """It is done once everybody it was for has accepted; accepting twice changes nothing."""
    world.agent("ann")
    world.lock("ann", "core/a.py")
    for name in ("bob", "cyd"):
        agents.register(world.context, agent=name, stream="core")
    number = give(world, to=["bob", "cyd"])
    first = accept(world.context, agent="bob", handoff=number)
    assert accept(world.context, agent="bob", handoff=number).tokens == first.tokens
    assert handoff(world.context, number=number).state is HandOffState.OPEN
    second = accept(world.context, agent="cyd", handoff=number)
    assert (second.tokens, second.worktree) == ({}, "")
    found = handoff(world.context, number=number)
    assert (found.state, found.taken_by, found.accepted_by) == (HandOffState.ACCEPTED, "bob", ("bob", "cyd"))


def test_any_agent_of_the_stream_may_take_what_is_for_nobody_in_particular(world: World) -> None:
    """Its agents are told; others are refused with whose it is."""
    world.agent("ann")
    for name, stream in (("bob", "core"), ("xan", "api")):
        agents.register(world.context, agent=name, stream=stream)
    number = give(world)
    assert [one.kind for one in inbox(world.context, agent="bob")][-1] is MessageKind.HANDOFF
    with pytest.raises(Refused, match="for agents of core"):
        accept(world.context, agent="xan", handoff=number)
    with pytest.raises(Refused, match="for agents of core"):
        accept(world.context, agent="ann", handoff=number)
    assert accept(world.context, agent="bob", handoff=number).handoff.state is HandOffState.ACCEPTED
    agents.register(world.context, agent="cyd", stream="core")
    with pytest.raises(Refused, match="accepted by bob"):
        accept(world.context, agent="cyd", handoff=number)


def test_a_named_agent_of_another_stream_gets_the_context_alone(world: World) -> None:
    """A lease across the boundary would only be refused at landing; somebody of the stream may still take it."""
    world.agent("ann")
    world.lock("ann", "core/a.py")
    agents.register(world.context, agent="xan", stream="api")
    agents.register(world.context, agent="bob", stream="core")
    number = give(world, to=["xan", "bob"])
    told = accept(world.context, agent="xan", handoff=number)
    assert told.tokens == {}
    assert "xan works for api" in told.not_transferred[0]
    assert list(accept(world.context, agent="bob", handoff=number).tokens) == ["core/a.py"]


def test_a_giver_may_die_before_its_work_is_accepted(world: World) -> None:
    """Its leases stay for the receiver until they end by time, its worktree and edits as well."""
    place = world.agent("ann", pid=50)
    world.lock("ann", "core/a.py")
    world.edit("ann", "core/a.py", "a = 2\n")
    agents.register(world.context, agent="bob", stream="core")
    number = give(world, to=["bob"])
    world.processes.kill(world.processes.process(50))
    assert not leases.acquire(world.context, agent="cyd", resources=["core/a.py"]).granted
    leases.cleanup(world.context)
    done = accept(world.context, agent="bob", handoff=number)
    assert (list(done.tokens), done.worktree) == (["core/a.py"], str(place))
    assert (place / "core/a.py").read_text() == "a = 2\n"


def test_a_giver_that_leaves_in_order_leaves_what_it_handed_over(world: World) -> None:
    """Closing a client and retiring give up the rest, and land or park nothing of what is promised."""
    place = world.agent("ann")
    world.lock("ann", "core/a.py")
    world.edit("ann", "core/a.py", "a = 2\n")
    agents.register(world.context, agent="bob", stream="core")
    number = give(world, to=["bob"])
    world.lock("ann", "core/b.py")
    assert give_up(world.context, agent="ann", leaving=True).resources == ("core/b.py",)
    agents.retire(world.context, agent="ann")
    assert (place / "core/a.py").read_text() == "a = 2\n"
    assert list(accept(world.context, agent="bob", handoff=number).tokens) == ["core/a.py"]


def test_a_lease_that_ended_meanwhile_is_named(world: World) -> None:
    """The rest comes along; what is gone is asked for like anything else."""
    world.agent("ann")
    world.lock("ann", "core/a.py", "core/b.py")
    agents.register(world.context, agent="bob", stream="core")
    number = give(world, to=["bob"])
    release(world.context, agent="ann", resources=["core/b.py"])
    done = accept(world.context, agent="bob", handoff=number)
    assert list(done.tokens) == ["core/a.py"]
    assert done.not_transferred == ("core/b.py: the lease of ann has ended; ask for it with pucs lock",)


def test_a_late_landing_of_the_giver_does_not_get_past_the_receiver(world: World) -> None:
    """Fencing: after the transfer the giver's lease counts as one that others were granted since."""
    agents.register(world.context, agent="ann", stream="core")
    world.lock("ann", "core/a.py")
    agents.register(world.context, agent="bob", stream="core")
    accept(world.context, agent="bob", handoff=give(world, to=["bob"]))
    (world.root / "core/a.py").write_text("a = 66\n")
    outcome = world.not_landed("ann")
    assert outcome.reason == "parked"
    assert "bob was granted core/a.py since" in outcome.parked[0].reason


def test_a_program_that_still_runs_is_not_written_under(world: World) -> None:
    """A launched agent hands over by ending; until then its worktree has one writer."""
    owner = world.processes.process(70)
    agents.register(world.context, agent="run", stream="core", program="command", owner=owner)
    agents.register(world.context, agent="bob", stream="core")
    number = give(world, "run", to=["bob"])
    with pytest.raises(Refused, match="still runs"):
        accept(world.context, agent="bob", handoff=number)
    world.processes.kill(owner)
    assert accept(world.context, agent="bob", handoff=number).handoff.taken_by == "bob"


def test_a_paused_receiver_gets_no_leases(world: World) -> None:
    """It may accept once it is resumed."""
    world.agent("ann")
    agents.register(world.context, agent="bob", stream="core")
    number = give(world, to=["bob"])
    pause(world.context, agent="bob", by="eve")
    with pytest.raises(Refused, match="paused"):
        accept(world.context, agent="bob", handoff=number)


def test_a_task_at_work_goes_along(world: World) -> None:
    """The receiver finishes it."""
    import_tasks(world.context, tasks=[Task(id="t1", title="feat: one", stream="core", command="true")])
    world.agent("ann")
    assert take(world.context, agent="ann") is not None
    agents.register(world.context, agent="bob", stream="core")
    accept(world.context, agent="bob", handoff=give(world, to=["bob"]))
    with world.context.store.read() as tx:
        found = tx.tasks.get("S1", "t1")
    assert found is not None
    assert found.assignee == "bob"
    assert agent_of(world, "bob").task == "t1"


def test_a_hand_off_is_taken_back_by_its_giver_alone(world: World) -> None:
    """What was not taken stays the giver's."""
    world.agent("ann")
    world.lock("ann", "core/a.py")
    agents.register(world.context, agent="bob", stream="core")
    number = give(world, to=["bob"])
    with pytest.raises(Refused, match="given by ann"):
        close(world.context, agent="bob", handoff=number)
    assert close(world.context, agent="ann", handoff=number).state is HandOffState.CLOSED
    assert close(world.context, agent="ann", handoff=number).state is HandOffState.CLOSED
    with pytest.raises(Refused, match="closed by ann"):
        accept(world.context, agent="bob", handoff=number)
    assert world.held("ann") == ["core/a.py"]


def test_a_hand_off_that_only_tells_moves_nothing(world: World) -> None:
    """Without transfer the giver keeps everything and goes on."""
    world.agent("ann")
    world.lock("ann", "core/a.py")
    agents.register(world.context, agent="bob", stream="core")
    done = accept(world.context, agent="bob", handoff=give(world, to=["bob"], transfer=False))
    assert (done.tokens, done.worktree, done.handoff.state) == ({}, "", HandOffState.ACCEPTED)
    assert world.held("ann") == ["core/a.py"]


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"to": ["nobody"]}, NotFound),
        ({"to": ["ann"]}, Usage),
        ({"to": [f"b{n}" for n in range(60)]}, Usage),
        ({"signal": "DONE"}, Usage),
        ({"contents": Contents(notes="x" * 10_000_000)}, Usage),
    ],
)
def test_wrong_hand_offs_are_refused_whole(
    world: World, more: dict[str, Any], error: type[Exception]
) -> None:
    """Nothing is recorded and no phase changes."""
    world.agent("ann")
    with pytest.raises(error):
        give(world, **more)
    assert handoffs.handoffs(world.context) == []
    assert agent_of(world, "ann").phase is not Phase.HANDOFF


def test_accepting_what_is_not_there_or_when_ended_is_refused(world: World) -> None:
    """The message says where to look."""
    world.agent("ann")
    with pytest.raises(NotFound, match="no hand-off 7"):
        accept(world.context, agent="ann", handoff=7)
    with pytest.raises(NotFound, match="no hand-off 7"):
        handoff(world.context, number=7)
    with pytest.raises(NotFound, match="no hand-off 7"):
        close(world.context, agent="ann", handoff=7)
    agents.register(world.context, agent="bob", stream="core")
    number = give(world, to=["bob"])
    agents.retire(world.context, agent="bob")
    with pytest.raises(Refused, match="has ended") as refused:
        accept(world.context, agent="bob", handoff=number)
    assert not isinstance(refused.value, Terminated)
