"""What an agent has done that its stream has not: found, left out in part, or picked onto the stream."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pucs.coordinator.joining import Joined, join
from pucs.coordinator.salvaging import Bench, Parked
from pucs.core.errors import Refused
from pucs.core.modes import Mode
from pucs.core.resources import Resource, file_resource, is_symbol
from pucs.locks.records import EndReason, Lease
from pucs.locks.rules import covering

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pucs.coordinator.context import Context
    from pucs.coordinator.ports import Transaction
    from pucs.streams.records import Landing, Session, StreamRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """An agent's work on its way to a stream."""

    bench: Bench
    """Who and where; its stream is the one the work lands on."""
    ref: str
    """Full name of the stream's branch."""
    stream_tip: str
    tip: str
    """HEAD of the worktree."""
    elsewhere: tuple[str, ...]
    """Branches of the session and its streams: commits on them were judged when they landed."""
    bounded: bool
    """False for an agent without a stream of its own, which has no boundary (DESIGN §5)."""


@dataclass(slots=True)
class Progress:
    """What one call of ``land`` has done so far."""

    title: str
    """First line of what is committed, before it follows the protocol."""
    tokens: dict[Resource, int] = field(default_factory=dict)
    """Token that covers each path of the agent's own changes."""
    before: dict[Resource, int] = field(default_factory=dict)
    """Paths with a late lease, with the token of the ended lease they were changed under."""
    symbols: dict[Resource, dict[Resource, int]] = field(default_factory=dict)
    """Of each path that is covered by leases on symbols: the symbols it changes, with the token that covers each."""
    judged: dict[Resource, bytes | None] = field(default_factory=dict)
    """Of each such path: the version that was judged, None if the file is gone."""
    late: list[int] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)

    def resources(self, paths: Iterable[Resource]) -> list[tuple[Resource, int]]:
        """Return what the covered ones of these paths count as, symbols in place of their files, with tokens."""
        return [
            pair
            for path in paths
            if path in self.tokens
            for pair in self.symbols.get(path, {path: self.tokens[path]}).items()
        ]


def work_on(
    context: Context, bench: Bench, session: Session, rows: Sequence[StreamRow], row: StreamRow
) -> Work:
    """Return an agent's work on its way to a stream (``row``), as things are now."""
    ref = f"refs/heads/{row.branch}"
    return Work(
        bench=replace(bench, stream=row.stream.name),
        ref=ref,
        stream_tip=context.repository.resolve(ref) or session.base,
        tip=context.worktrees.head(bench.place),
        elsewhere=tuple(
            f"refs/heads/{branch}" for branch in (session.branch, *(each.branch for each in rows))
        ),
        bounded=bool(bench.stream),
    )


def own_changes(context: Context, work: Work) -> list[Resource]:
    """Return the paths that the agent's own commits change, as far as the stream does not have them.

    Own is what no stream branch holds: it is told by reachability, because anybody can write a trailer. Of a merge only
    that counts which git would not have made of its parents; undoing what came by sync counts too.
    """
    if not work.bench.own:
        return []  # a person's commits are the person's; only the uncommitted changes land
    repository = context.repository
    facts = repository.commits(work.stream_tip, work.tip, also_not=work.elsewhere)
    if not facts:
        return []
    plain = {path for commit in facts if len(commit.parents) <= 1 for path in commit.paths}
    merged = {path for commit in facts if len(commit.parents) > 1 for path in commit.paths} - plain
    base = repository.merge_base(work.stream_tip, work.tip)
    net = set(repository.changed(base, work.tip)) if base else plain
    if work.tip != work.stream_tip:
        net &= set(repository.changed(work.stream_tip, work.tip))
    own = plain & net
    if not own and not merged:
        return []
    # What equals the newest landing the work contains came by sync, or was put back after it was parked.
    for reference, paths in as_found(context, work, work.tip, own | merged).items():
        own -= paths
        own |= paths & (set(repository.changed(reference, work.tip)) if reference else net)
    return sorted(own)


def fresh_edits(context: Context, work: Work, dirty: Sequence[Resource]) -> list[Resource]:
    """Return which uncommitted changes of a person's checkout this agent has leased and not landed yet.

    Others work in that checkout too, so what no lease of this agent ever covered is not its to land. Landed changes stay
    there uncommitted, so they are told by content: from what the stream has, and from what the agent landed last.
    """
    if not dirty:
        return []
    bench, repository = work.bench, context.repository
    now = context.worktrees.snapshot(bench.place, "look", author=bench.agent, only=dirty)
    if now is None:
        return []
    with context.store.read() as tx:
        mine = [row for row in tx.landings.all(bench.session) if row.agent == bench.agent]
        leased = [
            path
            for path in dirty
            if covering(path, tx.leases.last_of(bench.agent, path)) is not None
            or symbol_leases(tx, bench.session, bench.agent, path)
        ]
    differing = set(repository.changed(work.stream_tip, now))
    last = {file_resource(name): row.commit for row in mine for name, _ in row.paths}
    since = {
        commit: set(repository.changed(commit, now))
        for commit in {last[path] for path in leased if path in last}
    }
    return [path for path in leased if path in differing and (path not in last or path in since[last[path]])]


def symbol_leases(tx: Transaction, session: str, agent: str, path: Resource) -> list[Lease]:
    """Return the exclusive leases that an agent has, or had, on symbols of a file in this session, oldest first."""
    return [
        lease
        for lease in tx.leases.granted_after(0, path)
        if lease.agent == agent
        and lease.session == session
        and lease.mode is Mode.EXCLUSIVE
        and is_symbol(lease.resource)
        and lease.end_reason is not EndReason.LAPSED
    ]


