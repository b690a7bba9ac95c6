"""The one decision before an edit: who, where, under which lease, on what base; and what is looked at afterwards."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pucs.agents.calls import Call, Edit, Moment, Replacement, Ruling
from pucs.agents.records import Agent, Enforcement
from pucs.coordinator import agents, conversations, credentials, leases, pausing, salvaging
from pucs.coordinator.guarding import guard
from pucs.core.modes import Mode
from pucs.crosslog.records import Entry, Level, Query

pytestmark = pytest.mark.git

SECRET = "s3cret"
PARTS = "import os\n\n\ndef one():\n    return 1\n\n\ndef two():\n    return 2\n"


@dataclass
class Program:
    """A conversation of an agent program, as its hooks report it."""

    world: Any
    cwd: Path
    agent: str = ""
    secret: str = ""
    conversation: str = "0123456789abcdef"
    program: str = "claude"
    said: list[Ruling] = field(default_factory=list)

    def call(self, moment: Moment, *edits: Edit, **more: Any) -> Ruling:
        """Report something."""
        ruling = guard(
            self.world.context,
            Call(
                moment=moment,
                program=self.program,
                conversation=self.conversation,
                cwd=str(self.cwd),
                agent=self.agent,
                secret=self.secret,
                edits=edits,
                **more,
            ),
        )
        self.said.append(ruling)
        return ruling

    def ask(self, *paths: str, content: bytes = b"new\n", **more: Any) -> Ruling:
        """Ask before files are written."""
        return self.call(Moment.BEFORE, *(Edit(path=path, content=content) for path in paths), **more)

    def write(self, path: str, text: str = "new\n") -> Ruling:
        """Write a file as a program does: ask, write if allowed, report."""
        ruling = self.ask(path, content=text.encode())
        if ruling.allowed:
            target = self.cwd / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            self.call(Moment.AFTER, Edit(path=path, content=text.encode()))
        return ruling

    def shell(self, command: str) -> Ruling:
        """Ask before a command runs."""
        return self.call(Moment.BEFORE, command=command)

    def ran(self, command: str = "make") -> Ruling:
        """Report that a command has run."""
        return self.call(Moment.AFTER, command=command)

    def name(self) -> str:
        """Return the agent that the conversation was registered as."""
        with self.world.context.store.read() as tx:
            return str(tx.conversations.get(self.program, self.conversation, "S1").agent)


def launched(world: Any, name: str = "a1", stream: str = "core", pid: int = 0) -> Program:
    """Return a launched agent in a worktree of its own, with a secret."""
    place = world.agent(name, stream, pid=pid or 10 + len(world.places))
    credentials.remember(world.context, agent=name, secret=SECRET + name)
    return Program(world, place, agent=name, secret=SECRET + name, conversation=f"conversation-of-{name}")


def person(world: Any, conversation: str = "0123456789abcdef") -> Program:
    """Return a person's own program in the main checkout."""
    return Program(world, world.root, conversation=conversation)


def entries(world: Any, action: str) -> list[Entry]:
    """Return the entries of one action."""
    with world.context.store.read() as tx:
        return [entry for entry in tx.entries.select(Query()) if entry.action == action]


def agent(world: Any, name: str) -> Agent:
    """Return an agent."""
    with world.context.store.read() as tx:
        found: Agent = tx.agents.get(name)
        return found


# Who ------------------------------------------------------------------------------------------------------------


def test_the_first_edit_of_a_free_file_takes_its_lease(world: Any) -> None:
    """The agent need not ask for anything; the next edit finds the lease there and writes nothing to the store."""
    one = launched(world)
    assert one.write("core/a.py").allowed
    assert world.held("a1") == ["core/a.py"]
    before = world.context.store.version()
    assert one.ask("core/a.py").allowed
    assert world.context.store.version() == before


