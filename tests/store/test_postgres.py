"""What PostgreSQL alone can do to a store: die, cut a connection, lose an answer, let a stopped client keep the lock."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any, cast

import apsw
import psycopg
import pytest

from pucs.coordinator.context import Context
from pucs.coordinator.leases import acquire, release
from pucs.core.errors import StoreBusy, StoreError, Usage
from pucs.core.ids import Token, epoch_of
from pucs.crosslog.records import Entry, Level, Query
from pucs.launch.bells import FifoBell
from pucs.locks.records import EndReason
from pucs.store.postgres import PostgresStore
from pucs.store.postgres_address import parse
from pucs.store.postgres_bells import PostgresBells
from pucs.store.postgres_connection import Connection
from pucs.store.sqlite import SQLiteStore
from pucs.streams.records import Session, SessionState
from pucs.streams.settings import Configuration
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses
from tests.conftest import AGENTS, granted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pucs.coordinator.ports import Bell, Store, Transaction
    from pucs.testing.postgres import PostgresServer

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.process]
LIMIT_S = 20.0


@pytest.fixture
def url(postgres: PostgresServer, schema: str) -> str:
    return postgres.url(schema=schema)


@pytest.fixture
def store(url: str, opened: Callable[..., PostgresStore]) -> PostgresStore:
    return opened(url, FakeClock())


def take(store: Store, count: int = 1) -> int:
    with store.transaction() as tx:
        return tx.tokens(count)


def write(store: Store, action: str) -> None:
    with store.transaction() as tx:
        tx.entries.add(
            Entry(timestamp="2025", session="S", agent="", stream="", level=Level.INFO, action=action)
        )


def actions(store: Store) -> list[str]:
    with store.read() as tx:
        return [found.action for found in tx.entries.select(Query(limit=10_000))]


def test_both_databases_have_the_same_tables_and_columns(
    store: PostgresStore, url: str, schema: str, tmp_path: Path
) -> None:
    """What one migration adds the other one has, too; only the outcomes of commits are PostgreSQL's own."""
    SQLiteStore(tmp_path / "state.db", FakeClock())
    lite = apsw.Connection(str(tmp_path / "state.db")).execute(
        "SELECT m.name, i.name FROM sqlite_master m, pragma_table_info(m.name) i WHERE m.type = 'table' "
        "AND m.name NOT LIKE 'sqlite_%'"
    )
    with store.connect() as raw:
        theirs = raw.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s",
            (schema,),
        ).fetchall()
    assert set(theirs) - {("commits", "slot"), ("commits", "nonce")} == set(lite.fetchall())


def test_a_store_that_is_absent_newer_or_not_ours_is_left_as_it_is(
    postgres: PostgresServer, schema: str, opened: Callable[..., PostgresStore]
) -> None:
    """Nothing is created unasked, nothing newer is touched, and nobody else's tables are mixed with ours."""
    url = postgres.url(schema=schema)
    with pytest.raises(StoreError, match="no store at"):
        PostgresStore(url, create=False)
    with psycopg.connect(postgres.url(), autocommit=True) as raw:
        raw.execute(f"CREATE SCHEMA {schema}_other")
        raw.execute(f"CREATE TABLE {schema}_other.leases (mine int)")
        with pytest.raises(StoreError, match="not PUCS's"):
            PostgresStore(postgres.url(schema=f"{schema}_other"))
        opened(url, FakeClock())
        raw.execute(f"UPDATE {schema}.counters SET value = 99 WHERE name = 'schema'")  # noqa: S608 - of the test's own
        with pytest.raises(StoreError, match="schema 99"):
            PostgresStore(url)


def test_an_ordinary_role_that_owns_its_schema_is_enough(
    postgres: PostgresServer, schema: str, opened: Callable[..., PostgresStore]
) -> None:
    """No right beyond its own schema is needed, neither to create the store nor to use it; another role is refused."""
    with psycopg.connect(postgres.url(), autocommit=True) as raw:
        for role in (schema, f"{schema}_stranger"):
            raw.execute(f"CREATE ROLE {role} LOGIN")
        raw.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {schema}")
    ours = opened(postgres.url(schema=schema, user=schema), FakeClock())
    first = take(ours)
    write(ours, "done")
    assert (take(ours), actions(ours), ours.check()) == (first + 1, ["done"], [])
    with pytest.raises(StoreError, match="may not be used by this role"):
        PostgresStore(postgres.url(schema=schema, user=f"{schema}_stranger"))


