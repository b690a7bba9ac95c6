"""Bringing parked work onto a stream after all: merged with what landed since, or in its place (000 §4.2 MERGE, ARBITRATE).

It lands like any other work: under leases, by an intention and a compare-and-swap, with a landing row. Where it takes the
place of something, that is on a salvage ref before the stream moves, so that neither side is ever the only copy.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pucs.conflicts.merging import objections, touched_symbols
from pucs.conflicts.records import Conflict, Status, Strategy
from pucs.coordinator import intentions, salvaging
from pucs.coordinator.agents import stream_named
from pucs.coordinator.arriving import ARRIVING, LostLease, Plan, intend
from pucs.coordinator.context import Context, Unit, unit
from pucs.coordinator.granting import end_and_serve, grant, settled
from pucs.coordinator.joining import Joined, join
from pucs.coordinator.partition import boundaries_of
from pucs.coordinator.preparing import message_of, title_of
from pucs.coordinator.salvaging import Bench
from pucs.coordinator.settling import settle
from pucs.coordinator.work import Progress, Work, as_found
from pucs.core.errors import NotFound, PucsError, Refused
from pucs.core.modes import Mode
from pucs.core.resources import Resource, file_path, file_resource
from pucs.locks.records import Blocked, EndReason, LeaseState, Request
from pucs.locks.rules import covering, decide, normalised

if TYPE_CHECKING:
    from collections.abc import Sequence

LEASE_S = 120.0
"""Longest time the files stay leased for it: a merge takes milliseconds, and a killed one gives them up at once."""
ATTEMPTS_MAX = 20
"""Tries against landings of the same stream, as in ``landing``."""
PATHS_NAMED = 5
"""Paths named in a refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedWork:
    """One parked change with where it belongs."""

    conflict: int
    agent: str
    """Whose it is."""
    stream: str
    """Stream that covers the files; its branch takes the change."""
    session: str
    task: str
    ref: str
    """Salvage ref."""
    commit: str
    paths: tuple[Resource, ...]
    branch: str
    """Full name of the stream's branch."""
    base: str
    """The session's base, for a branch that is not there yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtIn:
    """It is on the stream's branch."""

    commit: str
    """What the branch points at."""
    paths: tuple[str, ...] = ()
    """What that changed; empty: the stream had it already."""
    kept: str = ""
    """Salvage ref of the version that it took the place of; empty: it was merged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """It does not merge; nothing was changed."""

    reasons: tuple[str, ...]
    proposal: str = ""
    """A guess at the merge, as a patch of what the stream has; empty: there is none."""


def parked_work(context: Context, conflict: Conflict) -> ParkedWork:
    """Return what a conflict parked.

    Raises:
        NotFound: nothing is left on its salvage ref.
        Refused: it belongs to no stream, or to several.
    """
    commit = context.repository.resolve(conflict.salvage)
    if commit is None:
        raise NotFound(
            f"There is no {conflict.salvage} any more.",
            remedy=f"Its commit was {conflict.evidence.get('commit', 'not recorded')}; see: git show COMMIT",
        )
    kept = salvaging.salvage_of(context, conflict.salvage)
    with context.store.read() as tx:
        session = tx.sessions.get(conflict.session)
        assert session is not None, "the conflict is of this session"
        boundaries = boundaries_of(tx, session.id)
        owners = {owner for path in conflict.resources if (owner := boundaries.owner(file_path(path)))}
        name = owners.pop() if len(owners) == 1 else "" if owners else kept.stream
        if not name:
            raise Refused(
                f"The files of conflict {conflict.id} belong to no stream, or to several.",
                remedy=f"Make a branch of the change and land it part by part: pucs salvage restore {kept.ref}",
            )
        row = stream_named(tx, session.id, name)
    return ParkedWork(
        conflict=conflict.id,
        agent=kept.agent,
        stream=row.stream.name,
        session=session.id,
        task=kept.task,
        ref=kept.ref,
        commit=commit,
        paths=tuple(dict.fromkeys(file_resource(name) for name in conflict.resources)),
        branch=f"refs/heads/{row.branch}",
        base=session.base,
    )


def try_merge(context: Context, parked: ParkedWork, *, accept: str) -> Clash | None:
    """Return why a parked change does not merge with its stream as it is now, None if it does; nothing is changed.

    With ``accept`` ``review`` a guess counts as a merge, with ``auto`` it does not.
    """
    tip = context.repository.resolve(parked.branch) or parked.base
    _, clash = _merged(context, parked, tip, accept)
    return clash


def bring_in(
    context: Context,
    parked: ParkedWork,
    *,
    by: str,
    strategy: Strategy,
    decision: str,
    accept: str,
    replacing: bool = False,
) -> BroughtIn | Clash:
    """Bring a parked change onto its stream and close its conflict with the decision; a clash changes nothing.

    With ``replacing`` what clashes takes the place of the stream's version, which goes to a salvage ref. ``accept`` as in
    ``try_merge``.

    Atomicity: as ``land``; the files are leased from the first look to the end.

    Raises:
        Refused: somebody holds or waits for one of the files, or the conflict was decided meanwhile.
    """
    settle(context, parked.paths)
    wanted = parked.paths if replacing else _changed(context, parked)
    tokens, fresh = _leased(context, parked, wanted)
    words = _Words(by=by, strategy=strategy, decision=decision)
    message = _message(context, parked, tokens, decision)
    try:
        for _ in range(ATTEMPTS_MAX):
            tip = context.repository.resolve(parked.branch) or parked.base
            joined, clash = _merged(context, parked, tip, accept)
            tree = joined.tree
            if clash is not None and not replacing:
                return clash
            if clash is not None:
                tree = context.repository.tree_with(tip, parked.paths, parked.commit)
                words = replace(words, kept=_set_aside(context, parked, tip))
            new = context.repository.commit(tree, [tip], message, author=parked.agent)
            changed = context.repository.changed(tip, new)
            if not changed:
                return BroughtIn(commit=tip)
            landing = {name: tokens[name] for name in wanted if file_resource(name) in changed}
            plan = Plan(
                commit=new,
                paths=tuple(sorted(landing.items())),
                # What the agent held already it goes on holding.
                left=tuple(name for name, token in landing.items() if token not in fresh),
                narrowed=True,
                release=True,
                settled=tuple(joined.documents(new)),
            )
            if _moved(context, parked, tip, plan, words):
                return BroughtIn(commit=new, paths=tuple(changed), kept=words.kept)
    except LostLease as lost:
        raise Refused(
            f"The lease on the files of conflict {parked.conflict} was lost meanwhile.", remedy="Try again."
        ) from lost
    finally:
        _give_up(context, fresh)
    raise Refused(f"Stream {parked.stream} keeps moving.", remedy="Try again when it is quiet.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    by: str
    strategy: Strategy
    decision: str
    kept: str = ""


def _changed(context: Context, parked: ParkedWork) -> tuple[Resource, ...]:
    """Return what the change touches: symbols where it stays inside some, so that others may hold the rest of a file."""
    tip = context.repository.resolve(parked.branch) or parked.base
    fork = _fork(context, parked, tip)
    found: list[Resource] = []
    for path in parked.paths:
        sides = [context.repository.content(commit, path) for commit in (fork, parked.commit)]
        names = touched_symbols(path, *sides)
        found += [Resource(f"{path}::{name}") for name in names] or [path]
    return tuple(found)


def _leased(
    context: Context, parked: ParkedWork, wanted: Sequence[Resource]
) -> tuple[dict[Resource, int], tuple[int, ...]]:
    """Lease what is wanted in the name of the change's agent; return the token for each, and those taken for this alone."""
    with unit(context) as opened:
        still_open(opened, parked.conflict)
        request = Request(
            id=0,
            agent=parked.agent,
            stream=parked.stream,
            task=parked.task,
            session=parked.session,
            resources=normalised((name, Mode.EXCLUSIVE) for name in wanted),
            duration_s=LEASE_S,
            boot_id=opened.now.boot_id,
            asked_s=opened.now.boot_s,
            deadline_s=opened.now.boot_s,
            waiter=None,
        )
        live, waiting = settled(context, opened, wanted)
        verdict = decide(request, live, waiting)
        if isinstance(verdict, Blocked):
            raise _taken(parked, verdict)
        fresh = grant(
            opened,
            request,
            verdict.needed,
            context.processes.current(),
            instead_of=verdict.converted,
        )
        own = [*fresh, *verdict.kept]
        tokens = {name: lease.token for name in wanted if (lease := covering(name, own)) is not None}
        return tokens, tuple(lease.token for lease in fresh)


