"""``test``: a stream's tests, run and recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pucs.cli.door import Door, clip, common_options, one_line, span, table

if TYPE_CHECKING:
    from pucs.streams.checks import TestRun

COMMAND_WIDTH = 40
LINES_SHOWN = 20
"""Lines of a failed run's output; --json has all that is kept."""


@click.command()
@click.option("--stream", metavar="S", default="", help="Stream whose tests run.")
@click.option(
    "--agent",
    metavar="A",
    default="",
    help="Run them in this agent's worktree, on what is there now; default: on the stream's branch.",
)
@click.option(
    "--command",
    metavar="C",
    default="",
    help="Shell command instead of the configured one; {files} stands for the stream's tests.",
)
@click.option(
    "--timeout", metavar="S", type=click.FloatRange(min=0, min_open=True), help="Seconds it may take."
)
@click.option("--list", "listing", is_flag=True, help="Show earlier runs; run nothing.")
@common_options
def test(door: Door, stream: str, agent: str, command: str, timeout: float | None, *, listing: bool) -> None:
    """Run a stream's tests and record how they ended. A landing is held against these records.

    \b
    Example: pucs test --stream shop --agent shop-agent-1
    """
    from pucs.coordinator import checks  # noqa: PLC0415 - after the options are checked
    from pucs.streams.checks import TestResult  # noqa: PLC0415

    context = door.context()
    if listing:
        runs = checks.runs(context, stream=stream)
        door.say([document(run) for run in runs], lambda: _listed(runs))
        return
    run = checks.run_tests(context, stream=stream, agent=agent, command=command, timeout_s=timeout)
    door.say(document(run), lambda: _told(run))
    if run.result is not TestResult.PASSED:
        raise SystemExit(1)


def document(run: TestRun) -> dict[str, Any]:
    """Return a test run as its JSON document."""
    return {
        "id": run.id,
        "session": run.session,
        "stream": run.stream,
        "agent": run.agent,
        "task": run.task,
        "commit": run.commit,
        "tree": run.tree,
        "command": run.command,
        "result": run.result.value,
        "status": run.status,
        "duration_s": run.duration_s,
        "output": run.output,
        "at": run.at,
    }


def _told(run: TestRun) -> str:
    where = f"in the worktree of {run.agent}" if run.agent else f"on {run.commit[:12]}"
    said = f"Tests of {run.stream} {where}: {run.result.value} in {span(run.duration_s)} ({clip(run.command, 200)})"
    if run.result.value == "passed":
        return one_line(said)
    return "\n".join(map(one_line, [said, *run.output.expandtabs().splitlines()[-LINES_SHOWN:]]))


def _listed(runs: list[TestRun]) -> str:
    rows = [
        (
            run.id,
            run.at[:19].replace("T", " "),
            run.stream or "merged",
            run.agent,
            run.result.value,
            span(run.duration_s),
            run.commit[:12],
            clip(run.command, COMMAND_WIDTH),
        )
        for run in runs
    ]
    header = ("ID", "AT", "STREAM", "AGENT", "RESULT", "TOOK", "COMMIT", "COMMAND")
    return table(rows, header) if rows else "No test runs yet."
