"""Where agents work: worktrees from a template, made again when lost, and refused in words."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs.coordinator import agents
from pucs.coordinator.places import prepare_worktree
from pucs.core.errors import EnvironmentFailure, NotFound, Refused
from pucs.streams.settings import WorktreeSettings
from tests.coordinator.git.conftest import World

pytestmark = pytest.mark.git


def test_worktree_begins_at_the_streams_branch(world: World) -> None:
    """An agent's own branch starts where its stream is, so that what has landed is there from the first."""
    world.agent("one")
    world.lock("one", "core/a.py")
    world.edit("one", "core/a.py", "a = 2\n")
    world.land("one")
    place = world.agent("two")
    assert (place / "core" / "a.py").read_text(encoding="utf-8") == "a = 2\n"
    assert world.git("branch", "--show-current", at=place).startswith("pucs/agent/two-")


def test_preparing_twice_changes_nothing(world: World) -> None:
    """The second call finds what the first one made, with the agent's edits in it."""
    place = world.agent("one")
    (place / "core" / "a.py").write_text("mine\n", encoding="utf-8")
    again = prepare_worktree(world.context, agent="one")
    assert again.worktree == str(place)
    assert (place / "core" / "a.py").read_text(encoding="utf-8") == "mine\n"


def test_deleted_worktree_is_made_again(world: World) -> None:
    """What a person removed by hand comes back at the agent's branch."""
    place = world.agent("one")
    shutil.rmtree(place)
    assert Path(prepare_worktree(world.context, agent="one").worktree) == place
    assert (place / "core" / "a.py").exists()


def test_template_and_copies_are_followed(make_world: Callable[..., World]) -> None:
    """The path is built from the configuration, and ignored files that it names are brought along."""
    world = make_world(
        worktrees=WorktreeSettings(path="../{repo}.{session}/{stream}/{agent}", copy=(".env",))
    )
    (world.root / ".env").write_text("KEY=1\n", encoding="utf-8")
    place = world.agent("one")
    assert place == world.root.parent / f"{world.root.name}.S1" / "core" / "one"
    assert (place / ".env").read_text(encoding="utf-8") == "KEY=1\n"


def test_agent_without_a_stream_starts_at_the_session(world: World) -> None:
    """An agent that claimed no stream works from the session branch."""
    agents.register(world.context, agent="free")
    made = prepare_worktree(world.context, agent="free")
    assert world.git("rev-parse", "HEAD", at=Path(made.worktree)) == world.git("rev-parse", "HEAD")


def test_stranger_has_no_place(world: World) -> None:
    """An agent that nobody registered gets no worktree."""
    with pytest.raises(NotFound, match="no agent 'nobody'"):
        prepare_worktree(world.context, agent="nobody")


def test_place_that_cannot_be_made_names_the_setting(make_world: Callable[..., World]) -> None:
    """The words lead to worktrees.path."""
    world = make_world(worktrees=WorktreeSettings(path="/proc/none/{agent}"))
    agents.register(world.context, agent="one", stream="core")
    with pytest.raises(EnvironmentFailure, match=r"/proc/none.*worktrees\.path"):
        prepare_worktree(world.context, agent="one")


def test_place_that_is_taken_is_refused(world: World) -> None:
    """A directory with something in it is left alone."""
    agents.register(world.context, agent="one", stream="core")
    taken = world.root.parent / f"{world.root.name}.pucs" / "one"
    taken.mkdir(parents=True)
    (taken / "mine").write_text("mine", encoding="utf-8")
    with pytest.raises(Refused, match=r"worktrees\.path"):
        prepare_worktree(world.context, agent="one")
    assert (taken / "mine").read_text(encoding="utf-8") == "mine"
