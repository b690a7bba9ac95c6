"""Work that lost out, kept where nothing removes it: ``refs/pucs/salvage/<session>/<agent>/<n>`` (DESIGN §2 "park").

There is no table: a salvage is its ref and the trailers of the commit it points at. The ref exists before anything is
taken out of a worktree, so that a kill in between leaves a change twice and never nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pucs.conflicts.records import Kind, Severity, Strategy
from pucs.coordinator.conflicts import record
from pucs.coordinator.context import Context, unit
from pucs.core.errors import GitError, NotFound, Refused
from pucs.core.resources import Resource
from pucs.crosslog.records import Level
from pucs.streams import protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "refs/pucs/salvage/"
ATTEMPTS_MAX = 100
"""Tries to find a free number while others of the same agent take them too."""
PATHS_NAMED_MAX = 100
"""Paths named in a salvage's trailers; the commit itself holds all of them."""
_REASON = "PUCS-Reason"
_PATH = "PUCS-Path"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where and for whom somebody works: what parking, landing and syncing need to know of an agent."""

    agent: str
    stream: str
    """Stream the work counts for; empty: none."""
    session: str
    task: str
    place: str
    """Absolute path of the checkout."""
    own: bool
    """False in a person's checkout, which nothing here ever writes to."""
    branch: str
    """Branch of the agent's own worktree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """Changes that were kept instead of landing."""

    ref: str
    """Salvage ref."""
    commit: str
    paths: tuple[Resource, ...]
    reason: str
    """Why, in one sentence."""
    conflict: int
    """The conflict record to decide; 0: none was opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvage:
    """One piece of kept work."""

    ref: str
    commit: str
    session: str
    agent: str
    stream: str
    task: str
    reason: str
    paths: tuple[str, ...]
    """Paths it was kept for, the first ``PATHS_NAMED_MAX``."""


def keep(
    context: Context, bench: Bench, paths: Sequence[Resource] | None, reason: str
) -> tuple[str, str] | None:
    """Write an agent's version of paths (None: all uncommitted changes) to a new salvage ref; return ref and commit.

    The commit stands on the worktree's HEAD, so it holds what was committed there as well. Files, index and HEAD stay
    as they are. None if ``paths`` is None and nothing is uncommitted.
    """
    named = list(paths if paths is not None else context.worktrees.dirty(bench.place))
    trailers = protocol.trailers_of(bench.agent, bench.stream, bench.session, bench.task, ())
    trailers += [(_REASON, reason), *((_PATH, path) for path in named[:PATHS_NAMED_MAX])]
    message = protocol.compose(bench.stream, f"chore: Keep work of {bench.agent} aside", trailers)
    commit = context.worktrees.snapshot(bench.place, message, author=bench.agent, only=paths)
    if commit is None:
        if paths is None:
            return None
        head = context.worktrees.head(bench.place)
        commit = context.repository.commit(f"{head}^{{tree}}", [head], message, author=bench.agent)
    return _new_ref(context, bench.session, bench.agent, commit), commit


def set_aside(context: Context, bench: Bench, commit: str, paths: Sequence[Resource], reason: str) -> str:
    """Keep what a commit holds on a new salvage ref, as an agent's version of these paths; return the ref.

    For landed work that a decision takes the place of: its commit is in the branch's history, and the ref names it.
    """
    trailers = protocol.trailers_of(bench.agent, bench.stream, bench.session, bench.task, ())
    trailers += [(_REASON, reason), *((_PATH, path) for path in paths[:PATHS_NAMED_MAX])]
    message = protocol.compose(bench.stream, f"chore: Keep work of {bench.agent} aside", trailers)
    kept = context.repository.commit(f"{commit}^{{tree}}", [commit], message, author=bench.agent)
    return _new_ref(context, bench.session, bench.agent, kept)


