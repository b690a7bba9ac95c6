"""Tasks of a session: imported with checks, handed out once, and ended with what came of them."""

from __future__ import annotations

import dataclasses

import pytest

from pucs.coordinator import tasks as todo
from pucs.core.errors import NotFound, Refused, Usage
from pucs.tasks.records import Task, TaskState
from tests.coordinator.git.conftest import World

pytestmark = pytest.mark.git


def task(name: str, **settings: object) -> Task:
    given: dict[str, object] = {"title": name, "stream": "core", "command": "true", **settings}
    return Task(id=name, **given)  # type: ignore[arg-type]


def states(world: World) -> dict[str, TaskState]:
    return {one.id: one.state for one in todo.tasks(world.context)}


def test_import_is_safe_to_repeat(world: World) -> None:
    """Pending tasks take the new text, running and done ones stay, failed ones get another chance."""
    todo.import_tasks(world.context, tasks=[task("one"), task("two"), task("three")])
    for name, agent in (("one", "a"), ("two", "b")):
        world.agent(agent)
        assert todo.take(world.context, agent=agent).id == name  # type: ignore[union-attr]
    todo.finish(world.context, agent="a", task="one", result="did it")
    done = todo.import_tasks(
        world.context, tasks=[task(name, title="new") for name in ("one", "two", "three", "four")]
    )
    assert (done.added, done.updated, done.kept) == (("four",), ("three",), ("one", "two"))
    assert [one.title for one in todo.tasks(world.context)].count("new") == 2


def test_stream_is_told_by_files(world: World) -> None:
    """A task without a stream belongs to the one that covers its files; shared files tell nothing."""
    todo.import_tasks(world.context, tasks=[task("one", stream="", files=("shared.txt", "api/x.py"))])
    assert todo.tasks(world.context)[0].stream == "api"
    for files, words in (
        (("shared.txt",), "no stream covers its files"),
        (("api/x.py", "core/a.py"), "belong to api, core"),
    ):
        with pytest.raises(Usage, match=words):
            todo.import_tasks(world.context, tasks=[task("two", stream="", files=files)])


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ([task("a b")], Usage),
        ([task("../x")], Usage),
        ([task("x", title="two\nlines")], Usage),
        ([task("x", title=" ")], Usage),
        ([task("x", title="\x1b[31m")], Usage),
        ([task("x", after=("y",))], Usage),
        ([task("x", after=("y",)), task("y", after=("x",))], Usage),
        ([task("x", stream="none")], NotFound),
        ([task("x", files=("../y",))], Usage),
        ([task("good"), task("x", stream="none")], NotFound),
    ],
)
def test_wrong_import_changes_nothing(wrong: list[Task], error: type[Exception], world: World) -> None:
    """One wrong task refuses the whole import."""
    with pytest.raises(error):
        todo.import_tasks(world.context, tasks=wrong)
    assert todo.tasks(world.context) == []


def test_import_has_a_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the most tasks of a session nothing is taken in."""
    monkeypatch.setattr(todo, "TASKS_MAX", 2)
    with pytest.raises(Usage, match="too many"):
        todo.import_tasks(world.context, tasks=[task("one"), task("two"), task("three")])


def test_task_is_handed_out_once(world: World) -> None:
    """Two agents never get the same one, and none is left for the third."""
    todo.import_tasks(world.context, tasks=[task("one"), task("two", after=("one",)), task("three")])
    for agent in ("a", "b", "c"):
        world.agent(agent)
    taken = [todo.take(world.context, agent=agent) for agent in ("a", "b", "c")]
    assert [one.id if one else None for one in taken] == ["one", "three", None]


def test_failure_goes_to_another_and_ends(world: World) -> None:
    """After as many attempts as configured a task fails for good, and what waits for it as well."""
    todo.import_tasks(world.context, tasks=[task("one"), task("two", after=("one",))])
    for agent in ("a", "b"):
        world.agent(agent)
        assert todo.take(world.context, agent=agent)
        todo.fail(world.context, agent=agent, task="one", reason="no", salvage=f"refs/{agent}")
    assert states(world) == {"one": TaskState.FAILED, "two": TaskState.FAILED}
    assert todo.tasks(world.context)[0].salvage == "refs/b"
    todo.import_tasks(world.context, tasks=[task("one"), task("two", after=("one",))])
    assert states(world) == {"one": TaskState.PENDING, "two": TaskState.PENDING}


def test_task_that_is_given_back_loses_no_attempt(world: World) -> None:
    """An interruption is nobody's failure."""
    todo.import_tasks(world.context, tasks=[task("one")])
    world.agent("a")
    todo.take(world.context, agent="a")
    with pytest.raises(Refused, match="in the hands of a"):
        todo.finish(world.context, agent="b", task="one")
    back = todo.give_back(world.context, agent="a", task="one", reason="stopped", salvage="refs/x")
    assert (back.state, back.attempts, back.salvage) == (TaskState.PENDING, 0, "refs/x")
    with pytest.raises(NotFound):
        todo.fail(world.context, agent="a", task="none", reason="no")
    assert [one.id for one in todo.unfinished(world.context)] == ["one"]


def test_unknown_session_has_no_tasks(world: World) -> None:
    """A session that does not exist has nothing to do."""
    assert todo.tasks(dataclasses.replace(world.context, session="S9")) == []
