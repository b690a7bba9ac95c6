"""``patterns``, and where else patterns are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Pucs

pytestmark = pytest.mark.git


@pytest.fixture
def contested(session: Path, pucs: Pucs) -> Path:
    """Let two agents ask for each other's file again and again."""
    pucs.ok("lock", "app/a.py", "--agent", "ada", "--stream", "app")
    for _ in range(5):
        assert pucs("lock", "lib/b.py", "--agent", "ada").status == 1
    return session


def test_a_quiet_session_has_no_patterns(session: Path, pucs: Pucs) -> None:
    """Nothing to see is said in a sentence, and the status stays 0 whatever it should fail on."""
    assert pucs.ok("patterns", "--fail-on", "low") == "No patterns.\n"
    assert pucs.json("patterns") == []
    assert "patterns" not in pucs.ok("status")


def test_a_high_conflict_rate_is_told_everywhere(contested: Path, pucs: Pucs) -> None:
    """In the list with its remedy, in the status as a count, in the report as a table."""
    said = pucs.ok("patterns")
    assert "CONFLICT_RATE" in said
    assert "CONFLICT_RATE: Adjust the boundaries" in said
    (one,) = pucs.json("patterns", "--since", "2d")
    assert (one["kind"], one["severity"], one["count"], one["files"]) == (
        "CONFLICT_RATE",
        "high",
        5,
        ["lib/b.py"],
    )
    assert len(one["evidence"]) == 5
    assert "patterns: 1 (1 high)" in pucs.ok("status")
    assert pucs.json("status")["patterns"] == {"low": 0, "medium": 0, "high": 1}
    assert "## Patterns" in pucs.ok("report")


def test_failing_is_asked_for(contested: Path, pucs: Pucs) -> None:
    """Status 0 by default, 1 from the severity that was named upwards."""
    assert pucs("patterns").status == 0
    assert pucs("patterns", "--fail-on", "high").status == 1
    assert pucs("patterns", "--since", "0s", "--fail-on", "low").status == 0
    assert pucs("patterns", "--since", "soon").status == 2
