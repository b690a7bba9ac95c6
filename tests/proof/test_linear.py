"""The judge of histories passes what one lock register could have answered, and nothing else."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proof import linear
from proof.linear import Call, Kind, Result

NEVER_DEAD: dict[str, int] = {}


def acquired(
    agent: str,
    called: int,
    returned: int | None,
    token: int,
    *,
    mode: str = "EXCLUSIVE",
    lasts: int = linear.NEVER,
) -> Call:
    """Return a call for ``x`` that was granted; token 0: it was refused."""
    return Call(
        agent=agent,
        kind=Kind.ACQUIRE,
        resources=("x",),
        called_ns=called,
        returned_ns=returned,
        mode=mode,
        duration_ns=lasts,
        ok=token > 0,
        tokens=(("x", token),) if token else (),
    )


def released(agent: str, called: int, returned: int | None, token: int, *, ok: bool = True) -> Call:
    """Return a call that gave ``x`` up."""
    return Call(
        agent=agent,
        kind=Kind.RELEASE,
        resources=("x",),
        called_ns=called,
        returned_ns=returned,
        token=token,
        ok=ok,
    )


def renewed(agent: str, called: int, returned: int, token: int, lasts: int) -> Call:
    """Return a renewal; token 0: ``x`` was not among what was renewed."""
    return replace(acquired(agent, called, returned, token, lasts=lasts), kind=Kind.RENEW, ok=True)


def looked(agent: str, called: int, returned: int, *seen: tuple[str, int]) -> Call:
    """Return a look at who holds ``x``."""
    return Call(
        agent=agent,
        kind=Kind.LOOK,
        resources=("x",),
        called_ns=called,
        returned_ns=returned,
        ok=True,
        seen=seen,
    )


def waited(
    agent: str,
    called: int,
    queued: int | None,
    returned: int | None,
    token: int,
    *,
    mode: str = "EXCLUSIVE",
    wait: int = 100,
) -> Call:
    """Return a call for ``x`` that was willing to wait; token 0: it was refused in the end."""
    call = acquired(agent, called, returned, token, mode=mode)
    return replace(call, wait_ns=wait, queued_ns=queued)


def weakened(
    agent: str, called: int, returned: int, old: int, token: int, *, mode: str = "SHARED_READ"
) -> Call:
    """Return a call that kept ``x`` in a weaker mode; token 0: there was nothing to weaken."""
    made = acquired(agent, called, returned, token, mode=mode)
    return replace(made, kind=Kind.DOWNGRADE, token=old, ok=False)


def result(*calls: Call, dead: dict[str, int] | None = None, states_max: int = 10_000) -> Result:
    """Return what the judge says, with clocks that are exact."""
    return linear.judge(calls, dead or NEVER_DEAD, resource="x", slack_ns=0, states_max=states_max).result


PASSES = {
    "one after the other": (acquired("a", 0, 1, 1), released("a", 2, 3, 1), acquired("b", 4, 5, 2)),
    "readers together": (
        acquired("a", 0, 1, 1, mode="SHARED_READ"),
        acquired("b", 2, 3, 2, mode="SHARED_READ"),
        acquired("c", 4, 5, 3, mode="INTENT"),
    ),
    "granted beside the release": (acquired("a", 0, 1, 1), acquired("b", 2, 5, 2), released("a", 3, 4, 1)),
    "the same again": (acquired("a", 0, 1, 1), acquired("a", 2, 3, 1)),
    "after the lease": (acquired("a", 0, 1, 1, lasts=10), acquired("b", 5, 12, 2)),
    "refused until its end": (acquired("a", 0, 1, 1, lasts=10), acquired("b", 8, 11, 0)),
    "released though it was over": (acquired("a", 0, 1, 1, lasts=10), released("a", 20, 21, 1)),
    "a late release": (acquired("a", 0, 1, 1), released("a", 2, 3, 1), released("a", 4, 5, 1, ok=False)),
    "renewed": (acquired("a", 0, 1, 1, lasts=10), renewed("a", 8, 9, 1, 10), acquired("b", 12, 13, 0)),
    "not renewed": (acquired("a", 0, 1, 1, lasts=10), renewed("a", 12, 13, 0, 10), released("a", 14, 15, 1)),
    "seen": (acquired("a", 0, 1, 1), looked("b", 2, 3, ("a", 1)), released("a", 4, 5, 1), looked("b", 6, 7)),
    "a grant without an answer": (acquired("a", 0, None, 0), acquired("b", 5, 6, 0)),
    "a release without an answer": (
        acquired("a", 0, 1, 1),
        released("a", 2, None, 1),
        acquired("b", 5, 6, 2),
    ),
    "a release that never came": (acquired("a", 0, 1, 1), released("a", 2, None, 1), acquired("b", 5, 6, 0)),
    "granted in turn": (
        acquired("a", 0, 1, 1),
        waited("b", 2, 3, 9, 2),
        waited("c", 4, 5, 14, 3),
        released("a", 6, 8, 1),
        released("b", 10, 11, 2),
    ),
    "granted before it knew that it waits": (
        acquired("a", 0, 1, 1),
        waited("b", 2, 7, 9, 2, mode="SHARED_READ"),
        released("a", 3, 4, 1),
        acquired("c", 5, 6, 3, mode="SHARED_READ"),
    ),
    "refused behind a waiter": (
        acquired("a", 0, 1, 1),
        waited("b", 2, 3, 12, 2),
        released("a", 4, 5, 1),
        acquired("c", 6, 7, 0),
    ),
    "readers pass a reader": (
        acquired("a", 0, 1, 1, mode="INTENT"),
        waited("b", 2, 3, 20, 3, mode="INTENT"),
        acquired("c", 4, 5, 2, mode="SHARED_READ"),
        released("a", 8, 9, 1),
    ),
    "after who stopped waiting": (
        acquired("a", 0, 1, 1),
        waited("b", 2, 3, 9, 0, wait=5),
        released("a", 4, 11, 1),
        acquired("c", 9, 13, 2),
    ),
    "made stronger before who waits for it": (
        acquired("a", 0, 1, 1, mode="INTENT"),
        waited("b", 2, 3, 30, 3),
        acquired("a", 4, 5, 2),
        released("a", 6, 7, 2),
    ),
    "a waiter without an answer": (
        acquired("a", 0, 1, 1),
        waited("b", 2, None, None, 0),
        released("a", 3, 4, 1),
        acquired("c", 5, 6, 0),
    ),
    "weakened": (
        acquired("a", 0, 1, 1),
        weakened("a", 2, 3, 1, 2),
        acquired("b", 4, 5, 3, mode="SHARED_READ"),
    ),
    "nothing to weaken": (acquired("a", 0, 1, 1, lasts=10), weakened("a", 20, 21, 1, 0)),
}
FAILS = {
    "two hold it": (acquired("a", 0, 1, 1), acquired("b", 2, 3, 2)),
    "two plan it": (acquired("a", 0, 1, 1, mode="INTENT"), acquired("b", 2, 3, 2, mode="INTENT")),
    "refused though free": (acquired("a", 0, 1, 1), released("a", 2, 3, 1), acquired("b", 4, 5, 0)),
    "refused by a lease that is over": (acquired("a", 0, 1, 1, lasts=10), acquired("b", 12, 13, 0)),
    "granted before the end": (acquired("a", 0, 1, 1, lasts=10), acquired("b", 5, 9, 2)),
    "granted in a renewed lease": (
        acquired("a", 0, 1, 1, lasts=10),
        renewed("a", 8, 9, 1, 10),
        acquired("b", 12, 13, 2),
    ),
    "a token twice": (acquired("a", 0, 1, 1), released("a", 2, 3, 1), acquired("b", 4, 5, 1)),
    "a smaller token": (acquired("a", 0, 1, 2), released("a", 2, 3, 2), acquired("b", 4, 5, 1)),
    "released twice": (acquired("a", 0, 1, 1), released("a", 2, 3, 1), released("a", 4, 5, 1)),
    "another's token": (acquired("a", 0, 1, 1), released("b", 2, 3, 1)),
    "a lease that vanished": (acquired("a", 0, 1, 1), released("a", 2, 3, 1, ok=False)),
    "a stale look": (acquired("a", 0, 1, 1), released("a", 2, 3, 1), looked("b", 4, 5, ("a", 1))),
    "a look that misses": (acquired("a", 0, 1, 1), looked("b", 2, 3)),
    "a new token for what is held": (acquired("a", 0, 1, 1), acquired("a", 2, 3, 2)),
    "a waiter is passed": (
        acquired("a", 0, 1, 1),
        waited("b", 2, 3, 20, 3),
        released("a", 4, 5, 1),
        acquired("c", 6, 7, 2),
        released("c", 8, 9, 2),
    ),
    "out of turn": (
        acquired("a", 0, 1, 1),
        waited("b", 2, 3, 14, 3),
        waited("c", 4, 5, 9, 2),
        released("a", 6, 8, 1),
        released("c", 10, 11, 2),
    ),
    "a reader passes a writer that waits": (
        acquired("a", 0, 1, 1, mode="SHARED_READ"),
        waited("b", 2, 3, 20, 3),
        acquired("c", 4, 5, 2, mode="SHARED_READ"),
        released("a", 6, 7, 1),
        released("c", 8, 9, 2),
    ),
    "in the queue though free": (waited("a", 0, 1, 5, 1),),
    "made stronger beside a reader": (
        acquired("a", 0, 1, 1, mode="SHARED_READ"),
        acquired("b", 2, 3, 2, mode="SHARED_READ"),
        acquired("a", 4, 5, 3),
    ),
    "weakened, and another token": (
        acquired("a", 0, 1, 1),
        weakened("a", 2, 3, 1, 2),
        released("a", 4, 5, 1),
    ),
    "not weakened": (acquired("a", 0, 1, 1), weakened("a", 2, 3, 1, 0)),
    "written beside the weakened": (
        acquired("a", 0, 1, 1),
        weakened("a", 2, 3, 1, 2),
        acquired("b", 4, 5, 3),
    ),
}


@pytest.mark.parametrize("name", PASSES)
def test_what_a_register_could_answer_passes(name: str) -> None:
    """Some order within the intervals explains every answer."""
    assert result(*PASSES[name]) is Result.HELD


@pytest.mark.parametrize("name", FAILS)
def test_what_no_register_answers_fails(name: str) -> None:
    """No order explains the answers."""
    assert result(*FAILS[name]) is Result.BROKEN


def test_a_lease_may_end_once_its_owner_may_be_dead() -> None:
    """Before that moment it stands; after it somebody else may be granted the resource, or refused."""
    held = acquired("a", 0, 1, 1)
    assert result(held, acquired("b", 5, 6, 2), dead={"a": 6}) is Result.HELD
    assert result(held, acquired("b", 5, 6, 0), dead={"a": 4}) is Result.HELD
    assert result(held, acquired("b", 5, 6, 2), dead={"a": 7}) is Result.BROKEN


def test_a_place_in_the_queue_may_be_passed_once_its_waiter_may_be_dead() -> None:
    """Before that moment it stands."""
    calls = (
        acquired("a", 0, 1, 1),
        waited("b", 2, 3, None, 0),
        released("a", 4, 5, 1),
        acquired("c", 6, 7, 2),
    )
    assert result(*calls, dead={"b": 7}) is Result.HELD
    assert result(*calls, dead={"b": 8}) is Result.BROKEN
    short = replace(calls[1], wait_ns=5)
    assert result(calls[0], short, *calls[2:], dead={"b": 8}) is Result.HELD, (
        "it may have left before it died"
    )


def test_what_a_server_may_have_heard_twice_is_not_held_against_it() -> None:
    """The first lease had run out when the second answer came; in process that cannot be."""
    twice = acquired("a", 0, 30, 3, lasts=10)
    other = (acquired("b", 5, 6, 0), acquired("b", 15, 16, 2), released("b", 17, 18, 2))
    assert result(replace(twice, remote=True), *other) is Result.HELD
    assert result(twice, *other) is Result.BROKEN


def test_nothing_happens_long_after_a_death() -> None:
    """A call without an answer took effect by then, or never."""
    calls = (
        acquired("c", 0, 1, 1),
        acquired("a", 2, None, 0, mode="SHARED_READ"),
        released("c", 20, 21, 1),
        acquired("b", 50, 51, 0),
    )
    judged = [
        linear.judge(calls, {"a": 3}, resource="x", slack_ns=0, unheard_ns=at).result
        for at in (linear.NEVER, 5)
    ]
    assert judged == [Result.HELD, Result.BROKEN]


def test_what_is_not_decided_has_not_passed() -> None:
    """The search gives up at its bound and says so."""
    calls = [acquired(f"a{at}", 0, 100, at + 1, mode="SHARED_READ") for at in range(6)]
    assert result(*calls, states_max=3) is Result.UNDECIDED
    assert result(*calls) is Result.HELD


def test_sets_are_whole_and_tokens_are_new() -> None:
    """A set granted in part is found, and so is a token for two things or one that is smaller than an earlier one."""
    pair = replace(acquired("a", 0, 1, 1), resources=("x", "y"))
    assert linear.parts([pair])
    assert not linear.parts([replace(pair, tokens=(("x", 1), ("y", 2)))])
    elsewhere = replace(acquired("b", 2, 3, 1), resources=("y",), tokens=(("y", 1),))
    assert linear.tokens([acquired("a", 0, 1, 1), elsewhere])
    assert linear.tokens([acquired("a", 0, 1, 2), replace(elsewhere, tokens=(("y", 1),))])
    assert not linear.tokens([acquired("a", 0, 1, 1), replace(elsewhere, tokens=(("y", 2),))])


def history(seed: int, count: int) -> list[Call]:
    """Return a random history of a real register: each call takes effect at a moment within its interval."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    holders: dict[str, tuple[str, int]] = {}
    free_ns = {f"a{at}": 0 for at in range(4)}
    last = 0
    calls: list[Call] = []
    for moment in range(10, 10 + 10 * count, 10):
        agent = rng.choice([name for name, since_ns in free_ns.items() if since_ns < moment] or [""])
        if not agent:
            continue
        called, returned = rng.randint(free_ns[agent], moment), moment + rng.randint(1, 40)
        free_ns[agent] = returned + 1
        if agent in holders:
            _, token = holders.pop(agent)
            calls.append(released(agent, called, returned, token))
            continue
        mode = rng.choice(["EXCLUSIVE", "SHARED_READ", "INTENT"])
        if all((held, mode) in linear.TOGETHER for held, _ in holders.values()):
            last += 1
            holders[agent] = (mode, last)
            calls.append(acquired(agent, called, returned, last, mode=mode))
        else:
            calls.append(acquired(agent, called, returned, 0, mode=mode))
    return calls


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 40))
def test_every_history_of_a_register_passes(seed: int, count: int) -> None:
    """However the intervals overlap."""
    assert result(*history(seed, count)) is Result.HELD


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), pick=st.integers(0, 2**32))
def test_a_wrong_answer_is_found(seed: int, pick: int) -> None:
    """A token that is smaller than the first one, or the denial of a release, cannot be explained."""
    calls = history(seed, 20)
    given_up = [at for at, call in enumerate(calls) if call.kind is Kind.RELEASE]
    if not given_up:
        return
    at = given_up[pick % len(given_up)]
    calls[at] = replace(calls[at], ok=False)
    assert result(*calls) is Result.BROKEN


