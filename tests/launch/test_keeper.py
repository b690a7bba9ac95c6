"""The keeper: every command ends in a clear outcome, and nothing of its tree outlives that."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pucs.core.errors import EnvironmentFailure
from pucs.launch import agents, leftovers, processes
from pucs.launch.agents import Command, Ending, Keeper
from tests.launch.conftest import Line, is_gone, wait_gone

pytestmark = pytest.mark.process
Order = Callable[..., Command]

DAEMON = "setsid sh -c 'trap \"\" INT TERM HUP; echo $$ > $LINE; while :; do read x < $LINE.never; done' & "
"""A process that leaves session and group, ignores polite signals and, started in ``( )``, has no living parent."""


@pytest.fixture
def never(line: Line) -> Path:
    """A pipe nobody writes to, for commands that wait for ever without polling."""
    return line.beside("never")


def test_output_is_merged_kept_and_shown(keeper: Keeper, order: Order, tmp_path: Path) -> None:
    """Standard output and error arrive in one file, in order, with their end in the outcome."""
    outcome = keeper.run(order("echo one; echo two >&2; exit 3"))
    assert (outcome.ending, outcome.code, outcome.signal) == (Ending.EXITED, 3, None)
    assert outcome.tail == (tmp_path / "output").read_text() == "one\ntwo\n"
    assert (outcome.output_bytes, outcome.output_dropped, outcome.succeeded) == (8, 0, False)
    assert keeper.run(order("true")).succeeded


def test_missing_program_ends_with_127(keeper: Keeper, order: Order) -> None:
    """What a shell says about a missing command is also said of a missing program."""
    shell = keeper.run(order("no-such-program --at all"))
    direct = keeper.run(order("", argv=("no-such-program",)))
    assert shell.code == direct.code == 127
    assert "not found" in shell.tail
    assert direct.tail == "no-such-program: No such file or directory\n"
    assert keeper.run(order("", argv=("/etc/passwd",))).code == 126


def test_missing_directory_is_not_started(keeper: Keeper, order: Order, tmp_path: Path) -> None:
    """A worktree deleted by hand is said to be missing; the keeper serves on."""
    outcome = keeper.run(order("true", cwd=str(tmp_path / "gone")))
    assert outcome.ending is Ending.UNSTARTED
    assert "gone" in outcome.error
    assert keeper.run(order("true")).succeeded


def test_command_gets_a_clean_start(keeper: Keeper, order: Order) -> None:
    """No signal is ignored or blocked, no descriptor inherited, input empty, group its own, and it dies with us."""
    outcome = keeper.run(
        order(
            "cat; grep -E '^Sig(Ign|Blk)' /proc/self/status; ls /proc/self/fd | wc -l; "
            "cut -d' ' -f5 /proc/$$/stat; echo $$; echo $PUCS_LAUNCH"
        )
    )
    lines = outcome.tail.split()
    assert lines[:4] == ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16]
    assert lines[4] == "4", "0, 1, 2 and the directory that ls reads"
    assert lines[5] == lines[6]
    assert lines[7] == keeper.launch


def test_environment_may_hold_any_bytes(keeper: Keeper, order: Order) -> None:
    """Names and values outside UTF-8 arrive as they are."""
    value = os.fsdecode(b"caf\xe9 \xc3\xa9")
    outcome = keeper.run(
        order('printf %s "$ODD" | od -An -tx1', env={"PATH": os.environ["PATH"], "ODD": value})
    )
    assert outcome.tail.split() == ["63", "61", "66", "e9", "20", "c3", "a9"]


def test_hanging_command_times_out(keeper: Keeper, order: Order, line: Line, never: Path) -> None:
    """A command that ignores SIGINT and SIGTERM is killed with its whole tree, and it is known to be gone."""
    outcome = keeper.run(
        order(f"trap '' INT TERM; ({DAEMON}); echo $$ > $LINE; cat $LINE.never", timeout_s=0.2)
    )
    assert (outcome.ending, outcome.signal) == (Ending.TIMED_OUT, signal.SIGKILL)
    assert is_gone(int(line.next()))
    assert is_gone(int(line.next()))
    assert 0.5 < outcome.duration_s < 10, "the timeout and two pauses"


def test_polite_command_may_clean_up(keeper: Keeper, order: Order, line: Line, never: Path) -> None:
    """SIGINT comes first, so a program can save its work when it is stopped."""
    program = (
        "import os, signal\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})\n"
        "open(os.environ['LINE'], 'w').write('up\\n')\n"
        "signal.sigwait({signal.SIGINT})\n"
        "print('saved')\n"
    )

    def stop() -> None:
        line.next()
        keeper.stop()

    stopper = threading.Thread(target=stop)
    stopper.start()
    outcome = keeper.run(order("", argv=(sys.executable, "-ISc", program), stop_grace_s=10))
    stopper.join()
    assert (outcome.ending, outcome.code, outcome.tail) == (Ending.STOPPED, 0, "saved\n")


def test_second_stop_hurries(keeper: Keeper, order: Order, line: Line, never: Path) -> None:
    """A stop without grace cuts short a stop sequence that would take minutes."""

    def stop() -> None:
        line.next()
        keeper.stop()
        keeper.stop(grace_s=0)

    stopper = threading.Thread(target=stop)
    stopper.start()
    outcome = keeper.run(order("trap '' INT TERM; echo up > $LINE; cat $LINE.never", stop_grace_s=100))
    stopper.join()
    assert (outcome.ending, outcome.signal) == (Ending.STOPPED, signal.SIGKILL)
    assert outcome.duration_s < 10


def test_stopped_tree_answers_sigterm(keeper: Keeper, order: Order) -> None:
    """A command that suspended itself does not sit out the whole sequence."""
    outcome = keeper.run(order("kill -STOP $$", timeout_s=0.1))
    assert (outcome.ending, outcome.signal) == (Ending.TIMED_OUT, signal.SIGTERM)


def test_forked_daemon_is_stopped_before_the_end_is_told(
    keeper: Keeper, order: Order, line: Line, never: Path
) -> None:
    """A daemon left behind must not go on editing once its task counts as done."""
    outcome = keeper.run(order(f"({DAEMON}); read pid < $LINE; echo $pid > $LINE; exit 0"))
    assert outcome.succeeded
    assert is_gone(int(line.next()))


def test_straggler_may_finish(keeper: Keeper, order: Order) -> None:
    """What ends by itself moments after its command is not cut off."""
    assert keeper.run(order("(sleep 0.02; echo late) & echo early")).tail == "early\nlate\n"


def test_flood_of_output_is_capped(keeper: Keeper, order: Order, tmp_path: Path) -> None:
    """A command that writes far beyond the cap neither blocks nor fills the disk, and its end is still seen."""
    outcome = keeper.run(order("head -c 256M /dev/zero; echo the end", output_bytes_max=1000))
    assert outcome.succeeded
    assert outcome.output_bytes == (tmp_path / "output").stat().st_size == 1000
    assert outcome.output_dropped == 256 * 2**20 + 8 - 1000
    assert outcome.tail.endswith("the end\n")
    assert len(outcome.tail) == 4096


@pytest.mark.parametrize("place", ["/dev/full", "/proc/no-such-place/output"])
def test_full_disk_costs_the_output_only(keeper: Keeper, order: Order, place: str) -> None:
    """Output that cannot be written is reported; the command runs on."""
    outcome = keeper.run(order("echo one; echo two", output=place))
    assert outcome.succeeded
    assert (outcome.output_bytes, outcome.output_dropped, outcome.tail) == (0, 8, "one\ntwo\n")
    assert outcome.output_error


def test_supervisor_is_heard_while_waiting(keeper: Keeper, order: Order, line: Line, never: Path) -> None:
    """The time of a long command is used for heartbeats."""
    calls: list[int] = []

    def beat() -> None:
        calls.append(1)
        if len(calls) == 3:
            keeper.stop(grace_s=0)

    outcome = keeper.run(order("cat $LINE.never"), on_wait=beat, wait_s=0.01)
    assert outcome.ending is Ending.STOPPED
    assert len(calls) >= 3


def test_failure_while_waiting_stops_the_command(
    keeper: Keeper, order: Order, line: Line, never: Path
) -> None:
    """An error of the supervisor's own does not leave a command running."""

    def fail() -> None:
        raise EnvironmentFailure("The disk is gone.")

    with pytest.raises(EnvironmentFailure):
        keeper.run(order("echo $$ > $LINE; cat $LINE.never"), on_wait=fail, wait_s=0.1)
    assert is_gone(int(line.next()))
    assert keeper.run(order("true")).succeeded


