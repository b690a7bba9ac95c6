"""Agents of three streams in one file, at random: whatever they do, the result holds what each landed last."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from pucs.coordinator import finalizing, landing, leases, syncing, verifying

pytestmark = [pytest.mark.git, pytest.mark.slow]

SHOP = "shop.py"
FUNCTIONS = [f"f{number}" for number in range(8)]
TEXT = '"""A shop."""\n\n' + "\n".join(
    f"\ndef {name}():\n    said = 'start'\n    return said\n" for name in FUNCTIONS
)
STEPS = 80


def said(text: str, name: str) -> str:
    """Return what a function of the shop says."""
    found = re.search(rf"def {name}\(\):\n    said = '([^']*)'", text)
    assert found is not None
    return found[1]


class Crew:
    """Five agents, and what they should have brought about."""

    def __init__(self, world: Any, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)  # noqa: S311 - a play of chance that can be repeated
        self.landed = dict.fromkeys(FUNCTIONS, "start")
        self.held: dict[str, set[str]] = {}
        self.pending: dict[str, dict[str, str]] = {}
        self.done: Counter[str] = Counter()
        for name, stream in zip("abcde", ["core", "api", "docs", "core", "api"], strict=True):
            world.agent(name, stream)
            self.held[name], self.pending[name] = set(), {}

    def text(self, agent: str) -> str:
        """Return an agent's version of the shop."""
        return str((self.world.places[agent] / SHOP).read_text())

    def write(self, agent: str, name: str, word: str) -> None:
        """Let a function say something in an agent's version."""
        text, count = re.subn(rf"(def {name}\(\):\n    said = ')[^']*'", rf"\g<1>{word}'", self.text(agent))
        assert count == 1
        (self.world.places[agent] / SHOP).write_text(text)

    def sync(self, agent: str) -> None:
        """Sync, which never conflicts."""
        outcome = syncing.sync(self.world.context, agent=agent)
        assert isinstance(outcome, syncing.Synced), outcome

    def lock(self, agent: str) -> None:
        """Lease a function if it is free; then its newest version is there."""
        name = self.random.choice(FUNCTIONS)
        if leases.acquire(self.world.context, agent=agent, resources=[f"{SHOP}::{name}"]).granted:
            self.sync(agent)
            self.held[agent].add(name)
            if name not in self.pending[agent]:
                assert said(self.text(agent), name) == self.landed[name]

    def edit(self, agent: str, word: str) -> None:
        """Change a function that the agent holds."""
        name = self.random.choice(sorted(self.held[agent]))
        self.write(agent, name, word)
        self.pending[agent][name] = word

    def trespass(self, agent: str, word: str) -> None:
        """Change a function that another holds: all of the file is parked, and the agent begins again."""
        others = [name for other in self.held if other != agent for name in sorted(self.held[other])]
        if not others:
            return
        self.write(agent, self.random.choice(others), word)
        outcome = landing.land(self.world.context, agent=agent)
        assert isinstance(outcome, landing.NotLanded), outcome
        kept = self.world.git("show", f"{outcome.parked[-1].ref}:{SHOP}")
        assert word in kept
        assert all(said(kept, name) == each for name, each in self.pending[agent].items())
        assert word not in self.text(agent)
        self.pending[agent] = {}

    def land(self, agent: str) -> None:
        """Land just what the agent changed in what it held, without a late lease."""
        outcome = landing.land(self.world.context, agent=agent)
        assert isinstance(outcome, landing.Landed), outcome
        assert set(outcome.symbols) == {f"{SHOP}::{name}" for name in self.pending[agent]}
        assert not outcome.parked
        assert not outcome.late
        self.landed |= self.pending[agent]
        self.pending[agent], self.held[agent] = {}, set()

    def step(self, number: int) -> None:
        """Let one agent do something."""
        agent = self.random.choice(sorted(self.held))
        free = ["lock", "lock", "sync"]
        busy = ["edit", "edit", "edit", "trespass", "land", "commit", "sync", "lock"]
        act = self.random.choice(busy if self.held[agent] else free)
        self.done[act] += 1
        match act:
            case "edit":
                self.edit(agent, f"{agent}{number}")
            case "trespass":
                self.trespass(agent, f"not mine {number}")
            case "commit":
                place = self.world.places[agent]
                self.world.git("commit", "-qam", "my own words", "--allow-empty", at=place)
            case "sync":
                self.sync(agent)
            case "lock":
                self.lock(agent)
            case "land":
                self.land(agent)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_work_in_one_file(make_world: Callable[..., Any], seed: int) -> None:
    """Every landing is what its agent changed under its leases, and after the merge each function says what was landed last."""
    world = make_world(files={SHOP: TEXT})
    crew = Crew(world, seed)
    for number in range(STEPS):
        crew.step(number)
    for agent in crew.held:
        crew.land(agent)
    assert {"edit", "trespass", "land", "commit", "sync", "lock"} <= crew.done.keys()
    assert not finalizing.finalize(world.context).unmerged
    with world.context.store.read() as tx:
        result = world.git("show", f"{tx.sessions.get('S1').branch}:{SHOP}")
    assert {name: said(result, name) for name in FUNCTIONS} == crew.landed
    assert result.count("def ") == len(FUNCTIONS)
    assert verifying.verify(world.context).ok