def test_a_role_that_owns_nothing_uses_a_store_and_cannot_change_its_tables(
    postgres: PostgresServer, schema: str, opened: Callable[..., PostgresStore]
) -> None:
    """With the documented rights alone it does what verbs do; it can neither drop nor alter, and says who must migrate."""
    agents = postgres.url(schema=granted(postgres, schema), user=AGENTS)
    store = opened(agents, FakeClock())
    assert take(store) < take(store)
    with store.connect() as raw:
        for order in ("DROP TABLE {}.leases", "ALTER TABLE {}.leases ADD mine int", "TRUNCATE {}.entries", "CREATE TABLE {}.mine ()", "DROP SCHEMA {} CASCADE"):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                raw.execute(order.format(schema).encode())
    with psycopg.connect(postgres.url(), autocommit=True) as owner:
        owner.execute(f"CREATE TABLE {schema}.later (mine int)".encode())
        with store.connect() as raw:
            raw.execute(f"TABLE {schema}.later".encode())
        owner.execute(f"UPDATE {schema}.counters SET value = 2 WHERE name = 'schema'")  # noqa: S608 - of the test's own
    with pytest.raises(StoreError, match=r"has schema 2, and this role may not") as older:
        PostgresStore(agents)
    assert "owns the schema run: pucs init" in older.value.remedy
    with pytest.raises(StoreError, match="no store there yet, and this role may not"):
        PostgresStore(postgres.url(schema=f"{schema}_none", user=AGENTS))


def test_a_password_is_shown_nowhere(postgres: PostgresServer, schema: str) -> None:
    """Neither the store's path nor an error has it; agents get it beside the path, and a wrong one is told in words."""
    address = parse(postgres.url(schema=schema, tcp=True))
    assert postgres.password not in address.shown + repr(address)
    assert address.secrets == {"PGPASSWORD": postgres.password}
    assert parse("postgres://u@h/d?password=pw&sslmode=require").shown == "postgresql://u@h/d?sslmode=require"
    wrong = f"postgresql://postgres:not-it-at-all@127.0.0.1:{postgres.port}/postgres"
    with pytest.raises(StoreError, match="refuses this user or password") as caught:
        PostgresStore(wrong)
    assert "not-it-at-all" not in str(caught.value)
    with pytest.raises(Usage, match="malformed") as usage:
        parse("postgresql://u:not-it-at-all@h/d?no_such_option=1")
    assert "not-it-at-all" not in str(usage.value)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("postgresql://postgres@127.0.0.1:1/postgres", "cannot be reached"),
        ("{socket}/nowhere", "no such database"),
    ],
)
def test_a_server_or_database_that_is_not_there_is_told_in_words(
    postgres: PostgresServer, place: str, said: str
) -> None:
    """The message names the store and what to check."""
    url = postgres.url(database="nowhere") if "socket" in place else place
    with pytest.raises(StoreError, match=said):
        PostgresStore(url)


def test_a_connection_cut_while_idle_is_made_anew(store: PostgresStore) -> None:
    """Whoever comes back after the server ended idle connections notices nothing; one cut inside a verb changed nothing."""
    write(store, "before")
    with store.connect() as other:
        other.execute("SELECT pg_terminate_backend(%s)", (store._connection().raw.info.backend_pid,))
    write(store, "after")
    with pytest.raises(StoreError, match="Nothing was changed"), store.transaction() as tx:  # noqa: PT012 - the body is the point
        tx.tokens(1)
        with store.connect() as other:
            other.execute("SELECT pg_terminate_backend(%s)", (store._connection().raw.info.backend_pid,))
        tx.agents.get("ann")
    assert actions(store) == ["before", "after"]


