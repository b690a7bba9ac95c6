"""``handoff give``, ``list``, ``show``, ``accept`` and ``close``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pucs.cli.door import Door, common_options, one_line, table, to_json
from pucs.core.errors import Usage

if TYPE_CHECKING:
    from pucs.messages.handoffs import HandOff

_AGENT = click.option(
    "--agent", metavar="A", envvar="PUCS_AGENT", required=True, help="Agent that acts [PUCS_AGENT]."
)
_LISTS = ("completed", "pending", "warning", "file", "review", "interface", "breaking", "commit")
_FIELDS = {
    "warning": "warnings",
    "file": "related_files",
    "review": "files_to_review",
    "interface": "new_interfaces",
    "breaking": "breaking_changes",
    "commit": "commits",
}


@click.group()
@common_options
def handoff(door: Door) -> None:
    """Hand work over with its context, leases and worktree, and take over from others.

    \b
    Example: pucs handoff give --agent shop-agent-1 --to pay-agent-1 --completed "VAT" --pending "receipts" --tests "42 pass"
    """
    del door


@handoff.command("give")
@_AGENT
@click.option(
    "--to", metavar="B", multiple=True, help="Receiver; several times for several. Default: the stream."
)
@click.option("--completed", metavar="TEXT", multiple=True, help="What is done; may be repeated.")
@click.option("--pending", metavar="TEXT", multiple=True, help="What is left to do; may be repeated.")
@click.option("--warning", metavar="TEXT", multiple=True, help="A known issue; may be repeated.")
@click.option(
    "--tests", metavar="TEXT", default="", help='State of the tests, such as "42 pass" or "not run".'
)
@click.option("--notes", metavar="TEXT", default="", help="Anything else worth knowing.")
@click.option("--file", metavar="FILE", multiple=True, help="A related file; may be repeated.")
@click.option("--review", metavar="FILE", multiple=True, help="A file to review; may be repeated.")
@click.option("--interface", metavar="NAME", multiple=True, help="A new interface; may be repeated.")
@click.option("--breaking", metavar="TEXT", multiple=True, help="A breaking change; may be repeated.")
@click.option("--commit", metavar="ID", multiple=True, help="A commit; default: the agent's own.")
@click.option(
    "--signal",
    metavar="S",
    default="",
    help="READY_FOR_REVIEW, BLOCKED_ON_x, DISCOVERED_ISSUE, TASK_COMPLETE or PARTIAL_SUCCESS.",
)
@click.option("--task", metavar="T", default="", help="Task; default: the one at work on.")
@click.option(
    "--from",
    "source",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Read it from a file: JSON with to_agents or to_agent, or the Markdown form.",
)
@click.option("--keep", is_flag=True, help="Tell only: leases and worktree stay with the giver.")
@click.option("--incomplete", is_flag=True, help="Hand over although something is missing.")
@common_options
def give(door: Door, agent: str, source: Path | None, keep: bool, incomplete: bool, **said: Any) -> None:
    """Hand an agent's work over; refused with a list of what is missing.

    Branch, commits and leased files are filled in.

    \b
    Example: pucs handoff give --agent shop-agent-1 --completed "VAT" --tests "42 pass" --review shop/tax.py
    """
    from pucs.coordinator.handoffs import hand_off  # noqa: PLC0415
    from pucs.messages.handoffs import as_plain, from_plain  # noqa: PLC0415

    read = _read(source) if source else None
    given: dict[str, Any] = as_plain(read.contents) if read else {}
    for name in _LISTS:
        if said[name]:
            given[_FIELDS.get(name, name)] = said[name]
    texts = {"test_status": said["tests"], "notes": said["notes"]}
    given |= {name: text for name, text in texts.items() if text}
    done = hand_off(
        door.context(),
        agent=agent,
        to=said["to"] or (read.to if read else ()),
        contents=from_plain(given),
        signal=said["signal"] or (read.signal if read else ""),
        task=said["task"] or (read.task if read else ""),
        transfer=not keep,
        incomplete=incomplete,
    )
    whom = ", ".join(done.to) or (f"any agent of {done.stream}" if done.stream else "any agent")
    door.say(done.document(), f"Hand-off {done.id} ({done.signal}) is given to {whom}.")


def _read(source: Path) -> HandOff:
    from pucs.cli.settings import read_text  # noqa: PLC0415
    from pucs.messages.forms import from_004, from_document  # noqa: PLC0415

    text = read_text(source)
    if not text.lstrip().startswith("{"):
        return from_004(text)
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Usage(f"{source} is no JSON: {error}.", remedy="See: pucs handoff show --format 002") from error
    several = document.get("handoffs") if isinstance(document, dict) else None
    if isinstance(several, list):
        if len(several) != 1:
            raise Usage(f"{source} holds {len(several)} hand-offs.", remedy="Give them one by one.")
        document = several[0]
    return from_document(document)


@handoff.command("list")
@click.option("--agent", metavar="A", default="", help="Only what this agent gave or may accept.")
@click.option("--all", "everything", is_flag=True, help="Accepted and closed ones, too.")
@common_options
def list_(door: Door, agent: str, everything: bool) -> None:
    """List open hand-offs.

    \b
    Example: pucs handoff list --agent pay-agent-1
    """
    from pucs.coordinator.handoffs import handoffs  # noqa: PLC0415

    found = handoffs(door.context(), pending=not everything, agent=agent)
    rows = [
        (
            one.id,
            one.giver,
            ", ".join(one.to) or one.stream or "anybody",
            one.signal,
            one.task,
            one.state,
            one.taken_by,
        )
        for one in found
    ]
    header = ("ID", "FROM", "TO", "SIGNAL", "TASK", "STATE", "TAKEN BY")
    door.say([one.document() for one in found], table(rows, header) if rows else "No hand-offs.")


@handoff.command("show")
@click.argument("number", metavar="ID", type=int)
@click.option(
    "--format",
    "form",
    type=click.Choice(["001", "002", "004"]),
    help="As a document: 001: many receivers; 002: one receiver with its stream; 004: Markdown.",
)
@common_options
def show(door: Door, number: int, form: str | None) -> None:
    """Show a hand-off, quoted as words of its giver, or as one of the three documents.

    \b
    Example: pucs handoff show 3 --format 002
    """
    from pucs.coordinator.handoffs import handoff as one  # noqa: PLC0415
    from pucs.messages.forms import as_001, as_002, as_004, quoted  # noqa: PLC0415

    found = one(door.context(), number=number)
    if form is None:
        door.say({**found.document(), "quoted": quoted(found)}, quoted(found))
    elif form == "004":
        click.echo("\n".join(one_line(line) for line in as_004(found).splitlines()))
    else:
        click.echo(to_json(as_001(found) if form == "001" else as_002(found)))


@handoff.command("accept")
@click.argument("number", metavar="ID", type=int)
@_AGENT
@common_options
def accept(door: Door, number: int, agent: str) -> None:
    """Accept a hand-off: the first to do so gets leases and worktree with it.

    \b
    Example: pucs handoff accept 3 --agent pay-agent-1
    """
    from pucs.coordinator.handoffs import accept as take  # noqa: PLC0415

    done = take(door.context(), agent=agent, handoff=number)
    document = {
        "handoff": done.handoff.id,
        "taken_by": done.handoff.taken_by,
        "tokens": done.tokens,
        "worktree": done.worktree,
        "branch": done.branch,
        "not_transferred": list(done.not_transferred),
    }
    lines = [f"{agent} has accepted hand-off {number}."]
    if done.tokens:
        lines.append(f"  holds now     {', '.join(done.tokens)}")
    if done.worktree:
        lines.append(f"  works in      {done.worktree} on {done.branch}")
    lines += [f"  not with it   {one_line(reason)}" for reason in done.not_transferred]
    door.say(document, "\n".join(lines))


@handoff.command("close")
@click.argument("number", metavar="ID", type=int)
@_AGENT
@common_options
def close(door: Door, number: int, agent: str) -> None:
    """Take a hand-off back, as the agent that gave it.

    \b
    Example: pucs handoff close 3 --agent shop-agent-1
    """
    from pucs.coordinator.handoffs import close as take_back  # noqa: PLC0415

    done = take_back(door.context(), agent=agent, handoff=number)
    door.say(done.document(), f"Hand-off {number} is {done.state}.")
