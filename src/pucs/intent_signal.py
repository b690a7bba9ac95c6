"""The intent signals of the third design (002 §4.2).

They act in the repository around the current directory, or in ``PUCS_REPO``.

    from pucs.intent_signal import clear_intent, signal_intent
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pucs.classic.places import STATE_DIRECTORY, here, now_text
from pucs.classic.planning import IntentResult, signal
from pucs.conflicts.records import ConflictInfo
from pucs.coordinator import intents

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "INTENT_FILE",
    "ConflictInfo",
    "Intent",
    "IntentResult",
    "clear_intent",
    "get_active_intents",
    "signal_intent",
]

INTENT_FILE = STATE_DIRECTORY / "pucs_intents.json"
"""Where ``pucs export`` writes these intents; the truth is the store."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What one agent of a stream plans to work on."""

    agent_id: str
    stream_id: str
    files: list[str]
    description: str
    estimated_duration_min: float
    signaled_at: str = field(default_factory=now_text)
    """ISO 8601, UTC."""


def signal_intent(
    agent_id: str, stream_id: str, files: Sequence[str], description: str, estimated_duration_min: float
) -> IntentResult:
    """Signal an intent to work on files, with any conflicts found; the agent's older intent is replaced.

    Raises:
        Usage: no files, a path outside the repository, or an estimate that is no length of time.
        NotFound: there is no such stream.
        Refused: the stream has its agents already, the agent has ended, or no session is active.
    """
    return signal(here(), agent_id, stream_id, files, description=description, minutes=estimated_duration_min)


def clear_intent(agent_id: str) -> None:
    """Clear an agent's intent when its work is done; safe to repeat."""
    intents.clear(here().context, agent=agent_id)


def get_active_intents() -> list[Intent]:
    """Return the intents that count at this moment, contested ones included, earliest first."""
    return [
        Intent(
            one.agent,
            one.stream,
            list(one.resources),
            one.description,
            one.estimated_duration_s / 60,
            one.declared_at,
        )
        for one in intents.intents(here().context)
    ]
