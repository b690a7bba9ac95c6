"""Judges whether answers of a store could have come from one lock register per resource: linearizability.

An operation takes effect at one moment between its call and its return; one without an answer, because its process was
killed, at any moment after its call or never. A call that waits has two such moments: it takes its place in the queue,
and later it is granted or leaves. The search for an order that explains every answer is Wing and Gong's,
with Lowe's memory of what was tried; resources are independent of each other, so each is searched alone. Pure: what it
judges comes in as values, and nothing of PUCS is imported.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate
from operator import or_
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

STATES_MAX = 400_000
"""States that one resource's search may visit: some seconds. Beyond it the history counts as not decided."""
SLACK_NS = 20_000_000
"""How far a lease's end may be off: a database counts by a clock of its own."""
NEVER = 1 << 62
ANY = -1
TOGETHER = frozenset({("SHARED_READ", "SHARED_READ"), ("SHARED_READ", "INTENT"), ("INTENT", "SHARED_READ")})
"""Modes that two agents may hold at once."""
STRENGTH = ("SHARED_READ", "INTENT", "EXCLUSIVE")


class Kind(StrEnum):
    """What was asked of the store."""

    ACQUIRE = "acquire"
    RELEASE = "release"
    RENEW = "renew"
    LOOK = "look"
    DOWNGRADE = "downgrade"
    QUEUE = "queue"
    """Part of an acquire that waits: it takes its place."""
    LEAVE = "leave"
    """Part of one that was refused in the end: it gives its place up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of one process, over one or several resources, with its answer."""

    agent: str
    kind: Kind
    resources: tuple[str, ...]
    called_ns: int
    returned_ns: int | None
    """None: there was no answer."""
    mode: str = "EXCLUSIVE"
    token: int = 0
    """Release, downgrade: the token that was named; ``ANY``: none."""
    wait_ns: int = 0
    """Acquire: how long it may wait."""
    queued_ns: int | None = None
    """When the process knew that it had a place in the queue; None: it had none, or could not know."""
    remote: bool = False
    """A server did it: whoever called is not told of a place in the queue, and may have been heard twice."""
    lost: bool = False
    """There was no answer, and yet the process lived on, and gave up what it waited for by itself."""
    unheard: bool = False
    """Of a part: the call it belongs to had no answer; it may have waited to its end and left."""
    by_ns: int = NEVER
    """Of a part without an answer: it has taken effect by then, or never."""
    duration_ns: int = NEVER
    """Length of the leases that this call grants or renews."""
    ok: bool = False
    """Granted; or given up."""
    tokens: tuple[tuple[str, int], ...] = ()
    """By resource: granted or renewed tokens."""
    seen: tuple[tuple[str, int], ...] = ()
    """Look: holders and their tokens."""


@dataclass(frozen=True, slots=True)
class Holder:
    """One lease, as the register knows it; it may be over already, as long as nobody has met it."""

    agent: str
    mode: str
    token: int
    """0: its process was killed before it was answered."""
    from_ns: int
    """It may be over from here on."""
    until_ns: int
    """It stands in nobody's way after this."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """One place in the queue."""

    agent: str
    mode: str
    until_ns: int
    """So long nobody that came later and clashes may pass, if its process lives; 0: it is not known when it was taken."""
    raises: bool
    """It makes a lease stronger, and so comes before those who wait because of that lease."""


State = tuple[int, frozenset[Holder], tuple[Waiter, ...]]
"""The highest token that was granted, who holds, and who waits."""


class Result(StrEnum):
    """What the search found."""

    HELD = "held"
    BROKEN = "broken"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one resource."""

    result: Result
    states: int
    """States that were visited."""
    furthest: Call | None = None
    """Broken: the first call that the longest explanation found does not explain."""


