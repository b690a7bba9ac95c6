"""Real Claude Code is held to the leases, by http hooks and by command hooks, with the settings PUCS launches it with."""

import subprocess
from pathlib import Path

import pytest

from pucs.agents.records import Enforcement
from pucs.coordinator import posting
from tests.clients.world import World

READ = {"read": "core/a.py"}
EDIT = {"edit": "core/a.py", "old": "a = 1", "new": "a = 2"}
DONE = {"text": "done"}


def file(world: World, agent: str, name: str = "core/a.py") -> Path:
    with world.context.store.read() as tx:
        known = tx.agents.get(agent)
    assert known
    return Path(known.worktree) / name


def test_the_first_edit_takes_the_lease(world: World, endpoint: str) -> None:
    """A free file is edited, leased to the agent from then on, and the agent counts as enforced."""
    world.stage.models.script("x", [READ, EDIT, DONE, DONE, DONE])
    with world.claude(world.agent("agent-1"), "x", endpoint=endpoint) as talk:
        assert talk.ask("Change a")["subtype"] == "success"
        assert world.held("agent-1") == ["core/a.py"]
        with world.context.store.read() as tx:
            known = tx.agents.get("agent-1")
        assert known
        assert known.enforcement is Enforcement.ENFORCED
    assert file(world, "agent-1").read_text() == "a = 2\n"


def test_an_edit_of_a_held_file_is_denied(world: World, endpoint: str) -> None:
    """The file is untouched, and the model is told who holds it."""
    world.hold("agent-2", "core/a.py")
    world.stage.models.script(
        "x", [READ, EDIT, {"if_saw": "agent-2", "then": {"text": "gave way"}}, DONE, DONE]
    )
    with world.claude(world.agent("agent-1"), "x", endpoint=endpoint) as talk:
        result = talk.ask("Change a")
    assert result["permission_denials"][0]["tool_name"] == "Edit"
    assert file(world, "agent-1").read_text() == "a = 1\n"
    assert world.stage.models.saw("x", "core/a.py is held by agent-2")
    assert world.held("agent-1") == []


def test_a_shell_command_on_a_held_file_is_denied(world: World, endpoint: str) -> None:
    """``sed -i`` is no way around."""
    world.hold("agent-2", "core/a.py")
    world.stage.models.script("x", [{"shell": "sed -i s/1/2/ core/a.py"}, DONE, DONE, DONE])
    with world.claude(world.agent("agent-1"), "x", endpoint=endpoint) as talk:
        result = talk.ask("Change a")
    assert result["permission_denials"][0]["tool_name"] == "Bash"
    assert file(world, "agent-1").read_text() == "a = 1\n"
    assert world.stage.models.saw("x", "core/a.py is held by agent-2")


def test_a_message_rides_on_a_tool_result(world: World, endpoint: str) -> None:
    """What another agent said while this one worked is in its context before its next step."""
    world.hold("agent-2", "core/b.py")

    def spoken(_saw: str) -> dict[str, str]:
        posting.send(world.context, agent="agent-2", to="agent-1", text="Leave b to me, please.")
        return READ

    steps = [
        spoken,
        {"if_saw": "Leave b to me", "then": {"text": "heard"}, "else": {"text": "heard nothing"}},
        DONE,
        DONE,
    ]
    world.stage.models.script("x", steps)
    with world.claude(world.agent("agent-1"), "x", endpoint=endpoint) as talk:
        talk.say("Look at a")
        said = [talk.heard(type="assistant") for _ in range(2)][-1]
    assert said["message"]["content"][0]["text"] == "heard"


def test_work_is_landed_and_released_at_the_end(world: World, endpoint: str) -> None:
    """Whoever forgets to land is told at the end of the turn, and lands by MCP: then nothing is held any more."""
    told = {"if_saw": "land", "then": {"mcp": "land"}, "else": {"text": "was told nothing"}}
    world.stage.models.script("x", [READ, EDIT, DONE, told, DONE, DONE])
    with world.claude(world.agent("agent-1"), "x", endpoint=endpoint) as talk:
        assert talk.ask("Change a")["result"] == "done"
    assert world.landed("core/a.py") == "a = 2\n"
    assert world.held("agent-1") == []


