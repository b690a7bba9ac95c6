"""Resolving conflicts about parked work: merged, chosen, put back or kept out, and never lost."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from pucs.conflicts.records import Kind, Status, Strategy
from pucs.coordinator import (
    agents,
    conflicts,
    dividing,
    finalizing,
    history,
    intents,
    leases,
    requesting,
    salvaging,
    syncing,
    tasks,
    verifying,
)
from pucs.coordinator.resolving import auto_merge, explained, resolve
from pucs.core.errors import NotFound, Refused, Usage
from pucs.crosslog.records import Query
from pucs.tasks.records import Task, TaskState

pytestmark = pytest.mark.git

MINE = "a = 'mine'\n\n\nz = 1\n"
THEIRS = "a = 1\n\n\nz = 'theirs'\n"
CLASH = "a = 'theirs'\n\n\nz = 1\n"


def park(world: Any, theirs: str = THEIRS, *, mine: str = MINE) -> tuple[int, str]:
    """Let a1's change of core/a.py be parked and a2's land; return the conflict and the salvage ref."""
    world.agent("a1")
    world.agent("a2")
    world.lock("a2", "core/a.py")
    world.edit("a1", "core/a.py", mine)
    (parked,) = world.not_landed("a1").parked
    world.edit("a2", "core/a.py", theirs)
    world.land("a2")
    return parked.conflict, parked.ref


def record(world: Any, number: int) -> Any:
    """Return a conflict record."""
    return next(found for found in conflicts.conflicts(world.context) if found.id == number)


def actions(world: Any) -> list[str]:
    """Return what the entries say was done."""
    with world.context.store.read() as tx:
        return [entry.action for entry in tx.entries.select(Query())]


def test_a_parked_change_is_merged_with_what_landed(world: Any) -> None:
    """Both changes end up on the stream, under a landing row with a token, and the record says how."""
    number, ref = park(world)
    done = resolve(world.context, conflict=number, by="lead")
    assert (done.strategy, done.status, done.decided_by) == (Strategy.MERGE, Status.RESOLVED, "lead")
    assert world.text("core", "core/a.py") == "a = 'mine'\n\n\nz = 'theirs'"
    with world.context.store.read() as tx:
        row = tx.landings.all("S1")[-1]
    assert (row.agent, [path for path, token in row.paths if token]) == ("a1", ["core/a.py::a"])
    found = record(world, number)
    assert (found.status, found.decided_by, found.strategy) == (Status.RESOLVED, "lead", Strategy.MERGE)
    assert "was merged with what landed since" in found.decision
    assert world.git("rev-parse", ref)
    assert world.held("a1") == []
    assert "conflict resolved" in actions(world)
    assert conflicts.conflicts(world.context, unresolved=True) == []


@pytest.mark.slow
def test_what_was_merged_passes_the_gate_and_is_accounted_for(world: Any) -> None:
    """The stream merges into the result as if the agent had landed it itself."""
    number, _ = park(world)
    resolve(world.context, conflict=number, strategy=Strategy.MERGE)
    result = finalizing.finalize(world.context)
    assert result.merged == ("core",)
    assert verifying.verify(world.context).ok


@pytest.mark.slow
def test_a_change_that_does_not_merge_is_refused_with_ways_out(world: Any) -> None:
    """Nothing moves, no lease is left behind, and the conflict stays open."""
    number, ref = park(world, CLASH)
    before = world.git("rev-parse", world.branch("core"))
    with pytest.raises(Refused, match="both sides change") as refused:
        resolve(world.context, conflict=number, strategy=Strategy.MERGE)
    assert ref in refused.value.remedy
    assert world.git("rev-parse", world.branch("core")) == before
    assert record(world, number).status is Status.OPEN
    assert world.held("a1") == []


@pytest.mark.slow
def test_two_changes_of_one_function_are_a_guess_until_somebody_accepts_them(world: Any) -> None:
    """What git merges by lines is shown, and not applied, where both sides changed the same definition."""
    base = "def f():\n    one = 1\n\n    two = 2\n\n    three = 3\n    return one + two + three\n"
    world.agent("b1")
    world.lock("b1", "core/a.py")
    world.edit("b1", "core/a.py", base)
    world.land("b1")
    theirs, mine = base.replace("three = 3", "three = 33"), base.replace("one = 1", "one = 11")
    number, ref = park(world, theirs, mine=mine)
    before = world.git("rev-parse", world.branch("core"))
    shown = resolve(world.context, conflict=number, strategy=Strategy.MERGE)
    assert (shown.status, shown.strategy, shown.commit) == (Status.OPEN, Strategy.MERGE, "")
    assert "both sides change f" in shown.message
    assert f"pucs resolve {number} --strategy merge --accept review" in shown.message
    assert "-    one = 1\n+    one = 11\n" in shown.proposal
    assert "33" not in [line for line in shown.proposal.splitlines() if line.startswith(("+", "-"))]
    assert explained(world.context, conflict=number).proposal == shown.proposal
    assert (record(world, number).status, world.held("a1")) == (Status.OPEN, [])
    assert world.git("rev-parse", world.branch("core")) == before
    done = resolve(world.context, conflict=number, strategy=Strategy.MERGE, accept="review")
    assert (done.status, done.proposal, done.kept) == (Status.RESOLVED, "", ref)
    assert world.text("core", "core/a.py") == mine.replace("three = 3", "three = 33").strip()
    with pytest.raises(Usage, match="no tier"):
        resolve(world.context, conflict=number, accept="all")


def test_a_file_that_somebody_holds_is_not_merged_over(world: Any) -> None:
    """Exclusion holds for merges as for everybody: the holder is named and the conflict stays open."""
    world.agent("a1")
    world.agent("a2")
    world.lock("a2", "core/a.py")
    world.edit("a1", "core/a.py", MINE)
    number = world.not_landed("a1").parked[0].conflict
    with pytest.raises(Refused, match=r"core/a\.py is held by a2"):
        resolve(world.context, conflict=number, strategy=Strategy.MERGE)
    assert record(world, number).status is Status.OPEN


@pytest.mark.slow
def test_the_agents_own_lease_is_used_and_kept(world: Any) -> None:
    """An agent that holds the file again goes on holding it after its parked change was merged."""
    number, _ = park(world)
    world.lock("a1", "core/")
    assert resolve(world.context, conflict=number, strategy=Strategy.MERGE).resolved
    assert world.held("a1") == ["core/"]


def test_a_person_lets_the_parked_change_win(world: Any) -> None:
    """It takes the place of what clashes with it; the other side's bytes are on a salvage ref in its own name."""
    number, ref = park(world, CLASH)
    done = resolve(
        world.context,
        conflict=number,
        strategy=Strategy.ARBITRATE,
        winner="a1",
        decision="the customer asked for it",
        by="lead",
    )
    assert world.text("core", "core/a.py") == MINE.strip()
    assert done.kept.startswith("refs/pucs/salvage/S1/a2/")
    assert world.git("show", f"{done.kept}:core/a.py") == CLASH.strip()
    assert world.git("show", f"{ref}:core/a.py") == MINE.strip()
    kept = {one.agent: one.reason for one in salvaging.salvages(world.context)}
    assert f"conflict {number}" in kept["a2"]
    assert "the customer asked for it" in record(world, number).decision
    assert verifying.verify(world.context).ok


