"""Judges whether answers of a store could have come from one lock register per resource: linearizability.

An operation takes effect at one moment between its call and its return; one without an answer, because its process was
killed, at any moment after its call or never. The search for an order that explains every answer is Wing and Gong's,
with Lowe's memory of what was tried; resources are independent of each other, so each is searched alone. Pure: what it
judges comes in as values, and nothing of PUCS is imported.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

STATES_MAX = 400_000
"""States that one resource's search may visit: some seconds. Beyond it the history counts as not decided."""
SLACK_NS = 20_000_000
"""How far a lease's end may be off: a database counts by a clock of its own."""
NEVER = 1 << 62
TOGETHER = frozenset({("SHARED_READ", "SHARED_READ"), ("SHARED_READ", "INTENT"), ("INTENT", "SHARED_READ")})
"""Modes that two agents may hold at once."""
STRENGTH = ("SHARED_READ", "INTENT", "EXCLUSIVE")


class Kind(StrEnum):
    """What was asked of the store."""

    ACQUIRE = "acquire"
    RELEASE = "release"
    RENEW = "renew"
    LOOK = "look"


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
    """Release: the token that was named."""
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


State = tuple[int, frozenset[Holder]]
"""The highest token that was granted, and who holds."""


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
) -> Verdict:
    """Search for an order of the calls on one resource that explains every answer.

    ``dead_ns`` says from when on an agent's process may have been dead: from there on its leases may end at any time.
    """
    mine = [call for call in calls if resource in call.resources and _tells(call)]
    return _Search(sorted(mine, key=lambda call: call.called_ns), dead_ns, resource, slack_ns).run(states_max)


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

    def run(self, states_max: int) -> Verdict:
        """Go through the orders, nearest return first, until one explains everything or none is left."""
        seen: set[tuple[int, State]] = set()
        stack: list[tuple[int, int, State]] = [(0, 0, (0, frozenset()))]
        best, stuck = -1, 0
        while stack:
            done, lower_ns, state = stack.pop()
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
                if after is not None:
                    stack.append((done | 1 << at, now_ns, after))
        left = [call for at, call in enumerate(self.calls) if self.answered & ~stuck & 1 << at]
        first = min(left, key=lambda call: call.returned_ns or NEVER)
        return Verdict(Result.BROKEN, len(seen), first)

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

    def _over(self, holder: Holder, upper_ns: int) -> bool:
        """Tell whether a lease may be over by a moment."""
        return upper_ns >= min(holder.from_ns, self.dead_ns.get(holder.agent, NEVER))

    def _span(self, call: Call) -> tuple[int, int]:
        """Return the earliest and the latest end of a lease that a call granted or renewed."""
        if call.duration_ns >= NEVER:
            return NEVER, NEVER
        latest = NEVER if call.returned_ns is None else call.returned_ns + call.duration_ns + self.slack_ns
        return call.called_ns + call.duration_ns - self.slack_ns, latest

    def _acquire(self, call: Call, state: State, lower_ns: int, upper_ns: int) -> State | None:
        last, holders = state
        in_way = {one for one in holders if one.agent != call.agent and (one.mode, call.mode) not in TOGETHER}
        if call.returned_ns is not None and not call.ok:
            return state if any(one.until_ns >= lower_ns for one in in_way) else None
        own = next((one for one in holders if one.agent == call.agent), None)
        token = dict(call.tokens).get(self.resource, 0)
        covers = own is not None and STRENGTH.index(own.mode) >= STRENGTH.index(call.mode)
        if own is not None and covers:
            if token and own.token == token and own.until_ns >= lower_ns:
                return state
            if not self._over(own, upper_ns):
                return None
        if (call.returned_ns is not None and token <= last) or not all(
            self._over(one, upper_ns) for one in in_way
        ):
            return None
        fresh = Holder(call.agent, call.mode, token, *self._span(call))
        return max(last, token), frozenset(holders - in_way - {own} | {fresh})

    def _release(self, call: Call, state: State, upper_ns: int) -> State | None:
        last, holders = state
        own = next((one for one in holders if (one.agent, one.token) == (call.agent, call.token)), None)
        if call.returned_ns is None:
            return None if own is None else (last, holders - {own})
        if own is None:
            return None if call.ok else state
        return (last, holders - {own}) if call.ok or self._over(own, upper_ns) else None

    def _renew(self, call: Call, state: State, lower_ns: int, upper_ns: int) -> State | None:
        last, holders = state
        own = next((one for one in holders if one.agent == call.agent), None)
        token = dict(call.tokens).get(self.resource, 0)
        if own is None:
            return state if call.returned_ns is not None and not token else None
        if call.returned_ns is not None and not token:
            return (
                (last, holders - {own} | {replace(own, from_ns=0, until_ns=-1)})
                if self._over(own, upper_ns)
                else None
            )
        if own.until_ns < lower_ns or (call.returned_ns is not None and token != own.token):
            return None
        earliest, latest = self._span(call)
        longer = replace(own, from_ns=max(own.from_ns, earliest), until_ns=max(own.until_ns, latest))
        return last, holders - {own} | {longer}

    def _look(self, call: Call, state: State, upper_ns: int) -> State | None:
        last, holders = state
        named = {one: (one.agent, one.token) in call.seen for one in holders if one.token}
        unnamed = {agent for agent, token in call.seen} - {one.agent for one, there in named.items() if there}
        killed = {one for one in holders if not one.token}
        gone = {one for one, there in named.items() if not there}
        gone |= {one for one in killed if one.agent not in unnamed}
        if unnamed - {one.agent for one in killed}:
            return None
        return (last, holders - gone) if all(self._over(one, upper_ns) for one in gone) else None


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
        if call.kind is not Kind.ACQUIRE or not call.ok or call.returned_ns is None:
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
