"""One call of a hook from end to end, the same behind the server and in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.coordinator.guarding import guard
from pucs.core.errors import NotFound
from pucs.hooks import claude, wire

if TYPE_CHECKING:
    from types import ModuleType

    from pucs.coordinator.context import Context

PROGRAMS = ("claude", "codex")
"""Programs that hooks answer."""


def answer(context: Context, program: str, body: bytes, *, agent: str = "", secret: str = "") -> bytes:
    """Return the JSON with which a program's report is answered.

    ``agent`` and ``secret`` come from where the call comes in (headers, environment), never from the report.

    Raises:
        NotFound: nobody here speaks the program's dialect.
        Usage: the report is not understood; where it could have been an edit, it has to be blocked.
    """
    if program not in PROGRAMS:
        raise NotFound(
            f"No hook is known for the program {program[: wire.NAME_CHARS_MAX]!r}.",
            remedy=f"There are {' and '.join(PROGRAMS)}.",
        )
    dialect = _dialect(program)
    report = wire.document(body)
    event = wire.event(report)
    moment = wire.MOMENTS[event]
    if moment is None:
        return wire.encoded({})
    call = wire.begun(report, program, moment, agent=agent, secret=secret)
    return wire.encoded(dialect.answered(event, guard(context, dialect.understood(report, call))))


def _dialect(program: str) -> ModuleType:
    if program == "claude":
        return claude
    from pucs.hooks import codex  # noqa: PLC0415 - each program loads its own

    return codex
