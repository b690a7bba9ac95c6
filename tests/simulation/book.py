"""The judge's own book: who holds, has reserved and waits for what, and plain answers to questions about it.

Nothing here knows the rules of the product: a place in the queue is a number in a list, what goes together is looked up in
pairs, and whether some wait for each other is found by letting everybody else give up all there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.plain import ENOUGH, NEAR, Wanted, clash, is_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pucs.core.modes import Mode

ROUNDING_S = 1e-6
"""Two sums of the same times may differ by so little."""


@dataclass
class Held:
    """A lease, as the entries tell of it."""

    token: int
    agent: str
    name: str
    mode: Mode
    since_s: float
    first_s: float
    """When the agent was first given the resource; its longest life counts from there, through every change of mode."""
    length_s: float
    """What was asked for when it was granted; asking again does not change it."""
    reserved: bool
    claim_s: float = 0.0
    """How long it stays reserved."""
    place: int = 0
    """Place in the queue that it was given to."""
    early_s: float = float("inf")
    """When a lease began whose place this was to take, though that ran out before the claim: its life may count too."""


@dataclass
class Waiting:
    """A place in the queue, as the entries tell of it."""

    number: int
    agent: str
    wanted: Wanted
    length_s: float
    until_s: float
    """When it gives up."""
    dead: bool = False
    """Nobody waits there any more, though the queue may not know it yet."""
    paused: bool = False
    """It is passed over until its agent is resumed."""
    suspended: bool = False
    """No process sleeps for it; it lives as long as its agent."""


@dataclass(frozen=True, kw_only=True)
class Slots:
    """How many agents may hold a named resource at once, and how often it is given out."""

    agents: int = 1
    grants: int = 0
    """In any ``period_s``; 0: no limit."""
    period_s: float = 0.0


@dataclass
class Belief:
    """What an agent was told it holds, and until when."""

    token: int
    agent: str
    name: str
    mode: Mode
    until_s: float
    base: int
    """Version of the resource that it builds on."""


@dataclass
class Note:
    """What an agent set out to do, before it called the verb."""

    wanted: Wanted = ()
    length_s: float = 0.0
    until_s: float = 0.0
    giving_up: set[str] = field(default_factory=set)
    token: int | None = None


@dataclass(kw_only=True)
class Book:
    """See the module."""

    now_s: Callable[[], float]
    slots: dict[str, Slots] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    """Agents that get nothing; their places in the queue are passed over."""
    held: dict[int, Held] = field(default_factory=dict)
    waiting: dict[int, Waiting] = field(default_factory=dict)
    turn: list[int] = field(default_factory=list)
    """The queue: numbers of those who wait, in the order in which they come."""
    given_s: dict[str, list[float]] = field(default_factory=dict)
    """When each named resource was given out."""
    beliefs: dict[int, Belief] = field(default_factory=dict)
    _converted: dict[tuple[str, str], Held] = field(default_factory=dict)
    """Leases that ended because the next entry grants their resource to the same agent in another mode."""
    _held_at: dict[str, set[int]] = field(default_factory=dict)
    _waiting_at: dict[str, set[int]] = field(default_factory=dict)

    def _leave(self, number: int) -> Waiting:
        place = self.waiting.pop(number)
        self.turn.remove(number)
        for name, _ in place.wanted:
            self._waiting_at[name].discard(number)
        return place

    def _kept_waiting(self, agent: str, wanted: dict[str, Mode]) -> set[int]:
        """Return who waits because of the weaker leases that an agent would turn into these, or behind such a one.

        They can have nothing before it gives up what it holds; so an upgrade need not wait for them.
        """
        in_the_way = [
            (agent, (lease.name, lease.mode))
            for lease in (*self.held.values(), *self._converted.values())
            if lease.agent == agent and not lease.reserved and lease.name in wanted
            if (lease.mode, wanted[lease.name]) not in ENOUGH
        ]
        found: set[int] = set()
        for number in self.turn if in_the_way else ():
            place = self.waiting[number]
            if place.agent != agent and any(
                whose != place.agent and clash(item, other)
                for item in place.wanted
                for whose, other in in_the_way
            ):
                found.add(number)
                in_the_way += [(place.agent, item) for item in place.wanted]
        return found

    def _active(self, numbers: Iterable[int]) -> list[int]:
        """Return the places of those who are not paused."""
        return [number for number in numbers if not self.waiting[number].paused]

    def _slots(self, name: str) -> Slots:
        return self.slots.get(name, Slots())

    def _used(self, agent: str, name: str, before: Iterable[int], *, generous: bool) -> tuple[set[str], int]:
        """Return who else has a named resource or comes first, and how many grants its window holds.

        Whether one at the very edge is in the window is decided in favour of the product: not, if it is ``generous``.
        """
        ahead = [self.waiting[n] for n in before if name in dict(self.waiting[n].wanted)]
        users = {h.agent for h in self._around(name)} | {place.agent for place in ahead}
        window_s = self.now_s() - self._slots(name).period_s + (ROUNDING_S if generous else -ROUNDING_S)
        given = sum(given_s > window_s for given_s in self.given_s.get(name, ()))
        return users - {agent}, given + len(ahead)

    def knot(self, *, certain: bool) -> list[Waiting]:
        """Return those who wait and would go on waiting if everybody else gave up all there is; empty: nobody.

        Whoever does not wait ends one day; then whoever waits for nobody else is served, and ends too; and so on. A
        knot that is ``certain`` is made of living waiters and of leases whose holders know that they have them; otherwise
        an agent that waits for several sets may keep what it gets of them until it has the last.
        """
        now_s = self.now_s()
        stuck = {
            number
            for number, place in self.waiting.items()
            if not certain or not (place.dead or place.paused or place.until_s <= now_s)
        }
        while True:
            agents = {self.waiting[number].agent for number in stuck}
            holding = {
                token
                for token, lease in self.held.items()
                if lease.agent in agents and not (certain and token not in self.beliefs)
                if not certain or self.beliefs[token].until_s > now_s + ROUNDING_S
            }
            free = {number for number in stuck if not self._stays_blocked(number, stuck, holding)}
            if not certain:
                tied = {self.waiting[number].agent for number in stuck - free}
                free = {number for number in free if self.waiting[number].agent not in tied}
            if not free:
                return [self.waiting[number] for number in self.turn if number in stuck]
            stuck -= free

    def _stays_blocked(self, number: int, stuck: set[int], holding: set[int]) -> bool:
        place = self.waiting[number]
        before = self.turn.index(number)
        for name, mode in place.wanted:
            leases = [lease for lease in self._around(name) if lease.token in holding]
            first = [
                other
                for other in self._queue_around(name)
                if other.number in stuck and self.turn.index(other.number) < before
            ]
            if is_named(name):
                users = {lease.agent for lease in leases} | {other.agent for other in first}
                if len(users - {place.agent}) >= self._slots(name).agents:
                    return True
            elif any(
                lease.agent != place.agent and clash((name, mode), (lease.name, lease.mode))
                for lease in leases
            ) or any(self._meets(other, place.agent, (name, mode)) for other in first):
                return True
        return False

    def _around(self, name: str) -> list[Held]:
        return [self.held[token] for near in NEAR[name] for token in sorted(self._held_at.get(near, ()))]

    def _queue_around(self, name: str) -> list[Waiting]:
        numbers = {number for near in NEAR[name] for number in self._waiting_at.get(near, ())}
        return [self.waiting[number] for number in sorted(numbers, key=self.turn.index)]

    def blocked(self, place: Waiting) -> bool:
        """Tell whether a lease, an earlier place of another agent, or a limit is in the way."""
        before = self._active(self.turn[: self.turn.index(place.number)])
        for name, mode in place.wanted:
            if is_named(name):
                users, rate = self._used(place.agent, name, before, generous=False)
                slots = self._slots(name)
                if len(users) >= slots.agents or (slots.grants and rate >= slots.grants):
                    return True
                continue
            for other in self._around(name):
                if other.agent != place.agent and clash((name, mode), (other.name, other.mode)):
                    return True
            for ahead in self._queue_around(name):
                if ahead.number in before and self._meets(ahead, place.agent, (name, mode)):
                    return True
        return False

    @staticmethod
    def _meets(place: Waiting, agent: str, item: tuple[str, Mode]) -> bool:
        """Tell whether somebody else waits for what clashes with this."""
        return place.agent != agent and any(clash(item, other) for other in place.wanted)

    def _line_up(self, place: Waiting) -> None:
        """Put somebody into the queue: last, but before those who wait because of what it holds."""
        passed = self._passed(place)
        stay = [number for number in self.turn if number not in passed]
        self.turn = [*stay, place.number, *(number for number in self.turn if number in passed)]
        self.waiting[place.number] = place
        for name, _ in place.wanted:
            self._waiting_at.setdefault(name, set()).add(place.number)

    def _passed(self, place: Waiting) -> set[int]:
        return self._kept_waiting(place.agent, dict(place.wanted))