def _taken(parked: ParkedWork, verdict: Blocked) -> Refused:
    first = next(iter(verdict.holders), None)
    who = (
        f"{first.resource} is held by {first.agent} until {first.expires_at}"
        if first is not None
        else f"{verdict.ahead[0].agent} waits for one of the files"
    )
    return Refused(
        f"{who}; conflict {parked.conflict} stays open.", remedy="Resolve it again once they have landed."
    )


def _merged(context: Context, parked: ParkedWork, tip: str, accept: str) -> tuple[Joined, Clash | None]:
    """Return the merge of the change with the stream's tip, or why it does not merge.

    The change is what its agent made of each path as it found it, whatever else its history holds: both sides are given
    a common parent of just that content, which nobody else sees.
    """
    repository = context.repository
    fork = _fork(context, parked, tip)
    ours = repository.commit(f"{tip}^{{tree}}", [fork], "ours", author=parked.agent)
    tree = repository.tree_with(fork, parked.paths, parked.commit)
    theirs = repository.commit(tree, [fork], "theirs", author=parked.agent)
    joined = join(context, ours, theirs, accept=accept)
    if joined.conflicts:
        guess = _patch(context, parked, ours, joined.proposal) if joined.proposal else ""
        return Joined(), Clash(reasons=joined.reasons, proposal=guess)
    result = repository.commit(joined.tree, [ours], "merged", author=parked.agent)
    changed = repository.changed(ours, result)
    moved = [path for path in changed if path not in parked.paths]
    if moved:
        return Joined(), Clash(reasons=(f"the files were renamed since: {', '.join(moved[:PATHS_NAMED])}",))
    # What git merged by lines alone nobody has looked at; what the merge room settled has passed its guards.
    both = set(repository.changed(fork, ours)) & set(changed) - {one.file for one in joined.settled}
    reasons = tuple(
        f"{path}: {objection}"
        for path in sorted(both)
        for objection in objections(
            path, *(repository.content(commit, path) for commit in (fork, ours, theirs, result))
        )
    )
    if not reasons or accept == "review":
        return joined, None
    return Joined(), Clash(reasons=reasons, proposal=repository.patch(ours, result, changed))


