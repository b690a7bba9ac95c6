"""Moving refs so that a kill at any moment leaves either the move done and recorded, or nothing (DESIGN §3.6).

A verb writes an intention in the transaction that decides, moves the ref by compare-and-swap, and closes the intention
in a second transaction. What a dead owner left open is rolled *forward*: everything was decided, and a git command that
outlived its owner may still move the ref, so taking the decision back could lose a landing. Only where the ref went
elsewhere is the intention undone.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pucs.coordinator.context import Context, Unit, unit
from pucs.coordinator.records import Intention
from pucs.core.errors import PucsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pucs.core.processes import Process

    Closing = tuple[Callable[[Unit, Intention], None], Callable[[Unit, Intention], None]]
    """What the closing transaction does once the ref has moved, and if it could not."""

SYNC = "sync"
"""Moves an agent's own branch and worktree; settled only on behalf of that agent."""
LAND = "land"
MERGE = "merge"
TARGET = "finalize"

_working: set[tuple[int, int]] = set()
"""Intentions that threads of this process are at work on, by store and id: those are not left behind."""


def intend(
    context: Context,
    opened: Unit,
    *,
    verb: str,
    agent: str,
    ref: str,
    old: str,
    new: str,
    payload: dict[str, Any],
) -> Intention:
    """Record an intention in the open unit and return it; ``carry_out`` must follow once the unit has committed."""
    owner: Process = context.processes.current()
    wanted = Intention(
        id=0,
        verb=verb,
        session=opened.active().id,
        agent=agent,
        owner=owner,
        ref=ref,
        old=old,
        new=new,
        payload=payload,
        begun_at=opened.now.wall(),
    )
    recorded = replace(wanted, id=opened.tx.intentions.add(wanted))
    _working.add((id(context.store), recorded.id))
    return recorded


def carry_out(
    context: Context, intention: Intention, closing: Closing, move: Callable[[], bool] | None = None
) -> bool:
    """Move the ref and close the intention; False if the ref was not as expected, and everything is undone.

    ``move`` replaces the compare-and-swap where moving takes more. After an error the intention is closed by what the
    ref says; if that fails too, the next verb settles it.
    """
    try:
        moved = move() if move is not None else swap(context, intention)
        close(context, intention, closing, moved=moved)
    except BaseException:
        with suppress(PucsError):
            close(context, intention, closing, moved=arrived(context, intention))
        raise
    else:
        return moved
    finally:
        _working.discard((id(context.store), intention.id))


def left_behind(context: Context, intention: Intention) -> bool:
    """Tell whether nobody is at work on an intention any more."""
    if intention.owner == context.processes.current():
        return (id(context.store), intention.id) not in _working
    # Its number may be that of an intention of ours whose commit failed.
    return context.processes.alive(intention.owner) is False


def close(context: Context, intention: Intention, closing: Closing, *, moved: bool) -> None:
    """Close an intention in one durable transaction; nothing happens if somebody else already has."""
    done, undone = closing
    with unit(context, durable=True) as opened:
        opened.session = opened.tx.sessions.get(intention.session)
        if opened.tx.intentions.remove(intention.id):
            (done if moved else undone)(opened, intention)


def swap(context: Context, intention: Intention) -> bool:
    """Move the ref by compare-and-swap; False if it was not as expected."""
    return context.repository.move_ref(intention.ref, intention.new, intention.old or None)


def arrived(context: Context, intention: Intention) -> bool:
    """Tell whether the ref has moved already, by whomever."""
    at = context.repository.resolve(intention.ref)
    return at is not None and context.repository.contains(at, intention.new)
