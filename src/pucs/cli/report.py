"""``report``: the session told as Markdown."""

from __future__ import annotations

from pathlib import Path

import click

from pucs.cli.door import Door, common_options
from pucs.core.errors import Usage


@click.command()
@click.option("--output", metavar="FILE", default="", help="Write it to this file instead of printing it.")
@common_options
def report(door: Door, output: str) -> None:
    """Write the session's report: what was done by whom, who waited, what was refused, what was merged.

    \b
    Example: pucs report --output report.md
    """
    from pucs.client.reading import session_document  # noqa: PLC0415
    from pucs.dashboard.report import markdown  # noqa: PLC0415

    document = session_document(door.context())
    text = markdown(document)
    if output:
        try:
            Path(output).write_text(text, encoding="utf-8")
        except OSError as error:
            raise Usage(
                f"{output} cannot be written: {error.strerror}.", remedy="Name another file."
            ) from error
        door.say({"file": output}, f"Wrote {output}.")
    else:
        door.say(document, text)
