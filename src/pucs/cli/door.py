"""What every command shares: the common options, the context, the two forms of output, and the way to fail."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn

import click

from pucs.core.errors import PucsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pucs.coordinator.context import Context

EXIT_BUG = 3
EXIT_INTERRUPTED = 130


@dataclass(slots=True)
class Door:
    """The common options of one call."""

    repo: str = "."
    store: str = ""
    session: str = ""
    json: bool = False

    def context(self, *, create: bool = False, door: str = "cli") -> Context:
        """Open the repository and its store; see ``wiring.open_context`` for what can go wrong."""
        from pucs.wiring import open_context  # noqa: PLC0415 - commands that need no store never load it

        return open_context(self.repo, store=self.store, session=self.session, door=door, create=create)

    def say(self, value: Any, text: str | Callable[[], str]) -> None:
        """Print the result: as JSON with ``--json``, else the text."""
        if self.json:
            click.echo(to_json(value))
        else:
            click.echo(text() if callable(text) else text)


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--repo``, ``--store``, ``--session`` and ``--json`` to a command and hand it a ``Door`` first.

    The same options work before the command name; the later one wins.
    """

    @click.option(
        "--repo", metavar="DIR", default=None, help="Repository to work in [PUCS_REPO; default: here]."
    )
    @click.option(
        "--store",
        metavar="PATH",
        default=None,
        help="Store file [PUCS_STORE; default: in the git directory].",
    )
    @click.option(
        "--session",
        metavar="ID",
        default=None,
        help="Session to act in [PUCS_SESSION; default: the active one].",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @wraps(function)
    def wrapped(
        *args: Any, repo: str | None, store: str | None, session: str | None, as_json: bool, **rest: Any
    ) -> Any:
        ctx = click.get_current_context()
        outer = ctx.obj if isinstance(ctx.obj, Door) else _from_environment()
        door = Door(
            repo=outer.repo if repo is None else repo,
            store=outer.store if store is None else store,
            session=outer.session if session is None else session,
            json=outer.json or as_json,
        )
        ctx.obj = door
        ctx.find_root().obj = door
        return function(door, *args, **rest)

    return wrapped


def _from_environment() -> Door:
    return Door(
        repo=os.environ.get("PUCS_REPO") or ".",
        store=os.environ.get("PUCS_STORE", ""),
        session=os.environ.get("PUCS_SESSION", ""),
    )


def to_json(value: Any) -> str:
    """Return JSON of records, enums, tuples and plain values."""
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)


def table(rows: Iterable[Sequence[Any]], header: Sequence[str]) -> str:
    """Return rows as aligned columns under a header, plain enough for pipes; made without any table library."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def fail(error: BaseException) -> NoReturn:
    """Print what went wrong and exit with the status that says of what kind it is."""
    if isinstance(error, SystemExit):
        raise error
    if isinstance(error, click.exceptions.Exit):
        sys.exit(error.exit_code)
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        click.echo("Interrupted.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    if isinstance(error, click.ClickException):
        error.show()
        sys.exit(error.exit_code)
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader left, as `pucs log | head` does
        sys.exit(0)
    if isinstance(error, PucsError):
        if "--json" in sys.argv:
            click.echo(
                to_json({"error": {"code": error.code, "message": error.message, "remedy": error.remedy}})
            )
        click.echo(f"pucs: {error.message}", err=True)
        if error.remedy:
            click.echo(f"      {error.remedy}", err=True)
        sys.exit(error.exit_status)
    import traceback  # noqa: PLC0415 - only for bugs

    traceback.print_exception(error)
    click.echo("pucs: this is a bug; please report it with the lines above.", err=True)
    sys.exit(EXIT_BUG)