def test_a_held_file_is_denied_with_who_until_when_and_what_to_do(world: Any) -> None:
    """The launched one is in line and will be woken; the file is not its own yet."""
    one, two = launched(world, "a1"), launched(world, "a2")
    one.write("core/a.py")
    ruling = two.ask("core/a.py")
    assert not ruling.allowed
    assert "core/a.py is held by a1 until 2025-" in ruling.reason
    assert "1st in line" in ruling.reason
    assert "you will be woken when it is yours" in ruling.reason
    assert not ruling.suspend
    assert world.held("a2") == []


def test_an_agent_nobody_can_wake_is_promised_nothing(world: Any) -> None:
    """A person's agent is told its position, and that nothing is kept for it."""
    launched(world).write("core/a.py")
    ruling = person(world).ask("core/a.py")
    assert not ruling.allowed
    assert "nothing is kept for you" in ruling.reason
    assert "woken" not in ruling.reason


def test_an_unknown_conversation_is_registered_with_its_checkout(world: Any) -> None:
    """It has no stream, no branch and no owner, so that nothing is ever written there; the level is the lowest."""
    mine = person(world)
    assert mine.write("core/a.py").allowed
    found = agent(world, "claude-01234567")
    assert (found.worktree, found.branch, found.stream, found.owner) == (str(world.root), "", "", None)
    assert found.enforcement is Enforcement.ADVISORY
    other = person(world, "01234567-another")
    other.ask("core/b.py")
    assert other.name() == "claude-01234567-ano"
    conversations.enforced(world.context, agent=found.id)
    conversations.enforced(world.context, agent=found.id)
    assert agent(world, found.id).enforcement is Enforcement.ENFORCED
    assert len(entries(world, "enforced")) == 1


def test_hostile_ids_of_conversations_become_plain_names(world: Any) -> None:
    """Whatever a program calls its conversation, the agent's id is safe; one without an id is refused."""
    strange = person(world, "../../etc; rm\n")
    strange.ask("core/a.py")
    assert strange.name() == "claude-------et"
    assert not person(world, "").ask("core/a.py").allowed
    assert not person(world, "x" * 1000).ask("core/a.py").allowed
    assert "no text" in person(world, "\ud800").ask("core/a.py").reason
    assert "no text" in replace(strange, agent="\ud800").ask("core/a.py").reason
    assert "cannot be an agent id" in replace(strange, program="../x").ask("core/a.py").reason
    assert "no text" in replace(strange, agent="a\0b").ask("core/a.py").reason


@pytest.mark.parametrize(
    ("agent_id", "secret", "conversation", "said"),
    [
        ("a1", "wrong", "c", "without the secret of agent a1"),
        ("a1", "", "c", "without the secret of agent a1"),
        ("a2", SECRET + "a1", "c", "without the secret of agent a2"),
        ("nobody", "", "c", "no agent 'nobody'"),
        ("", "wrong", "c", "No agent has the secret"),
        ("a2", SECRET + "a2", "conversation-of-a1", "one of agent a1, not of a2"),
        ("", "", "conversation-of-a1", "without the secret of agent a1"),
        ("plain", SECRET + "a1", "c", "is not that of agent plain"),
    ],
)
def test_an_agent_that_lies_about_its_id_is_refused(
    world: Any, agent_id: str, secret: str, conversation: str, said: str
) -> None:
    """The call is denied in words and logged; nothing is leased for anybody."""
    launched(world, "a1").call(Moment.START)
    launched(world, "a2")
    agents.register(world.context, agent="plain")
    liar = Program(world, world.places["a1"], agent=agent_id, secret=secret, conversation=conversation)
    ruling = liar.ask("core/a.py")
    assert not ruling.allowed
    assert said in ruling.reason
    assert [entry.level for entry in entries(world, "identity refused")] == [Level.CONFLICT]
    assert world.held("a1") == world.held("a2") == []
    assert liar.call(Moment.AFTER, Edit(path="core/a.py")).allowed