def keep_work(context: Context, *, agent: str, reason: str) -> str:
    """Keep everything an agent has not landed, committed or not, on a salvage ref; return it, empty if there is nothing.

    For agents that ended: the worktree stays as it is. The entry follows in a transaction of its own.

    Raises:
        NotFound: no such agent.
    """
    bench = bench_of(context, agent)
    head = context.worktrees.head(bench.place)
    if not bench.own:
        return ""
    dirty = context.worktrees.dirty(bench.place)
    if not dirty and is_safe(context, head):
        return ""
    kept = keep(context, bench, dirty, reason)
    assert kept is not None, "paths were given"
    with unit(context) as opened:
        opened.log(
            "kept",
            agent=agent,
            stream=bench.stream,
            files=dirty,
            salvage=kept[0],
            commit=kept[1],
            reason=reason,
        )
    return kept[0]


def park(
    context: Context,
    bench: Bench,
    paths: Sequence[Resource],
    *,
    kind: Kind,
    reason: str,
    others: Sequence[str] = (),
    **evidence: Any,
) -> Parked:
    """Keep paths on a salvage ref, open the conflict record, then undo them in an agent's own worktree.

    Three steps, in this order; a kill in between leaves the change in both places and the next landing parks it again.
    In a person's checkout the files stay (DESIGN §2). What was committed is undone by the caller's next commit.
    """
    kept = keep(context, bench, paths, reason)
    assert kept is not None, "paths were given"
    ref, commit = kept
    with unit(context) as opened:
        # Whoever holds what kept the change out is a party too, and is the side that may be chosen.
        holders = (
            [lease for lease in opened.tx.leases.overlapping(paths) if lease.agent != bench.agent]
            if kind is Kind.FILE_LOCK
            else []
        )
        if holders:
            evidence = {"holder": holders[0].agent, "holder_stream": holders[0].stream, **evidence}
        conflict = record(
            opened,
            kind,
            (bench.agent, bench.stream, *others, *(lease.agent for lease in holders)),
            paths,
            severity=Severity.MEDIUM,
            strategy=Strategy.ARBITRATE,
            salvage=ref,
            commit=commit,
            task=bench.task,
            reason=reason,
            **evidence,
        )
        opened.log(
            "parked",
            agent=bench.agent,
            stream=bench.stream,
            level=Level.CONFLICT,
            files=paths,
            salvage=ref,
            conflict=conflict,
            reason=reason,
        )
    if bench.own:
        context.worktrees.restore(bench.place, paths)
    return Parked(ref=ref, commit=commit, paths=tuple(paths), reason=reason, conflict=conflict)


def bench_of(context: Context, agent: str) -> Bench:
    """Return where an agent works.

    Raises:
        NotFound: no such agent in the session.
        GitError: its worktree is gone.
        Refused: its worktree is on another branch than its own, or in the middle of a rebase.
    """
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
        known = tx.agents.get(agent)
    if session is None:
        raise Refused("There is no active session.", remedy="Start one with: pucs init")
    if known is None or known.session != session.id:
        raise NotFound(f"There is no agent {agent!r} in session {session.id}.", remedy="See: pucs agents")
    place = known.worktree or context.repository.root
    # A person's own worktree has no branch here: nothing is ever written to it.
    own = bool(known.branch) and place != context.repository.root
    if own:
        branch = context.worktrees.branch(known.worktree)
        if branch != known.branch:
            raise Refused(
                f"The worktree {known.worktree} is on {branch or 'no branch'} instead of {known.branch}.",
                remedy=f"Finish or give up what goes on there, then run: git switch {known.branch}",
            )
    return Bench(
        agent=agent,
        stream=known.stream,
        session=session.id,
        task=known.task,
        place=place,
        own=own,
        branch=known.branch,
    )


