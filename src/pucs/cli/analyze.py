"""``analyze``: what the code says about working on it side by side."""

from __future__ import annotations

import os
import tempfile
from math import inf
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from pucs.cli.bars import reading_bar
from pucs.cli.door import Door, common_options, one_line
from pucs.core.errors import Refused, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pucs.coordinator.ports import Index
    from pucs.coordinator.records import FactsKey
    from pucs.streams.settings import Configuration


@click.command()
@click.option(
    "--streams",
    "method",
    type=click.Choice(["directories", "imports"]),
    default="directories",
    show_default=True,
    help="Proposal to show in full where no streams are declared.",
)
@click.option("--write", is_flag=True, help="Write the proposal to pucs.yaml; refused where there is one.")
@click.option("--dry-run", is_flag=True, help="With --write: print what would be written.")
@click.option("--html", metavar="FILE", default="", help="Write a page with the graph of the streams.")
@common_options
def analyze(door: Door, *, method: str, write: bool, dry_run: bool, html: str) -> None:
    """Show which parts of the code can be worked on side by side, what they share, and in which order they merge.

    Needs no session and runs nothing of your code. With a configuration, its streams are looked at, and where what they
    declare differs from what they import.

    \b
    Example: pucs analyze
    Example: pucs analyze --streams imports --html streams.html
    """
    from pucs.cli.analysis_text import blind, lines  # noqa: PLC0415 - after the options are checked

    if dry_run and not write:
        raise click.UsageError("--dry-run goes with --write.")
    found = Looked(door, keep=not dry_run)
    if write and found.place is not None:
        raise Refused(
            f"{found.place} is there already.",
            remedy="Change it by hand, or move it away to have one proposed.",
        )
    document = found.document(method)
    if write:
        _written(door, found, document, dry_run=dry_run)
        return
    if html:
        from pucs.dashboard.analysis_page import page  # noqa: PLC0415 - only for pages

        save(Path(html), page(document, title=found.root.name, blind=blind(document)))
        door.say(document, f"Wrote {one_line(html)}.")
        return
    door.say(document, lambda: _styled([*lines(document), *_next(document)]))


class Looked:
    """A checkout whose code is looked at, with its configuration."""

    def __init__(self, door: Door, *, keep: bool = True) -> None:
        """Find the checkout and its configuration, if it has one; without ``keep``, nothing at all is written."""
        from pucs.cli.settings import configuration_file, read_configuration  # noqa: PLC0415
        from pucs.wiring import open_sources  # noqa: PLC0415

        self._sources, self._index, self._parsers = open_sources(door.repo)
        self._keep = keep
        self.root = Path(self._sources.root)
        self.place = configuration_file(self.root)
        """The configuration; None: there is none."""
        self.configuration: Configuration | None = (
            read_configuration(self.place) if self.place is not None else None
        )

    def document(self, method: str, *, seconds: float = inf) -> dict[str, Any]:
        """Return the document of the analysis; a bar shows on a terminal how far it is.

        After so many seconds no more files are parsed; the document says how many were left.
        """
        from pucs.coordinator.analysis_document import analysis_document  # noqa: PLC0415
        from pucs.wiring import rules_of_analysis  # noqa: PLC0415

        until = monotonic() + seconds
        with reading_bar() as told:
            document = analysis_document(
                self._sources,
                self._index if self._keep else _Kept(self._index),
                self._parsers,
                rules=rules_of_analysis(),
                configuration=self.configuration,
                method=method,
                told=told,
                enough=lambda: monotonic() > until,
            )
        trouble = self._index.trouble()
        if trouble:
            click.echo(f"Note: {one_line(trouble)}", err=True)
        return document


class _Kept:
    """An index that is only read."""

    def __init__(self, index: Index) -> None:
        self.kept = index.kept
        self.trouble = index.trouble

    def keep(self, facts: Mapping[FactsKey, bytes]) -> None:
        """Keep nothing."""


def _written(door: Door, found: Looked, document: dict[str, Any], *, dry_run: bool) -> None:
    """Write the configuration, or show it."""
    from pucs.cli.proposed import configuration_text  # noqa: PLC0415

    text = configuration_text(document)
    place = found.root / "pucs.yaml"
    if not dry_run:
        save(place, text, anew=True)
    said = f"Wrote {place}. Read it, adjust it, then: pucs init" if not dry_run else text.rstrip("\n")
    door.say({"configuration": str(place), "dry_run": dry_run, "text": text}, said)


def save(place: Path, text: str, *, anew: bool = False) -> None:
    """Write a file as a whole or not at all; with ``anew``, only where there is none.

    Raises:
        Refused: there is one.
        Usage: it cannot be written.
    """
    try:
        if not anew and place.exists() and not place.is_file():
            place.write_text(text, encoding="utf-8", errors="replace")  # a pipe or a terminal has no whole
            return
        target = place if anew else place.resolve()
        with tempfile.NamedTemporaryFile(
            "w",
            encoding="utf-8",
            errors="replace",
            dir=target.parent,
            prefix=f".{target.name}.",
            delete=False,
        ) as file:
            made = Path(file.name)
            file.write(text)
        try:
            made.chmod(0o666 & ~_umask())
            if anew:
                os.link(made, target)  # fails where there is one, at whatever moment it came
            else:
                made.replace(target)
        finally:
            made.unlink(missing_ok=True)
    except FileExistsError as error:
        raise Refused(f"{place} is there already.", remedy="Move it away first.") from error
    except OSError as error:
        raise Usage(f"{place} cannot be written: {error.strerror}.", remedy="Name another file.") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _styled(lines: list[str]) -> str:
    """Return the lines with their headings in bold type; a pipe gets none."""
    return "\n".join(
        click.style(line, bold=True) if line.isupper() and line[0] != " " else line for line in lines
    )


def _next(document: dict[str, Any]) -> list[str]:
    if not document["files"]:
        return []
    said = [
        "pucs readiness                       what to put in order first",
        "pucs analyze --html streams.html     the streams drawn",
    ]
    if document["declared"]:
        said.append("pucs config check                    the configuration against the files")
    else:
        said += [
            f"pucs analyze --streams {one['method']:<14}the other proposal in full"
            for one in document["proposals"]
            if one["method"] != document["method"]
        ]
        said.append("pucs analyze --write, or pucs init   pucs.yaml from this")
    return ["", "NEXT", *(f"  {line}" for line in said)]
