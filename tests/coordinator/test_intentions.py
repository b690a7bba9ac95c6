"""Intentions: which of them nobody is at work on any more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pucs.coordinator.context import Context, unit
from pucs.coordinator.intentions import intend, left_behind
from pucs.core.errors import StoreError
from pucs.testing.fakes import FakeProcesses
from tests.coordinator.test_leases import World

if TYPE_CHECKING:
    from pucs.coordinator.records import Intention
    from tests.conftest import Kept


def landing(context: Context, *, fails: bool = False) -> Intention:
    """Write an intention down; the commit may fail."""
    with unit(context) as opened:
        made = intend(
            context, opened, verb="land", agent="ann", ref="refs/heads/x", old="", new="1", payload={}
        )
        if fails:
            raise StoreError("full")
    return made


def test_an_intention_of_the_dead_is_told_from_one_of_ours_that_came_to_nothing(kept: Kept) -> None:
    """What could not be committed gives its number to the next one, which may be that of a process that dies at once."""
    world = World(kept)
    with pytest.raises(StoreError):
        landing(world.context, fails=True)
    other = world.processes.process(7)
    found = landing(replace(world.context, processes=FakeProcesses(me=other)))
    assert found.id == 1
    assert not left_behind(world.context, found)
    world.processes.kill(other)
    assert left_behind(world.context, found)
    assert not left_behind(world.context, landing(world.context))