def judge(
    calls: Sequence[Call],
    dead_ns: Mapping[str, int],
    *,
    resource: str,
    states_max: int = STATES_MAX,
    slack_ns: int = SLACK_NS,
    unheard_ns: int = NEVER,
) -> Verdict:
    """Search for an order of the calls on one resource that explains every answer.

    ``dead_ns`` says from when on an agent's process may have been dead: from there on its leases may end at any time.
    ``unheard_ns``: so long after that a call of it without an answer may still take effect.
    """
    mine = [
        replace(step, by_ns=min(step.by_ns, dead_ns.get(step.agent, NEVER) + unheard_ns + step.wait_ns))
        for call in calls
        if resource in call.resources
        for step in _steps(call, slack_ns)
        if _tells(step)
    ]
    return _Search(sorted(mine, key=lambda call: call.called_ns), dead_ns, resource, slack_ns).run(states_max)


def _steps(call: Call, slack_ns: int) -> list[Call]:
    """Return the parts of a call that take effect each for itself."""
    if call.kind is not Kind.ACQUIRE:
        return [call]
    returned_ns = call.returned_ns
    steps = [call]
    if call.wait_ns and call.queued_ns is not None:
        # It may be granted before its process gets to note that it waits.
        queues = replace(call, kind=Kind.QUEUE, returned_ns=call.queued_ns, unheard=returned_ns is None)
        steps = [queues, call]
        if returned_ns is not None and not call.ok:
            from_ns = min(call.called_ns + call.wait_ns - slack_ns, returned_ns)
            steps[1] = replace(call, kind=Kind.LEAVE, called_ns=max(call.called_ns, from_ns))
    elif call.wait_ns and (call.remote or returned_ns is None):
        by_ns = NEVER if returned_ns is None else returned_ns
        steps = [replace(call, kind=Kind.QUEUE, returned_ns=None, by_ns=by_ns), call]
        if returned_ns is not None and not call.ok:
            steps[1] = replace(call, kind=Kind.LEAVE)
    if (
        call.remote
        and call.ok
        and returned_ns is not None
        and returned_ns - call.called_ns > call.duration_ns
    ):
        # It was heard twice, and what the first time brought had run out by the second.
        steps.append(replace(call, returned_ns=None, tokens=(), ok=False, by_ns=returned_ns))
    return steps


def _tells(call: Call) -> bool:
    """Tell whether a call takes part in one resource's search.

    Of a refused set it is not known which of its resources was in the way, so that it explains nothing about one alone.
    """
    if call.returned_ns is None:
        return call.kind is not Kind.LOOK
    return call.kind is not Kind.ACQUIRE or call.ok or len(call.resources) == 1


