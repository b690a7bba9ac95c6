"""Every method of every rows protocol, on every store there is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pucs.agents.records import Agent, Enforcement, Phase
from pucs.conflicts.records import Conflict, Kind, Severity, Status, Strategy
from pucs.conflicts.requests import Waiver, WaiverState
from pucs.coordinator.records import Intention
from pucs.core.errors import Usage
from pucs.core.modes import Mode
from pucs.core.processes import Process
from pucs.crosslog.records import Entry, Level, Query
from pucs.locks.records import EndReason, Lease, LeaseState, Request
from pucs.store.sqlite import SQLiteStore
from pucs.streams.records import Landing, Session, SessionState, Stream, StreamRow, StreamState
from pucs.streams.settings import Configuration, Limits
from pucs.tasks.records import Task, TaskState
from pucs.testing.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pucs.coordinator.ports import Store, Transaction

OWNER = Process("a host", "boot", 4_026_531_836, 17, 99)


def lease(token: int, resource: str, agent: str = "ann", **more: object) -> Lease:
    made = Lease(
        token=token,
        resource=resource,
        mode=Mode.EXCLUSIVE,
        agent=agent,
        stream="shop",
        task="T-1",
        session="S",
        state=LeaseState.HELD,
        request=0,
        boot_id="boot",
        granted_s=1.5,
        expires_s=100.25,
        limit_s=200.0,
        claim_by_s=None,
        granted_at="2025-12-06T10:00:00.000Z",
        expires_at="2025-12-06T10:30:00.000Z",
        noted="",
        landing=None,
        owner=OWNER,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def request_for(number: int, *resources: str, agent: str = "bob") -> Request:
    return Request(
        id=number,
        agent=agent,
        stream="shop",
        task="",
        session="S",
        resources=tuple((resource, Mode.SHARED_READ) for resource in resources),
        duration_s=10.0,
        boot_id="boot",
        asked_s=1.0,
        deadline_s=61.0,
        waiter=OWNER,
        bell="bell",
    )


def test_leases_are_found_by_what_they_overlap(store: Store) -> None:
    """Ancestors, the resource itself and everything below, each once, by token; neighbours and ended leases not."""
    names = ["a/", "a/b.py", "a/b.py::C", "a/b.pyc", "ab", "/", "a\\072", "res:a/"]
    with store.transaction() as tx:
        for at, name in enumerate(names, 1):
            tx.leases.add(lease(at, name))
        tx.leases.add(lease(9, "a/b.py", state=LeaseState.ENDED, ended_s=2.0, end_reason=EndReason.EXPIRED))

        def found(*resources: str) -> list[int]:
            return [held.token for held in tx.leases.overlapping(resources)]

        assert found("a/b.py") == [1, 2, 3, 6]
        assert found("a/") == [1, 2, 3, 4, 6]
        assert found("a/b.py::C.d", "ab") == [1, 2, 3, 5, 6]
        assert found("/") == [1, 2, 3, 4, 5, 6, 7]
        assert found("res:a/") == [8]
        assert found("res:a") == []
        assert [held.token for held in tx.leases.live()] == [6, 1, 2, 3, 4, 7, 5, 8]
        assert tx.leases.by_tokens([9, 1, 77])[0].end_reason is EndReason.EXPIRED


def test_a_lease_comes_back_as_it_was_written(store: Store) -> None:
    """Every field survives, and replacing one writes what may change."""
    first = lease(1, "a", state=LeaseState.RESERVED, claim_by_s=3.5, request=4)
    with store.transaction() as tx:
        tx.leases.add(first)
        assert tx.leases.of_request(4) == [first]
        changed = replace(
            first, state=LeaseState.HELD, claim_by_s=None, expires_s=7.0, limit_s=8.0, noted="x", landing=3
        )
        tx.leases.replace(changed)
        assert tx.leases.of_agent("ann") == [changed]
        assert tx.leases.of_request(4) == []
        tx.leases.end([1], 9.0, EndReason.LANDED)
        ended = replace(
            changed, state=LeaseState.ENDED, landing=None, ended_s=9.0, end_reason=EndReason.LANDED
        )
        assert tx.leases.by_tokens([1]) == [ended]
        assert tx.leases.of_agent("ann") == []


def test_the_history_of_a_resource_is_known(store: Store) -> None:
    """What was granted since, and what an agent held here last, live or ended."""
    with store.transaction() as tx:
        tx.leases.add(lease(1, "a/b"))
        tx.leases.add(lease(2, "a/", "bob"))
        tx.leases.add(lease(3, "a/b"))
        tx.leases.add(lease(4, "c"))
        tx.leases.end([1, 2], 5.0, EndReason.RELEASED)
        assert [held.token for held in tx.leases.granted_after(1, "a/b")] == [2, 3]
        assert [held.token for held in tx.leases.granted_after(0, "a/")] == [1, 2, 3]
        assert tx.leases.granted_after(3, "a/b") == []
        assert [held.token for held in tx.leases.last_of("ann", "a/b")] == [3, 1]
        assert [held.token for held in tx.leases.last_of("bob", "a/b/c")] == [2]


def test_the_queue_keeps_its_order(store: Store) -> None:
    """Requests wait by id, are found by what they overlap, and are gone once removed."""
    with store.transaction() as tx:
        assert tx.requests.overlapping(["a/"]) == []
        tx.requests.add(request_for(2, "a/b", "c"))
        tx.requests.add(request_for(1, "a/"))
        assert [r.id for r in tx.requests.waiting()] == [1, 2]
        assert [r.id for r in tx.requests.overlapping(["a/b", "c"])] == [1, 2]
        assert [r.id for r in tx.requests.overlapping(["c"])] == [2]
        assert tx.requests.get(2) == request_for(2, "a/b", "c")
        assert tx.requests.count() == 2
        tx.requests.remove(2)
        assert tx.requests.get(2) is None
        assert tx.requests.overlapping(["c"]) == []
        assert tx.requests.count() == 1


def test_a_request_keeps_whom_it_passes_and_says_who_waits(store: Store) -> None:
    """Turns are fixed when a request enters; agents are listed once each."""
    upgrade = replace(request_for(3, "a/", agent="ann"), passes=(1, 2))
    with store.transaction() as tx:
        for asked in (request_for(1, "a/"), request_for(2, "a/b"), upgrade):
            tx.requests.add(asked)
        assert tx.requests.get(3) == upgrade
        assert tx.requests.overlapping(["a/b"])[-1].passes == (1, 2)
        assert tx.requests.agents() == {"ann", "bob"}


def test_the_past_of_a_resource_is_its_newest_ended_leases(store: Store) -> None:
    """Of exactly that resource, newest first, no more than asked for; the live one is not past."""
    with store.transaction() as tx:
        for token, resource in enumerate(("a/b", "a/", "a/b", "res:db", "a/b", "a/b"), 1):
            tx.leases.add(lease(token, resource, warned=token == 5))
        tx.leases.end((1, 2, 3, 4, 5), 50.0, EndReason.RELEASED)
        assert [past.token for past in tx.leases.ended_on("a/b", 2)] == [5, 3]
        assert [past.token for past in tx.leases.ended_on("a/b", 9)] == [5, 3, 1]
        assert tx.leases.ended_on("a/b", 1)[0].warned
        assert [past.token for past in tx.leases.ended_on("res:db", 9)] == [4]
        tx.leases.replace(lease(6, "a/b", warned=True))
        assert tx.leases.by_tokens([6])[0].warned


def test_the_same_conflict_is_found_again(store: Store) -> None:
    """By session, kind, parties, resources and decision; the first of them counts."""
    refused = Conflict(
        session="S",
        kind=Kind.BOUNDARY,
        severity=Severity.LOW,
        status=Status.RESOLVED,
        parties=("ann", "shop", "till"),
        resources=("till/x.py",),
        decision="refused",
        opened_at="2025-12-06T10:00:00.000Z",
    )
    with store.transaction() as tx:
        assert tx.conflicts.same(refused) == 0
        first = tx.conflicts.add(refused)
        tx.conflicts.add(refused)
        assert tx.conflicts.same(refused) == first
        assert tx.conflicts.same(replace(refused, session="T")) == 0
        assert tx.conflicts.same(replace(refused, parties=("bob", "shop", "till"))) == 0
        assert tx.conflicts.same(replace(refused, decision="allowed")) == 0


def entry(at: int, **more: object) -> Entry:
    made = Entry(
        timestamp=f"2025-12-06T10:00:{at:02}.000Z",
        session="S",
        agent="ann",
        stream="Shop",
        level=Level.INFO,
        action=f"step {at}",
    )
    return replace(made, **more)  # type: ignore[arg-type]


def test_the_log_answers_every_question(store: Store) -> None:
    """Each field of a query narrows, the newest come last, and streams match without regard to case."""
    with store.transaction() as tx:
        tx.entries.add(entry(1, files=("a/b", "a/c", "a/b"), details={"n": 1}))
        tx.entries.add(entry(2, agent="bob", level=Level.CONFLICT, files=("a/b",)))
        tx.entries.add(entry(3, stream="till", level=Level.DEBUG))
        tx.entries.add(entry(4, session="T"))

        def actions(query: Query) -> list[str]:
            return [found.action for found in tx.entries.select(query)]

        everything = ["step 1", "step 2", "step 3", "step 4"]
        assert actions(Query()) == everything
        assert actions(Query(limit=2)) == everything[2:]
        assert actions(Query(session="S")) == everything[:3]
        assert actions(Query(stream="SHOP", session="S")) == everything[:2]
        assert actions(Query(agent="bob")) == ["step 2"]
        assert actions(Query(file="a/b")) == everything[:2]
        assert actions(Query(file="a/", limit=1)) == ["step 2"]
        assert actions(Query(file="a/")) == everything[:2]
        assert actions(Query(since="2025-12-06T10:00:03")) == everything[2:]
        assert actions(Query(since="2026")) == []
        assert actions(Query(after_seq=3)) == ["step 4"]
        assert actions(Query(level=Level.CONFLICT)) == ["step 2"]
        assert actions(Query(level=Level.DEBUG)) == ["step 3"]
        first = tx.entries.select(Query(limit=1, file="a/c"))[0]
        assert (first.seq, first.files, first.details) == (1, ("a/b", "a/c", "a/b"), {"n": 1})


def test_agents_are_overwritten_by_id(store: Store) -> None:
    """The last state of an agent is the one kept, in the session it is in now."""
    ann = Agent(id="ann", session="S", incarnation=1, owner=OWNER, heartbeat_s=1.5)
    moved = replace(
        ann, session="T", stream="shop", phase=Phase.WORK, owner=None, enforcement=Enforcement.CHECKED
    )
    with store.transaction() as tx:
        assert tx.agents.get("ann") is None
        tx.agents.put(ann)
        tx.agents.put(replace(ann, id="zoe"))
        assert tx.agents.all("S") == [ann, replace(ann, id="zoe")]
        tx.agents.put(moved)
        assert tx.agents.get("ann") == moved
        assert [agent.id for agent in tx.agents.all("S")] == ["zoe"]
        assert tx.agents.all("T") == [moved]


SESSION = Session(
    id="S", state=SessionState.ACTIVE, base="b", target="main", branch="s", started_at="2025-12-06T10:00:00Z"
)
SHOP = Stream(name="Shop", files_pattern=("shop/**",), dependencies=("Till",))


def test_sessions_streams_and_configuration_are_read_as_last_written(store: Store) -> None:
    """What a transaction wrote it reads at once; what it rolled back nobody ever sees."""
    with store.transaction() as tx:
        assert tx.sessions.active() is None
        assert tx.sessions.latest() is None
        assert tx.sessions.configuration() == Configuration()
        tx.sessions.put(SESSION)
        assert tx.sessions.active() == SESSION
        tx.sessions.put_stream(StreamRow(session="S", stream=SHOP, branch="one"))
        tx.sessions.put_configuration(Configuration(limits=Limits(claim_ttl_s=9.0)))
    with pytest.raises(ZeroDivisionError), store.transaction() as tx:  # noqa: PT012 - the body is the point
        tx.sessions.put(replace(SESSION, state=SessionState.FINALIZED, ended_at="later"))
        tx.sessions.put_stream(StreamRow(session="S", stream=SHOP, branch="two", state=StreamState.MERGED))
        tx.sessions.put_configuration(Configuration())
        assert tx.sessions.active() is None
        assert tx.sessions.get("S") == replace(SESSION, state=SessionState.FINALIZED, ended_at="later")
        assert tx.sessions.streams("S")[0].branch == "two"
        assert tx.sessions.configuration() == Configuration()
        raise ZeroDivisionError
    with store.transaction() as tx:
        # The same revision as the one that was rolled back, with other content.
        tx.sessions.put_stream(StreamRow(session="S", stream=SHOP, branch="three"))
    with store.read() as tx:
        assert tx.sessions.active() == tx.sessions.latest() == tx.sessions.get("S") == SESSION
        assert tx.sessions.get("other") is None
        assert tx.sessions.streams("S") == [StreamRow(session="S", stream=SHOP, branch="three")]
        assert tx.sessions.configuration().limits.claim_ttl_s == 9.0


def test_a_stream_is_one_row_whatever_the_case_of_its_name(store: Store) -> None:
    """Streams keep their configured order when one of them changes."""
    with store.transaction() as tx:
        for name in ("Till", "Shop"):
            tx.sessions.put_stream(StreamRow(session="S", stream=replace(SHOP, name=name), branch=name))
        tx.sessions.put_stream(StreamRow(session="S", stream=replace(SHOP, name="TILL"), branch="new"))
        assert [row.branch for row in tx.sessions.streams("S")] == ["new", "Shop"]


def test_two_stores_over_one_file_see_each_others_configuration(tmp_path: Path) -> None:
    """What a process remembers is dropped as soon as another one changes it."""
    one, two = (SQLiteStore(tmp_path / "state.db", FakeClock()) for _ in range(2))
    for ttl_s in (1.0, 5.0):
        with one.transaction() as tx:
            tx.sessions.put_configuration(Configuration(limits=Limits(claim_ttl_s=ttl_s)))
        with two.read() as tx:
            assert tx.sessions.configuration().limits.claim_ttl_s == ttl_s


def test_conflicts_are_numbered_and_overwritten(store: Store) -> None:
    """Ids grow even when nothing stays, because they order the queue."""
    conflict = Conflict(
        session="S",
        kind=Kind.FILE_LOCK,
        severity=Severity.LOW,
        status=Status.OPEN,
        parties=("ann", "bob"),
        resources=("a",),
        strategy=None,
        evidence={"tokens": [1]},
        opened_at="now",
    )
    with store.transaction() as tx:
        number = tx.conflicts.add(conflict)
        open_one = replace(conflict, id=number)
        assert tx.conflicts.get(number) == open_one
        assert tx.conflicts.all("S", unresolved=True) == [open_one]
        closed = replace(open_one, status=Status.RESOLVED, strategy=Strategy.QUEUE, decision="waited")
        tx.conflicts.put(closed)
        assert tx.conflicts.all("S") == [closed]
        assert tx.conflicts.all("S", unresolved=True) == []
        assert tx.conflicts.get(99) is None
        assert tx.conflicts.add(conflict) > number


def test_a_conflict_keeps_its_deadline_and_who_decided(store: Store) -> None:
    """What makes a default due and what a decision needs come back as they were."""
    conflict = Conflict(
        session="S",
        kind=Kind.BOUNDARY,
        severity=Severity.MEDIUM,
        status=Status.OPEN,
        parties=("ann", "shop", "lib"),
        resources=("lib/b.py",),
        evidence={"salvage": "refs/pucs/salvage/S/ann/1"},
        opened_at="now",
        deadline_s=900.25,
        boot_id="boot",
        deadline_at="then",
    )
    with store.transaction() as tx:
        parked = replace(conflict, id=tx.conflicts.add(conflict))
        tx.conflicts.add(replace(conflict, evidence={"reason": 'says "salvage" without one'}))
        tx.conflicts.add(replace(conflict, session="T"))
        assert tx.conflicts.parked("S") == [parked]
        decided = replace(parked, status=Status.RESOLVED, decided_by="kim", decision="d", resolved_at="later")
        tx.conflicts.put(decided)
        assert tx.conflicts.get(parked.id) == decided
        assert tx.conflicts.parked("S") == []


def test_waivers_are_numbered_and_overwritten(store: Store) -> None:
    """By session, in the order they were asked for."""
    waiver = Waiver(
        session="S", resource="lib/", covered_by="lib", agent="ann", stream="shop", reason="r", asked_at="now"
    )
    with store.transaction() as tx:
        first = replace(waiver, id=tx.waivers.add(waiver))
        second = replace(waiver, id=tx.waivers.add(replace(waiver, agent="")), agent="")
        tx.waivers.add(replace(waiver, session="T"))
        assert tx.waivers.all("S") == [first, second]
        approved = replace(
            first,
            state=WaiverState.APPROVED,
            decided_by="kim",
            decided_at="later",
            expires_s=99.5,
            boot_id="boot",
            expires_at="then",
            conflict=3,
        )
        tx.waivers.put(approved)
        assert tx.waivers.get(first.id) == approved
        assert tx.waivers.all("S") == [approved, second]
        assert tx.waivers.get(99) is None


def test_tasks_keep_the_order_of_their_file(store: Store) -> None:
    """Tasks come by position and are overwritten by id."""
    fields = {"session": "S", "title": "t", "stream": "Shop"}
    first = Task(id="T-1", position=2, **fields)  # type: ignore[arg-type]
    second = Task(id="T-2", position=1, **fields)  # type: ignore[arg-type]
    with store.transaction() as tx:
        tx.tasks.put(first)
        tx.tasks.put(second)
        assert tx.tasks.all("S") == [second, first]
        done = replace(first, state=TaskState.DONE, files=("a", "b"))
        tx.tasks.put(done)
        assert tx.tasks.get("S", "T-1") == done
        assert tx.tasks.get("S", "T-9") is None


def landing(stream: str, *paths: str) -> Landing:
    return Landing(
        id=0,
        session="S",
        stream=stream,
        agent="ann",
        task="",
        commit=f"commit of {stream}",
        before="",
        paths=tuple((path, 7) for path in paths),
        landed_at="now",
    )


def test_the_newest_landing_of_each_stream_is_found_by_path(store: Store) -> None:
    """One row for each stream that touched a path, oldest first; a directory asks for everything below."""
    with store.transaction() as tx:
        for stream, paths in (
            ("Shop", ["a/b"]),
            ("Till", ["a/c", "a/b"]),
            ("SHOP", ["a/b", "d"]),
            ("Till", ["e"]),
        ):
            tx.landings.add(landing(stream, *paths))
        assert [found.id for found in tx.landings.last_on("S", ["a/b"])] == [2, 3]
        assert [found.id for found in tx.landings.last_on("S", ["a/"])] == [2, 3]
        assert [found.id for found in tx.landings.last_on("S", ["d", "e"])] == [3, 4]
        assert [found.id for found in tx.landings.last_on("S", ["/"])] == [3, 4]
        assert tx.landings.last_on("S", ["x"]) == []
        assert tx.landings.last_on("other", ["a/b"]) == []
        assert [found.id for found in tx.landings.all("S", "shop")] == [1, 3]
        assert tx.landings.all("S")[1] == replace(landing("Till", "a/c", "a/b"), id=2)


def test_an_intention_is_closed_once(store: Store) -> None:
    """Whoever removes it first has closed it."""
    intention = Intention(
        id=0,
        verb="land",
        session="S",
        agent="ann",
        owner=OWNER,
        ref="refs/heads/x",
        old="0",
        new="1",
        payload={"tokens": [1]},
        begun_at="now",
    )
    with store.transaction() as tx:
        number = tx.intentions.add(intention)
        assert tx.intentions.all() == [replace(intention, id=number)]
        assert tx.intentions.remove(number)
        assert not tx.intentions.remove(number)
        assert tx.intentions.all() == []


def test_tokens_come_in_runs_that_grow(store: Store) -> None:
    """A grant of several resources takes consecutive numbers, and no number comes twice."""
    taken: list[int] = []
    for count in (1, 3, 1):
        with store.transaction() as tx:
            first = tx.tokens(count)
            taken += range(first, first + count)
    assert taken == sorted(set(taken))


WRONG: list[tuple[str, Callable[[Transaction], object]]] = [
    ("UTF-8", lambda tx: tx.entries.add(entry(1, action="\udcff"))),
    ("zero byte", lambda tx: tx.entries.add(entry(1, action="a\0b"))),
    ("zero byte", lambda tx: tx.entries.add(entry(1, files=("a.py", "\0", "b.py")))),
    ("UTF-8", lambda tx: tx.agents.get("\udcff")),
    ("zero byte", lambda tx: tx.entries.select(Query(agent="a\0"))),
    ("out of range", lambda tx: tx.conflicts.get(1 << 63)),
]


@pytest.mark.parametrize(("said", "wrong"), WRONG)
def test_what_some_store_cannot_keep_is_wrong_use_of_any(
    store: Store, said: str, wrong: Callable[[Transaction], object]
) -> None:
    """So that a session can move from each to each; nothing of the transaction stays."""

    def write() -> None:
        with store.transaction() as tx:
            tx.entries.add(entry(1))
            wrong(tx)

    def read() -> None:
        with store.read() as tx:
            wrong(tx)

    for act in (write, read):
        with pytest.raises(Usage, match=said):
            act()
    with store.read() as tx:
        assert tx.entries.select(Query()) == []


def test_the_version_changes_with_every_commit_and_with_nothing_else(
    place: str, opened: Callable[..., Store]
) -> None:
    """It can be asked at any time, also by whoever is reading; what another one writes shows to this one."""
    store = opened(place, FakeClock())
    other = store if place == ":memory:" else opened(place, FakeClock())
    with store.read() as tx:
        before = store.version()
        assert tx.entries.count() == 0
    assert store.version() == before
    with other.transaction() as tx:
        tx.entries.add(entry(1))
    after = store.version()
    assert after != before
    assert store.version() == after
