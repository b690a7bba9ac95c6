"""The second step of ``pucs-hook``: ``python -m pucs.hooks PROGRAM`` answers one call without a server.

Exit status as agent programs take it: 0 with the answer on standard output; 2 blocks, with a sentence on standard error.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from pucs.core.errors import PucsError
from pucs.hooks import wire

if TYPE_CHECKING:
    from types import FrameType

LIMIT_S = 10.0
"""Longest time of this step: with the time the script gives a server it stays well below the 60 s of the programs."""
EXIT_BLOCK = 2
_BLOCKING = "PreToolUse"
"""The only event at which a failure blocks: a start cannot be refused, and an end refused for ever helps nobody."""


class _Late(Exception):
    """The step took too long."""


def main() -> NoReturn:
    """Answer the call on standard input."""
    body = b""
    try:
        signal.signal(signal.SIGALRM, _too_late)
        signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
        body = sys.stdin.buffer.read(wire.BODY_BYTES_MAX + 1)
        answer = _answered(sys.argv[1] if len(sys.argv) > 1 else "", body)
        sys.stdout.buffer.write(answer + b"\n")
        sys.stdout.flush()
    except PucsError as error:
        _fail(body, str(error))
    except _Late:
        _fail(body, f"the decision took longer than {LIMIT_S:.0f} s. Look at: pucs doctor")
    except Exception as error:  # noqa: BLE001 - a door: what fails here must block, not pass
        _fail(body, f"a bug, please report it: {type(error).__name__}: {error}")
    os._exit(0)  # nothing is left to tidy, and tidying takes longer than the decision


def _answered(program: str, body: bytes) -> bytes:
    from pucs.hooks.front import answer  # noqa: PLC0415 - a failure to load has to be told, too
    from pucs.wiring import open_context  # noqa: PLC0415 - the same

    context = open_context(
        os.environ.get("PUCS_HOOK_REPO") or ".", store=os.environ.get("PUCS_STORE", ""), door="hook"
    )
    return answer(
        context,
        program,
        body,
        agent=os.environ.get("PUCS_AGENT", ""),
        secret=os.environ.get("PUCS_SECRET", ""),
    )


def _too_late(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise _Late


def _fail(body: bytes, why: str) -> NoReturn:
    """Say why there is no decision, and block if an edit may be waiting for it."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        blocks = wire.event(wire.document(body)) == _BLOCKING
    except PucsError:
        blocks = True
    blocked = "This edit is blocked while a session is active: " if blocks else ""
    sys.stderr.write(f"PUCS: {blocked}{why}\n")
    sys.stderr.flush()
    os._exit(EXIT_BLOCK if blocks else 0)


if __name__ == "__main__":
    main()
