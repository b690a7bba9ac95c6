"""What simulated agents do: think, ask for sets, wait, work, change things, give them back, or forget to.

They note what they are about to do and what they were told; some of them act on what they remember long after it has
stopped being true. Whoever is killed comes back under the same name in another process.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from pucs.coordinator import handoffs, judging, leases, turns
from pucs.coordinator.agents import register
from pucs.coordinator.context import Context
from pucs.core.errors import PucsError, Refused
from pucs.core.resources import Resource
from pucs.messages.handoffs import Contents
from tests.simulation.hands import Sources
from tests.simulation.plain import ENOUGH, PLAN, READ, STEPS, WRITE, Wanted, is_named, is_symbol
from tests.simulation.schedule import Broken, Killed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.core.modes import Mode
    from pucs.locks.records import Lease
    from tests.simulation.book import Belief
    from tests.simulation.hands import Hands, World
    from tests.simulation.judge import Judge

ANSWER_S = 1.6
"""A waiter that is never stopped hears of its grant, or of the end of its wait, at most that late: the one-second safety
check and what comes between."""
ENDLESS_S = 100_000.0
TRIES_MAX = 4
"""How often an agent tries an edit before it does something else."""


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What the agents of a run do, and how often; figures are weights or seconds."""

    think_s: float = 6.0
    work_s: float = 1.2
    names: tuple[str, ...] = tuple(name for name in STEPS if not is_symbol(name) and not is_named(name))
    """What they ask for; the first names of the list are asked for more often, directories seldom."""
    wide: float = 0.1
    """Part of the directories drawn that are really asked for."""
    modes: tuple[Mode, ...] = (WRITE, WRITE, WRITE, READ, READ)
    waits_s: tuple[float, ...] = (0.0, 0.0, 3.0, 15.0, 15.0, 15.0, 60.0)
    lengths_s: tuple[float | None, ...] = (None, None, None, 2.0, 8.0, 500.0)
    grows: float = 0.0
    """Chance of asking for more while holding something."""
    patient: float = 0.0
    """Chance of waiting in line while holding something."""
    changes_mode: float = 0.0
    """Chance of asking for what it holds in another mode, while holding something."""
    hands_over: float = 0.0
    """Chance of handing its work over, while holding something."""
    suspended: float = 0.0
    """Chance of waiting without a process, as an agent does whose edit was denied, for those that a process owns."""
    gives_up_waiting: float = 0.08
    without_owner: float = 0.15
    """Part of the agents that no process owns."""


