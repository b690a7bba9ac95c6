"""``patterns``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pucs.cli.door import Door, clip, common_options, one_line, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pucs.crosslog.patterns import Pattern

SHOWN_MAX = 50
"""Patterns on a screen, the most urgent ones; --json has them all."""
FILES_WIDTH = 40
_SEVERITIES = ("low", "medium", "high")


@click.command()
@click.option(
    "--since",
    metavar="WHEN",
    default="1h",
    show_default=True,
    help="A span such as 30m, 1h or 2d, or an ISO 8601 time.",
)
@click.option(
    "--fail-on",
    type=click.Choice(_SEVERITIES),
    help="Exit with 1 if a pattern is at least this severe.",
)
@common_options
def patterns(door: Door, since: str, fail_on: str | None) -> None:
    """Show patterns that deserve a look: files of many agents, many conflicts, abandoned leases, starvation, ping-pong.

    \b
    Example: pucs patterns --since 2h --fail-on high
    """
    from pucs.cli.log import moment  # noqa: PLC0415 - after the options are checked
    from pucs.coordinator.patterns import detect  # noqa: PLC0415
    from pucs.core.instants import parse_iso  # noqa: PLC0415

    context = door.context()
    now_s = context.clock.now().wall_s
    begin = moment(since, now_s)
    found = detect(context, since_s=max(0.0, now_s - parse_iso(begin)) if begin else now_s)
    rows = [
        (one.severity.value, one.kind.value, clip(", ".join(one.files), FILES_WIDTH), one.message)
        for one in found[:SHOWN_MAX]
    ]
    lines = [table(rows, ("SEVERITY", "KIND", "FILES", "WHAT"))] if rows else ["No patterns."]
    lines += [""] if rows else []
    lines += [one_line(f"{kind}: {remedy}") for kind, remedy in _remedies(found[:SHOWN_MAX]).items()]
    if len(found) > SHOWN_MAX:
        lines.append(f"… and {len(found) - SHOWN_MAX} more: pucs patterns --json")
    door.say([one.document() for one in found], "\n".join(lines))
    if fail_on and any(_SEVERITIES.index(one.severity.value) >= _SEVERITIES.index(fail_on) for one in found):
        raise SystemExit(1)


def _remedies(found: Iterable[Pattern]) -> dict[str, str]:
    """Return one remedy for each kind: that of its most urgent pattern."""
    remedies: dict[str, str] = {}
    for one in found:
        remedies.setdefault(one.kind.value, one.remedy)
    return remedies
