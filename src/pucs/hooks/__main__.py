"""The second step of ``pucs-hook``: ``python -m pucs.hooks PROGRAM`` answers one call without a server.

Exit status as agent programs take it: 0 with the answer on standard output; 2 blocks, with a sentence on standard error.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from types import FrameType

LIMIT_S = 10.0
"""Longest time of this step: with the time the script gives a server it stays well below the 60 s of the programs."""
EXIT_BLOCK = 2
_BLOCKING = "PreToolUse"
"""The only event at which a failure blocks: a start cannot be refused, and an end refused for ever helps nobody."""
_SELDOM_USED = ("calendar", "hashlib", "hmac", "inspect", "shutil", "subprocess", "tempfile")
"""Modules that others import and most decisions never touch: they would take a quarter of the time."""


class _Late(Exception):
    """The step took too long."""


def main() -> NoReturn:
    """Answer the call on standard input."""
    body = b""
    gc.disable()  # it would go through the same modules again and again, and the process ends before memory does
    try:
        signal.signal(signal.SIGALRM, _too_late)
        signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
        _load_late()
        body = _report()
        answer = _answered(sys.argv[1] if len(sys.argv) > 1 else "", body)
        sys.stdout.buffer.write(answer + b"\n")
        sys.stdout.flush()
    except _Late:
        _fail(body, f"the decision took longer than {LIMIT_S:.0f} s. Look at: pucs doctor")
    except Exception as error:  # noqa: BLE001 - a door: what fails here must block, not pass
        _fail(body, _told(error))
    os._exit(0)  # nothing is left to tidy, and tidying takes longer than the decision


def _load_late() -> None:
    """Let some modules be loaded when something of them is first used, not when they are imported (PEP 562)."""
    for name in _SELDOM_USED:
        if name not in sys.modules:
            sys.modules[name] = _stand_in(name)


def _stand_in(name: str) -> ModuleType:
    module = ModuleType(name)

    def fetch(attribute: str) -> Any:
        if sys.modules.get(name) is module:
            del sys.modules[name]
        found = importlib.import_module(name)
        vars(module).update(vars(found))
        return getattr(found, attribute)

    vars(module)["__getattr__"] = fetch
    return module


def _report() -> bytes:
    from pucs.hooks.wire import BODY_BYTES_MAX  # noqa: PLC0415 - only after what is loaded late

    return sys.stdin.buffer.read(BODY_BYTES_MAX + 1)


def _answered(program: str, body: bytes) -> bytes:
    from pucs.hooks.front import answer  # noqa: PLC0415 - only after what is loaded late
    from pucs.wiring import open_context  # noqa: PLC0415 - the same

    place, store = os.environ.get("PUCS_HOOK_REPO") or ".", os.environ.get("PUCS_STORE", "")
    return answer(
        open_context(place, store=store, door="hook"),
        program,
        body,
        agent=os.environ.get("PUCS_AGENT", ""),
        secret=os.environ.get("PUCS_SECRET", ""),
    )


def _too_late(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise _Late


def _told(error: Exception) -> str:
    from pucs.core.errors import PucsError  # noqa: PLC0415 - only on failure

    if isinstance(error, PucsError):
        return str(error)
    return f"a bug, please report it: {type(error).__name__}: {error}"


def _fail(body: bytes, why: str) -> NoReturn:
    """Say why there is no decision, and block if an edit may be waiting for it."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    blocks = _may_be_an_edit(body)
    blocked = "This is blocked while a session is active: " if blocks else ""
    sys.stderr.write(f"PUCS: {blocked}{why}\n")
    sys.stderr.flush()
    os._exit(EXIT_BLOCK if blocks else 0)


def _may_be_an_edit(body: bytes) -> bool:
    from pucs.core.errors import PucsError  # noqa: PLC0415 - only on failure
    from pucs.hooks import wire  # noqa: PLC0415 - the same

    try:
        return wire.event(wire.document(body)) == _BLOCKING
    except PucsError:
        return True


if __name__ == "__main__":
    main()