@pytest.mark.slow
def test_a_person_lets_what_landed_win(world: Any) -> None:
    """The stream stays as it is, the parked change stays where it is kept."""
    number, ref = park(world, CLASH)
    assert record(world, number).parties == ("a1", "core", "a2")
    assert (record(world, number).holder, record(world, number).holder_stream) == ("a2", "core")
    before = world.git("rev-parse", world.branch("core"))
    done = resolve(world.context, conflict=number, strategy=Strategy.ARBITRATE, winner="a2", by="lead")
    assert (done.kept, done.winner) == (ref, "a2")
    assert world.git("rev-parse", world.branch("core")) == before
    assert world.git("show", f"{ref}:core/a.py") == MINE.strip()


@pytest.mark.slow
def test_the_winner_may_be_named_by_its_ref(world: Any) -> None:
    """A salvage ref, whole or as it is listed without its prefix, is the change it keeps."""
    number, ref = park(world)
    short = ref.removeprefix("refs/pucs/salvage/")
    assert resolve(world.context, conflict=number, strategy=Strategy.ARBITRATE, winner=short).commit
    assert world.text("core", "core/a.py") == "a = 'mine'\n\n\nz = 'theirs'"


@pytest.mark.slow
def test_a_winner_that_is_no_party_is_wrong_use(world: Any) -> None:
    """The remedy names the sides; so it does where nobody is named."""
    number, ref = park(world)
    for winner in ("zoe", ""):
        with pytest.raises(Usage) as wrong:
            resolve(world.context, conflict=number, strategy=Strategy.ARBITRATE, winner=winner)
        assert "a1" in wrong.value.remedy
        assert ref in wrong.value.remedy