def is_safe(context: Context, commit: str) -> bool:
    """Tell whether a commit is reachable from a stream, the session branch, the base or a salvage ref of the session."""
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.latest()
        rows = tx.sessions.streams(session.id) if session else []
    if session is None:
        return False
    branches = [session.branch, *(row.branch for row in rows)]
    names = [session.base, *(f"refs/heads/{branch}" for branch in branches)]
    names += context.repository.refs(f"{PREFIX}{session.id}/")
    return any(
        context.repository.resolve(name) is not None and context.repository.contains(name, commit)
        for name in names
    )


def salvages(context: Context, *, session: str = "") -> list[Salvage]:
    """Return everything kept, of one session or all, by ref."""
    refs = context.repository.refs(f"{PREFIX}{session}/" if session else PREFIX)
    return [_salvage(context, ref, commit) for ref, commit in sorted(refs.items())]


def show(context: Context, *, ref: str) -> tuple[Salvage, str]:
    """Return a salvage and, as a patch, what its agent had changed since it left its stream (the base without one).

    Raises:
        NotFound: no such salvage ref.
    """
    found = _named(context, ref)
    with context.store.read() as tx:
        session = tx.sessions.get(found.session)
        rows = tx.sessions.streams(found.session)
    branch = next((row.branch for row in rows if row.stream.name == found.stream), "")
    left = f"refs/heads/{branch}" if branch else session.base if session else f"{found.commit}^"
    against = context.repository.merge_base(left, found.commit) or f"{found.commit}^"
    return found, context.repository.patch(against, found.commit, [Resource(path) for path in found.paths])


def restore(context: Context, *, ref: str, branch: str) -> str:
    """Make a new branch at a salvage and return its commit; no checkout is touched.

    The ref moves first, its entry follows: a kill in between leaves a branch that git shows and the log does not.

    Raises:
        NotFound: no such salvage ref.
        Refused: the branch exists.
        Usage: the name cannot be a branch.
    """
    found = _named(context, ref)
    if not context.repository.move_ref(f"refs/heads/{branch}", found.commit, None):
        raise Refused(f"Branch {branch} exists already.", remedy="Choose another name.")
    with unit(context) as opened:
        opened.log(
            "salvage restored",
            agent=found.agent,
            stream=found.stream,
            files=found.paths,
            salvage=found.ref,
            branch=branch,
        )
    return found.commit


def salvage_of(context: Context, ref: str) -> Salvage:
    """Return one piece of kept work.

    Raises:
        NotFound: no such salvage ref.
    """
    return _named(context, ref)


def _named(context: Context, ref: str) -> Salvage:
    full = ref if ref.startswith("refs/") else PREFIX + ref
    commit = context.repository.resolve(full) if full.startswith(PREFIX) else None
    if commit is None:
        raise NotFound(f"There is no salvage {ref}.", remedy="See: pucs salvage list")
    return _salvage(context, full, commit)


def _salvage(context: Context, ref: str, commit: str) -> Salvage:
    session, _, rest = ref.removeprefix(PREFIX).partition("/")
    facts = context.repository.commits(f"{commit}^", commit)[-1]
    return Salvage(
        ref=ref,
        commit=commit,
        session=session,
        agent=rest.rpartition("/")[0],
        stream=facts.trailer(protocol.STREAM),
        task=facts.trailer(protocol.TASK),
        reason=facts.trailer(_REASON),
        paths=tuple(value for key, value in facts.trailers if key == _PATH),
    )


def _new_ref(context: Context, session: str, agent: str, commit: str) -> str:
    prefix = f"{PREFIX}{session}/{agent}/"
    taken = [
        int(name.removeprefix(prefix))
        for name in context.repository.refs(prefix)
        if name[len(prefix) :].isdigit()
    ]
    for number in range(max(taken, default=0) + 1, max(taken, default=0) + 1 + ATTEMPTS_MAX):
        if context.repository.move_ref(f"{prefix}{number}", commit, None):
            return f"{prefix}{number}"
    raise GitError(f"No free salvage ref was found below {prefix}.", remedy="Try again.")
