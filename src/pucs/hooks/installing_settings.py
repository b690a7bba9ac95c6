"""Our hooks in the settings of agent programs that write them as Claude Code does: put in, recognised, taken out.

``{"hooks": {EVENT: [{"matcher": M, "hooks": [{"type": "command", "command": C, ...}]}]}}``. Everything else in such a
file belongs to the person, and stays as it is, down to the blanks. Ours are those that call our file (``installing_guard``).
"""

from __future__ import annotations

from typing import Any

from pucs.hooks.installing_guard import calls_guard
from pucs.hooks.installing_json import Node, added, parse, removed, wrong

Groups = dict[str, list[dict[str, Any]]]
"""What hooks of ours there are to be: event → groups."""


def installed(text: str, source: str, wanted: Groups) -> str:
    """Return a settings file with our hooks as they are ``wanted`` and nowhere else.

    An empty text is an empty file. What is right already is left where it stands.

    Raises:
        ConfigurationError: it is no JSON, or what hooks are written into is not what it should be.
    """
    text = _without(text, source, wanted) if text else "{}\n"
    for event, groups in wanted.items():
        for group in groups:
            text = _with(text, source, event, group)
    return text


def uninstalled(text: str, source: str) -> str:
    """Return a settings file without our hooks, and without what they leave empty; everything else stays.

    Raises:
        ConfigurationError: it is no JSON.
    """
    return _without(text, source, {})


def ours(text: str, source: str) -> list[tuple[str, str]]:
    """Return event and command of each of our hooks in a settings file, in order.

    Raises:
        ConfigurationError: it is no JSON.
    """
    hooks = parse(text, source).get("hooks")
    if hooks is None or not isinstance(hooks.value, dict):
        return []
    return [
        (str(event.key), str(handler.value["command"]))
        for event in hooks.children
        for group in event.node.children
        for handler in _handlers(group.node)
        if _is_ours(handler)
    ]


def _with(text: str, source: str, event: str, group: dict[str, Any]) -> str:
    root = parse(text, source)
    if not isinstance(root.value, dict):
        raise wrong(text, root, source, "settings are an object")
    hooks = root.get("hooks")
    if hooks is None:
        return added(text, root, {event: [group]}, "hooks")
    if not isinstance(hooks.value, dict):
        raise wrong(text, hooks, source, '"hooks" is an object, with a list for each event')
    groups = hooks.get(event)
    if groups is None:
        return added(text, hooks, [group], event)
    if not isinstance(groups.value, list):
        raise wrong(text, groups, source, f'"hooks.{event}" is a list')
    return text if group in groups.value else added(text, groups, group)


def _without(text: str, source: str, kept: Groups) -> str:
    """Take our hooks out, one after the other, except groups that are ``kept`` as they are."""
    while (shorter := _without_one(text, parse(text, source), kept)) is not None:
        text = shorter
    return text


def _without_one(text: str, root: Node, kept: Groups) -> str | None:
    hooks = root.get("hooks")
    if hooks is None or not isinstance(hooks.value, dict):
        return None
    for event in hooks.children:
        right = list(kept.get(str(event.key), ()))
        for number, group in enumerate(event.node.children):
            if group.node.value in right:
                right.remove(group.node.value)
                continue
            for position, handler in enumerate(_handlers(group.node)):
                if not _is_ours(handler):
                    continue
                path = [
                    (root, root.children.index(_member(root, hooks))),
                    (hooks, hooks.children.index(event)),
                    (event.node, number),
                    (_list_of(group.node), position),
                ]
                # What held nothing else goes with it: the handler's list with its group, the event, "hooks" itself.
                while len(path) > 1 and len(path[-1][0].children) == 1:
                    path.pop()
                return removed(text, *path[-1])
    return None


def _member(root: Node, node: Node) -> Any:
    return next(child for child in root.children if child.node is node)


def _list_of(group: Node) -> Node:
    found = group.get("hooks") if isinstance(group.value, dict) else None
    return found if found is not None and isinstance(found.value, list) else Node(0, 0, [])


def _handlers(group: Node) -> list[Node]:
    return [child.node for child in _list_of(group).children]


def _is_ours(handler: Node) -> bool:
    command = handler.value.get("command") if isinstance(handler.value, dict) else None
    return isinstance(command, str) and calls_guard(command)