def test_the_first_decision_stands(world: Any) -> None:
    """A second one is refused with who decided what before."""
    number, _ = park(world, CLASH)
    resolve(world.context, conflict=number, strategy=Strategy.ROLLBACK, by="lead")
    with pytest.raises(Refused, match=r"stays out.*by lead"):
        resolve(world.context, conflict=number, strategy=Strategy.ARBITRATE, winner="a1", by="other")
    assert record(world, number).decided_by == "lead"


@pytest.mark.slow
def test_an_unknown_conflict_is_not_found(world: Any) -> None:
    """So is one whose salvage ref somebody deleted."""
    with pytest.raises(NotFound, match="no conflict 99"):
        resolve(world.context, conflict=99)
    with pytest.raises(NotFound):
        explained(world.context, conflict=99)
    number, ref = park(world)
    assert explained(world.context, conflict=number).plan.strategy is Strategy.MERGE
    world.git("update-ref", "-d", ref)
    assert explained(world.context, conflict=number).clash == ()
    with pytest.raises(NotFound, match="any more"):
        resolve(world.context, conflict=number)


@pytest.mark.slow
def test_a_task_is_put_back_to_be_done_on_top(world: Any) -> None:
    """QUEUE for parked work: its task is pending again, told where the first try is, whatever its state was."""
    number, ref = park(world, CLASH)
    with world.context.store.transaction() as tx:
        tx.tasks.put(
            Task(
                id="T-1",
                title="t",
                stream="core",
                session="S1",
                state=TaskState.FAILED,
                attempts=2,
                tried_by=("a1", "a2"),
            )
        )
        found = tx.conflicts.get(number)
        assert found is not None
        tx.conflicts.put(replace(found, evidence={**found.evidence, "task": "T-1"}))
    done = resolve(world.context, conflict=number)
    assert done.strategy is Strategy.QUEUE
    (task,) = tasks.tasks(world.context)
    assert (task.state, task.salvage, task.attempts, task.tried_by) == (TaskState.PENDING, ref, 0, ())
    assert "T-1" in record(world, number).decision


def test_a_task_at_work_is_left_to_its_agent(world: Any) -> None:
    """Nothing is taken out of an agent's hands; the record says who does it again."""
    number, _ = park(world, CLASH)
    with world.context.store.transaction() as tx:
        tx.tasks.put(
            Task(id="T-1", title="t", stream="core", session="S1", state=TaskState.RUNNING, assignee="a1")
        )
        found = tx.conflicts.get(number)
        assert found is not None
        tx.conflicts.put(replace(found, evidence={**found.evidence, "task": "T-1"}))
    resolve(world.context, conflict=number, strategy=Strategy.QUEUE)
    assert tasks.tasks(world.context)[0].state is TaskState.RUNNING
    assert "a1 is at work on task T-1" in record(world, number).decision


@pytest.mark.slow
def test_without_a_task_its_agent_does_it_again(world: Any) -> None:
    """The record closes with where the first try is kept."""
    number, ref = park(world, CLASH)
    assert resolve(world.context, conflict=number, strategy=Strategy.QUEUE).kept == ref
    assert "a1 does it again" in record(world, number).decision


