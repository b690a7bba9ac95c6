"""Leases: acquire, claim, renew, release, clean up, and the answers to "who has it" (000 §3.3; DESIGN §3.1 to §3.4).

``acquire`` is one transaction when it is granted or refused at once. A caller that is willing to wait gets a place in
the queue in that same transaction, sleeps on its bell, and claims its reservation in a second one. Whoever ends a lease
serves the queue in the transaction that ends it. Dead owners and expired leases are met where they stand in the way,
so no reaper process is needed.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from math import isnan
from typing import TYPE_CHECKING

from pucs.agents.records import Phase
from pucs.coordinator.agents import acting, checked_name, step
from pucs.coordinator.answering import Acquired, Wish
from pucs.coordinator.asking import RESOURCES_MAX, ahead, ask, checked
from pucs.coordinator.context import Context, unit
from pucs.coordinator.granting import end, end_and_serve, over, renew_in, serve, withdraw, withdrawn
from pucs.coordinator.liveness import standing
from pucs.coordinator.waiting import look, unpinned, wait
from pucs.core.errors import PucsError, Usage
from pucs.core.modes import Mode, covers
from pucs.core.resources import is_symbol
from pucs.locks.records import EndReason, Lease, LeaseState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pucs.coordinator.ports import Transaction

__all__ = ["RESOURCES_MAX", "Acquired", "Released", "acquire", "cleanup", "downgrade", "release", "renew"]


def acquire(
    context: Context,
    *,
    agent: str,
    resources: Sequence[str],
    mode: Mode = Mode.EXCLUSIVE,
    duration_s: float | None = None,
    wait_s: float = 0.0,
    task: str = "",
    stream: str = "",
    cancelled: Callable[[], bool] = bool,
    noted: Mapping[str, str] | None = None,
) -> Acquired:
    """Lease a set of canonical resources for an agent, whole or not at all.

    Asking again for what one holds keeps the old tokens; asking for the same in a stronger mode gives a new token for
    the old one, which stands until then. A set that cannot be granted is refused at once, or, with ``wait_s``, waits in
    the queue: a waiter holds nothing of what it waits for. A wait that could never end, because others wait for what
    the agent holds, is refused with the circle in words. ``cancelled`` is asked at each wake-up, at most a second apart.
    ``noted`` says what the files look like now (``Worktrees.note``), so that giving up unchanged ones needs no git.

    Raises:
        Usage: empty, too large, a named resource in another mode than exclusive, or a symbol that is not defined.
        Refused: no session, or the agent was ended.
    """
    checked_name(agent)
    if (duration_s is not None and not duration_s > 0) or isnan(wait_s):
        raise Usage(
            "A lease lasts longer than nothing.", remedy="Give a positive duration, and seconds to wait."
        )
    asked = checked(resources, mode)
    if any(is_symbol(resource) for resource in resources):
        from pucs.coordinator.outlines import check_symbols  # noqa: PLC0415 - whoever asks for files parses nothing

        check_symbols(context, agent=agent, resources=[resource for resource, _ in asked])
    wish = Wish(
        asked=asked,
        agent=agent,
        stream=stream,
        duration_s=duration_s,
        task=task,
        noted=noted or {},
    )
    if wait_s > 0:
        return _acquire_in_turn(context, wish, wait_s, cancelled)
    foreseen = ahead(agent, [resource for resource, _ in asked])
    while True:
        with unit(context, ahead=foreseen) as opened:
            answer, _ = ask(context, opened, wish)
        # A dead landing keeps its leases in place until somebody completes it; then it is worth asking again.
        if answer.granted or not answer.queue_position or not unpinned(context, resources):
            return answer


def _acquire_in_turn(context: Context, wish: Wish, wait_s: float, cancelled: Callable[[], bool]) -> Acquired:
    """Ask, and wait in the queue if need be."""
    name = f"{context.processes.current().pid}-{wish.agent}-{context.clock.now().boot_s:.6f}"
    with context.bells.hang(name) as bell:
        with unit(context, ahead=ahead(wish.agent, [resource for resource, _ in wish.asked])) as opened:
            began_s = opened.now.boot_s
            answer, request = ask(context, opened, wish, wait_s=wait_s, bell=name)
        if request is None:
            return answer
        try:
            return wait(context, request, bell, cancelled, began_s=began_s, wish=wish)
        except BaseException:
            # Whoever stops waiting by an exception leaves its place, or others would wait behind nobody.
            with suppress(PucsError), unit(context) as opened:
                _ = look(context, opened, request, began_s, cancelled=True)
            raise


def renew(context: Context, *, agent: str, duration_s: float | None = None) -> list[Lease]:
    """Renew every lease an agent holds and return them; one transaction.

    None goes beyond its limit (maximum durations count from the first grant). Leases that have ended are not revived.
    """
    if duration_s is not None and not duration_s > 0:
        raise Usage("A lease lasts longer than nothing.", remedy="Give a positive duration.")
    with unit(context, ahead=lambda tx: (tx.agents.get(agent), tx.leases.of_agent(agent))) as opened:
        if opened.tx.agents.get(agent) is None:
            return []  # a mistyped name is not registered for it
        return renew_in(opened, acting(opened, agent).id, duration_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What a release gave up."""

    resources: tuple[str, ...]
    served: tuple[str, ...] = ()
    """Agents that were granted something by it."""


