"""How Claude Code reports and is answered (tried with 2.1.329)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pucs.agents.calls import Edit, Moment, Replacement
from pucs.core.errors import Usage
from pucs.hooks import wire

if TYPE_CHECKING:
    from pucs.agents.calls import Call, Ruling

REPLACEMENTS_MAX = 2000
"""Exchanges of one call: more are not judged one by one but as a change of the whole file."""

_READERS = {"Read": "file_path", "NotebookRead": "notebook_path"}
"""Tools that show a file, and where they say which."""


def understood(report: wire.Document, call: Call) -> Call:
    """Return a call with what its tool changes, reads and runs.

    Raises:
        Usage: a tool that changes files does not say which.
    """
    if call.moment not in {Moment.BEFORE, Moment.AFTER}:
        return call
    if call.tool in {"Edit", "MultiEdit", "Write"}:
        return replace(call, edits=(_edit(call.tool, wire.tool_input(report)),))
    if call.tool == "NotebookEdit":
        return replace(call, edits=(Edit(path=wire.text(wire.tool_input(report), "notebook_path")),))
    if call.tool in _READERS:
        return replace(call, reads=(wire.text(wire.tool_input(report), _READERS[call.tool]),))
    if call.tool == "Bash":
        return replace(call, command=wire.text(wire.tool_input(report), "command", ""))
    return call


def _edit(tool: str, given: wire.Document) -> Edit:
    path = wire.text(given, "file_path")
    if tool == "Write":
        return Edit(path=path, content=wire.content(wire.text(given, "content", "")))
    exchanges = given.get("edits") if tool == "MultiEdit" else [given]
    if not isinstance(exchanges, list) or not all(isinstance(each, dict) for each in exchanges):
        raise Usage("A hook was called without proper 'edits'.")
    if len(exchanges) > REPLACEMENTS_MAX:
        return Edit(path=path)
    return Edit(path=path, replacements=tuple(_replacement(each) for each in exchanges))


def _replacement(given: wire.Document) -> Replacement:
    return Replacement(
        wire.text(given, "old_string", ""),
        wire.text(given, "new_string", ""),
        everywhere=given.get("replace_all") is True,
    )


def answered(event: str, ruling: Ruling) -> wire.Document:
    """Return the answer to an event.

    An allowed tool is never answered with "allow": that would skip the questions that the person wants to be asked.
    """
    answer: wire.Document = {}
    match wire.MOMENTS[event]:
        case Moment.BEFORE:
            specific = (
                {}
                if ruling.allowed
                else {
                    "permissionDecision": "deny",
                    "permissionDecisionReason": wire.reason(ruling),
                }
            )
            answer |= _specific(event, specific, ruling.context)
        case Moment.START:
            # A start cannot be refused; what is denied then is told, and denied again at the first edit.
            told = "\n\n".join(part for part in (ruling.reason, ruling.context) if part)
            answer |= _specific(event, {}, told)
        case Moment.PROMPT | Moment.AFTER:
            if not ruling.allowed:
                answer |= {"decision": "block", "reason": wire.reason(ruling)}
            answer |= _specific(event, {}, ruling.context)
        case Moment.STOP:
            if not ruling.allowed:
                answer |= {"decision": "block", "reason": wire.reason(ruling)}
            elif ruling.context:
                # Words for the model would make it go on; at the end of a turn they are for the person.
                answer |= {"systemMessage": ruling.context}
        case _:
            return {}
    if ruling.suspend:
        answer |= {"continue": False, "stopReason": ruling.reason or "PUCS ends the turn here."}
    return answer


def _specific(event: str, parts: wire.Document, context: str) -> wire.Document:
    if context:
        parts = {**parts, "additionalContext": context}
    return {"hookSpecificOutput": {"hookEventName": event, **parts}} if parts else {}