@pytest.mark.slow
def test_landing_the_same_files_again_closes_the_record(world: Any) -> None:
    """An agent whose change was parked and who then lands those files has resolved it by itself."""
    number, ref = park(world)
    syncing.sync(world.context, agent="a1")
    world.lock("a1", "core/b.py")
    world.edit("a1", "core/b.py", "b = 'beside'\n")
    world.land("a1")
    assert record(world, number).status is Status.OPEN
    world.lock("a1", "core/a.py")
    world.edit("a1", "core/a.py", "a = 'again'\n\n\nz = 'theirs'\n")
    world.land("a1")
    found = record(world, number)
    assert (found.status, found.decided_by, found.strategy) == (Status.RESOLVED, "pucs", Strategy.QUEUE)
    assert ref in found.decision


def test_nobody_decides_and_nothing_is_lost(world: Any) -> None:
    """After the deadline the default holds: what landed stands, the parked change stays, the record says it was time."""
    number, ref = park(world, CLASH)
    world.clock.pass_s(15 * 60 - 1)
    assert conflicts.conflicts(world.context, unresolved=True)
    world.clock.pass_s(2)
    assert conflicts.conflicts(world.context, unresolved=True) == []
    found = record(world, number)
    assert (found.decided_by, found.status) == ("timeout", Status.RESOLVED)
    assert "what landed first stands" in found.decision
    assert world.git("show", f"{ref}:core/a.py") == MINE.strip()
    assert "conflict resolved" in actions(world)


@pytest.mark.slow
def test_a_boundary_is_crossed_by_decision_only(world: Any) -> None:
    """MERGE is refused without a waiver; a person's decision lands the change on the stream that covers the file."""
    world.agent("a1")
    world.edit("a1", "api/x.py", "x = 'reached over'\n")
    number = world.not_landed("a1").parked[0].conflict
    with pytest.raises(Refused, match="needs a waiver"):
        resolve(world.context, conflict=number, strategy=Strategy.MERGE)
    assert resolve(world.context, conflict=number).status is Status.OPEN
    resolve(world.context, conflict=number, strategy=Strategy.ARBITRATE, winner="a1", by="lead")
    assert world.text("api", "api/x.py") == "x = 'reached over'"
    assert world.text("core", "api/x.py") == "x = 1"
    assert finalizing.finalize(world.context).merged == ("api",)


def test_a_waiver_lets_a_change_land_and_merge(world: Any) -> None:
    """Acquire, landing and the gate of the merge honour it, also when it is over by then."""
    world.agent("a1")
    assert not leases.acquire(world.context, agent="a1", resources=["api/x.py"]).granted
    asked = requesting.request(
        world.context, files=["api/x.py"], reason="the name changes on both sides", agent="a1", waive=True
    )
    requesting.approve(world.context, waiver=asked.waivers[0].id, by="lead", duration_s=60)
    world.lock("a1", "api/x.py")
    world.edit("a1", "api/x.py", "x = 'allowed'\n")
    world.clock.pass_s(120)
    assert world.land("a1").paths == ("api/x.py",)
    assert not leases.acquire(world.context, agent="a1", resources=["api/x.py"]).granted
    found = history.history(world.context, _session(world))
    assert history.gate(world.context, found, "core") == []
    assert finalizing.finalize(world.context).merged == ("core",)


def test_a_parked_change_may_be_merged_under_a_waiver(world: Any) -> None:
    """Once it is approved, MERGE is what fits."""
    world.agent("a1")
    world.edit("a1", "api/x.py", "x = 'reached over'\n")
    number = world.not_landed("a1").parked[0].conflict
    asked = requesting.request(world.context, files=["api/x.py"], reason="r", agent="a1", waive=True)
    assert asked.waivers[0].conflict == number
    requesting.approve(world.context, waiver=asked.waivers[0].id)
    assert resolve(world.context, conflict=number).strategy is Strategy.MERGE
    assert world.text("api", "api/x.py") == "x = 'reached over'"


def test_a_boundary_conflict_is_queued_as_a_task_of_the_owner(world: Any) -> None:
    """The stream that covers the file is asked, and told where the first try is kept."""
    world.agent("a1")
    world.edit("a1", "api/x.py", "x = 'reached over'\n")
    parked = world.not_landed("a1").parked[0]
    resolve(world.context, conflict=parked.conflict, strategy=Strategy.QUEUE, decision="rename x")
    (task,) = tasks.tasks(world.context)
    assert (task.stream, task.files, task.title) == ("api", ("api/x.py",), "rename x")
    assert parked.ref in task.prompt
    assert (task.requested_by, task.conflict) == ("a1", parked.conflict)
    assert record(world, parked.conflict).kind is Kind.BOUNDARY


