"""Verbs over HTTP: who may ask for which, what is answered, and what comes twice."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pucs.client.wire import Unfit, arguments
from pucs.coordinator import agents, leases, posting
from pucs.coordinator.context import Context
from pucs.coordinator.credentials import remember
from pucs.coordinator.inspecting import locks
from pucs.coordinator.log import entries
from pucs.core.errors import Usage
from pucs.core.modes import Mode
from pucs.core.processes import Process
from pucs.crosslog.records import Query
from pucs.messages.records import AgentMessage
from pucs.server import remote, repeats
from pucs.server.app import make_app
from pucs.server.remote import ORDERS, VERBS
from pucs.server.repeats import Answered, Repeats
from pucs.server.workers import Workers
from tests.server.conftest import PATIENCE_S

pytestmark = pytest.mark.git

HERE = "127.0.0.1:7827"
AS_OPERATOR = {"Authorization": "Bearer operator-token"}
AS_ADA = {"Authorization": "Bearer ada-secret"}
FOR_BOB = AS_OPERATOR | {"X-Pucs-Agent": "bob"}


@pytest.fixture
def web(hands: Context) -> Iterator[TestClient]:
    """Return a client of the app; agent ada has a secret, bob has none."""
    for agent in ("ada", "bob"):
        agents.register(hands, agent=agent)
    remember(hands, agent="ada", secret="ada-secret")
    app = make_app(hands, Workers(), hosts=frozenset({HERE}), token="operator-token")
    with TestClient(app, base_url=f"http://{HERE}") as client:
        yield client


def ask(
    web: TestClient, verb: str, headers: dict[str, str], given: Any = None, key: str = ""
) -> tuple[int, Any]:
    sent = headers | ({"Idempotency-Key": key} if key else {})
    answer = web.post(f"/v1/{verb}", headers=sent, json={} if given is None else given)
    return answer.status_code, answer.json()


def code(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["error"]["code"]


def test_every_verb_is_closed_to_strangers_and_orders_to_agents(web: TestClient) -> None:
    """No token 401; with an agent's secret no other agent 403, and nothing that whoever runs the session decides 403."""
    for verb in (*VERBS, "cancel"):
        assert code(ask(web, verb, {})) == (401, "token"), verb
        assert code(ask(web, verb, AS_ADA | {"X-Pucs-Agent": "bob"})) == (403, "agent"), verb
        assert web.get(f"/v1/{verb}", headers=AS_OPERATOR).status_code == 405, verb
        status, told = ask(web, verb, AS_ADA, {"nonsense": 1})
        if verb in ORDERS:
            assert (status, told["error"]["code"]) == (403, "operator"), verb
        elif verb != "cancel":
            assert (status, told["error"]["code"]) == (400, "usage"), verb
            assert "no argument 'nonsense'" in told["error"]["message"], verb
            assert code(ask(web, verb, AS_OPERATOR)) == (400, "usage"), f"{verb} for nobody"


def test_an_agent_acts_for_itself_and_the_operator_for_whom_it_names(web: TestClient, hands: Context) -> None:
    """The result is JSON, its record named; entries say which door it was."""
    status, told = ask(web, "acquire_locks", AS_ADA, {"files": ["app/a.py"]})
    assert (status, told["record"], told["result"]["granted"]) == (200, "Acquired", True)
    status, told = ask(web, "acquire_locks", FOR_BOB, {"files": ["app/a.py"]})
    assert (status, told["result"]["granted"]) == (200, False)
    assert [lease.agent for lease in locks(hands)] == ["ada"]
    assert ask(web, "pause", AS_OPERATOR, {"agent": "ada", "by": "eva"})[1]["result"]["halt"] == "paused"
    assert ask(web, "resume", AS_OPERATOR, {"agent": "ada", "by": "eva"})[1]["result"]["halt"] == ""
    doors = {one.action: one.details["door"] for one in entries(hands, Query(session="S-1"))}
    assert doors["paused"] == "http"


def test_an_agent_that_was_launched_joins_as_itself(web: TestClient, hands: Context) -> None:
    """Its secret makes nobody its owner, also not by the raw form of messages; a stream it may claim."""
    owner = hands.processes.current()
    agents.register(hands, agent="ada", owner=owner, program="claude")
    for verb, given in (
        ("register", {"stream": "app", "launched": False}),
        ("post", {"kind": "register", "fields": {"stream": "lib"}}),
    ):
        status, told = ask(web, verb, AS_ADA | {"X-Pucs-Process": "b 1 2 3 elsewhere"}, given)
        assert status == 200, told
        (ada,) = (one for one in agents.agents(hands) if one.id == "ada")
        assert (ada.owner, ada.program) == (owner, "claude")
        assert told["result"]["stream"] == ada.stream
    status, _ = ask(web, "post", AS_ADA, {"kind": "register", "fields": {"owner": None}})
    assert status == 400


