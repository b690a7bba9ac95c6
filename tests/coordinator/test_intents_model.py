"""Any order of plans, leases and ends: what is recorded agrees with a model that tries every pair."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pucs.conflicts.records import Status
from pucs.coordinator.agents import retire
from pucs.coordinator.conflicts import conflicts
from pucs.coordinator.context import Context
from pucs.coordinator.intents import clear, intents, signal
from pucs.coordinator.leases import acquire, release
from pucs.core.resources import contains, overlaps
from pucs.intents.records import IntentState
from pucs.store.sqlite import IN_MEMORY, SQLiteStore
from pucs.streams.records import Session, SessionState
from pucs.streams.settings import Configuration
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

AGENTS = ("ann", "bob", "cy")
NAMES = ("d/", "d/x/", "d/x/a.py", "d/b.py", "e.py")
ESTIMATE_S = 100.0


@dataclass
class Plan:
    """One agent's plan as the model knows it."""

    places: dict[str, int]
    until_s: float


@dataclass
class Model:
    """What ought to be, kept without any of the code under test but the overlap of two resources."""

    plans: dict[str, Plan] = field(default_factory=dict)
    leases: dict[str, set[str]] = field(default_factory=dict)
    count: int = 0

    def signal(self, agent: str, names: list[str], now_s: float) -> None:
        """Declare: what the old plan contained keeps its place; the same plan only lasts longer."""
        outer = {name for name in names if not any(o != name and contains(o, name) for o in names)}
        old = self.plans.get(agent)
        if old is not None and set(old.places) == outer:
            old.until_s = now_s + 2 * ESTIMATE_S
            return
        self.count += 1
        kept = old.places if old else {}
        self.plans[agent] = Plan(
            {
                name: max((place for was, place in kept.items() if contains(was, name)), default=self.count)
                for name in outer
            },
            now_s + 2 * ESTIMATE_S,
        )

    def pass_to(self, now_s: float) -> None:
        """Let plans end by time."""
        self.plans = {agent: plan for agent, plan in self.plans.items() if plan.until_s > now_s}

    def states(self) -> dict[str, IntentState]:
        """Return which plans are contested: by a lease of another, or by an earlier place of another."""
        return {
            agent: IntentState.CONTESTED if self._contested(agent) else IntentState.ACTIVE
            for agent in self.plans
        }

    def _contested(self, agent: str) -> bool:
        mine = self.plans[agent].places
        leased = any(
            overlaps(name, held)
            for other, leases in self.leases.items()
            if other != agent
            for held in leases
            for name in mine
        )
        return leased or any(
            overlaps(name, named) and earlier < place
            for other, plan in self.plans.items()
            if other != agent
            for named, earlier in plan.places.items()
            for name, place in mine.items()
        )


class World:
    """A session on a real store, beside its model."""

    def __init__(self) -> None:
        self.clock, self.model = FakeClock(), Model()
        self.context = Context(
            store=SQLiteStore(IN_MEMORY, self.clock),
            clock=self.clock,
            processes=FakeProcesses(),
            bells=FakeBells(),
            git=cast("Any", None),
            door="test",
        )
        with self.context.store.transaction() as tx:
            tx.sessions.put(
                Session(
                    id="S", state=SessionState.ACTIVE, base="b" * 40, target="", branch="s", started_at=""
                )
            )
            tx.sessions.put_configuration(Configuration())

    def do(self, step: tuple[Any, ...]) -> None:
        """Do one step in both."""
        kind, agent, names, seconds = step
        context, model = self.context, self.model
        if kind == "signal":
            answer = signal(
                context, agent=agent, files=names, description=kind, estimated_duration_s=ESTIMATE_S
            )
            model.signal(agent, names, self.clock.boot_s)
            assert answer.success == (model.states()[agent] is IntentState.ACTIVE)
        elif kind == "clear":
            clear(context, agent=agent)
            model.plans.pop(agent, None)
        elif kind == "lease":
            if acquire(context, agent=agent, resources=names, duration_s=7000.0).granted:
                model.leases.setdefault(agent, set()).update(names)
        elif kind == "release":
            release(context, agent=agent)
            model.leases.pop(agent, None)
        elif kind == "pass":
            self.clock.pass_s(seconds)
        model.pass_to(self.clock.boot_s)


steps = st.tuples(
    st.sampled_from(["signal", "signal", "clear", "lease", "release", "pass"]),
    st.sampled_from(AGENTS),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
    st.sampled_from([50.0, 200.0]),
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, max_size=14))
def test_plans_stand_as_the_model_says(taken: list[tuple[Any, ...]]) -> None:
    """After every step the open intents and their states are those of the model, and the records fit them."""
    world = World()
    for step in taken:
        world.do(step)
        found = intents(world.context)
        assert {intent.agent: intent.state for intent in found} == world.model.states()
        assert {intent.agent: dict.fromkeys(intent.resources) for intent in found} == {
            agent: dict.fromkeys(sorted(plan.places)) for agent, plan in world.model.plans.items()
        }
        named = {contest.conflict for intent in found for contest in intent.contests} - {0}
        still = {record.id for record in conflicts(world.context) if record.status is Status.OPEN}
        assert still <= named
    for agent in AGENTS:
        world.do(("clear", agent, [], 0))
    assert not any(record.status is Status.OPEN for record in conflicts(world.context))
    signal(world.context, agent="dan", files=["d/"], description="last")
    retire(world.context, agent="dan")
    assert intents(world.context) == []