def test_a_lease_is_asked_for_by_mcp(world: World, endpoint: str) -> None:
    """The tools of the MCP server are there, over http and over standard input."""
    steps = [
        {"mcp": "acquire_locks", "arguments": {"files": ["core/b.py"]}},
        {"if_saw": "granted", "then": DONE},
    ]
    world.stage.models.script("x", [*steps, DONE, DONE])
    with world.claude(world.agent("agent-1"), "x", endpoint=endpoint) as talk:
        talk.say("Lease b")
        talk.used("mcp__pucs__acquire_locks")
        talk.heard(type="user")
        assert world.held("agent-1") == ["core/b.py"]
        talk.heard(type="result")


def test_a_conversation_is_taken_up_with_its_leases(world: World, endpoint: str) -> None:
    """After a resume the hooks hold again, the lease is still there, and the work goes on."""
    agent = world.agent("agent-1")
    again = {"edit": "core/a.py", "old": "a = 2", "new": "a = 3"}
    world.stage.models.script("x", [READ, EDIT, DONE, DONE, DONE, READ, again, DONE, DONE, DONE])
    with world.claude(agent, "x", endpoint=endpoint) as talk:
        conversation = talk.ask("Change a")["session_id"]
    assert world.held("agent-1") == ["core/a.py"]
    with world.claude(agent, "x", endpoint=endpoint, conversation=conversation) as talk:
        assert talk.ask("Change it once more")["session_id"] == conversation
    assert file(world, "agent-1").read_text() == "a = 3\n"
    assert world.held("agent-1") == ["core/a.py"]


def test_an_interrupted_turn_goes_on_in_the_same_process(world: World, endpoint: str) -> None:
    """A command that runs is ended at once; the next prompt is worked on, still held to the leases."""
    world.hold("agent-2", "core/a.py")
    world.stage.models.script("x", [{"shell": "sleep 600"}, READ, EDIT, DONE, DONE, DONE])
    with world.claude(world.agent("agent-1"), "x", endpoint=endpoint) as talk:
        talk.say("Wait")
        talk.used("Bash")
        talk.interrupt()
        assert talk.heard(type="result")["subtype"] == "error_during_execution"
        assert talk.ask("Now change a")["permission_denials"]
    assert file(world, "agent-1").read_text() == "a = 1\n"


def test_a_server_that_dies_blocks(world: World) -> None:
    """Work that began under a server does not go on without it; the model is told that it is blocked."""

    def died(_saw: str) -> dict[str, str]:
        world.kill_server()
        return {"write": "core/c.py", "text": "c = 1\n"}

    world.stage.models.script("x", [READ, EDIT, died, {"shell": "touch core/d.py"}, DONE, DONE, DONE])
    with world.server() as url, world.claude(world.agent("agent-1"), "x", endpoint=url) as talk:
        denials = talk.ask("Change a, write c and d")["permission_denials"]
    assert file(world, "agent-1").read_text() == "a = 2\n"
    assert [denial["tool_name"] for denial in denials] == ["Write", "Bash"]
    assert not file(world, "agent-1", "core/c.py").exists()
    assert not file(world, "agent-1", "core/d.py").exists()
    assert world.stage.models.saw("x", "blocking because onFailure is")


@pytest.mark.parametrize("failure", ["exit 1", "kill -9 $$", "exec /no/such/program"])
def test_a_broken_hook_blocks(world: World, failure: str) -> None:
    """A hook that fails, is killed or cannot be started lets nothing through, and the model is told."""
    hook = world.stage.root / "broken-hook"
    hook.write_text(f"#!/bin/sh\ncase $(cat) in *'\"PreToolUse\"'*) {failure};; esac\n")
    hook.chmod(0o755)
    steps = [{"write": "core/c.py", "text": "c = 1\n"}, {"shell": "touch core/d.py"}, DONE]
    world.stage.models.script("x", steps)
    with world.claude(world.agent("agent-1"), "x", hook=[str(hook)]) as talk:
        denials = talk.ask("Write c and d")["permission_denials"]
    assert [denial["tool_name"] for denial in denials] == ["Write", "Bash"]
    assert not file(world, "agent-1", "core/c.py").exists()
    assert not file(world, "agent-1", "core/d.py").exists()
    assert world.stage.models.saw("x", "onFailure")


def test_nobody_else_is_called(world: World) -> None:
    """With hooks, MCP and all, Claude Code speaks to this machine alone."""
    world.stage.models.script("x", [READ, EDIT, DONE, {"mcp": "land"}, DONE])
    with world.server() as url, world.claude(world.agent("agent-1"), "x", endpoint=url) as talk:
        talk.ask("Change a")
    assert world.stage.proxy.hosts == ()
    status = subprocess.run(
        ["git", "status", "--short"], cwd=world.root, capture_output=True, text=True, check=True
    )
    assert status.stdout == ""
