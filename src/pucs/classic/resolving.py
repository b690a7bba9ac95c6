"""``PUCSConflictResolver`` (002 §8.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pucs.conflicts.records import ConflictInfo


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
