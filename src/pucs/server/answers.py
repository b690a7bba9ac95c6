"""What tools answer: one or a few sentences for a model, then the facts as one line of JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pucs.messages.rules import quoted_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.core.errors import PucsError
    from pucs.locks.records import Lease

LISTED_MAX = 50
"""Items of one list in an answer: more is read with the command line, not by a model."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool has to say."""

    text: str
    """Sentences; words of other agents only as ``messages.rules`` quotes them."""
    document: dict[str, Any] = field(default_factory=dict)
    """The same as data."""

    def __str__(self) -> str:
        """Return what a model reads."""
        if not self.document:
            return self.text
        return f"{self.text}\n{json.dumps(self.document, ensure_ascii=False, default=str)}"


def failure(error: PucsError) -> str:
    """Return an error as a model reads it: what happened, then what to do."""
    return f"{error.message} {error.remedy}".strip()


def plain(text: str) -> str:
    """Return a sentence that may hold words of others on one line, without control characters."""
    return "".join(char if char.isprintable() else " " for char in text)


def named(names: Sequence[str]) -> str:
    """Return names for a sentence."""
    shown = ", ".join(names[:LISTED_MAX])
    return shown + (f" and {len(names) - LISTED_MAX} more" if len(names) > LISTED_MAX else "")


def lease_document(lease: Lease) -> dict[str, Any]:
    """Return a lease as it is shown to other agents."""
    return {
        "resource": lease.resource,
        "mode": lease.mode.value,
        "agent": lease.agent,
        "for": quoted_words(lease.agent, lease.task) if lease.task else "",
        "until": lease.expires_at,
    }
