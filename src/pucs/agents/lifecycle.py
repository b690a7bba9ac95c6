"""The steps of an agent's life, checked (000 §6.1).

The order is a recommendation: a step out of order is taken and answered with a warning. What is refused is acting after
the end. ``REGISTER`` begins a new incarnation and is therefore allowed even then.
"""

from __future__ import annotations

from pucs.agents.records import Phase
from pucs.core.errors import Terminated

_ENDS = frozenset({Phase.RETIRED, Phase.FAILED})

_NEXT: dict[Phase, frozenset[Phase]] = {
    # An agent without a stream of its own (a person's) goes straight to its intent or its lease.
    Phase.REGISTER: frozenset({Phase.CLAIM_STREAM, Phase.SIGNAL_INTENT, Phase.ACQUIRE_LOCKS}),
    # An intent is advice; many agents take their leases right away.
    Phase.CLAIM_STREAM: frozenset({Phase.SIGNAL_INTENT, Phase.ACQUIRE_LOCKS}),
    Phase.SIGNAL_INTENT: frozenset({Phase.ACQUIRE_LOCKS}),
    # A set that was refused is planned anew; leases may be given back unused.
    Phase.ACQUIRE_LOCKS: frozenset({Phase.WORK, Phase.SIGNAL_INTENT, Phase.RELEASE_LOCKS}),
    # More leases while at work; work that came to nothing ends without a commit.
    Phase.WORK: frozenset({Phase.COMMIT, Phase.SIGNAL_INTENT, Phase.ACQUIRE_LOCKS, Phase.RELEASE_LOCKS}),
    Phase.COMMIT: frozenset({Phase.RELEASE_LOCKS, Phase.WORK, Phase.ACQUIRE_LOCKS}),
    # The next piece of the same task, another stream, or the report.
    Phase.RELEASE_LOCKS: frozenset({
        Phase.REPORT,
        Phase.SIGNAL_INTENT,
        Phase.ACQUIRE_LOCKS,
        Phase.CLAIM_STREAM,
        Phase.HANDOFF,
    }),
    # The next task.
    Phase.REPORT: frozenset({Phase.HANDOFF, Phase.CLAIM_STREAM, Phase.SIGNAL_INTENT, Phase.ACQUIRE_LOCKS}),
    Phase.HANDOFF: frozenset({Phase.CLAIM_STREAM, Phase.SIGNAL_INTENT, Phase.ACQUIRE_LOCKS}),
}


def advance(phase: Phase, to: Phase) -> tuple[Phase, str | None]:
    """Return the new phase, and a warning if it is out of order.

    Staying in a phase and ending from any phase are in order.

    Raises:
        Terminated: the agent has ended and ``to`` is neither an end nor a new registration.
    """
    if phase in _ENDS:
        if to in _ENDS:
            return phase, None
        if to is Phase.REGISTER:
            return to, None
        raise Terminated(
            f"The agent has ended ({phase.value}) and cannot go on to {to.value}.",
            remedy="Register it again first.",
        )
    if to is phase or to in _ENDS or to in _NEXT[phase]:
        return to, None
    expected = ", ".join(step.value for step in Phase if step in _NEXT[phase])
    return to, f"{to.value} is out of order after {phase.value}; expected {expected}"
