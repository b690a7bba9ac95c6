"""``status``, ``state``, ``agents``, ``log``, ``conflicts`` and ``report``."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git

STATE = {"session_id", "started_at", "streams", "critical_files", "conflicts", "cross_log"}
STREAM = {"status", "agents", "locked_files", "completed_tasks", "pending_tasks"}
LOCKED_FILE = {"path", "agent", "intent", "locked_at", "expires_at"}
ENTRY = {"seq", "timestamp", "agent", "stream", "level", "action", "files", "details"}
CONFLICT = {"id", "kind", "severity", "status", "parties", "resources", "strategy", "decision"}


@pytest.fixture
def work(session: Path, pucs: Pucs) -> Path:
    """Let two agents hold something, and one be refused."""
    pucs.ok("lock", "app/a.py", "settings.py", "--agent", "ada", "--stream", "app", "--task", "VAT")
    pucs.ok("lock", "lib/", "--agent", "bob", "--stream", "lib")
    assert pucs("lock", "lib/b.py", "--agent", "ada").status == 1
    return session


def test_state_is_the_document_of_the_seed(work: Path, pucs: Pucs) -> None:
    """Every key of seed 000 §3.2, with and without --json."""
    found = pucs.json("state")
    assert json.loads(pucs.ok("state")).keys() == found.keys()
    assert set(found) >= STATE
    assert set(found["streams"]) == {"app", "lib"}
    assert all(set(stream) >= STREAM for stream in found["streams"].values())
    locked = found["streams"]["app"]["locked_files"]
    assert [one["path"] for one in locked] == ["app/a.py", "settings.py"]
    assert set(locked[0]) >= LOCKED_FILE
    assert (locked[0]["agent"], locked[0]["intent"]) == ("ada", "VAT")
    assert found["critical_files"] == {"settings.py": {"status": "locked", "owner": "ada", "queue": []}}
    assert set(found["conflicts"][0]) >= CONFLICT
    assert set(found["cross_log"][0]) >= ENTRY


def test_status_shows_everything_on_narrow_lines(work: Path, pucs: Pucs) -> None:
    """Streams, agents, leases, what happened and the sum; no line is wider than a terminal of 100."""
    text = pucs.ok("status")
    for words in (
        "Session S-1 (active)",
        "app     ░",
        "ada    app",
        "LEASED",
        "settings.py",
        "Conflicts: 0 open of 1",
    ):
        assert words in text
    assert max(map(len, text.splitlines())) <= 110
    found = pucs.json("status")
    assert [stream["locks"] for stream in found["streams"]] == [2, 1]
    assert found["agents"][0]["life"] == "unknown"


def test_agents_are_shown_with_what_is_known(session: Path, pucs: Pucs) -> None:
    """Unknown life is shown as unknown; without agents there is a sentence."""
    assert pucs.ok("agents") == "No agents yet.\n"
    pucs.ok("lock", "app/a.py", "--agent", "ada", "--stream", "app")
    assert pucs.ok("agents").splitlines()[0].split() == [
        "AGENT", "STREAM", "PHASE", "LIFE", "LEVEL", "PROGRAM", "CALLED", "IN", "TASK",
    ]  # fmt: skip
    [found] = pucs.json("agents")
    assert (found["enforcement"], found["called_in_at"], found["waits_for"]) == ("ADVISORY", "", [])


def test_log_is_narrowed(work: Path, pucs: Pucs) -> None:
    """By stream, agent, file, level, time and number; one entry per line, as words or as documents."""
    entries = [json.loads(line) for line in pucs.ok("log", "--json").splitlines()]
    assert all(set(entry) >= ENTRY for entry in entries)
    assert [entry["seq"] for entry in entries] == sorted(entry["seq"] for entry in entries)

    def count(*options: str) -> int:
        return len(pucs.ok("log", *options).splitlines())

    assert count() == len(entries)
    assert count("--limit", "2") == 2
    assert count("--since", "1h") == len(entries)
    assert count("--since", "2025-12-06T10:00:00Z") == len(entries)
    assert count("--agent", "bob", "--level", "info") == sum(
        entry["agent"] == "bob" and entry["level"] == "INFO" for entry in entries
    )
    assert "belongs" not in pucs.ok("log", "--stream", "LIB")
    assert "lock granted  lib/" in pucs.ok("log", "--file", "lib/b.py") + pucs.ok("log", "--stream", "lib")
    assert pucs.ok("log", "--agent", "nobody") == "No entries.\n"
    assert pucs.ok("log", "--agent", "nobody", "--json") == ""


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--since", "soon"], 2, "'soon' is no time"),
        (["--level", "loud"], 2, "DEBUG, INFO, CHANGE, CONFLICT, ERROR"),
        (["--limit", "0"], 2, "--limit"),
        (["--stream", "ap"], 1, "There is no stream 'ap'."),
        (["--file", "../x"], 2, "outside"),
        (["--since", "99999999d"], 2, "is no time"),
    ],
)
def test_log_refuses_what_it_does_not_know(
    options: list[str], status: int, words: str, session: Path, pucs: Pucs
) -> None:
    """A mistyped question is not answered with silence."""
    said = pucs("log", *options)
    assert (said.status, words in said.err) == (status, True)


@pytest.mark.process
def test_log_follows_until_interrupted(session: Path, pucs: Pucs) -> None:
    """New entries are printed as they are written; Ctrl-C ends with 130."""
    following = subprocess.Popen(
        ["pucs", "log", "--follow"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert following.stdout is not None
    assert "session started" in following.stdout.readline()
    pucs.ok("lock", "app/a.py", "--agent", "ada")
    assert "registered" in following.stdout.readline()
    following.send_signal(signal.SIGINT)
    _, words = following.communicate(timeout=20)
    assert (following.returncode, words.strip()) == (130, "Interrupted.")


def test_conflicts_are_listed(work: Path, pucs: Pucs) -> None:
    """Every field of DESIGN §7; only an open one makes the status 1."""
    assert pucs.ok("conflicts").splitlines()[0].split() == [
        "ID", "KIND", "SEVERITY", "STATUS", "PARTIES", "RESOURCES", "DECISION",
    ]  # fmt: skip
    assert set(pucs.json("conflicts")[0]) >= CONFLICT
    assert pucs.ok("conflicts", "--unresolved") == "No unresolved conflicts.\n"


def test_report_is_told_and_written(work: Path, tmp_path: Path, pucs: Pucs) -> None:
    """Markdown on the screen or in a file; a place that cannot be written is wrong use."""
    text = pucs.ok("report")
    assert text.startswith("# Session S-1\n")
    assert "is refused at the boundary of lib: lib/b.py" in text
    place = tmp_path / "report.md"
    assert pucs.ok("report", "--output", str(place)) == f"Wrote {place}.\n"
    assert place.read_text(encoding="utf-8").startswith("# Session S-1\n")
    said = pucs("report", "--output", str(tmp_path / "none" / "report.md"))
    assert (said.status, "No such file or directory" in said.err) == (2, True)
    assert pucs.json("report")["session"] == "S-1"
