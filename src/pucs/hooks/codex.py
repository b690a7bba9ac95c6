"""How Codex reports and is answered (tried with 0.169.0).

It speaks Claude Code's dialect with tools of its own, and is stricter: an answer with a part that it does not know for an
event is thrown away, and then the tool runs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pucs.agents.calls import Moment
from pucs.agents.patches import parse_patch
from pucs.core.errors import Usage
from pucs.hooks import claude, wire

if TYPE_CHECKING:
    from pucs.agents.calls import Call, Ruling

_SHELLS = frozenset({"Bash", "shell", "local_shell", "exec_command", "unified_exec"})


def understood(report: wire.Document, call: Call) -> Call:
    """Return a call with what its tool changes and runs.

    Raises:
        Usage: a patch cannot be read.
    """
    if call.moment not in {Moment.BEFORE, Moment.AFTER}:
        return call
    if call.tool == "apply_patch":
        edits = parse_patch(_command(wire.tool_input(report)))
        if not edits:
            raise Usage("A hook was called with a patch that names no file.")
        return replace(call, edits=edits)
    if call.tool in _SHELLS:
        return replace(call, command=_command(wire.tool_input(report)))
    return call


def _command(given: wire.Document) -> str:
    """Return a command: a text, or a list of words of which the last is the script of a shell."""
    found = given.get("command", given.get("cmd", ""))
    if isinstance(found, list) and all(isinstance(word, str) for word in found):
        is_shell = len(found) > 2 and found[1] in {"-c", "-lc"}  # noqa: PLR2004 - shell, option, script
        return found[2] if is_shell else " ".join(found)
    if not isinstance(found, str):
        raise Usage("A hook was called without a proper 'command'.")
    return found


def answered(event: str, ruling: Ruling) -> wire.Document:
    """Return the answer to an event."""
    answer = claude.answered(event, ruling)
    if event == "PreToolUse":
        # Here it knows no "continue": the reason has to say that the turn is to end.
        answer.pop("continue", None)
        answer.pop("stopReason", None)
    return answer