class _Search:
    """The search over one resource."""

    def __init__(
        self, calls: Sequence[Call], dead_ns: Mapping[str, int], resource: str, slack_ns: int
    ) -> None:
        self.calls = calls
        self.dead_ns = dead_ns
        self.resource = resource
        self.slack_ns = slack_ns
        self.answered = sum(1 << at for at, call in enumerate(calls) if call.returned_ns is not None)
        bounded = sorted(
            (call.by_ns, 1 << at)
            for at, call in enumerate(calls)
            if call.returned_ns is None and call.by_ns < NEVER
        )
        self.needs = _needs(calls, resource)
        self.bounds = [by_ns for by_ns, _ in bounded]
        self.lapsed = list(accumulate((bit for _, bit in bounded), or_, initial=0))

    def run(self, states_max: int) -> Verdict:
        """Go through the orders, nearest return first, until one explains everything or none is left.

        Orders in which fewer calls without an answer have taken effect come first: most of those explain nothing.
        """
        seen: set[tuple[int, State]] = set()
        stacks: list[list[tuple[int, int, State]]] = [[(0, 0, (0, frozenset(), ()))]]
        best, stuck = -1, 0
        while (used := next((at for at, stack in enumerate(stacks) if stack), -1)) >= 0:
            done, lower_ns, state = stacks[used].pop()
            if done & self.answered == self.answered:
                return Verdict(Result.HELD, len(seen))
            if (done, state) in seen:
                continue
            if len(seen) >= states_max:
                return Verdict(Result.UNDECIDED, len(seen))
            seen.add((done, state))
            explained = (done & self.answered).bit_count()
            if explained > best:
                best, stuck = explained, done
            able, upper_ns = self._able(done)
            for at in able:
                call = self.calls[at]
                now_ns = max(lower_ns, call.called_ns)
                after = self.after(call, state, now_ns, upper_ns)
                if after is not None and not self._barred(done | 1 << at, state, after):
                    lapsed = self.lapsed[bisect_left(self.bounds, now_ns)]
                    uses = used + (call.returned_ns is None)
                    stacks += [[] for _ in range(uses + 1 - len(stacks))]
                    stacks[uses].append((done | 1 << at | lapsed, now_ns, after))
        left = [call for at, call in enumerate(self.calls) if self.answered & ~stuck & 1 << at]
        first = min(left, key=lambda call: call.returned_ns or NEVER)
        return Verdict(Result.BROKEN, len(seen), first)

    def _barred(self, done: int, before: State, after: State) -> bool:
        """Tell whether a step took away a lease that a call to come needs: then no order goes on from there."""
        gone = before[1] - after[1]
        if not gone:
            return False
        left = {one.token for one in after[1]}
        return any(self.needs.get(one.token, 0) & ~done for one in gone if one.token not in left)

    def _able(self, done: int) -> tuple[list[int], int]:
        """Return the calls that may take effect next, the most urgent last, and by when one has to."""
        upper_ns = NEVER
        able: list[int] = []
        at = (~done & (done + 1)).bit_length() - 1  # the first that is not done
        for number in range(at, len(self.calls)):
            call = self.calls[number]
            if call.called_ns > upper_ns:
                break
            if not done >> number & 1:
                able.append(number)
                upper_ns = min(upper_ns, NEVER if call.returned_ns is None else call.returned_ns)
        able = [number for number in able if self.calls[number].called_ns <= upper_ns]
        able.sort(key=lambda number: -(self.calls[number].returned_ns or NEVER))
        return able, upper_ns

    def after(self, call: Call, state: State, lower_ns: int, upper_ns: int) -> State | None:
        """Return the state after a call that takes effect between two moments; None if its answer forbids that."""
        match call.kind:
            case Kind.ACQUIRE:
                return self._acquire(call, state, lower_ns, upper_ns)
            case Kind.RELEASE:
                return self._release(call, state, upper_ns)
            case Kind.RENEW:
                return self._renew(call, state, lower_ns, upper_ns)
            case Kind.LOOK:
                return self._look(call, state, upper_ns)
            case Kind.DOWNGRADE:
                return self._downgrade(call, state, lower_ns, upper_ns)
            case Kind.QUEUE | Kind.LEAVE:
                return self._place(call, state, lower_ns)

    def _over(self, holder: Holder, upper_ns: int) -> bool:
        """Tell whether a lease may be over by a moment."""
        return upper_ns >= min(holder.from_ns, self.dead_ns.get(holder.agent, NEVER))

    def _span(self, call: Call) -> tuple[int, int]:
        """Return the earliest and the latest end of a lease that a call granted or renewed."""
        if call.duration_ns >= NEVER:
            return NEVER, NEVER
        latest = NEVER if call.returned_ns is None else call.returned_ns + call.duration_ns + self.slack_ns
        return call.called_ns + call.duration_ns - self.slack_ns, latest

    def _blocked(self, call: Call, state: State, lower_ns: int) -> bool:
        """Tell whether something may have been in the way of a request."""
        return any(
            one.until_ns >= lower_ns and one.agent != call.agent and _clash(one.mode, call.mode)
            for one in state[1]
        ) or any(one.agent != call.agent and _clash(one.mode, call.mode) for one in state[2])

    def _place(self, call: Call, state: State, lower_ns: int) -> State | None:
        """Return the state after a place in the queue is taken or given up."""
        last, holders, queue = state
        left = _without(call.agent, queue)
        if call.kind is Kind.LEAVE:
            return None if call.queued_ns is not None and left == queue else (last, holders, left)
        if len(call.resources) == 1 and not self._blocked(call, state, lower_ns):
            return None
        raises = any(one.agent == call.agent for one in holders)
        until_ns = NEVER if call.queued_ns is not None and not call.lost else 0
        if call.unheard:
            until_ns = min(until_ns, call.called_ns + call.wait_ns - self.slack_ns)
        place = Waiter(call.agent, call.mode, until_ns, raises)
        return last, holders, (*left, place)

    def _passed(self, call: Call, queue: tuple[Waiter, ...], upper_ns: int) -> list[Waiter] | None:
        """Return the places of the dead that a grant passes; None: it would pass somebody who lives and came before."""
        own = next((at for at, one in enumerate(queue) if one.agent == call.agent), len(queue))
        if own < len(queue) and queue[own].raises:
            return []
        before = [one for one in queue[:own] if one.until_ns and _clash(one.mode, call.mode)]
        alive = any(upper_ns < min(one.until_ns, self.dead_ns.get(one.agent, NEVER)) for one in before)
        return None if alive else before

    def _acquire(self, call: Call, state: State, lower_ns: int, upper_ns: int) -> State | None:
        last, holders, queue = state
        if call.returned_ns is not None and not call.ok:
            return state if self._blocked(call, state, lower_ns) else None
        in_way = {one for one in holders if one.agent != call.agent and _clash(one.mode, call.mode)}
        own = next((one for one in holders if one.agent == call.agent), None)
        token = dict(call.tokens).get(self.resource, 0)
        covers = own is not None and STRENGTH.index(own.mode) >= STRENGTH.index(call.mode)
        left = _without(call.agent, queue)
        early = call.queued_ns is not None and left == queue  # its place comes first
        if own is not None and covers:
            if token and own.token == token and own.until_ns >= lower_ns:
                return last, holders, left
            if not self._over(own, upper_ns):
                return None
        passed = self._passed(call, queue, upper_ns) if own is None else []
        if early or passed is None or (call.returned_ns is not None and token <= last):
            return None
        if not all(self._over(one, upper_ns) for one in in_way):
            return None
        fresh = Holder(call.agent, call.mode, token, *self._span(call))
        left = tuple(one for one in left if one not in passed)
        return max(last, token), frozenset(holders - in_way - {own} | {fresh}), left

    def _downgrade(self, call: Call, state: State, lower_ns: int, upper_ns: int) -> State | None:
        last, holders, queue = state
        own = _own(call, holders)
        stronger = own is not None and STRENGTH.index(own.mode) > STRENGTH.index(call.mode)
        token = dict(call.tokens).get(self.resource, 0)
        if call.returned_ns is not None and not token:
            return state if own is None or not stronger or self._over(own, upper_ns) else None
        if own is None or not stronger or own.until_ns < lower_ns:
            return None
        if call.returned_ns is not None and token <= last:
            return None
        return max(last, token), holders - {own} | {replace(own, mode=call.mode, token=token)}, queue

    def _release(self, call: Call, state: State, upper_ns: int) -> State | None:
        last, holders, queue = state
        own = _own(call, holders)
        if call.returned_ns is None:
            return None if own is None else (last, holders - {own}, queue)
        if own is None:
            return None if call.ok else state
        return (last, holders - {own}, queue) if call.ok or self._over(own, upper_ns) else None

    def _renew(self, call: Call, state: State, lower_ns: int, upper_ns: int) -> State | None:
        last, holders, queue = state
        own = next((one for one in holders if one.agent == call.agent), None)
        token = dict(call.tokens).get(self.resource, 0)
        if own is None:
            return state if call.returned_ns is not None and not token else None
        if call.returned_ns is not None and not token:
            ended = replace(own, from_ns=0, until_ns=-1)
            return (last, holders - {own} | {ended}, queue) if self._over(own, upper_ns) else None
        if own.until_ns < lower_ns or (call.returned_ns is not None and token != own.token):
            return None
        earliest, latest = self._span(call)
        longer = replace(own, from_ns=max(own.from_ns, earliest), until_ns=max(own.until_ns, latest))
        return last, holders - {own} | {longer}, queue

    def _look(self, call: Call, state: State, upper_ns: int) -> State | None:
        last, holders, queue = state
        named = {one: (one.agent, one.token) in call.seen for one in holders if one.token}
        unnamed = {agent for agent, token in call.seen} - {one.agent for one, there in named.items() if there}
        killed = {one for one in holders if not one.token}
        gone = {one for one, there in named.items() if not there}
        gone |= {one for one in killed if one.agent not in unnamed}
        # What is reserved for a waiter is seen, though it may come too late for it.
        if unnamed - {one.agent for one in killed} - {one.agent for one in queue}:
            return None
        return (last, holders - gone, queue) if all(self._over(one, upper_ns) for one in gone) else None