def _patch(context: Context, parked: ParkedWork, ours: str, tree: str) -> str:
    """Return what a tree changes in the stream's version as a patch; empty if that reaches beyond the parked files."""
    repository = context.repository
    guess = repository.commit(tree, [ours], "proposal", author=parked.agent)
    changed = repository.changed(ours, guess)
    if any(path not in parked.paths for path in changed):
        return ""
    return repository.patch(ours, guess, changed)


def _fork(context: Context, parked: ParkedWork, tip: str) -> str:
    """Return a commit without history that holds the files as the change's agent found them."""
    repository = context.repository
    start = repository.merge_base(tip, parked.commit) or parked.base
    fork = repository.commit(f"{start}^{{tree}}", [], "fork", author=parked.agent)
    for reference, paths in as_found(context, _work(parked, tip), parked.commit, set(parked.paths)).items():
        if reference:
            tree = repository.tree_with(fork, sorted(paths), reference)
            fork = repository.commit(tree, [], "fork", author=parked.agent)
    return fork


def _message(context: Context, parked: ParkedWork, tokens: dict[Resource, int], decision: str) -> str:
    bench = _bench(parked)
    said = f"Parked on {parked.ref}; conflict {parked.conflict}: {decision}."
    return message_of(bench, f"{title_of(context, bench)}\n{said}", tokens.values())


def _set_aside(context: Context, parked: ParkedWork, tip: str) -> str:
    """Keep the stream's version of the files on a salvage ref, in the name of whoever landed it last; return the ref."""
    with context.store.read() as tx:
        rows = tx.landings.last_on(parked.session, parked.paths)
    last = next((row for row in reversed(rows) if row.stream == parked.stream), None)
    bench = replace(
        _bench(parked), agent=last.agent if last else parked.stream, task=last.task if last else ""
    )
    why = f"conflict {parked.conflict} was decided for {parked.agent}"
    return salvaging.set_aside(context, bench, tip, parked.paths, why)


def _bench(parked: ParkedWork) -> Bench:
    return Bench(
        agent=parked.agent,
        stream=parked.stream,
        session=parked.session,
        task=parked.task,
        place="",
        own=True,
        branch="",
    )


def _work(parked: ParkedWork, tip: str) -> Work:
    return Work(
        bench=_bench(parked),
        ref=parked.branch,
        stream_tip=tip,
        tip=parked.commit,
        elsewhere=(),
        bounded=False,
    )


def _moved(context: Context, parked: ParkedWork, tip: str, plan: Plan, words: _Words) -> bool:
    """Move the stream and close the conflict with the landing; False if somebody else moved the stream first."""
    with unit(context, durable=True) as opened:
        found = still_open(opened, parked.conflict)
        announced = {
            "commit": plan.commit,
            "by": words.by,
            "strategy": words.strategy.value,
            "decision": words.decision,
            "kept": words.kept,
        }
        opened.tx.conflicts.put(replace(found, evidence={**found.evidence, "announced": announced}))
        progress = Progress(title=words.decision, tokens=dict(plan.paths))
        intention = intend(context, opened, _work(parked, tip), plan, progress)
    return intentions.carry_out(context, intention, ARRIVING)


def still_open(opened: Unit, conflict: int) -> Conflict:
    """Return an open conflict.

    Raises:
        NotFound: there is none of this id.
        Refused: it was decided; the message says how.
    """
    found = opened.tx.conflicts.get(conflict)
    if found is None or found.session != opened.active().id:
        raise NotFound(f"There is no conflict {conflict}.", remedy="See: pucs conflicts")
    if found.status is not Status.OPEN:
        raise Refused(
            f"Conflict {conflict} is resolved: {found.decision} (by {found.decided_by or 'nobody named'}, "
            f"{found.resolved_at}).",
            remedy="The first decision stands.",
        )
    return found


def _give_up(context: Context, tokens: Sequence[int]) -> None:
    """End the leases that were taken for this alone, if the landing has not."""
    with suppress(PucsError), unit(context) as opened:
        left = [
            lease
            for lease in opened.tx.leases.by_tokens(tokens)
            if lease.state is not LeaseState.ENDED and lease.landing is None
        ]
        end_and_serve(opened, left, EndReason.RELEASED)
