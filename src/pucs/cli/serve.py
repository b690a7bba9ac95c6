"""``serve``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import click

from pucs.cli.door import Door, common_options
from pucs.core.errors import EnvironmentFailure

if TYPE_CHECKING:
    import socket

PORT = 7827
"""PUCS on a telephone's keys. Where it is taken by another repository's server, any free one will do."""


@click.command()
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(1, 65535),
    help=f"Port; default {PORT}, or any other if that is taken.",
)
@click.option("--ipv6", is_flag=True, help="Listen on ::1 as well.")
@common_options
def serve(door: Door, port: int | None, ipv6: bool) -> None:
    """Serve hooks and MCP on this machine until interrupted; one server per store.

    Agents' hooks find it by themselves and are answered faster. MCP clients find it at URL/mcp, with the token in the
    file that is printed or with an agent's own secret. Needs the extra: pip install 'pucs[server]'. Exit status 1 if a
    server for this store is at work already.

    \b
    Example: pucs serve --port 7827
    """
    from pucs.server.hosting import INSTALL, Hosted, available  # noqa: PLC0415 - of the extra

    if not available():
        raise EnvironmentFailure("The server is not installed.", remedy=f"Install it: {INSTALL}")
    from pucs.server.place import only_server, token, token_place  # noqa: PLC0415
    from pucs.wiring import own_store  # noqa: PLC0415

    context = door.context(door="server")
    asked_to_end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_end.set())
    public = own_store(context)
    with only_server(context, public=public) as announce:
        server = Hosted(context, _listening(port, ipv6=ipv6), token=token(context))
        try:
            address = {
                "url": server.url,
                "pid": os.getpid(),
                "started_at": context.clock.now().wall(),
            }
            announce(address)
            shown = address | {"mcp": f"{server.url}/mcp", "token_file": str(token_place(context))}
            door.say(
                shown,
                f"Serving {server.url} for {context.store.path}. Ctrl-C ends it.\n"
                f"  MCP    {shown['mcp']}\n  token  {shown['token_file']}"
                + (
                    ""
                    if public
                    else "\n  Hooks do not look for it: it serves another store than the repository's."
                ),
            )
            sys.stdout.flush()
            while not asked_to_end.wait(1.0):
                if server.ended.is_set():
                    raise EnvironmentFailure("The server has ended by itself.", remedy="Start it again.")
        finally:
            server.stop()


def _listening(port: int | None, *, ipv6: bool) -> list[socket.socket]:
    from pucs.server.hosting import bound  # noqa: PLC0415

    if port is not None:
        return bound(port, ipv6=ipv6)
    try:
        return bound(PORT, ipv6=ipv6)
    except EnvironmentFailure:
        return bound(ipv6=ipv6)