def test_the_secret_alone_names_its_agent(world: Any) -> None:
    """A program that was only given the secret is that agent; without a secret none is held."""
    one = launched(world)
    one.agent = ""
    assert one.write("core/a.py").allowed
    assert world.held("a1") == ["core/a.py"]
    assert credentials.agent_of(world.context, SECRET + "a1") == "a1"
    assert credentials.holds(world.context, "a1", SECRET + "a1")
    credentials.remember(world.context, agent="a1", secret="")
    assert not credentials.holds(world.context, "a1", "")
    assert credentials.agent_of(world.context, "") == ""


def test_a_stranger_in_an_agents_worktree_is_refused(world: Any) -> None:
    """Only the agent itself works in a worktree that was made for it."""
    place = launched(world).cwd
    ruling = Program(world, place).ask("core/a.py")
    assert not ruling.allowed
    assert "is the worktree of agent a1" in ruling.reason


def test_outside_of_the_repository_nobody_is_registered(world: Any, tmp_path: Path) -> None:
    """A program that works elsewhere has no checkout that its leases could count for."""
    ruling = Program(world, tmp_path).ask("core/a.py")
    assert "in no checkout of this repository" in ruling.reason


def test_without_a_session_everything_is_allowed_in_silence(world: Any) -> None:
    """Hooks stay installed when a session is over."""
    one = launched(world)
    world.context = replace(world.context, session="none")
    assert one.ask("core/a.py") == Ruling()


def test_terminated_and_ended_agents_are_stopped_and_paused_ones_too(world: Any) -> None:
    """Each is told by whom and why; a paused one may still look, and its turn ends only if somebody can resume it."""
    one, mine = launched(world, pid=77), person(world)
    mine.ask("core/b.py")
    for name in ("a1", mine.name()):
        pausing.pause(world.context, agent=name, by="ann", reason="lunch")
    ruling = one.ask("core/a.py")
    assert (ruling.allowed, ruling.suspend) == (False, True)
    assert 'ann: "lunch"' in ruling.reason
    ruling = mine.shell("sed -i s/a/b/ core/b.py")
    assert (ruling.allowed, ruling.suspend) == (False, False)
    assert one.call(Moment.BEFORE, tool="WebSearch").allowed
    pausing.resume(world.context, agent="a1", by="ann")
    assert one.ask("core/a.py").allowed
    pausing.terminate(world.context, agent="a1", by="ann", reason="enough")
    ruling = one.call(Moment.BEFORE, tool="WebSearch")
    assert (ruling.allowed, ruling.suspend) == (False, True)
    assert 'terminated by ann: "enough"' in ruling.reason
    two = launched(world, "a2")
    agents.retire(world.context, agent="a2")
    assert "has ended (RETIRED)" in two.ask("core/b.py").reason


def test_a_persons_agent_is_kept_alive_by_its_calls(world: Any) -> None:
    """Its leases are longer than others' and renewed, but not with every call."""
    mine = person(world)
    mine.write("core/a.py")
    world.clock.pass_s(31.0)
    assert mine.call(Moment.BEFORE, tool="Grep").allowed
    version = world.context.store.version()
    world.clock.pass_s(10.0)
    mine.call(Moment.BEFORE, tool="Grep")
    assert world.context.store.version() == version
    for _ in range(3):
        world.clock.pass_s(1700.0)
        mine.call(Moment.BEFORE, tool="Grep")
    assert mine.ask("core/a.py").allowed
    assert len(entries(world, "lock granted")) == 1


# Where ----------------------------------------------------------------------------------------------------------


def test_other_checkouts_and_gits_own_files_are_denied_and_the_rest_is_not_our_business(
    world: Any, tmp_path: Path
) -> None:
    """An agent works in its own worktree; scratch files outside of all of them are free."""
    one, other = launched(world), launched(world, "a2")
    for path in (world.root / "core/a.py", other.cwd / "core/a.py", "../a2/core/a.py"):
        ruling = one.ask(str(path))
        assert not ruling.allowed
        assert f"Work in your own checkout: {one.cwd}/core/a.py" in ruling.reason
    for path in (
        ".git",
        ".git/config",
        world.root / ".git/refs/heads/main",
        world.root / ".git/pucs/state.db",
    ):
        assert "git's own" in one.ask(str(path)).reason
        assert "git's own" in one.shell(f"rm -rf {path}").reason
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    assert one.ask(str(scratch / "notes.txt")) == Ruling()
    assert one.ask(str(tmp_path / "no/such/place/x.txt")) == Ruling()
    assert world.held("a1") == []


