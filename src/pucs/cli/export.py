"""``export`` and ``import``: the designs' state files, and whole sessions, out of the store and into it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pucs.cli.door import Door, common_options, count, one_line, table
from pucs.core.errors import EnvironmentFailure, Refused, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pucs.coordinator.context import Context
    from pucs.coordinator.exporting import Exported
    from pucs.coordinator.importing import Imported

STATE_DIRECTORY = ".claude/state"
"""Where the designs keep their state files, from the root of the main checkout."""
MANIFEST = ".pucs-export.json"
"""Says what was exported to a directory, so that a file that is somebody else's is told from an earlier export."""
FILE_BYTES_MAX = 64 * 1024 * 1024
"""Largest file that is read: far more than an export writes."""
BACKUPS_MAX = 1000
"""Old files kept beside one name before somebody has to tidy up."""
SHOWN_MAX = 20
"""Refusals and problems shown for one file; --json has them all."""


@click.command()
@click.option(
    "--dir",
    "directory",
    metavar="DIR",
    default="",
    help=f"Where to write; default: {STATE_DIRECTORY} in the main checkout.",
)
@click.option("--only", metavar="NAME", multiple=True, help="Only this file; may be repeated.")
@click.option(
    "--force", is_flag=True, help="Replace files that are no earlier export; the old ones are kept as .bak."
)
@click.option(
    "--move",
    metavar="FILE",
    default="",
    help="Close the session here and write all of it to a file, for pucs import into another store.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@click.option(
    "--list", "listing", is_flag=True, help="Show every state file the designs name; write nothing."
)
@common_options
def export(
    door: Door,
    directory: str,
    only: tuple[str, ...],
    *,
    force: bool,
    move: str,
    dry_run: bool,
    listing: bool,
) -> None:
    """Write the state files of the designs from the store: locks, intents, hand-offs, session, logs.

    They are copies for reading and for programs that know them; the store stays the truth. A file that is no earlier
    export is left as it is, and nothing is written, unless --force is given.

    With --move the whole session leaves this store, if nobody is at work in it; what is here stays, closed.

    \b
    Example: pucs export --dir state --only file_locks.json
             pucs export --move S-1.jsonl
    """
    if move:
        from pucs.cli.moving import move_out  # noqa: PLC0415

        if directory or only or force or listing:
            raise Usage("A session moves whole.", remedy="Give --move and --dry-run alone.")
        move_out(door, Path(move), dry_run=dry_run)
        return
    from pucs.coordinator import exporting  # noqa: PLC0415 - after the options are checked

    if listing:
        found = exporting.registry()
        door.say(found, lambda: _registry(found))
        return
    context = door.context()
    targets = [
        (exported, _target(context, directory, exported))
        for exported in exporting.documents(context, only=only)
    ]
    strangers = [target for exported, target in targets if not _ours(target, exported)]
    if strangers and not force:
        raise Refused(
            f"No earlier export: {', '.join(map(str, strangers[:SHOWN_MAX]))}. Nothing was written.",
            remedy="Name another place with --dir, or replace them with --force; the old ones are kept as .bak.",
        )
    kept = [] if dry_run else [str(_set_aside(target)) for target in strangers]
    if not dry_run:
        _write_all(targets)
    documents = [
        {"file": str(target), "items": exported.items, "left_out": list(exported.left_out)}
        for exported, target in targets
    ]
    door.say(
        {"files": documents, "kept": kept, "dry_run": dry_run},
        lambda: _told(documents, kept, dry_run=dry_run),
    )


def _target(context: Context, directory: str, exported: Exported) -> Path:
    if directory:
        return Path(directory, exported.path).absolute()
    root = Path(context.repository.root)
    with context.store.read() as tx:
        named = tx.sessions.configuration().logging_persist_path
    if named and exported.path == "pucs_log.json":
        return root / Path(named).expanduser()
    return root / STATE_DIRECTORY / exported.path


