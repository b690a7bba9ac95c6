"""Verifying: every change is accounted for, or named."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from pucs.coordinator import finalizing, landing, salvaging, verifying
from pucs.coordinator.verifying import Weight

pytestmark = pytest.mark.git


def found(world: Any) -> list[tuple[str, str]]:
    """Return severity and kind of each finding."""
    return [(each.severity.value, each.kind) for each in verifying.verify(world.context).findings]


@pytest.mark.slow
def test_whole_life_is_accounted_for(world: Any) -> None:
    """Edits, then commits, are open until they landed; a landed stream is named until it is merged."""
    place = world.agent("a1")
    world.agent("a2")
    assert verifying.verify(world.context) == verifying.Verification(ok=True, findings=())
    world.edit("a1", "core/a.py", "a = 2\n")
    assert found(world) == [("open", "edits")]
    world.git("commit", "-q", "-a", "-m", "raw", at=place)
    assert found(world) == [("open", "commits")]
    world.land("a1")
    assert found(world) == [("info", "merge")]
    finalizing.finalize(world.context)
    assert found(world) == []
    assert verifying.verify(world.context).ok


@pytest.mark.slow
def test_kept_work_is_accounted_for(world: Any) -> None:
    """Work on a salvage ref is listed, and what it holds is open no more, until it is edited again."""
    place = world.agent("a1")
    world.edit("a1", "core/a.py", "a = 2\n")
    world.git("commit", "-q", "-a", "-m", "raw", at=place)
    world.edit("a1", "core/b.py", "b = 2\n")
    salvaging.keep_work(world.context, agent="a1", reason="failed")
    assert found(world) == [("info", "salvage")]
    world.edit("a1", "core/b.py", "b = 3\n")
    assert found(world) == [("open", "edits"), ("info", "salvage")]
    shutil.rmtree(place)
    assert found(world) == [("info", "worktree"), ("info", "salvage")]


@pytest.mark.slow
def test_lost_landing_is_found(world: Any) -> None:
    """A stream branch that somebody moved back is found to lack the landing, and so is a session branch."""
    world.agent("a1")
    world.edit("a1", "core/a.py", "a = 2\n")
    world.land("a1")
    finalizing.finalize(world.context)
    world.git("update-ref", "refs/heads/pucs/session-S1", "main")
    assert found(world) == [("lost", "merge")]
    world.git("update-ref", f"refs/heads/{world.branch('core')}", "main")
    lost = verifying.verify(world.context)
    assert not lost.ok
    assert ("lost", "landing") in found(world)
    assert "core/a.py" in lost.findings[0].files


def test_unfinished_step_is_found(world: Any, killed: type[BaseException]) -> None:
    """An intention that a dead process left is open until the next verb closes it."""
    world.agent("a1")
    world.lock("a1", "core/a.py")
    world.edit("a1", "core/a.py", "a = 2\n")
    dying, _ = world.dying(2)
    with pytest.raises(killed):
        landing.land(dying, agent="a1")
    world.bury(2)
    (step,) = [each for each in verifying.verify(world.context).findings if each.kind == "intention"]
    assert (step.severity, "dead" in step.message) == (Weight.OPEN, True)
    world.land("a1")
    assert found(world) == [("info", "merge")]


def test_worktree_without_its_git_file_is_open_until_it_is_mended(world: Any) -> None:
    """What lies in a directory that git does not know any more is nowhere else; the remedy brings it back."""
    place = world.agent("a1")
    world.edit("a1", "core/a.py", "a = 2\n")
    (place / ".git").unlink()
    (lost,) = verifying.verify(world.context).findings
    assert (lost.severity, lost.kind) == (Weight.OPEN, "worktree")
    assert lost.remedy == "Mend it: git worktree repair"
    world.git("worktree", "repair")
    assert found(world) == [("open", "edits")]


def test_edits_are_open_also_without_their_branch(world: Any) -> None:
    """An agent that deletes its own branch has its files still."""
    place = world.agent("a1")
    world.edit("a1", "core/a.py", "a = 2\n")
    world.git("update-ref", "-d", world.git("symbolic-ref", "HEAD", at=place))
    assert found(world) == [("open", "edits")]


def test_commits_on_no_branch_are_open(world: Any) -> None:
    """They would go with the worktree; on a branch of any name they stay."""
    place = world.agent("a1")
    world.edit("a1", "core/a.py", "a = 2\n")
    world.git("checkout", "-q", "--detach", at=place)
    assert found(world) == [("open", "edits")]
    world.git("commit", "-q", "-a", "-m", "mine", at=place)
    (open_one,) = verifying.verify(world.context).findings
    assert (open_one.kind, open_one.ref) == ("commits", world.git("rev-parse", "HEAD", at=place))
    world.git("switch", "-q", "-c", "own", at=place)
    assert found(world) == []
