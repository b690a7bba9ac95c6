"""``status``, ``state`` and ``agents``."""

from __future__ import annotations

from typing import Any

import click

from pucs.cli.door import Door, clip, common_options, span, table, to_json

BAR_WIDTH = 20
"""Cells of a progress bar (000 §7.1)."""
ABOUT_WIDTH = 40
"""Characters of the last column; the log says the rest."""


@click.command()
@common_options
def status(door: Door) -> None:
    """Show the session at a glance: streams, agents, leases, conflicts, what happened last.

    \b
    Example: pucs status
    """
    from pucs.coordinator.status import status as glance  # noqa: PLC0415

    document = glance(door.context())
    door.say(document, lambda: _glance(document))


def _glance(found: dict[str, Any]) -> str:
    tasks = found["tasks"]
    lines = [
        (
            f"Session {found['session']} ({found['state']}), started {found['started_at'][:16].replace('T', ' ')} UTC, "
            f"on {found['target'] or 'a detached commit'} at {found['base'][:12]}"
        ),
        "",
    ]
    rows = [
        (
            s["name"],
            f"{bar(s['percent'])} {s['percent']:3d}%",
            f"{s['completed_tasks']}/{s['tasks']}",
            len(s["agents"]),
            s["locks"],
            s["state"],
        )
        for s in found["streams"]
    ]
    lines.append(
        table(rows, ("STREAM", "PROGRESS", "TASKS", "AGENTS", "LEASES", "STATE")) if rows else "No streams."
    )
    working = [agent for agent in found["agents"] if agent["life"] != "ended"]
    if working:
        at_work = [(a["id"], a["stream"], a["phase"], _life(a), a["enforcement"], a["task"]) for a in working]
        lines += ["", table(at_work, ("AGENT", "STREAM", "PHASE", "LIFE", "LEVEL", "TASK"))]
    if found["locks"]:
        leased = [
            (k["resource"], k["agent"], k["mode"], span(k["left_s"]), k["task"]) for k in found["locks"]
        ]
        lines += ["", table(leased, ("LEASED", "BY", "MODE", "LEFT", "FOR"))]
    if found["intents"]:
        planned = [
            (
                clip(", ".join(i["files"]), ABOUT_WIDTH),
                i["agent"],
                i["state"],
                span(i["left_s"]),
                clip(i["description"], ABOUT_WIDTH),
            )
            for i in found["intents"]
        ]
        lines += ["", table(planned, ("PLANNED", "BY", "STATE", "LEFT", "FOR"))]
    if found["recent"]:
        recent = [
            (e["timestamp"][11:19], e["agent"] or "pucs", e["level"], e["action"], _about(e))
            for e in found["recent"]
        ]
        lines += ["", table(recent, ("TIME", "AGENT", "LEVEL", "ACTION", "ABOUT"))]
    conflicts = found["conflicts"]
    lines += [
        "",
        (
            f"Conflicts: {conflicts['open']} open of {conflicts['total']} · queued: {found['queued']}{_suspended(found)} · landings: "
            f"{found['landings']}{_patterns(found['patterns'])} · tasks: {tasks['done']} done, {tasks['running']} running, {tasks['pending']} pending, "
            f"{tasks['failed']} failed"
        ),
    ]
    if found["tests"]["streams"]:
        lines.append(_tests(found["tests"]))
    return "\n".join(lines)


def _suspended(found: dict[str, Any]) -> str:
    """Return how many of those who wait are agents without a process."""
    return f" ({found['suspended']} suspended)" if found["suspended"] else ""


def _patterns(counts: dict[str, int]) -> str:
    """Return how many patterns deserve a look, if any do."""
    total = sum(counts.values())
    return f" · patterns: {total} ({counts['high']} high)" if total else ""


def _tests(found: dict[str, Any]) -> str:
    """Return how the newest test run of each stream ended (000 §7.1 "TESTS: ✓ ALL")."""
    bad = [f"{name} {run['result']}" for name, run in found["streams"].items() if run["result"] != "passed"]
    return f"Tests: ✗ {', '.join(bad)}" if bad else f"Tests: ✓ all ({', '.join(found['streams'])})"


def _life(agent: dict[str, Any]) -> str:
    """Return what is known of an agent's life, whether somebody halted it, and what it waits for without a process."""
    parts = [str(agent["life"])]
    if agent["life"] != "ended":
        parts += [f"{agent['halt']} by {agent['halted_by']}"] if agent["halt"] else []
        parts += (
            [f"waits for {clip(', '.join(agent['waits_for']), ABOUT_WIDTH)}"] if agent["waits_for"] else []
        )
    return ", ".join(parts)


def _about(entry: dict[str, Any]) -> str:
    """Return what an entry is about, in a few words: its files, its task, else the stream if nobody is named."""
    return clip(
        ", ".join(entry["files"]) or entry["task"] or (entry["stream"] if not entry["agent"] else ""),
        ABOUT_WIDTH,
    )


def bar(percent: int) -> str:
    """Return a progress bar."""
    full = round(BAR_WIDTH * percent / 100)
    return "█" * full + "░" * (BAR_WIDTH - full)


@click.command()
@common_options
def state(door: Door) -> None:
    """Print the whole state as one JSON document, in a form that never changes.

    \b
    Example: pucs state --json | jq .streams
    """
    from pucs.coordinator.status import state as whole  # noqa: PLC0415

    click.echo(to_json(whole(door.context())))


@click.command()
@common_options
def agents(door: Door) -> None:
    """Show the agents of the session, with what is known of their life and how strictly leases bind them.

    \b
    Example: pucs agents --json
    """
    from pucs.coordinator.status import agents_document  # noqa: PLC0415

    found = agents_document(door.context())
    rows = [
        (
            a["id"],
            a["stream"],
            a["phase"],
            _life(a),
            "" if a["life"] == "ended" else a["enforcement"],
            a["program"],
            a["called_in_at"][:19].replace("T", " "),
            a["task"],
        )
        for a in found
    ]
    header = ("AGENT", "STREAM", "PHASE", "LIFE", "LEVEL", "PROGRAM", "CALLED IN", "TASK")
    door.say(found, table(rows, header) if rows else "No agents yet.")
