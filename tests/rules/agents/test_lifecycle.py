"""The lifecycle of an agent: order is advice, the end is not."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pucs.agents.lifecycle import advance
from pucs.agents.records import Phase
from pucs.core.errors import Terminated

STEPS = [phase for phase in Phase if phase not in {Phase.RETIRED, Phase.FAILED}]


@pytest.mark.parametrize(("phase", "to"), list(pairwise(STEPS)))
def test_steps_follow_in_order(phase: Phase, to: Phase) -> None:
    """Each step of the seeds' list may follow the one before it."""
    assert advance(phase, to) == (to, None)


@pytest.mark.parametrize(
    ("phase", "to"),
    [
        (Phase.RELEASE_LOCKS, Phase.SIGNAL_INTENT),
        (Phase.RELEASE_LOCKS, Phase.ACQUIRE_LOCKS),
        (Phase.REPORT, Phase.CLAIM_STREAM),
        (Phase.REPORT, Phase.ACQUIRE_LOCKS),
        (Phase.HANDOFF, Phase.CLAIM_STREAM),
        (Phase.WORK, Phase.ACQUIRE_LOCKS),
        (Phase.COMMIT, Phase.WORK),
        (Phase.CLAIM_STREAM, Phase.ACQUIRE_LOCKS),
        (Phase.WORK, Phase.WORK),
    ],
)
def test_natural_loops_are_in_order(phase: Phase, to: Phase) -> None:
    """More leases, the next piece and the next task come without a warning."""
    assert advance(phase, to) == (to, None)


@pytest.mark.parametrize(
    ("phase", "to"),
    [(Phase.REGISTER, Phase.COMMIT), (Phase.WORK, Phase.REGISTER), (Phase.SIGNAL_INTENT, Phase.REPORT)],
)
def test_out_of_order_step_warns(phase: Phase, to: Phase) -> None:
    """A step out of order is taken, and the warning says what was expected."""
    reached, warning = advance(phase, to)
    assert reached is to
    assert warning
    assert warning.startswith(f"{to} is out of order after {phase}; expected ")


@pytest.mark.parametrize("phase", STEPS)
@pytest.mark.parametrize("end", [Phase.RETIRED, Phase.FAILED])
def test_any_step_may_be_the_last(phase: Phase, end: Phase) -> None:
    """An agent may end from anywhere."""
    assert advance(phase, end) == (end, None)


@pytest.mark.parametrize("end", [Phase.RETIRED, Phase.FAILED])
def test_ended_agent_may_not_act(end: Phase) -> None:
    """After the end every step but a new registration is refused, and the first end stays."""
    with pytest.raises(Terminated, match="Register it again"):
        advance(end, Phase.WORK)
    assert advance(end, Phase.REGISTER) == (Phase.REGISTER, None)
    assert advance(end, Phase.FAILED) == (end, None)
