"""Sessions between stores: whole, exact, once; only when nobody is at work, and back again."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pucs.coordinator import agents, leases, log
from pucs.coordinator.context import Context, unit
from pucs.coordinator.moving import Arrived, arrive, body, depart, session_of, written
from pucs.coordinator.records import Intention
from pucs.core.errors import NotFound, Refused, Usage
from pucs.core.modes import Mode
from pucs.crosslog.records import Query
from pucs.locks.records import Request
from pucs.store.rows.moving import STAYS, TABLES
from pucs.store.sqlite import _steps
from pucs.streams.records import Session, SessionState, Stream, StreamRow
from pucs.streams.settings import Configuration
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.coordinator.ports import Store
    from pucs.core.processes import Process

POSTGRES = [pytest.mark.postgres, pytest.mark.slow]
BRANCH = "pucs/stream/app-S"
SESSION = Session(
    id="S", state=SessionState.ACTIVE, base="c0", target="main", branch="pucs/session-S", started_at="t"
)


@dataclass
class Refs:
    """A repository of which only its branches matter; commits are named in their order."""

    common_dir: str = "/nowhere"
    heads: dict[str, str] = field(default_factory=lambda: {SESSION.branch: "c1", BRANCH: "c2"})

    @property
    def repository(self) -> Any:
        """Itself."""
        return self

    def resolve(self, revision: str) -> str | None:
        """Return the commit of a branch."""
        known = {f"refs/heads/{branch}": commit for branch, commit in self.heads.items()} | {"c0": "c0"}
        return known.get(revision)

    def contains(self, descendant: str, ancestor: str) -> bool:
        """Tell whether one commit comes after another."""
        return descendant >= ancestor


@pytest.fixture(params=["sqlite", *(pytest.param(way, marks=POSTGRES) for way in ("to", "from", "between"))])
def stores(request: pytest.FixtureRequest, opened: Callable[..., Store]) -> list[Store]:
    """Return two stores, of SQLite, of PostgreSQL, or one of each."""
    places = {"sqlite": (0, 0), "to": (0, 1), "from": (1, 0), "between": (1, 1)}[request.param]
    made = []
    for number, postgres in enumerate(places):
        place = ":memory:"
        if postgres:
            schema = f"{request.getfixturevalue('schema')}_{number}"
            place = request.getfixturevalue("postgres").url(schema=schema)
        made.append(opened(place, FakeClock()))
    return made


@pytest.fixture
def contexts(stores: list[Store]) -> list[Context]:
    """Return contexts on both stores over one repository; in the first one is a session with some history."""
    clock, hands = FakeClock(), Refs()
    made = [
        Context(
            store=store,
            clock=getattr(store, "clock", clock),
            processes=FakeProcesses(),
            bells=FakeBells(),
            git=hands,  # type: ignore[arg-type]
            door="test",
        )
        for store in stores
    ]
    stream = Stream(name="app", files_pattern=("app/",))
    with made[0].store.transaction() as tx:
        tx.sessions.put(SESSION)
        tx.sessions.put_configuration(Configuration(streams=(stream,)))
        tx.sessions.put_stream(StreamRow(session="S", stream=stream, branch=BRANCH))
    work(made[0], "ada")
    return made


def work(context: Context, agent: str) -> int:
    """Let an agent hold a file and say something; return the token."""
    found = leases.acquire(context, agent=agent, resources=["app/a.py"], stream="app")
    assert found.granted
    log.log(context, agent=agent, action="thought", files=["app/a.py"])
    leases.release(context, agent=agent, resources=None)
    return found.tokens["app/a.py"]


def packed(context: Context, session: str = "S") -> list[bytes]:
    """Move a session out and return its file."""
    moved = depart(context)
    assert moved.session == session
    return [line.encode() for line in written(context, session)]


def taken(context: Context, file: list[bytes], **more: Any) -> Arrived:
    return arrive(context, lambda: iter(file), **more)


def content(context: Context, state: str = "active") -> list[str]:
    """Return what a store holds of the session, as a file would."""
    with context.store.read() as tx:
        return list(body(tx, "S", state))


def state(context: Context) -> str:
    with context.store.read() as tx:
        known = tx.sessions.get("S")
    return known.state.value if known else ""


def actions(context: Context, **query: Any) -> list[str]:
    with context.store.read() as tx:
        return [entry.action for entry in tx.entries.select(Query(limit=1000, **query))]


def test_every_table_moves_or_says_why_it_stays() -> None:
    """A column that a migration adds cannot be left behind by forgetting it."""
    found = {name: {column for column, *_ in columns} for name, columns in schema().items()}
    assert set(TABLES) | set(STAYS) == set(found) | {"commits"}
    assert not set(TABLES) & set(STAYS)
    for name, table in TABLES.items():
        assert {column.strip('"') for column in table.columns} == found[name] - {"number"}, name


def test_a_session_goes_on_in_another_store(contexts: list[Context]) -> None:
    """Exactly as it was; tokens and numbers go on above all that it had, and at its old place nothing can be done."""
    first, second = contexts
    last = work(first, "bob")
    file = packed(first)
    assert taken(second, file).rows["leases"] == 2
    assert content(second) == [line.decode() for line in file[1:-1]]
    assert work(second, "bob") > last
    assert actions(second, file="app/a.py").count("thought") == 3
    with second.store.read() as tx:
        numbers = [entry.seq for entry in tx.entries.select(Query(limit=1000))]
    assert numbers == sorted(set(numbers))
    assert state(first) == "moved"
    for context in (first, replace(first, session="S")):
        with pytest.raises(Refused, match="was moved from this store"):
            work(context, "ada")
    assert actions(first)[-1] == "session moved"
    assert actions(second, session="")[len(actions(first))] == "session taken in"


def test_a_session_comes_back_with_what_happened_elsewhere(contexts: list[Context]) -> None:
    """It takes the place of what had stayed, as often as one likes; only the file of its last move will do."""
    first, second = contexts
    old = packed(first)
    assert not taken(second, old).back
    token = work(second, "bob")
    newer = packed(second)
    found = taken(first, newer)
    assert (found.back, found.moves) == (True, 2)
    assert content(first) == [line.decode() for line in newer[1:-1]]
    again = work(first, "bob")
    assert again > token
    third = packed(first)
    with pytest.raises(Refused, match="has moved on since"):
        taken(second, old)
    assert taken(second, third).back
    assert work(second, "bob") > again
    assert actions(second).count("thought") == 4
    assert actions(second).count("session moved") == 3


def test_whoever_was_interrupted_writes_the_file_again(contexts: list[Context]) -> None:
    """Closing comes first: a kill before the file is whole leaves a session that is at work nowhere, and in one piece."""
    first, second = contexts
    assert not depart(first).again
    halfway = written(first, "S")
    next(halfway)
    del halfway
    assert depart(first).again
    one, other = list(written(first, "S")), list(written(first, "S"))
    assert one[1:-1] == other[1:-1]
    assert actions(first).count("session moved") == 1
    file = [line.encode() for line in other]
    assert taken(first, file).back  # thought better of it
    work(first, "ada")
    assert taken(second, packed(first)).moves == 2


@pytest.mark.parametrize(
    ("busy", "words"),
    [
        ("lease", "ada holds app/a.py"),
        ("waiter", "bob waits for a lease"),
        ("intention", "land of ada is not finished"),
        ("process", "ada is at work"),
        ("elsewhere", "ada may be at work on host"),
    ],
)
def test_a_session_at_work_stays(contexts: list[Context], busy: str, words: str) -> None:
    """Whoever is in the way is named, and nothing is changed."""
    context, _ = contexts
    processes = context.processes
    assert isinstance(processes, FakeProcesses)
    if busy in {"lease", "waiter"}:
        assert leases.acquire(context, agent="ada", resources=["app/a.py"]).granted
    if busy == "waiter":
        with unit(context) as opened:
            opened.tx.requests.add(waiting(opened.now.boot_id, opened.now.boot_s))
    if busy == "intention":
        with unit(context) as opened:
            opened.tx.intentions.add(landing(processes.process(7)))
    if busy in {"process", "elsewhere"}:
        owner = processes.process(7)
        if busy == "elsewhere":
            processes.unknown.add(owner)
        agents.register(context, agent="ada", owner=owner)
    before = content(context)
    for dry_run in (True, False):
        with pytest.raises(Refused, match=words):
            depart(context, dry_run=dry_run)
    assert (content(context), state(context)) == (before, "active")


def waiting(boot_id: str, now_s: float) -> Request:
    return Request(
        id=99,
        agent="bob",
        stream="",
        task="",
        session="S",
        resources=(("app/a.py", Mode.EXCLUSIVE),),
        duration_s=60.0,
        boot_id=boot_id,
        asked_s=now_s,
        deadline_s=now_s + 60,
        waiter=None,
    )


def landing(owner: Process) -> Intention:
    return Intention(
        id=0,
        verb="land",
        session="S",
        agent="ada",
        owner=owner,
        ref="refs/heads/x",
        old="c0",
        new="c1",
        payload={},
        begun_at="t",
    )


def test_who_died_is_not_in_the_way(contexts: list[Context]) -> None:
    """An agent that was never told to end is no hindrance once its process is gone."""
    context, _ = contexts
    processes = context.processes
    assert isinstance(processes, FakeProcesses)
    owner = processes.process(7)
    agents.register(context, agent="ada", owner=owner)
    processes.kill(owner)
    assert depart(context).session == "S"


def test_what_is_over_leaves_by_its_name(contexts: list[Context]) -> None:
    """A session that was finalized is moved only if somebody says so, and is as over there as it was here."""
    first, second = contexts
    with pytest.raises(NotFound):
        depart(replace(first, session="S-9"))
    with first.store.transaction() as tx:
        tx.sessions.put(replace(SESSION, state=SessionState.FINALIZED, ended_at="t"))
    with pytest.raises(Refused, match="no active session"):
        depart(first)
    named = replace(first, session="S")
    with pytest.raises(Refused, match="Close it first"):
        next(written(named, "S"))
    assert depart(named).moves == 1
    assert taken(second, [line.encode() for line in written(named, "S")]).state == "finalized"
    assert state(second) == "finalized"


def test_a_store_with_a_session_of_its_own_takes_none(contexts: list[Context]) -> None:
    """Neither the same one twice, nor one beside another that is active, nor one whose numbers another one has."""
    first, second = contexts
    file = packed(first)
    other = replace(SESSION, id="S-2")
    with second.store.transaction() as tx:
        tx.sessions.put(other)
        stream = Stream(name="app", files_pattern=("app/",))
        tx.sessions.put_stream(StreamRow(session="S-2", stream=stream, branch="x"))
    with pytest.raises(Refused, match="Session S-2 is active"):
        taken(second, file)
    work(second, "cyd")
    with second.store.transaction() as tx:
        tx.sessions.put(replace(other, state=SessionState.FINALIZED))
    before = actions(second)
    for dry_run in (True, False):
        with pytest.raises(Refused, match=r"of its own, of session S-2"):
            taken(second, file, dry_run=dry_run)
    assert (actions(second), state(second)) == (before, "")
    assert not [line for line in content(second) if line.startswith("[") and '"S"' in line]
    assert taken(first, file).back
    with pytest.raises(Refused, match="in this store already"):
        taken(first, file)


def test_a_repository_without_its_commits_takes_none(contexts: list[Context]) -> None:
    """A branch that is missing, or stands before what the session landed there, is named."""
    first, second = contexts
    file = packed(first)
    heads: dict[str, str] = first.git.heads  # type: ignore[attr-defined]
    for there in ({SESSION.branch: "c1"}, {SESSION.branch: "c1", BRANCH: "c1"}):
        heads.clear()
        heads |= there
        with pytest.raises(Refused, match=f"lacks .*{BRANCH} at c2"):
            taken(second, file)
    heads[BRANCH] = "c3"
    assert taken(second, file).session == "S"


def test_looking_first_changes_nothing(contexts: list[Context]) -> None:
    """Both ends say what they would do."""
    first, second = contexts
    assert depart(first, dry_run=True).moves == 1
    assert state(first) == "active"
    file = packed(first)
    assert taken(second, file, dry_run=True) == replace(taken(second, file), back=False)
    assert session_of(file[0]) == "S"


def sealed(*lines: bytes) -> list[bytes]:
    """Return a file with an end that vouches for whatever stands before it."""
    rows = sum(line.startswith(b"[") for line in lines)
    end = {"rows": rows, "sha256": hashlib.sha256(b"".join(lines)).hexdigest()}
    return [*lines, json.dumps(end).encode() + b"\n"]


def headed(line: bytes, **changed: Any) -> bytes:
    return json.dumps(json.loads(line) | changed).encode() + b"\n"


DAMAGES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "end cut off": lambda file: file[:-1],
    "byte flipped": lambda file: [line.replace(b"thought", b"thouGht") for line in file],
    "row left out": lambda file: [line for line in file if not line.startswith(b"[2,")],
    "something behind its end": lambda file: [*file, b"[]\n"],
    "no JSON": lambda file: [*file[:3], b"\xff{\n", *file[3:]],
    "empty": lambda _: [],
    "only an end": lambda _: sealed(),
    "no beginning": lambda file: sealed(*file[1:-1]),
    "newer form": lambda file: sealed(headed(file[0], version=2), *file[1:-1]),
    "little of a beginning": lambda file: sealed(
        headed(b'{"format": "pucs session", "version": 1}'), *file[1:-1]
    ),
    "unknown table": lambda file: sealed(file[0], b'{"table": "nothing", "columns": []}\n', *file[1:-1]),
    "unknown column": lambda file: sealed(file[0], b'{"table": "secrets", "columns": ["agent", "x"]}\n'),
    "no key": lambda file: sealed(file[0], b'{"table": "secrets", "columns": ["digest"]}\n', b'["x"]\n'),
    "row of no table": lambda file: sealed(file[0], b"[1]\n", *file[1:-1]),
    "row too long": lambda file: sealed(*file[:2], b"[1, 2, 3]\n", *file[2:-1]),
    "row of objects": lambda file: sealed(*file[:2], b'[{"x": 1}, 2]\n', *file[2:-1]),
    "number for a row": lambda file: sealed(*file[:2], b"3\n", *file[2:-1]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_whole(contexts: list[Context], damage: str) -> None:
    """Whatever happened to it; nothing of it is in the store."""
    first, second = contexts
    file = packed(first)
    damaged = DAMAGES[damage](file)
    assert damaged != file
    with pytest.raises(Usage):
        taken(second, damaged)
    assert (actions(second), state(second)) == ([], "")
    assert sealed(*file[:-1]) == file


def test_a_file_that_changes_while_it_is_read_is_refused(contexts: list[Context]) -> None:
    """It is read through once before, and the second reading must be the same."""
    first, second = contexts
    file = packed(first)
    readings = iter([file, sealed(headed(file[0], store="elsewhere"), *file[1:-1])])
    with pytest.raises(Usage, match="while it was read"):
        arrive(second, lambda: next(readings))
    assert (actions(second), state(second)) == ([], "")


# Rows of any content.

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
KINDS = {
    "INTEGER": st.integers(min_value=1, max_value=2**53),
    # SQLite keeps no zero below zero.
    "REAL": st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0),
    "TEXT": WORDS,
}
FIXED: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("entries", "files"): st.lists(WORDS, max_size=3).map(json.dumps),
    ("intents", "state"): st.just("cleared"),  # of open ones each agent has one
    ("leases", "state"): st.just("ended"),
    ("leases", "token"): st.integers(min_value=1, max_value=2**32),  # as granted by the store they leave
    ("agents", "phase"): st.just("RETIRED"),
    ("agents", "enforcement"): st.just("CHECKED"),
    ("agents", "halt"): st.just(""),
    ("agents", "owner"): st.none(),
}
OTHERWISE_FILLED = {
    "settings",
    "sessions",
    "streams",
    "secrets",
    "sights",
    "refusals",
    "intent_resources",
}


def schema() -> dict[str, list[tuple[str, str, bool]]]:
    """Return name, kind and whether something must be there, of each column of each table."""
    database = sqlite3.connect(":memory:")
    for _, text in _steps():
        database.executescript(text)
    names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {
        name: [
            (row[1], row[2], bool(row[3] or row[5])) for row in database.execute(f"PRAGMA table_info({name})")
        ]
        for (name,) in names
        if not name.startswith("sqlite_")
    }


@st.composite
def sessions(draw: st.DrawFn) -> dict[str, list[tuple[Any, ...]]]:
    """Return rows for the tables of a session."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for name, columns in schema().items():
        if name not in TABLES or name in OTHERWISE_FILLED:
            continue
        parts = {
            column: st.just("S")
            if column == "session"
            else FIXED.get((name, column), KINDS[kind] if needed else st.none() | KINDS[kind])
            for column, kind, needed in columns
        }
        ordered = [column.strip('"') for column in TABLES[name].columns]
        key = ordered.index(TABLES[name].key[0])
        found[name] = draw(
            st.lists(
                st.tuples(*(parts[column] for column in ordered)),
                max_size=4,
                unique_by=itemgetter(key),
            )
        )
    people = [row[0] for row in found["agents"]]
    found["secrets"] = [(one, draw(WORDS)) for one in people]
    found["sights"] = [(one, path, draw(WORDS), 3) for one in people for path in ("a.py", "b.py")]
    found["refusals"] = [(one, draw(WORDS)) for one in people]
    found["intent_resources"] = [("a.py", row[0]) for row in found["intents"]]
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
@settings(
    max_examples=settings().max_examples // 6,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=sessions())
def test_whatever_rows_there_are_arrive_as_they_were(
    contexts: list[Context], rows: dict[str, list[tuple[Any, ...]]]
) -> None:
    """From one store to another and back, each file is what the one before it was, and the entry that tells of the move."""
    first, second = contexts
    for context in contexts:
        with context.store.transaction() as tx:
            tx.moves.forget("S")
            tx.moves.forget("")  # what tells of the examples before this one
            tx.moves.tell("S", {})
    with first.store.transaction() as tx:
        tx.sessions.put(SESSION)
        tx.sessions.put_configuration(Configuration())
        for name, found in rows.items():
            tx.moves.put(name, tx.moves.tables()[name], found)
    before = content(first)
    assert sum(line.startswith("[") for line in before) == sum(map(len, rows.values())) + 2
    there = packed(first)
    taken(second, there)
    assert content(second) == [line.decode() for line in there[1:-1]]
    assert content(second)[: len(before)] == before
    with second.store.transaction() as tx:
        assert tx.tokens(1) > max([row[0] for row in rows["leases"]], default=0)
    back = packed(second)
    assert taken(first, back).back
    assert content(first) == [line.decode() for line in back[1:-1]]
    assert content(first)[: len(before)] == before
    assert len(content(first)) == len(before) + 2
