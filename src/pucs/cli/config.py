"""``config check``, ``config show`` and ``config apply``."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from pucs.cli.door import Door, common_options, table
from pucs.core.errors import ConfigurationError, EnvironmentFailure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pucs.streams.settings import Configuration

SHARED_SHOWN = 10
"""Places of uncovered files that are named; the number says the rest."""
_FILE = click.argument("file", required=False, metavar="[FILE]", type=click.Path(path_type=Path))


@click.group()
@common_options
def config(door: Door) -> None:
    """Check, show and apply the configuration: pucs.yaml, pucs_config.yaml or config/pucs_streams.yaml.

    \b
    Example: pucs config check
    """
    del door


@config.command("check", short_help="Tell everything that is wrong with a configuration.")
@_FILE
@common_options
def check(door: Door, file: Path | None) -> None:
    """Tell everything that is wrong with a configuration, with file and line; exit status 2 if there is anything.

    Seen against the files of the last commit, it also tells which files are shared and what matches nothing.

    \b
    Example: pucs config check
    Example: pucs config check examples/trading-bot/pucs.yaml
    """
    from pucs.cli.settings import read_text  # noqa: PLC0415
    from pucs.streams.boundaries import check_overlaps  # noqa: PLC0415
    from pucs.streams.configuration import parse  # noqa: PLC0415

    place, files = _place(door, file)
    text = read_text(place)
    try:
        configuration = parse(text, _short(place), os.environ)
    except ConfigurationError as error:
        problems = error.fields.get("problems", ())
        _refuse(
            door,
            error.message.splitlines(),
            [{"file": p.source, "line": p.line, "column": p.column, "message": p.message} for p in problems],
        )
    overlaps = check_overlaps(configuration, files)
    if overlaps:
        _refuse(
            door,
            [str(overlap) for overlap in overlaps],
            [{"file": o.source, "line": o.lines[1], "column": 0, "message": str(o)} for o in overlaps],
        )
    document = _document(configuration, files)
    door.say(document, lambda: _summary(document))


@config.command("show", short_help="Show every setting in effect.")
@_FILE
@common_options
def show(door: Door, file: Path | None) -> None:
    """Show every setting in effect: of the active session, else of the file, defaults included.

    \b
    Example: pucs config show --json
    """
    configuration = None if file else _applied(door)
    if configuration is None:
        from pucs.cli.settings import read_configuration  # noqa: PLC0415

        configuration = read_configuration(_place(door, file)[0])
    plain = dataclasses.asdict(configuration)
    door.say(plain, lambda: "\n".join(f"{key} = {value}" for key, value in _flat(plain)))


@config.command("apply", short_help="Compile the configuration into the store.")
@_FILE
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@common_options
def apply(door: Door, file: Path | None, *, dry_run: bool) -> None:
    """Compile the configuration into the store, for the session that is under way.

    A stream with work or agents cannot be taken out. Leases and tasks stay as they are.

    \b
    Example: pucs config apply --dry-run
    """
    from pucs.cli.settings import read_configuration  # noqa: PLC0415
    from pucs.coordinator.sessions import apply as apply_configuration  # noqa: PLC0415

    place, files = _place(door, file)
    configuration = read_configuration(place, files)
    context = door.context()
    with context.store.read() as tx:
        before = dataclasses.asdict(tx.sessions.configuration())
    changes = _changes(before, dataclasses.asdict(configuration))
    if not dry_run:
        apply_configuration(context, configuration=configuration)
    lines = [f"{key}: {old} → {new}" for key, old, new in changes]
    lines.append(
        f"{'Would apply' if dry_run else 'Applied'} {_short(place)}, {len(changes)} changed settings."
    )
    keyed = [{"setting": key, "before": old, "after": new} for key, old, new in changes]
    door.say({"configuration": str(place), "applied": not dry_run, "changes": keyed}, "\n".join(lines))


def _place(door: Door, file: Path | None) -> tuple[Path, list[str]]:
    """Return the configuration file and the files of the repository; outside a repository there are none."""
    from pucs.cli.check import checkout  # noqa: PLC0415
    from pucs.cli.settings import configuration_file  # noqa: PLC0415
    from pucs.wiring import open_repository  # noqa: PLC0415

    try:
        repository, worktrees = open_repository(door.repo)
    except EnvironmentFailure:
        if file is None:
            raise
        return file, []
    top = checkout(door, repository, worktrees)
    found = file or configuration_file(top)
    if found is None:
        raise ConfigurationError(f"There is no configuration in {top}.", remedy="Make one: pucs init")
    return found, repository.files(worktrees.head(top))


def _refuse(door: Door, lines: Sequence[str], problems: Sequence[dict[str, Any]]) -> NoReturn:
    """Print every problem and end with the status of a wrong configuration."""
    if door.json:
        door.say({"valid": False, "problems": problems}, "")
    else:
        click.echo("\n".join(lines), err=True)
    raise SystemExit(ConfigurationError.exit_status)


def _document(configuration: Configuration, files: Sequence[str]) -> dict[str, Any]:
    from pucs.streams.advice import advice  # noqa: PLC0415
    from pucs.streams.boundaries import Boundaries  # noqa: PLC0415
    from pucs.streams.dependencies import needs  # noqa: PLC0415
    from pucs.streams.phases import merge_phases  # noqa: PLC0415

    coverage = Boundaries(configuration.streams, configuration.generated).coverage(files)
    after = needs(configuration.streams)
    phases = merge_phases(configuration.streams, (), configuration.merge.phases)
    return {
        "valid": True,
        "configuration": configuration.source,
        "seen": len(files),
        "streams": {
            stream.name: {
                "files_pattern": list(stream.files_pattern),
                "files": len(coverage.by_stream[stream.name]),
                "max_agents": stream.max_agents,
                "after": list(after[stream.name]),
            }
            for stream in configuration.streams
        },
        "merge_phases": [[name for group in phase for name in group] for phase in phases],
        "uncovered": list(coverage.uncovered),
        "warnings": [*configuration.warnings, *(advice(configuration, files) if files else ())],
    }


def _summary(document: dict[str, Any]) -> str:
    streams = document["streams"]
    seen = document["seen"]
    rows = [
        (name, s["files"] if seen else "-", s["max_agents"], ", ".join(s["after"]) or "-")
        for name, s in streams.items()
    ]
    lines = [f"{document['configuration']} is valid."]
    if rows:
        lines += ["", table(rows, ("STREAM", "FILES", "AGENTS", "AFTER"))]
    uncovered = document["uncovered"]
    if uncovered:
        counts: dict[str, int] = {}
        for path in uncovered:
            head, slash, _ = path.partition("/")
            counts[head + slash] = counts.get(head + slash, 0) + 1
        shown = [f"{place} ({count})" if place.endswith("/") else place for place, count in counts.items()]
        more = f" and {len(shown) - SHARED_SHOWN} more places" if len(shown) > SHARED_SHOWN else ""
        lines += [
            "",
            f"Shared by all streams, as no stream covers them ({len(uncovered)}): {', '.join(shown[:SHARED_SHOWN])}{more}",
        ]
    lines += [f"Note: {warning}" for warning in document["warnings"]]
    return "\n".join(lines)


def _applied(door: Door) -> Configuration | None:
    """Return the configuration of the active session, None without one."""
    try:
        context = door.context()
    except EnvironmentFailure as error:
        if "There is no store" in error.message:
            return None
        raise
    with context.store.read() as tx:
        return tx.sessions.configuration() if tx.sessions.active() else None


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every setting with its dotted name; streams and files are named instead of counted."""
    if isinstance(value, dict):
        for key, child in value.items():
            if key != "pattern_lines":
                yield from _flat(child, f"{name}.{key}" if name else key)
    elif isinstance(value, (list, tuple)) and value and isinstance(value[0], dict):
        for child in value:
            rest = {key: item for key, item in child.items() if key not in {"name", "path"}}
            yield from _flat(rest, f"{name}.{child.get('name') or child.get('path')}")
    else:
        yield name, list(value) if isinstance(value, tuple) else value


def _changes(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    old, new = dict(_flat(before)), dict(_flat(after))
    return [(key, old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key)]


def _short(place: Path) -> str:
    """Return a path as short as it can be written from here."""
    try:
        return str(place.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(place)