def test_a_server_killed_and_started_again_keeps_what_it_confirmed(
    postgres: PostgresServer, store: PostgresStore
) -> None:
    """The verb under way is undone and says so, confirmed ones stay, and tokens go on in a new epoch."""
    first = take(store)
    write(store, "kept")
    with pytest.raises(StoreError, match="Nothing was changed"), store.transaction() as tx:  # noqa: PT012 - the body is the point
        tx.entries.add(
            Entry(timestamp="2025", session="S", agent="", stream="", level=Level.INFO, action="lost")
        )
        postgres.kill()
        postgres.start()
        tx.agents.get("ann")
    assert actions(store) == ["kept"]
    assert epoch_of(Token(take(store))) > epoch_of(Token(first))


class Proxy:
    """Passes bytes between a client and the server; once told, swallows the next answer and cuts."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.swallow = threading.Event()
        self.deaf = threading.Event()
        self.cut = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=self._pass, args=(client, server), daemon=True).start()

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        swallowing = False
        with client, server:
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    swallowing |= self.swallow.is_set() and source is client and b"COMMIT" in data
                    if swallowing and (self.deaf.is_set() or (source is server and b"COMMIT" in data)):
                        self.swallow.clear()
                        self.cut.set()
                        return
                    if not swallowing or source is client:
                        (server if source is client else client).sendall(data)


@pytest.fixture
def proxy(postgres: PostgresServer) -> Iterator[Proxy]:
    made = Proxy(postgres.port)
    yield made
    made.listener.close()


def through(proxy: Proxy, postgres: PostgresServer, schema: str) -> str:
    return postgres.url(schema=schema, tcp=True, sslmode="disable", gssencmode="disable").replace(
        f":{postgres.port}/", f":{proxy.listener.getsockname()[1]}/"
    )


@pytest.mark.parametrize("arrived", [True, False])
def test_a_commit_without_an_answer_is_looked_up(
    postgres: PostgresServer,
    schema: str,
    proxy: Proxy,
    opened: Callable[..., PostgresStore],
    *,
    arrived: bool,
) -> None:
    """One that happened is a success for its caller; one that did not says that nothing was changed."""
    write(opened(postgres.url(schema=schema), FakeClock()), "before")
    # A connection of its own: its first commit still travels in words.
    store = opened(through(proxy, postgres, schema), FakeClock())
    if not arrived:
        proxy.deaf.set()
    proxy.swallow.set()
    if arrived:
        write(store, "cut")
    else:
        with pytest.raises(StoreError, match="Nothing was changed"):
            write(store, "cut")
    assert proxy.cut.is_set()
    assert actions(store) == (["before", "cut"] if arrived else ["before"])
    write(store, "after")
    assert actions(store)[-1] == "after"


def test_a_grant_without_an_answer_is_the_same_grant_when_asked_again(
    postgres: PostgresServer, schema: str, proxy: Proxy, opened: Callable[..., PostgresStore]
) -> None:
    """The agent has the token although the connection was cut behind the commit, and a retry gets no other one."""
    direct = opened(postgres.url(schema=schema), FakeClock())
    context_of(direct)
    store = opened(through(proxy, postgres, schema), FakeClock())
    context = Context(
        store=store,
        clock=store.clock,
        processes=FakeProcesses(),
        bells=FakeBells(),
        git=cast("Any", None),
        door="test",
    )
    proxy.swallow.set()
    granted = acquire(context, agent="ann", resources=("a.py",))
    assert proxy.cut.is_set()
    assert granted.granted
    assert acquire(context, agent="ann", resources=("a.py",)).tokens == granted.tokens
    with direct.read() as tx:
        assert [lease.token for lease in tx.leases.live()] == list(granted.tokens.values())


def test_behind_a_pooler_nothing_is_left_on_the_connection(
    url: str, opened: Callable[..., PostgresStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each transaction brings its own settings and prepares nothing, as another client may have the connection next."""
    monkeypatch.setattr(Connection, "through_a_pooler", lambda _: True)
    store = opened(url, FakeClock())
    first = take(store)
    write(store, "one")
    with pytest.raises(ZeroDivisionError), store.transaction() as tx:  # noqa: PT012 - the body is the point
        tx.tokens(1)
        raise ZeroDivisionError
    assert (take(store), actions(store)) == (first + 1, ["one"])
    raw = store._connection().raw
    assert raw.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
    assert raw.execute("SELECT current_setting('lock_timeout')").fetchone() == ("0",)


