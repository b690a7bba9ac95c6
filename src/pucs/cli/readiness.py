"""``readiness``: what should be put in order before many agents work on the code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pucs.cli.door import Door, common_options, count, one_line
from pucs.cli.fixing_imports import fix_imports, fixing_options
from pucs.core.errors import EnvironmentFailure, Refused
from pucs.core.severities import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.code.readiness.records import Finding
    from pucs.coordinator.readiness import Readiness
    from pucs.streams.settings import ReadinessSettings

KINDS: Final = (
    "shadowed-module", "twin-modules", "duplicate-class", "duplicate-function", "same-purpose", "deprecated-module",
    "re-export", "import-cycle", "lazy-cycle", "duplicate-settings", "home-path",
)  # fmt: skip
LEVELS: Final = ("high", "medium", "low")
SHOWN_MAX: Final = 20
"""Findings of one severity that the list shows; --all shows every one."""
PLACES_SHOWN: Final = 4
NOTES_SHOWN: Final = 5
_GROUPS: Final = {
    Severity.HIGH: ("P0", "settle before many agents begin", "red"),
    Severity.MEDIUM: ("P1", "will cause confusion", "yellow"),
    Severity.LOW: ("P2", "tidy up when there is time", "cyan"),
}


@click.command()
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(KINDS),
    help="Show findings of this kind only; may be given again.",
)
@click.option(
    "--severity", type=click.Choice(LEVELS), default="low", help="Show findings from this severity on."
)
@click.option(
    "--gate",
    type=click.Choice(LEVELS),
    is_flag=False,
    flag_value="high",
    help="Exit with 1 if there are findings of this severity (alone: high) or above.",
)
@click.option(
    "--tasks",
    "tasks_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write what is shown as a tasks file for pucs run.",
)
@click.option("--all", "everything", is_flag=True, help="List every finding and every place.")
@fixing_options
@common_options
def readiness(
    door: Door,
    kinds: tuple[str, ...],
    severity: str,
    gate: str | None,
    tasks_file: Path | None,
    *,
    everything: bool,
    move: tuple[str, str] | None,
    dry_run: bool | None,
    force: bool,
    uncommitted: bool,
) -> None:
    """Show what should be put in order before many agents work on the code at once.

    Looks for duplicates, deprecated modules, import cycles, settings written down twice and more, each with a remedy.
    Needs no session, runs nothing of your code and changes nothing. Exit status 1 if --gate, or readiness: {gate: refuse}
    in the configuration, finds something in the way. With --fix-imports, only that is done; exit status 1 if places are
    left that still use OLD.

    \b
    Example: pucs readiness --severity medium
    Example: pucs readiness --severity high --tasks cleanup.yaml
    Example: pucs readiness --fix-imports shop.old_cart shop.cart --dry-run
    """
    if fix_imports(door, move, dry_run=dry_run, force=force, uncommitted=uncommitted):
        return
    from pucs.coordinator.readiness import document  # noqa: PLC0415 - after the options are checked

    settings = _settings(door)
    found = look_around(door, settings.ignore)
    shown = [one for one in found.reaching(Severity(severity)) if not kinds or one.kind in kinds]
    if tasks_file is not None:
        _write_tasks(door, tasks_file, shown)
    level = gate or (settings.severity if settings.gate == "refuse" else "")
    in_the_way = found.reaching(Severity(level)) if level else ()
    said: dict[str, Any] = document(found, shown)
    if tasks_file is not None:
        said["tasks"] = str(tasks_file)
    door.say(said, lambda: _text(found, shown, tasks_file, everything=everything))
    if in_the_way:
        if not door.json:
            click.echo(f"{_findings(len(in_the_way))} of severity {level} or above.", err=True)
        raise SystemExit(1)


def look_around(door: Door, ignore: Sequence[str]) -> Readiness:
    """Return what is found in the checkout; a bar shows on a terminal how far it is."""
    from pucs.cli.bars import reading_bar  # noqa: PLC0415
    from pucs.coordinator.readiness import readiness as look  # noqa: PLC0415
    from pucs.wiring import open_sources  # noqa: PLC0415

    sources, index, parsers = open_sources(door.repo)
    with reading_bar() as told:
        return look(sources, index, parsers, ignore=ignore, told=told)


def pass_gate(door: Door, settings: ReadinessSettings) -> list[str]:
    """Look at the code as the configuration asks before a run begins; return warnings.

    Raises:
        Refused: something is in the way, and the gate is to refuse it.
    """
    if settings.gate == "off":
        return []
    found = look_around(door, settings.ignore).reaching(Severity(settings.severity))
    if not found:
        return []
    first = ", ".join(one.id for one in found[:3]) + (" and others" if len(found) > 3 else "")  # noqa: PLR2004 - a line
    said = (
        f"The code is not ready: {_findings(len(found))} of severity {settings.severity} or above ({first})."
    )
    remedy = f"See them with: pucs readiness --severity {settings.severity}"
    if settings.gate == "warn":
        return [f"{said} {remedy}"]
    raise Refused(
        said,
        remedy=f"{remedy}. Settle them, accept them under readiness: {{ignore: [ID]}}, or run past them with --no-gate.",
    )


def _settings(door: Door) -> ReadinessSettings:
    from pucs.cli.settings import configuration_file, read_configuration  # noqa: PLC0415
    from pucs.streams.settings import ReadinessSettings  # noqa: PLC0415
    from pucs.wiring import open_sources  # noqa: PLC0415

    sources, _, _ = open_sources(door.repo)
    place = configuration_file(sources.root)
    return read_configuration(place).readiness if place is not None else ReadinessSettings()


def _write_tasks(door: Door, place: Path, shown: Sequence[Finding]) -> None:
    """Write findings as a tasks file, each task for one stream of the configuration, be it written or proposed."""
    import yaml  # noqa: PLC0415 - only to write tasks

    from pucs.cli.init import look  # noqa: PLC0415
    from pucs.coordinator.readiness import as_tasks  # noqa: PLC0415
    from pucs.streams.boundaries import Boundaries  # noqa: PLC0415

    configuration = look(door).configuration
    boundaries = Boundaries(configuration.streams, configuration.generated)
    tasks = as_tasks(shown, boundaries.owner, [stream.name for stream in configuration.streams])

    class Dumper(yaml.SafeDumper):
        """Writes texts of several lines as they are read."""

    Dumper.add_representer(
        str,
        lambda dumper, text: dumper.represent_scalar(
            "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
        ),
    )
    text = yaml.dump({"tasks": tasks}, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1000)
    try:
        with place.open("x", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
    except FileExistsError as error:
        raise Refused(f"{place} is there already.", remedy="Name another file, or move it away.") from error
    except OSError as error:
        raise EnvironmentFailure(
            f"{place} cannot be written: {error.strerror}.", remedy="Check the directory and its permissions."
        ) from error


def _text(found: Readiness, shown: Sequence[Finding], tasks_file: Path | None, *, everything: bool) -> str:
    lines = [
        f"{count(found.files, 'file of code', 'files of code')}, {_findings(len(found.findings))}{_by_severity(found.findings)}."
    ]
    if len(shown) < len(found.findings):
        lines[0] += f" Shown: {len(shown)}."
    for severity, (group, meaning, colour) in _GROUPS.items():
        members = [one for one in shown if one.severity is severity]
        if not members:
            continue
        lines += ["", click.style(f"{group} · {severity.value}: {meaning}", fg=colour, bold=True)]
        listed = members if everything else members[:SHOWN_MAX]
        for one in listed:
            lines += ["", *_finding(one, everything=everything)]
        if len(listed) < len(members):
            lines += ["", f"  … and {len(members) - len(listed)} more (--all, or --kind)"]
    notes = found.notes if everything else found.notes[:NOTES_SHOWN]
    lines += ["", *(f"Note: {one_line(note)}" for note in notes)] if notes else []
    if found.accepted or found.unknown:
        lines += ["", f"Accepted by the configuration: {_findings(len(found.accepted))}."]
    if found.unknown:
        lines.append(f"Accepted there, but not found any more: {', '.join(found.unknown)}.")
    return "\n".join([*lines, *_next(shown, tasks_file)])


def _finding(one: Finding, *, everything: bool) -> list[str]:
    places = one.locations if everything else one.locations[:PLACES_SHOWN]
    named = ", ".join(f"{place.file}:{place.line}" if place.line else place.file for place in places)
    more = f" and {len(one.locations) - len(places)} more" if len(places) < len(one.locations) else ""
    return [
        f"  {click.style(one.id, bold=True)}{'  (a guess)' if one.guess else ''}",
        f"    {one_line(one.message)}",
        f"    at {one_line(named)}{more}",
        f"    → {one_line(one.remedy)}",
    ]


def _findings(number: int) -> str:
    return count(number, "finding")


def _by_severity(findings: Sequence[Finding]) -> str:
    from pucs.coordinator.readiness import counts  # noqa: PLC0415

    return (
        ": " + ", ".join(f"{number} {name}" for name, number in counts(findings).items()) if findings else ""
    )


def _next(shown: Sequence[Finding], tasks_file: Path | None) -> list[str]:
    if not shown:
        return []
    if tasks_file is not None:
        return ["", f"Wrote {tasks_file}. Read it, then: pucs run --no-gate --tasks {tasks_file}"]
    return [
        "",
        "Next: settle them, by hand or by agents:  pucs readiness --severity high --tasks cleanup.yaml",
        f"      accept one in the configuration:    readiness: {{ignore: [{shown[0].id}]}}",
    ]
