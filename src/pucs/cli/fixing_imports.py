"""``readiness --fix-imports``: imports of what has moved, changed to where it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from pucs.cli.door import Door, count, one_line
from pucs.core.errors import PucsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pucs.coordinator.migrating import Migration

_COLOURS: Final = {"+": "green", "-": "red", "@": "cyan"}


def fixing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of ``--fix-imports`` to a command."""
    for option in reversed((
        click.option(
            "--fix-imports",
            "move",
            nargs=2,
            metavar="OLD NEW",
            default=None,
            help="Let users of a module, or of a name in one, import it from where it is now.",
        ),
        click.option(
            "--dry-run/--apply",
            "dry_run",
            default=None,
            help="With --fix-imports: show the changes (default); --apply writes them.",
        ),
        click.option("--force", is_flag=True, help="With --fix-imports: also where NEW is still to come."),
        click.option(
            "--uncommitted",
            is_flag=True,
            help="With --apply: also in files with changes that are not committed.",
        ),
    )):
        function = option(function)
    return function


def fix_imports(
    door: Door, move: tuple[str, str] | None, *, dry_run: bool | None, force: bool, uncommitted: bool
) -> bool:
    """Do what the options ask; False: they ask for nothing.

    Raises:
        Usage, NotFound: see ``coordinator.migrating.plan``.
        Refused, EnvironmentFailure: see ``coordinator.migrating.carry_out``.
        SystemExit: with 1, if places are left that still use the old side.
    """
    if move is None:
        if dry_run is not None or force or uncommitted:
            raise click.UsageError("--dry-run, --apply, --force and --uncommitted go with --fix-imports.")
        return False
    if uncommitted and dry_run is not False:
        raise click.UsageError("--uncommitted goes with --apply.")
    from pucs.cli.bars import reading_bar  # noqa: PLC0415 - after the options are checked
    from pucs.coordinator.migrating import carry_out, document, plan  # noqa: PLC0415
    from pucs.wiring import open_replacing, open_sources  # noqa: PLC0415

    sources, index, parsers = open_sources(door.repo)
    old, new = move
    with reading_bar() as told:
        found = plan(sources, index, parsers, old=old, new=new, force=force, told=told)
    written: Sequence[str] = ()
    for warning in _held(door, found):
        click.echo(f"Warning: {one_line(warning)}", err=True)
    if dry_run is False:
        written = carry_out(open_replacing(sources.root), found, uncommitted=uncommitted)
    door.say(document(found, written=written, dry_run=dry_run is not False), lambda: _text(found, written))
    if found.left:
        raise SystemExit(1)
    return True


def _held(door: Door, found: Migration) -> list[str]:
    """Return warnings about files that agents hold in an active session."""
    from pucs.wiring import session_active  # noqa: PLC0415

    if not found.files or not session_active(door.repo):
        return []
    from pucs.coordinator.inspecting import locks  # noqa: PLC0415 - only while a session is active
    from pucs.core.resources import file_resource, overlaps, path_resource  # noqa: PLC0415

    try:
        leases = locks(door.context())
    except PucsError as error:
        return [f"A session is active, and its leases cannot be read: {error.message}"]
    return [
        f"{one.path} is held by {lease.agent}: it will meet this change when it lands or syncs."
        for one in found.files
        for lease in leases
        if overlaps(file_resource(lease.resource), path_resource(one.path))
    ]


def _text(found: Migration, written: Sequence[str]) -> str:
    lines: list[str] = []
    if not found.files and not found.left:
        lines.append(f"Nothing in the tracked Python files uses {found.old}.")
    if found.files and not written:
        lines += [_coloured(line) for line in found.diff().decode("utf-8", "replace").split("\n")]
    if found.files:
        kinds = [each.kind for one in found.files for each in one.changes]
        told = ", ".join(
            count(kinds.count(kind), kind) for kind in ("import", "use", "string") if kind in kinds
        )
        said = f"{'Changed' if written else 'Would change'} {told} in {count(len(found.files), 'file')}."
        lines.append(click.style(said, bold=True))
        for one in found.files:
            lines += [
                f"  {one_line(one.path)}:{each.line}  {one_line(each.before)!r} → {one_line(each.after)!r}"
                for each in one.changes
                if each.kind == "string"
            ]
    if found.left:
        lines += ["", click.style(f"Left as {'it is' if len(found.left) == 1 else 'they are'}:", bold=True)]
        lines += [
            f"  {one_line(one.path)}{f':{one.line}' if one.line else ''}  {one_line(one.reason)}"
            for one in found.left
        ]
    lines += ["", *(f"Note: {one_line(note)}" for note in found.notes)] if found.notes else []
    if found.files:
        lines += ["", _next(found, written)]
    return "\n".join(lines).lstrip("\n")


def _coloured(line: str) -> str:
    text = one_line(line.removesuffix("\r").replace("\t", "    "))
    return click.style(text, fg=_COLOURS.get(text[:1]))


def _next(found: Migration, written: Sequence[str]) -> str:
    if written:
        return "Next: run your tests, look at git diff, commit."
    return f"Nothing was written. To write it: pucs readiness --fix-imports {found.old} {found.new} --apply"
