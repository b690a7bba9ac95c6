"""Verifying: every change of a session is accounted for, or is named with what to do (DESIGN §3.7)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pucs.coordinator import salvaging
from pucs.coordinator.intentions import left_behind
from pucs.coordinator.salvaging import Bench
from pucs.coordinator.work import Work, own_changes
from pucs.core.errors import GitError, Refused
from pucs.streams.records import StreamState

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context
    from pucs.core.resources import Resource
    from pucs.streams.records import Session, StreamRow

_LAND = "Land them: pucs land --agent {}"


class Weight(StrEnum):
    """How much a finding matters."""

    LOST = "lost"
    """Something that was acknowledged cannot be reached any more."""
    OPEN = "open"
    """A change exists in one place only, or a step is unfinished."""
    INFO = "info"
    """Accounted for, and worth knowing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found."""

    severity: Weight
    kind: str
    """``intention``, ``landing``, ``merge``, ``commits``, ``edits``, ``worktree`` or ``salvage``."""
    message: str
    remedy: str = ""
    agent: str = ""
    stream: str = ""
    ref: str = ""
    """Commit or ref concerned."""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verification:
    """The whole account."""

    ok: bool
    """Nothing is lost or open."""
    findings: tuple[Finding, ...]


def verify(context: Context) -> Verification:
    """Account for every change of the session; nothing is written to refs, worktrees or the store.

    Raises:
        Refused: there is no session.
    """
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.latest()
        if session is None:
            raise Refused("There is no session.", remedy="Start one with: pucs init")
        rows = tx.sessions.streams(session.id)
        agents = tx.agents.all(session.id)
    findings = _intentions(context)
    findings += _landings(context, session, rows)
    findings += _merges(context, session, rows)
    worktrees = context.worktrees.paths() if agents else {}
    for agent in agents:
        findings += _agent(context, session, rows, agent, worktrees)
    findings += [
        Finding(
            severity=Weight.INFO,
            kind="salvage",
            message=f"Work of {kept.agent} is kept: {kept.reason}.",
            remedy=f"See: pucs salvage show {kept.ref}",
            agent=kept.agent,
            stream=kept.stream,
            ref=kept.ref,
            files=kept.paths,
        )
        for kept in salvaging.salvages(context, session=session.id)
    ]
    return Verification(all(found.severity is Weight.INFO for found in findings), tuple(findings))


def _intentions(context: Context) -> list[Finding]:
    with context.store.read() as tx:
        unfinished = tx.intentions.all()
    return [
        Finding(
            severity=Weight.OPEN,
            kind="intention",
            message=f"A step ({each.verb}) on {each.ref} is unfinished"
            + (
                ", its process is dead."
                if left_behind(context, each)
                else "; its process is at work or out of sight."
            ),
            remedy="The next land, sync or finalize completes it once its process is dead.",
            agent=each.agent,
            ref=each.new,
        )
        for each in unfinished
    ]


def _landings(context: Context, session: Session, rows: list[StreamRow]) -> list[Finding]:
    with context.store.read() as tx:
        landings = tx.landings.all(session.id)
    tips = {row.stream.name: context.repository.resolve(f"refs/heads/{row.branch}") for row in rows}
    found: list[Finding] = []
    for landing in landings:
        tip = tips.get(landing.stream)
        if tip is not None and context.repository.contains(tip, landing.commit):
            continue
        found.append(
            Finding(
                severity=Weight.LOST,
                kind="landing",
                message=f"Landing {landing.id} of {landing.agent} is not on the branch of stream {landing.stream}.",
                remedy=f"Somebody moved the branch. Look: git log {landing.commit[:12]}",
                agent=landing.agent,
                stream=landing.stream,
                ref=landing.commit,
                files=tuple(path for path, _ in landing.paths),
            )
        )
    return found


def _merges(context: Context, session: Session, rows: list[StreamRow]) -> list[Finding]:
    result = context.repository.resolve(f"refs/heads/{session.branch}")
    found: list[Finding] = []
    for row in rows:
        tip = context.repository.resolve(f"refs/heads/{row.branch}")
        inside = tip is None or (result is not None and context.repository.contains(result, tip))
        if inside:
            continue
        lost = row.state is StreamState.MERGED
        found.append(
            Finding(
                severity=Weight.LOST if lost else Weight.INFO,
                kind="merge",
                message=f"Stream {row.stream.name} "
                + (
                    "was merged, but is not in the session branch any more."
                    if lost
                    else "has work that is not merged."
                ),
                remedy="Merge it: pucs finalize",
                stream=row.stream.name,
                ref=tip or "",
            )
        )
    return found


def _agent(
    context: Context, session: Session, rows: list[StreamRow], agent: Agent, worktrees: Container[str]
) -> list[Finding]:
    """Account for one agent's branch and worktree."""
    if agent.worktree in {"", context.repository.root}:
        return []  # a person's checkout is the person's
    tip = context.repository.resolve(f"refs/heads/{agent.branch}") if agent.branch else None
    found = _commits(context, session, rows, agent, tip) if tip is not None else []
    if agent.worktree in worktrees:
        return [*found, *_checkout(context, session, agent)]
    if tip is None or not agent.active:
        return found  # removed when it ended
    gone = f"The worktree {agent.worktree} of {agent.id} is gone; its branch is there."
    return [
        *found,
        Finding(severity=Weight.INFO, kind="worktree", message=gone, agent=agent.id, ref=agent.branch),
    ]