def _needs(calls: Sequence[Call], resource: str) -> dict[int, int]:
    """Return which calls, as bits, were answered so that a lease must have been there, by its token."""
    needs: dict[int, int] = defaultdict(int)
    granted: set[int] = set()
    for at, call in enumerate(calls):
        if call.returned_ns is None:
            continue
        tokens = {token for name, token in call.tokens if name == resource}
        needed: set[int] = set()
        if call.kind is Kind.RENEW:
            needed = tokens
        elif call.kind is Kind.ACQUIRE:
            needed = tokens & granted  # what was held already
            granted |= tokens
        elif (call.kind is Kind.RELEASE and call.ok) or (call.kind is Kind.DOWNGRADE and tokens):
            needed = {call.token}
            granted |= tokens
        elif call.kind is Kind.LOOK:
            # An agent that is seen twice has a stronger mode reserved; then its old lease counts as replaced.
            agents = [agent for agent, _ in call.seen]
            needed = {token for agent, token in call.seen if agents.count(agent) == 1}
        for token in needed - {ANY}:
            needs[token] |= 1 << at
    return needs


def _own(call: Call, holders: Iterable[Holder]) -> Holder | None:
    """Return the lease that a call by token is about."""
    return next((one for one in holders if one.agent == call.agent and call.token in {one.token, ANY}), None)