def test_paths_are_taken_as_the_disk_has_them(world: Any, tmp_path: Path) -> None:
    """Dots, symlinks to the worktree and out of it, and names that no disk has never end in an exception."""
    one = launched(world)
    (tmp_path / "way").symlink_to(one.cwd)
    (one.cwd / "out").symlink_to(tmp_path)
    (one.cwd / "core/link.py").symlink_to("b.py")
    (one.cwd / "core/far.py").symlink_to(world.root / "core/a.py")
    assert one.ask("core/../core/./a.py").allowed
    assert one.ask(str(tmp_path / "way/api/../core/a.py")).allowed
    assert world.held("a1") == ["core/a.py"]
    assert one.ask("out/anything") == Ruling()
    assert one.ask("core/link.py").allowed
    assert world.held("a1") == ["core/a.py", "core/b.py", "core/link.py"]
    assert "outside the repository" in one.ask("core/far.py").reason
    for hostile in ("a\0b", "x" * 5000, "\ud800", "core/" + "d/" * 3000):
        assert not one.ask(hostile).allowed
    assert one.ask("core/a::b.py", "core/\udcff.py", "core/new/dir/x.py").allowed
    assert "core/a:\\:b.py" in world.held("a1")


def test_another_branch_in_the_worktree_is_refused_and_the_way_back_is_open(world: Any) -> None:
    """What is changed on another branch would never land; a merge that goes on is fine."""
    one = launched(world)
    branch = agent(world, "a1").branch
    world.git("switch", "-q", "-c", "elsewhere", at=one.cwd)
    ruling = one.ask("core/a.py")
    assert f"instead of {branch}" in ruling.reason
    assert f"git switch {branch}" in ruling.reason
    assert one.shell(f"git switch {branch}").allowed
    world.git("switch", "-q", branch, at=one.cwd)
    assert one.ask("core/a.py").allowed


def test_a_worktree_without_its_git_is_no_place_to_write(world: Any) -> None:
    """Whoever removes ``.git`` is not free of the rules by that."""
    one = launched(world)
    (one.cwd / ".git").unlink()
    assert "no git worktree any more" in one.ask("core/a.py").reason
    (one.cwd / ".git").write_text("gitdir: /nowhere\n")
    assert "no git worktree any more" in one.ask("core/a.py").reason


# Under which lease ----------------------------------------------------------------------------------------------


def test_generated_and_ignored_files_need_no_lease_and_boundaries_hold(make_world: Any) -> None:
    """A file of another stream is refused with the way to ask for it; a person's agent has no boundary."""
    world = make_world(
        {"core/a.py": "a\n", "api/x.py": "x\n", ".gitignore": "*.log\n"}, generated=("uv.lock",)
    )
    one = launched(world)
    assert one.ask("uv.lock", "core/run.log").allowed
    assert world.held("a1") == []
    ruling = one.ask("api/x.py")
    assert "belongs to stream api" in ruling.reason
    assert "pucs request api/x.py" in ruling.reason
    assert "line" not in ruling.reason
    assert person(world).ask("api/x.py").allowed


def test_several_files_of_one_call_are_leased_together_or_not_at_all(world: Any) -> None:
    """Part of a change is no change; too many files in one call cannot be looked at."""
    one, two = launched(world), launched(world, "a2")
    one.write("core/a.py")
    assert not two.ask("core/b.py", "core/a.py").allowed
    assert world.held("a2") == []
    assert two.ask("core/b.py", "core/c.py").allowed
    assert world.held("a2") == ["core/b.py", "core/c.py"]
    assert "smaller steps" in two.ask(*(f"core/{at}.py" for at in range(300))).reason


