"""Taking the result of a session to its target branch, where no checkout has that out (DESIGN §3.7)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pucs.conflicts.records import Kind, Severity, Strategy
from pucs.coordinator import intentions
from pucs.coordinator.conflicts import record
from pucs.coordinator.context import Context, Unit, unit
from pucs.core.errors import NotFound, Refused
from pucs.crosslog.records import Level
from pucs.streams import protocol

if TYPE_CHECKING:
    from pucs.coordinator.finalizing import FinalizeResult
    from pucs.coordinator.ports import Intention

COORDINATOR = "pucs"
"""Author of merges where the user has no identity."""
TARGET_ATTEMPTS_MAX = 5
"""Tries to move a target that somebody else moves at the same time."""


def take(context: Context, result: FinalizeResult, target: str, home: str) -> FinalizeResult:
    """Bring the result to the target branch, or say how a person takes it."""
    if not target:
        command = f"git switch {home} && git merge {result.branch}" if home else f"git merge {result.branch}"
        return replace(result, how_to_take=command)
    repository = context.repository
    ref = f"refs/heads/{target}"
    if repository.resolve(ref) is None:
        raise NotFound(f"There is no branch {target!r}.", remedy="Name an existing branch as target.")
    result = replace(result, target=target)
    if result.dry_run or not result.complete:
        return result
    place = repository.checkout_of(target)
    for _ in range(TARGET_ATTEMPTS_MAX):
        old = repository.resolve(ref) or ""
        if repository.contains(old, result.commit):
            return replace(result, target_commit=old)
        if place is not None:
            return replace(result, how_to_take=f"cd {place} && git merge {result.branch}")
        new = _onto_target(context, result, old)
        if not new:
            return replace(result, how_to_take=f"git switch {target} && git merge {result.branch}")
        with unit(context, durable=True) as opened:
            intention = intentions.intend(
                context,
                opened,
                verb=intentions.TARGET,
                agent="",
                ref=ref,
                old=old,
                new=new,
                payload={"target": target},
            )
        if intentions.carry_out(context, intention):
            return replace(result, target_commit=new)
    raise Refused(f"The branch {target} keeps moving.", remedy="Finalize again when it is quiet.")


def _onto_target(context: Context, result: FinalizeResult, old: str) -> str:
    """Return what the target moves to: the result itself, or a merge with what went on there; empty if it conflicts."""
    if context.repository.contains(result.commit, old):
        return result.commit
    joined = context.repository.merge(old, result.commit)
    if joined.conflicts:
        with unit(context) as opened:
            record(
                opened,
                Kind.SEMANTIC,
                (result.target, result.branch),
                joined.conflicts,
                severity=Severity.HIGH,
                strategy=Strategy.ARBITRATE,
                target=result.target,
                onto=old,
                commit=result.commit,
            )
            opened.log("target conflicts", level=Level.CONFLICT, files=joined.conflicts, target=result.target)
        return ""
    trailers = [(protocol.SESSION, result.session), (protocol.LANDING, result.commit)]
    text = protocol.compose("session", f"chore: Merge session {result.session}", trailers)
    return context.repository.commit(joined.tree, [old, result.commit], text, author=COORDINATOR)


def taken(opened: Unit, intention: Intention) -> None:
    """Close the move of the target."""
    opened.log("target moved", level=Level.CHANGE, target=intention.payload["target"], commit=intention.new)


def not_taken(opened: Unit, intention: Intention) -> None:
    """Close a move of the target that could not be made."""
    opened.log(
        "target move put off", level=Level.DEBUG, target=intention.payload["target"], commit=intention.new
    )
