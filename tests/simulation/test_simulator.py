"""Hundreds of agents in virtual time break no rule, and what breaks one can be replayed from its seed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.simulation.plants import PLANTS
from tests.simulation.schedule import Broken
from tests.simulation.simulator import Order, simulate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_three_hundred_agents_break_no_rule() -> None:
    """Everything that can go wrong goes wrong, and each agent has what it was told, and nobody is forgotten."""
    counts = simulate(Order(seed=1, agents=300, seconds=10.0, mishaps_per_s=8.0)).counts
    assert counts["told it was granted"] > 60
    assert counts["lock claimed"] > 5
    assert counts["lease reclaimed"] > 0
    assert counts["lease expired"] > 3


@pytest.mark.slow
def test_sets_that_grow_and_change_break_no_rule() -> None:
    """Agents that hold something ask for more, for symbols and slots too, wait for it, and go on with less."""
    counts: Counter[str] = Counter()
    for seed in range(1, 4):
        for crowd in ("few", "slots", "hasty"):
            counts.update(simulate(Order(seed=seed, crowd=crowd, agents=12, seconds=30.0)).counts)
    assert counts["lease converted"] > 5
    assert counts["lock downgraded"] > 0
    assert counts["lock refused"] > 0, "nobody ever met a circle"


def test_agents_that_wait_without_a_process_break_no_rule() -> None:
    """Denied edits keep their places, sleepers are woken at their turn, and a turn that nobody claims passes on."""
    counts: Counter[str] = Counter()
    for seed in range(1, 5):
        counts.update(simulate(Order(seed=seed, crowd="suspended", agents=12, seconds=30.0)).counts)
    assert counts["woken at its turn"] > 10
    assert counts["lease lapsed"] > 0
    assert counts["lock refused"] > 0


def test_the_same_seed_tells_the_same_history() -> None:
    """A history follows from its seed alone, down to the last step."""
    one, two, other = (simulate(Order(seed=seed, agents=30, seconds=10.0)) for seed in (7, 7, 8))
    assert (one.digest, one.steps) == (two.digest, two.steps)
    assert one.digest != other.digest


def test_what_breaks_a_rule_can_be_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the rule, the command that shows it again, and the last steps before it."""
    PLANTS["newcomers ignore the queue"].install(monkeypatch)
    with pytest.raises(Broken, match="order") as caught:
        simulate(Order(seed=3, agents=60, seconds=30.0))
    said = str(caught.value).splitlines()
    assert said[1] == "again: ./run proof simulate --seed 3 --crowd many --agents 60 --seconds 30"
    assert 20 <= len(said) - 2 <= 30


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(100, 104))
def test_no_long_run_breaks_a_rule(seed: int) -> None:
    """The same, longer, with agents of both kinds."""
    simulate(Order(seed=seed, agents=300, seconds=30.0))
    for crowd in ("few", "slots", "hasty", "suspended"):
        simulate(Order(seed=seed, crowd=crowd, agents=30, seconds=60.0))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(2))
def test_a_store_on_disk_keeps_the_rules_too(tmp_path: Path, seed: int) -> None:
    """The same on a file, with its gate and a connection for each agent; now and then it is put back from a backup."""
    counts = simulate(Order(seed=seed, crowd="few", agents=30, seconds=40.0, reboots=0.1), tmp_path).counts
    assert counts["restores"] > 0
