"""What an agent is told before it commits by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pucs.coordinator import agents, leases, sessions
from pucs.coordinator.committing import Judged, judge_files
from pucs.core.errors import NotFound
from pucs.core.resources import Resource

if TYPE_CHECKING:
    from tests.coordinator.git.conftest import World

pytestmark = pytest.mark.git


def judged_in(world: World, top: object, *paths: str, agent: str = "") -> Judged:
    """Judge these paths in a checkout."""
    return judge_files(world.context, top=str(top), paths=[Resource(path) for path in paths], agent=agent)


def said(judged: Judged) -> dict[str, str]:
    """Return the reasons by path."""
    return {one.path: one.reason for one in judged.objections}


def test_what_its_landing_would_refuse_is_said_before_the_commit(world: World) -> None:
    """Another stream's file and one that another agent holds; its own and free ones pass."""
    place = world.agent("a1")
    agents.register(world.context, agent="a2", stream="core")
    world.lock("a1", "core/a.py")
    world.lock("a2", "core/b.py")
    judged = judged_in(world, place, "shared.txt", "core/b.py", "core/a.py", "api/x.py")
    assert judged.agent == "a1"
    found = said(judged)
    assert list(found) == ["api/x.py", "core/b.py"]
    assert found["api/x.py"] == "api/x.py belongs to stream api"
    assert "core/b.py is held by a2" in found["core/b.py"]
    assert [(one.holder, one.stream) for one in judged.objections] == [("", "api"), ("a2", "")]


def test_a_lease_that_is_over_and_passed_on_does_not_cover_a_commit(world: World) -> None:
    """Nor does one on a directory above the file; who holds it now is named."""
    place = world.agent("a1")
    world.lock("a1", "core/a.py")
    world.clock.pass_s(100_000.0)
    agents.register(world.context, agent="a2", stream="core")
    assert leases.acquire(world.context, agent="a2", resources=["core/"]).granted
    found = said(judged_in(world, place, "core/a.py", "core/b.py", agent="a1"))
    assert found["core/b.py"].startswith("core/b.py: core/ is held by a2")
    assert "is held by a2" in found["core/a.py"]


def test_only_commits_of_agents_are_judged(world: World) -> None:
    """A person's checkout and a time without a session pass; an agent in another's worktree, or unknown, does not."""
    place = world.agent("a1")
    other = world.agent("a2")
    assert judged_in(world, world.root, "api/x.py") == Judged(agent="")
    astray = judged_in(world, other, "core/a.py", agent="a1")
    assert [one.reason for one in astray.objections] == [f"{other} is not the worktree of a1"]
    with pytest.raises(NotFound, match="no agent 'nobody'"):
        judged_in(world, place, "core/a.py", agent="nobody")
    sessions.end(world.context)
    assert judged_in(world, place, "api/x.py", agent="a1") == Judged(agent="")