def test_killed_keeper_is_lost_and_its_tree_ended(order: Order, line: Line, never: Path) -> None:
    """Nothing goes on after SIGKILL of the keeper, neither its child nor a daemon with another session."""
    keeper = Keeper()
    pids: list[int] = []

    def kill() -> None:
        pids.extend([line.pid(), line.pid()])
        os.kill(keeper.process.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    outcome = keeper.run(order(f"({DAEMON}); echo $$ > $LINE; cat $LINE.never"))
    killer.join()
    assert outcome.ending is Ending.LOST
    assert all(map(is_gone, pids))
    assert keeper.run(order("true")).ending is Ending.LOST
    assert keeper.close()


def test_leftovers_without_the_mark_are_known_by_their_session(order: Order, line: Line, never: Path) -> None:
    """A process with an empty environment is found as long as it stays in the keeper's session."""
    keeper = Keeper()
    pids: list[int] = []

    def kill() -> None:
        pids.append(line.pid())
        os.kill(keeper.process.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    script = f"echo $$ > {line.path}; read x < {never}"
    outcome = keeper.run(order(f"env -i sh -c '{script}' & cat {never}"))
    killer.join()
    assert outcome.ending is Ending.LOST
    assert all(map(is_gone, pids))
    assert keeper.close()


def test_terminated_keeper_ends_its_tree_first(order: Order, line: Line, never: Path) -> None:
    """SIGTERM means what the end of commands means."""
    keeper = Keeper()
    pids: list[int] = []

    def terminate() -> None:
        pids.append(line.pid())
        os.kill(keeper.process.pid, signal.SIGTERM)

    killer = threading.Thread(target=terminate)
    killer.start()
    outcome = keeper.run(order(f"({DAEMON}); cat $LINE.never"))
    killer.join()
    assert (outcome.ending, outcome.signal) == (Ending.EXITED, signal.SIGKILL)
    assert all(map(is_gone, pids))
    assert keeper.close()


def test_keeper_ignores_ctrl_c_and_hangup(keeper: Keeper, order: Order) -> None:
    """Both are for the supervisor to answer."""
    os.kill(keeper.process.pid, signal.SIGINT)
    os.kill(keeper.process.pid, signal.SIGHUP)
    assert keeper.run(order("true")).succeeded
    assert os.getsid(keeper.process.pid) == keeper.process.pid


def test_keeper_that_does_not_answer_is_killed(
    order: Order, line: Line, never: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A keeper that somebody suspended cannot keep the supervisor from stopping."""
    monkeypatch.setattr(agents, "CLOSE_S_MAX", 0.2)
    keeper = Keeper()

    def stop() -> None:
        line.next()
        os.kill(keeper.process.pid, signal.SIGSTOP)
        keeper.stop(grace_s=0)

    stopper = threading.Thread(target=stop)
    stopper.start()
    outcome = keeper.run(order("echo $$ > $LINE; cat $LINE.never"), wait_s=0.05)
    stopper.join()
    assert outcome.ending is Ending.LOST
    assert keeper.close()


def test_stuck_process_is_named(keeper: Keeper, order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not die is reported by pid instead of being waited for without end."""
    monkeypatch.setattr(keeper, "_receive", lambda *_: {"event": "stuck", "pids": [7, 8]})
    outcome = keeper.run(order("true"))
    assert outcome.ending is Ending.STUCK
    assert "7, 8" in outcome.error


DRIVER = """
import json, os, sys
from pucs.launch.agents import Command, Keeper
keeper = Keeper()
print(keeper.process.pid, flush=True)
given = json.loads(sys.argv[1])
keeper.run(Command(**given))
"""


def test_tree_is_gone_before_the_keeper_when_the_supervisor_is_killed(
    order: Order, line: Line, never: Path
) -> None:
    """The owner of the leases counts as dead only when nobody is left who could still write."""
    command = order(f"trap '' INT TERM; ({DAEMON}); ({DAEMON}); echo $$ > $LINE; cat $LINE.never")
    given = {name: getattr(command, name) for name in ("cwd", "env", "output", "shell")}
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, json.dumps(given)], stdout=subprocess.PIPE
    ) as driver:
        assert driver.stdout is not None
        keeper = int(driver.stdout.readline())
        owner = processes.identity(keeper)
        assert owner is not None
        tree = [line.pid() for _ in range(3)]
        driver.kill()
        wait_gone(keeper)
        assert [pid for pid in tree if not is_gone(pid)] == []
        assert processes.SystemProcesses().alive(owner) is False


def test_leftover_is_seen_while_it_becomes_another_program(tmp_path: Path) -> None:
    """In the middle of exec the environment reads as empty; whoever believes it leaves a process alive."""
    again = tmp_path / "again"
    again.write_text('exec sh "$0"\n')
    restless = subprocess.Popen(["sh", str(again)], env={**os.environ, "PUCS_AGENT": str(tmp_path)})
    marks = leftovers.Marks(frozenset({f"PUCS_AGENT={tmp_path}".encode()}), b"", 0)
    with restless:
        try:
            assert all(restless.pid in list(leftovers.found(marks)) for _ in range(100))
            assert leftovers.kill({"PUCS_AGENT": str(tmp_path)}) == []
            assert restless.wait() == -signal.SIGKILL
        finally:
            restless.kill()


def test_leftover_with_an_empty_environment_is_not_waited_for() -> None:
    """Nothing that a process was started with is nothing, and does not look like a moment of exec."""
    with subprocess.Popen(["sleep", "60"], env={}) as bare:
        try:
            assert bare.pid not in list(
                leftovers.found(leftovers.Marks(frozenset({b"PUCS_AGENT=a"}), b"", 0))
            )
        finally:
            bare.kill()


def test_leftovers_match_all_of_the_environment(tmp_path: Path) -> None:
    """Only processes with every given entry are killed, and an empty question matches nobody."""
    with subprocess.Popen(["sleep", "60"], env={"PUCS_AGENT": "a", "PUCS_STORE": str(tmp_path)}) as child:
        assert leftovers.kill({}) == []
        assert leftovers.kill({"PUCS_AGENT": "a", "PUCS_STORE": "/elsewhere"}) == []
        assert child.poll() is None
        assert leftovers.kill({"PUCS_AGENT": "a", "PUCS_STORE": str(tmp_path)}) == []
        assert child.wait() == -signal.SIGKILL


def test_keeper_starts_quickly_and_small(keeper: Keeper) -> None:
    """One per agent must be cheap: no package, no site, a few megabytes of its own."""
    status = Path(f"/proc/{keeper.process.pid}/status").read_text(encoding="utf-8")
    private_kb = int(status.partition("RssAnon:")[2].split()[0])
    assert private_kb < 10_000
    assert "pucs-keeper" in status
