"""From a step of a script to a call of whatever tool the program offers for it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from pucs.testing.dialects import DETOUR, Asked, Reply, Say, Tool, Use

_NAMES = {
    "write": ("Write", "write_file", "write"),
    "edit": ("Edit", "replace", "edit"),
    "read": ("Read", "read_file", "read"),
    "shell": ("Bash", "run_shell_command", "bash", "exec_command", "shell_command", "shell"),
}
"""Names under which programs offer the tool of a step, surest first."""

_ARGUMENTS = {
    "path": ("file_path", "filePath", "absolute_path", "path"),
    "text": ("content", "text"),
    "old": ("old_string", "oldString", "old_str"),
    "new": ("new_string", "newString", "new_str"),
    "shell": ("command", "cmd"),
}
"""Names under which tools take what a step says."""

_WORKING_DIRECTORY = re.compile(
    r"(?:working directory(?: is)?: *|<cwd>|workspace directories:\**\s*- )`?(/[^\n<`]*)", re.IGNORECASE
)
"""How programs tell the model where they work."""

_SEARCHES = ("ToolSearch", "tool_search")


def reply(step: Mapping[str, Any], asked: Asked) -> Reply:
    """Return what the model answers; words that name the step where no tool fits it."""
    if "text" in step and not step.keys() & {"write", "append"}:
        return Say(str(step["text"]))
    if not asked.tools:
        return Say("There is no tool to work with.")  # a side question of the program: a title, a summary
    if "tool" in step:
        exact = _offered(asked.tools, (str(step["tool"]),)) or Tool(name=str(step["tool"]))
        arguments = _filled(step.get("arguments", {}), asked)
        return Use(
            id=_id(asked), tool=exact, arguments=arguments, text=_filled(str(step.get("input", "")), asked)
        )
    if "mcp" in step:
        return _mcp(step, asked)
    kind = next((word for word in _NAMES if word in step), "")
    return _with_tool(kind, step, asked) or Say(f"No tool is offered for {dict(step)!r}.")


def working_directory(asked: Asked) -> str:
    """Return where the program says it works, empty if it does not; what it said last counts."""
    found = _WORKING_DIRECTORY.findall(asked.text)
    return found[-1].strip().rstrip("/") if found else ""


def _with_tool(kind: str, step: Mapping[str, Any], asked: Asked) -> Reply | None:
    path = _filled(str(step.get(kind, "")), asked)
    tool = _offered(asked.tools, _NAMES.get(kind, ()))
    if kind in {"write", "edit"} and tool is None:
        patch = _offered(asked.tools, ("apply_patch",))
        text = _patch(kind, path, step)
        if patch is not None:
            return Use(id=_id(asked), tool=patch, arguments={"input": text}, text=text)
        return _shell(f"apply_patch <<'PATCH'\n{text}PATCH", asked)
    if tool is None:
        return _shell(f"cat {shlex.quote(path)}", asked) if kind == "read" else None
    if kind == "shell":
        return _shell(path, asked)
    said = {"path": _absolute(path, asked)} | {
        word: step[word] for word in ("text", "old", "new") if word in step
    }
    return Use(id=_id(asked), tool=tool, arguments=_arguments(tool, said))


def _shell(command: str, asked: Asked) -> Reply | None:
    tool = _offered(asked.tools, _NAMES["shell"])
    if tool is None:
        return None
    takes_list = tool.properties.get("command", {}).get("type") == "array"
    said: dict[str, Any] = {"shell": ["bash", "-c", command] if takes_list else command}
    return Use(id=_id(asked), tool=tool, arguments=_arguments(tool, said))


def _mcp(step: Mapping[str, Any], asked: Asked) -> Reply:
    """Call a tool of an MCP server; where it has to be looked up first, do that now."""
    name, server = str(step["mcp"]), str(step.get("server", "pucs"))
    ends = (f"mcp__{server}__{name}", f"mcp_{server}_{name}", f"{server}_{name}", f"{server}__{name}")
    for tool in asked.tools:
        in_group = tool.name == name and server in tool.namespace
        if in_group or any(tool.name.endswith(end) for end in ends):
            return Use(id=_id(asked), tool=tool, arguments=_filled(step.get("arguments", {}), asked))
    search = _offered(asked.tools, _SEARCHES)
    already = sum(DETOUR in part for part in _ids(asked.body))
    if search is None or already > asked.turns + 1:
        exact = Tool(name=ends[0])
        return Use(id=_id(asked), tool=exact, arguments=_filled(step.get("arguments", {}), asked))
    query = f"select:{ends[0]}" if search.name == "ToolSearch" else f"{server} {name}"
    return Use(
        id=f"{DETOUR}_{asked.turns}_{already}",
        tool=search,
        arguments=_arguments(search, {}) | {"query": query},
    )


def _offered(tools: Sequence[Tool], names: Iterable[str]) -> Tool | None:
    by_name = {tool.name: tool for tool in reversed(tools) if not tool.namespace}
    return next((by_name[name] for name in names if name in by_name), None)


def _arguments(tool: Tool, said: Mapping[str, Any]) -> dict[str, Any]:
    """Name what a step says as the tool does, and give every other text that it insists on."""
    given = {}
    for word, value in said.items():
        names = _ARGUMENTS[word]
        given[next((name for name in names if name in tool.properties), names[0])] = value
    for name in tool.required:
        if name not in given and tool.properties.get(name, {}).get("type") == "string":
            given[name] = "As the script says."
    return given


def _patch(kind: str, path: str, step: Mapping[str, Any]) -> str:
    """Write a step in the ``apply_patch`` format; an edit has to say whole lines."""
    if kind == "write":
        body = "".join(f"+{line}\n" for line in str(step["text"]).splitlines())
        return f"*** Begin Patch\n*** Add File: {path}\n{body}*** End Patch\n"
    old = "".join(f"-{line}\n" for line in str(step["old"]).splitlines())
    new = "".join(f"+{line}\n" for line in str(step["new"]).splitlines())
    return f"*** Begin Patch\n*** Update File: {path}\n@@\n{old}{new}*** End Patch\n"


def _absolute(path: str, asked: Asked) -> str:
    """Return a path as tools want it; as it is where the program does not say where it works."""
    return str(PurePosixPath(working_directory(asked), path))


def _filled(value: Any, asked: Asked) -> Any:
    """Put the working directory in place of ``{cwd}``, in every text of a value."""
    if isinstance(value, str):
        return value.replace("{cwd}", working_directory(asked)) if "{cwd}" in value else value
    if isinstance(value, Mapping):
        return {key: _filled(inner, asked) for key, inner in value.items()}
    if isinstance(value, Sequence):
        return [_filled(inner, asked) for inner in value]
    return value


def _ids(body: object) -> list[str]:
    """Return the ids of all tool calls in a request."""
    if isinstance(body, Mapping):
        own = [str(body[key]) for key in ("id", "call_id") if body.get("type") and key in body][:1]
        return own + [found for value in body.values() for found in _ids(value)]
    if isinstance(body, Sequence) and not isinstance(body, str):
        return [found for part in body for found in _ids(part)]
    return []


def _id(asked: Asked) -> str:
    return f"step_{asked.turns}"