@dataclass(eq=False)
class Agent:
    """One simulated agent."""

    hands: Hands
    world: World
    judge: Judge
    habits: Habits
    default_s: float
    queue_s: float
    """Longest wait in the queue."""
    closing: Callable[[], bool]
    remembered: list[Belief] = field(default_factory=list)
    """What it once held; it may come back to it."""
    waiting: bool = False
    absent: bool = False
    """Dead, and not yet back."""

    @property
    def name(self) -> str:
        """Return its id."""
        return self.hands.name

    @property
    def context(self) -> Context:
        """Return what it calls verbs with."""
        hands = cast("Any", self.hands)
        clock = self.world.schedule.clock
        return Context(
            store=hands, clock=clock, processes=hands, bells=hands, git=cast("Any", Sources()), door="test"
        )

    def live(self) -> None:
        """Live until the run closes, through all deaths."""
        owned = self.world.random.random() >= self.habits.without_owner
        while not self.closing():
            try:
                if self.absent:
                    self.hands.actor.sleep(self.world.random.uniform(0.1, 8.0))
                    self.absent = False
                if owned and self.hands.owner is None:
                    self._register()
                self._go_about()
            except Killed:
                self._come_to()
            except Refused as refused:
                self._say(f"is refused: {refused}")
                self.hands.owner = None

    def _register(self) -> None:
        self.hands.owner = self.world.process()
        self.judge.gives_up(self.name, None, None)
        register(self.context, agent=self.name, owner=self.hands.owner)
        self._look()

    def _come_to(self) -> None:
        """Start again in a new process, with nothing but the name."""
        self.hands.actor.killed = False
        self.hands.process = self.world.process()
        self.waiting = False
        self.absent = True

    def _go_about(self) -> None:
        chance = self.world.random
        while not self.closing():
            self.hands.actor.sleep(chance.expovariate(1.0 / self.habits.think_s))
            if self.closing():
                break
            if chance.random() < 0.05:
                self._dwell_on_the_past()
            if chance.random() < 0.3:
                self._take_over()
            turns_about = self.hands.owner is not None and chance.random() < self.habits.suspended
            if self._take_turns() if turns_about else self._ask():
                self._work()
            if self.absent:
                return
        if chance.random() < 0.7:
            self._release()

    # Asking ---------------------------------------------------------------------------------------------------

    def _ask(self, *, more: bool = False) -> bool:
        chance, habits = self.world.random, self.habits
        mode = chance.choice(habits.modes)
        names = self._some_names(mode)
        if more:
            mine = sorted({b.name for b in self.judge.believed_by(self.name) if (b.mode, mode) not in ENOUGH})
            if mine and chance.random() < 0.5:
                names = [*chance.sample(mine, 1), *(name for name in names[1:] if name not in mine)]
            wait_s = chance.choice(habits.waits_s) if chance.random() < habits.patient else 0.0
        else:
            wait_s = chance.choice(habits.waits_s)
        length_s = chance.choice(habits.lengths_s)
        wanted: Wanted = tuple((name, mode) for name in names)
        self._say(f"asks for {', '.join(names)} ({mode}), wait {wait_s:g}, for {length_s}")
        length = self.default_s if length_s is None else length_s
        actor, began_s, lasted_s = self.hands.actor, self.world.schedule.now_s, 0.0
        gives_up_s = ENDLESS_S
        if chance.random() < habits.gives_up_waiting:
            gives_up_s = began_s + chance.uniform(0.0, 10.0)
        while True:
            actor.overslept_s = 0.0
            self.waiting = wait_s > 0
            began_s = self.world.schedule.now_s
            self.judge.asks(self.name, wanted, length, wait_s)
            answer = leases.acquire(
                self.context,
                agent=self.name,
                resources=names,
                mode=mode,
                duration_s=length_s,
                wait_s=wait_s,
                cancelled=lambda: self.world.schedule.now_s >= gives_up_s,
            )
            self.waiting = False
            self._look()
            lasted_s = self.world.schedule.now_s - began_s
            if not self.world.happens(self.world.faults.answer_lost):
                break
            self._say("does not hear the answer and asks again")
        said = (
            f"{dict(answer.tokens)}"
            if answer.granted
            else f"no: {answer.reason[:60]} {answer.queue_position}"
        )
        self._say(f"is told {said}")
        if lasted_s > wait_s + actor.overslept_s + ANSWER_S:
            raise Broken("waits", f"{self.name} was to wait {wait_s:g} s and heard after {lasted_s:.3f} s")
        if answer.late and actor.overslept_s < 0.3:
            raise Broken("waits", f"{self.name} came late though it was awake: {answer.reason}")
        self.judge.told(self.name, answer)
        return answer.granted

    def _take_turns(self) -> bool:
        """Try to edit, as a hook asks for it; what is denied is waited for in sleep, come back to, or left."""
        chance = self.world.random
        names = self._some_names(WRITE)
        for _ in range(TRIES_MAX):
            self._say(f"tries to edit {', '.join(names)}")
            self.judge.asks(self.name, tuple((name, WRITE) for name in names), self.default_s, self.queue_s)
            answer = turns.line_up(self.context, agent=self.name, resources=names)
            self._look()
            self._say(f"is told {dict(answer.tokens) or answer.reason[:60]}")
            self.judge.told(self.name, answer)
            if answer.granted:
                return True
            dice = chance.random()
            if dice < 0.5 and self._sleeps():
                return True
            if dice > 0.9:
                self._say("leaves the queue")
                turns.leave(self.context, agent=self.name)
                self._look()
                return False
            if dice > 0.7:
                return False  # goes on with something else; its place stays
            self.hands.actor.sleep(chance.expovariate(1.0 / self.habits.work_s))
        return False

    def _sleeps(self) -> bool:
        """Sleep until it is its turn for something, as its supervisor does."""
        chance, actor = self.world.random, self.hands.actor
        wait_s = chance.choice((2.0, 10.0, 40.0))
        self._say(f"sleeps for {wait_s:g} s at most")
        began_s, actor.overslept_s = self.world.schedule.now_s, 0.0
        self.judge.count("sleeps")
        answer = turns.wait(self.context, agent=self.name, wait_s=wait_s)
        self._look()
        lasted_s = self.world.schedule.now_s - began_s
        if lasted_s > wait_s + actor.overslept_s + ANSWER_S:
            raise Broken("waits", f"{self.name} was to sleep {wait_s:g} s and woke after {lasted_s:.3f} s")
        if answer is None:
            self._missed_nothing(actor.overslept_s)
        if answer is None or not answer.granted:
            self._say(f"wakes: {answer.reason[:60] if answer is not None else 'in vain'}")
            return False
        self.judge.count("woken at its turn")
        self._say(f"wakes with {dict(answer.tokens)}")
        self.judge.asks(self.name, tuple((name, WRITE) for name in answer.tokens), self.default_s, 0.0)
        self.judge.told(self.name, answer)
        return True

    def _missed_nothing(self, overslept_s: float) -> None:
        """Hold that nobody sleeps on while something is reserved for it."""
        now_s = self.world.schedule.now_s
        mine = [lease for lease in self.judge.held.values() if lease.agent == self.name and lease.reserved]
        missed = [
            one for one in mine if one.since_s + ANSWER_S + overslept_s < now_s < one.since_s + one.claim_s
        ]
        if missed:
            raise Broken("waits", f"{self.name} slept on when it was its turn: {missed}")

    def _some_names(self, mode: Mode) -> list[str]:
        chance = self.world.random
        names = [name for name in self.habits.names if mode is WRITE or not is_named(name)]
        count = chance.choice((1, 1, 1, 2, 2, 3, 4))
        found: list[str] = []
        while len(found) < count:
            name = names[int(chance.expovariate(2.0) * len(names)) % len(names)]
            rare = self.habits.wide ** (2 if name == "/" else 1)
            if name.endswith("/") and chance.random() > rare:
                continue
            if name not in found:
                found.append(name)
        return found

    # Working --------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        chance = self.world.random
        while True:
            self.hands.actor.sleep(chance.expovariate(1.0 / self.habits.work_s))
            self.remembered = (self.remembered + self.judge.believed_by(self.name))[-6:]
            if chance.random() < self.habits.hands_over and self._hand_over():
                return
            dice = chance.random()
            if dice < 0.35:
                self._change()
            if dice < 0.25:
                self._renew()
            elif dice < 0.25 + self.habits.grows:
                self._ask(more=True)
            elif dice < 0.25 + self.habits.grows + self.habits.changes_mode:
                self._weaken()
            elif dice < 0.93:
                self._release()
                return
            elif dice < 0.96:
                return  # forgets to give back

    def _change(self) -> None:
        """Land a change of something it holds, or believes to hold, if the fencing rule lets it."""
        mine = [belief for belief in self.judge.writes(self.name) if not is_named(belief.name)]
        if not mine:
            return
        self._land(self.world.random.choice(sorted(mine, key=lambda belief: belief.token)))

    def _land(self, belief: Belief) -> None:
        with self.hands.read() as tx:
            newer = judging.overtaken(tx, Resource(belief.name), belief.token)
        self._say(f"{'parks' if newer else 'lands'} {belief.name} under {belief.token}")
        if newer is None:
            self.judge.landed(belief)
        else:
            self.judge.count("parked")
            if belief.token in self.judge.held and belief.until_s > self.world.schedule.now_s:
                raise Broken("fencing", f"{belief} is live and may not land because of {newer}")

    def _renew(self) -> None:
        length_s = self.world.random.choice((None, 4.0, 1000.0))
        self._say("renews")
        kept: list[Lease] = []
        for _ in range(2 if self.world.happens(self.world.faults.answer_lost) else 1):
            kept = leases.renew(self.context, agent=self.name, duration_s=length_s)
            self._look()
        offset_s = self.world.schedule.now_s - self.world.schedule.clock.boot_s
        self.judge.renewed(self.name, kept, offset_s)

    def _hand_over(self) -> bool:
        """Hand what it holds to somebody else, and end; False if there is nothing to hand over."""
        names = sorted({b.name for b in self.judge.believed_by(self.name)})
        to = f"agent-{self.world.random.randint(1, 12)}"
        if not names or self.hands.owner is None:
            return False
        self._say(f"hands {', '.join(names)} over to {to}")
        self.judge.hands_over(self.name, names)
        contents = Contents(locked_files=tuple(names), pending=("go on with it",))
        with suppress(PucsError):
            handoffs.hand_off(self.context, agent=self.name, to=[to], contents=contents, incomplete=True)
        self._look()
        self.world.on_death(self.hands)
        self._come_to()
        return True

    def _take_over(self) -> None:
        """Accept what others hand over."""
        with self.hands.read() as tx:
            waiting = [one.id for one in tx.handoffs.all("S", pending=True) if self.name in one.to]
        for number in waiting:
            with suppress(PucsError):
                got = handoffs.accept(self.context, agent=self.name, handoff=number)
                self._look()
                self._say(f"takes over {got.tokens} {got.not_transferred}")
                self.judge.received(self.name, got.tokens, self.default_s)

    def _weaken(self) -> None:
        """Go on with less of something."""
        chance = self.world.random
        strong = [b for b in self.judge.believed_by(self.name) if b.mode is not READ and not is_named(b.name)]
        if not strong:
            return
        belief = chance.choice(sorted(strong, key=lambda b: b.token))
        to = READ if belief.mode is PLAN else chance.choice((READ, PLAN))
        token = belief.token if chance.random() < 0.5 else None
        self._say(f"goes on with {belief.name} ({to})")
        self.judge.weakens(self.name, [belief.name], to)
        told = leases.downgrade(self.context, agent=self.name, resources=[belief.name], to=to, token=token)
        self._look()
        self.judge.weakened(self.name, told)

    def _release(self) -> None:
        chance = self.world.random
        believed = sorted({belief.name for belief in self.judge.believed_by(self.name)})
        names: list[str] | None = None
        token: int | None = None
        dice = chance.random()
        if believed and dice < 0.4:
            names = [name for name in believed if chance.random() < 0.8]
        elif believed and dice < 0.6:
            token = chance.choice([b.token for b in self.judge.believed_by(self.name)])
        self._give_back(names, token)

    def _give_back(self, names: list[str] | None, token: int | None) -> None:
        self._say(f"gives back {token or ('all' if names is None else names)}")
        self.judge.gives_up(self.name, names, token)
        for _ in range(2 if self.world.happens(self.world.faults.answer_lost) else 1):
            done = leases.release(self.context, agent=self.name, resources=names, token=token)
            self._look()
            if names is not None and not set(done.resources) <= set(names):
                raise Broken("late owner", f"{self.name} gave up {names}, and {done.resources} ended")

    def _dwell_on_the_past(self) -> None:
        """Act on what was true once: give back, or change, what somebody else may hold by now."""
        if not self.remembered:
            return
        belief = self.world.random.choice(self.remembered)
        if self.world.random.random() < 0.5:
            self._give_back(None, belief.token)
        elif belief.mode is WRITE and not is_named(belief.name):
            self._say("comes back to old work")
            self._land(belief)

    def _look(self) -> None:
        self.judge.look()

    def _say(self, text: str) -> None:
        self.world.schedule.say(f"{self.name} {text}")
