"""Whether an agent may commit what it has staged by itself: what its landing would refuse is said before the commit.

Asked by git's own hooks and for agents' commits only. A free file passes although nobody leased it, because its landing
takes the lease late; leases on symbols are judged where the change lands (DESIGN §5: truth is checked again there).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pucs.coordinator.answering import held_text
from pucs.coordinator.judging import judge
from pucs.coordinator.liveness import standing
from pucs.core.errors import NotFound
from pucs.core.modes import Mode
from pucs.locks.rules import conflicting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context
    from pucs.coordinator.ports import Transaction, Worktrees
    from pucs.core.resources import Resource
    from pucs.locks.records import Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """One path that an agent may not commit."""

    path: str
    reason: str
    """Whose it is, in one sentence."""
    remedy: str
    holder: str = ""
    """Agent that has it; empty: nobody has."""
    stream: str = ""
    """Other stream that covers it; empty: none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is said about paths."""

    agent: str
    """Whose commit it is; empty: nobody's, so nothing was judged."""
    objections: tuple[Objection, ...] = ()


def judge_files(context: Context, *, top: str, paths: Sequence[Resource], agent: str = "") -> Judged:
    """Judge what is about to be committed in a checkout (``top``); nothing is changed, and without a session all passes.

    Without ``agent`` it is the one that the checkout was made for; if it was made for none, nothing is judged.

    Raises:
        NotFound: no such agent.
    """
    now, worktrees = context.clock.now(), context.worktrees
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
        if session is None:
            return Judged(agent="")
        whose = _named(tx, agent) if agent else _made_for(worktrees, tx, session.id, top)
        if whose is None:
            return Judged(agent="")
        if whose.branch and not _same_place(worktrees, whose.worktree, top):
            away = Objection(
                path=top,
                reason=f"{top} is not the worktree of {whose.id}",
                remedy=f"Work and commit in {whose.worktree}.",
            )
            return Judged(agent=whose.id, objections=(away,))
        found = judge(tx, session.id, whose.id, whose.stream, paths)
        objections = [_foreign(path, other) for path, other in found.foreign.items()]
        objections += [_taken(path, lease) for path, lease in found.stale.items()]
        for path in found.undeclared:
            others = standing(context.processes, now, tx.leases.overlapping((path,)))
            objections += [
                _taken(path, lease)
                for lease in others
                if lease.agent != whose.id and conflicting(path, Mode.EXCLUSIVE, lease.resource, lease.mode)
            ][:1]
    return Judged(agent=whose.id, objections=tuple(sorted(objections, key=lambda one: one.path)))


def _named(tx: Transaction, agent: str) -> Agent:
    found = tx.agents.get(agent)
    if found is None:
        raise NotFound(f"There is no agent {agent!r}.", remedy="See: pucs agents")
    return found


def _made_for(worktrees: Worktrees, tx: Transaction, session: str, top: str) -> Agent | None:
    """Return the agent whose own worktree a checkout is."""
    return next(
        (
            agent
            for agent in tx.agents.all(session)
            if agent.active and agent.branch and _same_place(worktrees, agent.worktree, top)
        ),
        None,
    )


def _same_place(worktrees: Worktrees, one: str, other: str) -> bool:
    return one == other or worktrees.locate(one, ".").path == worktrees.locate(other, ".").path


def _foreign(path: Resource, stream: str) -> Objection:
    return Objection(
        path=path,
        stream=stream,
        reason=f"{path} belongs to stream {stream}",
        remedy=f"Leave it out, or ask for it: pucs request {path} --reason R",
    )


def _taken(path: Resource, lease: Lease) -> Objection:
    return Objection(
        path=path,
        holder=lease.agent,
        reason=held_text(lease) if lease.resource == path else f"{path}: {held_text(lease)}",
        remedy=f"Leave it out, and ask for it: pucs lock {path} --wait 60",
    )
