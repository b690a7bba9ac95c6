"""The tasks file: every key, every mistake with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pucs.core.errors import ConfigurationError
from pucs.streams.configuration import parse
from pucs.tasks.file import TASKS, parse_tasks
from pucs.tasks.records import Task

if TYPE_CHECKING:
    from pathlib import Path

EVERY_KEY = """\
tasks:
  - id: fill
    title: "feat: predict fills"
    stream: EXEC
    files: [execution/fill.py, "execution/models/"]
    after: [base, 2]
    priority: 5
    command: |
      echo ${HOME} $$
    agent: command
    timeout_min: 1.5
  - {id: base, stream: exec, prompt: "costs $5", files: "a.py, b.py::C.m, res:port/80"}
  - {id: 2, stream: exec, command: "true"}
"""


def complaints(text: str, *streams: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        parse_tasks(text, "t.yaml", streams=streams)
    return [str(problem) for problem in caught.value.fields["problems"]]


def test_every_key_is_read() -> None:
    """Each key arrives in the record; nothing is expanded, numbers may be ids."""
    assert parse_tasks(EVERY_KEY, "t.yaml") == (
        Task(
            id="fill",
            title="feat: predict fills",
            stream="EXEC",
            files=("execution/fill.py", "execution/models/"),
            after=("base", "2"),
            priority=5,
            command="echo ${HOME} $$\n",
            agent="command",
            timeout_s=90.0,
        ),
        Task(
            id="base",
            title="base",
            stream="exec",
            prompt="costs $5",
            files=("a.py", "b.py::C.m", "res:port/80"),
            position=1,
        ),
        Task(id="2", title="2", stream="exec", command="true", position=2),
    )


def test_stream_is_spelled_as_configured() -> None:
    """Stream names are compared without regard to case."""
    assert {task.stream for task in parse_tasks(EVERY_KEY, "t.yaml", streams=["Exec"])} == {"Exec"}


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("{stream: s, command: c}", "1:10: the key 'id' is missing"),
        ("{id: a, command: c}", "1:10: the task names no stream and declares no files to tell it by"),
        ("{id: a, stream: s}", "1:10: the task has neither a command nor a prompt"),
        ("{id: a, stream: s, command: ' '}", "1:10: the task has neither a command nor a prompt"),
        ("{id: a, stream: s, command: c, prompt: p}", "1:10: the task has both a command and a prompt; keep one"),
        ("{id: a, stream: s, command: c, titel: x}", "1:41: the key 'titel' is not known; did you mean 'title'?"),
        ("{id: a b, stream: s, command: c}",
         "1:15: 'a b' cannot be an id: use letters, digits, - _ . and at most 64 of them"),
        ('{id: a, stream: s, command: c, title: "x\\ny"}', "1:48: a title is one line of at most 200 characters"),
        ("{id: a, stream: s, command: c, after: [b]}", "1:49: there is no task 'b' to wait for"),
        ("{id: fill, stream: s, command: c, after: fil}",
         "1:51: there is no task 'fil' to wait for; did you mean 'fill'?"),
        ("{id: a, stream: s, command: c, after: a}",
         "1:48: tasks wait for each other in a cycle: a → a; leave out one of these"),
        ("{id: a, stream: s, command: c, files: ../x}", "1:48: '../x' is outside the repository. Name a path inside it."),
        ("{id: a, stream: s, command: c, files: 'src/*.py'}",
         "1:48: 'src/*.py' is a pattern; declare files and directories (ending in /)"),
        ("{id: a, stream: s, command: c, timeout_min: 0}", "1:54: expected a number of more than 0, found 0"),
        ("{id: a, stream: s, command: c, priority: high}", "1:51: expected a whole number, found text 'high'"),
        ("x", "1:10: expected a mapping, found text 'x'"),
    ],
)  # fmt: skip
def test_mistake_is_told_with_line(task: str, expected: str) -> None:
    """Each mistake is one complaint with its place."""
    assert complaints(f"tasks: [ {task}]\n") == [f"t.yaml:{expected}"]


def test_repeated_id_names_both_lines() -> None:
    """Two tasks cannot share an id."""
    text = "tasks:\n- {id: a, stream: s, command: c}\n- {id: a, stream: s, command: c}\n"
    assert complaints(text) == ["t.yaml:3:8: the id 'a' is taken by the task in line 2"]


def test_cycle_is_named() -> None:
    """Tasks that wait for each other are told in order."""
    text = "tasks:\n" + "".join(
        f"- {{id: {name}, stream: s, command: c, after: {other}}}\n" for name, other in ("ab", "bc", "ca")
    )
    (complaint,) = complaints(text)
    assert any(
        f"in a cycle: {named};" in complaint for named in ("a → b → c → a", "b → c → a → b", "c → a → b → c")
    )


def test_unknown_stream_lists_the_known() -> None:
    """A task of a stream that is not configured is refused, if streams are given."""
    text = "tasks:\n- {id: a, stream: shp, command: c}\n- {id: b, command: c}\n"
    assert complaints(text, "shop", "lib") == [
        "t.yaml:2:19: there is no stream 'shp'; known are shop, lib",
        "t.yaml:3:3: the task names no stream and declares no files to tell it by",
    ]


def test_stream_may_follow_from_files() -> None:
    """A task that declares files need not name its stream."""
    (task,) = parse_tasks("tasks: [{id: a, files: shop/a.py, command: c}]\n", "t.yaml", streams=["shop"])
    assert task.stream == ""


@pytest.mark.parametrize("text", ["", "tasks:\n", "- a\n", "task: []\n"])
def test_file_without_tasks_is_refused(text: str) -> None:
    """A tasks file holds tasks."""
    assert complaints(text)


@pytest.mark.parametrize("configuration", ["pucs.yaml"])
def test_trading_bot_tasks_are_valid(project: Path, configuration: str) -> None:
    """The example's tasks belong to its streams."""
    folder = project / "examples" / "trading-bot"
    streams = [
        s.name for s in parse((folder / configuration).read_text(encoding="utf-8"), configuration, {}).streams
    ]
    tasks = parse_tasks((folder / "tasks.yaml").read_text(encoding="utf-8"), "tasks.yaml", streams=streams)
    assert len([task for task in tasks if task.stream == "execution"]) == 15
    assert len([task for task in tasks if task.stream == "llm"]) == 20


def test_every_key_is_documented(project: Path) -> None:
    """The reference page names every key."""
    page = (project / "docs" / "reference" / "tasks-file.md").read_text(encoding="utf-8")
    keys = TASKS.schema()["properties"]["tasks"]["items"]["properties"]
    assert not [key for key in keys if f"`{key}`" not in page]
