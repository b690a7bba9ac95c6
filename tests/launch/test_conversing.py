"""Attempts of an agent program: told its task, held to the locks, suspended, resumed, corrected, and landed."""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pucs.agents.records import Agent, Enforcement
from pucs.coordinator import agents as registry
from pucs.coordinator import landing, leases, pausing, spending
from pucs.core.errors import GitError
from pucs.hooks import place
from pucs.launch import events, launched
from pucs.launch.programs import Brief, Found, Launch
from pucs.launch.programs.claude import Claude
from pucs.launch.settings import RunResult
from pucs.streams.settings import AgentSettings
from pucs.tasks.records import Task
from pucs.testing.hook_agent import shim
from pucs.wiring import mark_active
from tests.launch.conftest import Line, is_gone
from tests.launch.scenes import CONFIGURATION, Scene, task

pytestmark = [pytest.mark.process, pytest.mark.git]


class Unresumable(Claude):
    """Claude Code, if its conversations could not be taken up again."""

    resumable = False

    def look(self, environment: Any, executable: str = "") -> Found:
        """It is there."""
        return super().look(environment, executable)


class Talks:
    """Runs of a scripted program over a session."""

    def __init__(self, scene: Scene, root: Path, line: Line) -> None:
        """Put the program on the search path and mark the session for its hooks."""
        self.scene = scene
        self.line = line
        self.root = root
        self.plan = root / "plan.json"
        shim(root / "bin", plan=self.plan)
        (root / "home").mkdir()
        mark_active(scene.context)
        scene.configure(replace(CONFIGURATION, agents=AgentSettings(attempts=1, timeout_s=30.0)))
        scene.settings = replace(
            scene.settings,
            program="claude",
            programs={"claude": Claude()},
            hook=(str(place()),),
            environment={
                **scene.settings.environment,
                "PATH": f"{root / 'bin'}:{os.environ['PATH']}",
                "HOME": str(root / "home"),
                "GIT_CONFIG_GLOBAL": os.environ.get("GIT_CONFIG_GLOBAL", ""),
            },
        )

    def __call__(
        self, plan: object, *tasks: Task, hear: Callable[[events.Event], None] | None = None
    ) -> RunResult:
        """Run tasks with what the program does in each, by the words of its prompt."""
        self.plan.write_text(json.dumps(plan))
        self.scene.tasks(*tasks)
        return self.scene.supervisor(hear).run()

    def log(self, task: str = "t1", agent: str = "core-agent-1") -> str:
        """Return the readable transcript of a first attempt."""
        return (self.scene.outputs / f"{task}.1.{agent}.log").read_text()

    def agent(self, name: str = "core-agent-1") -> Agent:
        """Return an agent as it stands."""
        (found,) = (one for one in registry.agents(self.scene.context) if one.id == name)
        return found


@pytest.fixture
def talks(scene: Scene, tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch) -> Talks:
    """A session with a scripted program, looked after often."""
    monkeypatch.setattr("pucs.launch.pulse.LOOK_S", 0.05)
    return Talks(scene, tmp_path, line)


def asked(name: str, prompt: str = "Do it.", **more: object) -> Task:
    """Make a task with a prompt and no declared files."""
    return task(name, "", **{"prompt": prompt, "files": (), **more})  # type: ignore[arg-type]


def test_edits_of_a_program_are_held_to_the_locks_and_landed(talks: Talks) -> None:
    """It is told its task, its first edit takes the lease, its end of turn is the landing; what it took is known."""
    during: list[Agent] = []
    plan = [{"edit": "core/a.txt", "old": "a", "new": "mine"}, {"text": "Done."}]

    def hear(event: events.Event) -> None:
        if isinstance(event, events.TaskDone):
            during.append(talks.agent())

    result = talks([{"read": "core/a.txt"}, *plan], asked("t1"), hear=hear)
    assert result.exit_status == 0, talks.log()
    assert talks.scene.landed("core", "core/a.txt") == "mine\n"
    log = talks.log()
    assert "Do it." in log
    assert "> Edit " in log
    assert spending.totals(talks.scene.context).all.cost_usd == pytest.approx(0.003)
    (started,) = talks.scene.heard(events.CommandStarted)
    assert isinstance(started, events.CommandStarted)
    assert started.program == "claude"
    assert (talks.agent().program, talks.agent().enforcement) == ("command", Enforcement.CHECKED)
    assert not list(talks.scene.outputs.glob("*.launch")), "settings with its secret are gone"


