"""The lock functions and classes of the three designs, on real stores."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pucs import agent_lock, stream_locks
from pucs.classic.agent_log import AgentLogger
from pucs.classic.crosslog import CrossLogger
from pucs.classic.locking import LockManager
from pucs.classic.places import here
from pucs.coordinator.sessions import end
from pucs.core.errors import EnvironmentFailure, NotFound, Refused, Usage

pytestmark = pytest.mark.git

FILL = "execution/fill_predictor.py"


def test_a_lock_of_the_second_design_keeps_others_out(older: Path) -> None:
    """True for the first, False for the second, free again after the release by its owner alone."""
    assert agent_lock.acquire_lock(FILL, "exec-agent-1", "execution", "ML model")
    assert not agent_lock.acquire_lock(FILL, "exec-agent-2", "execution", "Slippage")
    assert not agent_lock.release_lock(FILL, "exec-agent-2")
    assert agent_lock.release_lock(FILL, "exec-agent-1")
    assert agent_lock.check_lock(FILL) is None
    assert not agent_lock.release_lock(FILL, "exec-agent-1")
    assert agent_lock.acquire_lock(FILL, "exec-agent-2", "execution", "Slippage")


def test_check_lock_has_the_documented_keys_and_aware_times(older: Path) -> None:
    """Agent, stream, task and two UTC times an hour apart."""
    assert agent_lock.check_lock(FILL) is None
    agent_lock.acquire_lock(FILL, "exec-agent-1", "execution", "ML model")
    lock = agent_lock.check_lock(FILL)
    assert lock is not None
    assert set(lock) == {"agent", "stream", "acquired", "expires", "task"}
    assert (lock["agent"], lock["stream"], lock["task"]) == ("exec-agent-1", "execution", "ML model")
    begun, ends = (datetime.fromisoformat(lock[key]) for key in ("acquired", "expires"))
    assert begun.utcoffset() == timedelta(0)
    assert timedelta(minutes=agent_lock.LOCK_DURATION_MINUTES) - (ends - begun) < timedelta(seconds=1)


def test_asking_again_for_ones_own_lock_is_granted(older: Path) -> None:
    """The design refused even the owner; here what one holds stays one's own."""
    assert agent_lock.acquire_lock(FILL, "exec-agent-1", "execution", "ML model")
    assert agent_lock.acquire_lock(FILL, "exec-agent-1", "execution", "ML model")


def test_spellings_of_one_path_are_one_lock(newer: Path) -> None:
    """The design compared strings, so that a dot before the path made a second lock."""
    assert stream_locks.acquire_lock(f"./{FILL}", "exec-agent-1", "EXEC", "ML model")
    assert not stream_locks.acquire_lock(str(newer / FILL), "exec-agent-2", "EXEC", "Slippage")
    assert list(stream_locks.get_stream_locks("exec")) == [FILL]


def test_locks_of_the_third_design_are_records(newer: Path) -> None:
    """A lock that is checked, and the locks of a stream, are the same record; half an hour unless said otherwise."""
    assert stream_locks.check_lock(FILL) is None
    assert stream_locks.acquire_lock(FILL, "exec-agent-1", "EXEC", "ML model")
    assert stream_locks.acquire_lock(
        "execution/fill_ml_model.py", "exec-agent-1", "EXEC", "ML", duration_min=5
    )
    lock = stream_locks.check_lock(FILL)
    assert lock is not None
    assert stream_locks.FileLock(**asdict(lock)) == lock
    assert (lock.agent_id, lock.stream_id, lock.task) == ("exec-agent-1", "EXEC", "ML model")
    held = stream_locks.get_stream_locks("EXEC")
    assert held.keys() == {FILL, "execution/fill_ml_model.py"}
    assert held[FILL] == lock
    assert stream_locks.get_stream_locks("LLM") == {}
    minutes = [
        round((datetime.fromisoformat(one.expires_at) - datetime.fromisoformat(one.acquired_at)).seconds / 60)
        for _, one in sorted(held.items())
    ]
    assert minutes == [5, stream_locks.DEFAULT_LOCK_DURATION_MIN]


def test_an_expired_lock_is_nowhere_to_be_seen(newer: Path) -> None:
    """Neither check nor the stream's locks show it, cleaning up counts it once, and another agent may have it."""
    assert stream_locks.acquire_lock(FILL, "exec-agent-1", "EXEC", "ML model")
    assert stream_locks.acquire_lock("execution/fill_ml_model.py", "exec-agent-1", "EXEC", "ML model")
    expire(FILL)
    assert stream_locks.check_lock(FILL) is None
    assert list(stream_locks.get_stream_locks("EXEC")) == ["execution/fill_ml_model.py"]
    assert stream_locks.cleanup_expired_locks() == 1
    assert stream_locks.cleanup_expired_locks() == 0
    assert stream_locks.acquire_lock(FILL, "exec-agent-2", "EXEC", "Slippage")
    assert not stream_locks.release_lock(FILL, "exec-agent-1"), "a late owner cannot end its successor's lock"
    lock = stream_locks.check_lock(FILL)
    assert lock is not None
    assert lock.agent_id == "exec-agent-2"


