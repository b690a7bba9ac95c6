"""What every command shares: the common options, the context, the two forms of output, and the way to fail."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import sys
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn

import click

from pucs.core.errors import EnvironmentFailure, NotFound, PucsError, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pucs.coordinator.context import Context

EXIT_BUG = 3
EXIT_INTERRUPTED = 130
_ENVIRONMENT = frozenset({
    errno.EACCES,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ENOSPC,
    errno.EPERM,
    errno.EROFS,
})
"""What the machine refuses, whoever asks: not a bug of ours."""


@dataclass(slots=True)
class Door:
    """The common options of one call."""

    repo: str = "."
    store: str = ""
    session: str = ""
    json: bool = False

    def context(self, *, create: bool = False, door: str = "cli") -> Context:
        """Open the repository and its store; see ``wiring.open_context`` for what can go wrong.

        Raises:
            NotFound: the session that was named does not exist.
        """
        from pucs.wiring import open_context  # noqa: PLC0415 - commands that need no store never load it

        opened = open_context(self.repo, store=self.store, session=self.session, door=door, create=create)
        if self.session:
            with opened.store.read() as tx:
                known = tx.sessions.get(self.session)
            if known is None:
                raise NotFound(f"There is no session {self.session!r}.", remedy="The active one: pucs status")
        return opened

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
    cells = [[one_line(str(cell)) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def one_line(text: str) -> str:
    """Return a text that cannot move the cursor or begin a line of its own: words from agents are data here."""
    return (
        text
        if text.isprintable()
        else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    )


def count(number: int, thing: str, things: str = "") -> str:
    """Return a number of things, in the singular for one."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def span(seconds: float) -> str:
    """Return a length of time for people."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(0.0, seconds):.0f} s"  # noqa: PLR2004 - minutes read badly below


def clip(text: str, width: int) -> str:
    """Return a text that takes no more than a width."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def quiet_exit() -> NoReturn:
    """Leave without a word because the reader has left, as in ``pucs log | head``."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
    raise SystemExit(0)


def _let_go_of_output() -> None:
    """Drop what the output cannot take, or the interpreter would fail on it again at its very end, with a status of its own."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def fail(error: BaseException, *, as_json: bool = False) -> NoReturn:
    """Print what went wrong and exit with the status that says of what kind it is; with ``as_json`` also as JSON."""
    if isinstance(error, SystemExit):
        raise error
    if isinstance(error, click.exceptions.Exit):
        sys.exit(error.exit_code)
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        click.echo("Interrupted.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    if isinstance(error, BrokenPipeError):
        quiet_exit()
    if isinstance(error, OSError) and error.errno in _ENVIRONMENT:
        _let_go_of_output()
        error = _of_the_system(error)
    if isinstance(error, click.ClickException):
        _fail_on_use(error, as_json=as_json)
    if isinstance(error, PucsError):
        _fail_on_purpose(error, as_json=as_json)
    import traceback  # noqa: PLC0415 - only for bugs

    if as_json:
        _echo_error("bug", f"{type(error).__name__}: {error}")
    traceback.print_exception(error)
    click.echo("pucs: this is a bug; please report it with the lines above.", err=True)
    sys.exit(EXIT_BUG)


def _fail_on_use(error: click.ClickException, *, as_json: bool) -> NoReturn:
    if as_json:
        _echo_error(Usage.code, error.format_message())
    error.show()
    sys.exit(error.exit_code)


def _fail_on_purpose(error: PucsError, *, as_json: bool) -> NoReturn:
    if as_json:
        _echo_error(error.code, error.message, error.remedy)
    click.echo(f"pucs: {error.message}", err=True)
    if error.remedy:
        click.echo(f"      {error.remedy}", err=True)
    sys.exit(error.exit_status)


def _of_the_system(error: OSError) -> EnvironmentFailure:
    where = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, (str, bytes)) else ""
    return EnvironmentFailure(
        f"The system refused: {error.strerror}{where}.",
        remedy="Check free space, permissions and limits (ulimit -a).",
    )


def _echo_error(code: str, message: str, remedy: str = "") -> None:
    click.echo(to_json({"error": {"code": code, "message": message, "remedy": remedy}}))