def _checkout(context: Context, session: Session, agent: Agent) -> list[Finding]:
    """Account for what lies in an agent's worktree, whatever it made of its branch and of git's files."""
    try:
        dirty = context.worktrees.dirty(agent.worktree)
    except GitError as error:
        told = f"What {agent.id} did in {agent.worktree} cannot be looked at: {error}"
        return [_open(agent, "worktree", told, "Mend it: git worktree repair")]
    found: list[Finding] = []
    if dirty and not _kept(context, session, agent, dirty):
        told = f"{agent.worktree} has uncommitted edits of {agent.id}."
        found.append(_open(agent, "edits", told, _LAND.format(agent.id), files=dirty))
    if not context.worktrees.branch(agent.worktree):
        found += _detached(context, agent)
    return found


def _detached(context: Context, agent: Agent) -> list[Finding]:
    """Account for commits that an agent made on no branch: they go with its worktree."""
    head = context.worktrees.head(agent.worktree)
    own = f"refs/heads/{agent.branch}"
    on_branch = context.repository.resolve(own) is not None and context.repository.contains(own, head)
    if on_branch or salvaging.is_safe(context, head):
        return []
    told = f"The worktree {agent.worktree} has commits of {agent.id} on no branch."
    return [_open(agent, "commits", told, f"Keep them: git branch NAME {head[:12]}", ref=head)]


def _commits(
    context: Context, session: Session, rows: list[StreamRow], agent: Agent, tip: str
) -> list[Finding]:
    if salvaging.is_safe(context, tip):
        return []
    row = next((each for each in rows if each.stream.name == agent.stream), None)
    ref = f"refs/heads/{row.branch if row else session.branch}"
    bench = Bench(
        agent=agent.id,
        stream=agent.stream,
        session=session.id,
        task=agent.task,
        place=agent.worktree,
        own=True,
        branch=agent.branch,
    )
    work = Work(
        bench=bench,
        ref=ref,
        stream_tip=context.repository.resolve(ref) or session.base,
        tip=tip,
        elsewhere=tuple(
            f"refs/heads/{branch}" for branch in (session.branch, *(each.branch for each in rows))
        ),
        bounded=bool(agent.stream),
    )
    paths = own_changes(context, work)
    if not paths:
        return []  # merges of what others landed are no work of its own
    told = f"Branch {agent.branch} has commits of {agent.id} that are nowhere else."
    return [_open(agent, "commits", told, _LAND.format(agent.id), ref=tip, files=paths)]


def _open(
    agent: Agent, kind: str, message: str, remedy: str, *, ref: str = "", files: Sequence[Resource] = ()
) -> Finding:
    """Return what is to be done about something of an agent."""
    return Finding(
        severity=Weight.OPEN,
        kind=kind,
        message=message,
        remedy=remedy,
        agent=agent.id,
        stream=agent.stream,
        ref=ref,
        files=tuple(files),
    )


def _kept(context: Context, session: Session, agent: Agent, dirty: list[Resource]) -> bool:
    """Tell whether a salvage holds exactly these edits."""
    try:
        now = context.worktrees.snapshot(agent.worktree, "look", author=agent.id, only=dirty)
    except GitError:
        return False  # its branch is gone, for one
    refs = context.repository.refs(f"{salvaging.PREFIX}{session.id}/{agent.id}/")
    return now is not None and any(
        not set(dirty) & set(context.repository.changed(commit, now)) for commit in refs.values()
    )
