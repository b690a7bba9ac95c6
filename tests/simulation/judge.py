"""The judge: knows only what the agents noted and what the cross-log says, and compares the two with plain definitions.

From the entries it keeps its own book of who holds, has reserved and waits for what; from the notes, what each agent
believes. It looks at the tables only to see that they say the same. All of it goes step by step, so that hundreds of
agents can be judged after every transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pucs.conflicts.records import Kind, Status
from pucs.core.modes import Mode
from pucs.crosslog.records import Query
from pucs.locks.records import LeaseState
from tests.simulation.book import ROUNDING_S, Belief, Book, Held, Note, Waiting
from tests.simulation.plain import ENOUGH, NEAR, WRITE, Wanted, clash, inside, is_named
from tests.simulation.schedule import Broken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pucs.coordinator.leases import Acquired
    from pucs.coordinator.ports import Store, Transaction
    from pucs.crosslog.records import Entry
    from pucs.locks.records import Lease

WAITS = {Kind.FILE_LOCK, Kind.RESOURCE}
"""Kinds of record that a wait has."""
ENDINGS = (
    "lock released",
    "lease expired",
    "lease reclaimed",
    "lease lapsed",
    "lease parked",
    "lease converted",
    "lease handed over",
)


@dataclass(kw_only=True)
class Judge(Book):
    """See the module."""

    store: Store
    longest_s: Callable[[str], float]
    """Longest life of a lease on a resource, by the configuration."""
    claim_ttl_s: float
    suspended_claim_s: float
    """How long a reservation waits for a suspended agent."""
    notes: dict[str, Note] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    """How often each resource was changed by work that landed."""
    granted: dict[int, Held] = field(default_factory=dict)
    """Every lease there ever was."""
    counts: dict[str, int] = field(default_factory=dict)
    seq: int = 0
    highest: int = 0
    say: Callable[[str], None] = lambda _: None
    _moving: dict[str, Held] = field(default_factory=dict)
    """Leases that ended because the next entry grants the same to another agent."""
    _believed_at: dict[str, set[int]] = field(default_factory=dict)

    # What agents say ------------------------------------------------------------------------------------------

    def asks(self, agent: str, wanted: Wanted, length_s: float, wait_s: float) -> None:
        """Note what an agent is going to ask for."""
        self.notes[agent] = Note(wanted=wanted, length_s=length_s, until_s=self.now_s() + wait_s)

    def told(self, agent: str, answer: Acquired) -> None:
        """Note the answer; a grant is believed from now on."""
        note = self.notes[agent]
        self.count("told it was granted" if answer.granted else "told it was not")
        if not answer.granted:
            if answer.tokens:
                raise Broken("all or nothing", f"{agent} was refused and got {answer.tokens}")
            return
        for name, mode in note.wanted:
            if not any(self._gives(agent, token, name, mode) for token in answer.tokens.values()):
                raise Broken("all or nothing", f"{agent} was told it has {name} ({mode}): {answer.tokens}")
        for name, token in answer.tokens.items():
            lease = self.granted[token]
            first_s = min(lease.first_s, lease.early_s)
            until_s = min(lease.since_s + lease.length_s, first_s + self.longest_s(name))
            self._forget([
                b for b in self.beliefs.values() if b.agent == agent and b.name == name and b.token != token
            ])
            known = self.beliefs.get(token)
            if known is not None:
                known.mode = lease.mode
                self._believed(known)
            elif until_s > self.now_s() + ROUNDING_S:
                base = self.versions.get(name, 0)
                self._believed(Belief(token, agent, name, lease.mode, until_s, base))

    def _gives(self, agent: str, token: int, name: str, mode: Mode) -> bool:
        lease = self.granted.get(token)
        return (
            lease is not None
            and lease.agent == agent
            and inside(name, lease.name)
            and (lease.mode, mode) in ENOUGH
        )

    def _believed(self, belief: Belief) -> None:
        """Hold a belief against those of all others."""
        now_s = self.now_s()
        if is_named(belief.name):
            users = {
                b.agent
                for b in self.beliefs.values()
                if b.name == belief.name and b.until_s > now_s + ROUNDING_S
            }
            if len(users | {belief.agent}) > self._slots(belief.name).agents:
                raise Broken("limits", f"{belief} was told, and {sorted(users)} believe to have it too")
        for near in () if is_named(belief.name) else NEAR[belief.name]:
            for token in self._believed_at.get(near, ()):
                other = self.beliefs[token]
                if other.agent == belief.agent or other.until_s <= now_s + ROUNDING_S:
                    continue
                if clash((belief.name, belief.mode), (other.name, other.mode)):
                    raise Broken("exclusion", f"{belief} was told while {other} is believed")
        self.beliefs[belief.token] = belief
        self._believed_at.setdefault(belief.name, set()).add(belief.token)

    def believed_by(self, agent: str) -> list[Belief]:
        """Return what an agent believes to hold now."""
        now_s = self.now_s()
        return [b for b in self.beliefs.values() if b.agent == agent and b.until_s > now_s + ROUNDING_S]

    def gives_up(self, agent: str, names: Iterable[str] | None, token: int | None) -> None:
        """Note that an agent lets go: it believes nothing of it from here on, whatever the answer will be."""
        wanted = None if names is None else set(names)
        mine = [b for b in self.beliefs.values() if b.agent == agent]
        gone = [b for b in mine if (wanted is None or b.name in wanted) and token in {None, b.token}]
        everything = {lease.name for lease in self.held.values() if lease.agent == agent}
        self.notes[agent] = Note(giving_up=everything if wanted is None else wanted, token=token)
        self._forget(gone)

    def renewed(self, agent: str, leases: Iterable[Lease], offset_s: float) -> None:
        """Note the answer to a renewal."""
        for lease in leases:
            known = self.beliefs.get(lease.token)
            until_s = lease.expires_s + offset_s
            first_s = self.granted[lease.token].first_s
            if until_s > first_s + self.longest_s(lease.resource) + ROUNDING_S:
                raise Broken("limits", f"{lease.resource} of {agent} was renewed beyond its longest life")
            if known is None or lease.agent != agent:
                continue
            if until_s < known.until_s - ROUNDING_S:
                raise Broken("limits", f"renewing {lease.resource} made the lease of {agent} shorter")
            known.until_s = until_s
            if until_s > self.now_s():
                self._believed(known)

    def waiter_died(self, agent: str) -> None:
        """Note that the process is no more that waited for an agent; suspended, it keeps its places."""
        for place in self.waiting.values():
            if place.agent == agent and not place.suspended:
                place.dead = True

    def weakens(self, agent: str, names: Iterable[str], to: Mode) -> None:
        """Note that an agent goes on with less: from here on it believes no more than that."""
        wanted = set(names)
        for belief in self.beliefs.values():
            if belief.agent == agent and belief.name in wanted and (belief.mode, to) in ENOUGH:
                belief.mode = to

    def weakened(self, agent: str, tokens: dict[str, int]) -> None:
        """Note the new tokens of an agent's weaker leases."""
        for name, token in tokens.items():
            old = [b for b in self.beliefs.values() if b.agent == agent and b.name == name]
            self._forget(old)
            for belief in old:
                self._believed(replace(belief, token=token))

    def hands_over(self, agent: str, names: Iterable[str]) -> None:
        """Note that an agent hands its work over: from here on these are not its own to use."""
        wanted = set(names)
        self._forget([b for b in self.beliefs.values() if b.agent == agent and b.name in wanted])

    def received(self, agent: str, tokens: dict[str, int], length_s: float) -> None:
        """Note what an agent was told it got from another one."""
        for name, token in tokens.items():
            lease = self.granted[token]
            until_s = min(lease.since_s + length_s, lease.first_s + self.longest_s(name))
            if token not in self.beliefs and until_s > self.now_s() + ROUNDING_S:
                self.count("handed over")
                self._believed(Belief(token, agent, name, lease.mode, until_s, self.versions.get(name, 0)))

    def died(self, agent: str) -> None:
        """Note that an agent's process is no more: it believes nothing."""
        for place in self.waiting.values():
            place.dead = place.dead or place.agent == agent
        self._forget([b for b in self.beliefs.values() if b.agent == agent])

    def landed(self, belief: Belief) -> None:
        """Note that a change of an agent came in; nobody else may have changed the resource since its grant."""
        found = self.versions.get(belief.name, 0)
        if found != belief.base:
            raise Broken(
                "fencing", f"{belief.agent} landed on {belief.name} as of {belief.base}, which was at {found}"
            )
        self.versions[belief.name] = belief.base = found + 1
        self.count("landed")

    def _forget(self, beliefs: Iterable[Belief]) -> None:
        for belief in beliefs:
            self.beliefs.pop(belief.token, None)
            self._believed_at.get(belief.name, set()).discard(belief.token)

    def count(self, what: str, number: int = 1) -> None:
        """Count something, so that a run that saw nothing is noticed."""
        self.counts[what] = self.counts.get(what, 0) + number

    # What the entries say -------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read what was written since the last look, and judge it."""
        with self.store.read() as tx:
            fresh = tx.entries.select(Query(after_seq=self.seq, limit=100_000))
            freed: set[str] = set()
            touched: set[int] = set()
            for entry in fresh:
                self.seq = entry.seq
                if entry.action.startswith(("lock ", "lease ", "paused", "resumed", "registered")):
                    self.say(f"  -> {entry.agent}: {entry.action} {', '.join(entry.files)}")
                    self._read(entry, freed, touched)
            for number in sorted(touched):
                self._record_is_right(tx, number)
        lost = [*self._converted.values(), *self._moving.values()]
        if lost:
            raise Broken("entries", f"ended for something that never began: {lost}")
        self._nobody_is_forgotten(freed)

    def _read(self, entry: Entry, freed: set[str], touched: set[int]) -> None:
        self.count(entry.action)
        number = entry.details.get("conflict", 0)
        if "handoff" in entry.details:
            self._moved(entry)
        elif entry.action in {"lock granted", "lock reserved"}:
            self._granted(entry, touched)
        elif entry.action == "lock claimed":
            self._claimed(entry)
        elif entry.action in ENDINGS:
            freed.update(entry.files)
            self._ended(entry)
        elif entry.action == "lock queued":
            self._queued(entry)
            touched.add(number)
        elif entry.action.startswith("lock wait "):
            touched.add(number)
            if number in self.waiting:
                freed.update(name for name, _ in self._leave(number).wanted)
        else:
            self._read_seldom(entry, freed)

    def _claimed(self, entry: Entry) -> None:
        for name in entry.files:
            place = entry.details["conflict"]
            mine = [h for h in self._around(name) if h.name == name and h.reserved and h.place == place]
            mine = [h for h in mine if h.agent == entry.agent]
            if len(mine) != 1:
                raise Broken("entries", f"{entry.agent} claimed {name}, of which {mine} was reserved")
            if self.now_s() > mine[0].since_s + mine[0].claim_s + ROUNDING_S:
                raise Broken("order", f"{mine[0]} was claimed when its time had passed")
            mine[0].reserved = False
            old = self._taken_back(entry.agent, name)
            mine[0].early_s = min([mine[0].early_s, *(lease.early_s for lease in old)])
            mine[0].since_s = self.now_s()
            mine[0].first_s = min([mine[0].since_s, *(lease.first_s for lease in old)])

    def _read_seldom(self, entry: Entry, freed: set[str]) -> None:
        if entry.action == "lock refused":
            self._refused(entry)
        elif entry.action == "lock downgraded":
            self._downgraded(entry)
        elif entry.action in {"paused", "resumed"}:
            self._ordered(entry, freed)

    def _ordered(self, entry: Entry, freed: set[str]) -> None:
        paused = entry.action == "paused"
        (self.paused.add if paused else self.paused.discard)(entry.agent)
        for place in self.waiting.values():
            if place.agent == entry.agent:
                place.paused = paused
                freed.update(name for name, _ in place.wanted)

    def _downgraded(self, entry: Entry) -> None:
        """Each lease has been replaced by a weaker one in the very same transaction."""
        mode = Mode(entry.details["mode"])
        for name, token in zip(entry.files, entry.details["tokens"], strict=True):
            old = self._converted.pop((entry.agent, name), None)
            if old is None or old.mode is mode or (old.mode, mode) not in ENOUGH:
                raise Broken("entries", f"{entry.agent} weakened {name} to {mode}, which was {old}")
            self._hold(replace(old, token=token, mode=mode))

    def _moved(self, entry: Entry) -> None:
        """Leases have changed hands in the very same transaction: nobody was passed who was not behind them before."""
        for name, token in zip(entry.files, entry.details["tokens"], strict=True):
            old = self._moving.pop(name, None)
            if old is None or old.agent == entry.agent:
                raise Broken("entries", f"{entry.agent} was handed {name}, which was {old}")
            self._hold(replace(old, token=token, agent=entry.agent, since_s=self.now_s()))

    def _hold(self, lease: Held) -> None:
        if lease.token <= self.highest:
            raise Broken("tokens", f"{lease} follows {self.highest}")
        for other in () if is_named(lease.name) else self._around(lease.name):
            if other.agent != lease.agent and clash((lease.name, lease.mode), (other.name, other.mode)):
                raise Broken("exclusion", f"{lease} was granted while there is {other}")
        self.highest = lease.token
        self.held[lease.token] = self.granted[lease.token] = lease
        self._held_at.setdefault(lease.name, set()).add(lease.token)

    def _ended(self, entry: Entry) -> None:
        note = self.notes.get(entry.agent, Note())
        for token in entry.details["tokens"]:
            lease = self.held.pop(token, None)
            if lease is None or lease.agent != entry.agent:
                raise Broken("entries", f"{entry.action} of {entry.agent} names token {token}: {lease}")
            self._held_at[lease.name].discard(token)
            meant = lease.name in note.giving_up and note.token in {None, token}
            if entry.action == "lease converted":
                self._converted[lease.agent, lease.name] = lease
            elif entry.action == "lease handed over":
                self._moving[lease.name] = lease
            elif entry.action == "lock released" and not meant:
                raise Broken("late owner", f"{lease} was released, but {entry.agent} gave up {note}")

    def _granted(self, entry: Entry, touched: set[int]) -> None:
        agent, reserved = entry.agent, entry.action == "lock reserved"
        place = self._place(entry) if reserved else None
        asked = place or self.notes[agent]
        modes, length_s = dict(asked.wanted), asked.length_s
        fresh = tuple((name, modes[name]) for name in entry.files)
        self._may_be_granted(agent, fresh, place)
        claim_s = 0.0
        if place is not None:
            if any(name not in entry.files and not self._has(place, name) for name, _ in place.wanted):
                raise Broken("all or nothing", f"{place} was reserved only {entry.files}")
            claim_s = self.suspended_claim_s if place.suspended else self.claim_ttl_s
            self._leave(place.number)
            touched.add(place.number)
        for (name, mode), token in zip(fresh, entry.details["tokens"], strict=True):
            now_s = self.now_s()
            mine = [h for h in self.held.values() if h.agent == agent and h.name == name and not h.reserved]
            old = [*mine, *self._taken_back(agent, name)]
            first_s = min([now_s, *(lease.first_s for lease in old)])
            early_s = min([first_s, *(lease.early_s for lease in old)])
            twice = [h for h in self._around(name) if h.agent == agent and h.name == name and h.reserved]
            if place is None and any(h.claim_s > self.claim_ttl_s and self._in_time(h) for h in twice):
                raise Broken("entries", f"{agent} was granted {name}, which is reserved for it: {twice}")
            number = place.number if place is not None else 0
            lease = Held(
                token, agent, name, mode, now_s, first_s, length_s, reserved, claim_s, number, early_s
            )
            self._hold(lease)

    def _in_time(self, lease: Held) -> bool:
        return self.now_s() < lease.since_s + lease.claim_s - ROUNDING_S

    def _has(self, place: Waiting, name: str) -> bool:
        """Tell whether a suspended agent has, or has reserved, a part of a set that it waited for by another place."""
        mine = [h for h in self._around(name) if h.agent == place.agent and h.name == name]
        return place.suspended and any(h.mode is dict(place.wanted)[name] for h in mine)

    def _may_be_granted(self, agent: str, fresh: Wanted, place: Waiting | None) -> None:
        """Hold a grant against the leases of others and against those whose turn comes before."""
        passed = self._kept_waiting(agent, dict(fresh)) if place is None else set()
        before = self.turn[: self.turn.index(place.number)] if place else self.turn
        before = [number for number in self._active(before) if number not in passed]
        if agent in self.paused:
            raise Broken("paused", f"{agent} is paused and was granted {fresh}")
        for name, mode in fresh:
            if is_named(name):
                self._a_slot_is_free(agent, name, place, before)
                continue
            for ahead in self._queue_around(name):
                if ahead.number in before and self._meets(ahead, agent, (name, mode)):
                    raise Broken("order", f"{agent} was granted {name} ({mode}) before {ahead}")

    def _taken_back(self, agent: str, name: str) -> list[Held]:
        """Return the lease in another mode that this one takes the place of."""
        old = self._converted.pop((agent, name), None)
        return [] if old is None else [old]

    def _place(self, entry: Entry) -> Waiting:
        """Return the place in the queue that an entry speaks of."""
        place = self.waiting.get(entry.details["conflict"])
        meant = place is not None and place.agent == entry.agent
        if place is None or not meant or not set(entry.files) <= {name for name, _ in place.wanted}:
            raise Broken("entries", f"{entry.files} was reserved for {entry.agent}, which waits as {place}")
        return place

    def _queued(self, entry: Entry) -> None:
        number = entry.details["conflict"]
        if self.waiting and number <= max(self.waiting):
            raise Broken("order", f"{entry.agent} was put before others in the queue")
        place = self._newcomer(entry, number)
        if any(agent != entry.agent for agent in (self.waiting[n].agent for n in self._passed(place))):
            self.count("upgrades that come before earlier requests")
        self._line_up(place)
        knot = self.knot(certain=True)
        if place in knot:
            raise Broken("deadlock", f"{entry.agent} was let wait, and now these wait for each other: {knot}")

    def _newcomer(self, entry: Entry, number: int) -> Waiting:
        note = self.notes[entry.agent]
        modes = dict(note.wanted)
        wanted = tuple((name, modes[name]) for name in entry.files)
        suspended = entry.details.get("suspended", False)
        return Waiting(number, entry.agent, wanted, note.length_s, note.until_s, suspended=suspended)

    def _refused(self, entry: Entry) -> None:
        """A wait is refused only if there would be a knot."""
        place, turn = self._newcomer(entry, entry.details["conflict"]), self.turn
        self._line_up(place)
        if place not in self.knot(certain=False):
            raise Broken("deadlock", f"{place} was refused without need: {entry.details}")
        self._leave(place.number)
        self.turn = turn

    def _a_slot_is_free(self, agent: str, name: str, place: Waiting | None, before: list[int]) -> None:
        """Hold a grant of a named resource against its limits, those ahead in the queue counted."""
        users, rate = self._used(agent, name, before, generous=True)
        slots = self._slots(name)
        if len(users) >= slots.agents:
            raise Broken(
                "limits", f"{agent} was granted {name}, which {sorted(users)} have or asked for first"
            )
        if slots.grants and rate >= slots.grants:
            raise Broken(
                "limits", f"{agent} was granted {name}, the {rate + 1}th in {slots.period_s:g} s: {place}"
            )
        self.given_s.setdefault(name, []).append(self.now_s())

    def _nobody_is_forgotten(self, freed: set[str]) -> None:
        """Whoever waits for something that was freed has it, or something else is in the way."""
        candidates = {place.number for name in freed for place in self._queue_around(name)}
        for number in sorted(candidates):
            place = self.waiting[number]
            if not place.paused and not place.dead and not self.blocked(place):
                raise Broken("order", f"nothing is in the way of {place}, and it waits")

    # What the tables say --------------------------------------------------------------------------------------

    def _record_is_right(self, tx: Transaction, number: int) -> None:
        """A wait has a record that is open as long as it goes on."""
        found = tx.conflicts.get(number)
        if found is None or found.kind not in WAITS:
            raise Broken("records", f"the wait {number} has no record: {found}")
        goes_on = number in self.waiting or any(
            lease.request == number and lease.state is LeaseState.RESERVED
            for lease in tx.leases.of_request(number)
        )
        if (found.status is Status.OPEN) != goes_on:
            raise Broken("records", f"the wait {'goes on' if goes_on else 'has ended'}: {found}")

    def reopen(self) -> None:
        """Begin a new book with what a restored store says; that no token comes again is remembered."""
        self.held.clear()
        self.waiting.clear()
        self.turn.clear()
        self._held_at.clear()
        self._waiting_at.clear()
        self.paused.clear()
        with self.store.read() as tx:
            self.seq = max((entry.seq for entry in tx.entries.select(Query(limit=1))), default=0)
            for lease in tx.leases.live():
                reserved = lease.state is LeaseState.RESERVED
                now_s = self.now_s()
                held = Held(
                    lease.token,
                    lease.agent,
                    lease.resource,
                    lease.mode,
                    now_s,
                    now_s,
                    0.0,
                    reserved,
                    self.claim_ttl_s,
                    lease.request,
                )
                self.held[lease.token] = self.granted[lease.token] = held
                self._held_at.setdefault(lease.resource, set()).add(lease.token)
            for request in tx.requests.waiting():
                place = Waiting(request.id, request.agent, request.resources, 0.0, 0.0, dead=True)
                counted = tx.requests.overlapping([name for name, _ in request.resources])
                place.paused = request.id not in {other.id for other in counted}
                self._line_up(place)
            self.paused.update(agent.id for agent in tx.agents.all("S") if agent.paused)

    def compare(self) -> None:
        """Compare the tables with the book that the entries give."""
        with self.store.read() as tx:
            live = {
                lease.token: (lease.agent, lease.resource, lease.mode, lease.state is LeaseState.RESERVED)
                for lease in tx.leases.live()
            }
            queue = {request.id: (request.agent, request.resources) for request in tx.requests.waiting()}
            reserved = {lease.request for lease in tx.leases.live() if lease.state is LeaseState.RESERVED}
            waits = [c for c in tx.conflicts.all("S") if c.kind in WAITS]
        book = {t: (h.agent, h.name, h.mode, h.reserved) for t, h in self.held.items()}
        if live != book:
            odd = sorted(set(live.items()) ^ set(book.items()))
            raise Broken("entries", f"the table of leases and the entries differ in {odd[:4]}")
        places = {w.number: (w.agent, tuple(sorted(w.wanted))) for w in self.waiting.values()}
        if {number: (agent, tuple(sorted(wanted))) for number, (agent, wanted) in queue.items()} != places:
            raise Broken("entries", f"the queue {queue} and the entries {places} differ")
        still = {c.id for c in waits if c.status is Status.OPEN}
        if still != set(queue) | reserved:
            raise Broken("records", f"open records {sorted(still)}, waits {sorted(set(queue) | reserved)}")
        now_s = self.now_s()
        for belief in self.beliefs.values():
            if belief.until_s > now_s + ROUNDING_S and belief.token not in self.held:
                raise Broken("exclusion", f"{belief} is believed, and the lease has ended")

    def writes(self, agent: str) -> list[Belief]:
        """Return what an agent believes it may change."""
        return [b for b in self.beliefs.values() if b.agent == agent and b.mode is WRITE]