def release(
    context: Context,
    *,
    agent: str,
    resources: Sequence[str] | None = None,
    token: int | None = None,
    reason: EndReason = EndReason.RELEASED,
) -> Released:
    """Give up an agent's leases, all or those on exactly these resources, and serve the queue; one transaction.

    With ``token`` only the lease with that token ends, so that a late owner cannot end its successor's lease. Releasing
    what one does not hold changes nothing. Whoever has unlanded edits under a lease lands or parks them first.
    """

    def foreseen(tx: Transaction) -> None:
        tx.leases.of_agent(agent)
        tx.agents.get(agent)
        tx.requests.overlapping(resources or ())

    with unit(context, ahead=foreseen) as opened:
        held = [
            lease
            for lease in opened.tx.leases.of_agent(agent)
            # A reservation is its waiter's to claim or to leave; to end a part of it would part the set.
            if lease.state is LeaseState.HELD and lease.landing is None and token in {None, lease.token}
        ]
        if resources is not None:
            wanted = set(resources)
            held = [lease for lease in held if lease.resource in wanted]
        if not held:
            return Released(resources=())
        who = acting(opened, agent)
        served_now = end_and_serve(opened, held, reason, context=context)
        step(opened, who, Phase.RELEASE_LOCKS)
        return Released(
            resources=tuple(lease.resource for lease in held),
            served=tuple(request.agent for request in served_now),
        )


def downgrade(
    context: Context, *, agent: str, resources: Sequence[str], to: Mode, token: int | None = None
) -> dict[str, int]:
    """Hold on to resources in a weaker mode; returns the new tokens. One transaction, so nobody can slip in between.

    Each lease on exactly these resources (or only the one with ``token``) that is stronger ends, and a weaker one under
    a new token takes its place with the same expiry and limit; the queue is served. Others are left as they are.
    Whoever has unlanded edits under a lease lands or parks them first.
    """
    with unit(context) as opened:
        wanted = set(resources)
        held = [
            lease
            for lease in standing(context.processes, opened.now, opened.tx.leases.of_agent(agent))
            if lease.resource in wanted
            and lease.state is LeaseState.HELD
            and lease.landing is None
            and token in {None, lease.token}
            and not covers(to, lease.mode)
        ]
        if not held:
            return {}
        who = acting(opened, agent)
        first = opened.tx.tokens(len(held))
        tokens: dict[str, int] = {}
        for number, lease in enumerate(held, first):
            weak = replace(
                lease,
                token=number,
                mode=to,
                request=0,
                granted_s=opened.now.boot_s,
                granted_at=opened.now.wall(),
            )
            opened.tx.leases.add(weak)
            tokens[lease.resource] = number
        end(opened, held, EndReason.CONVERTED)
        opened.log(
            "lock downgraded",
            agent=agent,
            stream=who.stream,
            files=list(tokens),
            tokens=list(tokens.values()),
            mode=to.value,
        )
        serve(opened, list(tokens), context=context)
        return tokens


def cleanup(context: Context) -> list[Lease]:
    """End every lease that is over by time or by the death of its owner, serve the queue, and return them."""
    ended: list[Lease] = []
    with unit(context) as opened:
        while True:
            now_over = over(context, opened, opened.tx.leases.live())
            gone = [
                request for request in opened.tx.requests.waiting() if withdrawn(context, opened, request)
            ]
            if not now_over and not gone:
                return ended
            ended += now_over
            withdraw(opened, gone)
            freed = [resource for request in gone for resource, _ in request.resources]
            end(opened, now_over, None, context=context)
            serve(opened, [*freed, *(lease.resource for lease in now_over)], context=context)