def test_an_edit_inside_leased_symbols_is_allowed_and_one_beyond_asks_for_more(make_world: Any) -> None:
    """The same judgement as at landing: the symbol beyond is leased if it is free, else its holder is named."""
    world = make_world({"core/a.py": PARTS})
    one, two = launched(world), launched(world, "a2")
    world.lock("a1", "core/a.py::one")

    def change(old: str, new: str) -> Ruling:
        return one.call(Moment.BEFORE, Edit(path="core/a.py", replacements=(Replacement(old, new),)))

    one.call(Moment.START)
    version = world.context.store.version()
    assert change("return 1", "return 11").allowed
    assert change("import os", "import os\nimport re").allowed
    assert world.context.store.version() == version
    world.lock("a2", "core/a.py::two")
    ruling = change("return 2", "return 22")
    assert not ruling.allowed
    assert "core/a.py::two is held by a2" in ruling.reason
    leases.release(world.context, agent="a2")
    two.ask("core/b.py")
    assert change("return 2", "return 22").allowed
    assert world.held("a1") == ["core/a.py::one", "core/a.py::two"]
    assert change("import os", "import sys").allowed
    assert "core/a.py" in world.held("a1")


def test_an_edit_that_cannot_be_foreseen_needs_the_whole_file(make_world: Any) -> None:
    """What does not fit, breaks the syntax or is too large counts as a change of everything."""
    world = make_world({"core/a.py": PARTS})
    one = launched(world)
    world.lock("a1", "core/a.py::one")
    launched(world, "a2")
    world.lock("a2", "core/a.py::two")
    for edit in (
        Edit(path="core/a.py", replacements=(Replacement("not there", "x"),)),
        Edit(path="core/a.py", content=b"def broken(:\n"),
        Edit(path="core/a.py", deletes=True),
    ):
        ruling = one.call(Moment.BEFORE, edit)
        assert "core/a.py::two is held by a2" in ruling.reason
    with (one.cwd / "core/a.py").open("ab") as file:
        file.truncate(9 * 1024 * 1024)
    assert not one.ask("core/a.py").allowed


def test_a_lease_that_ran_out_is_taken_anew_if_nobody_has_it(world: Any) -> None:
    """Time alone ends a lease; the agent's next edit asks again and waits behind whoever came first."""
    one, two = launched(world), launched(world, "a2")
    one.write("core/a.py")
    one.write("core/b.py")
    world.clock.pass_s(7300.0)
    assert two.ask("core/a.py").allowed
    assert not one.ask("core/a.py").allowed
    assert one.ask("core/b.py").allowed
    assert world.held("a1") == ["core/b.py"]


def test_weaker_leases_do_not_allow_an_edit(world: Any) -> None:
    """Who reads along with others must ask to write."""
    one = launched(world)
    launched(world, "a2")
    for name in ("a1", "a2"):
        leases.acquire(world.context, agent=name, resources=["core/a.py"], mode=Mode.SHARED_READ)
    assert "core/a.py is held by a2" in one.ask("core/a.py").reason


def test_the_third_denial_of_a_file_ends_the_turn(world: Any) -> None:
    """Asking again and again burns tokens; an allowed edit between begins the count anew."""
    one, two = launched(world), launched(world, "a2")
    one.write("core/a.py")
    assert [two.ask("core/a.py").suspend for _ in range(2)] == [False, False]
    assert two.ask("core/b.py").allowed
    assert [two.ask("core/a.py").suspend for _ in range(4)] == [False, False, True, True]
    two.call(Moment.PROMPT)
    assert not two.ask("core/a.py").suspend


# On what base ---------------------------------------------------------------------------------------------------


def test_a_stale_base_is_brought_up_to_date_and_denied_once(world: Any) -> None:
    """The first edit waits until the worktree contains what landed; the agent's own edits stay."""
    one, two = launched(world), launched(world, "a2")
    two.write("core/b.py", "mine\n")
    one.write("core/a.py", "a = 2\n")
    world.land("a1")
    ruling = two.ask("core/a.py")
    assert not ruling.allowed
    assert "core/a.py changed since (landed by a1 at 2025-" in ruling.reason
    assert "brought up to date" in ruling.reason
    assert (two.cwd / "core/a.py").read_text() == "a = 2\n"
    assert (two.cwd / "core/b.py").read_text() == "mine\n"
    assert two.ask("core/a.py").allowed
    version = world.context.store.version()
    assert two.ask("core/a.py").allowed
    assert world.context.store.version() == version


