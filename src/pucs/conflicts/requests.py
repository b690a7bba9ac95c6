"""Work outside one's boundary: when a waiver lets it pass (000 §11; REQUIREMENTS A16)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pucs.core.resources import contains

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pucs.core.instants import Instant


class WaiverState(StrEnum):
    """Where a waiver stands."""

    ASKED = "asked"
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Leave for an agent, or a whole stream, to change what another stream covers."""

    id: int = 0
    """0 while not recorded."""
    session: str
    resource: str
    """Canonical; a directory stands for everything below it."""
    covered_by: str
    """The stream whose boundary it opens."""
    agent: str = ""
    """Who may cross; empty: every agent of ``stream``."""
    stream: str = ""
    """The stream it works for; empty: none."""
    reason: str
    state: WaiverState = WaiverState.ASKED
    asked_by: str = ""
    """Agent that asked; empty: whoever runs the session."""
    asked_at: str
    """Wall time."""
    decided_by: str = ""
    decided_at: str = ""
    """Wall time."""
    expires_s: float = 0.0
    """Boot seconds at which an approved one ends."""
    boot_id: str = ""
    """Boot of that reading."""
    expires_at: str = ""
    """The same as wall time, for people."""
    conflict: int = 0
    """The boundary conflict that led to it, 0 if there was none."""

    def concerns(self, agent: str, stream: str, resource: str) -> bool:
        """Tell whether it is about this resource in these hands."""
        if self.agent:
            mine = self.agent == agent
        else:
            mine = bool(stream) and self.stream.casefold() == stream.casefold()
        return mine and contains(self.resource, resource)

    def document(self) -> dict[str, Any]:
        """Return the waiver as its JSON document."""
        return {
            "id": self.id,
            "resource": self.resource,
            "covered_by": self.covered_by,
            "agent": self.agent,
            "stream": self.stream,
            "reason": self.reason,
            "state": self.state.value,
            "asked_by": self.asked_by,
            "asked_at": self.asked_at,
            "decided_by": self.decided_by,
            "expires_at": self.expires_at,
            "conflict": self.conflict,
        }


def in_force(waiver: Waiver, now: Instant) -> bool:
    """Tell whether a waiver lets work pass now: approved in this boot and not over."""
    return (
        waiver.state is WaiverState.APPROVED
        and waiver.boot_id == now.boot_id
        and now.boot_s < waiver.expires_s
    )


def let_pass(
    waivers: Iterable[Waiver], *, agent: str, stream: str, resource: str, now: Instant
) -> Waiver | None:
    """Return the waiver that lets an agent of a stream change a resource now, None if there is none."""
    return next(
        (waiver for waiver in waivers if waiver.concerns(agent, stream, resource) and in_force(waiver, now)),
        None,
    )


def once_let_pass(waivers: Iterable[Waiver], *, agent: str, stream: str, resource: str) -> Waiver | None:
    """Return the waiver that lets a change pass, or did: what was leased under it may land when it is over."""
    return next(
        (
            waiver
            for waiver in waivers
            if waiver.state is WaiverState.APPROVED and waiver.concerns(agent, stream, resource)
        ),
        None,
    )
