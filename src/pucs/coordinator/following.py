"""Moving an agent's own worktree and branch forward, so that a kill half-way through the files is repaired (DESIGN §3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pucs.coordinator import intentions, salvaging
from pucs.coordinator.context import Context, Unit, unit
from pucs.coordinator.joining import log_settled
from pucs.core.errors import GitError
from pucs.crosslog.records import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.coordinator.records import Intention
    from pucs.coordinator.salvaging import Bench


def follow(context: Context, bench: Bench, commit: str, *, settled: Sequence[dict[str, Any]] = ()) -> bool:
    """Move an agent's own worktree and branch forward to a commit; False if it does not contain HEAD or files are in the way.

    ``settled`` tells which files the merge room merged for it (``joining.Settled``).
    """
    head = context.worktrees.head(bench.place)
    if head == commit:
        return True
    if not context.repository.contains(commit, head):
        return False
    with unit(context) as opened:
        intention = intentions.intend(
            context,
            opened,
            verb=intentions.SYNC,
            agent=bench.agent,
            ref=f"refs/heads/{bench.branch}",
            old=head,
            new=commit,
            payload={"stream": bench.stream, "settled": list(settled)},
        )
    return intentions.carry_out(context, intention, FOLLOWING, lambda: _advanced(context, bench, commit))


def recover(context: Context, intention: Intention) -> bool:
    """Finish moving a worktree whose mover died: files it had written are put back first, after a copy was kept aside."""
    bench = salvaging.bench_of(context, intention.agent)
    head = context.worktrees.head(bench.place)
    if head != intention.old:
        return context.repository.contains(head, intention.new)
    moving = set(context.repository.changed(intention.old, intention.new))
    half = [path for path in context.worktrees.dirty(bench.place) if path in moving]
    if half:
        salvaging.keep(context, bench, half, "files found while repairing an interrupted sync")
        context.worktrees.restore(bench.place, half)
    return _advanced(context, bench, intention.new)


def followed(opened: Unit, intention: Intention) -> None:
    """Close a move of a worktree."""
    stream = intention.payload["stream"]
    opened.log("synced", agent=intention.agent, stream=stream, level=Level.DEBUG, commit=intention.new)
    settled = intention.payload.get("settled", ())  # an intention of an older version has none
    log_settled(opened, settled, agent=intention.agent, stream=stream)


def not_followed(opened: Unit, intention: Intention) -> None:
    """Close a move of a worktree that could not be made; it follows with the next sync."""
    stream = intention.payload["stream"]
    opened.log("sync put off", agent=intention.agent, stream=stream, level=Level.DEBUG, commit=intention.new)


def _advanced(context: Context, bench: Bench, commit: str) -> bool:
    try:
        context.worktrees.advance(bench.place, commit)
    except GitError:
        return context.worktrees.head(bench.place) == commit
    return True


FOLLOWING = (followed, not_followed)
"""How the move of a worktree is closed."""