def test_a_lease_taken_elsewhere_needs_a_fresh_base_too(world: Any) -> None:
    """Also who got its lease by asking for it, or in its turn, does not begin on what is over."""
    one, two = launched(world), launched(world, "a2")
    one.write("core/a.py", "a = 2\n")
    world.land("a1")
    world.lock("a2", "core/a.py")
    assert "changed since" in two.ask("core/a.py").reason
    assert two.ask("core/a.py").allowed


def test_a_base_that_does_not_merge_is_told_with_its_remedy(world: Any) -> None:
    """Nothing is moved under the agent's hands; it resolves in its own worktree."""
    one, two = launched(world), launched(world, "a2")
    two.write("core/a.py", "a = 3\n\n\nz = 1\n")
    leases.release(world.context, agent="a2")
    one.write("core/a.py", "a = 2\n\n\nz = 1\n")
    world.land("a1")
    ruling = two.ask("core/a.py")
    assert "does not merge" in ruling.reason
    assert "git merge" in ruling.reason
    assert (two.cwd / "core/a.py").read_text() == "a = 3\n\n\nz = 1\n"
    subprocess.run(["git", "merge", world.branch("core")], cwd=two.cwd, check=False, capture_output=True)
    assert "changed since you read it" in two.ask("core/a.py").reason
    assert two.write("core/a.py", "a = 4\n").allowed
    world.git("commit", "-qam", "resolved", at=two.cwd)
    assert two.write("core/a.py", "a = 5\n").allowed


def test_a_persons_checkout_is_not_written(world: Any) -> None:
    """Its owner takes what landed; what landed out of this very checkout is there already."""
    one, mine, other = launched(world), person(world), person(world, "another")
    one.write("core/a.py", "a = 2\n")
    world.land("a1")
    ruling = mine.ask("core/a.py")
    assert f"pucs sync --agent {mine.name()}" in ruling.reason
    assert (world.root / "core/a.py").read_text().startswith("a = 1")
    assert other.write("core/b.py", "b = 2\n").allowed
    world.land(other.name())
    assert mine.ask("core/b.py").allowed


def test_a_file_that_changed_since_it_was_read_is_denied_once(world: Any) -> None:
    """The agent reads again; what it never read, and what it wrote itself, it may edit."""
    one = launched(world)
    one.call(Moment.AFTER, reads=("core/a.py", "core/no such file", "/etc/passwd", "\0"))
    (one.cwd / "core/a.py").write_text("other\n")
    ruling = one.ask("core/a.py")
    assert not ruling.allowed
    assert "core/a.py changed since you read it" in ruling.reason
    assert world.held("a1") == []
    one.call(Moment.AFTER, reads=("core/a.py",))
    assert one.write("core/a.py", "more\n").allowed
    assert one.write("core/a.py", "and more\n").allowed
    (one.cwd / "core/a.py").write_text("other again\n")
    assert not one.ask("core/a.py").allowed
    assert one.ask("core/a.py").allowed


def test_a_large_file_is_told_by_its_size_and_time(world: Any) -> None:
    """A hundred megabytes are neither read into memory nor an error."""
    one = launched(world)
    with (one.cwd / "core/big.bin").open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    one.call(Moment.AFTER, reads=("core/big.bin",))
    assert one.ask("core/big.bin").allowed
    (one.cwd / "core/big.bin").write_bytes(b"small")
    assert "changed since" in one.ask("core/big.bin").reason


