"""What stands in the messages of Codex's app-server, read with tolerance: a part that is missing or odd reads as empty.

Tried with Codex 0.169. Everything here is pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pucs.agents.calls import Edit
from pucs.agents.output import Spent

ABOUT_LENGTH_MAX: Final = 200
"""Longest line about a tool: it is shown to people in a list."""
CHANGES_MAX: Final = 500
"""Files of one patch that are understood; a patch with more is declined."""

_MOVED: Final = "\n\nMoved to: "
"""Stands with the new path behind the diff of a file that moves."""
_HINTS: Final[Mapping[str, str]] = {
    "unauthorized": "Run `codex login`.",
    "usageLimitExceeded": "The account's limit is used up.",
    "contextWindowExceeded": "The conversation no longer fits the model.",
    "modelNotFound": "Name another model in agents.programs.codex.model.",
    "sandboxError": "The sandbox cannot be set up on this machine; try `codex sandbox -- true`.",
}
"""What to do about errors, by Codex's own names."""
_UNAUTHORIZED: Final = 401

Part = Mapping[str, Any]


def part(value: object, *keys: str) -> Part:
    """Return a mapping inside of others, empty if there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def text(value: object, key: str) -> str:
    """Return a text of a mapping, empty if there is none."""
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else ""


def parts(value: object, key: str) -> tuple[Part, ...]:
    """Return the mappings in a list of a mapping."""
    found = value.get(key) if isinstance(value, Mapping) else None
    return tuple(item for item in found if isinstance(item, Mapping)) if isinstance(found, list) else ()


def edits(item: Part) -> tuple[Edit, ...]:
    """Return what a file change does; empty if that cannot be told whole."""
    changes = item.get("changes")
    if not isinstance(changes, list) or not 0 < len(changes) <= CHANGES_MAX:
        return ()
    found: list[Edit] = []
    for change in changes:
        path, diff = text(change, "path"), text(change, "diff")
        if not path:
            return ()
        match text(part(change, "kind"), "type"):
            case "add":
                found.append(Edit(path=path, content=diff.encode("utf-8", "surrogatepass")))
            case "delete":
                found.append(Edit(path=path, deletes=True))
            case "update":
                moved = text(part(change, "kind"), "move_path")
                hunks = diff.removesuffix(f"{_MOVED}{moved}") if moved else diff
                if moved:
                    found.append(Edit(path=path, deletes=True))
                found.append(Edit(path=moved or path, hunks=hunks))
            case _:
                return ()
    return tuple(found)


def reads(item: Part) -> tuple[tuple[str, ...], bool]:
    """Return the files that a command reads as far as Codex can tell, and whether it does nothing but look."""
    actions = parts(item, "commandActions")
    paths = tuple(text(action, "path") for action in actions if text(action, "type") == "read")
    harmless = bool(actions) and all(
        text(action, "type") in {"read", "listFiles", "search"} for action in actions
    )
    return tuple(path for path in paths if path), harmless


def tool(item: Part) -> tuple[str, str]:
    """Return name and one line about the tool of an item; the name is empty if it is no use of a tool."""
    match text(item, "type"):
        case "commandExecution":
            return "shell", line(text(item, "command"))
        case "fileChange":
            return "apply_patch", line(", ".join(text(change, "path") for change in parts(item, "changes")))
        case "mcpToolCall":
            return mcp_tool(text(item, "server"), text(item, "tool")), ""
        case "webSearch":
            return "web_search", line(text(item, "query"))
        case "dynamicToolCall" | "collabAgentToolCall":
            return text(item, "tool") or text(item, "type"), ""
        case _:
            return "", ""


def mcp_tool(server: str, name: str) -> str:
    """Return the name of a tool as the model knows it."""
    return f"mcp__{server}__{name}"


def line(words: str) -> str:
    """Return a text as one short line."""
    flat = " ".join(words.split())
    return flat if len(flat) <= ABOUT_LENGTH_MAX else f"{flat[: ABOUT_LENGTH_MAX - 1]}…"


def spent(usage: Part) -> Spent:
    """Return the tokens of a thread so far."""
    total = part(usage, "total")

    def tokens(key: str) -> int:
        value = total.get(key)
        return value if isinstance(value, int) and value >= 0 else 0

    cached = tokens("cachedInputTokens")
    return Spent(
        input_tokens=max(tokens("inputTokens") - cached, 0),
        cached_tokens=cached,
        output_tokens=tokens("outputTokens"),
    )


def told_error(error: Part) -> str:
    """Return an error of a turn or of a request in one line, with what to do about it where that is known."""
    said = text(error, "message") or "no reason given"
    details = text(error, "additionalDetails")
    if details and details not in said:
        said = f"{said}: {details}"
    info = error.get("codexErrorInfo")
    name = info if isinstance(info, str) else next(iter(info), "") if isinstance(info, Mapping) else ""
    if part(info, str(name)).get("httpStatusCode") == _UNAUTHORIZED:
        name = "unauthorized"
    hint = _HINTS.get(str(name), "")
    return f"{line(said).rstrip('.')}. {hint}" if hint else line(said)
