"""Salvage: work that is kept aside."""

from __future__ import annotations

from typing import Any

import pytest

from pucs.coordinator import salvaging
from pucs.core.errors import NotFound, Refused, Usage

pytestmark = pytest.mark.git


def test_keep_list_show_restore(world: Any) -> None:
    """What an agent leaves is kept under its name, shown as a patch, and comes back as a branch."""
    place = world.agent("a1")
    assert salvaging.keep_work(world.context, agent="a1", reason="nothing yet") == ""
    world.edit("a1", "core/a.py", "a = 'committed'\n")
    world.git("commit", "-q", "-a", "-m", "raw", at=place)
    world.edit("a1", "core/new.py", "new = 1\n")
    ref = salvaging.keep_work(world.context, agent="a1", reason="it failed: exit 1")
    assert ref == "refs/pucs/salvage/S1/a1/1"
    assert (place / "core/new.py").exists()
    (kept,) = salvaging.salvages(world.context, session="S1")
    assert (kept.session, kept.agent, kept.stream, kept.reason) == ("S1", "a1", "core", "it failed: exit 1")
    _, patch = salvaging.show(world.context, ref=ref)
    assert "+new = 1" in patch
    commit = salvaging.restore(world.context, ref="S1/a1/1", branch="rescue")
    assert world.git("show", "rescue:core/a.py") == "a = 'committed'"
    assert world.git("rev-parse", "rescue") == commit
    assert salvaging.keep_work(world.context, agent="a1", reason="again") == "refs/pucs/salvage/S1/a1/2"


def test_restore_refuses(world: Any) -> None:
    """A taken branch, a bad name and an unknown ref are refused."""
    world.agent("a1")
    world.edit("a1", "core/a.py", "a = 2\n")
    ref = salvaging.keep_work(world.context, agent="a1", reason="r")
    with pytest.raises(Refused, match="exists"):
        salvaging.restore(world.context, ref=ref, branch="main")
    with pytest.raises(Usage):
        salvaging.restore(world.context, ref=ref, branch="-x")
    for unknown in ("S1/a1/9", "refs/heads/main"):
        with pytest.raises(NotFound):
            salvaging.show(world.context, ref=unknown)


def test_worktree_on_other_branch_is_refused(world: Any) -> None:
    """An agent that wandered to another branch is told to come back before anything is done."""
    place = world.agent("a1")
    world.git("switch", "-q", "-c", "elsewhere", at=place)
    with pytest.raises(Refused, match="elsewhere instead of"):
        salvaging.bench_of(world.context, "a1")
    with pytest.raises(NotFound):
        salvaging.bench_of(world.context, "nobody")
