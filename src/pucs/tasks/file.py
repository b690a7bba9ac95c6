"""Reads a tasks file into records, or says everything that is wrong with it, each with its line.

Nothing in it is expanded: ``$NAME`` in a command belongs to the shell, and in a prompt it is just text.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from pucs.core.documents import Placed, Problems, load
from pucs.core.errors import Usage
from pucs.core.resources import parse as parse_resource
from pucs.core.shapes import Field, Listed, Number, Reading, Table, Text, Texts, plain
from pucs.tasks.records import Task
from pucs.tasks.schedule import cycle

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

TASK_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What an id may look like: it becomes part of commit trailers and of names of refs."""
TITLE_CHARACTERS_MAX: Final = 200
"""Longest title: it becomes the first line of a commit."""
PRIORITY_MAX: Final = 1_000_000
"""Largest priority either way; beyond it a number is a slip."""
_WEEK_MIN: Final = 7 * 24 * 60

_TASK: Final = Table({
    "id": Field(shape=Text(numbers=True, expand=False, empty=False), required=True, doc="Name of the task."),
    "title": Field(shape=Text(numbers=True, expand=False, empty=False), doc="What it is, in one line."),
    "stream": Field(
        shape=Text(numbers=True, expand=False, empty=False),
        doc="Stream whose files it changes; else the one that covers its files.",
    ),
    "files": Field(
        shape=Texts(expand=False),
        doc="Files, directories and symbols (file.py::Class.method) it declares; leased before it starts.",
    ),
    "after": Field(shape=Texts(numbers=True, expand=False), doc="Tasks that must be done first."),
    "priority": Field(
        shape=Number(minimum=-PRIORITY_MAX, maximum=PRIORITY_MAX, whole=True), doc="Higher goes first."
    ),
    "command": Field(shape=Text(expand=False), doc="Shell command run in the agent's worktree."),
    "prompt": Field(shape=Text(expand=False), doc="What a model-driven agent is asked."),
    "agent": Field(shape=Text(expand=False), doc="Program that does it; else the run's default."),
    "timeout_min": Field(
        shape=Number(maximum=_WEEK_MIN, above=True, scale=60),
        to="timeout_s",
        doc="Longest time of one attempt.",
    ),
})
TASKS: Final = Table({"tasks": Field(shape=Listed(_TASK), required=True, doc="The tasks, in order.")})
"""Every key of a tasks file."""


def parse_tasks(text: str, source: str, *, streams: Collection[str] = ()) -> tuple[Task, ...]:
    """Return the tasks that a text holds, in its order.

    ``source`` is the file's name for messages. With ``streams`` given, tasks of other streams are refused and stream
    names come back spelled as given there.

    Raises:
        ConfigurationError: something is wrong; it carries every problem found, each with file and line.
    """
    problems = Problems(source)
    written: Sequence[dict[str, Any]] = TASKS.read(load(text, problems), Reading(problems)).get("tasks", ())
    known: dict[str, Placed] = {}
    for values in written:
        _check(values, problems)
        if "id" in values:
            first = known.setdefault(str(values["id"]), values["id"])
            if first is not values["id"]:
                problems.add(values["id"], f"the id {str(first)!r} is taken by the task in line {first.line}")
    _check_order(written, known, problems)
    spelled = {name.casefold(): name for name in streams}
    if spelled:
        _check_streams(written, spelled, problems)
    problems.settle()
    return tuple(_task(plain(values), position, spelled) for position, values in enumerate(written))


def _task(values: dict[str, Any], position: int, spelled: Mapping[str, str]) -> Task:
    stream = values.get("stream", "")
    known = {"stream": spelled.get(stream.casefold(), stream), "position": position}
    return Task(**{"title": values["id"], **values, **known})


def _check(values: dict[str, Any], problems: Problems) -> None:
    """Note what is wrong within one task."""
    name = values.get("id")
    if name is not None and not TASK_ID.fullmatch(name):
        problems.add(
            name, f"{str(name)!r} cannot be an id: use letters, digits, - _ . and at most 64 of them"
        )
    title = values.get("title")
    if title is not None and ("\n" in title or len(title) > TITLE_CHARACTERS_MAX):
        problems.add(title, f"a title is one line of at most {TITLE_CHARACTERS_MAX} characters")
    if "stream" not in values and not values.get("files"):
        problems.add(values[""], "the task names no stream and declares no files to tell it by")
    given = [key for key in ("command", "prompt") if values.get(key, "").strip()]
    if len(given) != 1:
        both = "has both a command and a prompt; keep one" if given else "has neither a command nor a prompt"
        problems.add(values[""], f"the task {both}")
    for file in values.get("files", ()):
        try:
            parse_resource(str(file))
        except Usage as error:
            problems.add(file, str(error))
        if "*" in file:
            problems.add(file, f"{str(file)!r} is a pattern; declare files and directories (ending in /)")


def _check_order(written: Sequence[dict[str, Any]], known: Mapping[str, Placed], problems: Problems) -> None:
    graph: dict[str, list[str]] = {}
    places: dict[tuple[str, str], Placed] = {}
    for values in written:
        name = str(values.get("id", ""))
        for other in values.get("after", ()):
            if str(other) in known:
                graph.setdefault(name, []).append(str(other))
                places[name, str(other)] = other
            else:
                close = get_close_matches(other, known, 1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                problems.add(other, f"there is no task {str(other)!r} to wait for{hint}")
    found = cycle(graph)
    if found:
        place = places[found[0], found[1]]
        problems.add(
            place, f"tasks wait for each other in a cycle: {' → '.join(found)}; leave out one of these"
        )


def _check_streams(written: Sequence[dict[str, Any]], spelled: Mapping[str, str], problems: Problems) -> None:
    for values in written:
        stream = values.get("stream")
        if stream is not None and stream.casefold() not in spelled:
            problems.add(
                stream, f"there is no stream {str(stream)!r}; known are {', '.join(spelled.values())}"
            )
