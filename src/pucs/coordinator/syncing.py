"""Syncing: others' landed work comes into an agent's own worktree (DESIGN §3.5).

A worktree follows its branch only over commits that contain its HEAD, after its own edits were committed; moving it is
an intention, so that a kill half-way through the files is found and repaired, with anything in doubt kept aside first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pucs.coordinator import salvaging
from pucs.coordinator.agents import refuse_terminated
from pucs.coordinator.context import Context, unit
from pucs.coordinator.following import follow
from pucs.coordinator.joining import Joined, join
from pucs.coordinator.settling import settle
from pucs.coordinator.symbols import MIXED, edits, mixed, parted_files
from pucs.coordinator.work import work_on
from pucs.core.resources import Resource, file_resource, is_symbol
from pucs.crosslog.records import Level
from pucs.locks.records import LeaseState
from pucs.locks.rules import covering
from pucs.streams import protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.ports import Transaction
    from pucs.coordinator.salvaging import Bench
    from pucs.coordinator.work import Work
    from pucs.locks.records import Lease
    from pucs.streams.records import Landing


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """The worktree contains everything that its work has to build on."""

    commit: str
    """HEAD of the worktree afterwards."""
    merged: tuple[str, ...] = ()
    """Landed commits that came in."""
    committed: str = ""
    """Commit with the agent's own edits made first; empty: there were none."""
    paths: tuple[str, ...] = ()
    """Paths that came in changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSynced:
    """Something did not merge; the worktree is as it was, except that own edits are committed."""

    message: str
    """What happened, in one sentence."""
    remedy: str
    """The command that starts resolving it."""
    conflicts: tuple[str, ...] = ()
    """Paths that could not be merged."""
    commit: str = ""
    """What could not be merged."""
    reasons: tuple[str, ...] = ()
    """Why, path by path."""


def sync(context: Context, *, agent: str) -> Synced | NotSynced:
    """Commit an agent's own edits to its branch, then merge what others landed that its work has to build on.

    That is its stream's branch; for each live lease, the newest landing of each other stream on an overlapping resource;
    and what the prerequisites of its task landed. Commits exist before the worktree moves; a conflict leaves the worktree alone. Safe to repeat.

    Raises:
        NotFound: no such agent.
        Refused: the worktree is on another branch, or has conflict markers.
        GitError: git failed, or the user's commit hooks refused the agent's edits.
    """
    refuse_terminated(context, agent)
    settle(context, agent=agent)
    bench = salvaging.bench_of(context, agent)
    with context.store.read() as tx:
        rows = tx.sessions.streams(bench.session)
        live = tx.leases.of_agent(agent)
        landed = _relevant(tx, bench.session, bench.stream, [lease.resource for lease in live])
        landed += _prerequisites(tx, bench)
    branch = next((row.branch for row in rows if row.stream.name == bench.stream), "")
    wanted = [
        tip
        for tip in (context.repository.resolve(f"refs/heads/{branch}") if branch else None, *landed)
        if tip
    ]
    if not bench.own:
        return _in_person(context, bench, wanted)
    # These commits land later as they are, so they say now under which leases they were made (rule 4).
    held = [lease for lease in live if lease.state is LeaseState.HELD]
    tokens = _tokens(held, context.worktrees.dirty(bench.place))
    trailers = protocol.trailers_of(agent, bench.stream, bench.session, bench.task, tokens)
    text = protocol.compose(bench.stream, f"chore: Edits of {agent} before a sync", trailers)
    committed = context.worktrees.commit(bench.place, text, author=agent) or ""
    wanted += _on_additions(context, bench, held)
    head = start = context.worktrees.head(bench.place)
    merged: list[str] = []
    settled: list[dict[str, Any]] = []
    for tip in wanted:
        if context.repository.contains(head, tip):
            continue
        commit, joined = _joined(context, bench, head, tip)
        if joined.conflicts:
            return _conflict(context, bench, branch, tip, joined)
        head = commit
        merged.append(tip)
        settled += joined.documents(commit)
    if head != start and not follow(context, bench, head, settled=settled):
        return NotSynced(
            message=f"Files in {bench.place} changed while it was syncing.",
            remedy="Sync again.",
            commit=merged[-1],
        )
    paths = tuple(context.repository.changed(start, head)) if head != start else ()
    return Synced(commit=head, merged=tuple(merged), committed=committed, paths=paths)


def _on_additions(context: Context, bench: Bench, held: Sequence[Lease]) -> list[str]:
    """Return other streams' newest landings on definitions that the agent's work adds to files it has leased parts of."""
    files = sorted({file_resource(lease.resource) for lease in held if is_symbol(lease.resource)})
    with context.store.read() as tx:
        session = tx.sessions.get(bench.session)
        rows = tx.sessions.streams(bench.session)
        row = next((row for row in rows if row.stream.name == bench.stream), None)
        if session is None or row is None or not _relevant(tx, bench.session, bench.stream, files):
            return []
    made = edits(context, work_on(context, bench, session, rows, row), files, ())
    names = [
        f"{path}::{name}"
        for path, edit in made.items()
        for name in (*edit.changes.added, *(new for _, new in edit.changes.renamed))
    ]
    with context.store.read() as tx:
        return _relevant(tx, bench.session, bench.stream, names)


def _tokens(held: Sequence[Lease], paths: Sequence[Resource]) -> list[int]:
    """Return the tokens under which changes of these paths count; of a file held in parts, those of all its parts."""
    tokens: list[int] = []
    for path in paths:
        lease = covering(path, held)
        parts = [each for each in held if is_symbol(each.resource) and file_resource(each.resource) == path]
        tokens += [each.token for each in ([lease] if lease is not None else parts)]
    return tokens


def required(context: Context, *, agent: str, resources: Sequence[str]) -> list[str]:
    """Return the landed commits on these resources that an agent's worktree lacks; work may start when there are none.

    Raises:
        NotFound: no such agent.
    """
    return [landing.commit for landing in lacking(context, agent=agent, resources=resources)]


def lacking(context: Context, *, agent: str, resources: Sequence[str]) -> list[Landing]:
    """Return the newest landings on these resources that an agent's worktree lacks, oldest first.

    What landed out of a person's checkout stays there uncommitted, so that this checkout lacks nothing of it.

    Raises:
        NotFound: no such agent.
    """
    bench = salvaging.bench_of(context, agent)
    with context.store.read() as tx:
        landed = tx.landings.last_on(bench.session, resources)
        if not bench.own:
            root = context.repository.root
            whose = {each.agent: tx.agents.get(each.agent) for each in landed}
            landed = [
                each
                for each in landed
                if (who := whose[each.agent]) is None or (who.worktree or root) != bench.place
            ]
    if not landed:
        return []
    head = context.worktrees.head(bench.place)
    return [each for each in landed if not context.repository.contains(head, each.commit)]


def missing(context: Context, work: Work, tip: str, paths: Sequence[Resource]) -> list[str]:
    """Return other streams' newest landings on changed paths that the work does not contain (DESIGN §3.5)."""
    if not work.bench.own or not paths:
        return []
    with context.store.read() as tx:
        landed = _relevant(tx, work.bench.session, work.bench.stream, paths)
    return [commit for commit in landed if not context.repository.contains(tip, commit)]


