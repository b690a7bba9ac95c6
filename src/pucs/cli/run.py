"""``run`` and ``launch-stream``: tasks, agents, one merged and tested result."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from pucs.cli.door import EXIT_INTERRUPTED, Door, common_options, count, table
from pucs.core.errors import PucsError, Refused, Usage
from pucs.tasks.records import TaskState

MERGES_MAX = 8
"""Tries to merge beside other runs: each that is overtaken finds less to do."""

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pucs.coordinator.context import Context
    from pucs.streams.records import Stream
    from pucs.tasks.records import Task


@click.command()
@click.option(
    "--tasks",
    "tasks_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Tasks file; see docs/reference/tasks-file.md.",
)
@click.option(
    "--agent",
    "program",
    metavar="PROGRAM",
    default="",
    help="Who does tasks with a prompt: claude, codex, or a shell command that finds the text in PUCS_PROMPT.",
)
@click.option("--agents", metavar="N", type=click.IntRange(1, 256), help="Most agents at once.")
@click.option("--plan", is_flag=True, help="Show what would run together; start nothing.")
@click.option("--no-merge", is_flag=True, help="Leave the streams unmerged.")
@click.option("--no-gate", is_flag=True, help="Start whatever the readiness gate of the configuration says.")
@click.option("--keep-worktrees", is_flag=True, help="Keep worktrees of agents that ended in order.")
@common_options
def run(
    door: Door,
    tasks_file: Path | None,
    program: str,
    agents: int | None,
    *,
    plan: bool,
    no_merge: bool,
    no_gate: bool,
    keep_worktrees: bool,
) -> None:
    """Run tasks with many agents at once, merge their streams in dependency order, and test the result.

    Starts a session if there is none. Ctrl-C stops every agent in order and keeps its work; calling it again goes on
    where it was. Exit status 1 if a task failed or a stream could not be merged.

    \b
    Example: pucs run --tasks tasks.yaml --agents 6 --agent claude
    """
    document = run_session(
        door,
        tasks_file,
        program=program,
        agents=agents or 0,
        plan=plan,
        merge=not no_merge,
        gate=not no_gate,
        keep_worktrees=keep_worktrees,
    )
    door.say(document, lambda: _planned(document) if plan else outcome(document))
    if document.get("interrupted"):
        raise SystemExit(EXIT_INTERRUPTED)
    if not plan and not document["ok"]:
        raise SystemExit(1)


def run_session(
    door: Door,
    tasks_file: Path | None,
    *,
    program: str = "",
    agents: int = 0,
    plan: bool = False,
    merge: bool = True,
    gate: bool = True,
    keep_worktrees: bool = False,
    streams: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Do what ``pucs run`` does and return its document."""
    from pucs.cli.init import keep_backup  # noqa: PLC0415
    from pucs.cli.progress import Progress  # noqa: PLC0415
    from pucs.coordinator import tasks as todo  # noqa: PLC0415
    from pucs.hooks import place  # noqa: PLC0415
    from pucs.wiring import run_tasks  # noqa: PLC0415

    ready = _has_session(door)
    if plan:
        return _plan(door, tasks_file, ready=ready)
    parsed = _parsed(tasks_file, _streams(door, ready=ready))
    if not ready and not parsed:
        _refuse_nothing()
    words, warnings = _check_programs(door, parsed, program, ready=ready)
    if gate:
        warnings += _pass_gate(door, ready=ready)
    if not ready:
        _start(door)
    context = door.context(door="run")
    if parsed:
        todo.import_tasks(context, tasks=parsed)
    if not todo.tasks(context):
        _refuse_nothing()
    with Progress(context, quiet=door.json), _hosted(context, words) as endpoint:
        result = run_tasks(
            context,
            streams=streams,
            agents=agents,
            program=program,
            endpoint=endpoint,
            hook=(str(place()),),
            keep_worktrees=keep_worktrees,
        )
        merged = _merged(context) if merge and not result.interrupted else None
    keep_backup(context)
    return {**_document(context, result, merged), "warnings": warnings}


def _refuse_nothing() -> NoReturn:
    raise Usage(
        "There is nothing to do.",
        remedy="Write a tasks file and name it with --tasks, or add tasks: pucs init && pucs task add",
    )


def _start(door: Door) -> None:
    """Start a session and say what began: the session, and what its agents will not see."""
    from pucs.cli.init import initialise  # noqa: PLC0415

    try:
        started = initialise(door)
    except PucsError:
        if not _has_session(door):
            raise
        return  # another run began at the same moment: share its session
    if door.json:
        return
    if started["proposed"]:
        click.echo(f"Wrote {started['configuration']}, proposed from your code.")
    click.echo(f"Started session {started['session']} ({count(len(started['streams']), 'stream')}).")
    for warning in started["warnings"]:
        click.echo(f"Note: {warning}")


