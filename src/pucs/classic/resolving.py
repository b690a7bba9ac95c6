"""``ConflictResolver`` (000 §4.2) and ``PUCSConflictResolver`` (002 §8.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from pucs.classic.places import here
from pucs.conflicts.records import (
    Change,
    Conflict,
    ConflictInfo,
    Kind,
    MergeResult,
    Resolution,
    Severity,
    Status,
)
from pucs.conflicts.rules import Facts, strategy_for
from pucs.conflicts.strategies import STRATEGIES
from pucs.coordinator import resolving

if TYPE_CHECKING:
    from pathlib import Path


class ConflictResolver:
    """Resolves conflicts between agents that work in parallel; whatever is chosen, both sides' work survives."""

    STRATEGIES: ClassVar[dict[str, str]] = STRATEGIES

    def __init__(self, repo: str | Path = "", store: str = "", session: str = "") -> None:
        """Act in the repository that is named, else in ``PUCS_REPO``, else around the current directory.

        Raises:
            EnvironmentFailure: not a git repository, or there is no store; the message says what to do.
        """
        self._place = here(repo, store, session)

    def resolve(self, conflict: ConflictInfo | Conflict) -> Resolution:
        """Resolve a conflict by the first strategy that fits: by itself, by dividing, by merging, else QUEUE or ARBITRATE.

        What was only looked at and has no record is not decided: the answer says which strategy fits.

        Raises:
            NotFound: its record is gone.
            Refused: it was decided before, or somebody holds what a merge would change.
        """
        number = conflict.id if isinstance(conflict, Conflict) else conflict.conflict
        if number:
            return resolving.resolve(self._place.context, conflict=number)
        plan = strategy_for(_unrecorded(conflict), Facts())
        return Resolution(
            conflict=0,
            strategy=plan.strategy,
            status=Status.OPEN,
            message=f"{STRATEGIES[plan.strategy.value]}. Nothing is recorded yet, so nothing was decided.",
        )

    def auto_merge(self, file_path: str, change_a: Change, change_b: Change) -> MergeResult:
        """Merge two changes of one version of a file, if they touch different lines and different definitions.

        Nothing is written. What cannot be merged cleanly is not merged at all; the reason says why.
        """
        if change_a.before != change_b.before:
            return MergeResult(success=False, reason="the two changes do not start from the same version")
        return resolving.auto_merge(
            self._place.context, file_path, change_a.before, change_a.after, change_b.after
        )


def _unrecorded(told: ConflictInfo | Conflict) -> Conflict:
    if isinstance(told, Conflict):
        return told
    return Conflict(
        session="",
        kind=Kind(told.kind),
        severity=Severity.LOW,
        status=Status.OPEN,
        parties=(told.holder_agent,),
        resources=tuple(told.file_path.split(", ")),
        opened_at="",
    )


class FallbackRouter(Protocol):
    """Whatever knows what to do when a stream cannot be waited for."""

    def get_fallback_suggestion(self, stream: str) -> str:
        """Return what to do instead of reaching into a stream, in one sentence."""
        ...


class PUCSConflictResolver:
    """Says in one sentence what to do about a conflict; decides and records nothing."""

    def __init__(self, fallback_router: FallbackRouter) -> None:
        """Take any object with ``get_fallback_suggestion(stream)``; it is asked about dependencies."""
        self.fallback = fallback_router

    def resolve(self, conflict: ConflictInfo) -> str:
        """Return the advice of 002 §8.2 for a conflict, by its ``conflict_type``."""
        if conflict.conflict_type == "LOCKED":
            return f"QUEUE: Wait for {conflict.holder_agent}'s lock to expire"
        if conflict.conflict_type == "INTENT_OVERLAP":
            return f"PARTITION: Coordinate with {conflict.holder_agent}"
        if conflict.conflict_type == "DEPENDENCY":
            return self.fallback.get_fallback_suggestion(conflict.holder_stream)
        return "MANUAL: Requires coordinator intervention"
