"""A state machine over the real lease verbs, judged by what agents believe and by plain definitions.

Agents ask, wait, claim, renew, release, die, come back and reboot in any order, on the store in memory under a clock
that only moves when told. The judge shares no code with the rules: it compares strings and pairs, slowly.
"""

# ruff: noqa: D102 - rules and invariants are named after what they say

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pucs.conflicts.records import Status
from pucs.coordinator import answering, asking, leases
from pucs.coordinator.agents import register
from pucs.coordinator.context import Context, unit
from pucs.coordinator.waiting import look
from pucs.coordinator.waiting import sleep as asleep
from pucs.core.modes import Mode
from pucs.crosslog.records import Query
from pucs.locks.records import Lease, LeaseState, Request
from pucs.store.sqlite import IN_MEMORY, SQLiteStore
from pucs.streams.records import CriticalFile, Session, SessionState
from pucs.streams.settings import Configuration, Limits
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from pucs.core.processes import Process

AGENTS = ("ann", "bob", "cid", "dee")
STEPS = {
    "/": ("/",),
    "a/": ("/", "a"),
    "a/x": ("/", "a", "x"),
    "a/x::C": ("/", "a", "x", "C"),
    "a/x::C.m": ("/", "a", "x", "C", "m"),
    "b": ("/", "b"),
}
"""Each resource with the steps that lead to it."""
RESOURCES = ("b", "a/x", "a/x::C", "a/x::C.m", "a/", "/")
LIMITS = Limits(default_duration_s=10.0, max_duration_s=30.0, queue_timeout_s=60.0, claim_ttl_s=2.0)
CRITICAL_S = 5.0
Wanted = tuple[tuple[str, Mode], ...]


def below(outer: str, inner: str) -> bool:
    return STEPS[inner][: len(STEPS[outer])] == STEPS[outer]


def clash(one: tuple[str, Mode], two: tuple[str, Mode]) -> bool:
    apart = {one[1], two[1]} in ({Mode.SHARED_READ}, {Mode.SHARED_READ, Mode.INTENT})
    return not apart and (below(one[0], two[0]) or below(two[0], one[0]))


def strong(mode: Mode) -> int:
    return [Mode.SHARED_READ, Mode.INTENT, Mode.EXCLUSIVE].index(mode)


def first(one: Request, two: Request) -> bool:
    """Tell whether the turn of one request is before that of another."""
    return (one.id < two.id and one.id not in two.passes) or two.id in one.passes


@dataclass(frozen=True)
class Belief:
    """What an agent was told it holds, and until when."""

    agent: str
    resource: str
    mode: Mode
    until_s: float
    first_s: float


@dataclass
class Waiter:
    """One process asleep for a request."""

    request: Request
    began_s: float
    process: Process