def _parsed(tasks_file: Path | None, streams: tuple[Stream, ...]) -> tuple[Task, ...]:
    from pucs.cli.settings import read_text  # noqa: PLC0415
    from pucs.tasks.file import parse_tasks  # noqa: PLC0415

    if tasks_file is None:
        return ()
    names = [stream.name for stream in streams]
    return parse_tasks(read_text(tasks_file), str(tasks_file), streams=names)


def _streams(door: Door, *, ready: bool) -> tuple[Stream, ...]:
    """Return the streams of the session, else those that it would be started with."""
    from pucs.cli.init import look  # noqa: PLC0415

    if not ready:
        return look(door, keep=True).configuration.streams
    context = door.context()
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
        return tuple(row.stream for row in tx.sessions.streams(session.id)) if session else ()


def _has_session(door: Door) -> bool:
    from pucs.core.errors import StoreError  # noqa: PLC0415

    try:
        context = replace(door, session="").context()
    except StoreError as error:
        if "There is no store" in error.message:
            return False
        raise
    with context.store.read() as tx:
        return tx.sessions.active() is not None


def _check_programs(
    door: Door, parsed: tuple[Task, ...], program: str, *, ready: bool
) -> tuple[list[str], list[str]]:
    """Look at every program that tasks with a prompt name, before anything is started; return them and warnings."""
    from pucs.cli.init import look  # noqa: PLC0415
    from pucs.coordinator import tasks as todo  # noqa: PLC0415
    from pucs.wiring import check_programs  # noqa: PLC0415

    left = {task.id: task for task in todo.unfinished(door.context())} if ready else {}
    asked = [task for task in (left | {task.id: task for task in parsed}).values() if task.prompt]
    if not asked:
        return [], []
    words = list(dict.fromkeys(task.agent or program for task in asked))
    if "" in words:
        nobody = next(task.id for task in asked if not task.agent)
        raise Usage(
            f"Task {nobody} has a prompt, and no agent program is named.",
            remedy="Name one, for example: --agent claude (or a shell command: --agent 'aider --message \"$PUCS_PROMPT\"')",
        )
    if ready:
        with door.context().store.read() as tx:
            configuration = tx.sessions.configuration()
    else:
        configuration = look(door, keep=True).configuration
    warnings = list(check_programs(words, configuration.agents))
    if not door.json:
        for warning in warnings:
            click.echo(f"Note: {warning}")
    return words, warnings


def _pass_gate(door: Door, *, ready: bool) -> list[str]:
    """Look at the code before anything is started, if the configuration asks for it; return warnings."""
    from pucs.cli.init import look  # noqa: PLC0415

    if ready:
        with door.context().store.read() as tx:
            settings = tx.sessions.configuration().readiness
    else:
        settings = look(door, keep=True).configuration.readiness
    if settings.gate == "off":
        return []
    from pucs.cli.readiness import pass_gate  # noqa: PLC0415 - only where it is asked for

    warnings = pass_gate(door, settings)
    if not door.json:
        for warning in warnings:
            click.echo(f"Note: {warning}")
    return warnings


@contextmanager
def _hosted(context: Context, words: list[str]) -> Iterator[str]:
    """Answer the hooks and MCP calls of agent programs while they run; yields the URL, empty if there is no server."""
    from pucs.server.hosting import available, hosted  # noqa: PLC0415
    from pucs.wiring import programs  # noqa: PLC0415

    if not words or not programs().keys() & set(words) or not available():
        yield ""
        return
    with hosted(context) as url:
        yield url


def _plan(door: Door, tasks_file: Path | None, *, ready: bool) -> dict[str, Any]:
    """Return which tasks would run together: those of the session and those of the file; nothing is written."""
    from pucs.coordinator import tasks as todo  # noqa: PLC0415
    from pucs.streams.boundaries import Boundaries  # noqa: PLC0415
    from pucs.tasks.schedule import waves  # noqa: PLC0415

    streams = _streams(door, ready=ready)
    boundaries = Boundaries(streams)
    known = {task.id: task for task in (todo.tasks(door.context()) if ready else ())}
    for task in _parsed(tasks_file, streams):
        if task.id not in known or known[task.id].state in {TaskState.PENDING, TaskState.FAILED}:
            owners = {boundaries.owner(file) for file in task.files} - {None}
            by_files = str(owners.pop()) if len(owners) == 1 else ""
            known[task.id] = replace(task, stream=task.stream or by_files)
    found = waves(list(known.values()))
    return {
        "waves": [
            [{"id": t.id, "stream": t.stream, "title": t.title, "files": list(t.files)} for t in wave]
            for wave in found
        ]
    }


def _planned(document: dict[str, Any]) -> str:
    rows = [
        (number, task["id"], task["stream"], ", ".join(task["files"]), task["title"])
        for number, wave in enumerate(document["waves"], 1)
        for task in wave
    ]
    return table(rows, ("WAVE", "TASK", "STREAM", "FILES", "TITLE")) if rows else "Nothing is left to run."


