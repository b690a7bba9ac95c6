"""Which commits of a session belong to which stream, who synced from whom, and whether all of it may merge.

A commit belongs to the landing with which it first came onto any stream's branch. That is told from landings and
reachability alone: trailers say the same, but anybody can write one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pucs.coordinator.partition import boundaries_of
from pucs.core.resources import file_path
from pucs.streams import protocol

if TYPE_CHECKING:
    from pucs.coordinator.context import Context
    from pucs.coordinator.ports import CommitFacts
    from pucs.streams.boundaries import Boundaries
    from pucs.streams.records import Configuration, Landing, Session, StreamRow

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
    tips: dict[str, str] = field(default_factory=dict)
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
    """Read what was landed on every stream of a session; nothing is written."""
    with context.store.read() as tx:
        found = History(
            session=session,
            configuration=tx.sessions.configuration(),
            boundaries=boundaries_of(tx, session.id),
            rows={row.stream.name: row for row in tx.sessions.streams(session.id)},
            landings=tx.landings.all(session.id),
        )
    repository = context.repository
    seen: dict[str, str] = {}
    for landing in found.landings:
        brought = repository.commits(landing.before, landing.commit, also_not=[session.base, *seen.values()])
        found.own[landing.id] = brought
        found.owner.update({facts.id: landing.stream for facts in brought})
        seen[landing.stream] = landing.commit
    merged = repository.resolve(f"refs/heads/{session.branch}") or session.base
    for name, row in found.rows.items():
        tip = found.tips[name] = repository.resolve(f"refs/heads/{row.branch}") or session.base
        if tip in {session.base, merged}:
            continue
        for facts in repository.commits(session.base, tip):
            owner = found.owner.get(facts.id)
            if owner is not None and owner != name:
                found.synced.add((name, owner))
        on_session = [merged] if merged != session.base else []
        unmerged = repository.commits(session.base, tip, also_not=on_session)
        found.strays[name] = [facts.id for facts in unmerged if facts.id not in found.owner]
    return found


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
    rows = dict(landing.paths)
    for path, token in landing.paths:
        other = found.boundaries.crossed(path, landing.stream)
        if other is not None:
            problems.append(f"{path} belongs to stream {other}")
        if not token and not found.boundaries.generated(file_path(path)):
            problems.append(f"{path} was landed without a lease")
    changed = {path for facts in found.own[landing.id] for path in facts.paths}
    problems += [
        f"{path} was changed by landing {landing.id} without a landing row"
        for path in sorted(changed - rows.keys())
        if _changed_by(context, found, landing, path)
    ]
    return problems


def _changed_by(context: Context, found: History, landing: Landing, path: str) -> bool:
    """Tell whether a landing leaves a path other than the newest earlier landing in it did, or than the stream had it."""
    for earlier in reversed(found.landings):
        touched = earlier.id < landing.id and any(path == each for each, _ in earlier.paths)
        if touched and context.repository.contains(landing.commit, earlier.commit):
            return path in context.repository.changed(earlier.commit, landing.commit)
    return path in context.repository.changed(landing.before, landing.commit)
