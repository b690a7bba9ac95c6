"""What becomes of an attempt: its verdict in words, its leases while it runs, its landing against others."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs.coordinator import agents as registry
from pucs.coordinator import landing, leases
from pucs.core.errors import Refused, StoreBusy
from pucs.launch import pulse, verdicts
from pucs.launch.agents import Ending, Outcome
from pucs.launch.pulse import Pulse
from pucs.testing.fakes import FakeClock
from tests.launch.conftest import Line
from tests.launch.scenes import Scene, task

pytestmark = [pytest.mark.process, pytest.mark.git]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome(ending=Ending.EXITED, code=1, tail="one\n\n two \n\n"), "exit 1: two"),
        (Outcome(ending=Ending.EXITED, code=2), "exit 2"),
        (Outcome(ending=Ending.EXITED, code=137, tail="Killed\n"), "exit 137 (SIGKILL): Killed"),
        (Outcome(ending=Ending.EXITED, code=127), "command not found (exit 127)"),
        (Outcome(ending=Ending.EXITED, signal=9), "killed by SIGKILL"),
        (Outcome(ending=Ending.EXITED, signal=40), "killed by signal 40"),
        (Outcome(ending=Ending.TIMED_OUT, signal=15), "timed out after 60 s"),
        (Outcome(ending=Ending.LOST, error="The keeper was killed."), "The keeper was killed."),
        (Outcome(ending=Ending.EXITED, code=1, tail="\x1b[31mred\x07"), "exit 1: \ufffd[31mred\ufffd"),
        (
            Outcome(ending=Ending.EXITED, code=1, tail="x" * 4096),
            "exit 1: " + "x" * verdicts.REASON_LENGTH_MAX,
        ),
    ],
)
def test_failure_in_one_line(outcome: Outcome, said: str) -> None:
    """A reason is short, printable and names what the command said last."""
    assert verdicts.explained(outcome, 60.0) == said


def test_words_of_a_program_are_one_bounded_line() -> None:
    """What a program says about its failure goes into the task's record, the log and the next agent's context."""
    assert verdicts.one_line("no\n\n  such\tmodel\x1b[2J") == "no such model\ufffd[2J"
    assert len(verdicts.one_line("x" * 10**7)) == verdicts.REASON_LENGTH_MAX


class Beats:
    """A pulse over a scripted store."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let heartbeats answer with ``held`` or fail with ``error``."""
        self.clock = FakeClock()
        self.held: list[str] = []
        self.error: Exception | None = None
        monkeypatch.setattr(registry, "heartbeat", self._heartbeat)
        self.pulse = Pulse(self, "a", 60.0)  # type: ignore[arg-type]

    def _heartbeat(self, _context: object, *, agent: str) -> list[str]:
        assert agent == "a"
        if self.error:
            raise self.error
        return self.held


def test_heartbeats_are_three_in_a_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """One heartbeat may fail, and people see one at least every thirty seconds."""
    assert Beats(monkeypatch).pulse.pause_s == 20.0
    assert Pulse(Beats(monkeypatch), "a", 3600.0).pause_s == 30.0  # type: ignore[arg-type]


def test_busy_store_is_survived_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command is not stopped for one failed heartbeat, but before its leases can have ended unseen."""
    beats = Beats(monkeypatch)
    beats.error = StoreBusy("The gate is held.")
    beats.pulse.beat()
    beats.clock.pass_s(29)
    beats.pulse.beat()
    beats.error = None
    beats.pulse.beat()
    beats.error = StoreBusy("The gate is held.")
    beats.clock.pass_s(29)
    beats.pulse.beat()
    beats.clock.pass_s(31)
    with pytest.raises(StoreBusy):
        beats.pulse.beat()


def test_lost_lease_stops_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work under a lease that has ended would only be parked."""
    beats = Beats(monkeypatch)
    beats.held = ["a", "b"]
    beats.pulse.beat(("a", "b"))
    beats.held = ["a"]
    with pytest.raises(Refused, match="lost its lease on b"):
        beats.pulse.beat(("a", "b"))


@pytest.mark.slow
def test_agent_ended_by_somebody_is_stopped(
    scene: Scene, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator ends an agent: its command is stopped, and another agent does the task."""
    monkeypatch.setattr(pulse, "HEARTBEAT_S_MAX", 0.05)
    line.beside("never")
    scene.tasks(
        task("t1", '[ "$PUCS_ATTEMPT" = 1 ] || exit 0; echo $PUCS_AGENT > $LINE; read x < $LINE.never')
    )
    operator = threading.Thread(target=lambda: registry.retire(scene.context, agent=line.next(), failed=True))
    operator.start()
    monkeypatch.setattr("pucs.launch.supervisor.RECOVER_S", 0.1)
    result = scene.supervisor().run()
    operator.join()
    assert [one.state.value for one in result.tasks] == ["done"], scene.said


def test_undeclared_change_of_a_held_file_is_parked(scene: Scene) -> None:
    """What may land lands; the rest is kept and named in the result."""
    assert leases.acquire(scene.context, agent="alice", resources=("core/a.txt",)).granted
    command = "echo mine >> core/a.txt; echo new > core/new.txt"
    result = scene.run(task("t1", command, files=("core/new.txt",)))
    (done,) = result.done
    assert "core/a.txt parked on refs/pucs/salvage/" in done.result
    assert scene.landed("core", "core/new.txt") == "new\n"
    assert scene.landed("core", "core/a.txt") == "a\n"


@pytest.mark.slow
def test_attempt_whose_every_change_is_parked_has_failed(scene: Scene) -> None:
    """Nothing landed, so the task is not done; the work is on the ref that landing made."""
    assert leases.acquire(scene.context, agent="alice", resources=("core/a.txt",)).granted
    result = scene.run(task("t1", "echo mine >> core/a.txt", files=()))
    (failed,) = result.failed
    assert scene.git("show", f"{failed.salvage}:core/a.txt") == "a\nmine\n"


def refusing(reason: str, times: int) -> Callable[..., landing.Landed | landing.NotLanded]:
    """Return a ``land`` that does not land so many times."""
    left = [times]
    real = landing.land

    def land(*args: object, **more: object) -> landing.Landed | landing.NotLanded:
        left[0] -= 1
        if left[0] >= 0:
            return landing.NotLanded(reason=reason, message="Others landed first.", remedy="Sync.")
        return real(*args, **more)  # type: ignore[arg-type]

    return land


@pytest.mark.slow
def test_landing_is_tried_again_after_others(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A landing that met others syncs and lands; one that never gets through fails and keeps the work."""
    monkeypatch.setattr(landing, "land", refusing("stale", 2))
    assert scene.run(task("t1", "echo 1 >> core/a.txt")).exit_status == 0, scene.said
    monkeypatch.setattr(landing, "land", refusing("busy", 1000))
    result = scene.run(task("t2", "echo 2 >> core/a.txt"))
    (failed,) = result.failed
    assert failed.result == "Others landed first."
    assert scene.git("show", f"{failed.salvage}:core/a.txt") == "a\n1\n2\n"


def test_file_limit_costs_the_output_only(scene: Scene, tmp_path: Path) -> None:
    """An output directory that cannot be written does not fail the task."""
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "t1.1.core-agent-1.log").mkdir()
    result = scene.run(task("t1", "echo hello; echo 1 >> core/a.txt"), output=str(tmp_path / "blocked"))
    assert result.exit_status == 0, scene.said
