"""``partition propose``, ``accept``, ``refuse`` and ``list``: divide a file between agents that need it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pucs.cli.door import Door, common_options, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pucs.coordinator.negotiating import PartitionResult
    from pucs.intents.records import Partition

_AGENT = click.option(
    "--agent",
    metavar="A",
    envvar="PUCS_AGENT",
    default="",
    help="Party that answers; without it, the answer is for all of them [PUCS_AGENT].",
)


@click.group()
@common_options
def partition(door: Door) -> None:
    """Divide a file by its functions and classes between agents that need it at the same time.

    \b
    Example: pucs partition propose shop/cart.py --agents shop-agent-1,shop-agent-2
    """
    del door


@partition.command("propose", short_help="Propose disjoint functions and classes of a file.")
@click.argument("file")
@click.option(
    "--agents", metavar="A,B", default="", help="Parties; default: all that hold, await or plan the file."
)
@common_options
def propose(door: Door, file: str, agents: str) -> None:
    """Propose disjoint functions and classes of a file, from what each agent has changed, named and said it will do.

    Exit status 1 if it cannot be divided: the later agents then wait for the file as a whole.

    \b
    Example: pucs partition propose shop/cart.py --agents shop-agent-1,shop-agent-2
    """
    from pucs.coordinator.negotiating import negotiate  # noqa: PLC0415 - after the options are checked

    context = door.context()
    resource = context.worktrees.canonical(door.repo, (file,))[0]
    names = [name.strip() for name in agents.split(",") if name.strip()]
    found = negotiate(context, file=resource, agents=names)
    door.say(result_document(found), lambda: _proposed(found))
    if not found.success:
        raise SystemExit(1)


@partition.command("accept", short_help="Accept a proposal.")
@click.argument("proposal", type=click.IntRange(min=1))
@_AGENT
@common_options
def accept(door: Door, proposal: int, agent: str) -> None:
    """Accept a proposal as one of its parties, or for all of them. With the last one the leases are divided.

    \b
    Example: pucs partition accept 3 --agent shop-agent-1
    """
    from pucs.coordinator.dividing import accept as agree  # noqa: PLC0415 - after the options are checked

    done = agree(door.context(), proposal=proposal, agent=agent)
    document = {**partition_document(done.partition), "missing": list(done.missing), "tokens": done.tokens}
    if done.missing:
        text = f"Proposal {proposal} waits for {', '.join(done.missing)}."
    else:
        text = f"{done.partition.file} is divided.\n{_scopes(done.partition.scopes)}"
    door.say(document, text)


@partition.command("refuse", short_help="Refuse a proposal.")
@click.argument("proposal", type=click.IntRange(min=1))
@_AGENT
@click.option("--reason", metavar="R", default="", help="Why, for the others.")
@common_options
def refuse(door: Door, proposal: int, agent: str, reason: str) -> None:
    """Refuse a proposal; whoever waits for the file goes on waiting.

    \b
    Example: pucs partition refuse 3 --agent shop-agent-1 --reason "nearly done"
    """
    from pucs.coordinator.dividing import refuse as decline  # noqa: PLC0415 - after the options are checked

    closed = decline(door.context(), proposal=proposal, agent=agent, reason=reason)
    door.say(partition_document(closed), f"Proposal {proposal} is {closed.why}.")


@partition.command("list", short_help="List proposals.")
@click.option("--open", "only_open", is_flag=True, help="Only those that can still be decided.")
@common_options
def list_(door: Door, only_open: bool) -> None:
    """List the proposals of the session.

    \b
    Example: pucs partition list --open
    """
    from pucs.coordinator.negotiating import partitions  # noqa: PLC0415 - after the options are checked

    found = partitions(door.context(), undecided=only_open)
    rows = [
        (one.id, one.file, one.state.value, ", ".join(one.parties), ", ".join(one.accepted), one.why)
        for one in found
    ]
    header = ("ID", "FILE", "STATE", "PARTIES", "ACCEPTED", "WHY")
    door.say([partition_document(one) for one in found], table(rows, header) if rows else "No proposals.")


def result_document(found: PartitionResult) -> dict[str, Any]:
    """Return the answer to a wish to divide a file as its JSON document."""
    return {
        "success": found.success,
        "file": found.file,
        "parties": list(found.parties),
        "scopes": _lists(found.scopes),
        "waits": _lists(found.waits),
        "unassigned": list(found.unassigned),
        "queued": list(found.queued),
        "reason": found.reason,
        "proposal": found.proposal,
        "deadline_at": found.deadline_at,
    }


def partition_document(found: Partition) -> dict[str, Any]:
    """Return a proposal as its JSON document."""
    return {
        "proposal": found.id,
        "file": found.file,
        "state": found.state.value,
        "parties": list(found.parties),
        "scopes": _lists(found.scopes),
        "waits": _lists(found.waits),
        "accepted": list(found.accepted),
        "proposed_at": found.proposed_at,
        "deadline_at": found.deadline_at,
        "ended_at": found.ended_at,
        "why": found.why,
    }


def _lists(symbols: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {agent: list(own) for agent, own in symbols.items()}


def _proposed(found: PartitionResult) -> str:
    if not found.success:
        queued = f" {', '.join(found.queued)} waits for the whole file." if found.queued else ""
        return f"{found.file} cannot be divided: {found.reason}{queued}"
    lines = [
        f"Proposal {found.proposal} for {found.file}, open until {found.deadline_at}:",
        _scopes(found.scopes),
    ]
    lines += [
        f"  {agent} also needs {', '.join(own)}, and waits for it" for agent, own in found.waits.items()
    ]
    lines += [f"  {agent} waits for the whole file" for agent in found.queued]
    lines.append(
        f"Accept: pucs partition accept {found.proposal} --agent A; refuse: pucs partition refuse {found.proposal}"
    )
    return "\n".join(lines)


def _scopes(scopes: Mapping[str, Sequence[str]]) -> str:
    return "\n".join(f"  {agent} takes {', '.join(own)}" for agent, own in scopes.items())
