"""``request``: ask for work outside one's boundary, and decide on waivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pucs.cli.door import Door, clip, common_options, table
from pucs.core.errors import Usage

if TYPE_CHECKING:
    from pucs.conflicts.requests import Waiver
    from pucs.coordinator.requesting import Requested

REASON_WIDTH = 60
"""Characters of a reason in the list; --json says the rest."""
MINUTE_S = 60


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE...]")
@click.option("--reason", metavar="R", default="", help="What is needed, or why a waiver is refused.")
@click.option(
    "--agent",
    metavar="A",
    default="",
    envvar="PUCS_AGENT",
    help="Agent that asks [PUCS_AGENT; default: you].",
)
@click.option("--waive", is_flag=True, help="Ask for leave to make the change yourself.")
@click.option("--whole-stream", is_flag=True, help="With --waive: for every agent of your stream.")
@click.option("--list", "listed", is_flag=True, help="Show what was asked for.")
@click.option("--approve", metavar="ID", type=int, default=None, help="Approve a waiver.")
@click.option(
    "--refuse", metavar="ID", type=int, default=None, help="Refuse a waiver, or end an approved one."
)
@click.option(
    "--minutes",
    metavar="N",
    type=click.FloatRange(min=0, min_open=True),
    help="With --approve: how long [locks.max_duration_min].",
)
@click.option("--by", metavar="NAME", default="", help="Who decides [operator].")
@common_options
def request(
    door: Door,
    files: tuple[str, ...],
    reason: str,
    agent: str,
    approve: int | None,
    refuse: int | None,
    minutes: float | None,
    by: str,
    *,
    waive: bool,
    whole_stream: bool,
    listed: bool,
) -> None:
    """Ask for work on files that another stream covers: it becomes a task of that stream.

    With --waive it becomes a request for a waiver, which whoever runs the session approves or refuses; an approved one lets
    the agent lease, change and land the files until it is over.

    \b
    Example: pucs request catalog/prices.py --reason "round to cents" --agent shop-agent-1
    Example: pucs request --list
    Example: pucs request --approve 2 --minutes 30
    """
    chosen = [bool(files), listed, approve is not None, refuse is not None]
    if chosen.count(True) != 1:
        raise Usage(
            "Nothing was asked for, or too much.",
            remedy="Give files with --reason, or one of --list, --approve ID and --refuse ID.",
        )
    if listed:
        _list(door)
    elif approve is not None:
        from pucs.coordinator.requesting import approve as let  # noqa: PLC0415

        seconds = None if minutes is None else minutes * MINUTE_S
        _say(door, let(door.context(), waiver=approve, by=by, duration_s=seconds))
    elif refuse is not None:
        from pucs.coordinator.requesting import refuse as deny  # noqa: PLC0415

        _say(door, deny(door.context(), waiver=refuse, by=by, reason=reason))
    else:
        from pucs.coordinator.requesting import request as ask  # noqa: PLC0415

        context = door.context()
        names = context.worktrees.canonical(door.repo, files)
        made = ask(context, files=names, reason=reason, agent=agent, waive=waive, whole_stream=whole_stream)
        door.say(_document(made), _text(made))


def _document(made: Requested) -> dict[str, object]:
    return {
        "tasks": made.tasks,
        "waivers": [waiver.document() for waiver in made.waivers],
        "free": list(made.free),
    }


def _text(made: Requested) -> str:
    lines = [f"Task {task.id} asks stream {task.stream}: {', '.join(task.files)}." for task in made.tasks]
    lines += [
        f"Waiver {waiver.id} for {waiver.resource} of stream {waiver.covered_by} is asked for; "
        f"approve it: pucs request --approve {waiver.id}"
        for waiver in made.waivers
    ]
    if made.free:
        lines.append(f"No other stream covers {', '.join(made.free)}: lease it, no request is needed.")
    return "\n".join(lines)


def _say(door: Door, waiver: Waiver) -> None:
    who = waiver.agent or f"stream {waiver.stream}"
    until = f" until {waiver.expires_at}" if waiver.expires_at else ""
    door.say(
        waiver.document(),
        f"Waiver {waiver.id} for {who} on {waiver.resource}: {waiver.state.value} by {waiver.decided_by}{until}.",
    )


def _list(door: Door) -> None:
    from pucs.coordinator.requesting import requests  # noqa: PLC0415

    found = requests(door.context())
    rows = [
        (
            task.id,
            "task",
            task.requested_by,
            task.stream,
            task.state.value,
            ", ".join(task.files),
            task.reason,
        )
        for task in found.tasks
    ]
    rows += [
        (
            str(waiver.id),
            "waiver",
            waiver.agent or f"stream {waiver.stream}",
            waiver.covered_by,
            waiver.state.value + (f" until {waiver.expires_at}" if waiver.expires_at else ""),
            waiver.resource,
            waiver.reason,
        )
        for waiver in found.waivers
    ]
    header = ("ID", "WHAT", "FOR", "COVERED BY", "STATE", "FILES", "REASON")
    shown = [(*row[:-1], clip(" ".join(row[-1].split()), REASON_WIDTH)) for row in rows]
    document = {"tasks": found.tasks, "waivers": [waiver.document() for waiver in found.waivers]}
    door.say(document, table(shown, header) if shown else "Nothing was asked for.")
