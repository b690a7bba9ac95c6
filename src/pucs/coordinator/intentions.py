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
from pucs.coordinator.ports import Intention
from pucs.core.errors import PucsError
from pucs.core.resources import overlaps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pucs.core.processes import Process

    Closing = Callable[[Unit, Intention], None]

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


def carry_out(context: Context, intention: Intention, move: Callable[[], bool] | None = None) -> bool:
    """Move the ref and close the intention; False if the ref was not as expected, and everything is undone.

    ``move`` replaces the compare-and-swap where moving takes more. After an error the intention is closed by what the
    ref says; if that fails too, the next verb settles it.
    """
    try:
        moved = move() if move is not None else _swap(context, intention)
        close(context, intention, moved=moved)
    except BaseException:
        with suppress(PucsError):
            close(context, intention, moved=_arrived(context, intention))
        raise
    else:
        return moved
    finally:
        _working.discard((id(context.store), intention.id))


def settle(context: Context, resources: Sequence[str] | None = None, *, agent: str = "") -> int:
    """Complete or undo what dead processes left behind and return how many intentions that were.

    With ``resources`` only intentions that concern them. Of live owners, and of owners that cannot be judged from here,
    only those are closed whose ref has moved already; closing twice is harmless.
    """
    with context.store.read() as tx:
        found = tx.intentions.all()
    closed = 0
    for intention in found:
        if intention.verb == SYNC and intention.agent != agent:
            continue
        if resources is not None and not _concerns(intention, resources):
            continue
        if left_behind(context, intention):
            close(context, intention, moved=_redo(context, intention))
        elif intention.verb != SYNC and _arrived(context, intention):
            close(
                context, intention, moved=True
            )  # its owner only has not come to it yet, or cannot be seen from here
        else:
            continue
        closed += 1
    return closed


def left_behind(context: Context, intention: Intention) -> bool:
    """Tell whether nobody is at work on an intention any more."""
    if (id(context.store), intention.id) in _working:
        return False
    return intention.owner == context.processes.current() or context.processes.alive(intention.owner) is False


def close(context: Context, intention: Intention, *, moved: bool) -> None:
    """Close an intention in one durable transaction; nothing happens if somebody else already has."""
    done, undone = _closings()[intention.verb]
    with unit(context, durable=True) as opened:
        opened.session = opened.tx.sessions.get(intention.session)
        if opened.tx.intentions.remove(intention.id):
            (done if moved else undone)(opened, intention)


def _closings() -> dict[str, tuple[Closing, Closing]]:
    """Return for each verb what its closing transaction does, once the ref has moved or could not."""
    from pucs.coordinator import arriving, finalizing, syncing, taking  # noqa: PLC0415 - they use this module

    return {
        LAND: (arriving.landed, arriving.not_landed),
        SYNC: (syncing.followed, syncing.not_followed),
        MERGE: (finalizing.merged, finalizing.not_merged),
        TARGET: (taking.taken, taking.not_taken),
    }


def _redo(context: Context, intention: Intention) -> bool:
    if intention.verb == SYNC:
        from pucs.coordinator import syncing  # noqa: PLC0415 - it uses this module

        return syncing.recover(context, intention)
    return _swap(context, intention) or _arrived(context, intention)


def _swap(context: Context, intention: Intention) -> bool:
    return context.repository.move_ref(intention.ref, intention.new, intention.old or None)


def _arrived(context: Context, intention: Intention) -> bool:
    at = context.repository.resolve(intention.ref)
    return at is not None and context.repository.contains(at, intention.new)


def _concerns(intention: Intention, resources: Sequence[str]) -> bool:
    paths = [path for path, _ in intention.payload.get("paths", ())]
    return any(overlaps(path, resource) for path in paths for resource in resources)
