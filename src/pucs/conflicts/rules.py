"""How a conflict is resolved: how urgent it is, what is possible, what is tried first, and what holds if nobody decides.

The flow is that of 000 §4.2: what resolves itself is left to that; else the work is divided if it can be, else merged if
it can be, else the second waits for the first or somebody decides. No strategy and no default loses a change: the side
that does not stand is on a salvage ref.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pucs.conflicts.records import Conflict, Kind, Severity, Status, Strategy
from pucs.conflicts.strategies import STRATEGY_TEXTS

if TYPE_CHECKING:
    from pucs.conflicts.strategies import Automation
    from pucs.core.instants import Instant

_SEVERITY = {
    Kind.FILE_LOCK: Severity.LOW,
    Kind.RESOURCE: Severity.LOW,
    Kind.INTENT_OVERLAP: Severity.LOW,
    Kind.BOUNDARY: Severity.LOW,
    Kind.DEPENDENCY: Severity.MEDIUM,
    Kind.SEMANTIC: Severity.HIGH,
}
_HIGHER = {Severity.LOW: Severity.MEDIUM, Severity.MEDIUM: Severity.HIGH, Severity.HIGH: Severity.HIGH}


def severity_of(kind: Kind, *, parked: bool = False, critical: bool = False) -> Severity:
    """Return how urgent a conflict is.

    Low is what waits or was refused before anything changed, medium is where somebody's change was parked or others
    build on what changes, high is what does not fit together. On a critical file it is one step higher.
    """
    found = _SEVERITY[kind]
    if parked and found is Severity.LOW:
        found = Severity.MEDIUM
    return _HIGHER[found] if critical else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known beside the record when a strategy is chosen."""

    waits: bool = False
    """A request for it is in the queue."""
    divisible: bool = False
    """The parties can be given disjoint scopes."""
    mergeable: bool | None = None
    """Git merges the parked change with what the stream has; None: not tried, or nothing is parked."""
    waived: bool = False
    """A waiver lets the parked change cross its boundary."""
    redoable: bool = False
    """The parked change belongs to a task that can be put back."""
    breaking: bool = False
    """What landed breaks those who build on it."""
    auto_merge: bool = True
    """``conflict_resolution.auto_merge``."""
    partition_enabled: bool = True
    """``conflict_resolution.partition_enabled``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Default:
    """What holds when nobody decides."""

    name: str
    decision: str
    """In one sentence."""
    closes: bool
    """False: it stays open, because something is left to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do about a conflict."""

    strategy: Strategy
    possible: tuple[Strategy, ...]
    """All that can be asked for, the likeliest first."""
    default: Default

    @property
    def automation(self) -> Automation:
        """How far the strategy goes by itself."""
        return STRATEGY_TEXTS[self.strategy].automation


def strategy_for(conflict: Conflict, facts: Facts) -> Plan:
    """Return the strategy to take for an open conflict, with all that are possible and the default (000 §4.2)."""
    able = possible(conflict, facts)
    return Plan(strategy=_chosen(conflict, facts, able), possible=able, default=default_for(conflict))


def _chosen(conflict: Conflict, facts: Facts, able: tuple[Strategy, ...]) -> Strategy:
    if _resolves_itself(conflict, facts):
        return Strategy.QUEUE
    if Strategy.PARTITION in able and facts.divisible:
        return Strategy.PARTITION
    if Strategy.MERGE in able and facts.auto_merge and facts.mergeable is not False:
        return Strategy.MERGE
    if facts.breaking and Strategy.ROLLBACK in able:
        return Strategy.ROLLBACK
    if Strategy.ARBITRATE not in able or (conflict.kind is Kind.FILE_LOCK and facts.redoable):
        return Strategy.QUEUE
    return Strategy.ARBITRATE


def _resolves_itself(conflict: Conflict, facts: Facts) -> bool:
    """Tell whether the queue or a notice settles it without anybody's decision (000 §4.1)."""
    if conflict.kind in {Kind.FILE_LOCK, Kind.RESOURCE}:
        return facts.waits and not conflict.salvage
    return conflict.kind is Kind.DEPENDENCY and not facts.breaking and not conflict.salvage


_POSSIBLE = {
    Kind.FILE_LOCK: (Strategy.QUEUE, Strategy.PARTITION),
    Kind.RESOURCE: (Strategy.QUEUE,),
    Kind.INTENT_OVERLAP: (Strategy.PARTITION, Strategy.QUEUE, Strategy.ARBITRATE),
    Kind.BOUNDARY: (Strategy.ARBITRATE, Strategy.QUEUE),
    Kind.DEPENDENCY: (Strategy.QUEUE, Strategy.ARBITRATE, Strategy.ROLLBACK),
    Kind.SEMANTIC: (Strategy.ARBITRATE, Strategy.ROLLBACK),
}
_POSSIBLE_PARKED = {
    **_POSSIBLE,
    Kind.FILE_LOCK: (Strategy.MERGE, Strategy.QUEUE, Strategy.ARBITRATE, Strategy.ROLLBACK),
    Kind.BOUNDARY: (Strategy.MERGE, Strategy.ARBITRATE, Strategy.QUEUE, Strategy.ROLLBACK),
    Kind.SEMANTIC: (Strategy.MERGE, Strategy.ARBITRATE, Strategy.ROLLBACK),
}
"""Where a change was parked there is something to bring in, or to keep out."""


def possible(conflict: Conflict, facts: Facts) -> tuple[Strategy, ...]:
    """Return the strategies that can be asked for, the likeliest first."""
    found = (_POSSIBLE_PARKED if conflict.salvage else _POSSIBLE)[conflict.kind]
    without: set[Strategy] = set()
    if not facts.partition_enabled:
        without.add(Strategy.PARTITION)
    if conflict.kind is Kind.BOUNDARY and not facts.waived:
        without.add(Strategy.MERGE)  # only a person's decision, or a waiver, crosses a boundary
    return tuple(strategy for strategy in found if strategy not in without)


_FIRST_STANDS = Default(name="first-stands", decision="what landed first stands", closes=True)
_KEEP_WAITING = Default(
    name="keep-waiting", decision="whoever waits keeps its place in the queue", closes=False
)
_DEFAULTS = {
    Kind.FILE_LOCK: _KEEP_WAITING,
    Kind.RESOURCE: _KEEP_WAITING,
    Kind.BOUNDARY: Default(name="stays-refused", decision="the boundary stands", closes=True),
    Kind.INTENT_OVERLAP: Default(
        name="leases-decide", decision="both plans stand; whoever leases first goes first", closes=True
    ),
    Kind.DEPENDENCY: Default(
        name="change-stands",
        decision="the change stands; whoever builds on it takes it in with the next sync",
        closes=True,
    ),
    # A stream that does not merge is left to do, whoever looks away.
    Kind.SEMANTIC: Default(
        name="stays-out", decision="it stays out of the result until it fits", closes=False
    ),
}


def default_for(conflict: Conflict) -> Default:
    """Return what holds when nobody decides in time; whatever was parked stays where it is kept."""
    found = _DEFAULTS[conflict.kind]
    if not conflict.salvage:
        return found
    if not found.closes:
        found = _FIRST_STANDS
    return replace(found, decision=f"{found.decision}; the change stays parked on {conflict.salvage}")


def overdue(conflict: Conflict, now: Instant) -> bool:
    """Tell whether the default of an open conflict applies: its deadline passed, or the boot it counted in is over."""
    if conflict.status is not Status.OPEN or conflict.deadline_s is None:
        return False
    return conflict.boot_id != now.boot_id or conflict.deadline_s <= now.boot_s