@pytest.mark.slow
@pytest.mark.parametrize(
    "at", [at if at in {9, 11, 12} else pytest.param(at, marks=pytest.mark.slow) for at in range(1, 16)]
)
def test_a_killed_merge_is_completed_or_undone(world: Any, at: int, killed: type[BaseException]) -> None:
    """Wherever the process dies, the change is on the stream or still parked, and trying again ends in one landing."""
    number, ref = park(world)
    context, death = world.dying(at)
    try:
        resolve(context, conflict=number, strategy=Strategy.MERGE)
    except killed:
        assert death.dead
    world.bury(at)
    assert world.git("show", f"{ref}:core/a.py") == MINE.strip()
    with suppress(Refused):  # the next verb completed it, and the first decision stands
        resolve(world.context, conflict=number, strategy=Strategy.MERGE)
    assert record(world, number).status is Status.RESOLVED
    assert world.text("core", "core/a.py") == "a = 'mine'\n\n\nz = 'theirs'"
    assert world.lock("a2", "core/a.py")
    with world.context.store.read() as tx:
        assert [row.agent for row in tx.landings.all("S1")] == ["a2", "a1"]
        assert tx.intentions.all() == []


def test_auto_merge_of_two_changes_of_one_file(world: Any) -> None:
    """Different definitions are merged; the same lines, a name given twice and binary content are not."""
    base = b"def f():\n    return 1\n\n\ndef g():\n    return 2\n"
    one, other = base.replace(b"1", b"11"), base.replace(b"2", b"22")
    done = auto_merge(world.context, "m.py", base, one, other)
    assert (done.success, done.content) == (True, base.replace(b"1", b"11").replace(b"2", b"22"))
    clash = auto_merge(world.context, "m.py", base, one, base.replace(b"1", b"111"))
    assert (clash.success, clash.content, clash.conflicts) == (False, b"", 1)
    assert "1 place" in clash.reason
    added = auto_merge(
        world.context,
        "m.py",
        base,
        b"def h():\n    return 1\n\n\n" + base,
        base + b"\n\ndef h():\n    return 2\n",
    )
    assert (added.success, added.tier) == (False, "")
    assert "h" in added.reason
    assert "binary" in auto_merge(world.context, "x.png", b"\0", b"\0a", b"\0b").reason


def test_auto_merge_merges_by_syntax_where_lines_conflict(world: Any) -> None:
    """Functions added at one place are kept both, and each place says by what rule and how sure it is."""
    base = b"import os\n\n\ndef f() -> str:\n    return os.name\n"
    one, other = (base + b"\n\ndef %c() -> int:\n    return 1\n" % name for name in (b"g", b"h"))
    done = auto_merge(world.context, "m.py", base, one, other)
    assert (done.success, done.tier, done.proposal) == (True, "auto", b"")
    assert sorted(done.content.splitlines()) == sorted([*one.splitlines(), *other.splitlines()[5:]])
    assert all(place.resolver and place.tier == "auto" for place in done.resolutions)
    assert done.resolutions
    by_name = auto_merge(world.context, "m.xyz", base, one, other)
    assert (by_name.success, by_name.conflicts, by_name.tier) == (False, 1, "")


def test_auto_merge_proposes_what_it_is_not_sure_of(world: Any) -> None:
    """Two changes of one function that touch different lines are a guess: shown, and taken when it is accepted."""
    base = b"def f():\n    one = 1\n\n    two = 2\n\n    return one + two\n"
    one, other = base.replace(b"1", b"11"), base.replace(b"2", b"22")
    both = one.replace(b"2", b"22")
    shown = auto_merge(world.context, "m.py", base, one, other)
    assert (shown.success, shown.content, shown.tier, shown.proposal) == (False, b"", "review", both)
    assert "both sides change f" in shown.reason
    taken = auto_merge(world.context, "m.py", base, one, other, accept="review")
    assert (taken.success, taken.content, taken.tier) == (True, both, "review")


