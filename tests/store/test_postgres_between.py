"""What may stand between a client and PostgreSQL: a pooler that gives every transaction another connection, and TLS."""

from __future__ import annotations

import datetime as dt
import ipaddress
import itertools
import queue
import select
import socket
import ssl
import struct
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import psycopg
import pytest

from pucs.coordinator.context import Context
from pucs.coordinator.leases import acquire, release
from pucs.core.errors import StoreError, Usage
from pucs.launch.bells import FifoBell
from pucs.store.postgres import PostgresStore
from pucs.store.postgres_address import parse
from pucs.store.postgres_bells import PostgresBells
from pucs.streams.records import Session, SessionState
from pucs.streams.settings import Configuration
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pucs.testing.postgres import PostgresServer

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.process]
LIMIT_S = 20.0
ENCRYPTED = {80877103: b"S", 80877104: b"N"}
"""What a client asks before it begins, and the answer of a server that speaks TLS."""


def message(source: socket.socket, *, typed: bool = True) -> bytes:
    """Read one message of PostgreSQL's protocol; empty at the end."""
    raw = b""
    while len(raw) < 4 + typed or len(raw) < struct.unpack_from("!I", raw, typed)[0] + typed:
        size = 4 + typed if len(raw) < 4 + typed else struct.unpack_from("!I", raw, typed)[0] + typed
        part = source.recv(size - len(raw))
        if not part:
            return b""
        raw += part
    return raw


