"""The two transactions around the move of a stream's branch: the intention of a landing, and its closing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pucs.agents.records import Phase
from pucs.coordinator import intentions
from pucs.coordinator.agents import step
from pucs.coordinator.conflicts import close_landed
from pucs.coordinator.granting import end_and_serve
from pucs.coordinator.joining import log_settled
from pucs.coordinator.judging import overtaken
from pucs.core.resources import file_resource, is_symbol, overlaps
from pucs.crosslog.records import Level
from pucs.locks.records import EndReason, LeaseState
from pucs.streams.records import Landing, StreamState

if TYPE_CHECKING:
    from pucs.coordinator.context import Context, Unit
    from pucs.coordinator.records import Intention
    from pucs.coordinator.work import Progress, Work
    from pucs.core.resources import Resource


class LostLease(Exception):
    """A lease that covered a change is not held any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one attempt wants to do."""

    commit: str
    """What the stream's branch is to point at."""
    paths: tuple[tuple[Resource, int], ...]
    """What that changes, each path, or symbol of one, with the token that covers it."""
    left: tuple[Resource, ...]
    """What stays uncommitted: leases over it are kept."""
    narrowed: bool
    """Only leases over landed paths end."""
    release: bool
    """False: no lease ends."""
    settled: tuple[dict[str, Any], ...] = ()
    """Files that the merge room merged on the way (``joining.Settled``)."""


def intend(context: Context, opened: Unit, work: Work, plan: Plan, done: Progress) -> Intention:
    """Check the leases once more, hold them in place and record the intention, in one transaction.

    Raises:
        LostLease: a covering lease is gone; nothing was recorded.
    """
    bench = work.bench
    _close_before(opened, work)
    held = {
        lease.token: lease
        for lease in opened.tx.leases.of_agent(bench.agent)
        if lease.state is LeaseState.HELD
    }
    for path, token in plan.paths:
        older = done.before.get(path, 0)
        lease = held.get(token)
        # One that another call is landing now is as good as lost; after that call all is judged anew.
        if token and (lease is None or lease.landing is not None):
            raise LostLease
        if older and overtaken(opened.tx, path, older) is not None:
            raise LostLease
    covering = {token for _, token in plan.paths if token}
    ending = {
        token
        for token, lease in held.items()
        if plan.release
        and lease.landing is None
        and (token in covering or not plan.narrowed)
        and not any(overlaps(lease.resource, path) for path in plan.left)
    }
    intention = intentions.intend(
        context,
        opened,
        verb=intentions.LAND,
        agent=bench.agent,
        ref=work.ref,
        old=work.stream_tip,
        new=plan.commit,
        payload={
            "stream": bench.stream,
            "task": bench.task,
            "paths": plan.paths,
            "tokens": sorted(ending),
            "held": sorted(covering | ending),
            "settled": plan.settled,
        },
    )
    for token in covering | ending:
        opened.tx.leases.replace(replace(held[token], landing=intention.id))
    return intention


def _close_before(opened: Unit, work: Work) -> None:
    """Close the landing this one builds on, if its own process has not come to that yet.

    So the rows of a stream are in the order of its branch, whoever is slow or dead; the owner finds nothing left to do.
    """
    for intention in opened.tx.intentions.all():
        same = intention.verb == intentions.LAND and intention.ref == work.ref
        if same and intention.new == work.stream_tip and opened.tx.intentions.remove(intention.id):
            landed(opened, intention)


def landed(opened: Unit, intention: Intention) -> None:
    """Close a landing whose stream branch has moved: landing row, leases ended, waiters served, entry."""
    payload = intention.payload
    paths = tuple((path, token) for path, token in payload["paths"])
    number = opened.tx.landings.add(
        Landing(
            id=0,
            session=intention.session,
            stream=payload["stream"],
            agent=intention.agent,
            task=payload["task"],
            commit=intention.new,
            before=intention.old,
            paths=paths,
            landed_at=opened.now.wall(),
        )
    )
    _unmark(opened, intention)
    ending = [
        lease
        for lease in opened.tx.leases.by_tokens(payload["tokens"])
        if lease.state is not LeaseState.ENDED
    ]
    opened.log(
        "landed",
        agent=intention.agent,
        stream=payload["stream"],
        level=Level.CHANGE,
        files=list(dict.fromkeys(file_resource(path) for path, _ in paths)),
        symbols=[path for path, _ in paths if is_symbol(path)],
        commit=intention.new,
        landing=number,
        tokens=sorted({token for _, token in paths if token}),
        task=payload["task"],
    )
    settled = payload.get("settled", ())  # an intention of an older version has none
    log_settled(opened, settled, agent=intention.agent, stream=payload["stream"])
    close_landed(
        opened,
        agent=intention.agent,
        task=payload["task"],
        commit=intention.new,
        paths=[path for path, _ in paths],
    )
    end_and_serve(opened, ending, EndReason.LANDED)
    for row in opened.tx.sessions.streams(intention.session):
        if row.stream.name == payload["stream"] and row.state is not StreamState.ACTIVE:
            opened.tx.sessions.put_stream(
                replace(row, state=StreamState.ACTIVE)
            )  # there is something to merge again
    agent = opened.tx.agents.get(intention.agent)
    if agent is not None and agent.active and agent.session == intention.session:
        for phase in (Phase.WORK, Phase.COMMIT, *((Phase.RELEASE_LOCKS,) if ending else ())):
            agent = replace(agent, phase=step(opened, agent, phase))


def not_landed(opened: Unit, intention: Intention) -> None:
    """Close a landing whose stream branch had moved elsewhere: the leases are as before."""
    _unmark(opened, intention)
    opened.log(
        "landing retried",
        agent=intention.agent,
        stream=intention.payload["stream"],
        level=Level.DEBUG,
        commit=intention.new,
    )


def _unmark(opened: Unit, intention: Intention) -> None:
    for lease in opened.tx.leases.by_tokens(intention.payload["held"]):
        if lease.landing == intention.id:
            opened.tx.leases.replace(replace(lease, landing=None))


ARRIVING = (landed, not_landed)
"""How a landing is closed."""
