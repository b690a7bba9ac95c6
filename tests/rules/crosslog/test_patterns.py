"""The detectors: what each recognises, what none may mistake, and that the order of arrival does not matter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.core.severities import Severity
from pucs.crosslog import patterns
from pucs.crosslog.patterns import (
    Claim,
    Hold,
    Observations,
    Pattern,
    PatternKind,
    Wait,
    Window,
    detect,
)
from pucs.crosslog.records import Entry, Level

WINDOW = Window(since="2025-12-06T10:00:00.000Z", until="2025-12-06T11:00:00.000Z")


def entry(seq: int, agent: str, *files: str, level: Level = Level.CHANGE, action: str = "landed") -> Entry:
    return Entry(
        seq=seq,
        timestamp=WINDOW.since,
        session="S",
        agent=agent,
        stream="app",
        level=level,
        action=action,
        files=files,
    )


def changes(*agents: str, file: str = "a.py") -> list[Entry]:
    """Return changes of one file by these agents in turn."""
    return [entry(seq, agent, file) for seq, agent in enumerate(agents, 1)]


def met(count: int, file: str = "a.py") -> list[Entry]:
    return [
        entry(seq, "ann", file, level=Level.CONFLICT, action="lock queued") for seq in range(1, count + 1)
    ]


def ended(seq: int, agent: str, *files: str, action: str = patterns.EXPIRED) -> Entry:
    return entry(seq, agent, *files, level=Level.INFO, action=action)


def found(kind: PatternKind, **seen: Any) -> list[Pattern]:
    return [each for each in detect(Observations(window=WINDOW, **seen)) if each.kind is kind]


def test_nothing_happened_is_no_pattern() -> None:
    """An empty window has nothing to say."""
    assert detect(Observations(window=WINDOW)) == ()


@pytest.mark.parametrize(
    ("agents", "severity"),
    [(2, Severity.LOW), (3, Severity.MEDIUM), (4, Severity.MEDIUM), (5, Severity.HIGH), (9, Severity.HIGH)],
)
def test_a_file_of_many_agents_is_told(agents: int, severity: Severity) -> None:
    """How many agents, who, in which entries; more agents are more urgent."""
    names = [f"agent-{number}" for number in range(agents)]
    (one,) = found(PatternKind.SHARED_FILE, changes=changes(*names))
    assert (one.severity, one.count, one.files) == (severity, agents, ("a.py",))
    assert one.agents == tuple(sorted(names))
    assert one.evidence == tuple(range(1, agents + 1))
    assert f"changed by {agents} agents" in one.message
    assert one.document()["window"] == {"since": WINDOW.since, "until": WINDOW.until}


def test_one_agents_own_file_and_directories_are_not_shared() -> None:
    """One agent changes its file as often as it likes; a directory in an entry is no file; PUCS itself is no agent."""
    assert not found(PatternKind.SHARED_FILE, changes=changes("ann", "ann", "ann"))
    assert not found(PatternKind.SHARED_FILE, changes=changes("ann", "bob", file="app/"))
    assert not found(PatternKind.SHARED_FILE, changes=changes("ann", "", ""))


def in_symbols(*work: tuple[str, str]) -> list[Entry]:
    """Return changes of a.py by these agents, each in one symbol of it."""
    return [
        replace(entry(seq, agent, "a.py"), details={"symbols": [f"a.py::{symbol}", "b.py::x"]})
        for seq, (agent, symbol) in enumerate(work, 1)
    ]


def test_agents_in_different_functions_do_not_meet() -> None:
    """However often they take turns in one file; in one function they do, and that is what is named."""
    apart = in_symbols(*[("ann", "f"), ("bob", "C.g")] * 4)
    assert detect(Observations(window=WINDOW, changes=apart)) == ()
    together = in_symbols(*[("ann", "f"), ("bob", "f")] * 2, ("cid", "g"))
    both = detect(Observations(window=WINDOW, changes=together))
    assert [(one.kind, one.files) for one in both] == [
        (PatternKind.PING_PONG, ("a.py::f",)),
        (PatternKind.SHARED_FILE, ("a.py::f",)),
    ]


def test_a_change_of_the_whole_file_meets_everybody_in_it() -> None:
    """One change that names no symbol makes it the file that they share; so does one with odd words in their place."""
    for odd in ({}, {"symbols": "f"}, {"symbols": [3]}, {"symbols": ["other.py::f"]}, {"symbols": ["a.py"]}):
        log = [*in_symbols(("ann", "f"), ("bob", "g")), replace(entry(9, "cid", "a.py"), details=odd)]
        (one,) = found(PatternKind.SHARED_FILE, changes=log)
        assert (one.files, one.count) == (("a.py",), 3)


@pytest.mark.parametrize(
    ("conflicts", "grants", "severity"),
    [
        (4, 0, None),
        (5, 21, None),
        (5, 20, Severity.MEDIUM),
        (5, 11, Severity.MEDIUM),
        (5, 10, Severity.HIGH),
        (5, 0, Severity.HIGH),
    ],
)
def test_the_conflict_rate_is_of_grants(conflicts: int, grants: int, severity: Severity | None) -> None:
    """A few conflicts are chance, one in four is many, every second is a wrong partition."""
    rates = found(PatternKind.CONFLICT_RATE, conflicts=met(conflicts), grants=grants)
    assert [one.severity for one in rates] == ([severity] if severity else [])


def test_telling_of_a_conflict_is_no_other_conflict() -> None:
    """An alert to its parties and its end are entries of their own, and count for nothing."""
    told = [replace(one, action=action) for action in sorted(patterns.TOLD) for one in met(20)]
    assert found(PatternKind.CONFLICT_RATE, conflicts=[*met(4), *told], grants=8) == []
    (one,) = found(PatternKind.CONFLICT_RATE, conflicts=[*met(5), *told], grants=8)
    assert one.count == 5


def test_the_rate_names_where_it_was_met_and_says_to_adjust_boundaries() -> None:
    """The most contested file comes first (000 §11: a high rate is a wrong partition)."""
    (one,) = found(PatternKind.CONFLICT_RATE, conflicts=[*met(2, "rare.py"), *met(6, "hot.py")], grants=8)
    assert one.files == ("hot.py", "rare.py")
    assert "8 conflicts met 8 grants, most of them on hot.py" in one.message
    assert "boundaries" in one.remedy


def test_leases_that_ended_without_landing_are_abandoned() -> None:
    """By agent, whatever ended them; three are more urgent than one."""
    log = [
        ended(1, "ann", "a.py"),
        ended(2, "ann", "b.py", "c.py", action=patterns.RECLAIMED),
        ended(3, "bob", "d.py"),
    ]
    ann, bob = found(PatternKind.ABANDONED_LEASE, noted=log)
    assert (ann.agents, ann.count, ann.severity, ann.evidence) == (("ann",), 3, Severity.HIGH, (1, 2))
    assert (bob.agents, bob.files, bob.severity) == (("bob",), ("d.py",), Severity.MEDIUM)


def test_a_lease_under_which_work_landed_is_not_abandoned() -> None:
    """Only what the same agent landed before the end counts."""
    landed = [entry(1, "ann", "app/a.py"), entry(5, "ann", "late.py"), entry(2, "bob", "other.py")]
    log = [ended(3, "ann", "app/"), ended(4, "ann", "late.py", "other.py")]
    (one,) = found(PatternKind.ABANDONED_LEASE, changes=landed, noted=log)
    assert one.files == ("late.py", "other.py")


@pytest.mark.parametrize(
    ("alive", "quiet_s", "told"),
    [(None, 899.0, False), (None, 900.0, True), (False, 0.0, True), (True, 9e9, False)],
)
def test_a_live_lease_of_a_silent_agent_is_told(*, alive: bool | None, quiet_s: float, told: bool) -> None:
    """An agent whose process lives may think as long as it likes; a dead one and a silent unknown one are told."""
    holds = [Hold(agent="ann", resource="a.py", quiet_s=quiet_s, alive=alive)]
    one = found(PatternKind.ABANDONED_LEASE, holds=holds)
    assert [each.severity for each in one] == ([Severity.LOW] if told else [])


def claims(*waited_s: float, resource: str = "a.py", ago_s: float = 0.0) -> list[Claim]:
    return [
        Claim(seq=seq, resources=(resource,), waited_s=wait_s, ago_s=ago_s)
        for seq, wait_s in enumerate(waited_s, 1)
    ]


@pytest.mark.parametrize(
    ("waited_s", "usual", "told"),
    [
        (59.0, [0.1], False),
        (60.0, [0.1], True),
        (60.0, [], True),
        (99.0, [10.0] * 3, False),
        (100.0, [10.0] * 3, True),
    ],
)
def test_a_wait_of_ten_medians_starves(*, waited_s: float, usual: list[float], told: bool) -> None:
    """What counts is how long the others waited, and never less than a minute."""
    waits = [Wait(agent="zoe", resources=("a.py",), waited_s=waited_s)]
    slow = found(PatternKind.STARVATION, waits=waits, claims=claims(*usual, resource="elsewhere.py"))
    assert bool(slow) is told


def test_who_is_passed_over_starves() -> None:
    """Three who asked later for something that overlaps and were served first; others do not count."""
    waits = [Wait(agent="zoe", resources=("app/",), waited_s=20.0)]
    later = claims(1.0, 2.0, 3.0, resource="app/a.py", ago_s=5.0)
    (one,) = found(PatternKind.STARVATION, waits=waits, claims=later)
    assert (one.count, one.evidence, one.severity) == (3, (1, 2, 3), Severity.HIGH)
    assert not found(PatternKind.STARVATION, waits=waits, claims=later[:2])
    assert not found(
        PatternKind.STARVATION, waits=waits, claims=claims(16.0, 16.0, 16.0, resource="app/a.py", ago_s=5.0)
    )
    assert not found(
        PatternKind.STARVATION, waits=waits, claims=claims(1.0, 2.0, 3.0, resource="lib/a.py", ago_s=5.0)
    )


def test_repeated_timeouts_starve() -> None:
    """Three vain waits of one agent for one file; of two agents, or for two files, they are chance."""
    vain = [ended(seq, "ann", "a.py", action=patterns.TIMED_OUT) for seq in (1, 2, 3)]
    (one,) = found(PatternKind.STARVATION, noted=vain)
    assert (one.severity, one.count, one.files) == (Severity.MEDIUM, 3, ("a.py",))
    assert not found(
        PatternKind.STARVATION, noted=[*vain[:2], ended(3, "bob", "a.py", action=patterns.TIMED_OUT)]
    )
    assert not found(
        PatternKind.STARVATION, noted=[*vain[:2], ended(3, "ann", "b.py", action=patterns.TIMED_OUT)]
    )


def test_two_agents_in_turn_play_ping_pong() -> None:
    """A B A B is told, A B A is not; what one does twice in a row is one turn."""
    (one,) = found(PatternKind.PING_PONG, changes=changes("ann", "bob", "ann", "bob"))
    assert (one.agents, one.count, one.severity) == (("ann", "bob"), 4, Severity.MEDIUM)
    assert not found(PatternKind.PING_PONG, changes=changes("ann", "bob", "ann"))
    assert not found(PatternKind.PING_PONG, changes=changes("ann", "ann", "ann", "bob", "bob", "ann"))
    assert found(PatternKind.PING_PONG, changes=changes(*["ann", "bob"] * 4))[0].severity is Severity.HIGH


def test_the_most_urgent_comes_first() -> None:
    """A reader of the first line has seen the worst."""
    seen = Observations(window=WINDOW, changes=changes("ann", "bob"), conflicts=met(9))
    assert [one.severity for one in detect(seen)] == [Severity.HIGH, Severity.LOW]


AGENTS = st.sampled_from(["ann", "bob", "cid"])
FILES = st.sampled_from(["a.py", "app/b.py", "app/", "c.py"])


@given(st.lists(FILES, max_size=40))
def test_one_agent_alone_is_never_ping_pong_nor_sharing(files: list[str]) -> None:
    """Whatever one agent does, it does not disturb itself."""
    log = [entry(seq, "ann", file) for seq, file in enumerate(files, 1)]
    assert not found(PatternKind.PING_PONG, changes=log)
    assert not found(PatternKind.SHARED_FILE, changes=log)


@given(st.lists(st.tuples(AGENTS, FILES), max_size=30), st.randoms(use_true_random=False))
def test_patterns_do_not_depend_on_the_order_of_arrival(log: list[tuple[str, str]], chance: Any) -> None:
    """Entries are ordered by their number, and waits and holds have no order at all."""
    entries = [entry(seq, agent, file) for seq, (agent, file) in enumerate(log, 1)]
    seen = Observations(
        window=WINDOW,
        changes=entries,
        conflicts=[replace(each, level=Level.CONFLICT) for each in entries],
        noted=[ended(each.seq + 100, each.agent, *each.files) for each in entries],
        grants=3,
        waits=[Wait(agent=agent, resources=(file,), waited_s=70.0) for agent, file in log],
        holds=[Hold(agent=agent, resource=file, quiet_s=901.0, alive=None) for agent, file in log],
    )
    shuffled: dict[str, Any] = {}
    for name in ("changes", "conflicts", "noted", "waits", "holds"):
        values = list(getattr(seen, name))
        chance.shuffle(values)
        shuffled[name] = values
    assert detect(replace(seen, **shuffled)) == detect(seen)


@given(st.lists(st.tuples(AGENTS, FILES), max_size=60))
def test_turns_are_counted_as_a_reader_would(log: list[tuple[str, str]]) -> None:
    """Against a plain model: exactly two agents on a file, and at least four turns between them."""
    told = {
        one.files[0]: one.count
        for one in found(
            PatternKind.PING_PONG,
            changes=[entry(seq, agent, file) for seq, (agent, file) in enumerate(log, 1)],
        )
    }
    expected = {}
    for file in {file for _, file in log if not file.endswith("/")}:
        turns: list[str] = []
        for agent, touched in log:
            if touched == file and turns[-1:] != [agent]:
                turns.append(agent)
        if len(set(turns)) == 2 and len(turns) >= 4:
            expected[file] = len(turns)
    assert told == expected
