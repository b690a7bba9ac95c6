"""Scheduling: who may begin, who goes first, and what a failure takes with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.tasks import schedule
from pucs.tasks.records import Task, TaskState

AT = "2025-12-06T10:00:00.000Z"


def task(name: str, **fields: Any) -> Task:
    return Task(**{"id": name, "title": name, "stream": "s", "command": "c", **fields})


def names(tasks: list[Task]) -> list[str]:
    return [each.id for each in tasks]


def test_ready_tasks_have_their_prerequisites() -> None:
    """Only pending tasks whose prerequisites are all done may begin, by priority and then position."""
    tasks = [
        task("done", state=TaskState.DONE),
        task("late", position=2),
        task("early", position=1, after=("done",)),
        task("urgent", position=3, priority=1),
        task("waits", after=("early",)),
        task("running", state=TaskState.RUNNING),
    ]
    assert names(schedule.ready(tasks)) == ["urgent", "early", "late"]


@pytest.mark.parametrize(
    ("files", "busy", "expected"),
    [
        (("a.py",), (), "first"),
        (("a.py",), ("a.py",), "second"),
        (("a.py",), ("/",), "first"),
        (("dir/a.py",), ("dir/",), "second"),
        (("dir/",), ("dir/a.py",), "second"),
        (("dir",), ("dir/a.py",), "second"),
        (("dir/a.py",), ("dir",), "second"),
        (("a.py::f",), ("a.py",), "second"),
        (("res:db",), ("res:db",), "second"),
        (("..",), ("..",), "first"),
        ((), ("a.py",), "first"),
    ],
)
def test_task_that_meets_nobody_goes_first(
    files: tuple[str, ...], busy: tuple[str, ...], expected: str
) -> None:
    """Among tasks of one priority, one whose files are free comes before one whose files are busy."""
    tasks = [task("first", files=files), task("second", files=("other.py",), position=1)]
    found = schedule.next_task(tasks, agent="x", busy_resources=busy)
    assert found
    assert found.id == expected


def test_priority_goes_before_freedom() -> None:
    """An urgent task is taken even if its files are busy: it queues for them."""
    tasks = [task("free"), task("urgent", files=("a",), priority=1, position=1)]
    assert schedule.next_task(tasks, agent="x", busy_resources=("a",)) == tasks[1]


def test_files_of_running_tasks_are_busy() -> None:
    """What a running task of somebody else declares counts as busy, leased yet or not."""
    running = task("running", state=TaskState.RUNNING, assignee="y", files=("a",))
    tasks = [running, task("same", files=("a",)), task("free", position=1)]
    assert schedule.next_task(tasks, agent="x") == tasks[2]
    assert schedule.next_task(tasks, agent="y") == tasks[1]


def test_agent_takes_tasks_of_its_stream() -> None:
    """A stream limits the choice, without regard to case; there may be nothing to do."""
    tasks = [task("a", stream="Shop"), task("b", stream="lib", position=1)]
    assert schedule.next_task(tasks, agent="x", stream="LIB") == tasks[1]
    assert schedule.next_task(tasks, agent="x", stream="docs") is None


@pytest.mark.parametrize(
    ("others", "expected"),
    [((), "tried"), (("x",), "tried"), (("y",), "tried"), (("z",), "fresh"), (("y", "z"), "fresh")],
)
def test_failed_task_goes_to_another_agent(others: tuple[str, ...], expected: str) -> None:
    """An agent tries its own failed task again only if nobody else is left to try it."""
    tasks = [task("tried", tried_by=("x", "y")), task("fresh", position=1)]
    found = schedule.next_task(tasks, agent="x", others=others)
    assert found
    assert found.id == expected


def test_task_passes_through_its_states() -> None:
    """Begun, given back and finished; a stopped attempt does not count."""
    begun = schedule.begin(task("a"), agent="x")
    assert (begun.state, begun.assignee, begun.attempts) == (TaskState.RUNNING, "x", 1)
    assert schedule.give_back(begun) == task("a")
    done = schedule.finish(begun, result="3 files", at=AT)
    assert (done.state, done.result, done.ended_at) == (TaskState.DONE, "3 files", AT)


def test_failed_attempt_is_tried_again() -> None:
    """While attempts are left the task is pending again and remembers who failed and what was kept."""
    begun = schedule.begin(task("a"), agent="x")
    (again,) = schedule.fail(
        [begun], begun, reason="exit 1", attempts_max=2, at=AT, salvage="refs/pucs/salvage/1"
    )
    assert again.state is TaskState.PENDING
    assert (again.tried_by, again.result, again.salvage) == (("x",), "exit 1", "refs/pucs/salvage/1")
    last = schedule.begin(again, agent="x")
    (failed,) = schedule.fail([last], last, reason="exit 2", attempts_max=2, at=AT)
    assert (failed.state, failed.tried_by, failed.ended_at) == (TaskState.FAILED, ("x",), AT)
    assert failed.salvage == "refs/pucs/salvage/1"


def test_failure_takes_dependants_along() -> None:
    """Everything pending that waits for a failed task fails too, and says for which prerequisite."""
    tasks = [
        task("far", after=("near",)),
        task("near", after=("a", "ok")),
        task("a", attempts=1, state=TaskState.RUNNING),
        task("ok", state=TaskState.DONE),
        task("done", after=("a",), state=TaskState.DONE),
        task("free"),
    ]
    changed = schedule.fail(tasks, tasks[2], reason="exit 1", attempts_max=1, at=AT)
    assert {each.id: each.result for each in changed} == {
        "a": "exit 1",
        "near": "its prerequisite a failed",
        "far": "its prerequisite near failed",
    }
    assert {each.state for each in changed} == {TaskState.FAILED}
    assert changed[0].tried_by == ()


def test_waves_respect_order_and_files() -> None:
    """A wave needs only earlier waves, and no two of its tasks declare overlapping files."""
    tasks = [
        task("done", state=TaskState.DONE),
        task("a", files=("x/",), after=("done",)),
        task("b", files=("x/y.py",), position=1),
        task("c", after=("a",), position=2),
        task("urgent", files=("x/z.py",), priority=1, position=3),
        task("now", files=("w",), state=TaskState.RUNNING, position=4),
        task("never", after=("failed",)),
        task("failed", state=TaskState.FAILED),
    ]
    assert [names(wave) for wave in schedule.waves(tasks)] == [["now", "urgent", "b"], ["a"], ["c"]]
    assert schedule.waves([]) == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, ""),
        ({"after": ("done",)}, ""),
        ({"after": ("done", "open", "running")}, "it waits for open, running"),
        ({"after": ("open", "failed")}, "its prerequisite failed failed"),
        ({"after": ("gone",)}, "there is no task gone to wait for"),
        ({"state": TaskState.DONE}, "it is done"),
        ({"state": TaskState.FAILED, "result": "exit 1"}, "it is failed: exit 1"),
    ],
)
def test_blocked_task_says_why(fields: dict[str, Any], reason: str) -> None:
    """Whoever asks why a task does not begin gets a reason."""
    others = [task(name, state=state) for name, state in
              [("done", TaskState.DONE), ("open", TaskState.PENDING), ("running", TaskState.RUNNING),
               ("failed", TaskState.FAILED)]]  # fmt: skip
    assert schedule.blocked_reason(task("a", **fields), others) == reason


@given(
    st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7))),
    st.lists(st.sampled_from(["a", "b", "a/", "a/c"]), min_size=8, max_size=8),
)
def test_every_task_of_an_acyclic_plan_has_one_wave(edges: set[tuple[int, int]], files: list[str]) -> None:
    """Without cycles each task stands in exactly one wave, after all of its prerequisites."""
    tasks = [
        task(str(n), position=n, files=(files[n],), after=tuple(str(a) for b, a in edges if b == n and a < n))
        for n in range(8)
    ]
    plan = schedule.waves(tasks)
    place = {each.id: at for at, wave in enumerate(plan) for each in wave}
    assert sorted(place) == sorted(each.id for each in tasks)
    assert sum(len(wave) for wave in plan) == 8
    assert all(place[other] < place[each.id] for each in tasks for other in each.after)


def test_cycle_is_found() -> None:
    """A cycle is told in order, none is told as nothing."""
    assert schedule.cycle({"a": ["b"], "b": ["a"]}) in {("a", "b", "a"), ("b", "a", "b")}
    assert schedule.cycle({"a": ["b"]}) == ()
