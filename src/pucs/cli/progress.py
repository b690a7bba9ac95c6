"""Live progress of a run: the cross-log, told line by line as it is written."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

import click

from pucs.cli.door import one_line
from pucs.crosslog.records import Entry, Level, Query

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from pucs.coordinator.context import Context

LOOK_S = 0.1
"""How often the display looks whether anybody committed; it asks SQLite for a number, nothing more."""
ENTRIES_MAX = 10_000
"""Entries shown at one look: more than a tenth of a second can bring."""

_SAID = {
    "registered": ("·", "blue", "starts"),
    "enforced": ("◆", "blue", "is held to the locks: its hook has called in"),
    "task started": ("▶", "cyan", "takes"),
    "lock queued": ("◌", "yellow", "waits for"),
    "lock claimed": ("●", "yellow", "is woken and gets"),
    "program started": ("▷", "cyan", "hands it to"),
    "agent suspended": ("◌", "yellow", "sleeps until it may have"),
    "agent resumed": ("●", "yellow", "goes on"),
    "boundary refused": ("⊘", "red", "is refused"),
    "synced": ("⇣", "blue", "takes in what others landed"),
    "landed": ("✔", "green", "lands"),
    "kept": ("⚑", "magenta", "has work kept aside:"),
    "parked": ("⚑", "magenta", "has work kept aside:"),
    "attempt failed": ("✘", "red", "fails at"),
    "task failed": ("✘", "red", "gives up"),
    "failed": ("✘", "red", "ends:"),
    "task given back": ("↩", "yellow", "gives back"),
    "task done": ("■", "green", "finishes"),
    "lease reclaimed": ("↺", "magenta", "is gone; free again:"),
    "lease expired": ("↺", "magenta", "ran out of time on"),
    "stream merged": ("⋈", "green", "merged"),
    "merged": ("⋈", "green", "merged"),
}
_UNSAID = frozenset({"message sent"})
"""What only agents read; that they wait or collide is told by an entry of its own."""


class Progress:
    """Prints what the session does while the block runs; silent with ``quiet``."""

    def __init__(self, context: Context, *, quiet: bool = False) -> None:
        """Show what happens from now on in the context's store."""
        self._context = context
        self._quiet = quiet
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="progress", daemon=True)
        with context.store.read() as tx:
            newest = tx.entries.select(Query(limit=1))
            self._seen = newest[0].seq if newest else 0
            session = tx.sessions.active()
        self._began_s = context.clock.now().wall_s
        self._session = session.id if session else ""
        self._failed: set[str] = set()
        self._plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ

    def __enter__(self) -> Self:
        """Begin to print."""
        if not self._quiet:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Print what is left and stop."""
        self._done.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _follow(self) -> None:
        version = -1
        while True:
            last = self._done.wait(LOOK_S)
            now = self._context.store.version()
            if now != version or last:
                version = now
                try:
                    self._print()
                except BrokenPipeError:  # nobody reads any more; the run itself goes on
                    self._quiet = last = True
            if last:
                self._context.store.close()
                return

    def _print(self) -> None:
        with self._context.store.read() as tx:
            entries = tx.entries.select(Query(session=self._session, after_seq=self._seen, limit=ENTRIES_MAX))
        for entry in entries:
            self._seen = entry.seq
            if entry.action in {"attempt failed", "task failed"}:
                self._failed.add(entry.agent)
            elif entry.action == "failed" and entry.agent in self._failed:
                continue  # the line about its task has said why
            line = told(entry)
            if line:
                mark, colour, text = line
                click.echo(
                    f"{self._stamp(entry)}  {click.style(mark, fg=colour)} {one_line(text)}",
                    color=not self._plain,
                )

    def _stamp(self, entry: Entry) -> str:
        from pucs.core.instants import parse_iso  # noqa: PLC0415

        return f"{max(0.0, parse_iso(entry.timestamp) - self._began_s):6.1f}s"


def told(entry: Entry) -> tuple[str, str, str] | None:
    """Return mark, colour and sentence of an entry worth showing, None for the others."""
    if entry.action == "program started" and entry.details.get("conversation"):
        return None  # that it goes on is told by an entry of its own
    if entry.action not in _SAID:
        if entry.action in _UNSAID or entry.level in {Level.DEBUG, Level.INFO}:
            return None
        return "•", "white", f"{(entry.agent or 'pucs'):<18} {entry.action} {', '.join(entry.files)}".rstrip()
    mark, colour, verb = _SAID[entry.action]
    return mark, colour, f"{(entry.agent or entry.stream or 'pucs'):<18} {verb} {_object(entry)}".rstrip()


def _object(entry: Entry) -> str:
    """Return what the sentence is about; for most actions the files."""
    details = entry.details
    more = f" and {len(entry.files) - 3} more" if len(entry.files) > 3 else ""  # noqa: PLR2004 - fits a line
    files = ", ".join(entry.files[:3]) + more
    again = f" (attempt {details['attempt']})" if details.get("attempt", 1) > 1 else ""
    task = details.get("task")
    said = {
        "registered": f"for stream {entry.stream}" if entry.stream else "",
        "lock queued": f"{files}, behind {', '.join(details.get('behind', []))}",
        "landed": _parts(entry),
        "lock claimed": f"{files} after {details.get('waited_s', 0):.2f} s",
        "boundary refused": f"{files}: it belongs to stream {details.get('other')}",
        "program started": str(details.get("program")),
        "agent resumed": f"{f'with {files} ' if files else ''}after {details.get('waited_s', 0):.2f} s",
        "task started": f"{task}: {details.get('title', '')}{again}",
        "task done": str(task),
        "task given back": str(task),
        "attempt failed": f"{task}: {details.get('reason')}",
        "task failed": f"{task}: {details.get('reason')}",
        "failed": str(details.get("reason", "")),
        "parked": f"{files} on {details.get('salvage')}",
        "kept": f"{files} on {details.get('salvage')}",
    }
    return said.get(entry.action, files)


def _parts(entry: Entry) -> str:
    """Return landed files, each with the definitions it landed if not all of it was leased."""
    from pucs.core.resources import file_resource, symbol_name  # noqa: PLC0415

    inside: dict[str, list[str]] = {}
    for name in entry.details.get("symbols", ()):
        inside.setdefault(file_resource(name), []).append(symbol_name(name))
    named = [f"{file} ({', '.join(inside[file])})" if file in inside else file for file in entry.files]
    return ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")  # noqa: PLR2004 - fits a line