@pytest.mark.slow
def test_waiting_costs_no_process(talks: Talks) -> None:
    """Who is denied a file ends its turn, sleeps without a process, and builds on what landed meanwhile."""
    context = talks.scene.context
    assert leases.acquire(context, agent="alice", resources=("core/a.txt",)).granted
    pids: list[bool] = []

    def hear(event: events.Event) -> None:
        if isinstance(event, events.AgentSuspended):
            pids.append(is_gone(int((talks.root / "pid").read_text())))
            leases.release(context, agent="alice")

    plan = [
        {"write": "core/other.txt", "text": "mine\n"},
        {"shell": f'python3 -c \'import os; open("{talks.root}/pid", "w").write(str(os.getppid()))\''},
        {"read": "core/a.txt"},
        {"edit": "core/a.txt", "old": "a", "new": "b", "expect_denied": "held by alice"},
        {"text": "I come back."},
        {"if_saw": "It is your turn: core/a.txt is yours now.", "then": [{"read": "core/a.txt"}], "else": []},
        {"edit": "core/a.txt", "old": "a", "new": "b"},
        {"text": "Done."},
    ]
    result = talks(plan, asked("t1"), hear=hear)
    assert result.exit_status == 0, talks.log()
    assert pids == [True]
    assert talks.scene.landed("core", "core/a.txt") == "b\n"
    assert talks.scene.landed("core", "core/other.txt") == "mine\n"
    (resumed,) = talks.scene.heard(events.AgentResumed)
    assert isinstance(resumed, events.AgentResumed)
    assert resumed.resources == ("core/a.txt",)


def test_program_whose_hooks_do_not_call_in_is_not_let_loose(talks: Talks) -> None:
    """A broken hook is no licence: the program is stopped before it is told anything."""
    talks.scene.settings = replace(talks.scene.settings, hook=("/no/such/pucs-hook",))
    result = talks([{"write": "core/new.txt", "text": "x"}, {"text": "Done."}], asked("t1"))
    (failed,) = result.failed
    assert "its hooks did not call in" in failed.result
    assert failed.salvage == ""
    assert "> Write" not in talks.log()


