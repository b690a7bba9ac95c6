"""``merge driver``: one file, three versions; for git, and for anybody who has three files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pucs.cli.door import Door, common_options
from pucs.core.errors import GitError, PucsError

if TYPE_CHECKING:
    from pucs.merge.merging import LineMerge
    from pucs.merge.records import Merged, Versions

SEVERE = 129
"""Status that tells git that there is no result at all: above 128 it gives up instead of looking for markers."""
_SIZE_MAX = 1000


@click.command(context_settings={"allow_interspersed_args": False})
@click.option(
    "--accept",
    type=click.Choice(["auto", "review"]),
    default="auto",
    show_default=True,
    help="review: also what is only probably right.",
)
@click.option(
    "--marker-size",
    metavar="N",
    type=click.IntRange(1, _SIZE_MAX),
    default=7,
    help="Length of conflict markers (%L of git).",
)
@click.option("--ours-label", metavar="S", default="ours", help="Name of our side in markers (%X of git).")
@click.option("--theirs-label", metavar="S", default="theirs", help="Name of the other (%Y of git).")
@click.argument("base", type=click.UNPROCESSED)
@click.argument("ours", type=click.UNPROCESSED)
@click.argument("theirs", type=click.UNPROCESSED)
@click.argument("path", type=click.UNPROCESSED)
@common_options
def driver(
    door: Door,
    *,
    accept: str,
    marker_size: int,
    ours_label: str,
    theirs_label: str,
    base: str,
    ours: str,
    theirs: str,
    path: str,
) -> None:
    """Merge three versions of a file into OURS; PATH is its name in the repository and tells what it is.

    git's own line merge comes first, and is all there is where it finds no conflict. BASE may be empty. Options come
    before BASE. Exit status as git takes it: 0 merged, 1 conflicts are left, with markers in OURS; 129 nothing was done.
    Needs no repository. `pucs merge install` sets up something faster that does the same.

    \b
    Example: pucs merge driver --accept review %O %A %B %P
    Example: pucs merge driver base.py mine.py theirs.py shop/cart.py
    """
    from pucs.hooks.merge_driver import limited, merged_file, replace, say, shown, told  # noqa: PLC0415
    from pucs.merge.records import Merged, Origin, Tier, Versions  # noqa: PLC0415

    labels = (ours_label or "ours", theirs_label or "theirs")
    try:
        versions = Versions(*(Path(name).read_bytes() for name in (base, ours, theirs)))
        lines = _lines(versions, labels, marker_size)
        if lines is None:
            say(f"{shown(path)}: cannot be merged by lines; ours stays")
            raise SystemExit(1)
        # From here on a kill costs nothing but the attempt.
        if lines.content != versions.ours:
            replace(ours, lines.content)
    except (OSError, PucsError) as error:
        say(f"{shown(path)}: not merged: {error}")
        raise SystemExit(SEVERE) from error
    if not lines.conflicts:
        if door.json:
            door.say(_document(path, Merged(lines.content, Origin.GIT)), "")
        return
    try:
        versions = Versions(versions.base or None, versions.ours, versions.theirs)
        with limited(path):
            merged = merged_file(
                path, versions, lines, accept=Tier(accept), labels=labels, marker_size=marker_size
            )
            if merged.origin is Origin.PUCS:
                replace(ours, merged.content)
    except Exception as error:
        say(f"{shown(path)}: git's own merge stays: {type(error).__name__}: {shown(str(error))}")
        raise SystemExit(1) from error
    say(told(path, merged))
    if door.json:
        door.say(_document(path, merged), "")
    if not merged.clean:
        raise SystemExit(1)


def _lines(versions: Versions, labels: tuple[str, str], size: int) -> LineMerge | None:
    """Return git's own merge; None: there are no lines in it."""
    from pucs.merge.merging import LineMerge  # noqa: PLC0415
    from pucs.wiring import line_merge  # noqa: PLC0415

    try:
        content, conflicts = line_merge(
            versions.base or b"",
            versions.ours,
            versions.theirs,
            labels=labels,
            marker_size=size,
            directory=".",
        )
    except GitError as error:
        if "binary" in error.fields.get("stderr", ""):
            return None
        raise
    return LineMerge(content, conflicts)


def _document(path: str, merged: Merged) -> dict[str, Any]:
    return {
        "path": path,
        "merged": merged.clean,
        "origin": merged.origin,
        "tier": merged.tier,
        "resolutions": merged.resolutions,
        "conflicts": merged.conflicts,
    }
