"""Conflicts: recorded where they are met, closed with who decided what (000 §4)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pucs.conflicts.records import Conflict, Kind, Severity, Status, Strategy
from pucs.conflicts.rules import default_for, overdue, severity_of
from pucs.coordinator.context import unit
from pucs.coordinator.messages import alert
from pucs.coordinator.partition import critical_files
from pucs.core.errors import EnvironmentFailure
from pucs.crosslog.records import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pucs.coordinator.context import Context, Unit

RULE = "pucs"
"""Who decided where a rule did."""
TIMEOUT = "timeout"
"""Who decided where nobody did in time."""


def record(
    opened: Unit,
    kind: Kind,
    parties: Sequence[str],
    resources: Sequence[str],
    *,
    severity: Severity | None = None,
    strategy: Strategy | None = None,
    decision: str = "",
    once: bool = False,
    **evidence: Any,
) -> int:
    """Record a conflict inside an open unit and return its id; one with a decision is resolved already.

    With ``once`` the same refusal of the same agent over the same resources is on record once in a session.

    Its severity follows from kind, evidence and the configuration unless the caller knows better. An open one whose
    default closes it has the deadline of arbitration. Every agent among the parties but the first, who met it, gets a
    CONFLICT_ALERT; a wait for a lease is everyday work, and its holders are told where it is queued.
    """
    configuration = opened.tx.sessions.configuration()
    wanted = Conflict(
        session=opened.active().id,
        kind=kind,
        severity=severity
        or severity_of(
            kind,
            parked="salvage" in evidence,
            critical=any(critical_files(name, configuration.critical_files) for name in resources),
        ),
        status=Status.RESOLVED if decision else Status.OPEN,
        parties=tuple(dict.fromkeys(party for party in parties if party)),
        resources=tuple(resources),
        strategy=strategy,
        decision=decision,
        decided_by=RULE if decision else "",
        evidence=evidence,
        opened_at=opened.now.wall(),
        resolved_at=opened.now.wall() if decision else "",
    )
    if not decision and default_for(wanted).closes:
        after_s = configuration.arbitration_timeout_s
        wanted = replace(
            wanted,
            deadline_s=opened.now.boot_s + after_s,
            boot_id=opened.now.boot_id,
            deadline_at=opened.now.wall(after_s),
        )
    known = opened.tx.conflicts.same(wanted) if once else 0
    if known:
        return known
    number = opened.tx.conflicts.add(wanted)
    if kind not in {Kind.FILE_LOCK, Kind.RESOURCE} or strategy is not Strategy.QUEUE:
        text = f"{kind.value} met by {wanted.parties[0] if wanted.parties else 'nobody'}."
        alert(opened, number, wanted.parties[1:], resources, text=f"{text} {decision}".rstrip())
    return number


def decide_in(
    opened: Unit, conflict: int, decision: str, *, by: str = RULE, strategy: Strategy | None = None
) -> Conflict | None:
    """Close an open conflict inside an open unit and return it; a closed one keeps its first decision (None)."""
    found = opened.tx.conflicts.get(conflict)
    if found is None or found.status is not Status.OPEN:
        return None
    decided = replace(
        found,
        status=Status.RESOLVED,
        decision=decision,
        decided_by=by,
        strategy=strategy or found.strategy,
        resolved_at=opened.now.wall(),
    )
    opened.tx.conflicts.put(decided)
    return decided


def settle_in(
    opened: Unit, conflict: int, decision: str, *, by: str, strategy: Strategy, **details: Any
) -> Conflict | None:
    """Close an open conflict like ``decide_in``, with an entry of its own, and tell the agents concerned."""
    decided = decide_in(opened, conflict, decision, by=by, strategy=strategy)
    if decided is None:
        return None
    opened.log(
        "conflict resolved",
        agent=by if opened.tx.agents.get(by) else "",
        level=Level.CONFLICT,
        files=decided.resources,
        conflict=conflict,
        kind=decided.kind.value,
        strategy=strategy.value,
        decision=decision,
        by=by,
        **details,
    )
    alert(
        opened,
        conflict,
        [party for party in decided.parties if party != by],
        decided.resources,
        text=f"Conflict {conflict} is resolved ({strategy.value}): {decision}.",
    )
    return decided


def close_landed(opened: Unit, *, agent: str, task: str, commit: str, paths: Iterable[str]) -> None:
    """Close what a landing settles: the conflict it was announced for, and changes of the same hands that it does again.

    An earlier change counts as done again when its agent, or another one with its task, lands every path of it.
    """
    landed = set(paths)
    for found in opened.tx.conflicts.parked(opened.active().id):
        announced = found.evidence.get("announced") or {}
        if announced.get("commit") == commit:
            settle_in(
                opened,
                found.id,
                announced["decision"],
                by=announced["by"],
                strategy=Strategy(announced["strategy"]),
                commit=commit,
                kept=announced["kept"] or found.salvage,
            )
            continue
        same = agent == next(iter(found.parties), "") or (task and task == found.evidence.get("task"))
        if found.kind is Kind.FILE_LOCK and same and landed.issuperset(found.resources):
            settle_in(
                opened,
                found.id,
                f"{agent} landed the same files as {commit[:12]}; the earlier change is kept on {found.salvage}",
                by=RULE,
                strategy=Strategy.QUEUE,
                commit=commit,
                kept=found.salvage,
            )


def apply_defaults(context: Context) -> list[Conflict]:
    """Close the open conflicts whose deadline passed with what holds by default, and return them.

    Whoever looks does this: no timer is needed, and nothing is lost by it. Without an overdue one it is one read.
    """
    now = context.clock.now()
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
        late = (
            [one.id for one in tx.conflicts.all(session.id, unresolved=True) if overdue(one, now)]
            if session
            else []
        )
    if not late:
        return []
    with unit(context) as opened:
        open_ones = [found for number in late if (found := opened.tx.conflicts.get(number)) is not None]
        decided = [
            settle_in(
                opened,
                found.id,
                f"{default_for(found).decision} (nobody decided by {found.deadline_at})",
                by=TIMEOUT,
                strategy=found.strategy or Strategy.ARBITRATE,
                default=default_for(found).name,
            )
            for found in open_ones
            if overdue(found, opened.now)
        ]
    return [found for found in decided if found is not None]


def conflicts(context: Context, *, unresolved: bool = False) -> list[Conflict]:
    """Return the conflicts of the session by id, after the defaults of those that nobody decided in time."""
    with suppress(EnvironmentFailure):  # who may only read still sees what there is
        apply_defaults(context)
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.latest()
        return tx.conflicts.all(session.id, unresolved=unresolved) if session else []