def _merged(context: Context) -> Any:
    """Merge the streams; when another run merged at the same moment, merge what is left."""
    from pucs.coordinator.finalizing import finalize  # noqa: PLC0415

    for _ in range(MERGES_MAX - 1):
        try:
            return finalize(context)
        except Refused as error:
            if not error.fields.get("again"):
                raise
    return finalize(context)


def _document(context: Context, result: Any, merged: Any) -> dict[str, Any]:
    from pucs.coordinator.salvaging import salvages  # noqa: PLC0415
    from pucs.coordinator.spending import totals  # noqa: PLC0415
    from pucs.coordinator.status import status  # noqa: PLC0415
    from pucs.wiring import output_directory  # noqa: PLC0415

    found = status(context)
    unmerged = {one.stream: one.message for one in merged.held} if merged is not None else {}
    return {
        "session": found["session"],
        "branch": found["branch"],
        "target": found["target"],
        "agents": list(result.agents),
        "tasks": found["tasks"],
        "failed": [{"id": task.id, "reason": task.result, "salvage": task.salvage} for task in result.failed],
        "conflicts": found["conflicts"],
        "kept": [kept.ref for kept in salvages(context, session=found["session"])],
        "output": str(output_directory(context, found["session"])),
        "merged_streams": list(merged.merged) if merged is not None else [],
        "unmerged_streams": list(unmerged),
        "reasons": unmerged,
        "tests_passed": merged.tests_passed if merged is not None else None,
        "problems": list(dict.fromkeys(result.problems)),
        "spent": totals(context, session=found["session"]).document(),
        "interrupted": result.interrupted,
        "duration_s": round(result.duration_s, 3),
        "ok": result.exit_status == 0 and not unmerged,
    }


def outcome(document: dict[str, Any]) -> str:
    """Return the end of a run in words."""
    tasks = document["tasks"]
    lines = [
        "",
        (
            f"{count(tasks['done'], 'task')} done, {tasks['failed']} failed, {tasks['pending']} left, "
            f"by {count(len(document['agents']), 'agent')} in {document['duration_s']:.1f} s."
        ),
    ]
    for failed in document["failed"]:
        kept = f" Its work is on {failed['salvage']}." if failed["salvage"] else ""
        lines.append(f"  {failed['id']} failed: {failed['reason'].rstrip('.')}.{kept}")
    if document["failed"]:
        lines.append(f"  What the agents printed is in {document['output']}")
    lines += [f"  Problem: {problem}" for problem in document["problems"]]
    spent = document["spent"]
    if spent["agents"]:
        cost = f", {spent['cost_usd']:.2f} USD" if spent["cost_usd"] is not None else ""
        more = " and more, of programs that do not say" if cost and spent["unpriced_tokens"] else ""
        tokens = f"{spent['input_tokens']:,} tokens in ({spent['cached_tokens']:,} more from caches)"
        lines.append(f"Models took {tokens}, {spent['output_tokens']:,} out{cost}{more}.")
    if document["interrupted"]:
        return "\n".join([*lines, "Stopped. Nothing is lost; go on with: pucs run"])
    if document["merged_streams"]:
        tested = {True: ", tests passed", False: ", TESTS FAILED", None: ""}[document["tests_passed"]]
        lines.append(f"Merged into {document['branch']}: {', '.join(document['merged_streams'])}{tested}.")
    lines += [f"{name} is not merged, and intact: {why}" for name, why in document["reasons"].items()]
    if document["kept"]:
        lines.append(f"{count(len(document['kept']), 'piece')} of work kept aside: pucs salvage list")
    if document["conflicts"]["open"]:
        lines.append(
            f"{count(document['conflicts']['open'], 'conflict')} to decide: pucs conflicts --unresolved"
        )
    if document["ok"]:
        lines.append(
            f"Take the result with: git merge {document['branch']}    (or: pucs finalize --target BRANCH)"
        )
    return "\n".join(lines)


@click.command("launch-stream")
@click.argument("stream", metavar="STREAM")
@click.option(
    "--agents",
    metavar="N",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Agents to start.",
)
@click.option(
    "--tasks",
    "tasks_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Tasks file to bring in first.",
)
@click.option(
    "--agent",
    "program",
    metavar="PROGRAM",
    default="",
    help="Who does tasks with a prompt: claude, codex, or a shell command.",
)
@common_options
def launch_stream(door: Door, stream: str, agents: int, tasks_file: Path | None, program: str) -> None:
    """Start agents for one stream; they work until none of its tasks is left. The stream is not merged.

    \b
    Example: pucs launch-stream shop --agents 3
    """
    if tasks_file is None and not _has_session(door):
        raise Refused("There is no active session.", remedy="Start one with: pucs init")
    document = run_session(door, tasks_file, program=program, agents=agents, merge=False, streams=(stream,))
    door.say(document, lambda: outcome(document))
    if document["interrupted"]:
        raise SystemExit(EXIT_INTERRUPTED)
    if not document["ok"]:
        raise SystemExit(1)
