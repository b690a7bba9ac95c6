"""The report as Markdown: its parts, its empty forms, and agents' words that stay data."""

from __future__ import annotations

from typing import Any

from pucs.crosslog.records import Entry, Level
from pucs.dashboard.report import TIMELINE_MAX, markdown
from pucs.tasks.records import Task, TaskState


def document(**changes: Any) -> dict[str, Any]:
    """Return a session in which nothing has happened."""
    empty: dict[str, Any] = {
        "session": "S-1",
        "state": "active",
        "started_at": "2025-12-06T10:00:00.000Z",
        "branch": "pucs/session-S-1",
        "base": "0123456789abcdef",
        "target": "main",
        "streams": [],
        "agents": [],
        "locks": [],
        "queued": 0,
        "conflicts": {"open": 0, "total": 0},
        "tasks": {"pending": 0, "running": 0, "done": 0, "failed": 0},
        "landings": 0,
        "recent": [],
        "task_list": [],
        "conflict_list": [],
        "landing_list": [],
        "salvage_list": [],
        "log": [],
    }
    return {**empty, **changes}


def entry(action: str, *, agent: str = "ada", files: tuple[str, ...] = (), **details: Any) -> Entry:
    return Entry(
        timestamp="2025-12-06T10:00:00.000Z",
        session="S-1",
        agent=agent,
        stream="app",
        level=Level.INFO,
        action=action,
        files=files,
        details=details,
    )


def test_empty_session_is_a_head_alone() -> None:
    """Without anything to tell there is no empty table, and numbers read well."""
    text = markdown(document(target=""))
    assert text.startswith("# Session S-1\n")
    assert "on `a detached commit` at `0123456789ab`" in text
    assert "0 agents in 0 streams" in text
    assert "none waited for" in text
    assert "##" not in text.removeprefix("# ")


def test_one_is_singular() -> None:
    """One agent, one stream, one conflict, one piece."""
    stream = {"name": "app", "state": "active", "completed_tasks": 0, "tasks": 0, "branch": "b"}
    agent = {
        "id": "ada",
        "program": "claude",
        "stream": "app",
        "enforcement": "ENFORCED",
        "incarnation": 1,
        "phase": "WORK",
    }
    text = markdown(document(agents=[agent], streams=[stream], conflicts={"open": 0, "total": 1}))
    assert "1 agent in 1 stream" in text
    assert "| ada | claude | app | ENFORCED | 1 | WORK |" in text
    assert "1 conflict met" in text


def test_story_is_told_in_order() -> None:
    """Waits, refusals, failures and merges each have a sentence; what is no story is left out."""
    text = markdown(
        document(
            log=[
                entry("registered"),
                entry("heartbeat"),
                entry("lock granted", files=("app/a.py",)),
                entry("lock claimed", files=("app/a.py",), waited_s=1.25),
                entry("boundary refused", files=("lib/b.py",), other="lib"),
                entry("attempt failed", title="feat: x", reason="exit 1"),
                entry("landed", files=tuple(f"app/{n}.py" for n in range(6))),
                entry("merged", agent=""),
            ]
        )
    )
    timeline = text.partition("## Timeline\n\n")[2].splitlines()
    assert [line.split("` ", 1)[1] for line in timeline] == [
        "**ada** starts",
        "**ada** is woken and gets app/a.py",
        "**ada** is refused at the boundary of lib: lib/b.py",
        "**ada** fails at feat: x: exit 1",
        "**ada** lands app/0.py, app/1.py, app/2.py, app/3.py …",
        "**app** is merged",
    ]
    assert "**1** leases granted, 1 waited for (longest 1.2 s), 1 refused at a boundary" in text


def test_long_story_is_cut_with_a_pointer() -> None:
    """The first lines are told, and how many are left to read in the log."""
    text = markdown(document(log=[entry("registered")] * (TIMELINE_MAX + 7)))
    assert text.rstrip().endswith("- … and 7 more: `pucs log`")


def test_words_of_agents_stay_in_their_cell() -> None:
    """Bars, line breaks, markup and escapes cannot break a table, start a heading or move a cursor."""
    task = Task(
        id="one",
        title="a | b\n# Owned\n<script>",
        stream="app",
        state=TaskState.FAILED,
        result="\x1b[31mred\x1b[0m\r| x |",
    )
    row = next(line for line in markdown(document(task_list=[task])).splitlines() if line.startswith("| one"))
    assert row.replace("\\|", "").count("|") == 8
    assert "# Owned" in row
    assert "<" not in row
    assert row.isprintable()
