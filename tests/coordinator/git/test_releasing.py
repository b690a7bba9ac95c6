"""Giving up leases: what changed lands if it can, is kept if it cannot, and nothing is lost."""

from __future__ import annotations

import pytest

from pucs.coordinator.releasing import give_up
from pucs.core.errors import Usage
from pucs.core.modes import Mode
from tests.coordinator.git.conftest import World

pytestmark = pytest.mark.git


def test_unchanged_files_are_simply_given_up(world: World) -> None:
    """Without an edit there is nothing to land."""
    world.agent("one")
    world.lock("one", "core/a.py", "shared.txt")
    done = give_up(world.context, agent="one")
    assert (set(done.resources), done.landed, done.parked) == ({"core/a.py", "shared.txt"}, (), ())
    assert world.held("one") == []


def test_edit_lands_before_its_lease_ends(world: World) -> None:
    """The next holder finds the edit on the stream's branch."""
    world.agent("one")
    world.lock("one", "core/a.py", "core/b.py")
    world.edit("one", "core/a.py", "a = 2\n")
    done = give_up(world.context, agent="one", resources=["core/a.py"])
    assert (done.resources, done.landed) == (("core/a.py",), ("core/a.py",))
    assert world.text("core", "core/a.py") == "a = 2"
    assert world.held("one") == ["core/b.py"]


def test_edit_that_cannot_land_is_kept(world: World) -> None:
    """When the branch has gone another way, the edit goes to a salvage ref and the lease ends."""
    place = world.agent("one")
    world.lock("one", "core/a.py")
    world.edit("one", "core/a.py", "a = 2\n\n\nz = 1\n")
    branch = f"refs/heads/{world.branch('core')}"
    (place / "core" / "b.py").write_text("b = 1\n", encoding="utf-8")
    other = world.agent("two")
    (other / "core" / "a.py").write_text("a = 3\n\n\nz = 1\n", encoding="utf-8")
    world.git("commit", "-qam", "By hand", at=other)
    world.git("update-ref", branch, world.git("rev-parse", "HEAD", at=other))
    done = give_up(world.context, agent="one")
    assert done.resources == ("core/a.py",)
    assert done.landed == ()
    assert world.git("show", f"{done.parked[0].ref}:core/a.py").startswith("a = 2")
    assert world.held("one") == []


def test_directory_lease_lands_what_is_below(world: World) -> None:
    """New files count as edits of the directory that was leased."""
    world.agent("one")
    world.lock("one", "core/")
    world.edit("one", "core/deep/new.py", "n = 1\n")
    assert give_up(world.context, agent="one").landed == ("core/deep/new.py",)


def test_only_the_named_token_is_given_up(world: World) -> None:
    """A token that is not held changes nothing."""
    world.agent("one")
    tokens = world.lock("one", "core/a.py", "core/b.py")
    assert give_up(world.context, agent="one", token=1).resources == ()
    assert give_up(world.context, agent="one", token=tokens["core/b.py"]).resources == ("core/b.py",)
    assert world.held("one") == ["core/a.py"]


def test_nobody_gives_up_what_another_holds(world: World) -> None:
    """Names of resources that one does not hold are passed over."""
    world.agent("one")
    world.agent("two")
    world.lock("one", "core/a.py")
    assert give_up(world.context, agent="two", resources=["core/a.py"]).resources == ()
    assert give_up(world.context, agent="stranger").resources == ()
    assert world.held("one") == ["core/a.py"]


def test_a_weaker_mode_lands_the_edits_first_and_keeps_the_lease(world: World) -> None:
    """What was changed is on the branch before anybody else may read it, and no writer comes between."""
    world.agent("one")
    old = world.lock("one", "core/a.py")["core/a.py"]
    world.edit("one", "core/a.py", "a = 2\n")
    done = give_up(world.context, agent="one", resources=["core/a.py"], to=Mode.SHARED_READ)
    assert (done.resources, done.landed) == (("core/a.py",), ("core/a.py",))
    assert done.tokens["core/a.py"] > old
    assert world.text("core", "core/a.py") == "a = 2"
    assert world.held("one") == ["core/a.py"]
    again = give_up(world.context, agent="one", resources=["core/a.py"], to=Mode.SHARED_READ)
    assert again.resources == ()
    with pytest.raises(Usage, match="No mode is stronger"):
        give_up(world.context, agent="one", to=Mode.EXCLUSIVE)


def test_a_weaker_mode_keeps_aside_what_cannot_land(world: World) -> None:
    """The edit is on a salvage ref and out of the worktree; the lease is weaker, and still there."""
    world.agent("one")
    other = world.agent("two")
    world.lock("one", "core/a.py")
    world.edit("one", "core/a.py", "a = 2\n\n\nz = 1\n")
    (other / "core" / "a.py").write_text("a = 3\n\n\nz = 1\n", encoding="utf-8")
    world.git("commit", "-qam", "By hand", at=other)
    world.git("update-ref", f"refs/heads/{world.branch('core')}", world.git("rev-parse", "HEAD", at=other))
    done = give_up(world.context, agent="one", to=Mode.INTENT)
    assert world.git("show", f"{done.parked[0].ref}:core/a.py").startswith("a = 2")
    assert world.held("one") == ["core/a.py"]


def test_a_named_resource_has_no_weaker_mode(world: World) -> None:
    """It is kept as it is, and given up without a look at git."""
    world.agent("one")
    world.lock("one", "res:port/8080")
    assert give_up(world.context, agent="one", to=Mode.SHARED_READ).resources == ()
    assert give_up(world.context, agent="one").resources == ("res:port/8080",)