def found_as(context: Context, work: Work, paths: Sequence[Resource]) -> dict[Resource, tuple[str, ...]]:
    """Return for each path the commits against which the agent's own edits of it show; own is what differs from all.

    In a person's checkout these are its HEAD, the stream, and what the agent landed there last.
    """
    repository, bench = context.repository, work.bench
    if bench.own:
        fork = repository.merge_base(work.stream_tip, work.tip) or work.stream_tip
        references = as_found(context, work, work.tip, set(paths))
        return {path: (base or fork,) for base, group in references.items() for path in group}
    with context.store.read() as tx:
        mine = [row for row in tx.landings.all(bench.session) if row.agent == bench.agent]
    last = {file_resource(name): row.commit for row in mine for name, _ in row.paths}
    bases = (work.tip, work.stream_tip)
    return {path: (*bases, last[path]) if path in last else bases for path in paths}


def without(context: Context, work: Work, tip: str, paths: Sequence[Resource], message: str) -> str:
    """Return a commit on ``tip`` in which these paths are as the agent found them.

    That is how the newest landing it contains left them, else how its history forked from the stream's.

    Raises:
        Refused: it holds landings of several streams on one file that conflict, resolved by hand: to put that file back
            would undo one of them.
    """
    repository = context.repository
    fork = repository.merge_base(work.stream_tip, tip) or work.stream_tip
    for base, group in sorted(as_found(context, work, tip, set(paths), strict=True).items()):
        tree = repository.tree_with(tip, sorted(group), base or fork)
        tip = repository.commit(tree, [tip], message, author=work.bench.agent)
    return tip


def cherry_picked(context: Context, work: Work, snapshot: str) -> tuple[str, Joined]:
    """Return a commit on the stream's tip with the changes that a snapshot makes to its parent; none: it conflicts.

    The person's branch may hold commits that no stream wants; only the snapshot's own change is brought. git 2.39
    cannot be told a merge base, so both sides are given a common parent that nobody else sees.
    """
    repository, agent = context.repository, work.bench.agent
    fork = repository.commit(f"{snapshot}^^{{tree}}", [], "fork", author=agent)
    ours = repository.commit(f"{work.stream_tip}^{{tree}}", [fork], "ours", author=agent)
    theirs = repository.commit(f"{snapshot}^{{tree}}", [fork], "theirs", author=agent)
    joined = join(context, ours, theirs)
    if joined.conflicts:
        return "", joined
    text = repository.message(snapshot) + "\n"
    return repository.commit(joined.tree, [work.stream_tip], text, author=agent), joined


def as_found(
    context: Context, work: Work, tip: str, paths: set[Resource], *, strict: bool = False
) -> dict[str, set[Resource]]:
    """Group paths by the newest landing on each that the tip contains; those without one are under the empty name.

    Landings of different streams on different symbols of a file need not contain each other. Where the tip contains
    several such, a merge of them stands for what the agent found; where that conflicts, the newest one, so that too much
    rather than too little counts as the agent's, or with ``strict`` it is refused.
    """
    with context.store.read() as tx:
        landings = tx.landings.all(work.bench.session)
    newest = _newest_contained(context, tip, paths, landings)
    grouped: dict[tuple[str, ...], set[Resource]] = {}
    for path in paths:
        grouped.setdefault(tuple(newest.get(path, {}).values()), set()).add(path)
    found: dict[str, set[Resource]] = {}
    for commits, group in grouped.items():
        joint = _joint(context, work, commits, group)
        if joint is None and strict:
            raise Refused(
                f"{', '.join(sorted(group))} cannot be put back: {work.bench.agent} resolved by hand what several streams "
                "had landed there.",
                remedy=f"In {work.bench.place}, undo what reaches beyond the leases, then land again.",
            )
        found.setdefault(commits[0] if joint is None else joint, set()).update(group)
    return found


def _newest_contained(
    context: Context, tip: str, paths: set[Resource], landings: Sequence[Landing]
) -> dict[Resource, dict[str, str]]:
    """Return, for each path, each stream's newest landing on it that the tip contains, newest first.

    Behind a landing on a whole file nothing older is looked for: it had to contain all of that.
    """
    contained: dict[str, bool] = {}
    newest: dict[Resource, dict[str, str]] = {}
    left = set(paths)
    for landing in reversed(landings):
        names = {file_resource(name): is_symbol(name) for name, _ in landing.paths}
        here = {path for path in names.keys() & left if landing.stream not in newest.get(path, {})}
        if not here:
            continue
        if landing.commit not in contained:
            contained[landing.commit] = context.repository.contains(tip, landing.commit)
        if contained[landing.commit]:
            for path in here:
                newest.setdefault(path, {})[landing.stream] = landing.commit
                if not names[path]:
                    left.discard(path)
    return newest


def _joint(context: Context, work: Work, commits: Sequence[str], paths: set[Resource]) -> str | None:
    """Return one commit in which these paths are as all of the commits, newest first, together make them.

    Empty: there are no commits. None: they conflict.
    """
    repository, agent = context.repository, work.bench.agent
    tops = [
        commit
        for at, commit in enumerate(commits)
        if not any(commit != other and repository.contains(other, commit) for other in commits[:at])
    ]
    if not tops:
        return ""
    joint = tops[-1]
    for other in reversed(tops[:-1]):
        fork = repository.merge_base(joint, other) or work.stream_tip
        root = repository.commit(f"{fork}^{{tree}}", [], "fork", author=agent)
        # Only these paths take part: what others of the two do to each other has been settled where they met.
        ours, theirs = (
            repository.commit(repository.tree_with(fork, sorted(paths), each), [root], "side", author=agent)
            for each in (joint, other)
        )
        merged = repository.merge(ours, theirs)
        if merged.conflicts:
            return None
        joint = repository.commit(merged.tree, [joint, other], "together", author=agent)
    return joint