def test_unlanded_work_of_another_is_kept_before_it_is_written_over(world: Any) -> None:
    """Two persons' agents share a checkout: the second is told what the first left, and nothing of it is lost."""
    first, second = person(world), person(world, "second one")
    first.write("core/a.py", "of the first\n")
    world.clock.pass_s(7300.0)
    ruling = second.write("core/a.py", "of the second\n")
    assert ruling.allowed
    assert f"unlanded changes of {first.name()}" in ruling.context
    kept = salvaging.salvages(world.context)
    assert [(one.agent, one.paths) for one in kept] == [(first.name(), ("core/a.py",))]
    assert world.git("show", f"{kept[0].ref}:core/a.py") == "of the first"
    assert second.ask("core/a.py").context == ""
    assert len(salvaging.salvages(world.context)) == 1


# Shell ----------------------------------------------------------------------------------------------------------


def test_a_command_that_seems_to_write_a_held_file_is_denied(world: Any) -> None:
    """A free file is leased on suspicion, and what cannot be a file of the repository is let pass."""
    one, two = launched(world), launched(world, "a2")
    one.write("core/a.py")
    assert "core/a.py is held by a1" in two.shell("sed -i s/1/2/ core/a.py").reason
    assert two.shell("cat core/a.py; sed -i s/1/2/ core/b.py > /tmp/out 2>&1").allowed
    assert world.held("a2") == ["core/b.py"]
    assert two.shell("echo x > 'a\x01b' && make -j").allowed
    assert two.shell("rm -rf build && mkdir -p build").allowed


def test_git_that_reaches_beyond_the_worktree_is_denied(world: Any, tmp_path: Path) -> None:
    """A launched agent commits and looks; a person's may do all but destroy the branches that work is on."""
    one, mine = launched(world), person(world)
    assert one.shell("git add -A && git commit -m work && git log --oneline").allowed
    for command in ("git push origin HEAD", "git stash", "git switch main", "cd core && git gc"):
        ruling = one.shell(command)
        assert not ruling.allowed, command
        assert "is not for an agent" in ruling.reason
    assert one.shell(f"git -C {tmp_path} gc").allowed
    assert one.shell(f"git -C {world.root} log main").allowed
    assert "is not your checkout" in one.shell(f"cd {world.root} && git commit -am x").reason
    assert mine.shell("git push --force origin main && git stash && git branch -D mine").allowed
    for name in (agent(world, "a1").branch, world.branch("core"), "refs/pucs/salvage/S1/a1/1"):
        for command in (f"git update-ref -d {name}", f"git push -f origin {name}", f"git branch -D {name}"):
            assert "is a branch of PUCS" in mine.shell(command).reason


def test_undeclared_changes_of_a_command_take_late_leases(world: Any) -> None:
    """What really changed counts: free files are leased, others' are told about once."""
    one, two = launched(world), launched(world, "a2")
    one.write("core/a.py")
    for path in ("core/a.py", "core/b.py", "api/x.py"):
        (two.cwd / path).write_text("by a script\n")
    ruling = two.ran("make all")
    assert ruling.allowed
    assert "changed api/x.py core/a.py without a lease" in ruling.context
    assert "core/a.py is held by a1" in ruling.context
    assert "git checkout HEAD -- api/x.py core/a.py" in ruling.context
    assert world.held("a2") == ["core/b.py"]
    assert two.ran("make all").context == ""
    (two.cwd / "core/c.py").write_text("by a server\n")
    assert two.call(Moment.AFTER, tool="TodoWrite") == Ruling()
    assert world.held("a2") == ["core/b.py"]
    two.call(Moment.AFTER, tool="mcp__files__write")
    assert world.held("a2") == ["core/b.py", "core/c.py"]
    assert not two.shell("sed -i s/1/2/ core/a.py").allowed
    assert not two.shell("git checkout main -- core/a.py").allowed
    assert two.shell("git checkout HEAD -- api/x.py core/a.py").allowed
    assert [entry.level for entry in entries(world, "undeclared change")] == [Level.CONFLICT, Level.INFO]


