"""``test``: a stream's tests from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git


def test_a_passing_run_is_told_listed_and_shown(session: Path, pucs: Pucs) -> None:
    """One line for people, a record for programs, and a place in the status."""
    assert pucs.ok("test", "--list") == "No test runs yet.\n"
    said = pucs.ok("test", "--stream", "APP", "--command", "grep -q a app/a.py")
    assert said.startswith("Tests of app on ")
    assert ": passed in 0 s (grep -q a app/a.py)" in said
    (run,) = pucs.json("test", "--list", "--stream", "app")
    assert (run["stream"], run["result"], run["status"], run["agent"]) == ("app", "passed", 0, "")
    assert "Tests: ✓ all (app)" in pucs.ok("status")


def test_a_failing_run_shows_the_end_of_its_output(session: Path, pucs: Pucs) -> None:
    """Status 1, and the status of the session names the stream."""
    said = pucs("test", "--stream", "lib", "--command", "seq 100; exit 7")
    assert said.status == 1
    assert said.out.splitlines()[-1] == "100"
    assert len(said.out.splitlines()) == 21
    assert "Tests: ✗ lib failed" in pucs.ok("status")
    assert "failed" in pucs.ok("test", "--list")
    assert pucs.json("status")["tests"]["passed"] is False


def test_wrong_use_is_told(session: Path, pucs: Pucs) -> None:
    """Neither stream nor agent, an unknown one, a stream that names no tests."""
    assert pucs("test").status == 2
    assert pucs("test", "--stream", "nowhere", "--command", "true").status == 1
    missing = pucs("test", "--stream", "app")
    assert (missing.status, "--command" in missing.err) == (2, True)


def test_a_landing_without_tests_warns_at_the_command_line(session: Path, pucs: Pucs) -> None:
    """It lands, and says what to run."""
    with (session / "pucs.yaml").open("a") as file:
        file.write("tests: {command: 'true'}\n")
    text = (
        (session / "pucs.yaml")
        .read_text()
        .replace("files_pattern: app/", "files_pattern: app/, test_pattern: 'app/*.py'")
    )
    (session / "pucs.yaml").write_text(text)
    pucs.ok("config", "apply")
    pucs.ok("lock", "app/a.py", "--agent", "ada", "--stream", "app")
    (session / "app/a.py").write_text("a = 2\n")
    said = pucs.ok("land", "--agent", "ada", "-m", "feat: two")
    assert "Warning: No passing test run of stream app covers what ada lands" in said
    pucs.ok("lock", "app/a.py", "--agent", "ada", "--stream", "app")
    (session / "app/a.py").write_text("a = 3\n")
    pucs.ok("test", "--agent", "ada")


@pytest.mark.process
def test_a_run_tests_by_itself_where_it_has_to(shop: Path, tmp_path: Path, pucs: Pucs) -> None:
    """The landing of a launched agent is refused untested, so its tests run; what fails does not land."""
    text = (
        (shop / "pucs.yaml")
        .read_text()
        .replace("files_pattern: app/", "files_pattern: app/, test_required: true, test_pattern: app/a.py")
    )
    (shop / "pucs.yaml").write_text(
        f"{text}tests: {{command: 'grep -q good {{files}}'}}\nagents: {{attempts: 1}}\n"
    )
    tasks = tmp_path / "tasks.yaml"
    tasks.write_text(
        "tasks:\n"
        '- {id: bad, stream: app, files: [app/a.py], command: "echo worse >>app/a.py"}\n'
        '- {id: fine, stream: app, files: [app/a.py], command: "echo good >>app/a.py"}\n'
    )
    document = pucs("run", "--tasks", str(tasks), "--agents", "1", "--json")
    found = json.loads(document.out)
    assert found["tasks"] == {"pending": 0, "running": 0, "done": 1, "failed": 1}
    assert "its tests failed" in found["failed"][0]["reason"]
    assert [run["result"] for run in pucs.json("test", "--list")] == ["failed", "passed"]
