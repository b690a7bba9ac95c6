"""``task add``, ``task import``, ``task list`` and ``task show``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git


def test_tasks_are_added_listed_and_shown(session: Path, pucs: Pucs) -> None:
    """A task belongs to the stream that covers its files; the list is in order, one task can be looked at."""
    assert pucs.ok("task", "list") == "No tasks.\n"
    common = ("--title", "feat: one", "--files", "app/a.py, settings.py", "--command", "true")
    assert pucs.ok("task", "add", "--id", "one", *common) == "Task one added.\n"
    assert pucs.ok("task", "add", "--id", "one", *common, "--priority", "7") == "Task one updated.\n"
    pucs.ok(
        "task", "add", "--id", "two", "--title", "t", "--stream", "LIB", "--after", "one", "--command", "true"
    )
    assert pucs.ok("task", "list").splitlines() == [
        "ID   STREAM  STATE    AGENT  ATTEMPTS  TITLE",
        "one  app     pending         0         feat: one",
        "two  lib     pending         0         t",
    ]
    assert "stream     app" in pucs.ok("task", "show", "one")
    shown = pucs.json("task", "show", "two")
    assert (shown["after"], shown["stream"]) == (["one"], "lib")


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--stream", "app"], 2, "a command or a prompt"),
        (["--stream", "app", "--command", "true", "--prompt", "x"], 2, "a command or a prompt"),
        (["--command", "true"], 2, "no stream covers its files"),
        (["--command", "true", "--files", "app/a.py,lib/b.py"], 2, "its files belong to app, lib"),
        (["--command", "true", "--stream", "ap"], 1, "There is no stream 'ap'"),
        (["--command", "true", "--files", "../x"], 2, "outside the repository"),
        (
            ["--command", "true", "--stream", "app", "--after", "zero"],
            2,
            "after 'zero', which does not exist",
        ),
        (["--command", "true", "--stream", "app", "--after", "one"], 2, "wait for each other: one"),
        (["--command", "true", "--stream", "app", "--title", "a\nb"], 2, "title of task one"),
    ],
)
def test_wrong_task_is_refused(
    options: list[str], status: int, words: str, session: Path, pucs: Pucs
) -> None:
    """What cannot be done is told before anything is written."""
    said = pucs("task", "add", "--id", "one", "--title", "t", *options)
    assert (said.status, words in said.err) == (status, True), said.err
    assert pucs.json("task", "list") == []


def test_file_is_imported_again_and_again(session: Path, tasks_file: Path, pucs: Pucs) -> None:
    """A second import updates what is still to do."""
    assert pucs.json("task", "import", str(tasks_file))["added"] == ["one"]
    assert pucs.json("task", "import", str(tasks_file))["updated"] == ["one"]
    assert pucs("task", "show", "two").status == 1


def test_streams_are_missed_with_a_way_out(session: Path, pucs: Pucs) -> None:
    """Without any stream there is nothing to give a task to, and the words say where to add one."""
    (session / "pucs.yaml").write_text("locks: {default_duration_min: 30}\n", encoding="utf-8")
    pucs.ok("--store", str(session.parent / "other.db"), "init", "--session", "S-2")
    said = pucs(
        "--store", str(session.parent / "other.db"), "task", "add", "--id", "one", "--title", "t",
        "--files", "app/a.py", "--command", "true",
    )  # fmt: skip
    assert (said.status, "the configuration has none" in said.err, "config apply" in said.err) == (
        2,
        True,
        True,
    )
