"""Preparing a landing: judge every change, take late leases, park what may not land, commit the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pucs.conflicts.records import Kind
from pucs.coordinator import leases, salvaging
from pucs.coordinator.following import follow
from pucs.coordinator.judging import Judgement, judge, judge_inside
from pucs.coordinator.symbols import as_judged, edits
from pucs.coordinator.work import own_changes, without
from pucs.core.errors import GitError
from pucs.core.modes import Mode
from pucs.streams import protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pucs.coordinator.context import Context
    from pucs.coordinator.salvaging import Bench
    from pucs.coordinator.work import Progress, Work
    from pucs.core.resources import Resource
    from pucs.locks.records import Lease

LATE_SET_MAX = 5000
"""Undeclared paths asked for in one set; half of what one request may hold."""


BEYOND_NAMED_MAX = 10
"""Symbols named in one reason: the first ones say where an agent went too far."""


@dataclass(frozen=True, slots=True)
class HookRefused:
    """The user's commit hooks refused the change."""

    message: str
    remedy: str


def prepare(
    context: Context, work: Work, own: Sequence[Resource], chosen: Sequence[Resource], done: Progress
) -> str | HookRefused | None:
    """Judge, park and commit an agent's changes; return the commit whose own changes are all covered.

    ``own`` are the paths it has committed, ``chosen`` the uncommitted ones to land.
    None: nothing of it may land, or a hook changed more than was judged; ``done.tokens`` is empty in the first case.
    """
    bench = work.bench
    paths = list(dict.fromkeys([*own, *chosen]))
    allowed = _covered(context, work, paths, chosen, done)
    refused = [path for path in paths if path not in allowed]
    wanted = [path for path in chosen if path in allowed]
    text = message_of(bench, done.title, [token for _, token in done.resources(wanted)])
    if not bench.own:
        if not wanted:
            return None
        seen = context.worktrees.snapshot(bench.place, text, author=bench.agent, only=wanted)
        return seen if seen is not None and as_judged(context, done, seen) else None
    if allowed:
        try:
            context.worktrees.commit(bench.place, text, author=bench.agent, only=wanted)
        except GitError as error:
            return HookRefused(error.message, error.remedy)
    tip = leave_out(context, work, refused)
    covered = all(path in done.tokens for path in own_changes(context, replace(work, tip=tip)))
    return tip if allowed and covered and as_judged(context, done, tip) else None


def _covered(
    context: Context, work: Work, paths: Sequence[Resource], chosen: Sequence[Resource], done: Progress
) -> set[Resource]:
    """Judge paths, take late leases, park the rest; return the paths that may land."""
    bench = work.bench
    stream = bench.stream if work.bounded else ""
    with context.store.read() as tx:
        found = judge(tx, bench.session, bench.agent, stream, paths)
    done.tokens, done.symbols, done.judged = dict(found.covered), {}, {}
    refusals = _inside(context, work, found, chosen, done)
    if found.stale:
        return _park_together(context, bench, paths, found.stale, done)
    for why, refused in _late(context, bench, found.undeclared, done).items():
        refusals.setdefault(why, []).extend(refused)
    for path, other in found.foreign.items():
        refusals.setdefault((Kind.BOUNDARY, f"it belongs to stream {other}", other), []).append(path)
    for (kind, reason, other), refused in refusals.items():
        parked = salvaging.park(context, bench, refused, kind=kind, reason=reason, others=(other,))
        done.parked.append(parked)
    return set(done.tokens)


def _inside(
    context: Context, work: Work, found: Judgement, chosen: Sequence[Resource], done: Progress
) -> dict[tuple[Kind, str, str], list[Resource]]:
    """Judge files by what is changed in them, where the agent leased only symbols; return what may not land, and why.

    What an edit touches beyond the leased symbols takes a late lease, on those symbols or on the whole file.
    """
    bench = work.bench
    made = edits(context, work, found.partly, chosen)
    with context.store.read() as tx:
        judged = {
            path: judge_inside(tx, bench.session, bench.agent, path, edit.changes)
            for path, edit in made.items()
        }
    for inside in judged.values():
        found.stale.update(inside.stale)
    refusals: dict[tuple[Kind, str, str], list[Resource]] = {}
    if found.stale:
        return refusals
    for path, inside in judged.items():
        covered = dict(inside.covered)
        if inside.undeclared:
            wanted = sorted(inside.undeclared)
            answer = leases.acquire(context, agent=bench.agent, resources=wanted, mode=Mode.EXCLUSIVE)
            if not answer.granted:
                reason = _beyond(path, bench.agent, inside.beyond) + answer.reason.rstrip(".")
                refusals.setdefault((Kind.FILE_LOCK, reason, ""), []).append(path)
                continue
            covered |= {name: answer.tokens.get(name) or max(answer.tokens.values()) for name in wanted}
            done.before.update(inside.undeclared)
            done.late.extend(answer.tokens.values())
        done.tokens[path] = covered.get(path) or max(covered.values())
        if path not in covered:
            done.symbols[path] = covered
            done.judged[path] = made[path].content
    return refusals


