"""Real Codex under our conversation: what it asks, what its model learns, and what its sandbox stops."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs.agents.calls import Call, Moment, Ruling
from pucs.agents.output import Broke, ChangedFile, ProgramEvent, Spent, TurnEnded, UsedTool
from pucs.launch.agents import Command, Keeper
from pucs.launch.programs import Brief
from pucs.launch.programs.codex import Codex
from pucs.launch.programs.codex_talk import CodexTalk
from pucs.launch.talk import Talk
from pucs.launch.transcript import Transcript
from tests.clients.stage import Stage

EDIT = {"edit": "a.py", "old": "a = 1", "new": "a = 2"}
HELD = Ruling(allowed=False, reason="a.py is held by agent-2 until 14:05.")


class Codexes:
    """A repository, and Codexes that work in it one after the other."""

    def __init__(self, stage: Stage, root: Path) -> None:
        self.stage = stage
        self.root = root
        self.calls: list[Call] = []
        self.events: list[ProgramEvent] = []
        self.talk: CodexTalk

    def work(
        self,
        decide: Callable[[Call], Ruling | None] = lambda _: None,
        *,
        conversation: str = "",
        environment: dict[str, str] | None = None,
        heard: Callable[[ProgramEvent], None] = lambda _: None,
    ) -> ProgramEvent:
        """Launch one, through the keeper, until its turn has ended; return how it ended."""
        environment = environment or self.stage.environment("x")
        self.calls.clear()
        self.events.clear()

        def decided(call: Call) -> Ruling:
            self.calls.append(call)
            return decide(call) or Ruling()

        def told(event: ProgramEvent) -> None:
            self.events.append(event)
            heard(event)

        brief = Brief(
            agent="me",
            secret="s",
            worktree=str(self.root),
            prompt="Begin." if not conversation else "Go on.",
            conversation=conversation,
            directory=str(self.stage.root),
            decide=decided,
            environment=environment,
        )
        launch = Codex().launch(brief)
        assert isinstance(launch.conversation, CodexTalk)
        self.talk = launch.conversation
        said, wire = (str(self.stage.root / name) for name in ("said", "wire"))
        transcript = Transcript(said, wire, 10_000_000)
        keeper = Keeper()
        command = Command(
            argv=launch.argv,
            cwd=str(self.root),
            env={**environment, **launch.env},
            output=str(self.stage.root / "err"),
            timeout_s=45,
        )
        keeper.run(command, talk=Talk(launch.conversation, transcript, told))
        keeper.close()
        ends = [event for event in self.events if isinstance(event, TurnEnded | Broke)]
        assert len(ends) == 1, (self.events, (self.stage.root / "err").read_text())
        return ends[0]

    def model(self, *steps: object) -> None:
        """Say what the model does."""
        self.stage.models.script("x", list(steps))

    def saw(self) -> str:
        """Return all that the model was shown in its last request."""
        return self.stage.models.requests("x")[-1].text


@pytest.fixture
def codex(stage: Stage, make_repository: Callable[..., Path]) -> Codexes:
    """Return a repository with one file."""
    return Codexes(stage, make_repository(files={"a.py": "a = 1\n"}))


def before(ruling: Ruling) -> Callable[[Call], Ruling | None]:
    """Answer every question before an edit or a command alike."""
    return lambda call: ruling if call.moment is Moment.BEFORE else None


def test_version_is_the_tried_one(stage: Stage) -> None:
    """What the adapter says of itself is what is tested here."""
    found = Codex().look(stage.environment("x"))
    assert (found.version, found.problem, found.warning) == ("0.169.0", "", "")


def test_refused_patch_changes_nothing_and_the_model_learns_why(codex: Codexes) -> None:
    """The reason stands in the request that follows the refusal; the turn goes on."""
    codex.model(EDIT, {"if_saw": "held by agent-2 until 14:05", "then": [{"text": "I see."}], "else": []})
    assert codex.work(before(HELD)) == TurnEnded(text="I see.")
    assert (codex.root / "a.py").read_text() == "a = 1\n"
    (asked,) = [call for call in codex.calls if call.moment is Moment.BEFORE]
    assert [edit.path for edit in asked.edits] == [str(codex.root / "a.py")]


def test_allowed_patch_is_made_and_reported(codex: Codexes) -> None:
    """The file changes, the change is told, tokens are counted, messages reach the model on the way."""
    codex.model(EDIT, {"text": "Done."})
    assert codex.work(lambda call: Ruling(context=f"News at {call.moment}.")) is not None
    assert (codex.root / "a.py").read_text() == "a = 2\n"
    assert ChangedFile(str(codex.root / "a.py")) in codex.events
    assert any(isinstance(event, Spent) and event.output_tokens > 0 for event in codex.events)
    for moment in ("start", "before", "after"):
        assert f"PUCS: News at {moment}." in codex.saw()
    assert codex.talk.enforced


def test_shell_cannot_write_and_git_is_read_only(codex: Codexes) -> None:
    """Neither the file nor the repository changes, whatever the command is called; reading is free and unasked."""
    codex.model(
        {"shell": "sed -i s/1/9/ a.py"},
        {"shell": 'python3 -c \'open("a.py", "w")\''},
        {"shell": "git commit --allow-empty -m x"},
        {"shell": "git checkout -b other"},
        {"shell": "cat a.py"},
        {"text": "Done."},
    )
    head = git(codex.root, "rev-parse", "--abbrev-ref", "HEAD", "HEAD")
    codex.work()
    assert (codex.root / "a.py").read_text() == "a = 1\n"
    assert git(codex.root, "rev-parse", "--abbrev-ref", "HEAD", "HEAD") == head
    assert codex.saw().count("Read-only file system") >= 3
    assert Moment.BEFORE not in [call.moment for call in codex.calls]
    assert codex.calls[-2].reads == (str(codex.root / "a.py"),)


@pytest.mark.parametrize(("ruling", "content"), [(HELD, "a = 1\n"), (Ruling(), "a = 9\n")])
def test_command_out_of_the_sandbox_is_asked_for(codex: Codexes, ruling: Ruling, content: str) -> None:
    """It runs with all rights if it is allowed, not at all if it is not."""
    way_out = {"sandbox_permissions": "require_escalated", "justification": "I must."}
    codex.model(
        {"tool": "exec_command", "arguments": {"cmd": "sed -i s/1/9/ a.py", **way_out}}, {"text": "Done."}
    )
    codex.work(before(ruling))
    assert (codex.root / "a.py").read_text() == content
    (asked,) = [call for call in codex.calls if call.moment is Moment.BEFORE]
    assert [edit.path for edit in asked.edits] == ["a.py"]
    assert (HELD.reason in codex.saw()) is not ruling.allowed


def test_suspended_agent_is_taken_up_again_and_knows_why_it_stopped(codex: Codexes) -> None:
    """The turn ends at once; the next process goes on with the same thread, refusal and reason in its history."""
    codex.model(EDIT, EDIT, {"text": "Done."})
    suspend = Ruling(allowed=False, reason="You are 1st in line.", suspend=True)
    assert codex.work(before(suspend)) == TurnEnded(interrupted=True)
    assert (codex.root / "a.py").read_text() == "a = 1\n"
    conversation = codex.talk.id
    assert codex.work(conversation=conversation) == TurnEnded(text="Done.")
    assert codex.talk.id == conversation
    assert "You are 1st in line." in codex.saw()
    assert (codex.root / "a.py").read_text() == "a = 2\n"


def test_interrupt_ends_a_running_command(codex: Codexes) -> None:
    """The turn is over at once, and the process goes by itself."""
    codex.model({"shell": "sleep 600"}, {"text": "Never said."})

    def interrupt(event: ProgramEvent) -> None:
        if isinstance(event, UsedTool):
            codex.talk.interrupt()

    assert codex.work(heard=interrupt) == TurnEnded(interrupted=True)


def test_own_settings_cannot_weaken_it(codex: Codexes) -> None:
    """Neither a person's policy, nor their sandbox, nor their reviewer counts for a launched agent."""
    environment = codex.stage.environment("x")
    config = Path(environment["CODEX_HOME"], "config.toml")
    weak = (
        'approval_policy = "never"\nsandbox_mode = "danger-full-access"\napprovals_reviewer = "auto_review"\n'
    )
    config.write_text(weak + config.read_text())
    kept = config.read_text()
    codex.model(EDIT, {"shell": "echo x > a.py"}, {"text": "Done."})
    codex.work(before(HELD), environment=environment)
    assert (codex.root / "a.py").read_text() == "a = 1\n"
    assert HELD.reason in codex.saw()
    assert config.read_text() == kept


