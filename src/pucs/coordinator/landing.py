"""Landing: an agent's work goes onto its stream's branch and its leases end, in one verb (DESIGN §3.4 to §3.6).

Killed at any moment, nothing is lost and nothing lands twice: changes that may not land are on a salvage ref before
they leave the worktree, commits are on the agent's branch before the stream moves, and the stream moves by an intention
and a compare-and-swap while the leases are held in place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pucs.conflicts.records import Kind
from pucs.coordinator import checks, intentions, salvaging, syncing
from pucs.coordinator.agents import refuse_terminated, stream_named
from pucs.coordinator.arriving import ARRIVING, LostLease, Plan, intend
from pucs.coordinator.context import Context, unit
from pucs.coordinator.following import follow
from pucs.coordinator.granting import end_and_serve
from pucs.coordinator.joining import Joined, join
from pucs.coordinator.partition import boundaries_of
from pucs.coordinator.preparing import HookRefused, leave_out, message_of, prepare, title_of
from pucs.coordinator.salvaging import Bench, Parked
from pucs.coordinator.settling import settle
from pucs.coordinator.symbols import MIXED, edits, mixed
from pucs.coordinator.work import Progress, Work, cherry_picked, fresh_edits, own_changes, work_on
from pucs.core.resources import Resource, file_path, file_resource, is_symbol, overlaps
from pucs.crosslog.records import Level
from pucs.locks.records import EndReason, LeaseState
from pucs.streams import protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.ports import Transaction
    from pucs.syntax.changes import Changes

ATTEMPTS_MAX = 20
"""Tries against other landings of the same stream: each lost race is another's success, and twenty in a row means that
the queue belongs elsewhere."""
ROUNDS_MAX = 4
"""Rounds of judging: one is the rule, each further one follows a hook that changed more files, or a lost lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """The work is on the stream's branch, or there was none to bring."""

    stream: str
    commit: str
    """Tip of the agent's work."""
    stream_commit: str
    """What the stream branch pointed at afterwards."""
    paths: tuple[str, ...] = ()
    """Landed paths; empty: nothing had changed."""
    symbols: tuple[str, ...] = ()
    """Symbols they count as, where leases on symbols cover them."""
    released: tuple[int, ...] = ()
    """Tokens of the leases that ended."""
    late: tuple[int, ...] = ()
    """Tokens of leases that were only taken at landing, for undeclared changes."""
    parked: tuple[Parked, ...] = ()
    """What could not land and is on salvage refs."""
    warnings: tuple[str, ...] = ()
    """What is worth knowing although it landed, each with what to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotLanded:
    """Nothing landed and no lease was given up."""

    reason: str
    """``conflict``, ``stale``, ``parked``, ``refused``, ``tests``, ``stream`` or ``busy``."""
    message: str
    """What happened, in one sentence."""
    remedy: str
    """What to do next."""
    conflicts: tuple[str, ...] = ()
    """Paths that could not be merged."""
    reasons: tuple[str, ...] = ()
    """Of a conflict: why, path by path."""
    missing: tuple[str, ...] = ()
    """Landed commits the work must contain first."""
    parked: tuple[Parked, ...] = ()


def land(
    context: Context,
    *,
    agent: str,
    message: str | None = None,
    files: Sequence[str] | None = None,
    release: bool = True,
) -> Landed | NotLanded:
    """Commit an agent's work, bring it onto its stream's branch and end its leases.

    Every changed path must be covered by a lease (rule 4); undeclared ones take a late lease if they are free, the rest
    is parked. ``files`` (canonical) narrows what is committed; leases over what stays uncommitted are kept. A conflict
    with the stream changes nothing. From a person's checkout, its uncommitted changes land through a temporary index.

    Atomicity: intention transaction, compare-and-swap of the stream branch, closing transaction; leases are held between.

    Raises:
        NotFound: no such agent.
        Refused: the agent's worktree is on another branch, or has conflict markers; or the agent was terminated.
        GitError: git failed; nothing landed.
    """
    refuse_terminated(context, agent)
    settle(context, agent=agent)
    bench = salvaging.bench_of(context, agent)
    done = Progress(title=message or title_of(context, bench))
    wish = _Wish(narrowed=files is not None, release=release)
    for _ in range(ROUNDS_MAX):
        outcome = _round(context, bench, files, done, wish)
        if outcome is not None:
            return outcome
    return _busy(bench, done)


def _round(
    context: Context, bench: Bench, files: Sequence[str] | None, done: Progress, wish: _Wish
) -> Landed | NotLanded | None:
    """Judge, prepare and bring what there is now; None if it has to be judged again."""
    chosen = _among(context.worktrees.dirty(bench.place), files)
    work = _work(context, bench, chosen)
    if isinstance(work, NotLanded):
        return work
    if not bench.own:
        chosen = fresh_edits(context, work, chosen)
    own = own_changes(context, work)
    if not chosen and not own:
        return _nothing(context, work, done, release=wish.release and files is None)
    tip = prepare(context, work, own, chosen, done)
    if isinstance(tip, HookRefused):
        return NotLanded(reason="refused", message=tip.message, remedy=tip.remedy, parked=tuple(done.parked))
    if tip is None:
        return None if done.tokens else _all_parked(done)
    missing = syncing.missing(
        context, work, tip, [name for name, token in done.resources(done.tokens) if token]
    )
    if missing:
        return _stale(work, missing, done)
    return _tested(context, work, tip, done, wish)


def _tested(context: Context, work: Work, tip: str, done: Progress, wish: _Wish) -> Landed | NotLanded | None:
    """Bring the work if the test run that is wanted is there; without one it is refused or warned of."""
    bench = work.bench
    lacking = checks.unmet(
        context,
        session=bench.session,
        stream=bench.stream,
        agent=bench.agent,
        paths=list(done.tokens),
        commit=tip,
    )
    if lacking is not None and lacking.refuse:
        return NotLanded(
            reason="tests", message=lacking.reason, remedy=lacking.remedy, parked=tuple(done.parked)
        )
    outcome = _bring(context, work, tip, done, wish)
    if lacking is None or not isinstance(outcome, Landed):
        return outcome
    checks.warn(context, agent=bench.agent, stream=bench.stream, found=lacking, commit=tip)
    return replace(outcome, warnings=(f"{lacking.reason} {lacking.remedy}",))


def unlanded(context: Context, *, agent: str) -> list[Resource]:
    """Return the paths an agent has changed, committed or not, that are not on its stream's branch yet.

    Raises:
        NotFound: no such agent.
    """
    bench = salvaging.bench_of(context, agent)
    chosen = context.worktrees.dirty(bench.place)
    work = _work(context, bench, chosen)
    if isinstance(work, NotLanded):
        return chosen
    if not bench.own:
        return fresh_edits(context, work, chosen)
    return sorted({*own_changes(context, work), *chosen})


def changed_inside(context: Context, *, agent: str, paths: Sequence[Resource]) -> dict[Resource, Changes]:
    """Return what an agent's unlanded work changes inside files.

    Raises:
        NotFound: no such agent.
    """
    bench = salvaging.bench_of(context, agent)
    chosen = context.worktrees.dirty(bench.place)
    work = _work(context, bench, chosen)
    if isinstance(work, NotLanded):
        return {}
    return {path: edit.changes for path, edit in edits(context, work, paths, chosen).items()}


def _work(context: Context, bench: Bench, chosen: Sequence[Resource]) -> Work | NotLanded:
    """Return what is to land where; an agent without a stream lands where its files belong."""
    with context.store.read() as tx:
        session = tx.sessions.get(bench.session)
        assert session is not None, "the agent was found in it"
        rows = tx.sessions.streams(session.id)
        name = bench.stream or _stream_of(tx, session.id, [row.stream.name for row in rows], chosen)
        if not name:
            return NotLanded(
                reason="stream",
                message=f"{bench.agent} works for no stream, and its files do not belong to exactly one.",
                remedy="Name one, for example: pucs lock FILE --agent A --stream S. Or land one stream's files at a time.",
            )
        row = stream_named(tx, session.id, name)
    return work_on(context, bench, session, rows, row)


def _stream_of(tx: Transaction, session: str, names: Sequence[str], paths: Sequence[Resource]) -> str:
    boundaries = boundaries_of(tx, session)
    owners = {owner for path in paths if (owner := boundaries.owner(file_path(path))) is not None}
    if len(owners) == 1:
        return owners.pop()
    return names[0] if len(names) == 1 and not owners else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """How the caller wants it."""

    narrowed: bool
    release: bool


def _bring(context: Context, work: Work, tip: str, done: Progress, wish: _Wish) -> Landed | NotLanded | None:
    """Merge with the stream, move its branch, close; None if a lease was lost meanwhile and all must be judged again."""
    for _ in range(ATTEMPTS_MAX):
        now = replace(work, stream_tip=context.repository.resolve(work.ref) or work.stream_tip)
        commit, joined = _joined(context, now, tip, done)
        if not joined.conflicts:
            joined = joined.but(mixed(context, done.judged, (now.stream_tip, tip), commit), MIXED)
        if joined.conflicts:
            return _conflict(context, now, joined, done)
        # Paths whose content the stream has already are no part of the landing.
        changed = set(context.repository.changed(now.stream_tip, commit))
        plan = Plan(
            commit=commit,
            paths=tuple(sorted(done.resources(path for path in done.tokens if path in changed))),
            left=tuple(_left(context, now, tip)),
            narrowed=wish.narrowed,
            release=wish.release,
            settled=tuple(joined.documents(commit)),
        )
        try:
            with unit(context, durable=True) as opened:
                intention = intend(context, opened, now, plan, done)
        except LostLease:
            return None
        if not intentions.carry_out(context, intention, ARRIVING):
            continue
        if work.bench.own:
            follow(context, work.bench, commit)
        return Landed(
            stream=work.bench.stream,
            commit=tip,
            stream_commit=commit,
            paths=tuple(dict.fromkeys(file_resource(path) for path, _ in plan.paths)),
            symbols=tuple(path for path, _ in plan.paths if is_symbol(path)),
            released=tuple(intention.payload["tokens"]),
            late=tuple(done.late),
            parked=tuple(done.parked),
        )
    return _busy(work.bench, done)


def _joined(context: Context, work: Work, tip: str, done: Progress) -> tuple[str, Joined]:
    """Return the commit that the stream moves to with how it was merged; no commit: it conflicts.

    The stream moves straight to the agent's commit where that is ahead and every commit follows the protocol; else a
    merge commit on top says what landed, so that the stream's own line always follows it.
    """
    repository, bench = context.repository, work.bench
    if not bench.own:
        return cherry_picked(context, work, tip)
    ahead = repository.contains(tip, work.stream_tip)
    if ahead and all(protocol.parse(facts.subject) for facts in repository.commits(work.stream_tip, tip)):
        return tip, Joined()
    joined = Joined(tree=f"{tip}^{{tree}}") if ahead else join(context, work.stream_tip, tip)
    if joined.conflicts:
        return "", joined
    tokens = [token for _, token in done.resources(done.tokens)]
    text = message_of(bench, done.title, tokens, landing=tip)
    return repository.commit(joined.tree, [work.stream_tip, tip], text, author=bench.agent), joined


def _left(context: Context, work: Work, tip: str) -> list[Resource]:
    """Return what stays uncommitted: leases over it are kept."""
    dirty = context.worktrees.dirty(work.bench.place)
    if work.bench.own:
        return dirty
    landed = set(context.repository.changed(context.worktrees.head(work.bench.place), tip))
    return [path for path in dirty if path not in landed]


def _nothing(context: Context, work: Work, done: Progress, *, release: bool) -> Landed | NotLanded:
    if done.parked:
        return _all_parked(done)
    released: tuple[int, ...] = ()
    if release:
        with unit(context) as opened:
            held = [
                lease
                for lease in opened.tx.leases.of_agent(work.bench.agent)
                if lease.landing is None and lease.state is LeaseState.HELD
            ]
            end_and_serve(opened, held, EndReason.RELEASED)
            released = tuple(lease.token for lease in held)
    return Landed(stream=work.bench.stream, commit=work.tip, stream_commit=work.stream_tip, released=released)


def _stale(work: Work, missing: Sequence[str], done: Progress) -> NotLanded:
    return NotLanded(
        reason="stale",
        message=f"The worktree of {work.bench.agent} lacks what others landed on the same files.",
        remedy=f"Run: pucs sync --agent {work.bench.agent}, look at the result, then land again.",
        missing=tuple(missing),
        parked=tuple(done.parked),
    )


def _conflict(context: Context, work: Work, joined: Joined, done: Progress) -> NotLanded:
    bench = work.bench
    branch = work.ref.removeprefix("refs/heads/")
    with unit(context) as opened:
        opened.log(
            "landing conflicts",
            agent=bench.agent,
            stream=bench.stream,
            level=Level.CONFLICT,
            files=joined.conflicts,
            reasons=list(joined.reasons),
        )
    return NotLanded(
        reason="conflict",
        message=joined.told(f"The work of {bench.agent} does not merge with stream {bench.stream}"),
        remedy=f"In {bench.place} run: git merge {branch} - resolve the files, then land again: "
        f"pucs land --agent {bench.agent}. The leases are kept.",
        conflicts=joined.conflicts,
        reasons=joined.reasons,
        parked=tuple(done.parked),
    )


def _busy(bench: Bench, done: Progress) -> NotLanded:
    return NotLanded(
        reason="busy",
        message=f"Stream {bench.stream} moved each of {ATTEMPTS_MAX} times, or its files kept changing.",
        remedy="Land again.",
        parked=tuple(done.parked),
    )


def _among(dirty: Sequence[Resource], files: Sequence[str] | None) -> list[Resource]:
    if files is None:
        return list(dirty)
    return [path for path in dirty if any(overlaps(resource, path) for resource in files)]


def _all_parked(done: Progress) -> NotLanded:
    refs = ", ".join(parked.ref for parked in done.parked)
    return NotLanded(
        reason="parked",
        message=f"Nothing may land: {'; '.join(dict.fromkeys(parked.reason for parked in done.parked))}.",
        remedy=f"The changes are kept: {refs}. See: pucs salvage show",
        parked=tuple(done.parked),
    )


def park_unlanded(
    context: Context, *, agent: str, resources: Sequence[str], reason: str, kind: Kind = Kind.FILE_LOCK
) -> list[Parked]:
    """Park what an agent has not landed under these resources, committed or not: for leases that end although it cannot land.

    The worktree then holds these paths as the agent found them; the leases are not touched.

    Raises:
        NotFound: no such agent.
        GitError: git failed; nothing was taken out of the worktree that is not on a salvage ref.
    """
    bench = salvaging.bench_of(context, agent)
    under = [
        path for path in unlanded(context, agent=agent) if any(overlaps(name, path) for name in resources)
    ]
    if not under:
        return []
    kept = salvaging.park(context, bench, under, kind=kind, reason=reason)
    work = _work(context, bench, under)
    if bench.own and not isinstance(work, NotLanded):
        leave_out(context, work, under)
    return [kept]
