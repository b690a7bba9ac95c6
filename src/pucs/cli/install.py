"""``install`` and ``uninstall``: PUCS's hooks in Claude Code, Codex and git, shown before they are written."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from pucs.cli.door import Door, common_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.hooks.installing_files import Plan

PROGRAMS = ("claude", "codex", "git")
_PROGRAM = click.argument("program", type=click.Choice(PROGRAMS))
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_YES = click.option("--yes", is_flag=True, help="Do not ask.")


@click.command()
@_PROGRAM
@_DRY_RUN
@_YES
@common_options
def install(door: Door, program: str, *, dry_run: bool, yes: bool) -> None:
    """Put PUCS's hooks into Claude Code, Codex or git, beside what is there: shows the change and asks first.

    claude: .claude/settings.local.json of the main checkout, which is yours alone. codex: hooks.json in CODEX_HOME, for
    all repositories. Both call a small shell file that explains itself: pucs/hook in .git or CODEX_HOME. git: pre-commit,
    commit-msg and pre-push; hooks that are there are kept and called first.
    Twice is safe, and `pucs uninstall` takes out what was put in.

    \b
    Example: pucs install claude --dry-run
    """
    from pucs.hooks.installing import to_install  # noqa: PLC0415

    _do(door, program, to_install, dry_run=dry_run, yes=yes)


@click.command()
@_PROGRAM
@_DRY_RUN
@_YES
@common_options
def uninstall(door: Door, program: str, *, dry_run: bool, yes: bool) -> None:
    """Take PUCS's hooks out of Claude Code, Codex or git, and nothing else: shows the change and asks first.

    \b
    Example: pucs uninstall claude
    """
    from pucs.hooks.installing import to_uninstall  # noqa: PLC0415

    _do(door, program, to_uninstall, dry_run=dry_run, yes=yes)


def _do(door: Door, program: str, plan_of: Callable[..., Plan], *, dry_run: bool, yes: bool) -> None:
    from pucs.hooks.installing_site import site  # noqa: PLC0415
    from pucs.wiring import open_repository  # noqa: PLC0415

    repository, _ = open_repository(door.repo)
    carry_out(door, plan_of(program, site(repository)), dry_run=dry_run, yes=yes)


def carry_out(door: Door, plan: Plan, *, dry_run: bool, yes: bool) -> None:
    """Show what a plan would change, ask, and change it.

    Raises:
        SystemExit: with 1, if nobody agreed.
    """
    from pucs.hooks.installing_files import listed, make, shown  # noqa: PLC0415

    diff = shown(plan.changes)
    if not door.json:
        said = (
            [_coloured(diff), "", plan.what, "", listed(plan.changes)]
            if plan.changes
            else ["Nothing is to be changed."]
        )
        click.echo("\n".join([*said, *plan.notes]))
    agreed = bool(plan.changes) and not dry_run and (yes or _agreed(door))
    if agreed:
        make(plan.changes)
    refused = bool(plan.changes) and not dry_run and not agreed
    if door.json:
        document = {
            "program": plan.program,
            "what": plan.what,
            "diff": diff,
            "written": agreed,
            "notes": plan.notes,
            "next": plan.next,
        }
        door.say(document, "")
    elif agreed or not plan.changes:
        click.echo("\n".join(["", *(["Done."] if agreed else []), *plan.next]).rstrip())
    if refused:
        raise SystemExit(1)


def _coloured(diff: str) -> str:
    """Return a diff as git shows it at a terminal; click leaves the colours out elsewhere."""
    if "NO_COLOR" in os.environ:
        return diff
    return "\n".join(
        click.style(line, bold=True)
        if line.startswith(("--- ", "+++ ", "keep ", "put "))
        else click.style(line, fg=_COLOURS.get(line[:1]))
        for line in diff.splitlines()
    )


def _agreed(door: Door) -> bool:
    """Ask the person; without one nothing is agreed to."""
    if door.json or not sys.stdin.isatty():
        click.echo("Nothing was changed: there is no terminal to ask at. Agree with --yes.", err=True)
        return False
    if click.confirm("\nChange this?"):
        return True
    click.echo("Nothing was changed.", err=True)
    return False
