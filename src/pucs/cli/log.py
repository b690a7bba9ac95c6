"""``log``: the cross-log."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from pucs.cli.door import Door, common_options, one_line, to_json
from pucs.core.errors import NotFound, Usage
from pucs.core.instants import iso, parse_iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pucs.coordinator.context import Context
    from pucs.crosslog.records import Entry, Level, Query

FOLLOW_S = 0.2
"""How often ``--follow`` looks whether anybody committed; it asks SQLite for a number, nothing more."""
_DETAILS = ("task", "reason", "other", "behind", "waited_s", "warning", "salvage", "tier", "rules")
"""Details worth a place on the line."""
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_SPAN_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@click.command()
@click.option("--stream", metavar="S", default="all", show_default=True, help="Only this stream.")
@click.option(
    "--since", metavar="WHEN", default="", help="A span such as 30m, 1h or 2d, or an ISO 8601 time."
)
@click.option(
    "--file", "file", metavar="F", default="", help="Only entries on this file, or below this directory."
)
@click.option("--agent", metavar="A", default="", help="Only this agent.")
@click.option(
    "--level", metavar="L", default="", help="Only this level: DEBUG, INFO, CHANGE, CONFLICT or ERROR."
)
@click.option("--all", "everything", is_flag=True, help="Also entries below the configured logging.level.")
@click.option(
    "--limit",
    metavar="N",
    default=100,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="Newest N.",
)
@click.option("--follow", is_flag=True, help="Go on printing what happens until interrupted.")
@common_options
def log(
    door: Door,
    stream: str,
    since: str,
    file: str,
    agent: str,
    level: str,
    limit: int,
    *,
    follow: bool,
    everything: bool,
) -> None:
    """Show the cross-log: what happened, oldest first, from the configured level on. With --json one entry per line.

    \b
    Example: pucs log --stream shop --since 1h --follow
    """
    from pucs.crosslog.records import Level, Query  # noqa: PLC0415

    context = door.context()
    if level and level.upper() not in Level.__members__:
        raise Usage(f"There is no level {level!r}.", remedy=f"Levels: {', '.join(Level)}.")
    query = Query(
        stream="" if stream.casefold() == "all" else stream,
        since=moment(since, context.clock.now().wall_s),
        file=context.worktrees.canonical(door.repo, (file,))[0] if file else "",
        agent=agent,
        level=Level(level.upper()) if level else None,
        least=None if everything or level else _configured_level(context),
        limit=limit,
    )
    found = False
    for entry in _entries(context, query, follow=follow):
        found = True
        click.echo(to_json(entry.document()) if door.json else line(entry))
    if not found:
        _check_stream(context, query.stream)
        if not door.json:
            click.echo("No entries.")


def _configured_level(context: Context) -> Level:
    """Return the least level that is shown unless another is asked for (000 §10 ``logging.level``)."""
    from pucs.crosslog.records import Level  # noqa: PLC0415

    with context.store.read() as tx:
        return Level(tx.sessions.configuration().logging_level)


def _check_stream(context: Context, name: str) -> None:
    """Tell a stream that has no entries from one that does not exist."""
    with context.store.read() as tx:
        session = tx.sessions.latest()
        streams = [row.stream.name for row in tx.sessions.streams(session.id)] if session else []
    if name and name.casefold() not in {stream.casefold() for stream in streams}:
        raise NotFound(
            f"There is no stream {name!r}.", remedy=f"Streams: {', '.join(streams) or 'none yet'}."
        )


def _entries(context: Context, query: Query, *, follow: bool) -> Iterator[Entry]:
    import time  # noqa: PLC0415 - only to follow

    from pucs.coordinator.log import entries  # noqa: PLC0415

    seen = None
    while True:
        version = context.store.version()
        if version != seen:
            seen = version
            for entry in entries(context, query):
                yield entry
                query = replace(query, after_seq=entry.seq)
        if not follow:
            return
        time.sleep(FOLLOW_S)


def moment(text: str, now_s: float) -> str:
    """Return the wall time that a span such as ``1h`` or an ISO 8601 time means; empty for an empty text.

    Raises:
        Usage: it is neither.
    """
    if not text:
        return ""
    span = _SPAN.fullmatch(text)
    try:
        return iso(now_s - float(span[1]) * _SPAN_S[span[2]] if span else parse_iso(text))
    except (ValueError, OverflowError, OSError) as error:
        raise Usage(f"{text!r} is no time.", remedy="Write 30m, 1h, 2d or 2025-12-06T10:00:00Z.") from error


def _plain(value: Any) -> str:
    """Return a detail without brackets, endless digits or line breaks."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return f"{value:.2f}" if isinstance(value, float) else " ".join(str(value).split())


def line(entry: Entry) -> str:
    """Return an entry as one line for people."""
    files = f"  {', '.join(entry.files[:4])}{' …' if len(entry.files) > 4 else ''}" if entry.files else ""  # noqa: PLR2004 - fits a line
    shown = {key: value for key, value in entry.details.items() if key in _DETAILS and value}
    said = "".join(f"  {key}={_plain(value)}" for key, value in shown.items())
    if not entry.agent and entry.stream:
        files = f"  {entry.stream}{files}"
    return one_line(
        f"{entry.timestamp[11:23]}  {entry.agent or 'pucs':<18} {entry.level.value:<8} {entry.action}{files}{said}"
    )
