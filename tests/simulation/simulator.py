"""Hundreds of agents in virtual time over the real lease verbs, with everything that can go wrong, judged at every step.

``simulate(order)`` runs one history that follows from its seed alone. A rule that is broken raises ``Broken``, which
``report`` turns into the command that replays it and the last steps.
"""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from pucs.coordinator import leases, pausing, turns
from pucs.core.errors import PucsError
from pucs.store.sqlite import IN_MEMORY, SQLiteStore
from pucs.streams.records import CriticalFile, Session, SessionState
from pucs.streams.settings import Configuration, Limits, ResourceLimit
from pucs.testing.fakes import FakeClock
from tests.simulation.agents import Agent
from tests.simulation.book import Slots
from tests.simulation.crowds import CROWDS
from tests.simulation.hands import Faults, Hands, World
from tests.simulation.judge import Judge
from tests.simulation.plain import inside
from tests.simulation.schedule import Actor, Broken, Schedule

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = Limits(default_duration_s=10.0, max_duration_s=30.0, queue_timeout_s=40.0, claim_ttl_s=2.0)
SUSPENDED_CLAIM_S = 5.0
"""Time a suspended agent has to claim its grant here: short enough that some come too late."""
CRITICAL, CRITICAL_S = "core/two.py", 6.0
RESOURCES = (
    ResourceLimit(name="slots", concurrency=3),
    ResourceLimit(name="api", concurrency=4, rate=5, period_s=6.0),
)
COMPARE_EVERY = 400
"""Steps between two comparisons of the whole tables with what the entries say."""
YEAR_S = 365 * 86400.0


@dataclass(frozen=True, kw_only=True)
class Order:
    """One history."""

    seed: int
    crowd: str = "many"
    """What the agents do, by its name in ``crowds``."""
    agents: int = 300
    seconds: float = 60.0
    """Virtual time in which agents begin new work; then all end and everything must run out by itself."""
    faults: Faults = field(default_factory=Faults)
    mishaps_per_s: float = 2.0
    orders_per_s: float = 0.3
    """How often somebody is paused by whoever runs the session, for a while."""
    reboots: float = 0.005
    """Part of the mishaps that are reboots; on disk the store is put back from a backup then."""


@dataclass
class Outcome:
    """What came of a history in which no rule was broken."""

    steps: int
    digest: int
    counts: dict[str, int]


