"""Taking results: the merge of a phase to the session branch, and the whole to the target (DESIGN §3.6, §3.7)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pucs.conflicts.records import Kind, Severity, Strategy
from pucs.coordinator import intentions
from pucs.coordinator.conflicts import decide_in, record
from pucs.coordinator.context import Context, Unit, unit
from pucs.coordinator.joining import Joined, join, log_settled
from pucs.core.errors import NotFound, Refused
from pucs.crosslog.records import Level
from pucs.streams import protocol
from pucs.streams.records import StreamState

if TYPE_CHECKING:
    from pucs.coordinator.finalized import FinalizeResult
    from pucs.coordinator.records import Intention

COORDINATOR = "pucs"
"""Author of merges where the user has no identity."""
TARGET_ATTEMPTS_MAX = 5
"""Tries to move a target that somebody else moves at the same time."""


def take(
    context: Context, result: FinalizeResult, target: str, home: str, *, accept: str = ""
) -> FinalizeResult:
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
        new, joined = _onto_target(context, result, old, accept)
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
                payload={"target": target, "settled": joined.documents(new)},
            )
        if intentions.carry_out(context, intention, TAKING):
            return replace(result, target_commit=new)
    raise Refused(f"The branch {target} keeps moving.", remedy="Finalize again when it is quiet.")


def _onto_target(context: Context, result: FinalizeResult, old: str, accept: str) -> tuple[str, Joined]:
    """Return what the target moves to: the result itself, or a merge with what went on there; empty if it conflicts."""
    if context.repository.contains(result.commit, old):
        return result.commit, Joined()
    joined = join(context, old, result.commit, accept=accept)
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
                reasons=list(joined.reasons),
            )
            opened.log(
                "target conflicts",
                level=Level.CONFLICT,
                files=joined.conflicts,
                target=result.target,
                reasons=list(joined.reasons),
            )
        return "", joined
    trailers = [(protocol.SESSION, result.session), (protocol.LANDING, result.commit)]
    text = protocol.compose("session", f"chore: Merge session {result.session}", trailers)
    return context.repository.commit(joined.tree, [old, result.commit], text, author=COORDINATOR), joined


def taken(opened: Unit, intention: Intention) -> None:
    """Close the move of the target."""
    opened.log("target moved", level=Level.CHANGE, target=intention.payload["target"], commit=intention.new)
    settled = intention.payload.get("settled", ())  # an intention of an older version has none
    log_settled(opened, settled, agent="", stream="")


def not_taken(opened: Unit, intention: Intention) -> None:
    """Close a move of the target that could not be made."""
    opened.log(
        "target move put off", level=Level.DEBUG, target=intention.payload["target"], commit=intention.new
    )


def merged(opened: Unit, intention: Intention) -> None:
    """Close the merge of a phase: its streams are merged, their open records decided."""
    names = list(intention.payload["streams"])
    for row in opened.tx.sessions.streams(intention.session):
        if row.stream.name in names and row.state is not StreamState.MERGED:
            opened.tx.sessions.put_stream(replace(row, state=StreamState.MERGED))
    for conflict in opened.tx.conflicts.all(intention.session, unresolved=True):
        if conflict.evidence.get("unmerged") in names:
            decide_in(opened, conflict.id, f"the stream merged as {intention.new[:12]}")
    for name in names:
        opened.log(
            "merged", stream=name, level=Level.CHANGE, commit=intention.new, phase=intention.payload["phase"]
        )
        settled = intention.payload.get("settled", {})  # an intention of an older version has none
        log_settled(opened, settled.get(name, ()), agent="", stream=name)


def not_merged(opened: Unit, intention: Intention) -> None:
    """Close the merge of a phase that could not be taken."""
    opened.log(
        "merge put off", level=Level.DEBUG, commit=intention.new, streams=list(intention.payload["streams"])
    )


MERGING = (merged, not_merged)
"""How the merge of a phase to the session branch is closed."""
TAKING = (taken, not_taken)
"""How the move of the target is closed."""