def _session(world: Any) -> Any:
    with world.context.store.read() as tx:
        return tx.sessions.get("S1")


@pytest.mark.slow
def test_a_file_that_two_plan_to_change_is_divided(world: Any) -> None:
    """Without a strategy the work is divided where that is possible; accepting the proposal closes the conflict."""
    base = "def f():\n    return 1\n\n\ndef g():\n    return 2\n"
    world.agent("b1")
    world.lock("b1", "core/a.py")
    world.edit("b1", "core/a.py", base)
    world.land("b1")
    for agent, old in (("a1", "return 1"), ("a2", "return 2")):
        world.agent(agent)
        world.edit(agent, "core/a.py", base.replace(old, "return 3"))
        intents.signal(
            world.context, agent=agent, files=["core/a.py"], description=old, estimated_duration_s=600
        )
    (number,) = [one.id for one in conflicts.conflicts(world.context, unresolved=True)]
    done = resolve(world.context, conflict=number)
    assert (done.strategy, done.status) == (Strategy.PARTITION, Status.OPEN)
    assert done.scopes == {"a1": ("core/a.py::f",), "a2": ("core/a.py::g",)}
    assert "pucs partition accept" in done.message
    dividing.accept(world.context, proposal=1)
    found = record(world, number)
    assert (found.status, found.strategy) == (Status.RESOLVED, Strategy.PARTITION)


@pytest.mark.slow
def test_what_cannot_be_divided_is_decided(world: Any) -> None:
    """Two that need the same function: the flow goes on to the next step, and asking for PARTITION says why not."""
    for agent in ("a1", "a2"):
        world.agent(agent)
        world.edit(agent, "core/b.py", f"b = '{agent}'\n")
        intents.signal(
            world.context, agent=agent, files=["core/b.py"], description="b", estimated_duration_s=600
        )
    (number,) = [one.id for one in conflicts.conflicts(world.context, unresolved=True)]
    assert resolve(world.context, conflict=number).strategy is Strategy.ARBITRATE
    with pytest.raises(Refused, match="cannot be divided"):
        resolve(world.context, conflict=number, strategy=Strategy.PARTITION)


FUNCTIONS = "def f():\n    return 1\n\n\ndef g():\n    return 2\n\n\ndef h():\n    return 3\n"


def functions(world: Any) -> None:
    """Land a file of three functions."""
    world.agent("b1")
    world.lock("b1", "core/a.py")
    world.edit("b1", "core/a.py", FUNCTIONS)
    world.land("b1")


@pytest.mark.slow
def test_a_merge_needs_only_the_functions_it_changes(world: Any) -> None:
    """Somebody else goes on holding another function of the file, and one who holds the same is not overrun."""
    functions(world)
    number, _ = park(
        world, FUNCTIONS.replace("return 2", "return 22"), mine=FUNCTIONS.replace("return 1", "return 11")
    )
    world.lock("b1", "core/a.py::f")
    with pytest.raises(Refused, match="held by b1"):
        resolve(world.context, conflict=number, strategy=Strategy.MERGE)
    leases.release(world.context, agent="b1")
    world.lock("b1", "core/a.py::h")
    assert resolve(world.context, conflict=number, strategy=Strategy.MERGE).resolved
    assert (
        world.text("core", "core/a.py")
        == FUNCTIONS.replace("return 1", "return 11").replace("return 2", "return 22").strip()
    )
    assert world.held("b1") == ["core/a.py::h"]
    with world.context.store.read() as tx:
        assert [path for path, _ in tx.landings.all("S1")[-1].paths] == ["core/a.py::f"]
    leases.release(world.context, agent="b1")
    assert finalizing.finalize(world.context).merged == ("core",)


