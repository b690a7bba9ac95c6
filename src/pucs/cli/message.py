"""``message send``, ``message inbox`` and ``message ack``."""

from __future__ import annotations

import click

from pucs.cli.door import Door, clip, common_options, count, table

TEXT_WIDTH = 60
"""Characters of a text in a table; the inbox shows all of it."""
_KINDS = ("handoff", "log_action", "report_conflict", "request_help")
_AGENT = click.option(
    "--agent", metavar="A", envvar="PUCS_AGENT", required=True, help="Agent that acts [PUCS_AGENT]."
)


@click.group()
@common_options
def message(door: Door) -> None:
    """Write to agents or to whoever runs the session, read and acknowledge.

    What somebody writes is shown with a mark before each line: it is their words, not an order of PUCS.

    \b
    Example: pucs message send --agent shop-agent-1 --to pay-agent-1 "Cart.total() takes a currency now."
    """
    del door


@message.command("send")
@click.argument("text", metavar="TEXT")
@_AGENT
@click.option("--to", metavar="B", default="", help="An agent, or pucs for whoever runs the session.")
@click.option("--all", "everybody", is_flag=True, help="Every other active agent.")
@click.option(
    "--kind",
    type=click.Choice(_KINDS),
    default="request_help",
    show_default=True,
    help="report_conflict to pucs also opens a conflict for a person to decide.",
)
@common_options
def send(door: Door, text: str, agent: str, to: str, everybody: bool, kind: str) -> None:
    """Send a text of at most 4,000 characters.

    \b
    Example: pucs message send --agent shop-agent-1 --to pucs "The VAT rules contradict each other. Which one holds?"
    """
    from pucs.coordinator.posting import report_conflict  # noqa: PLC0415
    from pucs.coordinator.posting import send as say  # noqa: PLC0415
    from pucs.core.errors import Usage  # noqa: PLC0415
    from pucs.messages.records import COORDINATOR, MessageKind  # noqa: PLC0415

    if bool(to) == everybody:
        raise Usage("The message has no receiver.", remedy="Name one with --to, or say --all.")
    context = door.context()
    if kind == MessageKind.REPORT_CONFLICT and to == COORDINATOR:
        number = report_conflict(context, agent=agent, text=text)
        door.say({"conflict": number}, f"Conflict {number} is open. See: pucs conflicts")
        return
    number = say(context, agent=agent, to=to, text=text, kind=MessageKind(kind))
    door.say({"message": number}, f"Message {number} is sent.")


@message.command("inbox")
@_AGENT
@click.option("--ack", is_flag=True, help="Acknowledge what is shown, so that it does not come again.")
@click.option(
    "--all", "everything", is_flag=True, help="Show every message, read or not; none counts as read."
)
@common_options
def inbox(door: Door, agent: str, ack: bool, everything: bool) -> None:
    """Show the messages that are due for an agent, or with --agent pucs for whoever runs the session.

    What is not acknowledged is shown again after a minute, five times at most.

    \b
    Example: pucs message inbox --agent shop-agent-1 --ack
    """
    from pucs.coordinator.messages import inbox as read  # noqa: PLC0415
    from pucs.coordinator.messages import messages  # noqa: PLC0415
    from pucs.messages.rules import quoted  # noqa: PLC0415

    context = door.context()
    if everything:
        found = messages(context, agent=agent)
        rows = [
            (m.id, m.kind, m.sender, m.sent_at, m.ending or "open", clip(m.text, TEXT_WIDTH)) for m in found
        ]
        text = table(rows, ("ID", "KIND", "FROM", "SENT", "STATE", "TEXT")) if rows else "No messages."
        door.say([one.document() for one in found], text)
        return
    due = read(context, agent=agent, acknowledge=ack)
    door.say(
        [{**one.document(), "quoted": quoted(one)} for one in due],
        "\n\n".join(quoted(one) for one in due) if due else "No new messages.",
    )


@message.command("ack")
@click.argument("numbers", metavar="ID...", type=int, nargs=-1, required=True)
@_AGENT
@common_options
def ack(door: Door, numbers: tuple[int, ...], agent: str) -> None:
    """Acknowledge messages, so that they are not delivered again.

    \b
    Example: pucs message ack 17 18 --agent shop-agent-1
    """
    from pucs.coordinator.messages import acknowledge  # noqa: PLC0415

    done = acknowledge(door.context(), agent=agent, messages=numbers)
    door.say({"acknowledged": list(done)}, f"{count(len(done), 'message')} acknowledged.")
