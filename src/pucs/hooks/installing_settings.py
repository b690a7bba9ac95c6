"""Our hooks in the settings of agent programs that write them as Claude Code does: put in, recognised, taken out.

``{"hooks": {EVENT: [{"matcher": M, "hooks": [{"type": "command", "command": C, ...}]}]}}``. Everything else in such a
file belongs to the person, and stays as it is, down to the blanks.

What a hook runs is a line of shell and not ``pucs-hook`` itself, because settings outlive environments: where the program
is gone, edits are stopped only while a session is active in the repository, and only for whoever installed the hook.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from pucs.hooks.installing_json import Node, added, parse, removed, wrong

if TYPE_CHECKING:
    from collections.abc import Iterable

MARK = "pucs-install"
"""Name of the shell line, by which it is recognised."""
_DENIES, _TELLS = 2, 1
"""Exit statuses that agent programs take for "no", and for a failure that they tell and pass over."""
_IF_LAUNCHED = '[ -z "$PUCS_HOOKED" ] || exit 0'
"""Launched agents have hooks of their own, and must not depend on what a person once installed."""
_ASK_INSTALLED = 'if [ -r "$1" ]; then /bin/sh "$1" "$2"; s=$?; fi'
_ASK_ON_PATH = 'if command -v "$1" >/dev/null; then "$1" "$2"; s=$?; fi'
_IF_ANSWERED = "[ $s != 0 ] || exit 0"
_IF_BLOCKED = '[ $s != 2 ] || exit "$3"'
_IF_ANOTHER_USER = '[ "$(id -u)" = "$4" ] || exit 0'
_IF_NO_SESSION = (
    'd=$(git -C "${CLAUDE_PROJECT_DIR:-.}" rev-parse --path-format=absolute --git-common-dir 2>/dev/null)',
    '[ -e "$d/pucs/active" ] || exit 0',
)
_IF_ANOTHERS_SESSION = '[ -O "$d/pucs/active" ] || exit 0'
_ELSE = """\
echo "PUCS cannot be asked: $1 ended with status $s, and a session is active. Install PUCS again, \
take its hooks out of the settings of $2, or end the session: rm $d/pucs/active" >&2; exit "$3\""""


def command_line(hook: str, program: str, *, denies: bool, user: int) -> str:
    """Return the command of a hook for the settings of one person (``user``: their number).

    The hook says no in its answer; another status is a failure, which counts for that person only.
    ``denies``: its failure stops what the agent program is about to do.
    """
    steps = (
        _IF_LAUNCHED,
        "s=127",
        _ASK_INSTALLED,
        _IF_ANSWERED,
        _IF_ANOTHER_USER,
        _IF_BLOCKED,
        *_IF_NO_SESSION,
        _ELSE,
    )
    return _joined(steps, hook, program, str(_DENIES if denies else _TELLS), str(user))


def shared_command_line(name: str, program: str, *, denies: bool) -> str:
    """Return the command of a hook for settings that many may share: it finds ``name`` on PATH.

    Whoever has no such program is let through, except in a session that they started themselves.
    """
    steps = (
        _IF_LAUNCHED,
        "s=127",
        _ASK_ON_PATH,
        _IF_ANSWERED,
        _IF_BLOCKED,
        *_IF_NO_SESSION,
        _IF_ANOTHERS_SESSION,
        _ELSE,
    )
    return _joined(steps, name, program, str(_DENIES if denies else _TELLS))


def _joined(steps: Iterable[str], *arguments: str) -> str:
    return " ".join(shlex.quote(word) for word in ("/bin/sh", "-c", "; ".join(steps), MARK, *arguments))


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
    return isinstance(command, str) and f" {MARK} " in command