def test_patch_through_the_shell_is_a_patch(codex: Codexes) -> None:
    """A patch that is given to a shell command is asked for like any other."""
    patch = "*** Begin Patch\n*** Update File: a.py\n@@\n-a = 1\n+a = 9\n*** End Patch"
    codex.model({"shell": f"apply_patch <<'END'\n{patch}\nEND\n"}, {"text": "Done."})
    codex.work(before(HELD))
    assert (codex.root / "a.py").read_text() == "a = 1\n"
    assert "PUCS refused the patch of" in codex.saw()


@pytest.mark.parametrize("allowed", [False, True])
def test_tool_of_a_foreign_server_is_decided(codex: Codexes, *, allowed: bool) -> None:
    """A server of the person's own may write where it likes, so its tools are asked about."""
    server = codex.stage.root / "server.py"
    server.write_text(
        "from mcp.server import MCPServer\nfrom pathlib import Path\nserver = MCPServer('files')\n"
        "@server.tool()\ndef spoil() -> str:\n    'Spoil.'\n"
        f"    Path({str(codex.root / 'a.py')!r}).write_text('spoilt')\n    return 'spoilt'\n"
        "server.run('stdio')\n"
    )
    environment = codex.stage.environment("x")
    config = Path(environment["CODEX_HOME"], "config.toml")
    added = f'[mcp_servers.files]\ncommand = "{sys.executable}"\nargs = ["{server}"]\nrequired = true\n'
    config.write_text(config.read_text().replace("gpt-5.5", "gpt-5") + added)
    codex.model({"mcp": "spoil", "server": "files", "arguments": {}}, {"text": "Done."})
    codex.work(before(Ruling() if allowed else HELD), environment=environment)
    assert (codex.root / "a.py").read_text() == ("spoilt" if allowed else "a = 1\n")
    assert [call.tool for call in codex.calls if call.moment is Moment.BEFORE] == ["mcp__files__spoil"]
    assert "mcp__files__spoil" in [call.tool for call in codex.calls if call.moment is Moment.AFTER]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("not = [toml", "failed to load configuration"),
        ("", "Codex is not logged in. Run `codex login`"),
    ],
)
def test_unusable_settings_are_told(codex: Codexes, settings: str, told: str) -> None:
    """A broken file and a missing login end the attempt in words, before the model is asked."""
    codex.model({"text": "Never said."})
    environment = codex.stage.environment("x")
    Path(environment["CODEX_HOME"], "config.toml").write_text(settings)
    ended = codex.work(environment=environment)
    assert isinstance(ended, Broke)
    assert told in ended.reason
    assert codex.stage.models.requests("x") == ()


def test_model_in_trouble_is_told(codex: Codexes) -> None:
    """A key that is refused says what to do; a lost conversation names itself."""
    codex.model({"fail": 401})
    ended = codex.work()
    assert isinstance(ended, Broke)
    assert ended.reason.endswith("Run `codex login`.")
    lost = codex.work(conversation="01a1feab-b27a-7a12-bdad-000000000000")
    assert lost == Broke(
        "Codex could not take up conversation 01a1feab-b27a-7a12-bdad-000000000000 again: "
        "no rollout found for thread id 01a1feab-b27a-7a12-bdad-000000000000"
    )


def test_agent_that_may_not_stop_yet_goes_on(codex: Codexes) -> None:
    """A refused end is one turn more, with the reason."""
    codex.model({"text": "Done."}, {"text": "Released."})
    refused = Ruling(allowed=False, reason="a.py is still leased.")
    ended = codex.work(lambda call: refused if call.moment is Moment.STOP and not call.again else None)
    assert ended == TurnEnded(text="Released.")
    assert "PUCS: a.py is still leased." in codex.saw()


def git(place: Path, *words: str) -> str:
    """Return what git says."""
    return subprocess.run(["git", *words], cwd=place, capture_output=True, text=True, check=True).stdout
