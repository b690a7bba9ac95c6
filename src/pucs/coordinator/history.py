"""Which commits of a session belong to which stream, who synced from whom, and whether all of it may merge.

A commit belongs to the landing with which it first came onto any stream's branch. That is told from landings and
reachability alone: trailers say the same, but anybody can write one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pucs.coordinator.partition import boundaries_of
from pucs.coordinator.requesting import waived_for
from pucs.coordinator.settling import settle
from pucs.core.resources import file_path, file_resource
from pucs.streams import protocol

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from pucs.coordinator.context import Context
    from pucs.coordinator.records import CommitFacts
    from pucs.streams.boundaries import Boundaries
    from pucs.streams.records import Landing, Session, StreamRow
    from pucs.streams.settings import Configuration

PROBLEMS_MAX = 20
"""Problems listed for one stream; the first ones say what kind of thing went wrong."""


@dataclass(slots=True)
class History:
    """What a session has landed so far."""

    session: Session
    configuration: Configuration
    boundaries: Boundaries
    rows: dict[str, StreamRow]
    """Streams by name, in configured order."""
    landings: list[Landing]
    tips: dict[str, str]
    """What each stream's branch points at."""
    owner: dict[str, str] = field(default_factory=dict)
    """Stream of each landed commit."""
    own: dict[int, list[CommitFacts]] = field(default_factory=dict)
    """Commits that each landing brought first, by its id."""
    synced: set[tuple[str, str]] = field(default_factory=set)
    """(x, y): x holds commits that y landed."""
    strays: dict[str, list[str]] = field(default_factory=dict)
    """Commits on a stream's branch that came with no landing."""


def history(context: Context, session: Session) -> History:
    """Read what was landed on every stream of a session, after closing landings whose branch has moved already."""
    repository = context.repository
    with context.store.read() as tx:
        rows = {row.stream.name: row for row in tx.sessions.streams(session.id)}
    # In this order: whatever is on a branch by now has its landing row once that step is closed.
    tips = {
        name: repository.resolve(f"refs/heads/{row.branch}") or session.base for name, row in rows.items()
    }
    settle(context)
    with context.store.read() as tx:
        found = History(
            session=session,
            configuration=tx.sessions.configuration(),
            boundaries=boundaries_of(tx, session.id),
            rows=rows,
            landings=tx.landings.all(session.id),
            tips=tips,
        )
    merged = repository.resolve(f"refs/heads/{session.branch}") or session.base
    # One look at all commits: what each landing brought follows from their parents.
    starts = dict.fromkeys([merged, *found.tips.values(), *(landing.commit for landing in found.landings)])
    facts = {each.id: each for each in repository.commits(session.base, *starts)}
    place = {commit: number for number, commit in enumerate(facts)}
    for landing in found.landings:
        brought = _reached(facts, landing.commit, stop=found.owner)
        found.own[landing.id] = [facts[commit] for commit in sorted(brought, key=place.__getitem__)]
        found.owner.update(dict.fromkeys(brought, landing.stream))
    on_session = _reached(facts, merged, stop=())
    for name, tip in found.tips.items():
        if tip in {session.base, merged}:
            continue
        held = _reached(facts, tip, stop=())
        owners = {found.owner[commit] for commit in held if commit in found.owner}
        found.synced.update((name, owner) for owner in owners if owner != name)
        found.strays[name] = sorted(held - on_session - found.owner.keys(), key=place.__getitem__)
    return found


def _reached(facts: Mapping[str, CommitFacts], start: str, *, stop: Container[str]) -> set[str]:
    """Return the commits among ``facts`` that are reachable from a start without passing one to stop at."""
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        commit = waiting.pop()
        if commit in facts and commit not in reached and commit not in stop:
            reached.add(commit)
            waiting.extend(facts[commit].parents)
    return reached


def gate(context: Context, found: History, stream: str) -> list[str]:
    """Return why a stream's own commits may not merge, empty if they may (DESIGN §3.4, §3.5).

    Every commit came with a landing; what each landing put on the stream follows the protocol; every path its own
    commits changed has a row with the token that covered it, and belongs to no other stream.
    """
    problems = [
        f"commit {commit[:12]} came onto the branch without a landing"
        for commit in found.strays.get(stream, ())
    ]
    for landing in found.landings:
        if landing.stream == stream:
            problems += _landing_problems(context, found, landing)
    return problems[:PROBLEMS_MAX]


def _landing_problems(context: Context, found: History, landing: Landing) -> list[str]:
    problems: list[str] = []
    arrived = next((facts for facts in found.own[landing.id] if facts.id == landing.commit), None)
    if arrived is not None and protocol.parse(arrived.subject) is None:
        problems.append(
            f"commit {landing.commit[:12]} does not follow the commit protocol: {arrived.subject!r}"
        )
    rows = {file_resource(path) for path, _ in landing.paths}
    for path, token in landing.paths:
        other = found.boundaries.crossed(path, landing.stream)
        if other is not None and not _waived(context, landing, path):
            problems.append(f"{path} belongs to stream {other}")
        if not token and not found.boundaries.generated(file_path(path)):
            problems.append(f"{path} was landed without a lease")
    changed = {path for facts in found.own[landing.id] for path in facts.paths}
    problems += [
        f"{path} was changed by landing {landing.id} without a landing row"
        for path in sorted(changed - rows)
        if _changed_by(context, found, landing, path)
    ]
    return problems


def _waived(context: Context, landing: Landing, path: str) -> bool:
    with context.store.read() as tx:
        return waived_for(tx, landing.session, landing.agent, landing.stream, path)


def _changed_by(context: Context, found: History, landing: Landing, path: str) -> bool:
    """Tell whether a landing leaves a path other than the newest earlier landing in it did, or than the stream had it."""
    for earlier in reversed(found.landings):
        touched = earlier.id < landing.id and any(path == file_resource(each) for each, _ in earlier.paths)
        if touched and context.repository.contains(landing.commit, earlier.commit):
            return path in context.repository.changed(earlier.commit, landing.commit)
    return path in context.repository.changed(landing.before, landing.commit)