def _manifest(target: Path) -> dict[str, Any]:
    """Return the digests of what was exported to a directory, by name; a garbled manifest vouches for nothing."""
    try:
        found = json.loads((target.parent / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _ours(target: Path, exported: Exported) -> bool:
    """Tell whether a file may be written: there is none, it is as we wrote it, or it is the same already."""
    if not os.path.lexists(target):
        return True
    if target.is_symlink() or not target.is_file():
        return False
    content = target.read_bytes()
    known = _manifest(target).get(target.name)
    return content == exported.text.encode() or (isinstance(known, list) and _digest(content) in known)


def _set_aside(target: Path) -> Path:
    """Rename what is in the way to the first free name beside it and return that."""
    for number in range(BACKUPS_MAX):
        aside = target.with_name(f"{target.name}.bak{number or ''}")
        if not os.path.lexists(aside):
            target.rename(aside)
            return aside
    raise Refused(f"There are {BACKUPS_MAX} old copies of {target}.", remedy="Tidy them up first.")


def _write_all(targets: Iterable[tuple[Exported, Path]]) -> None:
    try:
        for exported, target in targets:
            content = exported.text.encode()
            manifest = _manifest(target)
            known = manifest.get(target.name)
            # The last one is vouched for as well: a kill in between leaves the file as it was.
            manifest[target.name] = [*(known[-1:] if isinstance(known, list) else ()), _digest(content)]
            _write(target.parent / MANIFEST, json.dumps(manifest).encode())
            _write(target, content)
    except OSError as error:
        raise EnvironmentFailure(
            f"The export cannot be written: {error.strerror}: {error.filename}.",
            remedy="Name another place with --dir.",
        ) from error


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).chmod(0o644)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def _told(documents: list[dict[str, Any]], kept: list[str], *, dry_run: bool) -> str:
    rows = [(d["file"], d["items"], "; ".join(d["left_out"])) for d in documents]
    lines = [
        table(rows, ("WOULD BE WRITTEN" if dry_run else "WRITTEN", "ITEMS", "LEFT OUT"))
        if rows
        else "Nothing to export."
    ]
    lines += [f"Kept the old one as {path}." for path in kept]
    return "\n".join(lines)


def _registry(found: list[dict[str, Any]]) -> str:
    rows = [
        (
            f"{one['home']}/{one['name']}",
            one["source"],
            "yes" if one["exported"] else "",
            "yes" if one["imported"] else "",
            f"comes with {one['later']}" if one["later"] else one["about"],
        )
        for one in found
    ]
    return table(rows, ("FILE", "FROM", "EXPORT", "IMPORT", "ABOUT"))


@click.command("import")
@click.argument("paths", nargs=-1, required=True, metavar="DIR|FILE...")
@click.option("--dry-run", is_flag=True, help="Show what would be taken; change nothing.")
@common_options
def import_(door: Door, paths: tuple[str, ...], *, dry_run: bool) -> None:
    """Bring state files of the designs into the active session, or a whole session into the store.

    Locks become leases only where they are free, not over, and of agents that are not at work here; log lines and
    hand-offs are added, marked as imported, each once. What cannot be taken is named; the rest is taken. Times without a
    zone are this machine's.

    The file that pucs export --move wrote is taken whole, into a store where no session is active; one that is not there yet
    is made.

    \b
    Example: pucs import .claude/state --dry-run
             pucs import S-1.jsonl --store postgresql://pucs@db.example.org/work
    """
    from pucs.cli.moving import move_in, session_file  # noqa: PLC0415

    moved = session_file(paths)
    if moved is not None:
        move_in(door, moved, dry_run=dry_run)
        return
    from pucs.coordinator.importing import import_files  # noqa: PLC0415 - after the options are checked

    files = {path: content for name in paths for path, content in _read(Path(name))}
    done = import_files(door.context(), files, wall=local_wall_s, dry_run=dry_run)
    door.say(
        [_document(one) for one in done], lambda: "\n".join(_imported(one, dry_run=dry_run) for one in done)
    )
    if any(one.left or one.problems for one in done):
        raise SystemExit(1)


def local_wall_s(text: str) -> float:
    """Return seconds since 1970 of an ISO 8601 time; one without a zone is this machine's local time.

    Raises:
        ValueError: it is no such time.
    """
    return datetime.fromisoformat(text).astimezone().timestamp()


def _read(path: Path) -> list[tuple[str, bytes]]:
    """Return the importable files of a directory, or one file, with their contents."""
    from pucs.crosslog.statefiles import named  # noqa: PLC0415

    try:
        if path.is_dir():
            files = [
                file for file in sorted(path.iterdir()) if file.is_file() and _importable(named(file.name))
            ]
            if not files:
                raise Usage(f"There is no state file in {path}.", remedy="See: pucs export --list")
        else:
            files = [path]
        return [(str(file), _content(file)) for file in files]
    except OSError as error:
        raise Usage(
            f"{error.filename} cannot be read: {error.strerror}.", remedy="Name a file or directory."
        ) from error


def _importable(file: Any) -> bool:
    return file is not None and file.imported


def _content(file: Path) -> bytes:
    if file.stat().st_size > FILE_BYTES_MAX:
        raise Usage(f"{file} is larger than {FILE_BYTES_MAX // 1024**2} MiB.", remedy="Import a part of it.")
    return file.read_bytes()


def _document(one: Imported) -> dict[str, Any]:
    return {
        "file": one.file,
        "taken": one.taken,
        "lines": one.lines,
        "known": one.known,
        "left": one.left,
        "problems": [
            {"line": problem.line, "column": problem.column, "message": problem.message}
            for problem in one.problems
        ],
    }


def _imported(one: Imported, *, dry_run: bool) -> str:
    what = [count(len(one.taken), "item")] if one.taken else []
    what += [count(one.lines, "line")] if one.lines else []
    known = f"; {one.known} known already" if one.known else ""
    lines = [f"{one.file}: {'would take' if dry_run else 'took'} {' and '.join(what) or 'nothing'}{known}"]
    lines += [f"  left: {each}" for each in one.left[:SHOWN_MAX]]
    lines += [f"  {one.file}:{each.line}:{each.column}: {each.message}" for each in one.problems[:SHOWN_MAX]]
    more = len(one.left) + len(one.problems) - len(lines) + 1
    lines += [f"  … and {more} more: --json"] if more > 0 else []
    return "\n".join(map(one_line, lines))  # the words of a file are data here
