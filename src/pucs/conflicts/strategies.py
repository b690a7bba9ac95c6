"""What each strategy means and how far it goes by itself, as data (000 §4.2 ``STRATEGIES``, 002 §8.1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pucs.conflicts.records import Kind, Strategy


class Automation(StrEnum):
    """How far a strategy goes without a person (002 §8.1)."""

    AUTO = "Auto"
    """It is carried out as soon as it is chosen."""
    SEMI_AUTO = "Semi-auto"
    """It is proposed, and carried out once those concerned accept."""
    MANUAL = "Manual"
    """Somebody has to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyText:
    """One row of the two tables."""

    meaning: str
    """000 §4.2."""
    used: str
    """When it is used (002 §8.1)."""
    automation: Automation
    action: str
    """What is done (002 §8.1)."""

    @property
    def automated(self) -> str:
        """The column Automation of 002 §8.1."""
        return f"{self.automation.value}: {self.action}"


STRATEGY_TEXTS: dict[Strategy, StrategyText] = {
    Strategy.QUEUE: StrategyText(
        meaning="Second agent waits for first to complete",
        used="File locked by another agent",
        automation=Automation.AUTO,
        action="wait for lock expiry",
    ),
    Strategy.PARTITION: StrategyText(
        meaning="Split work into non-overlapping scopes",
        used="Multiple agents need same module",
        automation=Automation.SEMI_AUTO,
        action="suggest function split",
    ),
    Strategy.MERGE: StrategyText(
        meaning="Attempt automatic merge of changes",
        used="Non-overlapping changes to same file",
        automation=Automation.AUTO,
        action="git merge (if clean)",
    ),
    Strategy.ARBITRATE: StrategyText(
        meaning="Coordinator decides which change wins",
        used="Semantic conflict",
        automation=Automation.MANUAL,
        action="coordinator decides",
    ),
    Strategy.ROLLBACK: StrategyText(
        meaning="Revert one agent's changes",
        used="Breaking change detected",
        automation=Automation.SEMI_AUTO,
        action="revert + notify",
    ),
}
"""Every strategy."""

STRATEGIES: dict[str, str] = {strategy.value: text.meaning for strategy, text in STRATEGY_TEXTS.items()}
"""The table of 000 §4.2 as it stands there."""

AUTO_RESOLUTION: dict[Kind, str] = {
    Kind.FILE_LOCK: "Queue second agent",
    Kind.DEPENDENCY: "Notify dependent agent",
    Kind.SEMANTIC: "Manual merge required",
    Kind.RESOURCE: "Rate limiting",
}
"""What is done about each kind of 000 §4.1 without being asked."""
