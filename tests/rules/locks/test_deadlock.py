"""Circles of waiting agents, judged by walking from agent to agent."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from pucs.core.modes import Mode
from pucs.core.resources import is_named
from pucs.locks.deadlock import LINKS_SPELLED, Link, circle, spelled
from pucs.locks.records import Lease, Limit, Request
from pucs.locks.rules import in_turn, normalised
from tests.rules.locks.test_rules import EX, SH, clash, lease, request

AGENTS = ("one", "two", "three", "four")
PLACES = ("a/", "a/x.py", "b.py", "res:one", "res:two")
LIMITS = {"res:two": Limit(concurrency=2, rate=1, period_s=9.0, recent_s=(1.0,))}
wanted = st.lists(
    st.tuples(st.sampled_from(PLACES), st.sampled_from([EX, EX, SH, Mode.INTENT])), min_size=1, max_size=2
)
held = st.lists(
    st.tuples(st.sampled_from(PLACES), st.sampled_from(AGENTS), st.sampled_from([EX, SH])), max_size=5
)
waits = st.lists(st.tuples(wanted, st.sampled_from(AGENTS)), max_size=5)


def asks(number: int, agent: str, what: list[tuple[str, Mode]]) -> Request:
    exclusive = [(name, EX if is_named(name) else mode) for name, mode in what]
    return replace(request(number, "d.py", agent=agent), resources=normalised(exclusive))


def goes_on(turn: list[Request], leases: list[Lease], limits: dict[str, Limit], never: str) -> set[str]:
    """Return the agents that can finish if ``never`` does not: all others finish as soon as nothing keeps them."""
    waiting = {asked.agent for asked in turn}
    done = {agent for agent in AGENTS if agent not in waiting} - {never}
    while True:
        more = set(done)
        for agent in waiting - done - {never}:
            if all(
                possible(asked, turn[:at], leases, limits, done)
                for at, asked in enumerate(turn)
                if asked.agent == agent
            ):
                more.add(agent)
        if more == done:
            return done
        done = more


def possible(
    asked: Request,
    before: list[Request],
    leases: list[Lease],
    limits: dict[str, Limit],
    done: set[str],
) -> bool:
    """Tell whether a request can be granted once all in ``done`` have given everything up."""
    stays = [(one.agent, one.resource, one.mode) for one in leases]
    stays += [(other.agent, name, mode) for other in before for name, mode in other.resources]
    stays = [item for item in stays if item[0] != asked.agent and item[0] not in done]
    for name, mode in asked.resources:
        if is_named(name):
            slots = limits[name].concurrency if name in limits else 1
            if len({agent for agent, other, _ in stays if other == name}) >= slots:
                return False
        elif any(clash((name, mode), (other, how)) for _, other, how in stays):
            return False
    return True


@settings(max_examples=3 * settings().max_examples)
@given(held, waits, wanted, st.sampled_from(AGENTS))
def test_a_circle_is_found_exactly_when_the_newcomer_could_never_go_on(
    has: list[tuple[str, str, Mode]],
    queue: list[tuple[list[tuple[str, Mode]], str]],
    asked: list[tuple[str, Mode]],
    agent: str,
) -> None:
    """Supposing it never does, who can still finish? If then it still cannot be served, it waits for itself."""
    leases = [
        lease(at, name, who, EX if is_named(name) else mode) for at, (name, who, mode) in enumerate(has, 1)
    ]
    waiting: list[Request] = []
    for at, (what, who) in enumerate(queue, 1):
        # Only queues that came about without a circle: a newcomer is asked about nobody else's.
        if goes_on([*waiting, asks(at, who, what)], leases, LIMITS, "") == set(AGENTS):
            waiting.append(asks(at, who, what))
    newcomer = asks(99, agent, asked)
    links = circle(
        newcomer, waiting, {who: [one for one in leases if one.agent == who] for who in AGENTS}, LIMITS
    )
    turn = [*waiting, newcomer]
    done = goes_on(turn, leases, LIMITS, agent)
    assert bool(links) == (not possible(newcomer, waiting, leases, LIMITS, done))
    if links:
        assert (links[0].agent, links[-1].other) == (agent, agent)
        assert [link.other for link in links[:-1]] == [link.agent for link in links[1:]]
        for link in links:
            assert link.agent != link.other
            theirs = [one for one in leases if one.agent == link.other and one.resource == link.has]
            first = [
                other for other in waiting if other.agent == link.other and link.has in dict(other.resources)
            ]
            assert theirs if link.held else first
        assert spelled(links).startswith(f"{agent} waits for ")


def test_whoever_passes_is_passed_by_nobody() -> None:
    """A request that comes after the newcomer by its turn is not in front of it."""
    waiting = [request(1, "d.py", agent="two")]
    upgrade = replace(request(2, "d.py", agent="one"), passes=(1,))
    reads = {"one": [lease(1, "d.py", "one", SH)], "three": [lease(2, "d.py", "three", SH)]}
    assert [asked.id for asked in in_turn([*waiting, upgrade])] == [2, 1]
    assert circle(upgrade, waiting, reads) == ()
    other = request(3, "d.py", agent="three")
    assert [link.other for link in circle(other, [*waiting, upgrade], reads)] == ["one", "three"]


def test_a_circle_of_others_is_not_the_newcomers() -> None:
    """Whoever comes behind one that nobody refused waits like everybody else."""
    leases = {"two": [lease(1, "a/", "two")], "three": [lease(2, "b.py", "three")]}
    waiting = [request(1, "b.py", agent="two"), request(2, "a/", agent="three")]
    assert circle(request(9, "a/x.py", agent="one"), waiting, leases) == ()


def test_a_rate_is_nobodys_to_give() -> None:
    """A window that is full empties by itself; nobody waits for a person there."""
    newcomer = asks(9, "one", [("res:two", EX)])
    assert circle(newcomer, [asks(1, "two", [("b.py", EX)])], {"one": [lease(1, "b.py")]}, LIMITS) == ()


def test_a_circle_in_words() -> None:
    """One sentence from the newcomer back to it, cut where nobody would follow any more."""
    links = (
        Link(agent="ann", resource="a.py", other="bob", has="a.py", held=True),
        Link(agent="bob", resource="b.py", other="cid", has="b.py", held=False),
        Link(agent="cid", resource="d/c.py", other="ann", has="d/", held=True),
    )
    assert spelled(links) == (
        "ann waits for a.py held by bob, who waits for b.py that cid asked for first, "
        "who waits for d/c.py because ann holds d/"
    )
    assert spelled(links[:1] * (LINKS_SPELLED + 1)).endswith("held by bob, and so on")