def test_processes_take_turns_and_never_the_same_token(url: str, store: PostgresStore) -> None:
    """What each reads in its transaction is still true when it writes, in as many processes as there are."""
    reading, writing = os.pipe()
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            mine = PostgresStore(url)
            for _ in range(30):
                with mine.transaction() as tx:
                    seen = tx.entries.count()
                    token = tx.tokens(2)
                    tx.entries.add(
                        Entry(
                            timestamp="2025", session="S", agent="", stream="", level=Level.INFO,
                            action=str(seen),
                        )
                    )  # fmt: skip
                os.write(writing, f"{token}\n".encode())
            os._exit(0)
        children.append(child)
    os.close(writing)
    with os.fdopen(reading) as lines:
        tokens = [int(line) for line in lines]
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    assert len(set(tokens)) == len(tokens) == 90
    assert actions(store) == [str(number) for number in range(90)]
    assert take(store) == max(tokens) + 2


def test_a_stopped_holder_of_the_lock_is_named(url: str, store: PostgresStore) -> None:
    """Whoever waits longer than its bound is told which process is in the way; when that goes on, so does everybody."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        mine = PostgresStore(url)
        with mine.transaction():
            os.write(writing, b"x")
            signal.pause()
        os._exit(0)
    os.read(reading, 1)
    os.kill(child, signal.SIGSTOP)
    hasty = PostgresStore(url, lock_wait_s_max=0.2)
    with pytest.raises(StoreBusy, match=f"locked by pucs {child}@"), hasty.transaction():
        pass
    assert actions(hasty) == []  # readers wait for nobody
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    write(store, "after")
    hasty.close()


def test_a_stopped_holder_of_the_lock_is_cut_off(
    url: str, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends a transaction whose client does nothing in the middle of it, and everybody else goes on."""
    monkeypatch.setattr("pucs.store.postgres_connection.IDLE_S_MAX", 1)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        mine = PostgresStore(url)
        with mine.transaction() as tx:
            tx.agents.get("ann")
            os.write(writing, b"x")
            signal.pause()
        os._exit(0)
    os.read(reading, 1)
    os.kill(child, signal.SIGSTOP)
    write(store, "after")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def context_of(store: PostgresStore) -> Context:
    """Start a session in an empty store."""
    with store.transaction() as tx:
        tx.sessions.put(
            Session(id="S", state=SessionState.ACTIVE, base="b" * 40, target="", branch="s", started_at="")
        )
        tx.sessions.put_configuration(Configuration())
    return Context(
        store=store,
        clock=store.clock,
        processes=FakeProcesses(),
        bells=FakeBells(),
        git=cast("Any", None),
        door="test",
    )


def test_a_lease_takes_two_round_trips_and_its_release_two(store: PostgresStore) -> None:
    """What a verb will ask comes with the answer that opens its transaction, and its changes leave with the commit."""
    context = context_of(store)
    trips = []
    for _ in range(3):
        before = store.trips
        assert acquire(context, agent="ann", resources=("a.py", "b/")).granted
        assert release(context, agent="ann").resources
        trips.append(store.trips - before)
    assert trips[1:] == [4, 4]


def test_what_was_foreseen_is_forgotten_when_it_is_changed(store: PostgresStore) -> None:
    """An answer that came with the opening is not given any more once the transaction itself has changed that table."""
    context = context_of(store)

    def ahead(tx: Transaction) -> None:
        tx.leases.of_agent("ann")
        tx.agents.get("ann")

    assert acquire(context, agent="ann", resources=("a.py", "b.py")).granted
    with store.transaction(ahead=ahead) as tx:
        before = store.trips
        lease, other = tx.leases.of_agent("ann")
        assert store.trips == before
        tx.leases.end((lease.token,), 1.0, EndReason.RELEASED)
        assert tx.leases.of_agent("ann") == [other]
        assert store.trips == before + 1
        assert tx.agents.get("ann") is not None
        assert store.trips == before + 1
    with store.transaction() as tx:
        assert tx.leases.of_agent("ann") == [other]


