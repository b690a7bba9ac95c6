"""The session's report as Markdown (000 §8 Phase 4 "session reports")."""

from __future__ import annotations

from collections import Counter
from typing import Any

TIMELINE_MAX = 60
"""Lines of the timeline; a longer one is read better with ``pucs log``."""
PATTERNS_MAX = 20
"""Patterns told, the most urgent ones; ``pucs patterns`` has the rest."""
_TOLD = {
    "registered": "starts",
    "lock queued": "waits for",
    "lock claimed": "is woken and gets",
    "boundary refused": "is refused at the boundary of",
    "landed": "lands",
    "synced": "takes in others' work",
    "parked": "has work kept aside",
    "task done": "finishes",
    "attempt failed": "fails at",
    "task failed": "gives up on",
    "failed": "ends:",
    "merged": "is merged",
    "merged by rule": "is merged by syntax in",
    "session finalized": "session finalized",
}
"""Actions of the cross-log that make a story, in its words."""


def markdown(document: dict[str, Any]) -> str:
    """Return the report of a session document (``client.reading.session_document``)."""
    parts = [
        _head(document),
        _streams(document),
        _tasks(document),
        _agents(document),
        _conflicts(document),
        _patterns(document),
        _kept(document),
        _timeline(document),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(document: dict[str, Any]) -> str:
    counts = document["tasks"]
    waits = [entry for entry in document["log"] if entry.action == "lock claimed"]
    longest = max((entry.details.get("waited_s", 0.0) for entry in waits), default=0.0)
    waited = f"{len(waits)} waited for (longest {longest:.1f} s)" if waits else "none waited for"
    grants = sum(entry.action in {"lock granted", "lock reserved"} for entry in document["log"])
    refused = sum(entry.action == "boundary refused" for entry in document["log"])
    return "\n".join([
        f"# Session {document['session']}",
        "",
        (
            f"Started {document['started_at']} on `{document['target'] or 'a detached commit'}` at `{document['base'][:12]}`; "
            f"state **{document['state']}**; result on `{document['branch']}`."
        ),
        "",
        (
            f"- **{counts['done']}** tasks done, {counts['failed']} failed, {counts['pending'] + counts['running']} open, "
            f"by {_count(len(document['agents']), 'agent')} in {_count(len(document['streams']), 'stream')}"
        ),
        f"- **{grants}** leases granted, {waited}, {refused} refused at a boundary",
        (
            f"- **{document['landings']}** landings, {_count(document['conflicts']['total'], 'conflict')} met, "
            f"{document['conflicts']['open']} still open, {_count(len(document['salvage_list']), 'piece')} of work kept on salvage refs"
        ),
    ])


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _streams(document: dict[str, Any]) -> str:
    landings = Counter(landing.stream for landing in document["landing_list"])
    rows = [
        (
            s["name"],
            s["state"],
            f"{s['completed_tasks']}/{s['tasks']}",
            landings[s["name"]],
            f"`{s['branch']}`",
        )
        for s in document["streams"]
    ]
    return _section("Streams", ("Stream", "State", "Tasks", "Landings", "Branch"), rows)


def _tasks(document: dict[str, Any]) -> str:
    rows = [
        (t.id, t.stream, t.state.value, t.assignee, t.attempts, t.title, t.result)
        for t in document["task_list"]
    ]
    return _section("Tasks", ("Task", "Stream", "State", "Agent", "Attempts", "Title", "Result"), rows)


def _agents(document: dict[str, Any]) -> str:
    rows = [
        (a["id"], a["program"], a["stream"], a["enforcement"], a["incarnation"], a["phase"])
        for a in document["agents"]
    ]
    header = ("Agent", "Program", "Stream", "Level", "Incarnation", "Phase")
    return _section("Agents", header, rows)


def _conflicts(document: dict[str, Any]) -> str:
    rows = [
        (
            c.id,
            c.kind.value,
            c.status.value,
            ", ".join(c.parties),
            ", ".join(f"`{r}`" for r in c.resources[:3]),
            c.decision or "open",
        )
        for c in document["conflict_list"]
    ]
    return _section("Conflicts", ("#", "Kind", "Status", "Parties", "Resources", "Decision"), rows)


def _patterns(document: dict[str, Any]) -> str:
    found = document.get("pattern_list", ())
    rows = [(p.severity.value, p.kind.value, p.message, p.remedy) for p in found[:PATTERNS_MAX]]
    return _section("Patterns", ("Severity", "Kind", "What", "What to do"), rows)


def _kept(document: dict[str, Any]) -> str:
    rows = [(f"`{s.ref}`", s.agent, s.task, s.reason) for s in document["salvage_list"]]
    return _section("Work kept aside", ("Ref", "Agent", "Task", "Why"), rows)


def _timeline(document: dict[str, Any]) -> str:
    told = [entry for entry in document["log"] if entry.action in _TOLD]
    lines = [
        f"- `{entry.timestamp[11:23]}` **{_cell(entry.agent or entry.stream or 'pucs')}** {_TOLD[entry.action]} "
        f"{_cell(_what(entry))}".rstrip()
        for entry in told[:TIMELINE_MAX]
    ]
    if len(told) > TIMELINE_MAX:
        lines.append(f"- … and {len(told) - TIMELINE_MAX} more: `pucs log`")
    return "## Timeline\n\n" + "\n".join(lines) if lines else ""


def _what(entry: Any) -> str:
    if entry.action in {"task done", "attempt failed", "task failed"}:
        reason = entry.details.get("reason")
        return f"{entry.details.get('title') or entry.details.get('task')}{f': {reason}' if reason else ''}"
    if entry.action == "boundary refused":
        return f"{entry.details.get('other', '')}: {_files(entry)}"
    if entry.action == "failed":
        return str(entry.details.get("reason", ""))
    return _files(entry)


def _files(entry: Any) -> str:
    return ", ".join(entry.files[:4]) + (" …" if len(entry.files) > 4 else "")  # noqa: PLR2004 - fits a line


def _section(title: str, header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    if not rows:
        return ""
    lines = [f"## {title}", "", _row(header), _row(["---"] * len(header)), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _row(cells: Any) -> str:
    return "| " + " | ".join(_cell(str(cell)) for cell in cells) + " |"


def _cell(text: str) -> str:
    """Return a text that cannot break out of its table cell: words from agents are data here."""
    one_line = " ".join(text.split()).replace("|", "\\|")
    plain = "".join(character if character.isprintable() else "·" for character in one_line)
    return plain if plain.startswith("`") else plain.replace("<", "&lt;")