@pytest.mark.slow
def test_a_merge_brings_only_what_its_agent_changed(world: Any) -> None:
    """What came into the worktree by a sync with another stream stays that stream's, on whatever branch."""
    lines = "".join(f"{number}\n" for number in range(9))
    world.agent("b1")
    world.lock("b1", "shared.txt")
    world.edit("b1", "shared.txt", lines)
    world.land("b1")
    world.agent("x1", "api")
    world.lock("x1", "shared.txt")
    syncing.sync(world.context, agent="x1")
    world.edit("x1", "shared.txt", f"{lines}by x1\n")
    world.land("x1")
    world.agent("a1")
    world.agent("a2")
    world.lock("a1", "shared.txt")
    assert isinstance(syncing.sync(world.context, agent="a1"), syncing.Synced)
    leases.release(world.context, agent="a1")
    world.lock("a2", "shared.txt")
    assert (world.places["a1"] / "shared.txt").read_text() == f"{lines}by x1\n"
    world.edit("a1", "shared.txt", f"by a1\n{lines[2:]}by x1\n")
    number = world.not_landed("a1").parked[0].conflict
    leases.release(world.context, agent="a2")
    resolve(world.context, conflict=number, strategy=Strategy.MERGE)
    assert world.text("core", "shared.txt") == f"by a1\n{lines[2:]}".strip()


@pytest.mark.slow
def test_a_change_in_a_persons_checkout_is_merged_too(world: Any) -> None:
    """Somebody without a stream whose lease was lost: the change lands where its file belongs, the checkout stays."""
    agents.register(world.context, agent="kim", worktree=str(world.root))
    world.lock("kim", "core/a.py")
    (world.root / "core/a.py").write_text(MINE)
    world.clock.pass_s(3600)
    world.agent("a2")
    world.lock("a2", "core/a.py")
    world.edit("a2", "core/a.py", THEIRS)
    world.land("a2")
    refused = world.not_landed("kim")
    (parked,) = refused.parked
    done = resolve(world.context, conflict=parked.conflict, strategy=Strategy.MERGE)
    assert done.commit
    assert world.text("core", "core/a.py") == "a = 'mine'\n\n\nz = 'theirs'"
    assert (world.root / "core/a.py").read_text() == MINE


@pytest.mark.slow
@pytest.mark.parametrize(
    "at", [at if at in {8, 12} else pytest.param(at, marks=pytest.mark.slow) for at in range(1, 18)]
)
def test_a_killed_decision_loses_neither_side(world: Any, at: int, killed: type[BaseException]) -> None:
    """Wherever the process dies, both versions are reachable, and deciding again ends as decided."""
    number, ref = park(world, CLASH)
    chosen: dict[str, Any] = {"conflict": number, "strategy": Strategy.ARBITRATE, "winner": "a1"}
    context, death = world.dying(at)
    try:
        resolve(context, **chosen)
    except killed:
        assert death.dead
    world.bury(at)
    with suppress(Refused):  # the next verb completed it, and the first decision stands
        resolve(world.context, **chosen)
    assert world.text("core", "core/a.py") == MINE.strip()
    assert world.git("show", f"{ref}:core/a.py") == MINE.strip()
    kept = [one.ref for one in salvaging.salvages(world.context) if one.agent == "a2"]
    assert {world.git("show", f"{each}:core/a.py") for each in kept} == {CLASH.strip()}
    assert record(world, number).status is Status.RESOLVED
    assert world.lock("a2", "core/a.py")


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 7])
def test_two_decisions_at_once_are_one(world: Any, at: int) -> None:
    """Who is first decides, also while a merge holds its leases already; then that changes nothing and leaves nothing."""
    number, _ = park(world)
    other: list[str] = []

    class Hands:
        """Lets somebody else decide just before the stream's branch is looked at for the merge."""

        def __getattr__(self, name: str) -> Any:
            found = getattr(world.context.repository, name)
            if name != "commit":
                return found

            def call(*arguments: Any, **named: Any) -> Any:
                other.append("commit")
                if len(other) == at:
                    resolve(world.context, conflict=number, strategy=Strategy.ROLLBACK, by="quick")
                return found(*arguments, **named)

            return call

    git = replace(world.context.git, repository=Hands())
    with pytest.raises(Refused, match="by quick"):
        resolve(replace(world.context, git=git), conflict=number, strategy=Strategy.MERGE, by="slow")
    assert record(world, number).decided_by == "quick"
    assert world.text("core", "core/a.py") == THEIRS.strip()
    assert world.held("a1") == []
