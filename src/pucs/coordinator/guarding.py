"""The one decision about what an agent program is about to do, the same for every program (DESIGN §5)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from pucs.agents.calls import Moment, Ruling
from pucs.coordinator import briefing, conversations, observing, stopping
from pucs.core.errors import PucsError

if TYPE_CHECKING:
    from pucs.agents.calls import Call
    from pucs.agents.records import Agent
    from pucs.coordinator.context import Context

REASON_CHARS_MAX = 4000
"""Longest reason or context of one answer: a model reads it whole, and every word of it costs."""


def guard(context: Context, call: Call) -> Ruling:
    """Decide a call of an agent program; without an active session everything is allowed in silence.

    What goes wrong on the way is told in words: before an edit it denies, at every other moment it lets pass.
    """
    with context.store.read() as tx:
        session = tx.sessions.get(context.session) if context.session else tx.sessions.active()
    if session is None:
        return Ruling()
    try:
        agent = conversations.identified(context, call)
        ruling = _ruled(context, agent, call)
        conversations.keep_alive(context, agent, context.clock.now())
        return _capped(_with(ruling, briefing.riding(context, agent)))
    except PucsError as error:
        if call.moment is Moment.BEFORE:
            return _capped(Ruling(allowed=False, reason=f"PUCS: {error}"))
        return _capped(Ruling(context=f"PUCS: {error}"))


def _ruled(context: Context, agent: Agent, call: Call) -> Ruling:
    match call.moment:
        case Moment.START:
            return briefing.begin(context, agent, call)
        case Moment.PROMPT:
            return briefing.prompted(context, agent, call)
        case Moment.BEFORE:
            return Ruling()
        case Moment.AFTER:
            return observing.observed(context, agent, call)
        case Moment.STOP:
            return stopping.stopped(context, agent, call)
        case Moment.END:
            return stopping.ended(context, agent, call)
        case _:
            assert_never(call.moment)


def _with(ruling: Ruling, told: str) -> Ruling:
    """Return a ruling that also tells something: beside an allowed call, behind the reason of a denied one."""
    if not told:
        return ruling
    if ruling.allowed:
        return replace(ruling, context=f"{ruling.context}\n\n{told}".strip())
    return replace(ruling, reason=f"{ruling.reason}\n\n{told}".strip())


def _capped(ruling: Ruling) -> Ruling:
    return replace(ruling, reason=ruling.reason[:REASON_CHARS_MAX], context=ruling.context[:REASON_CHARS_MAX])
