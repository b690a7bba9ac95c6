"""Slots get streams that need them, wait while others may free something, and go home when nothing is left."""

import threading
from collections.abc import Callable

import pytest

from pucs.launch import dispatching
from pucs.launch.dispatching import Dispatcher, Outlook
from pucs.tasks.records import Task, TaskState

LIMITS = {"core": 2, "shop": 1}


def task(name: str, stream: str = "core", state: TaskState = TaskState.PENDING, *after: str) -> Task:
    """Make a task."""
    return Task(id=name, title=name, stream=stream, state=state, after=after)


class Board:
    """Tasks that a test moves while slots look at them."""

    def __init__(self, *tasks: Task) -> None:
        """Begin with these tasks."""
        self.tasks = list(tasks)
        self.others: dict[str, int] = {}
        self.dispatcher = Dispatcher(LIMITS, lambda: Outlook(self.tasks, self.others))

    def now(self, *tasks: Task) -> None:
        """Change the tasks and tell everybody."""
        self.tasks = list(tasks)
        self.dispatcher.changed()


class Later:
    """A blocking call in another thread, seen to wait before the test goes on."""

    def __init__(self, board: Board, call: Callable[[], object]) -> None:
        """Begin the call and return once it sleeps."""
        self.answer: object = None
        slept = threading.Event()
        condition = board.dispatcher._changed
        plain = condition.wait

        def wait(timeout: float | None = None) -> bool:
            slept.set()
            return plain(timeout)

        condition.wait = wait  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()
        assert slept.wait(10)

    def _run(self, call: Callable[[], object]) -> None:
        self.answer = call()

    def get(self) -> object:
        """Return the answer."""
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self.answer


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody be woken by the safety check."""
    monkeypatch.setattr(dispatching, "LOOK_S", 60.0)


def test_streams_get_as_many_agents_as_they_have_ready_tasks() -> None:
    """Neither more than ``max_agents`` nor more than there is to do."""
    board = Board(*(task(f"c{n}") for n in range(5)), task("s1", "shop"), task("s2", "shop"))
    assert [board.dispatcher.stream() for _ in range(3)] == ["core", "core", "shop"]
    fourth = Later(board, board.dispatcher.stream)
    board.dispatcher.leave("core")
    assert fourth.get() == "core"


def test_other_runs_count_against_a_stream() -> None:
    """Two runs at once share the places of a stream."""
    board = Board(task("c1"), task("c2"), task("s1", "shop"))
    board.others = {"core": 2}
    assert board.dispatcher.stream() == "shop"


def test_nothing_left_sends_slots_home() -> None:
    """Done and failed tasks need nobody, and blocked ones nobody works for need nobody either."""
    assert (
        Board(task("a", "core", TaskState.DONE), task("b", "shop", TaskState.FAILED)).dispatcher.stream()
        is None
    )
    assert (
        Board(task("a", "core", TaskState.PENDING, "elsewhere"), task("elsewhere", "web")).dispatcher.stream()
        is None
    )


def test_slot_waits_for_a_prerequisite_at_work() -> None:
    """What a running task may free is waited for."""
    blocked = task("s1", "shop", TaskState.PENDING, "c1")
    board = Board(task("c1", "core", TaskState.RUNNING), blocked)
    slot = Later(board, board.dispatcher.stream)
    board.now(task("c1", "core", TaskState.DONE), blocked)
    assert slot.get() == "shop"


def test_idle_agent_waits_for_its_stream() -> None:
    """A chain through another stream does not cost the first stream a new agent."""
    chain = task("c2", "core", TaskState.PENDING, "s1")
    board = Board(task("s1", "shop", TaskState.RUNNING), chain)
    idle = Later(board, lambda: board.dispatcher.more("core", idle=False))
    board.now(task("s1", "shop", TaskState.DONE), chain)
    assert idle.get() is True


def test_idle_agent_gives_way_to_another_stream() -> None:
    """With fewer slots than streams, an agent that only waits hands its slot on, and only one does."""
    chain = task("c2", "core", TaskState.PENDING, "s1")
    board = Board(task("c1"), chain)
    assert board.dispatcher.stream() == "core"
    board.now(chain, task("s1", "shop"))
    board.dispatcher.taken("core")
    assert board.dispatcher.more("core", idle=False) is False
    second = Later(board, lambda: board.dispatcher.more("core", idle=False))
    assert board.dispatcher.stream() == "shop"
    board.dispatcher.stop()
    assert second.get() is False


def test_agent_retires_when_its_stream_is_done() -> None:
    """An agent does not wait for what can no longer come."""
    board = Board(task("c1", "core", TaskState.DONE), task("s1", "shop", TaskState.RUNNING))
    assert board.dispatcher.more("core", idle=False) is False


def test_agent_that_found_nothing_does_not_look_again_at_once() -> None:
    """Somebody else was quicker: the next look follows a change."""
    board = Board(task("c1"))
    idle = Later(board, lambda: board.dispatcher.more("core", idle=True))
    board.dispatcher.changed()
    assert idle.get() is True


def test_stop_wakes_everybody() -> None:
    """Waiting slots go home, and nothing new is begun."""
    board = Board(task("c1", "core", TaskState.RUNNING), task("s1", "shop", TaskState.PENDING, "c1"))
    slot = Later(board, board.dispatcher.stream)
    board.dispatcher.stop()
    assert slot.get() is None
    assert board.dispatcher.more("core", idle=True) is False


def test_dropped_stream_gets_no_agents() -> None:
    """A stream whose agents cannot be started is not tried for ever."""
    board = Board(task("c1"), task("s1", "shop"))
    board.dispatcher.drop("core")
    assert board.dispatcher.stream() == "shop"
    board.now(task("c1"))
    assert board.dispatcher.stream() is None
