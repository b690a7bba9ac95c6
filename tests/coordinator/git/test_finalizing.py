"""Finalizing: phases, conflicts, gates, tests, the target, and kills."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pucs.coordinator import conflicts, finalizing, syncing
from pucs.core.errors import NotFound
from pucs.streams.records import StreamState
from pucs.streams.settings import MergeSettings

pytestmark = pytest.mark.git


def steps(first: int, last: int, quick: set[int]) -> list[Any]:
    """Return the changes to die after: a few in every run, all of them in the slow ones."""
    return [at if at in quick else pytest.param(at, marks=pytest.mark.slow) for at in range(first, last + 1)]


def change(world: Any, agent: str, stream: str, path: str, text: str) -> None:
    """Let an agent of a stream land one change."""
    if agent not in world.places:
        world.agent(agent, stream)
    world.edit(agent, path, text)
    world.land(agent)


def result(world: Any, path: str) -> str:
    """Return a file as the session branch has it."""
    return str(world.git("show", f"pucs/session-S1:{path}"))


def states(world: Any) -> dict[str, StreamState]:
    """Return where each stream stands."""
    with world.context.store.read() as tx:
        return {row.stream.name: row.state for row in tx.sessions.streams("S1")}


def test_merges_in_phases_and_repeats(world: Any) -> None:
    """Streams merge after those they depend on, each by a merge commit; a second call finds everything done."""
    change(world, "x1", "api", "api/x.py", "x = 2\n")
    change(world, "a1", "core", "core/a.py", "a = 2\n")
    said: list[str] = []
    plan = finalizing.finalize(world.context, dry_run=True)
    assert plan.phases == ((("core",), ("docs",)), (("api",),))
    assert (plan.merged, plan.complete) == (("core", "api"), True)
    assert world.git("rev-parse", "pucs/session-S1") == world.git("rev-parse", "main")
    outcome = finalizing.finalize(world.context, on_progress=said.append)
    assert (outcome.merged, outcome.already, outcome.unmerged) == (("core", "api"), ("docs",), ())
    assert (result(world, "core/a.py"), result(world, "api/x.py")) == ("a = 2", "x = 2")
    assert world.git("log", "--first-parent", "--format=%s", "main..pucs/session-S1").split("\n") == [
        "[PUCS-api] chore: Merge stream api",
        "[PUCS-core] chore: Merge stream core",
    ]
    assert said
    assert states(world)["core"] is StreamState.MERGED
    again = finalizing.finalize(world.context)
    assert (again.merged, again.already, again.commit) == ((), ("core", "docs", "api"), outcome.commit)
    change(world, "a1", "core", "core/a.py", "a = 3\n")
    assert states(world)["core"] is StreamState.ACTIVE
    assert finalizing.finalize(world.context).merged == ("core",)
    assert result(world, "core/a.py") == "a = 3"


@pytest.mark.slow
def test_conflicting_streams(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What git cannot merge stays intact with one record, the rest merges; resolved by a landing, it merges too."""
    world.agent("x1", "api")
    world.edit("x1", "shared.txt", "by api\n")
    change(world, "d1", "docs", "docs/d.md", "d\n")
    change(world, "a1", "core", "shared.txt", "by core\n")
    with monkeypatch.context() as patch:
        patch.setattr(syncing, "missing", lambda *_: [])  # as if it had landed before the other stream did
        world.land("x1")
    outcome = finalizing.finalize(world.context)
    assert outcome.merged == ("core", "docs")
    (held,) = outcome.held
    assert (held.stream, held.reason, held.paths) == ("api", "conflict", ("shared.txt",))
    assert states(world)["api"] is StreamState.CONFLICTED
    assert world.text("api", "shared.txt") == "by api"
    assert finalizing.finalize(world.context).held[0].conflict == held.conflict
    world.lock("x1", "shared.txt")
    assert isinstance(syncing.sync(world.context, agent="x1"), syncing.NotSynced)
    place = world.places["x1"]
    with pytest.raises(Exception, match="returned non-zero"):
        world.git("merge", world.branch("core"), at=place)
    world.edit("x1", "shared.txt", "by both\n")
    world.land("x1")
    outcome = finalizing.finalize(world.context)
    assert (outcome.merged, outcome.held) == (("api",), ())
    assert result(world, "shared.txt") == "by both"
    assert conflicts.conflicts(world.context, unresolved=True) == []


