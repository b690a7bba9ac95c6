"""The record of a message, and the nineteen kinds there are (000 §6.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

COORDINATOR = "pucs"
"""Name under which the coordinator sends and is written to; no agent can have it."""


class AgentMessage(StrEnum):
    """From an agent to the coordinator, some also to other agents."""

    REGISTER = "register"
    """Starts up."""
    CLAIM_STREAM = "claim_stream"
    """Wants to work for a stream."""
    SIGNAL_INTENT = "signal_intent"
    """Says what it is going to change."""
    ACQUIRE_LOCK = "acquire_lock"
    """Wants a lease."""
    RELEASE_LOCK = "release_lock"
    """Gives a lease up."""
    LOG_ACTION = "log_action"
    """Tells what it did."""
    REPORT_CONFLICT = "report_conflict"
    """Has met a conflict that nobody has noticed yet."""
    REQUEST_HELP = "request_help"
    """Cannot go on alone."""
    COMPLETE_TASK = "complete_task"
    """Has finished a task."""
    HANDOFF = "handoff"
    """Hands its work over."""


class CoordinatorMessage(StrEnum):
    """From the coordinator to an agent."""

    REGISTERED = "registered"
    """It is known now."""
    STREAM_ASSIGNED = "stream_assigned"
    """It works for a stream now."""
    LOCK_GRANTED = "lock_granted"
    """The lease it waited for is its own."""
    LOCK_DENIED = "lock_denied"
    """The lease it waited for will not come, with the reason."""
    CONFLICT_ALERT = "conflict_alert"
    """It is a party of a conflict that somebody else met."""
    TASK_ASSIGNED = "task_assigned"
    """There is a task for it."""
    PAUSE = "pause"
    """It has to stop for now."""
    RESUME = "resume"
    """It may go on."""
    TERMINATE = "terminate"
    """It has to end."""


class MessageKind(StrEnum):
    """Every kind, whoever sends it; equal to the member of the same value in the two enums above."""

    REGISTER = AgentMessage.REGISTER.value
    CLAIM_STREAM = AgentMessage.CLAIM_STREAM.value
    SIGNAL_INTENT = AgentMessage.SIGNAL_INTENT.value
    ACQUIRE_LOCK = AgentMessage.ACQUIRE_LOCK.value
    RELEASE_LOCK = AgentMessage.RELEASE_LOCK.value
    LOG_ACTION = AgentMessage.LOG_ACTION.value
    REPORT_CONFLICT = AgentMessage.REPORT_CONFLICT.value
    REQUEST_HELP = AgentMessage.REQUEST_HELP.value
    COMPLETE_TASK = AgentMessage.COMPLETE_TASK.value
    HANDOFF = AgentMessage.HANDOFF.value
    REGISTERED = CoordinatorMessage.REGISTERED.value
    STREAM_ASSIGNED = CoordinatorMessage.STREAM_ASSIGNED.value
    LOCK_GRANTED = CoordinatorMessage.LOCK_GRANTED.value
    LOCK_DENIED = CoordinatorMessage.LOCK_DENIED.value
    CONFLICT_ALERT = CoordinatorMessage.CONFLICT_ALERT.value
    TASK_ASSIGNED = CoordinatorMessage.TASK_ASSIGNED.value
    PAUSE = CoordinatorMessage.PAUSE.value
    RESUME = CoordinatorMessage.RESUME.value
    TERMINATE = CoordinatorMessage.TERMINATE.value


WORDS = frozenset({
    MessageKind.LOG_ACTION,
    MessageKind.REPORT_CONFLICT,
    MessageKind.REQUEST_HELP,
    MessageKind.HANDOFF,
})
"""Kinds that an agent sends as words; what the others ask for is done by a verb."""


class Ending(StrEnum):
    """Why a message is not delivered any more."""

    ACKNOWLEDGED = "acknowledged"
    """Its receiver said that it has read it."""
    EXPIRED = "expired"
    """Its time was over before anybody acknowledged it."""
    UNANSWERED = "unanswered"
    """Delivered as often as allowed, and never acknowledged."""
    SUPERSEDED = "superseded"
    """What it said is not true any more, as PAUSE after RESUME."""
    DISPLACED = "displaced"
    """The inbox was full, and the coordinator had something newer to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one receiver; a broadcast is one for each."""

    id: int = 0
    """Order in the store; 0 while not recorded."""
    session: str
    kind: MessageKind
    sender: str
    """Agent id, or ``pucs``."""
    to: str
    """Agent id, or ``pucs``."""
    text: str = ""
    """The sender's words, as they were; never shown to an agent but by ``rules.quoted``."""
    details: dict[str, Any] = field(default_factory=dict)
    """Facts for programs, as JSON."""
    conflict: int = 0
    """Conflict record it is about, 0 if none."""
    about: str = ""
    """What it is about, where saying it once is enough while nobody has acknowledged it."""
    boot_id: str
    """Boot whose clock the ``_s`` fields are read on."""
    expires_s: float
    """Boot seconds after which it is not delivered any more."""
    sent_at: str
    """Wall time."""
    delivered_s: float | None = None
    """Boot seconds of the last delivery; None: not delivered yet."""
    delivered_at: str = ""
    """Wall time of the last delivery."""
    deliveries: int = 0
    """How often it was delivered."""
    ending: Ending | None = None
    """Why it is not delivered any more; None while it is open."""
    ended_at: str = ""
    """Wall time of that."""

    def document(self) -> dict[str, Any]:
        """Return the message as its JSON document; its text stands there as data."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "from": self.sender,
            "to": self.to,
            "text": self.text,
            "details": self.details,
            "conflict": self.conflict,
            "sent_at": self.sent_at,
            "delivered_at": self.delivered_at,
            "deliveries": self.deliveries,
            "acknowledged_at": self.ended_at if self.ending is Ending.ACKNOWLEDGED else "",
            "ending": self.ending.value if self.ending else None,
        }
