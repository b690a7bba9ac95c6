"""Agents as records."""

from __future__ import annotations

import pytest

from pucs.agents.records import Agent, Phase


@pytest.mark.parametrize("phase", list(Phase))
def test_agent_is_active_until_it_ends(phase: Phase) -> None:
    """An agent counts as active in every phase but the two ends."""
    agent = Agent(id="a", session="s", incarnation=1, phase=phase)
    assert agent.active is (phase not in {Phase.RETIRED, Phase.FAILED})