def expire(resource: str) -> None:
    """Let a lease be over since a second, as if its time had passed."""
    from dataclasses import replace  # noqa: PLC0415

    context = here().context
    with context.store.transaction() as tx:
        [lease] = tx.leases.overlapping((resource,))
        tx.leases.replace(replace(lease, expires_s=context.clock.now().boot_s - 1))


def test_anothers_stream_is_out_of_bounds_and_an_unknown_one_is_an_error(newer: Path) -> None:
    """A file that another stream covers is not locked; a stream that nobody configured is told, not made up."""
    assert not stream_locks.acquire_lock("llm/sentiment.py", "exec-agent-1", "EXEC", "ML model")
    with pytest.raises(NotFound, match="Streams: EXEC, LLM"):
        stream_locks.acquire_lock(FILL, "exec-agent-1", "TRADING", "ML model")


def test_of_many_threads_one_gets_the_lock(older: Path) -> None:
    """The decision is one transaction, whoever asks at the same moment."""
    granted: list[str] = []
    together = threading.Barrier(4)

    def ask(agent: str) -> None:
        together.wait()
        if agent_lock.acquire_lock("config/__init__.py", agent, "risk" if agent == "a-0" else "llm", "T"):
            granted.append(agent)

    threads = [threading.Thread(target=ask, args=(f"a-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == 1


@pytest.mark.process
def test_a_lock_outlives_the_process_that_took_it(older: Path) -> None:
    """As in the design, a script may lock, end, and leave the release to another script."""
    take = f"from pucs.agent_lock import acquire_lock\nassert acquire_lock({FILL!r}, 'exec-agent-1', 'execution', 'T')"
    subprocess.run([sys.executable, "-c", take], check=True)
    assert not agent_lock.acquire_lock(FILL, "exec-agent-2", "execution", "T")
    assert agent_lock.release_lock(FILL, "exec-agent-1")


@pytest.mark.process
def test_an_agent_whose_program_has_ended_can_go_on(older: Path) -> None:
    """A script with a client of its own ends without a word; its locks are free, and its name is not spent."""
    take = f"from pucs import PUCSClient\nassert PUCSClient('exec-agent-1', 'execution').acquire_locks([{FILL!r}]).granted"
    subprocess.run([sys.executable, "-c", take], check=True)
    assert agent_lock.check_lock(FILL) is None
    assert LockManager().acquire_lock("exec-agent-1", FILL).granted
    lock = agent_lock.check_lock(FILL)
    assert lock is not None
    assert (lock["agent"], lock["stream"]) == ("exec-agent-1", "execution")


def test_lock_manager_grants_refuses_and_explains(older: Path) -> None:
    """A refusal has the seconds until it is free, the place one would have and a reason; nobody is put in the queue."""
    locks = LockManager()
    first = locks.acquire_lock("exec-agent-1", FILL, "EXCLUSIVE", 30)
    assert (first.granted, first.wait_time, first.queue_position) == (True, 0, 0)
    assert first.token
    assert first.expires_at
    second = locks.acquire_lock("exec-agent-2", FILL)
    assert (second.granted, second.queue_position) == (False, 1)
    assert 29 * 60 < second.wait_time <= 30 * 60
    assert "exec-agent-1" in second.reason
    assert locks.get_queue(FILL) == []
    assert locks.release_lock("exec-agent-1", FILL)
    assert not locks.release_lock("exec-agent-1", FILL)
    assert locks.acquire_lock("exec-agent-2", FILL).granted


def test_lock_manager_knows_its_types(older: Path) -> None:
    """Readers share, a writer waits for them, and an unknown type is the caller's mistake."""
    locks = LockManager()
    assert set(locks.LOCK_TYPES) == {"EXCLUSIVE", "SHARED_READ", "INTENT"}
    assert locks.acquire_lock("llm-agent-1", FILL, "SHARED_READ").granted
    assert locks.acquire_lock("llm-agent-2", FILL, "SHARED_READ").granted
    assert not locks.acquire_lock("exec-agent-1", FILL).granted
    status = locks.check_lock(FILL)
    assert (status.locked, status.lock_type, status.holders) == (
        True,
        "SHARED_READ",
        ("llm-agent-1", "llm-agent-2"),
    )
    with pytest.raises(Usage, match="EXCLUSIVE"):
        locks.acquire_lock("exec-agent-1", FILL, "WRITE")


def test_lock_manager_tells_status_and_queue(older: Path) -> None:
    """Who holds a file and until when; who waits for it, and the waiter is granted in the release."""
    locks = LockManager()
    assert not locks.check_lock(FILL).locked
    locks.acquire_lock("exec-agent-1", FILL, duration_min=5, task="ML model")
    waiter = threading.Thread(
        target=lambda: answers.append(
            LockManager().acquire_lock("exec-agent-2", FILL, wait_s=30, task="Slippage")
        )
    )
    answers: list[object] = []
    waiter.start()
    while not locks.get_queue(FILL):
        os.sched_yield()
    [entry] = locks.get_queue(FILL)
    assert (entry.position, entry.agent_id, entry.file_path) == (1, "exec-agent-2", FILL)
    assert (entry.lock_type, entry.task) == ("EXCLUSIVE", "Slippage")
    status = locks.check_lock(FILL)
    assert (status.locked, status.agent_id, status.task, status.queue_length) == (
        True,
        "exec-agent-1",
        "ML model",
        1,
    )
    length = datetime.fromisoformat(status.expires_at) - datetime.fromisoformat(status.locked_at)
    assert timedelta(minutes=5) - length < timedelta(seconds=1)
    assert locks.release_lock("exec-agent-1", FILL)
    waiter.join(20)
    assert [getattr(answer, "granted", None) for answer in answers] == [True]


def test_without_a_store_the_remedy_is_named(
    make_repository: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever forgot to begin is told how; and whoever stands outside any repository too."""
    assert callable(make_repository)
    monkeypatch.chdir(make_repository("plain"))
    with pytest.raises(EnvironmentFailure, match="pucs init"):
        agent_lock.acquire_lock("README.md", "a", "s", "t")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EnvironmentFailure):
        LockManager()


def test_a_repository_can_be_named(older: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By PUCS_REPO for the functions, by argument for the classes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PUCS_REPO", str(older))
    assert agent_lock.acquire_lock(FILL, "exec-agent-1", "execution", "T")
    monkeypatch.delenv("PUCS_REPO")
    assert LockManager(older).check_lock(FILL).agent_id == "exec-agent-1"


def test_without_a_session_the_remedy_is_named(older: Path) -> None:
    """A session that is over takes no locks and no words; what it logged can still be read."""
    logger = CrossLogger()
    logger.log("exec-agent-1", "execution", "INFO", "Done")
    end(here().context)
    with pytest.raises(Refused, match="pucs init"):
        agent_lock.acquire_lock(FILL, "exec-agent-1", "execution", "T")
    with pytest.raises(Refused, match="pucs init"):
        AgentLogger("exec-agent-1")
    assert [entry.action for entry in logger.get_stream_log("execution")] == ["Done"]


@pytest.mark.parametrize("name", ["", "../elsewhere.py", "/etc/passwd", ".git/config", "a\0b", "x" * 5000])
def test_what_is_no_file_of_the_repository_is_told(older: Path, name: str) -> None:
    """Whoever asks about it too."""
    with pytest.raises(Usage):
        agent_lock.acquire_lock(name, "exec-agent-1", "execution", "T")
    with pytest.raises(Usage):
        stream_locks.check_lock(name)
    with pytest.raises(Usage):
        LockManager().get_queue(name)


def test_two_agents_lock_two_functions_of_one_file(older: Path) -> None:
    """A definition is locked like a file; the file as a whole is then held by both."""
    locks = LockManager()
    assert locks.acquire_lock("exec-agent-1", f"{FILL}::predict").granted
    assert locks.acquire_lock("exec-agent-2", f"{FILL}::train").granted
    assert not locks.acquire_lock("exec-agent-3", FILL).granted
    assert locks.check_lock(FILL).holders == ("exec-agent-1", "exec-agent-2")
    assert locks.check_lock(f"{FILL}::train").holders == ("exec-agent-2",)
    assert locks.release_lock("exec-agent-1", f"{FILL}::predict")


def test_an_agent_that_has_ended_takes_nothing(older: Path) -> None:
    """Its name has to be registered again first."""
    from pucs.coordinator.agents import retire  # noqa: PLC0415

    assert agent_lock.acquire_lock(FILL, "exec-agent-1", "execution", "T")
    retire(here().context, agent="exec-agent-1")
    with pytest.raises(Refused, match="has ended"):
        agent_lock.acquire_lock(FILL, "exec-agent-1", "execution", "T")
