"""A person's own Claude Code and Codex obey the leases after ``pucs install``, and nobody else is held up by that."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pucs.agents.records import Enforcement
from tests.clients.world import World

READ = {"read": "core/a.py"}
EDIT = {"edit": "core/a.py", "old": "a = 1", "new": "a = 2"}
DONE = {"text": "done"}


def pucs(world: World, *arguments: str, status: int = 0) -> str:
    """Call the command line as the person does."""
    ended = subprocess.run(
        [sys.executable, "-m", "pucs", *arguments, "--repo", str(world.root)],
        cwd=world.stage.home,
        env=world.stage.environment("x"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended.stdout


def doctor(world: World, check: str) -> str:
    """Return what doctor found."""
    found = {one["name"]: one["found"] for one in json.loads(pucs(world, "doctor", "--fix", "--json"))}
    return str(found[check])


def only_agent(world: World, program: str) -> str:
    """Return the one agent that was registered for conversations of a program."""
    with world.context.store.read() as tx:
        session = tx.sessions.active()
        assert session
        found = [agent for agent in tx.agents.all(session.id) if agent.program == program]
    assert [agent.enforcement for agent in found] == [Enforcement.ENFORCED]
    return found[0].id


def test_a_persons_claude_is_briefed_and_blocked(world: World) -> None:
    """It learns who it is when it starts, takes leases by editing, and is stopped before a file that is held."""
    pucs(world, "install", "claude", "--yes")
    assert doctor(world, "claude hooks") == "blocks"
    assert doctor(world, "claude calls") == "none in this session yet"
    world.hold("agent-2", "core/b.py", task="T-2")
    other = {"edit": "core/b.py", "old": "b = 1", "new": "b = 2"}
    world.stage.models.script("x", [READ, EDIT, {"read": "core/b.py"}, other, DONE, DONE, DONE])
    with world.stage.claude("x", world.root) as talk:
        result = talk.ask("Change a and b")
        agent = only_agent(world, "claude")
        assert world.held(agent) == ["core/a.py"]
    assert world.stage.models.saw("x", f"You are agent {agent}")
    assert world.stage.models.saw("x", "core/b.py is held by agent-2")
    assert result["permission_denials"][0]["tool_name"] == "Edit"
    assert (world.root / "core/a.py").read_text() == "a = 2\n"
    assert (world.root / "core/b.py").read_text() == "b = 1\n"
    assert f"the last of {agent}" in doctor(world, "claude calls")


def test_after_uninstalling_nobody_is_asked(world: World) -> None:
    """What was installed is gone, for the program as well."""
    pucs(world, "install", "claude", "--yes")
    pucs(world, "uninstall", "claude", "--yes")
    world.hold("agent-2", "core/a.py")
    world.stage.models.script("x", [READ, EDIT, DONE])
    with world.stage.claude("x", world.root) as talk:
        assert talk.ask("Change a")["permission_denials"] == []
    assert (world.root / "core/a.py").read_text() == "a = 2\n"


@pytest.mark.parametrize(("whose", "text"), [("their own", "a = 1\n"), ("a colleague's", "a = 2\n")])
def test_without_pucs_only_whoever_installed_it_is_stopped(world: World, whose: str, text: str) -> None:
    """The hook is gone and a session is active: its owner's edits stop with what to do; a colleague works on."""
    pucs(world, "install", "claude", "--yes")
    path = world.root / ".git" / "pucs" / "hook"
    guard = path.read_text(encoding="utf-8").replace("/pucs-hook\n", "/gone-hook\n")
    if whose == "a colleague's":
        guard = guard.replace(f"\nuser={os.getuid()} ", f"\nuser={os.getuid() + 1} ")
    path.write_text(guard, encoding="utf-8")
    world.stage.models.script("x", [READ, EDIT, DONE])
    with world.stage.claude("x", world.root) as talk:
        assert talk.ask("Change a")["subtype"] == "success"
    assert (world.root / "core/a.py").read_text() == text
    assert world.stage.models.saw("x", "To work without it: rm ") is (text == "a = 1\n")


def test_a_launched_claude_is_asked_once(world: World) -> None:
    """Claude Code reads the main checkout's settings in an agent's worktree, too; the agent stays one and the same."""
    pucs(world, "install", "claude", "--yes")
    world.stage.models.script("x", [READ, EDIT, DONE, DONE, DONE])
    with world.claude(world.agent("agent-1"), "x") as talk:
        assert talk.ask("Change a")["subtype"] == "success"
        assert world.held("agent-1") == ["core/a.py"]
        assert only_agent(world, "claude") == "agent-1"
    with world.context.store.read() as tx:
        assert len(tx.conversations.of_agent("agent-1")) == 1


