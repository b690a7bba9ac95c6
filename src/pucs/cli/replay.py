"""``merge replay``: what would have become of a repository's own merges."""

from __future__ import annotations

import click

from pucs.cli.door import Door, common_options
from pucs.core.errors import Refused


@click.command()
@common_options
def replay(door: Door) -> None:
    """Replay a repository's own merges, and compare with what people committed.

    \b
    Example: pucs merge replay
    """
    del door
    raise Refused("Not there yet.")
