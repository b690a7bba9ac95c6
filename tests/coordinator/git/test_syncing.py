"""Syncing: what comes in, what conflicts, what an interrupted sync leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pucs.coordinator import agents, landing, leases, salvaging, syncing, tasks
from pucs.tasks.records import Task

pytestmark = pytest.mark.git


def steps(first: int, last: int, quick: set[int]) -> list[Any]:
    """Return the changes to die after: a few in every run, all of them in the slow ones."""
    return [at if at in quick else pytest.param(at, marks=pytest.mark.slow) for at in range(first, last + 1)]


def synced(world: Any, agent: str) -> syncing.Synced:
    """Sync, which must succeed."""
    outcome = syncing.sync(world.context, agent=agent)
    assert isinstance(outcome, syncing.Synced), outcome
    return outcome


@pytest.mark.slow
def test_sync_commits_own_edits_and_merges(world: Any) -> None:
    """Own edits are committed first, then the stream's branch comes in; doing it again changes nothing."""
    world.agent("a1")
    place = world.agent("a2")
    world.edit("a1", "core/b.py", "b = 2\n")
    landed = world.land("a1")
    world.edit("a2", "core/a.py", "a = 2\n")
    outcome = synced(world, "a2")
    assert (outcome.merged, outcome.paths) == ((landed.stream_commit,), ("core/b.py",))
    assert world.git("log", "-1", "--format=%s", outcome.committed, at=place).startswith(
        "[PUCS-core] chore: "
    )
    assert (place / "core/b.py").read_text() == "b = 2\n"
    assert (place / "core/a.py").read_text() == "a = 2\n"
    again = synced(world, "a2")
    assert (again.commit, again.merged, again.committed) == (outcome.commit, (), "")
    assert world.land("a2").paths == ("core/a.py",)


def test_commit_before_a_sync_names_its_tokens(world: Any) -> None:
    """The commit lands as it is, so it carries the token of each lease its edits were made under."""
    place = world.agent("a1")
    world.lock("a1", "core/a.py", "core/b.py")
    (place / "core/a.py").write_text("a = 2\n")
    committed = synced(world, "a1").committed
    with world.context.store.read() as tx:
        token = next(lease.token for lease in tx.leases.of_agent("a1") if lease.resource == "core/a.py")
    trailers = world.git("log", "-1", "--format=%(trailers:key=PUCS-Token,valueonly)", committed, at=place)
    assert trailers.split() == [str(token)]


def test_sync_brings_other_streams_only_under_leases(world: Any) -> None:
    """Another stream's landing comes in only where the agent holds a lease over it."""
    place = world.agent("a1")
    world.agent("x1", "api")
    world.edit("x1", "shared.txt", "new\n")
    world.land("x1")
    assert synced(world, "a1").merged == ()
    world.lock("a1", "shared.txt")
    assert len(synced(world, "a1").merged) == 1
    assert (place / "shared.txt").read_text() == "new\n"


def test_sync_conflict_leaves_worktree(world: Any) -> None:
    """A conflict names the files and the command, and the worktree is as it was apart from the commit of its edits."""
    world.agent("a1")
    place = world.agent("a2")
    for name in ("a1", "a2"):
        world.edit(name, "core/a.py", f"by = {name!r}\n")
    world.land("a1")
    outcome = syncing.sync(world.context, agent="a2")
    assert isinstance(outcome, syncing.NotSynced)
    assert outcome.conflicts == ("core/a.py",)
    assert f"git merge {world.branch('core')}" in outcome.remedy
    assert (place / "core/a.py").read_text() == "by = 'a2'\n"
    assert world.git("status", "--porcelain", at=place) == ""


def test_person_is_told_the_command(world: Any) -> None:
    """The person's own checkout is not written; the answer is the command."""
    agents.register(world.context, agent="ann", stream="core", program="person")
    world.agent("a1")
    assert synced(world, "ann").merged == ()
    world.edit("a1", "core/a.py", "a = 2\n")
    landed = world.land("a1")
    outcome = syncing.sync(world.context, agent="ann")
    assert isinstance(outcome, syncing.NotSynced)
    assert outcome.remedy.endswith(f"git merge {landed.stream_commit}")
    assert Path(world.root, "core/a.py").read_text().startswith("a = 1")


@pytest.mark.parametrize("at", steps(1, 5, {4}))
def test_kill_while_syncing(world: Any, killed: type[BaseException], at: int) -> None:
    """Killed after any change, a sync is completed by the agent's next one."""
    world.agent("a1")
    place = world.agent("a2")
    world.edit("a1", "core/b.py", "b = 2\n")
    world.land("a1")
    world.edit("a2", "core/a.py", "a = 2\n")
    dying, death = world.dying(at)
    with pytest.raises(killed):
        syncing.sync(dying, agent="a2")
    assert death.dead
    world.bury(at)
    synced(world, "a2")
    assert world.git("status", "--porcelain", at=place) == ""
    assert (place / "core/b.py").read_text() == "b = 2\n"
    assert (place / "core/a.py").read_text() == "a = 2\n"


def test_half_written_worktree_is_repaired(world: Any, killed: type[BaseException]) -> None:
    """Files that a killed git had begun to write are no edits of the agent; what is in doubt is kept aside."""
    world.agent("a1")
    place = world.agent("a2")
    world.edit("a1", "core/b.py", "b = 2\n")
    world.edit("a1", "core/n.py", "n = 1\n")
    world.land("a1")
    dying, _ = world.dying(2)
    with pytest.raises(killed):
        syncing.sync(dying, agent="a2")
    world.edit("a2", "core/n.py", "n = 1\n")
    world.bury(2)
    outcome = synced(world, "a2")
    assert outcome.committed == ""
    assert (place / "core/b.py").read_text() == "b = 2\n"
    assert [kept.paths for kept in salvaging.salvages(world.context)] == [("core/n.py",)]


def test_sync_brings_what_prerequisites_landed(world: Any) -> None:
    """A task builds on the tasks before it, whatever stream they landed on and whatever files it declares."""
    place = world.agent("a1")
    world.agent("x1", "api")
    before = Task(id="before", title="feat: first", stream="api", command="true")
    tasks.import_tasks(
        world.context,
        tasks=(before, Task(id="then", title="feat: next", stream="core", command="true", after=("before",))),
    )
    assert tasks.take(world.context, agent="x1") is not None
    world.edit("x1", "api/x.py", "x = 2\n")
    world.land("x1")
    tasks.finish(world.context, agent="x1", task="before")
    assert synced(world, "a1").merged == ()
    taken = tasks.take(world.context, agent="a1")
    assert taken is not None
    assert taken.id == "then"
    assert len(synced(world, "a1").merged) == 1
    assert (place / "api/x.py").read_text() == "x = 2\n"


def test_asking_completes_a_dead_landing_in_the_way(world: Any, killed: type[BaseException]) -> None:
    """A lease that a killed landing holds in place is free as soon as anybody asks for it."""
    world.agent("a1", pid=7)
    world.agent("a2")
    world.lock("a1", "core/a.py")
    world.edit("a1", "core/a.py", "a = 2\n")
    dying, _ = world.dying(2)
    with pytest.raises(killed):
        landing.land(dying, agent="a1")
    assert not leases.acquire(world.context, agent="a2", resources=["core/a.py"]).granted
    world.bury(2)
    assert leases.acquire(world.context, agent="a2", resources=["core/a.py"]).granted
    assert world.text("core", "core/a.py") == "a = 2"