@pytest.mark.slow
def test_silent_program_is_stopped_when_its_hook_is_overdue(
    talks: Talks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that runs without ever asking is not waited for."""
    monkeypatch.setattr(launched, "CALL_IN_S", 0.3)

    class Silent(Claude):
        def launch(self, brief: Brief) -> Launch:
            return replace(super().launch(brief), argv=("cat",))

    talks.scene.settings = replace(talks.scene.settings, programs={"claude": Silent()})
    (failed,) = talks([], asked("t1")).failed
    assert "its hooks did not call in within 0.3 s" in failed.result


@pytest.mark.slow
@pytest.mark.parametrize("resumable", [True, False])
def test_refused_landing_is_told_to_the_program(
    talks: Talks, monkeypatch: pytest.MonkeyPatch, *, resumable: bool
) -> None:
    """It gets the reason and another turn, twice at most; one that cannot be taken up again begins anew."""
    refused = [2]
    real = landing.land

    def land(*args: object, **more: object) -> landing.Landed | landing.NotLanded:
        refused[0] -= 1
        if refused[0] == 1:
            raise GitError("The commit hook said no.")
        if refused[0] == 0:
            return landing.NotLanded(reason="tests", message="Nothing was tested.", remedy="Test it.")
        return real(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(landing, "land", land)
    monkeypatch.setattr("pucs.launch.attempts.checks.run_tests", _no_tests)
    program = Claude() if resumable else Unresumable()
    talks.scene.settings = replace(talks.scene.settings, programs={"claude": program})
    plan = [
        {"write": "core/new.txt", "text": "x\n"},
        {"text": "Done."},
        {"text": "Better."},
        {"text": "Best."},
    ]
    result = talks(plan, asked("t1"))
    assert result.exit_status == 0, talks.log()
    log = talks.log()
    assert "Your work could not be landed: The commit hook said no." in log
    assert "Make them pass." in log
    assert log.count("Do it.") == (1 if resumable else 3)
    assert log.count("You began this task before") == (0 if resumable else 2)
    assert talks.scene.landed("core", "core/new.txt") == "x\n"


def _no_tests(*_: object, **__: object) -> Any:
    class Run:
        class result:  # noqa: N801 - an enum's place
            value = "failed"

        output = "1 failed"

    return Run


@pytest.mark.slow
def test_program_that_cannot_put_it_right_fails(talks: Talks, monkeypatch: pytest.MonkeyPatch) -> None:
    """After two chances the attempt has failed, and the work is kept."""
    no = landing.NotLanded(reason="refused", message="Never.", remedy="Try again.")
    monkeypatch.setattr(landing, "land", lambda *_, **__: no)
    (failed,) = talks([{"write": "core/new.txt", "text": "x\n"}], asked("t1")).failed
    assert failed.result == "Never."
    assert talks.scene.git("show", f"{failed.salvage}:core/new.txt") == "x\n"
    assert talks.log().count("could not be landed") == 2


@pytest.mark.slow
def test_paused_program_is_interrupted_and_goes_on_later(talks: Talks) -> None:
    """A pause ends the turn and the process; the conversation goes on when the agent is resumed."""
    context = talks.scene.context
    talks.line.beside("never")

    def pause() -> None:
        talks.line.next()
        pausing.pause(context, agent="core-agent-1", by="me")

    def hear(event: events.Event) -> None:
        if isinstance(event, events.CommandStarted):
            pauser.start()

    def resume() -> None:
        pauser.join()
        while "interrupted" not in talks.log():
            threading.Event().wait(0.02)
        pausing.resume(context, agent="core-agent-1", by="me")

    pauser, resumer = threading.Thread(target=pause), threading.Thread(target=resume)
    resumer_started = threading.Event()

    def hear_all(event: events.Event) -> None:
        hear(event)
        if isinstance(event, events.CommandStarted) and not resumer_started.is_set():
            resumer_started.set()
            resumer.start()

    plan = [
        {"shell": f"echo up > {talks.line.path}; cat {talks.line.path}.never"},
        {"if_saw": "Go on with your task", "then": [{"write": "core/new.txt", "text": "x\n"}], "else": []},
        {"text": "Done."},
    ]
    result = talks(plan, asked("t1"), hear=hear_all)
    resumer.join()
    assert result.exit_status == 0, talks.log()
    assert talks.scene.landed("core", "core/new.txt") == "x\n"
    assert talks.log().count("claude is told") == 2


@pytest.mark.slow
def test_terminated_and_stopped_programs_end_at_once(talks: Talks) -> None:
    """TERMINATE and Ctrl-C end the process and keep the work; the task goes back."""
    talks.line.beside("never")
    held = {"shell": f"echo $$ > {talks.line.path}; cat {talks.line.path}.never"}
    pids: list[int] = []

    def end() -> None:
        pids.append(talks.line.pid())
        supervisor.stop()

    talks.plan.write_text(json.dumps([{"write": "core/new.txt", "text": "x\n"}, held]))
    talks.scene.tasks(asked("t1"))
    supervisor = talks.scene.supervisor()
    ender = threading.Thread(target=end)
    ender.start()
    result = supervisor.run()
    ender.join()
    assert result.interrupted
    assert all(map(is_gone, pids))
    (back,) = result.unfinished
    assert talks.scene.git("show", f"{back.salvage}:core/new.txt") == "x\n"


@pytest.mark.slow
def test_broken_model_fails_the_attempt_with_its_words(talks: Talks) -> None:
    """What Claude Code says about its model is the reason of the failure."""
    (failed,) = talks([{"fail": 529}], asked("t1")).failed
    assert "the model's server answers overloaded (529), 8 times" in failed.result


@pytest.mark.slow
def test_program_that_dies_fails_with_what_it_printed(talks: Talks) -> None:
    """A crash in the middle is an exit status and its last words."""
    plan = [{"shell": "kill -9 $PPID"}, {"text": "never"}]
    (failed,) = talks(plan, asked("t1")).failed
    assert f"claude: killed by {signal.SIGKILL.name}" in failed.result


@pytest.mark.slow
def test_who_holds_what_others_want_lands_it_before_it_sleeps(talks: Talks) -> None:
    """Nobody waits for a sleeper: what it did so far lands when it is suspended, and it is told so."""
    context = talks.scene.context
    assert leases.acquire(context, agent="bob", resources=("core/b.txt",)).granted
    got: list[bool] = []

    def wait_for_it() -> None:
        assert talks.line.next() == "held"
        answer = leases.acquire(context, agent="alice", resources=("core/a.txt",), wait_s=20)
        got.append(answer.granted)
        leases.release(context, agent="bob")

    alice = threading.Thread(target=wait_for_it)
    alice.start()
    queued = f"{sys.executable} -m pucs queue core/a.txt --json | grep -q alice"
    plan = [
        {"read": "core/a.txt"},
        {"edit": "core/a.txt", "old": "a", "new": "one"},
        {"shell": f"echo held > {talks.line.path}; until {queued}; do sleep 0.1; done"},
        {"write": "core/b.txt", "text": "one\n", "expect_denied": "held by bob"},
        {"text": "I come back."},
        {"write": "core/b.txt", "text": "two\n"},
        {"text": "Done."},
    ]
    result = talks(plan, asked("t1"))
    alice.join()
    assert result.exit_status == 0, talks.log()
    assert got == [True]
    assert talks.scene.landed("core", "core/a.txt") == "one\n"
    assert talks.scene.landed("core", "core/b.txt") == "two\n"
    assert "What you did so far has landed, because others waited for it: alice (landed 1 file" in talks.log()


@pytest.mark.slow
def test_circle_is_left_by_landing(talks: Talks) -> None:
    """Two programs want each other's file: the second is refused, lands what it has, and both are done in the end."""
    line = talks.line
    for name in ("one", "two", "three"):
        line.beside(name)
    again = [{"read": "core/a.txt"}, {"write": "core/a.txt", "text": "two\n"}]
    first = [
        {"write": "core/a.txt", "text": "one\n"},
        {"shell": f"echo go > {line.path}.one; read x < {line.path}.two"},
        {"write": "core/b.txt", "text": "one\n", "expect_denied": "held by"},
        {"shell": f"echo go > {line.path}.three"},
        {"text": "I come back."},
        {"write": "core/c.txt", "text": "one\n"},
        {"text": "Done."},
    ]
    second = [
        {"write": "core/b.txt", "text": "two\n"},
        {"shell": f"read x < {line.path}.one; echo go > {line.path}.two; read x < {line.path}.three"},
        {"write": "core/a.txt", "text": "two\n", "expect_denied": "Nobody in this circle could go on"},
        {"text": "I cannot go on."},
        *again,
        {"if_saw": "hook error", "then": [{"text": "I come back."}, *again], "else": []},
        {"if_saw": "hook error", "then": again, "else": []},
        {"text": "Done."},
    ]
    result = talks(
        {"Be first": first, "Be second": second},
        asked("t1", "Be first"),
        asked("t2", "Be second"),
    )
    said = "\n".join(path.read_text() for path in talks.scene.outputs.glob("*.log"))
    assert result.exit_status == 0, said
    assert "What you did so far has landed (landed 1 file" in said
    assert talks.scene.landed("core", "core/a.txt") == "two\n", said
    assert talks.scene.landed("core", "core/b.txt") == "two\n"
    assert talks.scene.landed("core", "core/c.txt") == "one\n"


WAITING = [
    {"write": "core/mine.txt", "text": "mine\n"},
    {"write": "core/a.txt", "text": "b\n", "expect_denied": "held by alice"},
    {"text": "I come back."},
    {"text": "Then not."},
]
"""A program that ends its turn without what it wanted."""


@pytest.mark.slow
def test_wait_in_vain_fails_the_attempt(talks: Talks) -> None:
    """Nobody sleeps for ever: after the longest wait in the queue the attempt has failed, and its work is kept."""
    scene = talks.scene
    agents = AgentSettings(attempts=1, timeout_s=30.0)
    limits = replace(CONFIGURATION.limits, queue_timeout_s=0.3)
    scene.configure(replace(CONFIGURATION, limits=limits, agents=agents))
    assert leases.acquire(scene.context, agent="alice", resources=("core/a.txt",)).granted

    def hear(event: events.Event) -> None:
        if isinstance(event, events.AgentStarted):  # so that its place in the queue outlives its turn
            scene.configure(replace(CONFIGURATION, agents=agents))

    (failed,) = talks(WAITING, asked("t1"), hear=hear).failed
    assert "for core/a.txt in vain" in failed.result
    assert scene.git("show", f"{failed.salvage}:core/mine.txt") == "mine\n"
    with scene.context.store.read() as tx:
        assert tx.requests.waiting() == []


@pytest.mark.slow
def test_sleeper_that_is_terminated_leaves_the_queue(talks: Talks) -> None:
    """An order reaches an agent that has no process: it ends, its place in the queue is free, its work is kept."""
    context = talks.scene.context
    assert leases.acquire(context, agent="alice", resources=("core/a.txt",)).granted

    def hear(event: events.Event) -> None:
        if isinstance(event, events.AgentSuspended):
            pausing.terminate(context, agent="core-agent-1", by="me")
            supervisor.stop()

    talks.plan.write_text(json.dumps(WAITING))
    talks.scene.tasks(asked("t1"))
    supervisor = talks.scene.supervisor(hear)
    (back,) = supervisor.run().unfinished
    assert talks.scene.git("show", f"{back.salvage}:core/mine.txt") == "mine\n"
    with context.store.read() as tx:
        assert tx.requests.waiting() == []
