"""What finalizing answers: which streams are in the result, which stay out and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmerged:
    """A stream that stays out of the result, intact on its branch."""

    stream: str
    reason: str
    """``gate``, ``conflict``, ``tests``, or ``depends`` for one that is built on, or leaves with, such a stream."""
    message: str
    paths: tuple[str, ...] = ()
    conflict: int = 0
    """Its conflict record; 0: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalizeResult:
    """What became of each stream, and of the target."""

    session: str
    branch: str
    """Session branch."""
    commit: str
    """What it points at."""
    phases: tuple[tuple[tuple[str, ...], ...], ...]
    """Phases of groups of streams, in order."""
    merged: tuple[str, ...] = ()
    """Streams merged by this call (in a dry run: that would merge)."""
    already: tuple[str, ...] = ()
    """Streams that were contained before, those without any work included."""
    held: tuple[Unmerged, ...] = ()
    """Streams that stay out, each with the reason."""
    tests_passed: bool | None = None
    """None: no test command, or nothing to test."""
    target: str = ""
    """Target branch asked for."""
    target_commit: str = ""
    """What the target points at now, if this call or an earlier one brought the result there."""
    how_to_take: str = ""
    """The command that takes the result, where PUCS does not do it itself."""
    dry_run: bool = False

    @property
    def unmerged(self) -> tuple[str, ...]:
        """Names of the streams that stay out."""
        return tuple(each.stream for each in self.held)

    @property
    def complete(self) -> bool:
        """Tell whether every stream asked for is in the result."""
        return not self.held
