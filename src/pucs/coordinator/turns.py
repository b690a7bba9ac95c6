"""Waiting without a process: an agent that a supervisor minds keeps its place in the queue while it is suspended.

It lines up like any waiter, first come, first served, but nobody sleeps for it: its request lives as long as the process
that owns the agent, and what is reserved for it waits some minutes instead of seconds, until it asks again or its
supervisor, which may sleep in ``wait`` meanwhile, claims it. It is told of its turn, and that its turn has passed on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.coordinator.agents import acting, checked_name
from pucs.coordinator.answering import Acquired, Wish
from pucs.coordinator.asking import ask, checked
from pucs.coordinator.claiming import claim, reserved_for
from pucs.coordinator.context import Context, Unit, unit
from pucs.coordinator.granting import given_up, serve, settled
from pucs.coordinator.liveness import standing
from pucs.coordinator.waiting import SHORTEST_SLEEP_S, look, sleep, unpinned
from pucs.core.modes import Mode
from pucs.core.resources import is_named, is_symbol, overlaps
from pucs.locks.records import LeaseState, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pucs.core.processes import Process

CLAIM_S = 180.0
"""Time a suspended agent has to claim its grant: its program starts in seconds, on a machine under load in a minute."""


def line_up(
    context: Context,
    *,
    agent: str,
    resources: Sequence[str],
    task: str = "",
    noted: Mapping[str, str] | None = None,
) -> Acquired:
    """Lease a set for an agent that is about to edit: at once, by claiming what is reserved for it, or in its turn.

    What cannot be had now is waited for in the queue: asked again, it keeps its place, and another set is another place,
    up to ``AWAITED_MAX``. An agent that no supervisor minds could not be resumed: it is told who holds what and what its
    position would be, and has no place. A wait that could never end is refused with the circle in words.

    Raises:
        Usage: empty, too large, or a symbol that is not defined.
        Refused: no session, or the agent was ended.
    """
    checked_name(agent)
    asked = checked(resources, Mode.EXCLUSIVE)
    if any(is_symbol(resource) for resource in resources):
        from pucs.coordinator.outlines import check_symbols  # noqa: PLC0415 - whoever asks for files parses nothing

        check_symbols(context, agent=agent, resources=[resource for resource, _ in asked])
    wish = Wish(asked=asked, agent=agent, stream="", duration_s=None, task=task, noted=noted or {})
    while True:
        with unit(context) as opened:
            minded = acting(opened, agent).launched
            wait_s = opened.tx.sessions.configuration().limits.queue_timeout_s if minded else 0.0
            answer, _ = ask(
                context, opened, wish, wait_s=wait_s, bell=_bell(agent), claim_s=CLAIM_S if minded else 0.0
            )
        if answer.granted or not answer.queue_position or not unpinned(context, resources):
            return answer


def awaited(context: Context, *, agent: str) -> tuple[str, ...]:
    """Return the resources that an agent is in the queue for or has reserved, sorted."""
    waiting, reserved = _places(context, agent)
    return tuple(sorted({name for request in (*waiting, *reserved) for name, _ in request.resources}))


def wait(
    context: Context, *, agent: str, wait_s: float, cancelled: Callable[[], bool] = bool
) -> Acquired | None:
    """Sleep until it is the turn of a suspended agent for anything it is in the queue for, and claim that.

    None: it waits for nothing, or ``wait_s`` is over or ``cancelled`` says so, and it keeps its places. An answer that is
    not granted says why one of its waits has ended.
    """
    seen: dict[int, Request] = {}
    with context.bells.hang(_bell(agent)) as bell:
        until_s = context.clock.now().boot_s + wait_s
        while True:
            waiting, reserved = _places(context, agent)
            now = {request.id for request in (*waiting, *reserved)}
            gone = next((request for number, request in seen.items() if number not in now), None)
            if gone is not None:
                return _passed_on(gone)
            if not now:
                return None
            seen.update((request.id, request) for request in waiting)
            rest = None if reserved else _rest(context, waiting)
            if rest is None:
                answer = _turn(context, agent)
                if answer is not None:
                    return answer
            left_s = until_s - context.clock.now().boot_s
            if left_s <= 0 or cancelled():
                return None
            names = [name for request in waiting for name, _ in request.resources]
            if rest is not None and not unpinned(context, names):
                bell.wait(max(SHORTEST_SLEEP_S, min(rest[0], left_s)), rest[1])


def leave(context: Context, *, agent: str, resources: Collection[str] | None = None) -> tuple[str, ...]:
    """Withdraw what an agent is in the queue for and give back what is reserved for it; safe to repeat.

    With ``resources`` only the sets that overlap any of them, each whole. Returns what the agent does not wait for any more.
    """
    waiting, reserved = _places(context, agent)
    if not any(_names(request, resources) for request in (*waiting, *reserved)):
        return ()
    left: set[str] = set()
    with unit(context) as opened:
        for request in (*_waiting(opened, agent), *reserved_for(opened.tx, agent)):
            if not _names(request, resources):
                continue
            left.update(name for name, _ in request.resources)
            if opened.tx.requests.get(request.id) is not None:
                look(context, opened, request, request.asked_s, cancelled=True)
            elif opened.tx.leases.of_request(request.id):
                claim(context, opened, request, cancelled=True)
    return tuple(sorted(left))


def _names(request: Request, resources: Collection[str] | None) -> bool:
    """Tell whether a set has anything to do with these resources; with None it has."""
    return resources is None or any(overlaps(one, name) for name, _ in request.resources for one in resources)


def _bell(agent: str) -> str:
    return f"turn-{agent}"


def _places(context: Context, agent: str) -> tuple[list[Request], list[Request]]:
    """Return what an agent is in the queue for and what is reserved for it, without what is over."""
    now = context.clock.now()
    with context.store.read() as tx:
        waiting = [one for one in tx.requests.of_agent(agent) if one.suspended and not given_up(one, now)]
        reserved = reserved_for(tx, agent)
        if not reserved:
            return waiting, reserved
        live = standing(context.processes, now, tx.leases.of_agent(agent))
    good = {lease.request for lease in live if lease.state is LeaseState.RESERVED}
    return waiting, [request for request in reserved if request.id in good]


def _waiting(opened: Unit, agent: str) -> list[Request]:
    return [request for request in opened.tx.requests.of_agent(agent) if request.suspended]


def _turn(context: Context, agent: str) -> Acquired | None:
    """Claim the first set whose turn it is; an answer that is not granted says that a wait has ended, None: neither."""
    with unit(context) as opened:
        for request in _waiting(opened, agent):
            if opened.now.boot_s >= request.deadline_s:
                return look(context, opened, request, request.asked_s, cancelled=False)
            names = [name for name, _ in request.resources]
            settled(context, opened, names)
            if any(is_named(name) for name in names):
                # A rate limit opens by itself: nobody ends anything then.
                serve(opened, names, context=context)
        for request in reserved_for(opened.tx, agent):
            return claim(context, opened, request)
    return None


def _rest(context: Context, waiting: Sequence[Request]) -> tuple[float, list[Process]] | None:
    """Return how long nothing is to be done for any of these, and whose death changes that; None: there is."""
    rests = [sleep(context, request) for request in waiting]
    found = [rest for rest in rests if rest is not None]
    if len(found) < len(rests):
        return None
    return min(rest[0] for rest in found), list(dict.fromkeys(one for rest in found for one in rest[1]))


def _passed_on(request: Request) -> Acquired:
    names = ", ".join(name for name, _ in request.resources[:3])
    return Acquired(
        granted=False,
        reason=f"The wait for {names} has ended: nobody claimed the grant in time, or its agent has it otherwise.",
        conflict=request.id,
        late=True,
    )