def test_the_plugin_blocks(world: World, project: Path) -> None:
    """With ``--plugin-dir`` and nothing installed the same holds; the real program finds nothing wrong with it."""
    plugin = str(project / "plugins" / "claude")
    world.hold("agent-2", "core/a.py")
    world.stage.models.script("x", [READ, EDIT, DONE, DONE, DONE])
    with world.stage.claude("x", world.root, "--plugin-dir", plugin) as talk:
        result = talk.ask("Change a")
        start = talk.lines[[line.get("subtype") for line in talk.lines].index("init")]
    assert result["permission_denials"][0]["tool_name"] == "Edit"
    assert world.stage.models.saw("x", "core/a.py is held by agent-2")
    assert {"pucs:status", "pucs:lock", "pucs:land", "pucs:handoff"} <= set(start["slash_commands"])
    assert "pucs:coordinate" in start["skills"]
    ended = subprocess.run(
        ["claude", "plugin", "validate", plugin],
        env=world.stage.environment("x"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Validation passed" in ended.stdout, ended.stdout


@pytest.mark.parametrize("held", ["core/a.py", "core/b.py"])
def test_a_persons_codex_is_briefed_and_blocked(world: World, held: str) -> None:
    """With its hooks trusted it is stopped before a held file, and may edit a free one."""
    environment = world.stage.environment("x")
    pucs(world, "install", "codex", "--yes")
    world.hold("agent-2", held, task="T-2")
    world.stage.models.script("x", [EDIT, DONE, DONE, DONE])
    call = ["codex", "exec", "--json", "-s", "workspace-write", "--dangerously-bypass-hook-trust", "Change a"]
    ended = subprocess.run(
        call,
        cwd=world.root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    agent = only_agent(world, "codex")
    assert world.stage.models.saw("x", f"You are agent {agent}")
    blocked = held == "core/a.py"
    assert (world.root / "core/a.py").read_text() == ("a = 1\n" if blocked else "a = 2\n")
    assert world.stage.models.saw("x", "core/a.py is held by agent-2") is blocked
    assert f"the last of {agent}" in doctor(world, "codex calls")


def test_a_codex_that_does_not_trust_its_hooks_is_not_counted(world: World) -> None:
    """It skips them without a word; that no call came in is how one sees it."""
    pucs(world, "install", "codex", "--yes")
    world.hold("agent-2", "core/a.py")
    world.stage.models.script("x", [EDIT, DONE])
    subprocess.run(
        ["codex", "exec", "--json", "-s", "workspace-write", "Change a"],
        cwd=world.root,
        env=world.stage.environment("x"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=50,
        check=True,
    )
    assert (world.root / "core/a.py").read_text() == "a = 2\n"
    assert doctor(world, "codex hooks") == "blocks"
    assert doctor(world, "codex calls") == "none in this session yet"


def test_a_launched_claude_cannot_commit_what_is_held(world: World) -> None:
    """What the text of a command does not show is seen when git commits it: the model is told whose the file is."""
    pucs(world, "install", "git", "--yes")
    world.hold("agent-2", "core/b.py", task="T-2")
    hidden = "python3 -c \"open('core/b.py', 'w').write('b = 3')\""
    commit = "git commit -qam '[PUCS-core] feat: Change b'"
    world.stage.models.script("x", [{"shell": hidden}, {"shell": commit}, DONE, DONE, DONE])
    agent = world.agent("agent-1")
    with world.claude(agent, "x") as talk:
        assert talk.ask("Change b")["subtype"] == "success"
    assert world.stage.models.saw("x", "Leave it out, and ask for it: pucs lock core/b.py --wait 60")
    log = subprocess.run(
        ["git", "log", "--format=%s"], cwd=agent.worktree, capture_output=True, text=True, check=True
    )
    assert "Change b" not in log.stdout


def test_it_counts_in_a_directory_below(world: World) -> None:
    """Started anywhere in the repository, Claude Code has the same hooks."""
    pucs(world, "install", "claude", "--yes")
    world.hold("agent-2", "core/a.py")
    below = {"edit": "a.py", "old": "a = 1", "new": "a = 2"}
    world.stage.models.script("x", [{"read": "a.py"}, below, DONE, DONE, DONE])
    with world.stage.claude("x", world.root / "core") as talk:
        assert talk.ask("Change a")["permission_denials"][0]["tool_name"] == "Edit"
    assert (world.root / "core/a.py").read_text() == "a = 1\n"


def test_it_counts_in_a_linked_worktree(world: World) -> None:
    """A person's worktree has no settings of its own; Claude Code reads the main checkout's, which name one place."""
    pucs(world, "install", "claude", "--yes")
    world.hold("agent-2", "core/a.py")
    linked = world.root.with_name("linked")
    subprocess.run(["git", "worktree", "add", "-q", str(linked)], cwd=world.root, check=True)
    world.stage.models.script("x", [READ, EDIT, DONE, DONE, DONE])
    with world.stage.claude("x", linked) as talk:
        assert talk.ask("Change a")["permission_denials"][0]["tool_name"] == "Edit"
    assert (linked / "core/a.py").read_text() == "a = 1\n"