class Register:
    """A register with a queue, first come, first served among those that clash."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - no secret
        self.free_ns = {f"a{at}": 0 for at in range(5)}
        self.holders: dict[str, tuple[str, int]] = {}
        self.queue: list[tuple[str, str, int, int]] = []
        self.last = 0
        self.calls: list[Call] = []

    def history(self, count: int) -> list[Call]:
        """Return what callers see of so many moments."""
        for moment in range(100, 100 + 100 * count, 100):
            idle = [name for name, since_ns in self.free_ns.items() if since_ns < moment]
            if not idle:
                continue
            agent = self.rng.choice(idle)
            called = self.rng.randint(self.free_ns[agent], moment)
            if agent in self.holders:
                self.calls.append(
                    released(agent, called, self._returns(agent, moment), self.holders.pop(agent)[1])
                )
                self._serve(moment)
            else:
                self._ask(agent, called, moment)
        unheard = [
            waited(agent, called, queued, None, 0, mode=mode) for agent, mode, called, queued in self.queue
        ]
        return self.calls + unheard

    def _returns(self, agent: str, moment: int) -> int:
        returned = moment + self.rng.randint(1, 250)
        self.free_ns[agent] = returned + 1
        return returned

    def _free(self, mode: str, waiting: list[tuple[str, str, int, int]]) -> bool:
        others = [held for held, _ in self.holders.values()] + [other for _, other, _, _ in waiting]
        return all((held, mode) in linear.TOGETHER for held in others)

    def _ask(self, agent: str, called: int, moment: int) -> None:
        mode = self.rng.choice(["EXCLUSIVE", "EXCLUSIVE", "SHARED_READ", "INTENT"])
        wait = self.rng.choice([0, 10_000_000])
        if self._free(mode, self.queue):
            self.last += 1
            self.holders[agent] = (mode, self.last)
            call = acquired(agent, called, self._returns(agent, moment), self.last, mode=mode)
            self.calls.append(replace(call, wait_ns=wait))
        elif wait:
            self.queue.append((agent, mode, called, moment + self.rng.randint(1, 90)))
            self.free_ns[agent] = linear.NEVER
        else:
            self.calls.append(acquired(agent, called, self._returns(agent, moment), 0, mode=mode))

    def _serve(self, moment: int) -> None:
        left: list[tuple[str, str, int, int]] = []
        for place in self.queue:
            agent, mode, called, queued = place
            if self._free(mode, left):
                self.last += 1
                self.holders[agent] = (mode, self.last)
                returned = self._returns(agent, moment)
                self.calls.append(
                    waited(agent, called, queued, returned, self.last, mode=mode, wait=10_000_000)
                )
            else:
                left.append(place)
        self.queue = left


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 60))
def test_every_history_of_a_register_with_a_queue_passes(seed: int, count: int) -> None:
    """However the intervals overlap, and whoever still waits in the end."""
    assert result(*Register(seed).history(count)) is Result.HELD
