"""``mcp``."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

import click

from pucs.cli.door import Door, common_options
from pucs.core.errors import EnvironmentFailure


@click.command()
@click.option(
    "--agent",
    metavar="A",
    default="",
    help="Agent that the client acts for [PUCS_AGENT]; default: the one it names in each call, or one of its own.",
)
@common_options
def mcp(door: Door, agent: str) -> None:
    """Let an MCP client act, over standard input and output; the client starts this command itself.

    Its leases are free when it goes away. Needs the extra: pip install 'pucs[server]'. Claude Code is told of it with
    claude mcp add pucs -- pucs mcp

    \b
    Example: pucs mcp --agent ann
    """
    from pucs.server.hosting import INSTALL, available  # noqa: PLC0415 - of the extra

    if not available():
        raise EnvironmentFailure("The MCP server is not installed.", remedy=f"Install it: {INSTALL}")
    from pucs.server.acting import OnStdio  # noqa: PLC0415
    from pucs.server.protocol import on_stdio  # noqa: PLC0415

    launched = os.environ.get("PUCS_AGENT", "")
    context = door.context(door="mcp")
    who = OnStdio(
        context,
        fixed=agent or launched,
        launched=bool(launched) and agent in {"", launched},
        secret=os.environ.get("PUCS_SECRET", ""),
    )

    def leave(number: int, _: object) -> NoReturn:
        # Clients end their servers by a signal; the loop that waits for input would not notice an exception.
        try:
            who.leave()
        finally:
            os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    on_stdio(context, who)