def test_a_secret_of_an_agent_that_ended_does_nothing(web: TestClient, hands: Context) -> None:
    """It is not at work."""
    agents.retire(hands, agent="ada")
    assert ask(web, "acquire_locks", AS_ADA, {"files": ["app/a.py"]})[0] in {401, 404}
    assert locks(hands) == []


def test_errors_have_the_status_of_their_kind(web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """400 wrong use, 404 not there, 409 refused, 413 too large, 500 a bug; always code, message and remedy."""
    assert code(ask(web, "acquire_locks", FOR_BOB, {"files": ["../x"]})) == (400, "usage")
    assert code(ask(web, "acquire_locks", FOR_BOB, ["files"])) == (400, "usage")
    assert web.post("/v1/land", headers=FOR_BOB, content=b"{").status_code == 400
    assert code(ask(web, "land", FOR_BOB | {"X-Pucs-Process": "me"})) == (400, "usage")
    assert code(ask(web, "land", FOR_BOB | {"X-Pucs-Session": "S-9"}))[0] in {404, 409}
    assert code(ask(web, "land", AS_OPERATOR | {"X-Pucs-Agent": "a b"})) == (400, "usage")
    assert code(ask(web, "accept_handoff", FOR_BOB, {"number": 9})) == (404, "not_found")
    assert code(ask(web, "resolve", AS_OPERATOR, {"conflict": 9})) == (404, "not_found")
    assert code(ask(web, "resolve", AS_OPERATOR, {"conflict": 9, "strategy": "luck"})) == (400, "usage")
    status, told = ask(web, "handoff", FOR_BOB, {})
    assert (status, told["error"]["code"]) == (409, "refused")
    assert told["error"]["fields"]["missing"]
    assert code(ask(web, "log_change", FOR_BOB, {"action": "x" * remote.BODY_BYTES_MAX})) == (413, "size")
    monkeypatch.setattr(remote, "_waits", lambda *_: 1 / 0)
    status = web.post("/v1/land", headers=FOR_BOB, json={}).status_code
    assert status == 500


def test_paths_are_those_of_the_callers_checkout_on_this_machine(
    web: TestClient, hands: Context, tmp_path: Path
) -> None:
    """A process of this machine names its checkout; of any other one, and for a place that is none, the agent's counts."""
    own = tmp_path / "own"
    hands.worktrees.create(str(own), "own", hands.repository.resolve("HEAD") or "")
    (own / "only").mkdir()
    here = FOR_BOB | {"X-Pucs-Process": hands.processes.current().encode(), "X-Pucs-Place": str(own)}
    others = {"X-Pucs-Process": "otherboot 1 2 3 elsewhere"}, {"X-Pucs-Place": "/"}, {"X-Pucs-Place": "%00"}

    def resource(headers: dict[str, str], file: str) -> str:
        return str(ask(web, "check_lock", headers, {"file": file})[1]["result"]["resource"])

    assert resource(here, "only") == "only/"
    assert resource(here, f"{own}/app/a.py") == "app/a.py"
    for other in others:
        assert resource(here | other, "only") == "only"


def test_the_owner_is_the_process_that_the_client_says_it_is(web: TestClient, hands: Context) -> None:
    """One of another machine is kept as it is: whether it lives is not known from here, so nothing ends with it."""
    elsewhere = Process("elsewhere", "otherboot", 1, 2, 3)
    headers = AS_OPERATOR | {"X-Pucs-Agent": "cai", "X-Pucs-Process": elsewhere.encode()}
    assert ask(web, "register", headers)[0] == 200
    assert ask(web, "acquire_locks", headers, {"files": ["app/a.py"]})[1]["result"]["granted"]
    (cai,) = (one for one in agents.agents(hands) if one.id == "cai")
    assert cai.owner == elsewhere
    assert not leases.acquire(hands, agent="bob", resources=["app/a.py"]).granted
    assert len(ask(web, "renew_locks", headers)[1]["result"]) == 1


def test_what_comes_twice_under_one_key_is_done_once(web: TestClient, hands: Context) -> None:
    """The second one gets the answer of the first; another caller's key is another one, and so is none."""
    given = {"to": "", "text": "hello"}
    first = ask(web, "send_message", FOR_BOB, given, "k")
    assert first[0] == 200
    assert ask(web, "send_message", FOR_BOB, given, "k") == first
    assert ask(web, "send_message", AS_ADA, given, "k") != first
    assert ask(web, "send_message", FOR_BOB, given, "k2") != first
    assert ask(web, "send_message", FOR_BOB, given) != first
    assert code(ask(web, "send_message", FOR_BOB, {"to": "", "text": "bye"}, "k")) == (400, "usage")
    assert code(ask(web, "send_message", FOR_BOB, given, "k" * 101)) == (400, "usage")
    found = entries(hands, Query(session="S-1"))
    sent = [one for one in found if one.details.get("kind") == "request_help"]
    assert len(sent) == 4


def test_a_server_that_was_started_anew_does_nothing_twice(web: TestClient) -> None:
    """What it cannot know to be new is done only if doing it twice is the same."""
    again = FOR_BOB | {"X-Pucs-Again": "an earlier one"}
    assert code(ask(web, "send_message", again, {"to": "ada", "text": "x"}, "k")) == (503, "environment")
    assert ask(web, "acquire_locks", again, {"files": ["app/a.py"]}, "k")[0] == 200
    run = web.post("/v1/check_lock", headers=FOR_BOB, json={"file": "x"}).headers["X-Pucs-Server"]
    again = FOR_BOB | {"X-Pucs-Again": run}
    assert ask(web, "send_message", again, {"to": "ada", "text": "x"}, "k2")[0] == 200


def test_a_wait_is_cancelled_by_its_key_and_by_nobody_else(web: TestClient, hands: Context) -> None:
    """The answer of the wait itself says that it was given up; nothing of it is left in the line."""
    leases.acquire(hands, agent="ada", resources=["app/a.py"], mode=Mode.EXCLUSIVE)
    answers: list[tuple[int, Any]] = []
    given = {"files": ["app/a.py"], "wait_s": PATIENCE_S}
    waiter = threading.Thread(target=lambda: answers.append(ask(web, "acquire_locks", FOR_BOB, given, "k")))
    waiter.start()
    assert ask(web, "cancel", AS_ADA, {"key": "k"}) == (200, {"result": False})
    while ask(web, "cancel", FOR_BOB, {"key": "k"}) != (200, {"result": True}):
        assert waiter.is_alive()
    waiter.join(PATIENCE_S)
    ((status, told),) = answers
    assert (status, told["result"]["granted"]) == (200, False)
    assert ask(web, "check_lock", FOR_BOB, {"file": "app/a.py"})[1]["result"]["waiting"] == []


def test_of_calls_at_the_same_time_under_one_key_one_is_done() -> None:
    """The other ones wait for its answer; what was not final is done anew, what is under way is never forgotten."""
    done: list[int] = []

    async def main() -> None:
        known = Repeats()
        begun, go = asyncio.Event(), asyncio.Event()

        async def work(_: threading.Event) -> Answered:
            done.append(1)
            begun.set()
            await go.wait()
            return Answered(200, str(len(done)).encode(), final=len(done) > 1)

        def ask() -> asyncio.Task[Answered]:
            return asyncio.ensure_future(known.once("bob", "k", b"x", work))

        first, second = ask(), ask()
        await begun.wait()
        go.set()
        assert [(await first).body, (await second).body] == [b"1", b"2"]
        assert (await ask()).body == b"2"
        with pytest.raises(Usage):
            await known.once("bob", "k", b"y", work)

    asyncio.run(main())


@pytest.mark.parametrize("verb", [*ORDERS.values(), *map(posting.verb_of, AgentMessage)])
def test_arguments_of_every_verb_can_be_read(verb: Callable[..., Any]) -> None:
    """What their annotations name is known."""
    with suppress(Unfit):  # something is missing, perhaps
        arguments(verb, {})


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By number, by size and by time, oldest first."""

    async def main() -> None:
        known = Repeats()

        async def work(_: threading.Event) -> Answered:
            return Answered(200, b"x" * 10)

        async def fill(names: str) -> list[str]:
            for name in names:
                await known.once("bob", name, b"", work)
            return [name for name in "abcdefgh" if known.knows("bob", name)]

        monkeypatch.setattr(repeats, "KEPT_MAX", 3)
        assert await fill("abcd") in (["b", "c", "d"], ["c", "d"])
        monkeypatch.setattr(repeats, "BYTES_MAX", 15)
        assert await fill("e") == ["e"]
        monkeypatch.setattr(repeats, "KEPT_S", 0.0)
        assert await fill("f") in (["f"], [])

    asyncio.run(main())


def test_documents_hold_what_is_not_text_elsewhere(web: TestClient) -> None:
    """A name of bytes that are no UTF-8 is read, and comes back as resources are written."""
    name = "app/\udcff.py"
    body = json.dumps({"file": name}).encode()
    told = web.post("/v1/check_lock", headers=FOR_BOB, content=body).json()
    assert told["result"]["resource"] == r"app/\377.py"
