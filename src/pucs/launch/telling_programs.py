"""What an agent program is told by its supervisor: its task, and why it is called again. Its hook briefs it on the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.messages.rules import quoted_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.agents.records import Agent
    from pucs.tasks.records import Task

NAMES_MAX = 20
"""Files named in one sentence; of more, only their number is told."""
GO_ON = "Go on with your task where you were."
BEGUN = "You began this task before; what you did is in your worktree. Since then:"

_TURNS = (
    "Your first edit of a file takes it for you. If an edit is refused because another agent holds the file, do another "
    "part of your task; if nothing else is left, end your turn. Never wait, sleep or poll for a file: you are called "
    "again when it is yours."
)


def task(given: Task, agent: Agent, leased: Sequence[str]) -> str:
    """Return the first words of an attempt."""
    parts = [given.title, given.prompt.strip()]
    if given.salvage:
        why = quoted_words("It ended with", given.result) if given.result else "It came to nothing."
        parts.append(
            f"An earlier attempt by another agent failed. {why}\nIts work is kept: git show {given.salvage}"
        )
    rules = [
        f"You are {agent.id}, one of several agents that change this repository at once; PUCS coordinates you.",
        f"Work only in {agent.worktree}, on files of stream {agent.stream}.",
        _TURNS,
        "Do not commit, push, or switch branches: when your turn ends, what you changed is checked and landed for you.",
    ]
    if leased:
        rules.append(f"Yours already: {_names(leased)}.")
    return "\n\n".join([*(part for part in parts if part), "\n".join(f"- {rule}" for rule in rules)])


def your_turn(resources: Sequence[str]) -> str:
    """Say that a wait is over."""
    verb = "is" if len(resources) == 1 else "are"
    return f"It is your turn: {_names(resources)} {verb} yours now."


def no_turn(awaited: Sequence[str], reason: str) -> str:
    """Say that a wait has ended without a grant."""
    return f"You do not wait for {_names(awaited)} any more. {reason}".strip()


def changed(paths: Sequence[str]) -> str:
    """Say what others changed in the worktree meanwhile; empty: nothing."""
    return (
        f"Others changed these files since you last saw them; read them again: {_names(paths)}."
        if paths
        else ""
    )


def gave_way(waiting: Sequence[str], result: str) -> str:
    """Say that what was done so far has landed, and what became of it."""
    return f"What you did so far has landed, because others waited for it: {', '.join(waiting)} ({result})."


def out_of_circle(resources: Sequence[str], result: str) -> str:
    """Say that the agent has nothing any more that others wait for, and may ask again."""
    return (
        f"You were refused {_names(resources)}, because you and others would have waited for each other. What you did so far "
        f"has landed ({result}), so now you can wait: make that edit again, and if it is refused, end your turn. If you do "
        "not need it, finish your task."
    )


def not_landed(reason: str, remedy: str) -> str:
    """Say that the work was refused, and what to do."""
    return (
        f"Your work could not be landed: {reason}\n{remedy}\n"
        "Put it right in your worktree, then end your turn; it is landed again then."
    )


def _names(names: Sequence[str]) -> str:
    return (
        ", ".join(names)
        if len(names) <= NAMES_MAX
        else f"{', '.join(names[:NAMES_MAX])} and {len(names) - NAMES_MAX} more"
    )