class Between:
    """Listens on a loopback port and serves each client in a thread."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, schema: str, **options: str) -> str:
        """Return the URL of a store behind this, with the password."""
        return self.server.url(schema=schema, tcp=True, **options).replace(
            f":{self.server.port}/", f":{self.port}/"
        )

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._guarded, args=(client,), daemon=True).start()

    def _guarded(self, client: socket.socket) -> None:
        try:
            self.serve(client)
        except OSError:
            pass  # the client went, or did not like our certificate
        finally:
            client.close()

    def serve(self, client: socket.socket) -> None:
        """Serve one client until it goes."""
        raise NotImplementedError


class Pooler(Between):
    """Gives each transaction the next of three connections to the server, as poolers do in transaction mode."""

    def __init__(self, server: PostgresServer) -> None:
        self.free: queue.Queue[tuple[int, socket.socket]] = queue.Queue()
        self.said = b""
        self.used: Counter[int] = Counter()
        self.pids = itertools.count(1)
        for number in range(3):
            self.free.put((number, self._connect(server)))
        super().__init__(server)

    def _connect(self, server: PostgresServer) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.connect(str(server.directory / "s" / f".s.PGSQL.{server.port}"))
        words = b"user\0postgres\0database\0postgres\0client_encoding\0UTF8\0\0"
        made.sendall(struct.pack("!II", len(words) + 8, 196608) + words)
        said = b""
        while (one := message(made))[:1] != b"Z":
            said += one if one[:1] == b"S" else b""
        self.said = said
        return made

    def serve(self, client: socket.socket) -> None:
        """Let a client in, and each of its transactions run somewhere else."""
        while struct.unpack_from("!I", message(client, typed=False), 4)[0] in ENCRYPTED:
            client.sendall(b"N")
        known = struct.pack("!cIII", b"K", 12, next(self.pids), 0)
        client.sendall(b"R\0\0\0\x08\0\0\0\0" + self.said + known + b"Z\0\0\0\x05I")
        while (one := message(client)) and one[:1] != b"X":
            number, server = self.free.get(timeout=LIMIT_S)
            self.used[number] += 1
            while True:
                server.sendall(one)
                if one[:1] in b"SQ":  # a batch ends
                    while (answer := message(server))[:1] != b"Z":
                        client.sendall(answer)
                    client.sendall(answer)
                    if answer[-1:] == b"I":
                        break
                one = message(client)
                if not one:
                    server.close()
                    self.free.put((number, self._connect(self.server)))
                    return
            self.free.put((number, server))


class Veil(Between):
    """Speaks TLS in front of a server that does not."""

    def __init__(self, server: PostgresServer, certificate: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        super().__init__(server)

    def serve(self, client: socket.socket) -> None:
        """Pass on what one client says and hears."""
        while (answer := ENCRYPTED[struct.unpack_from("!I", message(client, typed=False), 4)[0]]) != b"S":
            client.sendall(answer)
        client.sendall(answer)
        with (
            self.context.wrap_socket(client, server_side=True) as inside,
            socket.create_connection(("127.0.0.1", self.server.port)) as server,
        ):
            while True:
                ready: list[socket.socket] = [inside]
                if not inside.pending():
                    ready = select.select([inside, server], [], [])[0]
                for source in ready:
                    data = source.recv(65536)
                    if not data:
                        return
                    (server if source is inside else inside).sendall(data)


@pytest.fixture
def pooler(postgres: PostgresServer) -> Iterator[Pooler]:
    made = Pooler(postgres)
    yield made
    made.listener.close()
    while not made.free.empty():
        made.free.get()[1].close()


def in_session(store: PostgresStore) -> Context:
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


def test_every_transaction_may_run_on_another_connection(
    postgres: PostgresServer, pooler: Pooler, schema: str, opened: Callable[..., PostgresStore]
) -> None:
    """Leases exclude, tokens grow and nothing stays behind on any connection, whichever one a transaction was given."""
    opened(postgres.url(schema=schema), FakeClock())
    store = opened(pooler.url(schema), FakeClock())
    context = in_session(store)
    tokens = []
    for _ in range(5):
        for agent, other in (("ann", "bob"), ("bob", "ann")):
            tokens.append(acquire(context, agent=agent, resources=("a.py",)).tokens["a.py"])
            refused = acquire(context, agent=other, resources=("a.py",))
            assert (refused.granted, refused.queue_position) == (False, 1)
            assert release(context, agent=agent).resources == ("a.py",)
    assert tokens == sorted(set(tokens))
    assert len(pooler.used) == 3
    for _ in range(3):
        with psycopg.connect(pooler.url(schema).partition("?")[0], autocommit=True) as raw:
            left = "SELECT count(*), current_setting('search_path') FROM pg_prepared_statements"
            assert raw.execute(left).fetchone() == (0, '"$user", public')


def test_waiters_behind_a_pooler_listen_at_the_server_itself(
    postgres: PostgresServer, pooler: Pooler, schema: str, opened: Callable[..., PostgresStore]
) -> None:
    """A pooler passes on no rings: the store says what to do about it, and done so they are heard."""
    opened(postgres.url(schema=schema), FakeClock())
    assert "listen=HOST:PORT" in opened(pooler.url(schema), FakeClock()).remark
    told = opened(pooler.url(schema, listen=f"127.0.0.1:{postgres.port}"), FakeClock())
    assert told.remark == ""
    assert f"listen=127.0.0.1:{postgres.port}" in told.path
    with PostgresBells(told, FifoBell).hang("one") as one:
        PostgresBells(told, FifoBell).ring("one")
        assert isinstance(one, FifoBell)
        assert one._pipe is not None
        assert select.select([one._pipe], [], [], LIMIT_S)[0]


@pytest.mark.parametrize("listen", ["", "user@host", "host/path", "host:port", ":5432"])
def test_where_to_listen_is_a_host(listen: str) -> None:
    """Anything but a host with a port or without is refused, and no way to listen is the way of everything else."""
    if listen:
        with pytest.raises(Usage, match="names no server"):
            parse(f"postgresql://u@h/d?listen={listen}")
    address = parse("postgresql://u@h/d?listen=other")
    assert (address.listening["host"], address.listening["port"]) == ("other", 5432)
    assert parse("postgresql://u@h/d").listening == parse("postgresql://u@h/d").parameters


def certificate(folder: Path, name: str, address: str) -> Path:
    """Make a certificate for an address that nobody but itself vouches for, with its key."""
    from cryptography import x509  # noqa: PLC0415 - slow to load
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = folder / f"{name}.pem"
    pem = serialization.Encoding.PEM
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(pem)
    )
    return file


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (("127.0.0.1", "server"), ""),
        (("127.0.0.1", "other"), "not signed by whom you trust"),
        (("127.0.0.9", "server"), "is for another host"),
        (("127.0.0.1", "absent"), "no certificate to check it by"),
    ],
)
def test_a_server_must_be_the_one_its_certificate_says(
    postgres: PostgresServer, schema: str, tmp_path: Path, shown: tuple[str, str], said: str
) -> None:
    """With ``sslmode=verify-full`` nothing is said to a server that cannot prove who it is, the password least of all."""
    made_for, trusted = shown
    certificate(tmp_path, "other", made_for)
    veil = Veil(postgres, certificate(tmp_path, "server", made_for))
    url = veil.url(schema, sslmode="verify-full", sslrootcert=str(tmp_path / f"{trusted}.pem"))
    try:
        if not said:
            store = PostgresStore(url)
            assert store._connection().raw.pgconn.ssl_in_use
            store.close()
            return
        with pytest.raises(StoreError, match=said) as caught:
            PostgresStore(url)
        assert postgres.password not in str(caught.value)
        assert "sslmode=verify-full" in str(caught.value)
    finally:
        veil.listener.close()