def _beyond(path: Resource, agent: str, beyond: Sequence[str]) -> str:
    """Say what an edit touches that its agent does not hold, as the beginning of a reason."""
    if not beyond:
        return ""
    words = {"<imports>": "its imports", "<module>": "what belongs to no definition"}
    named = [words.get(name, name) for name in beyond[:BEYOND_NAMED_MAX]]
    more = f" and {len(beyond) - len(named)} more" if len(beyond) > len(named) else ""
    return f"{path} is changed beyond what {agent} holds of it ({', '.join(named)}{more}), and "


def _park_together(
    context: Context, bench: Bench, paths: Sequence[Resource], stale: Mapping[Resource, Lease], done: Progress
) -> set[Resource]:
    """Park a whole change whose agent lost a lease on part of it: half of what belongs together must not land."""
    path, lease = next(iter(stale.items()))
    why = f"the lease on {path} ended, and {lease.agent} was granted {lease.resource} since"
    done.parked.append(
        salvaging.park(context, bench, paths, kind=Kind.FILE_LOCK, reason=why, others=(lease.agent,))
    )
    done.tokens = {}
    return set()


def _late(
    context: Context, bench: Bench, undeclared: dict[Resource, int], done: Progress
) -> dict[tuple[Kind, str, str], list[Resource]]:
    """Take late leases for undeclared changes, all at once if possible; return what is not to be had, and why."""
    refusals: dict[tuple[Kind, str, str], list[Resource]] = {}
    names = sorted(undeclared)
    for start in range(0, len(names), LATE_SET_MAX):
        chunk = names[start : start + LATE_SET_MAX]
        for group in [chunk], [[name] for name in chunk]:
            answers = [
                (part, leases.acquire(context, agent=bench.agent, resources=part, mode=Mode.EXCLUSIVE))
                for part in group
            ]
            for part, answer in answers:
                if answer.granted:
                    for path in part:
                        # One taken meanwhile over a directory stands in for the file's own.
                        done.tokens[path] = answer.tokens.get(path) or max(answer.tokens.values())
                        done.before[path] = undeclared[path]
                    done.late.extend(answer.tokens.values())
                elif len(part) == 1:
                    refusals.setdefault((Kind.FILE_LOCK, answer.reason.rstrip("."), ""), []).extend(part)
            if answers[0][1].granted or len(chunk) == 1:
                break
    return refusals


def leave_out(context: Context, work: Work, refused: Sequence[Resource]) -> str:
    """Commit parked paths back to how the agent found them, where its branch holds its version; return the new tip."""
    bench = work.bench
    tip = context.worktrees.head(bench.place)
    held = [path for path in own_changes(context, replace(work, tip=tip)) if path in set(refused)]
    if not held:
        return tip
    text = message_of(bench, "chore: Leave out what was parked", ())
    follow(context, bench, without(context, work, tip, held, text))
    return context.worktrees.head(bench.place)


def title_of(context: Context, bench: Bench) -> str:
    """Return what the work is called: the title of its task, else whose work it is."""
    with context.store.read() as tx:
        task = tx.tasks.get(bench.session, bench.task) if bench.task else None
    return task.title if task is not None else bench.task or f"Work of {bench.agent}"


def message_of(bench: Bench, title: str, tokens: Iterable[int], *, landing: str = "") -> str:
    """Return the message of a commit of the agent's work, with its trailers."""
    trailers = protocol.trailers_of(bench.agent, bench.stream, bench.session, bench.task, tokens)
    return protocol.compose(bench.stream, title, [*trailers, (protocol.LANDING, landing)])