def _prerequisites(tx: Transaction, bench: Bench) -> list[str]:
    """Return what the tasks that come before the agent's task landed, on whatever stream."""
    task = tx.tasks.get(bench.session, bench.task) if bench.task else None
    if task is None or not task.after:
        return []
    return [landing.commit for landing in tx.landings.all(bench.session) if landing.task in task.after]


def _relevant(tx: Transaction, session: str, stream: str, resources: Sequence[str]) -> list[str]:
    """Return the newest landing of each other stream on any of the resources, oldest first."""
    landings = tx.landings.last_on(session, resources) if resources else []
    return [landing.commit for landing in landings if landing.stream.casefold() != stream.casefold()]


def _joined(context: Context, bench: Bench, head: str, tip: str) -> tuple[str, Joined]:
    if context.repository.contains(tip, head):
        return tip, Joined()
    joined = join(context, head, tip)
    if joined.conflicts:
        return "", joined
    trailers = protocol.trailers_of(bench.agent, bench.stream, bench.session, bench.task, ())
    text = protocol.compose(bench.stream, f"chore: Sync {bench.agent} with {tip[:12]}", trailers)
    commit = context.repository.commit(joined.tree, [head, tip], text, author=bench.agent)
    with context.store.read() as tx:
        parted = parted_files(tx.landings.all(bench.session))
    return commit, joined.but(mixed(context, parted, (head, tip), commit), MIXED)


def _conflict(context: Context, bench: Bench, branch: str, tip: str, joined: Joined) -> NotSynced:
    with unit(context) as opened:
        opened.log(
            "sync conflicts",
            agent=bench.agent,
            stream=bench.stream,
            level=Level.CONFLICT,
            files=joined.conflicts,
            commit=tip,
            reasons=list(joined.reasons),
        )
    name = branch if branch and context.repository.resolve(f"refs/heads/{branch}") == tip else tip
    return NotSynced(
        message=joined.told(f"What others landed does not merge with the work of {bench.agent}"),
        remedy=f"In {bench.place} run: git merge {name} - resolve the files, then sync or land again.",
        conflicts=joined.conflicts,
        commit=tip,
        reasons=joined.reasons,
    )


def _in_person(context: Context, bench: Bench, wanted: Sequence[str]) -> Synced | NotSynced:
    """A person's checkout is written by its owner: say what is missing and how to take it."""
    head = context.worktrees.head(bench.place)
    lacking = [tip for tip in wanted if not context.repository.contains(head, tip)]
    if not lacking:
        return Synced(commit=head)
    return NotSynced(
        message=f"{bench.place} is your own checkout; PUCS does not write to it.",
        remedy=f"To take what others landed, run: git merge {' '.join(lacking)}",
        commit=lacking[-1],
    )
