"""How a conflict is resolved: urgency, what is possible, what is tried first, and what holds by default."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pucs.conflicts.records import Conflict, Kind, Severity, Status, Strategy
from pucs.conflicts.rules import Facts, default_for, overdue, possible, severity_of, strategy_for
from pucs.conflicts.strategies import AUTO_RESOLUTION, STRATEGIES, STRATEGY_TEXTS, Automation
from pucs.core.instants import Instant

REF = "refs/pucs/salvage/S/a1/1"


def conflict(kind: Kind, *, parked: bool = False) -> Conflict:
    """Return an open conflict of two agents."""
    return Conflict(
        id=7,
        session="S",
        kind=kind,
        severity=Severity.LOW,
        status=Status.OPEN,
        parties=("a1", "a2"),
        resources=("core/a.py",),
        evidence={"salvage": REF} if parked else {},
        opened_at="2025-12-06T10:00:00.000Z",
    )


def now(boot_s: float = 100.0, boot_id: str = "boot") -> Instant:
    """Return a reading of the clocks."""
    return Instant(boot_id=boot_id, boot_s=boot_s, wall_s=1_765_015_200.0)


@pytest.mark.parametrize(
    ("kind", "parked", "critical", "severity"),
    [
        (Kind.FILE_LOCK, False, False, Severity.LOW),
        (Kind.FILE_LOCK, True, False, Severity.MEDIUM),
        (Kind.FILE_LOCK, False, True, Severity.MEDIUM),
        (Kind.FILE_LOCK, True, True, Severity.HIGH),
        (Kind.DEPENDENCY, True, False, Severity.MEDIUM),
        (Kind.SEMANTIC, False, False, Severity.HIGH),
        (Kind.SEMANTIC, True, True, Severity.HIGH),
    ],
)
def test_severity_rises_with_what_is_at_stake(
    kind: Kind, *, parked: bool, critical: bool, severity: Severity
) -> None:
    """Parked work is at least medium, a critical file is one step higher, and nothing is higher than high."""
    assert severity_of(kind, parked=parked, critical=critical) is severity


@pytest.mark.parametrize(
    ("kind", "parked", "facts", "strategy"),
    [
        # 1. What resolves itself is left to that.
        (Kind.FILE_LOCK, False, Facts(waits=True, divisible=True), Strategy.QUEUE),
        (Kind.RESOURCE, False, Facts(waits=True), Strategy.QUEUE),
        (Kind.DEPENDENCY, False, Facts(), Strategy.QUEUE),
        # 2. The work is divided if it can be.
        (Kind.INTENT_OVERLAP, False, Facts(divisible=True), Strategy.PARTITION),
        (Kind.FILE_LOCK, False, Facts(divisible=True), Strategy.PARTITION),
        (Kind.INTENT_OVERLAP, False, Facts(divisible=True, partition_enabled=False), Strategy.ARBITRATE),
        # 3. It is merged if it can be.
        (Kind.FILE_LOCK, True, Facts(mergeable=True), Strategy.MERGE),
        (Kind.FILE_LOCK, True, Facts(waits=True, mergeable=True), Strategy.MERGE),
        (Kind.SEMANTIC, True, Facts(), Strategy.MERGE),
        (Kind.BOUNDARY, True, Facts(mergeable=True, waived=True), Strategy.MERGE),
        # 4. The second waits, or somebody decides.
        (Kind.FILE_LOCK, True, Facts(mergeable=False), Strategy.ARBITRATE),
        (Kind.FILE_LOCK, True, Facts(mergeable=False, redoable=True), Strategy.QUEUE),
        (Kind.FILE_LOCK, True, Facts(mergeable=True, auto_merge=False), Strategy.ARBITRATE),
        (Kind.FILE_LOCK, False, Facts(), Strategy.QUEUE),
        (Kind.RESOURCE, False, Facts(), Strategy.QUEUE),
        (Kind.INTENT_OVERLAP, False, Facts(), Strategy.ARBITRATE),
        (Kind.BOUNDARY, True, Facts(mergeable=True), Strategy.ARBITRATE),
        (Kind.BOUNDARY, False, Facts(), Strategy.ARBITRATE),
        (Kind.SEMANTIC, False, Facts(), Strategy.ARBITRATE),
        (Kind.DEPENDENCY, True, Facts(), Strategy.ARBITRATE),
        # What breaks others is taken back.
        (Kind.DEPENDENCY, False, Facts(breaking=True), Strategy.ROLLBACK),
        (Kind.SEMANTIC, False, Facts(breaking=True), Strategy.ROLLBACK),
        (Kind.INTENT_OVERLAP, False, Facts(breaking=True), Strategy.ARBITRATE),
    ],
)
def test_the_flow_of_the_seed(kind: Kind, *, parked: bool, facts: Facts, strategy: Strategy) -> None:
    """Left alone, divided, merged, else queued or decided, in this order."""
    plan = strategy_for(conflict(kind, parked=parked), facts)
    assert plan.strategy is strategy
    assert strategy in plan.possible
    assert plan.automation is STRATEGY_TEXTS[strategy].automation


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("parked", [False, True])
def test_every_kind_has_a_way_out_and_a_default(kind: Kind, *, parked: bool) -> None:
    """Whatever clashed can be resolved, and what was parked is named in the default."""
    one = conflict(kind, parked=parked)
    assert possible(one, Facts())
    default = default_for(one)
    assert default.name
    assert (REF in default.decision) == parked
    assert default.closes or not parked


def test_a_default_closes_only_what_leaves_nothing_to_do() -> None:
    """Whoever waits keeps its place, and a stream that does not merge stays open for ever."""
    assert {kind for kind in Kind if not default_for(conflict(kind)).closes} == {
        Kind.FILE_LOCK,
        Kind.RESOURCE,
        Kind.SEMANTIC,
    }
    assert default_for(conflict(Kind.SEMANTIC, parked=True)).name == "first-stands"


def test_only_a_waiver_lets_a_boundary_be_merged_over() -> None:
    """Without one a person decides."""
    one = conflict(Kind.BOUNDARY, parked=True)
    assert Strategy.MERGE not in possible(one, Facts())
    assert Strategy.MERGE in possible(one, Facts(waived=True))


def test_a_default_is_due_when_its_time_has_come() -> None:
    """At the deadline, or when the boot it counted in is over; never for what is decided or has no deadline."""
    one = replace(conflict(Kind.INTENT_OVERLAP), deadline_s=100.0, boot_id="boot")
    assert not overdue(one, now(99.9))
    assert overdue(one, now(100.0))
    assert overdue(one, now(1.0, "another"))
    assert not overdue(replace(one, status=Status.RESOLVED), now(200.0))
    assert not overdue(replace(one, deadline_s=None), now(200.0))


def test_the_tables_are_those_of_the_seeds() -> None:
    """The names and texts of 000 §4.1 and §4.2 and the columns of 002 §8.1."""
    assert STRATEGIES == {
        "QUEUE": "Second agent waits for first to complete",
        "PARTITION": "Split work into non-overlapping scopes",
        "MERGE": "Attempt automatic merge of changes",
        "ARBITRATE": "Coordinator decides which change wins",
        "ROLLBACK": "Revert one agent's changes",
    }
    assert {strategy.value: text.automated for strategy, text in STRATEGY_TEXTS.items()} == {
        "QUEUE": "Auto: wait for lock expiry",
        "PARTITION": "Semi-auto: suggest function split",
        "MERGE": "Auto: git merge (if clean)",
        "ARBITRATE": "Manual: coordinator decides",
        "ROLLBACK": "Semi-auto: revert + notify",
    }
    assert STRATEGY_TEXTS[Strategy.QUEUE].automation is Automation.AUTO
    assert AUTO_RESOLUTION[Kind.RESOURCE] == "Rate limiting"