def _clash(mode: str, other: str) -> bool:
    return (mode, other) not in TOGETHER


def _without(agent: str, queue: tuple[Waiter, ...]) -> tuple[Waiter, ...]:
    return tuple(one for one in queue if one.agent != agent)


def parts(calls: Iterable[Call]) -> list[str]:
    """Return what is wrong with sets: granted in part, or refused in part."""
    return [
        f"{call.agent} asked for {', '.join(call.resources)} and was granted {dict(call.tokens) or 'nothing'}"
        for call in calls
        if call.kind is Kind.ACQUIRE and call.returned_ns is not None
        if {name for name, _ in call.tokens} != (set(call.resources) if call.ok else set())
    ]


def tokens(calls: Iterable[Call]) -> list[str]:
    """Return what is wrong with tokens over all resources: given out for two things, or smaller than an earlier one."""
    wrong: list[str] = []
    owner: dict[int, tuple[str, str]] = {}
    given: list[tuple[int, int, int]] = []
    for call in sorted(calls, key=lambda call: call.returned_ns or NEVER):
        if call.kind not in {Kind.ACQUIRE, Kind.DOWNGRADE} or call.returned_ns is None:
            continue
        for resource, token in call.tokens:
            if token not in owner:
                given.append((call.called_ns, call.returned_ns, token))
            if owner.setdefault(token, (call.agent, resource)) != (call.agent, resource):
                wrong.append(f"token {token} was given out for {owner[token]} and {(call.agent, resource)}")
    highest = 0
    returned = sorted(given, key=lambda one: one[1])
    at = 0
    for called_ns, _, token in sorted(given):
        while at < len(returned) and returned[at][1] < called_ns:
            highest = max(highest, returned[at][2])
            at += 1
        if token < highest:
            wrong.append(f"token {token} was given out after {highest}")
    return wrong


def per_resource(calls: Iterable[Call]) -> dict[str, int]:
    """Return how many calls name each resource."""
    found: dict[str, int] = defaultdict(int)
    for call in calls:
        for resource in call.resources:
            found[resource] += 1
    return dict(sorted(found.items()))
