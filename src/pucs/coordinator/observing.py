"""What an agent's tools did, looked at after each of them: what it read, what it wrote, what its shell changed.

Shell text is only a guess, so in an agent's own worktree the truth is asked of git after every command. What changed
without a lease takes a late one where that is free; what others hold stays where it is and is parked at landing, and the
agent is told while it can still put it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.agents.calls import Ruling
from pucs.coordinator import securing, sights, whereabouts
from pucs.coordinator.context import unit
from pucs.coordinator.conversations import lease_s
from pucs.core.errors import PucsError
from pucs.core.resources import Resource, is_directory
from pucs.crosslog.records import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.agents.calls import Call
    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context

LATE_MAX = 100
"""Undeclared changes of one command that are looked at one by one; the rest is judged at landing like any other."""

_OF_SERVERS = "mcp__"
"""How agent programs name tools of MCP servers, which may write files and do not say which."""


def observed(context: Context, agent: Agent, call: Call) -> Ruling:
    """Note what an agent has seen and changed, and tell it what of that others hold.

    Nothing is refused here: it has happened.
    """
    if not agent.active or agent.terminated:
        return Ruling()
    place = whereabouts.own_place(context, agent)
    written = [edit.path for edit in call.edits]
    if call.command:
        from pucs.agents.shell import touched  # noqa: PLC0415 - most calls are not of a shell

        written += [edit.path for edit in touched(call.command).edits]
    changed = whereabouts.files(context, agent, call.cwd, written[: securing.FILES_MAX])
    seen = [*whereabouts.files(context, agent, call.cwd, call.reads[: securing.FILES_MAX]), *changed]
    if agent.branch and (call.command or call.tool.startswith(_OF_SERVERS)):
        # A merge that goes on brings others' work: what of it is the agent's own is seen when it lands.
        merging = context.worktrees.merging(agent.worktree)
        changed = [] if merging else context.worktrees.dirty(agent.worktree)
    late = _undeclared(context, agent, place, changed)
    sights.see(context, agent.id, place, seen)
    return _late(context, agent, place, late) if late else Ruling()


def _undeclared(context: Context, agent: Agent, place: str, paths: Sequence[Resource]) -> list[Resource]:
    """Return the changed files that no lease of the agent covers, but for those it was told about as they are."""
    if not paths:
        return []
    with context.store.read() as tx:
        cover = securing.covered(tx, agent, context.clock.now(), paths)
        uncovered = [*cover.bare, *cover.partly][:LATE_MAX]
        seen = {path: tx.sights.get(agent.id, path) for path in uncovered if not is_directory(path)}
    news = [path for path, before in seen.items() if before != sights.digest(context, place, path)]
    own = securing.worth_a_lease(context, agent, [path for path in news if path not in cover.partly])
    parts = [path for path in news if path in cover.partly]
    return [*own, *(path for path in parts if agent.branch and not _stays_inside(context, agent, path))]


def _stays_inside(context: Context, agent: Agent, path: Resource) -> bool:
    """Tell whether what differs from the last commit stays inside the symbols that the agent holds of a file."""
    from pucs.coordinator.judging import judge_inside  # noqa: PLC0415 - only where symbols are held
    from pucs.syntax.changes import changed_symbols  # noqa: PLC0415

    try:
        head = context.worktrees.head(agent.worktree)
        before = context.repository.content(head, path)
        changes = changed_symbols(before, context.worktrees.read(agent.worktree, path))
    except PucsError:
        return False
    with context.store.read() as tx:
        return not judge_inside(tx, agent.session, agent.id, path, changes).beyond


def _late(context: Context, agent: Agent, place: str, paths: Sequence[Resource]) -> Ruling:
    """Take late leases on what changed without one, and say what could not be had."""
    refused = _taken_late(context, agent, paths)
    with unit(context) as opened:
        opened.log(
            "undeclared change",
            agent=agent.id,
            stream=agent.stream,
            level=Level.CONFLICT if refused else Level.INFO,
            files=paths,
            refused=list(refused),
        )
    sights.see(context, agent.id, place, paths)
    if not refused:
        return Ruling()
    what = " ".join(list(refused)[: securing.NAMES_TOLD])
    more = (
        f" and {len(refused) - securing.NAMES_TOLD} more files" if len(refused) > securing.NAMES_TOLD else ""
    )
    why = " ".join(list(dict.fromkeys(refused.values()))[: securing.NAMES_TOLD])
    if agent.branch:
        then = (
            f"It will be parked when you land. Put it back with: git checkout HEAD -- {what} (what is new: git clean -f -- "
            "FILE); or, if your work needs it, change it with your edit tool, which asks for the lease."
        )
    else:
        then = "Put back what you changed there, and edit it when it is free."
    return Ruling(context=f"Your command changed {what}{more} without a lease. {why} {then}")


def _taken_late(context: Context, agent: Agent, paths: Sequence[Resource]) -> dict[str, str]:
    """Lease what is free among changed files; return the others, each with the reason.

    All at once where that is possible. Nothing is waited for: what the agent does not need it puts back.
    """
    refused = _refused(context, agent, paths)
    if refused is None:
        return {}
    if len(paths) == 1:
        return {paths[0]: refused}
    each = {path: _refused(context, agent, [path]) for path in paths}
    return {path: why for path, why in each.items() if why is not None}


def _refused(context: Context, agent: Agent, paths: Sequence[Resource]) -> str | None:
    """Lease changed files; return why that was refused, None if it was not."""
    from pucs.coordinator import leases  # noqa: PLC0415 - only for what changed without a lease

    with context.store.read() as tx:
        duration_s = lease_s(tx, agent)
    try:
        # Nothing is noted of files that have changed already, so that giving them up looks with git.
        answer = leases.acquire(
            context, agent=agent.id, resources=paths, duration_s=duration_s, task=agent.task
        )
    except PucsError as error:
        return str(error)
    return None if answer.granted else answer.reason
