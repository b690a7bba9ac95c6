"""``merge install`` and ``merge uninstall``: git's merge driver, in any repository or in all of a person's."""

from __future__ import annotations

import click

from pucs.cli.door import Door, common_options

_EVERYWHERE = click.option("--global", "everywhere", is_flag=True, help="For all your repositories.")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
_YES = click.option("--yes", is_flag=True, help="Do not ask.")


@click.command()
@_EVERYWHERE
@click.option(
    "--accept",
    type=click.Choice(["auto", "review"]),
    default="auto",
    show_default=True,
    help="review: also what is only probably right.",
)
@click.option(
    "--pattern",
    "patterns",
    metavar="GLOB",
    multiple=True,
    help="Files to merge, as in .gitattributes; more than once for more [default: all kinds PUCS knows].",
)
@_DRY_RUN
@_YES
@common_options
def install(
    door: Door, *, everywhere: bool, accept: str, patterns: tuple[str, ...], dry_run: bool, yes: bool
) -> None:
    """Let git merge by what is in the files, where its own merge of lines finds a conflict.

    Writes a section merge.pucs into git's configuration and lines into info/attributes, of this clone alone, or with
    --global of yours: shows the change and asks first. What .gitattributes says about merging stays as it is. Needs no
    session; twice is safe, and `pucs merge uninstall` takes out what was put in.

    \b
    Example: pucs merge install --dry-run
    Example: pucs merge install --global --yes
    """
    from pucs.cli.install import carry_out  # noqa: PLC0415
    from pucs.hooks import installing_merge  # noqa: PLC0415
    from pucs.wiring import merge_settings  # noqa: PLC0415

    at = merge_settings(door.repo, everywhere=everywhere)
    plan = installing_merge.install(at, accept=accept, patterns=patterns, everywhere=everywhere)
    carry_out(door, plan, dry_run=dry_run, yes=yes)


@click.command()
@_EVERYWHERE
@_DRY_RUN
@_YES
@common_options
def uninstall(door: Door, *, everywhere: bool, dry_run: bool, yes: bool) -> None:
    """Let git merge as it did before: takes out what `pucs merge install` put in, and nothing else.

    \b
    Example: pucs merge uninstall
    """
    from pucs.cli.install import carry_out  # noqa: PLC0415
    from pucs.hooks import installing_merge  # noqa: PLC0415
    from pucs.wiring import merge_settings  # noqa: PLC0415

    plan = installing_merge.uninstall(merge_settings(door.repo, everywhere=everywhere))
    carry_out(door, plan, dry_run=dry_run, yes=yes)