@pytest.mark.slow
def test_synced_stream_waits_for_its_source(world: Any) -> None:
    """A stream that synced from another is not merged without it; synced both ways they leave as one group."""
    change(world, "a1", "core", "shared.txt", "by core\n")
    world.agent("d1", "docs")
    world.lock("d1", "shared.txt")
    syncing.sync(world.context, agent="d1")
    world.edit("d1", "shared.txt", "by core\nand docs\n")
    world.land("d1")
    outcome = finalizing.finalize(world.context, streams=["docs"])
    assert [(each.stream, each.reason) for each in outcome.held] == [("docs", "depends")]
    world.lock("a1", "shared.txt")
    syncing.sync(world.context, agent="a1")
    world.edit("a1", "core/a.py", "a = 2\n")
    world.edit("a1", "shared.txt", "all\n")
    world.land("a1")
    outcome = finalizing.finalize(world.context)
    assert ("core", "docs") in outcome.phases[0]
    assert set(outcome.merged) == {"core", "docs"}
    assert result(world, "shared.txt") == "all"


@pytest.mark.slow
def test_gates_judge_own_commits(world: Any) -> None:
    """A commit that came onto a stream's branch by hand keeps the stream out; other streams are merged."""
    change(world, "a1", "core", "core/a.py", "a = 2\n")
    change(world, "d1", "docs", "docs/d.md", "d\n")
    place = world.places["a1"]
    world.edit("a1", "api/x.py", "x = 'smuggled'\n")
    world.git("commit", "-q", "-a", "-m", "smuggled", at=place)
    world.git("update-ref", f"refs/heads/{world.branch('core')}", "HEAD", at=place)
    outcome = finalizing.finalize(world.context)
    assert outcome.merged == ("docs",)
    (held,) = outcome.held
    assert (held.stream, held.reason) == ("core", "gate")
    assert "without a landing" in held.message


@pytest.mark.slow
def test_failing_tests_take_nothing_of_the_phase(make_world: Callable[..., Any]) -> None:
    """A phase whose result fails the tests is not taken; the record holds the output; fixed, it is."""
    world = make_world(merge=MergeSettings(test_command="echo checking; ! grep -q broken core/a.py"))
    change(world, "a1", "core", "core/a.py", "broken\n")
    change(world, "x1", "api", "api/x.py", "x = 2\n")
    outcome = finalizing.finalize(world.context)
    assert (outcome.merged, outcome.tests_passed) == (("api",), False)
    assert [(each.stream, each.reason) for each in outcome.held] == [("core", "tests")]
    (record,) = conflicts.conflicts(world.context, unresolved=True)
    assert "checking" in record.evidence["output"]
    change(world, "a1", "core", "core/a.py", "mended\n")
    outcome = finalizing.finalize(world.context)
    assert (outcome.merged, outcome.tests_passed) == (("core",), True)
    assert conflicts.conflicts(world.context, unresolved=True) == []
    assert len(world.context.worktrees.paths()) == 3


@pytest.mark.slow
def test_target_moves_only_where_nobody_has_it_out(world: Any) -> None:
    """A free target is moved, merged with what went on there; one that is out is left, with the command to take it."""
    change(world, "a1", "core", "core/a.py", "a = 2\n")
    world.git("branch", "release")
    outcome = finalizing.finalize(world.context, target="main")
    assert outcome.target_commit == ""
    assert outcome.how_to_take == f"cd {world.root} && git merge pucs/session-S1"
    assert "git merge pucs/session-S1" in finalizing.finalize(world.context).how_to_take
    assert finalizing.finalize(world.context, target="release").target_commit == outcome.commit
    other = world.context.repository.commit("main^{tree}", ["main"], "elsewhere", author="x")
    world.git("branch", "moved", other)
    outcome = finalizing.finalize(world.context, target="moved")
    assert world.git("show", "moved:core/a.py") == "a = 2"
    assert world.git("rev-list", "--parents", "-1", "moved").split()[1:] == [other, outcome.commit]
    assert finalizing.finalize(world.context, target="moved").target_commit == outcome.target_commit
    with pytest.raises(NotFound):
        finalizing.finalize(world.context, target="nowhere")
    with pytest.raises(NotFound):
        finalizing.finalize(world.context, streams=["nowhere"])


@pytest.mark.slow
@pytest.mark.parametrize("at", steps(1, 10, {3}))
def test_kill_while_finalizing(world: Any, killed: type[BaseException], at: int) -> None:
    """Killed after any change, finalizing goes on where it was, and merges nothing twice."""
    change(world, "x1", "api", "api/x.py", "x = 2\n")
    change(world, "a1", "core", "core/a.py", "a = 2\n")
    world.git("branch", "release")
    dying, death = world.dying(at)
    with pytest.raises(killed):
        finalizing.finalize(dying, target="release")
    assert death.dead
    world.bury(at)
    outcome = finalizing.finalize(world.context, target="release")
    assert outcome.target_commit == outcome.commit == world.git("rev-parse", "release")
    assert set(outcome.merged) | set(outcome.already) == {"core", "api", "docs"}
    assert len(world.git("log", "--first-parent", "--format=%s", "main..release").split("\n")) == 2
    assert states(world)["core"] is states(world)["api"] is StreamState.MERGED
    with world.context.store.read() as tx:
        assert tx.intentions.all() == []
