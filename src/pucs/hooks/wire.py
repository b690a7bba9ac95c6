"""The JSON that agent programs send to hooks and take from them, as far as they agree."""

from __future__ import annotations

import json
from typing import Any

from pucs.agents.calls import Call, Moment, Ruling
from pucs.core.errors import Usage

BODY_BYTES_MAX = 24 * 1024 * 1024
"""Longest report: the call that writes a file holds it whole, and no agent writes files of this size by hand."""
NAME_CHARS_MAX = 300
"""Longest id of a conversation and name of a tool: they are kept, and shown."""

MOMENTS: dict[str, Moment | None] = {
    "SessionStart": Moment.START,
    "UserPromptSubmit": Moment.PROMPT,
    "PreToolUse": Moment.BEFORE,
    "PostToolUse": Moment.AFTER,
    "PostToolUseFailure": Moment.AFTER,
    "Stop": Moment.STOP,
    "SessionEnd": Moment.END,
    # The agent itself goes on when a part of it ends, so nothing is due then.
    "SubagentStart": None,
    "SubagentStop": None,
}
"""Events that hooks are made for; None: answered without a decision."""

Document = dict[str, Any]


def document(body: bytes) -> Document:
    """Return the JSON object of a report.

    Raises:
        Usage: it is too long, or no such thing.
    """
    if len(body) > BODY_BYTES_MAX:
        raise Usage(
            f"A hook was called with {len(body)} bytes; {BODY_BYTES_MAX} are the most.",
            remedy="Let the agent write the file in parts.",
        )
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Usage(f"A hook was called with malformed JSON: {str(error)[:200]}.") from error
    if not isinstance(found, dict):
        raise Usage("A hook was called with JSON that is no object.")
    return found


def text(report: Document, key: str, default: str | None = None) -> str:
    """Return a text of a report.

    Raises:
        Usage: it is missing without a default, or no text.
    """
    value = report.get(key, default)
    if not isinstance(value, str):
        raise Usage(
            f"A hook was called without a proper {key!r}.", remedy="The program may be of another version."
        )
    return value


def event(report: Document) -> str:
    """Return the name of the event.

    Raises:
        Usage: nothing is known of such an event.
    """
    name = text(report, "hook_event_name")
    if name not in MOMENTS:
        raise Usage(
            f"A hook was called for {name[:NAME_CHARS_MAX]!r}, of which nothing is known here.",
            remedy=f"Take it out of the program's settings; known are {', '.join(MOMENTS)}.",
        )
    return name


def begun(report: Document, program: str, moment: Moment, *, agent: str, secret: str) -> Call:
    """Return what all calls have in common.

    Raises:
        Usage: a part is missing.
    """
    cwd = text(report, "cwd")
    if not cwd.startswith("/"):
        raise Usage("A hook was called without an absolute 'cwd'.")
    return Call(
        moment=moment,
        program=program,
        conversation=text(report, "session_id")[:NAME_CHARS_MAX],
        cwd=cwd,
        tool=text(report, "tool_name", "")[:NAME_CHARS_MAX],
        again=report.get("stop_hook_active") is True,
        agent=agent,
        secret=secret,
    )


def tool_input(report: Document) -> Document:
    """Return what a tool is called with.

    Raises:
        Usage: that is no object.
    """
    found = report.get("tool_input")
    if not isinstance(found, dict):
        raise Usage("A hook was called without a proper 'tool_input'.")
    return found


def content(of: str) -> bytes:
    """Return the bytes of a file that is to have this text."""
    try:
        return of.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return of.encode("utf-8", "surrogatepass")


def reason(ruling: Ruling) -> str:
    """Return why something is refused; never empty, because programs take an empty reason for none."""
    return ruling.reason or "PUCS refuses this without giving a reason."


def encoded(answer: Document) -> bytes:
    """Return an answer as ASCII; half characters, which strict readers refuse, are replaced."""
    return json.dumps(_whole(answer)).encode("ascii")


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    return value