class Simulation:
    """One history on one store."""

    def __init__(self, order: Order, place: Path | None = None) -> None:
        self.order = order
        self.place = place
        self.random = random.Random(order.seed)  # noqa: S311 - repeatable on purpose
        self.clock = FakeClock()
        self.schedule = Schedule(self.clock)
        store = SQLiteStore(place / "state.db" if place else IN_MEMORY, self.clock)
        self.world = World(self.schedule, self.random, order.faults, store)
        self.judge = Judge(
            store=store,
            now_s=lambda: self.schedule.now_s,
            longest_s=_longest_s,
            say=self.schedule.say,
            claim_ttl_s=LIMITS.claim_ttl_s,
            suspended_claim_s=SUSPENDED_CLAIM_S,
        )
        self.judge.slots = {
            f"res:{one.name}": Slots(agents=one.concurrency, grants=one.rate, period_s=one.period_s)
            for one in RESOURCES
        }
        self.world.on_death = self._died
        self.schedule.after_step = self._judge
        self.closing = False
        self._looked_at = 0
        self.operator = self._agent("operator")
        self.operator.hands.steady = True
        self.agents = [self._agent(f"agent-{number}") for number in range(1, order.agents + 1)]

    def _agent(self, name: str) -> Agent:
        hands = Hands(self.world, name)
        agent = Agent(
            hands=hands,
            world=self.world,
            judge=self.judge,
            habits=CROWDS[self.order.crowd],
            default_s=LIMITS.default_duration_s,
            queue_s=LIMITS.queue_timeout_s,
            closing=lambda: self.closing,
        )
        hands.actor = Actor(self.schedule, name, agent.live)
        return agent

    def run(self) -> Outcome:
        """Let it all happen, then let it run out.

        Raises:
            Broken: a rule was.
        """
        with self.world.store.transaction() as tx:
            tx.sessions.put(
                Session(
                    id="S", state=SessionState.ACTIVE, base="0" * 40, target="", branch="s", started_at=""
                )
            )
            critical = (CriticalFile(path=CRITICAL, max_lock_duration_s=CRITICAL_S),)
            tx.sessions.put_configuration(
                Configuration(limits=LIMITS, critical_files=critical, resources=RESOURCES)
            )
        usual_s, turns.CLAIM_S = turns.CLAIM_S, SUSPENDED_CLAIM_S
        try:
            for agent in self.agents:
                agent.hands.actor.start(self.random.uniform(0.0, 3.0))
            self._fate()
            self._orders()
            self.schedule.run(lambda: self.schedule.now_s >= self.order.seconds)
            self._run_out()
        finally:
            turns.CLAIM_S = usual_s
            self._end_threads()
        return Outcome(self.schedule.steps, self.schedule.digest, self.judge.counts)

    def _run_out(self) -> None:
        """Without new work and new mishaps all waits end, and time ends all leases."""
        self.closing = self.world.quiet = True
        self.schedule.run(lambda: all(agent.hands.actor.over for agent in self.agents))
        self.judge.compare()
        self.schedule.pass_s(LIMITS.max_duration_s + LIMITS.queue_timeout_s)
        leases.cleanup(self.operator.context)
        self.judge.look()
        self.judge.compare()
        if self.judge.held or self.judge.waiting:
            raise Broken("waits", f"left over: {list(self.judge.held.values())[:3]}, {self.judge.waiting}")

    def _judge(self) -> None:
        if self.world.commits != self._looked_at:
            self._looked_at = self.world.commits
            self.judge.look()
        if self.schedule.steps % COMPARE_EVERY == 0:
            self.judge.compare()

    # Orders -------------------------------------------------------------------------------------------------

    def _orders(self) -> None:
        """Pause somebody for a while."""
        if self.closing or not self.order.orders_per_s:
            return
        self.schedule.at(self.random.expovariate(self.order.orders_per_s), self._orders)
        whom = self.random.choice(self.agents).name
        if whom not in self.judge.paused:
            with suppress(PucsError):
                pausing.pause(self.operator.context, agent=whom, by="operator", reason="a while")
                self.schedule.at(self.random.uniform(0.1, 15.0), lambda: self._resume(whom))

    def _resume(self, whom: str) -> None:
        with suppress(PucsError):
            pausing.resume(self.operator.context, agent=whom, by="operator")

    # Mishaps --------------------------------------------------------------------------------------------------

    def _fate(self) -> None:
        """Let something happen to somebody, again and again."""
        if self.closing:
            return
        self.schedule.at(self.random.expovariate(self.order.mishaps_per_s), self._fate)
        whom = self.random.choice(self.agents)
        dice = self.random.random()
        if dice < 0.45:
            self._kill(whom)
        elif dice < 0.6:
            self._kill_waiter(whom)
        elif dice < 0.85:
            pause_s = self.random.choice((0.5, 3.0, 12.0, 45.0))
            self.schedule.say(f"     {whom.name} is stopped for {pause_s:g} s")
            whom.hands.actor.stopped_until_s = self.schedule.now_s + pause_s
        elif dice < 0.93:
            jump_s = self.random.choice((-YEAR_S, -3600.0, 3600.0, YEAR_S))
            self.schedule.say(f"     the wall clock jumps by {jump_s:g} s")
            self.clock.step_wall_s(jump_s)
        elif dice > 1.0 - self.order.reboots:
            self._reboot()

    def _kill(self, agent: Agent) -> None:
        actor = agent.hands.actor
        if actor.over or actor.killed:
            return
        self.schedule.say(f"     {agent.name} is killed")
        actor.killed = True
        self._died(agent.hands)
        self.schedule.wake(actor, 0.0)

    def _kill_waiter(self, agent: Agent) -> None:
        """Kill only the process that waits, as when a command line is interrupted hard."""
        actor = agent.hands.actor
        if not agent.waiting or actor.over or actor.killed:
            return
        self.schedule.say(f"     the waiter of {agent.name} is killed")
        actor.killed = True
        self.judge.waiter_died(agent.name)
        self.world.kill(agent.hands.process)
        self.schedule.wake(actor, 0.0)

    def _died(self, hands: Hands) -> None:
        self.judge.died(hands.name)
        self.world.kill(hands.process)
        if hands.owner is not None:
            self.world.kill(hands.owner)
            hands.owner = None

    def _reboot(self) -> None:
        self.schedule.say("     the machine reboots")
        self.judge.count("reboots")
        for agent in self.agents:
            self._kill(agent)
        self.clock.reboot()
        if self.place is not None:
            self._restore()
        self.judge.given_s.clear()  # no clock tells how long ago a grant of another boot was

    def _restore(self) -> None:
        """Put back what the last backup kept, as after a broken disk, and let everybody begin from that."""
        assert self.place is not None
        live, kept = self.place / "state.db", self.place / "backup.db"
        store = cast("SQLiteStore", self.world.store)
        if kept.exists():
            self.schedule.say("     the store is put back from its backup")
            self.judge.count("restores")
            aside = self.place / "aside.db"
            shutil.copy(kept, aside)
            for name in ("state.db-wal", "state.db-shm"):
                (self.place / name).unlink(missing_ok=True)
            aside.rename(live)
            for agent in self.agents:
                agent.remembered.clear()
            self.judge.reopen()
        store.backup(kept)

    def _end_threads(self) -> None:
        """Let every thread that is still there end, without touching the store."""
        self.closing = True
        self.schedule.after_step = lambda: None
        self.schedule.failure = None
        for agent in self.agents:
            agent.hands.actor.killed = True
            self.schedule.wake(agent.hands.actor, 0.0)
        self.schedule.drain()


def _longest_s(name: str) -> float:
    touches = inside(CRITICAL, name) or inside(name, CRITICAL)
    return CRITICAL_S if touches else LIMITS.max_duration_s


def simulate(order: Order, place: Path | None = None) -> Outcome:
    """Run one history; on a store in memory, or on a file in ``place``.

    Raises:
        Broken: a rule was; the message says which, how to replay it, and the last steps.
    """
    simulation = Simulation(order, place)
    try:
        return simulation.run()
    except AssertionError as error:
        said = report(order, error, simulation.schedule, place)
        rule = error.rule if isinstance(error, Broken) else "check"
        raise Broken(rule, said) from error


def report(order: Order, error: BaseException, schedule: Schedule, place: Path | None) -> str:
    """Return what was broken, the command that replays it, and the last steps before it."""
    more = [
        f" --{name} {value:g}"
        for name, value, usual in (
            ("mishaps", order.mishaps_per_s, Order.mishaps_per_s),
            ("reboots", order.reboots, Order.reboots),
        )
        if value != usual
    ]
    crowd = f"--crowd {order.crowd} --agents {order.agents} --seconds {order.seconds:g}"
    disk = " --disk" if place else ""
    return "\n".join([
        str(error),
        f"again: ./run proof simulate --seed {order.seed} {crowd}{''.join(more)}{disk}",
        *schedule.shown,
    ])