def test_only_questions_can_be_foreseen(store: PostgresStore) -> None:
    """Whoever looks ahead changes nothing, and gets no token."""
    with pytest.raises(RuntimeError, match="foreseen"), store.transaction(ahead=lambda tx: tx.tokens(1)):
        pass
    with pytest.raises(AttributeError), store.transaction(ahead=lambda tx: tx.requests.remove(1)):
        pass
    assert take(store) > 0


def test_tables_that_were_restored_give_tokens_of_a_new_epoch(
    postgres: PostgresServer, store: PostgresStore, schema: str
) -> None:
    """An older copy of the tables in their place does not repeat the tokens that were given since, under a connection that stayed."""
    with psycopg.connect(postgres.url(), autocommit=True) as raw:
        take(store)
        raw.execute(f"CREATE TABLE {schema}.copy AS TABLE {schema}.counters".encode())
        newest = [take(store) for _ in range(3)][-1]
        raw.execute(f"DROP TABLE {schema}.counters".encode())
        raw.execute(f"ALTER TABLE {schema}.copy RENAME TO counters".encode())
    assert take(store) > newest


def test_a_role_without_a_connection_left_is_told_so(
    postgres: PostgresServer, schema: str, opened: Callable[..., PostgresStore]
) -> None:
    """The message says what to raise, also where the limit is that of one role or database."""
    with psycopg.connect(postgres.url(), autocommit=True) as raw:
        raw.execute(f"CREATE ROLE {schema} LOGIN CONNECTION LIMIT 1".encode())
        raw.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {schema}".encode())
    url = postgres.url(schema=schema, user=schema)
    opened(url, FakeClock())
    with pytest.raises(StoreError, match="no connection left"):
        PostgresStore(url)


def test_a_fork_leaves_its_parents_connection_alone(store: PostgresStore) -> None:
    """The child opens its own, and the parent's still works when the child has ended."""
    write(store, "parent")
    child = os.fork()
    if child == 0:
        write(store, "child")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    write(store, "parent again")
    assert actions(store) == ["parent", "child", "parent again"]


def test_time_is_the_servers(store: PostgresStore) -> None:
    """Two hosts agree on when a lease ends, whatever their own clocks say; the cluster stands for the boot."""
    with store.connect() as other:
        row: Any = other.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    with store.transaction():
        inside = store.clock.now()
    later = store.clock.now()
    assert 0 <= inside.boot_s - row[0] < LIMIT_S
    assert inside.boot_s <= later.boot_s
    assert inside.wall_s == inside.boot_s
    assert inside.boot_id == later.boot_id
    assert inside.boot_id.startswith("postgresql-")


def heard(bell: Bell) -> int:
    """Return what is readable once a bell was rung."""
    assert isinstance(bell, FifoBell)
    assert bell._pipe is not None
    return bell._pipe


def test_a_bell_is_heard_by_its_waiter_alone(
    store: PostgresStore, url: str, opened: Callable[..., Any]
) -> None:
    """A ring of another connection wakes the one of that name; the others sleep on."""
    bells, other = PostgresBells(store, FifoBell), opened(url, FakeClock())
    with bells.hang("one") as one, bells.hang("two") as two:
        PostgresBells(other, FifoBell).ring("two")
        assert select.select([heard(two)], [], [], LIMIT_S)[0]
        assert not select.select([heard(one)], [], [], 0)[0]


def test_waiters_look_for_themselves_after_the_listener_was_cut(store: PostgresStore) -> None:
    """What was rung meanwhile is not known, so everybody is woken once rings are heard again."""
    bells = PostgresBells(store, FifoBell)
    with bells.hang("one") as one:
        assert bells._listener is not None
        assert bells._listener._connection is not None
        with store.connect() as other:
            other.execute("SELECT pg_terminate_backend(%s)", (bells._listener._connection.info.backend_pid,))
        assert select.select([heard(one)], [], [], LIMIT_S)[0]
        with contextlib.suppress(BlockingIOError):
            os.read(heard(one), 100)
        bells.ring("one")
        assert select.select([heard(one)], [], [], LIMIT_S)[0]
