"""Who acts: the agent of a secret, the one that was launched, one that the client names, or one of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from pucs.agents.records import Agent, Conversation
from pucs.coordinator import agents, leases
from pucs.coordinator.context import Context, unit
from pucs.coordinator.credentials import remember
from pucs.core.errors import NotFound, Refused
from pucs.core.processes import Process
from pucs.launch import processes
from pucs.server.access import Caller
from pucs.server.acting import OnStdio, over_http
from tests.server.conftest import Mouth, Talk

pytestmark = pytest.mark.git


@pytest.fixture
def supervisor() -> Iterator[Process]:
    """Return another process that lives."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        identity = processes.identity(child.pid)
        assert identity is not None
        yield identity


def row(hands: Context, agent: str) -> Agent:
    with hands.store.read() as tx:
        found = tx.agents.get(agent)
    assert found is not None
    return found


def test_a_secret_binds_its_bearer(hands: Context) -> None:
    """It acts as its agent whether it says so or not, and as nobody else, not even to join."""
    agents.register(hands, agent="ada")
    caller = Caller("ada", "s")
    assert over_http(hands, caller, "", joining=False) == "ada"
    assert over_http(hands, caller, "ada", joining=False) == "ada"
    for joining in (False, True):
        with pytest.raises(Refused, match="You are agent ada, not 'bob'"):
            over_http(hands, caller, "bob", joining=joining)
    agents.retire(hands, agent="ada")
    with pytest.raises(NotFound, match="at work in this session"):
        over_http(hands, caller, "", joining=False)


def test_the_operators_programs_say_whom_they_act_for(hands: Context) -> None:
    """By argument or header; nobody acts unnamed, and only to join under an id that is not there yet."""
    with pytest.raises(Refused, match="not known which agent you are"):
        over_http(hands, Caller(""), "", joining=True)
    with pytest.raises(NotFound, match="call register to join"):
        over_http(hands, Caller("ada"), "", joining=False)
    assert over_http(hands, Caller("ada"), "", joining=True) == "ada"
    assert over_http(hands, Caller("ada"), "", joining=False) == "ada"
    assert over_http(hands, Caller(""), "ada", joining=False) == "ada"
    assert row(hands, "ada").owner is None, "the server's life is not the agent's"


def test_a_launched_agent_acts_only_with_its_secret(hands: Context, supervisor: Process) -> None:
    """Its supervisor goes on owning it; without the secret it is refused, and so is any other id."""
    agents.register(hands, agent="ada", program="claude", owner=supervisor)
    remember(hands, agent="ada", secret="s")
    who = OnStdio(hands, fixed="ada", launched=True, secret="s")
    assert who("claude-code", "", joining=False) == "ada"
    assert who("claude-code", "ada", joining=False) == "ada"
    assert (row(hands, "ada").owner, row(hands, "ada").program) == (supervisor, "claude")
    with pytest.raises(Refused, match="You are agent ada"):
        who("claude-code", "bob", joining=True)
    for secret in ("", "wrong"):
        with pytest.raises(Refused, match="has a secret"):
            OnStdio(hands, fixed="ada", launched=True, secret=secret)("claude-code", "", joining=False)
        with pytest.raises(Refused, match="has a secret"):
            OnStdio(hands, secret=secret)("claude-code", "ada", joining=True)
    who.leave()
    assert row(hands, "ada").active


def test_an_agent_whose_supervisor_has_died_is_not_begun_anew(hands: Context) -> None:
    """Its leases stay with its supervisor's recovery; a client's id, though, can be used again by the next client."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        dead = processes.identity(child.pid)
        assert dead is not None
    for agent, program in (("ada", "claude"), ("bob", "client")):
        agents.register(hands, agent=agent, program=program, owner=dead)
        assert OnStdio(hands, fixed=agent, launched=True)("claude-code", "", joining=False) == agent
    assert row(hands, "ada").owner == dead
    assert row(hands, "bob").owner == hands.processes.current()


def test_an_agent_that_lives_elsewhere_is_not_taken(hands: Context, supervisor: Process) -> None:
    """Two clients that were given one id by mistake do not share its leases."""
    agents.register(hands, agent="ada", program="client", owner=supervisor)
    with pytest.raises(Refused, match="alive in process"):
        OnStdio(hands, fixed="ada")("gemini", "", joining=False)


def test_an_agent_that_hooks_have_registered_stays_theirs(hands: Context) -> None:
    """The end of the MCP server does not end it: its program goes on and calls in again."""
    agents.register(hands, agent="claude-12345678", program="claude")
    with unit(hands) as opened:
        opened.tx.conversations.put(
            Conversation("claude", "12345678-1", "S-1", "claude-12345678", hands.repository.root)
        )
        opened.log("conversation begun", agent="claude-12345678")
    for who in (OnStdio(hands), OnStdio(hands, fixed="claude-12345678")):
        assert who("claude-code", "claude-12345678", joining=False) == "claude-12345678"
        who.leave()
        known = row(hands, "claude-12345678")
        assert known.active
        assert known.owner is None


def test_an_unnamed_client_gets_an_agent_of_its_own(hands: Context, supervisor: Process) -> None:
    """Named after the client with the first number that nobody living has; owned by this process and gone with it."""
    agents.register(hands, agent="mcp-Some-Client-1", program="client", owner=supervisor)
    who = OnStdio(hands)
    assert who("Some Client!", "", joining=False) == "mcp-Some-Client-2"
    assert who("Some Client!", "", joining=False) == "mcp-Some-Client-2"
    assert OnStdio(hands)("", "", joining=True) == "mcp-client-1"
    mine = row(hands, "mcp-Some-Client-2")
    assert (mine.owner, mine.program, mine.launched) == (hands.processes.current(), "client", False)
    leases.acquire(hands, agent=mine.id, resources=["app/a.py"])
    who.leave()
    assert not row(hands, mine.id).active
    with hands.store.read() as tx:
        assert not tx.leases.live()


def test_two_first_calls_at_once_are_one_client(talk: Talk) -> None:
    """Programs call several tools at once; they stay one agent."""
    import asyncio  # noqa: PLC0415

    async def ask(mouth: Mouth) -> None:
        answers = await asyncio.gather(*(mouth.ok("status") for _ in range(8)))
        assert {one.document["you"]["agent"] for one in answers} == {"mcp-mcp-1"}

    talk(ask)


def test_reading_a_resource_registers_nobody(talk: Talk, hands: Context) -> None:
    """Looking is free."""

    async def ask(mouth: Mouth) -> None:
        for name in ("status", "log", "handoffs", "briefing"):
            await mouth.client.read_resource(f"pucs://{name}")

    talk(ask)
    assert agents.agents(hands) == []


def test_a_server_for_one_agent_asks_nobody_who_it_is(talk: Talk, hands: Context) -> None:
    """Where it is known who acts, no tool has the argument; an unknown client of HTTP needs it."""

    async def look(mouth: Mouth) -> bool:
        tools = (await mouth.client.list_tools()).tools
        return any("agent" in tool.input_schema["properties"] for tool in tools)

    assert talk(look)
    assert not talk(look, OnStdio(hands, fixed="ada"))
