"""``export --move`` and ``import`` of what it wrote: a session from one store to another."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pucs.cli.door import Door, count
from pucs.core.errors import EnvironmentFailure, Refused, StoreError, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pucs.coordinator.context import Context
    from pucs.coordinator.moving import Arrived, Departed

LINE_BYTES_MAX = 64 * 1024 * 1024
"""Longest line that is read: far beyond any row."""


def move_out(door: Door, target: Path, *, dry_run: bool) -> None:
    """Close a session here and write it to a file that only its owner reads; a file that is there stays."""
    from pucs.coordinator.moving import depart  # noqa: PLC0415 - after the options are checked

    context = door.context()
    if os.path.lexists(target):
        raise Refused(f"There is a file at {target}. Nothing was changed.", remedy="Name another place.")
    done = depart(context, dry_run=True) if dry_run else _moved(context, target)
    place = context.store.path
    text = f"Session {done.session} " + (
        f"had left {place} before"
        if done.again
        else f"{'is idle and can leave' if dry_run else 'has left'} {place}"
    )
    if not dry_run:
        text += f"; it is in {target}\nNext: pucs import {target} --store STORE"
    file = "" if dry_run else str(target)
    door.say({**asdict(done), "file": file, "store": place, "dry_run": dry_run}, text)


def _moved(context: Context, target: Path) -> Departed:
    from pucs.coordinator.moving import depart, written  # noqa: PLC0415
    from pucs.wiring import mark_active  # noqa: PLC0415

    done = None
    try:
        with _whole(target) as file:  # where nothing can be written, nothing is closed
            done = depart(context)
            mark_active(context)
            file.writelines(written(context, done.session))
    except OSError as error:
        closed = f"Session {done.session} is closed here, and whole." if done else "Nothing was changed."
        raise EnvironmentFailure(
            f"{target} cannot be written: {error.strerror}. {closed}",
            remedy="Write it to another place with the same command.",
        ) from error
    return done


@contextmanager
def _whole(target: Path) -> Iterator[IO[str]]:
    """Give a file that is in its place once it is whole on disk, or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(aside).replace(target)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def session_file(paths: Iterable[str]) -> Path | None:
    """Return the one file of a session that is named, None if state files are.

    Raises:
        Usage: it is named among others.
    """
    from pucs.coordinator.moving import FORMAT, is_session_file  # noqa: PLC0415

    names = list(paths)
    found = []
    for name in map(Path, names):
        with suppress(OSError):
            if name.is_file():
                with name.open("rb") as file:
                    found += [name] if is_session_file(file.read(2 * len(FORMAT) + 40)) else []
    if found and len(names) > 1:
        raise Usage(f"{found[0]} holds a session, which is taken in alone.", remedy="Name no other file.")
    return found[0] if found else None


def move_in(door: Door, source: Path, *, dry_run: bool) -> None:
    """Bring a session from its file into the store that is named, which is made if there is none."""
    from pucs.cli.init import keep_backup  # noqa: PLC0415
    from pucs.coordinator.moving import arrive, session_of  # noqa: PLC0415
    from pucs.wiring import mark_active  # noqa: PLC0415

    session = session_of(next(_lines(source), b""))
    if door.session not in {"", session}:
        raise Usage(f"{source} holds session {session}.", remedy="Leave out --session.")
    try:
        context = replace(door, session="").context(create=not dry_run)
    except StoreError as error:
        if dry_run and error.fields.get("missing"):
            error.remedy = "Importing makes it: leave out --dry-run"
        raise
    _check_left(context, session)
    done = arrive(context, partial(_lines, source), dry_run=dry_run)
    if not dry_run:
        mark_active(context)
        keep_backup(context)
    door.say(
        {**asdict(done), "store": context.store.path, "dry_run": dry_run},
        lambda: _came(context, done, dry_run=dry_run),
    )


def _check_left(context: Context, session: str) -> None:
    """Check that a session is not at work in another store, as far as this repository knows.

    Raises:
        Refused: it is.
    """
    from pucs.wiring import marked  # noqa: PLC0415

    at_work, store = marked(context)
    if at_work == session and store not in {"", context.store.path}:
        raise Refused(
            f"Session {session} is at work in {store}. Nothing was taken.",
            remedy="Move it from there first. If that store is gone for good, remove the file pucs/active in the git directory.",
        )


def _lines(source: Path) -> Iterator[bytes]:
    try:
        with source.open("rb") as file:
            yield from iter(partial(file.readline, LINE_BYTES_MAX), b"")
    except OSError as error:
        raise Usage(f"{source} cannot be read: {error.strerror}.", remedy="Name another file.") from error


def _came(context: Context, done: Arrived, *, dry_run: bool) -> str:
    entries, tasks = done.rows["entries"], done.rows["tasks"]
    what = f"{count(entries, 'entry', 'entries')}, {count(tasks, 'task')}"
    place = f"{'back in ' if done.back else 'in '}{context.store.path}"
    if dry_run:
        return f"Session {done.session} would be {place}: {what}."
    lines = [f"Session {done.session} is {place}: {what}."]
    from pucs.wiring import own_store  # noqa: PLC0415

    if not own_store(context):
        lines.append(
            "Name that store in PUCS_STORE or --store, or as store: in the configuration and call  pucs init"
        )
    return "\n".join(lines)