class LeaseMachine(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.processes, self.bells = FakeClock(), FakeProcesses(), FakeBells()
        self.context = Context(
            store=SQLiteStore(IN_MEMORY, self.clock),
            clock=self.clock,
            processes=self.processes,
            bells=self.bells,
            git=cast("Any", None),
            door="test",
        )
        self.pids = iter(range(100, 100_000))
        self.owners: dict[str, Process] = {}
        self.waiters: dict[int, Waiter] = {}
        self.beliefs: dict[int, Belief] = {}
        self.highest = 0
        self.seen: dict[int, Lease] = {}
        self.queued: list[Request] = []
        self.logged = 0

    @initialize()
    def begin(self) -> None:
        with self.context.store.transaction() as tx:
            tx.sessions.put(
                Session(
                    id="S", state=SessionState.ACTIVE, base="0" * 40, target="", branch="s", started_at=""
                )
            )
            critical = (CriticalFile(path="a/x", max_lock_duration_s=CRITICAL_S),)
            tx.sessions.put_configuration(Configuration(limits=LIMITS, critical_files=critical))
        for agent in AGENTS:
            self.come_back(agent)

    # What happens ---------------------------------------------------------------------------------------------

    @rule(
        agent=st.sampled_from(AGENTS),
        names=st.lists(st.sampled_from(RESOURCES), min_size=1, max_size=3, unique=True),
        mode=st.sampled_from([Mode.EXCLUSIVE, Mode.EXCLUSIVE, Mode.SHARED_READ, Mode.INTENT]),
        wait_s=st.sampled_from([0.0, 20.0, 20.0, 500.0]),
        duration_s=st.sampled_from([None, 1.0, 3.0, 100.0]),
    )
    def ask(
        self, *, agent: str, names: list[str], mode: Mode, wait_s: float, duration_s: float | None
    ) -> None:
        if self.dead(self.owners[agent]):
            return
        asked = asking.checked(names, mode)
        needed, passed = self.needed(agent, asked), self.stuck_behind(agent, asked)
        may = self.could_have(agent, asked)
        waiter = self.processes.process(next(self.pids))
        self.processes.me = waiter
        with unit(self.context) as opened:
            wish = answering.Wish(
                asked=asked, agent=agent, stream="", duration_s=duration_s, task="", noted={}
            )
            bell = f"bell-{waiter.pid}"
            answer, request = asking.ask(self.context, opened, wish, wait_s=wait_s, bell=bell)
        assert answer.granted == may, f"{agent} asked for {asked}: {answer}"
        if answer.granted:
            self.believe(agent, asked, answer.tokens, duration_s)
            for fresh in ((n, m) for n, m in asked if answer.tokens.get(n, 0) > self.highest):
                for other in (request for request in self.queue() if request.agent != agent):
                    if other.id not in passed:
                        assert not any(clash(fresh, item) for item in other.resources), "somebody was passed"
        elif request is not None:
            assert request.resources == needed, "what is held already waits too"
            self.waiters[request.id] = Waiter(request, self.now, waiter)
        elif wait_s:
            assert "circle" in answer.reason
            newcomer = Request(
                id=10**9,
                agent=agent,
                stream="",
                task="",
                session="S",
                resources=needed,
                duration_s=1.0,
                boot_id="",
                asked_s=0.0,
                deadline_s=0.0,
                waiter=None,
                passes=tuple(passed),
            )
            standing = [lease for lease in self.live() if not self.over(lease)]
            alive = [other for other in self.queue() if not self.ended(other)]
            assert self.in_circles([*alive, newcomer], standing), f"{answer.reason} is not true"

    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        if self.waiters:
            self.look_as(data.draw(st.sampled_from(sorted(self.waiters))))

    @rule()
    def everybody_looks(self) -> None:
        """All who would be awake look until nothing happens; then nobody who could be granted is left waiting."""
        for _ in range(40):
            awake = [
                number
                for number, waiter in self.waiters.items()
                if not self.dead(waiter.process) and asleep(self.context, waiter.request) is None
            ]
            if not awake:
                break
            for number in awake:
                self.look_as(number)
        else:
            raise AssertionError("waiters wake each other for ever")
        standing = [lease for lease in self.live() if not self.over(lease)]
        waiting = [r for r in self.queue() if not self.ended(r)]
        for request in waiting:
            if not self.dead(self.owners[request.agent]):
                ahead = [other for other in waiting if first(other, request)]
                assert self.blocked(request.agent, request.resources, standing, ahead)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.waiters:
            number = data.draw(st.sampled_from(sorted(self.waiters)))
            self.look_as(number, cancelled=True)

    @rule(agent=st.sampled_from(AGENTS), data=st.data())
    def give_back(self, agent: str, data: st.DataObject) -> None:
        held = sorted({b.resource for b in self.beliefs.values() if b.agent == agent})
        names = data.draw(st.none() | st.lists(st.sampled_from(held or ["b"]), max_size=2))
        done = leases.release(self.context, agent=agent, resources=names)
        for token, belief in list(self.beliefs.items()):
            if belief.agent == agent and (names is None or belief.resource in names):
                del self.beliefs[token]
                assert token not in self.tokens_of(agent)
        assert names is None or set(done.resources) <= set(names)

    @rule(agent=st.sampled_from(AGENTS), data=st.data())
    def give_back_by_token(self, agent: str, data: st.DataObject) -> None:
        if self.seen:
            token = data.draw(st.sampled_from(sorted(self.seen)))
            done = leases.release(self.context, agent=agent, token=token)
            if done.resources:
                assert self.seen[token].agent == agent
                self.beliefs.pop(token, None)

    @rule(agent=st.sampled_from(AGENTS), duration_s=st.sampled_from([None, 2.0, 1000.0]))
    def renew(self, agent: str, duration_s: float | None) -> None:
        for lease in leases.renew(self.context, agent=agent, duration_s=duration_s):
            known = self.beliefs.get(lease.token)
            if known is not None:
                assert lease.expires_s >= known.until_s
                assert lease.expires_s <= known.first_s + self.longest_s(known.resource)
                self.beliefs[lease.token] = replace(known, until_s=lease.expires_s)

    @rule(agent=st.sampled_from(AGENTS), data=st.data())
    def weaken(self, agent: str, data: st.DataObject) -> None:
        strong_ones = [
            b
            for b in self.beliefs.values()
            if b.agent == agent and self.now < b.until_s and b.mode is not Mode.SHARED_READ
        ]
        if not strong_ones:
            return
        belief = data.draw(st.sampled_from(strong_ones))
        to = data.draw(st.sampled_from(list(Mode)[: strong(belief.mode)]))
        told = leases.downgrade(self.context, agent=agent, resources=[belief.resource], to=to)
        self.beliefs = {
            number: b
            for number, b in self.beliefs.items()
            if (b.agent, b.resource) != (agent, belief.resource) or strong(b.mode) <= strong(to)
        }
        held = {lease.token: lease for lease in self.live() if lease.agent == agent}
        for resource, token in told.items():
            assert (held[token].resource, held[token].mode) == (belief.resource, to)
            assert held[token].expires_s == belief.until_s, "a weaker lease is no longer and no shorter one"
            self.beliefs[token] = replace(belief, mode=to, resource=resource)

    @rule(seconds=st.sampled_from([0.5, 1.9, 2.1, 4.0, 11.0, 70.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.pass_s(seconds)

    @rule(seconds=st.sampled_from([-86400.0, -30.0, 30.0, 86400.0]))
    def wall_clock_is_set(self, seconds: float) -> None:
        self.clock.step_wall_s(seconds)

    @rule(agent=st.sampled_from(AGENTS))
    def owner_dies(self, agent: str) -> None:
        self.processes.kill(self.owners[agent])
        for waiter in self.waiters.values():
            if waiter.request.agent == agent:
                self.processes.kill(waiter.process)
        self.forget(agent)

    @rule(data=st.data())
    def waiter_dies(self, data: st.DataObject) -> None:
        if self.waiters:
            self.processes.kill(self.waiters[data.draw(st.sampled_from(sorted(self.waiters)))].process)

    @rule(agent=st.sampled_from(AGENTS))
    def come_back(self, agent: str) -> None:
        if agent in self.owners and not self.dead(self.owners[agent]):
            return
        self.owners[agent] = self.processes.process(next(self.pids))
        register(self.context, agent=agent, owner=self.owners[agent])

    @rule()
    def clean_up(self) -> None:
        leases.cleanup(self.context)
        assert not any(self.over(lease) for lease in self.live())

    @rule(chance=st.integers(0, 5))
    def reboot(self, chance: int) -> None:
        if chance:
            return
        self.clock.reboot()
        for agent in AGENTS:
            self.owner_dies(agent)
            self.come_back(agent)
        self.waiters = {
            number: waiter for number, waiter in self.waiters.items() if not self.dead(waiter.process)
        }

    # What must be true ----------------------------------------------------------------------------------------

    @invariant()
    def no_two_agents_hold_what_clashes(self) -> None:
        held = [b for b in self.beliefs.values() if self.now < b.until_s]
        held += [
            Belief(lease.agent, lease.resource, lease.mode, lease.expires_s, 0.0)
            for lease in self.live()
            if not self.over(lease)
        ]
        for one in held:
            for two in held:
                assert one.agent == two.agent or not clash((one.resource, one.mode), (two.resource, two.mode))

    @invariant()
    def what_one_believes_to_hold_is_in_the_table(self) -> None:
        live = {lease.token for lease in self.live()}
        assert {token for token, b in self.beliefs.items() if self.now < b.until_s} <= live

    @invariant()
    def whoever_can_be_granted_has_been(self) -> None:
        queue, live = self.queue(), self.live()
        for request in queue:
            ahead = [other for other in queue if first(other, request)]
            assert self.blocked(request.agent, request.resources, live, ahead)

    @invariant()
    def nobody_waits_in_a_circle(self) -> None:
        alive = [request for request in self.queue() if not self.ended(request)]
        assert not self.in_circles(alive, [lease for lease in self.live() if not self.over(lease)])

    @invariant()
    def every_change_has_its_entry_and_tokens_grow(self) -> None:
        with self.context.store.read() as tx:
            fresh = tx.entries.select(Query(after_seq=self.logged, limit=10_000))
            known = tx.leases.by_tokens(sorted(self.seen))
        self.logged = max([self.logged, *(entry.seq for entry in fresh)])
        said = {(entry.agent, file) for entry in fresh for file in entry.files}
        now = {lease.token: lease for lease in (*known, *self.live())}
        for token, lease in now.items():
            before = self.seen.get(token)
            if before is None:
                assert token > self.highest
            if before is None or (before.state, before.expires_s) != (lease.state, lease.expires_s):
                assert (lease.agent, lease.resource) in said, f"no entry tells of {lease}"
        self.highest = max([self.highest, *now])
        queue = self.queue()
        for request in {r.id: r for r in (*queue, *self.queued)}.values():
            if (request in queue) != (request in self.queued):
                assert all((request.agent, name) in said for name, _ in request.resources)
        self.reservations_kept_order(now, queue)
        self.seen, self.queued = now, queue

    @invariant()
    def every_wait_that_ended_is_closed(self) -> None:
        reserved = {lease.request for lease in self.live() if lease.state is LeaseState.RESERVED}
        open_waits = {request.id for request in self.queue()} | reserved
        with self.context.store.read() as tx:
            for conflict in tx.conflicts.all("S"):
                assert (conflict.status is Status.OPEN) == (conflict.id in open_waits), conflict

    def reservations_kept_order(self, now: dict[int, Lease], queue: list[Request]) -> None:
        """A grant goes to whoever asked first, whole, and its waiter is rung."""
        for lease in now.values():
            if lease.token in self.seen or lease.state is not LeaseState.RESERVED:
                continue
            request = next(
                r
                for r in (*self.queued, *(w.request for w in self.waiters.values()))
                if r.id == lease.request
            )
            assert request.bell in self.bells.rung
            whole = {x.resource for x in now.values() if x.request == lease.request}
            assert whole == {name for name, _ in request.resources}
            for other in queue:
                if first(other, request) and other.agent != request.agent:
                    assert not any(clash(one, two) for one in request.resources for two in other.resources)

    # The judge's own eyes -------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return self.clock.boot_s

    def dead(self, process: Process) -> bool:
        return process in self.processes.dead

    def live(self) -> list[Lease]:
        with self.context.store.read() as tx:
            return tx.leases.live()

    def queue(self) -> list[Request]:
        with self.context.store.read() as tx:
            return tx.requests.waiting()

    def tokens_of(self, agent: str) -> set[int]:
        return {lease.token for lease in self.live() if lease.agent == agent}

    def longest_s(self, resource: str) -> float:
        touches = below(resource, "a/x") or below("a/x", resource)
        return CRITICAL_S if touches else LIMITS.max_duration_s

    def over(self, lease: Lease) -> bool:
        ends_s = lease.expires_s if lease.claim_by_s is None else lease.claim_by_s
        gone = lease.owner is not None and self.dead(lease.owner)
        return gone or ends_s <= self.now or lease.boot_id != self.clock.boot_id

    def ended(self, request: Request) -> bool:
        waiter = self.waiters.get(request.id)
        late = request.deadline_s + 1.0 <= self.now
        return late or request.boot_id != self.clock.boot_id or waiter is None or self.dead(waiter.process)

    def blocked(self, agent: str, wanted: Wanted, live: list[Lease], ahead: list[Request]) -> bool:
        others = [(lease.resource, lease.mode) for lease in live if lease.agent != agent]
        others += [item for request in ahead if request.agent != agent for item in request.resources]
        return any(clash(one, two) for one in wanted for two in others)

    def could_have(self, agent: str, asked: Wanted) -> bool:
        live = [lease for lease in self.live() if not self.over(lease)]
        passed = self.stuck_behind(agent, asked)
        ahead = [r for r in self.queue() if not self.ended(r) and r.id not in passed]
        return not self.blocked(agent, self.needed(agent, asked), live, ahead)

    def own(self, agent: str) -> list[Lease]:
        mine = [lease for lease in self.live() if lease.agent == agent and not self.over(lease)]
        return [lease for lease in mine if lease.state is LeaseState.HELD]

    def needed(self, agent: str, asked: Wanted) -> Wanted:
        own = self.own(agent)
        return tuple(
            (name, mode)
            for name, mode in asked
            if not any(below(o.resource, name) and strong(o.mode) >= strong(mode) for o in own)
        )

    def stuck_behind(self, agent: str, asked: Wanted) -> set[int]:
        """Return who waits because of a lease that the asker wants to make stronger, directly or behind another."""
        wanted = dict(self.needed(agent, asked))
        weak = [(o.resource, o.mode) for o in self.own(agent) if o.resource in wanted]
        weak = [(name, mode) for name, mode in weak if strong(mode) < strong(wanted[name])]
        queue = [r for r in self.queue() if r.agent != agent and not self.ended(r)]
        stuck: dict[int, Request] = {}
        for _ in queue:
            for request in queue:
                before = [
                    *weak,
                    *(
                        item
                        for other in stuck.values()
                        if first(other, request) and other.agent != request.agent
                        for item in other.resources
                    ),
                ]
                if any(clash(one, two) for one in request.resources for two in before):
                    stuck[request.id] = request
        return set(stuck)

    def in_circles(self, waiting: list[Request], live: list[Lease]) -> set[str]:
        """Return the agents from which waiting leads back to themselves."""
        edges: dict[str, set[str]] = {}
        for request in waiting:
            behind = edges.setdefault(request.agent, set())
            for lease in live:
                if any(clash(item, (lease.resource, lease.mode)) for item in request.resources):
                    behind.add(lease.agent)
            for other in waiting:
                if first(other, request) and any(
                    clash(one, two) for one in request.resources for two in other.resources
                ):
                    behind.add(other.agent)
            behind.discard(request.agent)
        for _ in edges:
            edges = {
                agent: others.union(*(edges.get(other, set()) for other in others))
                for agent, others in edges.items()
            }
        return {agent for agent, others in edges.items() if agent in others}

    def believe(self, agent: str, asked: Wanted, tokens: dict[str, int], duration_s: float | None) -> None:
        assert all(any(below(held, name) for held in tokens) for name, _ in asked), (
            "part of a set was granted"
        )
        for resource, token in tokens.items():
            if token not in self.beliefs and token > self.highest:
                length_s = min(duration_s or LIMITS.default_duration_s, self.longest_s(resource))
                self.hold(agent, resource, token, length_s)

    def hold(self, agent: str, resource: str, token: int, length_s: float) -> None:
        """Believe in a new lease; one that takes the place of another keeps its limit."""
        lease = next(lease for lease in self.live() if lease.token == token)
        old = [
            b
            for b in self.beliefs.values()
            if (b.agent, b.resource) == (agent, resource) and self.now < b.until_s and b.mode != lease.mode
        ]
        first_s = min([self.now, *(b.first_s for b in old)])
        assert lease.expires_s <= first_s + self.longest_s(resource) + LIMITS.claim_ttl_s
        if not old:
            assert lease.expires_s <= self.now + length_s
        self.beliefs = {
            number: b
            for number, b in self.beliefs.items()
            if b not in old or strong(b.mode) > strong(lease.mode)
        }
        self.beliefs[token] = Belief(agent, resource, lease.mode, lease.expires_s, first_s)

    def forget(self, agent: str) -> None:
        self.beliefs = {token: b for token, b in self.beliefs.items() if b.agent != agent}

    def look_as(self, number: int, *, cancelled: bool = False) -> None:
        waiter = self.waiters[number]
        if self.dead(waiter.process):
            return
        reserved = [
            lease for lease in self.live() if lease.request == number and lease.state is LeaseState.RESERVED
        ]
        lapsed = any(self.over(lease) for lease in reserved)
        with unit(self.context) as opened:
            verdict = look(self.context, opened, waiter.request, waiter.began_s, cancelled=cancelled)
        if verdict is None:
            assert not cancelled
            assert not reserved
            return
        del self.waiters[number]
        assert not (verdict.granted and (cancelled or lapsed)), "a grant was claimed too late"
        assert verdict.granted or cancelled or lapsed or not reserved
        if verdict.granted:
            request = waiter.request
            for resource, _ in request.resources:
                length_s = min(request.duration_s, self.longest_s(resource))
                if verdict.tokens.get(resource, 0) > 0 and verdict.tokens[resource] not in self.beliefs:
                    self.hold(request.agent, resource, verdict.tokens[resource], length_s)