def test_a_merge_that_goes_on_is_no_undeclared_change(world: Any) -> None:
    """What comes in by it is others' work, and is judged when it lands."""
    one, two = launched(world), launched(world, "a2")
    one.write("core/a.py", "a = 2\n")
    one.write("core/b.py", "b = 2\n")
    world.land("a1")
    world.git("merge", "-q", "--no-commit", "--no-ff", world.branch("core"), at=two.cwd)
    assert two.ran("git merge --no-commit").context == ""
    assert world.held("a2") == []


def test_symbols_beyond_the_leases_are_told_after_a_command(make_world: Any) -> None:
    """What a script does to a file that is held in parts is judged like an edit."""
    world = make_world({"core/a.py": PARTS})
    one = launched(world)
    world.lock("a1", "core/a.py::one")
    launched(world, "a2")
    world.lock("a2", "core/a.py::two")
    (one.cwd / "core/a.py").write_text(PARTS.replace("return 1", "return 11"))
    assert one.ran().context == ""
    (one.cwd / "core/a.py").write_text(PARTS.replace("return 2", "return 22"))
    assert "core/a.py::two is held by a2" in one.ran().context
    assert one.ran().context == ""


def test_in_a_persons_checkout_only_what_the_command_names_is_looked_at(world: Any) -> None:
    """The person's own changes there are the person's."""
    one, mine = launched(world), person(world)
    one.write("core/a.py")
    (world.root / "core/a.py").write_text("the person's\n")
    (world.root / "core/b.py").write_text("the person's\n")
    assert mine.ran("make").context == ""
    assert "core/a.py is held by a1" in mine.ran("sed -i s/1/2/ core/a.py").context
    assert mine.ran("sed -i s/1/2/ core/b.py").context == ""
    assert world.held(mine.name()) == ["core/b.py"]


def test_what_goes_wrong_is_told_in_words(world: Any) -> None:
    """Before an edit it denies, afterwards it lets pass."""
    one = launched(world)
    world.processes.kill(agent(world, "a1").owner)
    assert "is gone" in one.ask("core/a.py").reason
    assert one.ran().allowed


def test_reading_is_never_denied(world: Any, tmp_path: Path) -> None:
    """Whatever a program reads, and wherever it works: nothing is changed by it."""
    one = launched(world)
    (one.cwd / "core/far.py").symlink_to(tmp_path)
    (one.cwd / "core/dir.py").mkdir()
    names = ("core/far.py", "core/dir.py", "core/a.py/b", "a\0b", "../../..", "x" * 5000, ".git/config", "")
    for moment in (Moment.BEFORE, Moment.AFTER):
        assert one.call(moment, reads=names) == Ruling()
    one.cwd = Path("relative")
    assert one.call(Moment.BEFORE, reads=("core/a.py",)).allowed
    assert "is not a path" in one.ask("core/a.py").reason
    one.cwd = tmp_path / "gone"
    assert one.ask("core/a.py") == Ruling()


def test_a_conversation_that_is_over_leaves_no_sights(world: Any) -> None:
    """What a person's agent saw is forgotten with its conversation; a launched one may be taken up again."""
    one, mine = launched(world), person(world)
    for each in (one, mine):
        each.call(Moment.AFTER, reads=("core/a.py",))
        each.call(Moment.END)
    persons = mine.name()
    with world.context.store.read() as tx:
        assert tx.sights.get("a1", "core/a.py")
        assert not tx.sights.get(persons, "core/a.py")
    agents.retire(world.context, agent="a1")
    with world.context.store.read() as tx:
        assert not tx.sights.get("a1", "core/a.py")


def test_an_agent_that_ended_begins_anew_with_its_conversation(world: Any) -> None:
    """A person's conversation that is taken up again after its agent was retired is the same agent once more."""
    mine = person(world)
    mine.write("core/a.py")
    agents.retire(world.context, agent=mine.name())
    assert mine.ask("core/b.py").allowed
    assert agent(world, mine.name()).incarnation == 2


def test_moments_without_edits_pass(world: Any) -> None:
    """Each moment is answered, also for an agent that holds nothing."""
    one = launched(world)
    for moment in Moment:
        assert one.call(moment).allowed, moment
