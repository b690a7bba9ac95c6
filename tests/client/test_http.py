"""What only a client of a server meets: cut connections, other servers, none, and whom it shows which token."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from pucs import PUCSClient
from pucs.cli.door import Door
from pucs.cli.init import initialise
from pucs.client.http import HTTPClient, error_of
from pucs.coordinator import agents
from pucs.coordinator.credentials import remember
from pucs.coordinator.messages import messages
from pucs.core import errors
from pucs.core.errors import EnvironmentFailure, PucsError, Refused, Usage
from pucs.server.hosting import hosted
from pucs.wiring import open_context
from tests.client.conftest import serving

pytestmark = [pytest.mark.git, pytest.mark.process]

PATIENCE_S = 20.0
FILES = {
    "pucs.yaml": "streams:\n  app: {files_pattern: app/}\n",
    "app/a.py": "a = 1\n",
}


@pytest.fixture
def shop(make_repository: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a repository with a session."""
    root = make_repository("shop", FILES)
    monkeypatch.chdir(root)
    initialise(Door(repo=str(root), session="S-1", json=True))
    return root


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    """Return what ends servers with the test."""
    with ExitStack() as stack:
        yield stack


class Between:
    """Stands between client and server, and cuts the connection instead of handing the first answer on."""

    def __init__(self, ports: list[int]) -> None:
        """Lead the first connection to the first of these ports, every later one to the last."""
        self._ports = ports
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.cuts = 0
        self.cutting = False
        self._taken: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cut every connection now."""
        for taken in list(self._taken):  # whoever comes again meanwhile is let through
            with suppress(OSError):
                taken.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                taken, _ = self.listener.accept()
            except OSError:
                return
            self._taken.append(taken)
            port = self._ports.pop(0) if len(self._ports) > 1 else self._ports[0]
            threading.Thread(target=self._serve, args=(taken, port), daemon=True).start()

    def _serve(self, client: socket.socket, port: int) -> None:
        with suppress(ConnectionError), client, socket.create_connection(("127.0.0.1", port)) as server:
            while True:
                ready, _, _ = select.select([client, server], [], [])
                if client in ready:
                    # The server looks at its own name.
                    asked = client.recv(1 << 20).replace(f":{self.port}".encode(), f":{port}".encode())
                    if not asked:
                        return
                    server.sendall(asked)
                    continue
                answer = server.recv(1 << 20)
                if self.cutting or not answer:
                    self.cuts += self.cutting
                    self.cutting = False
                    return
                client.sendall(answer)


@pytest.fixture
def between(shop: Path, servers: ExitStack) -> Callable[[int], Between]:
    """Return a function that puts something between the client and this many runs of a server."""

    def put(runs: int) -> Between:
        ports = [int(serving(servers, shop).url.rpartition(":")[2]) for _ in range(runs)]
        found = Between(ports)
        servers.callback(found.listener.close)
        return found

    return put


def sent(root: Path) -> list[str]:
    context = open_context(root)
    found = [one.text for one in messages(context) if one.sender == "ada"]
    context.store.close()
    return found


def test_an_answer_that_was_lost_is_told_again(shop: Path, between: Callable[[int], Between]) -> None:
    """The connection is cut when the work is done: the client asks again under the same key, and it is done once."""
    cutting = between(1)
    with PUCSClient("ada", "app", store=f"http://127.0.0.1:{cutting.port}") as client:
        token = client.acquire_locks(["res:port"]).tokens
        cutting.cutting = True
        number = client.send_message("pucs", "once")
        assert (number > 0, sent(shop)) == (True, ["once"])
        cutting.cutting = True
        assert client.release_locks(["res:port"]).resources == ("res:port",)
        cutting.cutting = True
        assert client.acquire_locks(["res:port"]).tokens["res:port"] > token["res:port"]
    assert cutting.cuts == 3


def test_what_another_run_of_the_server_cannot_know_is_not_done_twice(
    shop: Path, between: Callable[[int], Between]
) -> None:
    """The server that had heard it is gone: what may be done twice is, of anything else the caller is told."""
    cutting = between(2)
    client = PUCSClient("ada", "app", store=f"http://127.0.0.1:{cutting.port}")
    client.register()
    cutting.cutting = True
    with pytest.raises(EnvironmentFailure, match="send_message; whether that was done is not known"):
        client.send_message("pucs", "once")
    assert sent(shop) == ["once"]
    cutting.cutting = True
    assert client.acquire_locks(["app/a.py"]).granted
    client.close()


def test_the_client_goes_on_with_a_server_that_was_started_anew(shop: Path, servers: ExitStack) -> None:
    """Between two calls nothing is under way, so everything is asked of the new one."""
    first = serving(servers, shop)
    with PUCSClient("ada", "app", store=first.url) as client:
        token = client.acquire_locks(["app/a.py"]).tokens
        first.stop()
        with pytest.raises(EnvironmentFailure, match="No server answers at"):
            client.send_message("pucs", "hello")
        port = int(first.url.rpartition(":")[2])
        second = serving(servers, shop, port)
        assert client.send_message("pucs", "hello") > 0
        assert client.acquire_locks(["app/a.py"]).tokens == token
        second.stop()
        serving(servers, shop, port)
        assert client.send_message("pucs", "again") > 0
    assert sent(shop) == ["hello", "again"]


@pytest.mark.slow
def test_a_server_that_was_killed_takes_nothing_with_it(shop: Path) -> None:
    """SIGKILL between two calls: what was acknowledged is there, and a waiter of the new one is served."""

    @contextmanager
    def serve(*port: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
        command = [sys.executable, "-m", "pucs", "serve", "--json", *port]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield process, json.loads(process.stdout.readline())["url"]
            finally:
                process.kill()

    with serve() as (server, url):
        client = PUCSClient("ada", "app", store=url)
        token = client.acquire_locks(["app/a.py"]).tokens
        assert client.send_message("pucs", "one") > 0
        server.send_signal(signal.SIGKILL)
        server.wait(PATIENCE_S)
    with serve("--port", url.rpartition(":")[2]):
        assert client.send_message("pucs", "two") > 0
        assert client.acquire_locks(["app/a.py"]).tokens == token
        client.close()
    assert sent(shop) == ["one", "two"]


def until(what: Callable[[], object]) -> None:
    """Look until something is so; the server looks once a second whether its callers are still there."""
    end_s = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end_s
        os.sched_yield()


@pytest.mark.slow
def test_a_wait_whose_connection_is_cut_goes_on(shop: Path, between: Callable[[int], Between]) -> None:
    """The client asks again, and gets in line again once the server has let go of the first call."""
    cutting = between(1)
    ada = PUCSClient("ada", "app")
    bob = PUCSClient("bob", "app", store=f"http://127.0.0.1:{cutting.port}")
    assert ada.acquire_locks(["app/a.py"]).granted
    bob.register()
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(bob.acquire_locks, ["app/a.py"], wait_s=PATIENCE_S)
        until(lambda: ada.check_lock("app/a.py").waiting)
        (first,) = ada.check_lock("app/a.py").waiting
        cutting.cut()
        until(lambda: answer.done() or {one.id for one in ada.check_lock("app/a.py").waiting} - {first.id})
        ada.release_locks()
        assert answer.result(PATIENCE_S).granted
    bob.close()
    ada.close()


@pytest.mark.slow
def test_a_waiter_that_is_killed_leaves_the_line(shop: Path, servers: ExitStack) -> None:
    """Nobody waits behind a process that is gone, and nothing is granted to it."""
    url = serving(servers, shop).url
    program = f"from pucs import PUCSClient\nPUCSClient('bob', 'app', store={url!r}).acquire_locks(['app/a.py'], wait_s=50)\n"
    ada = PUCSClient("ada", "app")
    assert ada.acquire_locks(["app/a.py"]).granted
    with subprocess.Popen([sys.executable, "-c", program]) as waiter:
        while not ada.check_lock("app/a.py").waiting:
            assert waiter.poll() is None
        waiter.kill()
    until(lambda: not ada.check_lock("app/a.py").waiting)
    ada.release_locks()
    assert ada.check_lock("app/a.py").holders == ()
    ada.close()


@pytest.mark.slow
def test_threads_share_a_client(shop: Path, servers: ExitStack) -> None:
    """No two calls share a connection at the same time, and none is opened anew for each."""
    with (
        PUCSClient("ada", "app", store=serving(servers, shop).url) as client,
        ThreadPoolExecutor(6) as threads,
    ):

        def once(number: int) -> bool:
            name = f"res:{number}"
            found = client.acquire_locks([name])
            return found.tokens.keys() == {name} and client.check_lock(name).holders[0].agent == "ada"

        assert all(threads.map(once, range(30)))
        assert len(client.renew_locks()) == 30


def answering(answer: bytes) -> socket.socket:
    """Return a listening socket that answers everybody with the same bytes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                taken, _ = listener.accept()
            except OSError:
                return
            with suppress(ConnectionError), taken:
                taken.recv(1 << 16)
                taken.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return listener


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"220 mail.example ESMTP\r\n", "hung up twice"),
        (b"", "hung up twice"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "another language"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "another language"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"result": 1}', "another language"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{", "hung up twice"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "another language"),
        (b'HTTP/1.1 500 No\r\nContent-Length: 12\r\n\r\n{"error": 1}', "another language"),
    ],
)
def test_whoever_is_no_server_of_pucs_is_found_out(
    answer: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words say where it was and that nothing is known of what was done."""
    monkeypatch.setenv("PUCS_TOKEN", "t")
    listener = answering(answer)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(EnvironmentFailure, match=words) as raised:
        PUCSClient("ada", store=url).register()
    assert url in raised.value.message
    listener.close()


def test_a_server_that_ends_in_the_middle_leaves_a_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """It heard the call, and nobody is there when the client asks again: so nobody knows whether it was done."""
    monkeypatch.setenv("PUCS_TOKEN", "t")
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def end() -> None:
        taken, _ = listener.accept()
        with taken:
            taken.recv(1 << 16)
            listener.close()

    ending = threading.Thread(target=end)
    ending.start()
    with pytest.raises(
        EnvironmentFailure, match=r"No server answers .* asked for register before; .* not known"
    ):
        PUCSClient("ada", store=url).register()
    ending.join()


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a time with a name, and not asked again: it may be at work."""
    monkeypatch.setenv("PUCS_TOKEN", "t")
    monkeypatch.setattr("pucs.client.http.SHORT_S_MAX", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = PUCSClient("ada", store=f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(EnvironmentFailure, match="not answered for"):
            client.register()


@pytest.mark.parametrize(
    "url",
    ["http://pucs.example:7827", "http://", "http://u:p@127.0.0.1:1", "http://127.0.0.1:x", "https://h/?q=1"],
)
def test_a_url_that_will_not_do_is_refused(url: str) -> None:
    """A token goes in the clear to this machine only; secrets have no place in a URL, and are not shown."""
    with pytest.raises(Usage) as raised:
        PUCSClient("ada", store=url)
    assert "u:p" not in str(raised.value)


def test_it_is_a_client_like_any_other(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL decides, wherever it comes from."""
    for url in ("http://127.0.0.1:1", "HTTPS://pucs.example/a"):
        assert isinstance(PUCSClient("ada", store=url), HTTPClient)
        assert isinstance(PUCSClient("ada", store=url), PUCSClient)
    assert not isinstance(PUCSClient("ada"), HTTPClient)
    monkeypatch.setenv("PUCS_STORE", "http://127.0.0.1:1")
    assert isinstance(PUCSClient("ada"), HTTPClient)
    assert not isinstance(PUCSClient("ada", store=str(shop / ".git/pucs/state.db")), HTTPClient)


def test_what_opens_the_store_itself_refuses_the_url_of_a_server(shop: Path) -> None:
    """With words that say who takes one, instead of a file of that name."""
    with pytest.raises(Usage, match="only PUCSClient takes the URL"):
        open_context(shop, store="http://127.0.0.1:1")


def test_who_it_says_it_is(shop: Path, servers: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own secret comes first, then the token that is named, then the file; another agent's secret is not shown."""
    token = (serving(servers, shop), (shop / ".git/pucs/token").read_text().strip())[1]

    def shown(url: str = "http://127.0.0.1:1") -> str:
        return str(HTTPClient("ada", store=url)._token())

    assert shown() == token
    with pytest.raises(EnvironmentFailure, match="PUCS_TOKEN"):
        shown("https://pucs.example")
    monkeypatch.setenv("PUCS_TOKEN", "named")
    assert (shown(), shown("https://pucs.example")) == ("named", "named")
    monkeypatch.setenv("PUCS_SECRET", "secret")
    assert shown() == "secret"
    monkeypatch.setenv("PUCS_AGENT", "bob")
    assert shown() == "named"
    monkeypatch.setenv("PUCS_AGENT", "ada")
    assert shown() == "secret"


def test_a_wrong_token_is_refused_in_words(
    shop: Path, servers: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a refusal, without the token in it."""
    monkeypatch.setenv("PUCS_TOKEN", "wrong-token")
    with pytest.raises(Refused, match="Nobody has this token") as raised:
        PUCSClient("ada", store=serving(servers, shop).url).register()
    assert "wrong-token" not in str(raised.value)


def test_a_launched_agent_acts_for_itself_by_its_secret(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the server of its run, which knows no operator; what it holds is its supervisor's to mind."""
    context = open_context(shop, door="run")
    owner = context.processes.current()
    agents.register(context, agent="app-1", stream="app", program="claude", owner=owner)
    remember(context, agent="app-1", secret="s-1")
    monkeypatch.setenv("PUCS_AGENT", "app-1")
    monkeypatch.setenv("PUCS_SECRET", "s-1")
    with hosted(context) as url:
        with PUCSClient("app-1", store=url) as client:
            assert client.register().program == "claude"
            assert client.acquire_locks(["app/a.py"]).granted
            (lease,) = client.check_lock("app/a.py").holders
            assert lease.owner == owner
        monkeypatch.delenv("PUCS_AGENT")
        with pytest.raises(Refused, match="not that of agent"):
            PUCSClient("bob", store=url).register()
    context.store.close()


def test_every_error_comes_back_as_itself() -> None:
    """By its code; what the door alone says by its status."""
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, PucsError)]
    assert len(kinds) > 8
    for kind in kinds:
        assert type(error_of(418, kind.code, "m", "r")) is kind
    for status, kind in (
        (401, Refused),
        (403, Refused),
        (413, Usage),
        (421, EnvironmentFailure),
        (503, EnvironmentFailure),
    ):
        assert type(error_of(status, "door", "m", "r")) is kind
    assert error_of(500, "bug", "m", "r").exit_status == 3
