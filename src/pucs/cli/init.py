"""``init``: propose streams, create the store, start a session."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pucs.cli.door import Door, common_options, count, table
from pucs.core.errors import EnvironmentFailure

if TYPE_CHECKING:
    from pucs.coordinator.context import Context
    from pucs.coordinator.ports import Repository, Worktrees
    from pucs.streams.settings import Configuration

SECONDS_MAX = 20.0
"""Longest time that code is read for a proposal; what is left then counts by where it lies."""
UNCOVERED_SHOWN = 8
"""Uncovered files named in the summary; the count says the rest."""


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be written and started; change nothing.")
@common_options
def init(door: Door, *, dry_run: bool) -> None:
    """Propose streams from the code if there is no configuration, create the store and start a session.

    Running it again continues the session and applies the configuration as it is now. The checkout is left alone but
    for pucs.yaml, which is written only if no configuration exists.

    \b
    Example: pucs init --session PUCS-20251206-001
    """
    document = initialise(door, dry_run=dry_run)
    door.say(document, lambda: _summary(document))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What ``init`` finds in a repository before it writes anything."""

    repository: Repository
    worktrees: Worktrees
    commit: str
    branch: str
    """Empty if HEAD is detached."""
    files: list[str]
    place: Path
    """The configuration file, or where the proposed one would be written."""
    written: str
    """Text of the proposed configuration; empty if there is one already."""
    configuration: Configuration


def look(door: Door, *, keep: bool = False) -> Found:
    """Read the repository and its configuration, or propose one; write nothing, but with ``keep`` what was read of the code."""
    from pucs.cli.settings import configuration_file, read_configuration  # noqa: PLC0415
    from pucs.wiring import open_repository  # noqa: PLC0415

    repository, worktrees = open_repository(door.repo)
    root = Path(repository.root)
    commit, branch = repository.head()
    files = repository.files(commit)
    found = configuration_file(root)
    written = _proposal(replace(door, repo=str(root)), keep=keep) if found is None else ""
    place = found or root / "pucs.yaml"
    return Found(
        repository=repository,
        worktrees=worktrees,
        commit=commit,
        branch=branch,
        files=files,
        place=place,
        written=written,
        configuration=_parsed(written, place) if written else read_configuration(place, files),
    )


def initialise(door: Door, *, dry_run: bool = False) -> dict[str, Any]:
    """Do what ``pucs init`` does and return its document."""
    from pucs.coordinator.sessions import start  # noqa: PLC0415
    from pucs.wiring import mark_active, remember_store  # noqa: PLC0415

    found = look(door, keep=not dry_run)
    configuration = found.configuration
    coverage = _coverage(configuration, found.files)
    dirty = [path for path in found.worktrees.dirty(found.repository.root) if path != found.place.name]
    document: dict[str, Any] = {
        "session": "",
        "created": False,
        "configuration": str(found.place),
        "proposed": bool(found.written),
        "base": found.commit,
        "target": found.branch,
        "streams": [
            {
                "name": stream.name,
                "files": coverage["counts"].get(stream.name, 0),
                "max_agents": stream.max_agents,
            }
            for stream in configuration.streams
        ],
        "uncovered": coverage["uncovered"],
        "warnings": [*configuration.warnings, *_warnings(found.branch, dirty)],
        "dry_run": dry_run,
        "text": found.written,
    }
    if dry_run:
        return document
    if found.written:
        found.place.write_text(found.written, encoding="utf-8")
    if not door.store:
        remember_store(door.repo, configuration.store)
    # The session that is named need not exist yet, so the context must not be bound to it.
    context = replace(door, session="").context(create=True)
    started = start(context, configuration=configuration, session=door.session)
    mark_active(context)
    keep_backup(context)
    document["session"] = started.session.id
    document["created"] = started.created
    return document


def keep_backup(context: Context) -> None:
    """Write a backup of the store outside the repository (DESIGN §3.7); a home that is read-only stops no work."""
    from pucs.wiring import backup  # noqa: PLC0415

    try:
        backup(context)
    except EnvironmentFailure as error:
        click.echo(f"Note: {error}", err=True)


def _proposal(door: Door, *, keep: bool) -> str:
    """Return the configuration that the code suggests."""
    from pucs.cli.analyze import Looked  # noqa: PLC0415 - only without a configuration
    from pucs.cli.proposed import configuration_text  # noqa: PLC0415

    return configuration_text(Looked(door, keep=keep).document("directories", seconds=SECONDS_MAX))


def _parsed(text: str, place: Path) -> Configuration:
    import os  # noqa: PLC0415

    from pucs.streams.configuration import parse  # noqa: PLC0415

    return parse(text, str(place), os.environ)


def _coverage(configuration: Configuration, files: list[str]) -> dict[str, Any]:
    from pucs.streams.boundaries import Boundaries  # noqa: PLC0415

    found = Boundaries(configuration.streams, configuration.generated).coverage(files)
    return {
        "counts": {name: len(covered) for name, covered in found.by_stream.items()},
        "uncovered": list(found.uncovered),
    }


def _warnings(branch: str, dirty: list[Any]) -> list[str]:
    said = []
    if not branch:
        said.append("HEAD is detached: finalize will need --target.")
    if dirty:
        said.append(
            f"Your checkout has {count(len(dirty), 'uncommitted change')}; agents start from the last commit and will not see them."
        )
    return said


def _summary(document: dict[str, Any]) -> str:
    lines = []
    if document["proposed"]:
        did = "Would write" if document["dry_run"] else "Wrote"
        lines += [
            f"{did} {document['configuration']}, proposed from your code; read it and adjust:",
            "",
        ]
        lines += [f"    {line}" for line in document["text"].rstrip().split("\n")] + [""]
    rows = [(stream["name"], stream["files"], stream["max_agents"]) for stream in document["streams"]]
    lines.append(table(rows, ("STREAM", "FILES", "AGENTS")) if rows else "No streams: every file is shared.")
    uncovered = document["uncovered"]
    if uncovered:
        more = f" and {len(uncovered) - UNCOVERED_SHOWN} more" if len(uncovered) > UNCOVERED_SHOWN else ""
        lines += ["", f"Shared by all streams: {', '.join(uncovered[:UNCOVERED_SHOWN])}{more}"]
    lines += [f"Note: {warning}" for warning in document["warnings"]]
    if document["session"]:
        verb = "Started" if document["created"] else "Continuing"
        lines += ["", f"{verb} session {document['session']} at {document['base'][:12]}."]
        lines.append("Next: write tasks.yaml and call  pucs run --tasks tasks.yaml")
    return "\n".join(lines)
