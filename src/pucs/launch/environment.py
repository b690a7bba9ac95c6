"""What an agent's command finds in its environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pucs.agents.records import Agent
    from pucs.tasks.records import Task

_REPOSITORY_OF_THE_CALLER = frozenset({
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
})
"""Variables that would send the agent's git to another repository (``git rev-parse --local-env-vars``)."""


def of_agent(inherited: Mapping[str, str], agent: Agent, *, repository: str, store: str) -> dict[str, str]:
    """Return the environment of everything an agent runs.

    Nothing of a surrounding agent's own (``PUCS_*``) or of a surrounding git command shines through, and git never
    waits for an answer from a terminal.
    """
    kept = {
        name: value
        for name, value in inherited.items()
        if not name.startswith("PUCS_") and name not in _REPOSITORY_OF_THE_CALLER
    }
    kept.setdefault("GIT_TERMINAL_PROMPT", "0")
    kept |= {
        "PUCS_AGENT": agent.id,
        "PUCS_STREAM": agent.stream,
        "PUCS_SESSION": agent.session,
        "PUCS_REPO": repository,
        "PUCS_WORKTREE": agent.worktree,
    }
    if store:
        kept["PUCS_STORE"] = store
    return kept


def of_task(agent: Mapping[str, str], task: Task) -> dict[str, str]:
    """Return the environment of one attempt at a task."""
    return {
        **agent,
        "PUCS_TASK": task.id,
        "PUCS_ATTEMPT": str(task.attempts),
        "PUCS_SALVAGE": task.salvage,
        "PUCS_PROMPT": task.prompt,
    }
