"""Who is let in over HTTP, and what everybody else is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from pucs.coordinator.agents import register
from pucs.coordinator.context import Context
from pucs.coordinator.credentials import remember
from pucs.server import app as application
from pucs.server.app import make_app
from pucs.server.workers import Workers

pytestmark = pytest.mark.git

TOKEN = "operator-token"
HERE = "127.0.0.1:7827"
AS_OPERATOR = {"Authorization": f"Bearer {TOKEN}"}
AS_ADA = {"Authorization": "Bearer ada-secret"}
CASES: list[tuple[dict[str, str], int]] = [
    ({}, 401),
    ({"Authorization": "Bearer nobody's"}, 401),
    ({"Authorization": f"Basic {TOKEN}"}, 401),
    ({"Authorization": "Bearer "}, 401),
    ({"Authorization": "Bearer \xe4da"}, 401),
    (AS_OPERATOR, 200),
    ({"Authorization": f"bearer {TOKEN}"}, 200),
    (AS_ADA, 200),
    (AS_ADA | {"X-Pucs-Agent": "ada"}, 200),
    (AS_ADA | {"X-Pucs-Agent": "bob"}, 403),
    (AS_OPERATOR | {"X-Pucs-Agent": "bob"}, 200),
    (AS_OPERATOR | {"Host": "evil.example:7827"}, 421),
    (AS_OPERATOR | {"Host": "127.0.0.1"}, 421),
    (AS_OPERATOR | {"Host": "127.0.0.1:80"}, 421),
    (AS_OPERATOR | {"Host": "LOCALHOST:7827"}, 200),
    (AS_OPERATOR | {"Origin": "http://evil.example"}, 403),
    (AS_OPERATOR | {"Origin": "null"}, 403),
    (AS_OPERATOR | {"Origin": f"https://{HERE}"}, 403),
    (AS_OPERATOR | {"Origin": f"http://{HERE}"}, 200),
]


@pytest.fixture
def web(hands: Context) -> Iterator[TestClient]:
    """Return a client of the app; agent ada has a secret, bob has none."""
    for agent in ("ada", "bob"):
        register(hands, agent=agent)
    remember(hands, agent="ada", secret="ada-secret")
    workers = Workers()
    app = make_app(hands, workers, hosts=frozenset({HERE, "localhost:7827"}), token=TOKEN)
    with TestClient(app, base_url=f"http://{HERE}") as client:
        yield client


def test_only_known_programs_of_this_machine_come_in(web: TestClient) -> None:
    """Token or secret, our own names, no page of another origin; a secret is good for its own agent only."""
    for headers, status in CASES:
        sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        answer = web.get("/v1/status", headers=sent)
        assert answer.status_code == status, headers
        if status == 200:
            assert answer.json()["session"] == "S-1"
            continue
        assert set(answer.json()["error"]) == {"code", "message", "remedy"}
        assert web.get("/mcp", headers=sent).status_code == status
        assert web.post("/v1/hook/claude", headers=sent, content=b"{}").status_code == status


def test_health_says_nothing_but_that_it_is_there(web: TestClient) -> None:
    """Anybody on this machine may ask, no page of another origin."""
    assert web.get("/v1/health").json() == {"server": "pucs"}
    assert web.get("/v1/health", headers={"Origin": "http://evil.example"}).status_code == 403


def test_an_empty_operators_token_fits_nobody(hands: Context) -> None:
    """The server of a run has none, and an empty one does not open it."""
    app = make_app(hands, Workers(), hosts=frozenset({HERE}))
    with TestClient(app, base_url=f"http://{HERE}") as client:
        for given in ("Bearer", "Bearer ", "Bearer  "):
            assert client.get("/v1/status", headers={"Authorization": given}).status_code == 401


def test_a_secret_that_was_taken_away_opens_nothing(web: TestClient, hands: Context) -> None:
    """It is looked up each time."""
    assert web.get("/v1/status", headers=AS_ADA).status_code == 200
    remember(hands, agent="ada", secret="")
    assert web.get("/v1/status", headers=AS_ADA).status_code == 401


def test_a_body_that_is_too_large_is_refused(web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it says its length or comes in pieces."""
    monkeypatch.setattr(application, "BODY_BYTES_MAX", 1000)
    for content in (b"x" * 1001, iter([b"x" * 600, b"x" * 600])):
        answer = web.post("/v1/hook/claude", headers=AS_OPERATOR, content=content)
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "size"


def test_errors_have_a_status_and_words(web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a verb refuses, what is not there, and what takes too long are told apart."""
    monkeypatch.setattr(application, "REQUEST_S_MAX", 0.0)
    late = web.get("/v1/status", headers=AS_OPERATOR)
    assert (late.status_code, late.json()["error"]["code"]) == (503, "timeout")
    assert web.get("/v1/hook/claude", headers=AS_OPERATOR).status_code == 405
    assert web.get("/v1/nothing", headers=AS_OPERATOR).status_code == 404
