"""``merge ...``: merging by what is in the files, in any repository.

Each subcommand is a module of its own that loads when it is called: git starts the driver for each file with a conflict.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from pucs.cli.door import Door, common_options

SUBCOMMANDS: Final = {
    "driver": ("merge_driver", "Merge three versions of one file, as git's merge driver."),
    "install": ("merge_install", "Let git merge by what is in the files where lines conflict."),
    "replay": ("replay", "Replay a repository's own merges, beside what people committed."),
    "uninstall": ("merge_install", "Let git merge as it did before."),
}
"""Name → (module in this room, one line of help)."""


class _Lazily(click.Group):
    """A group that imports a subcommand's module only when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every name, sorted."""
        del ctx
        return sorted(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand's module and return the subcommand."""
        del ctx
        if cmd_name not in SUBCOMMANDS:
            return None
        module = import_module(f"pucs.cli.{SUBCOMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands without importing any of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(SUBCOMMANDS.items())])


@click.group(cls=_Lazily)
@common_options
def merge(door: Door) -> None:
    """Merge files by what is in them, in any repository; needs no init, session or store.

    \b
    Example: pucs merge install
    Example: pucs merge replay
    """
    del door
