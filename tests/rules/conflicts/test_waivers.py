"""When a waiver lets work pass a boundary."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pucs.conflicts.requests import Waiver, WaiverState, in_force, let_pass, once_let_pass
from pucs.core.instants import Instant

WAIVER = Waiver(
    id=1,
    session="S",
    resource="lib/",
    covered_by="lib",
    agent="ann",
    stream="app",
    reason="r",
    state=WaiverState.APPROVED,
    asked_by="ann",
    asked_at="",
    expires_s=100.0,
    boot_id="boot",
)
NOW = Instant(boot_id="boot", boot_s=50.0, wall_s=0.0)


@pytest.mark.parametrize(
    ("agent", "stream", "resource", "passes"),
    [
        ("ann", "app", "lib/b.py", True),
        ("ann", "app", "lib/b.py::f", True),
        ("ann", "other", "lib/", True),
        ("ann", "app", "libs/b.py", False),
        ("ann", "app", "/", False),
        ("bob", "app", "lib/b.py", False),
    ],
)
def test_a_waiver_is_for_one_agent_and_what_it_names(
    agent: str, stream: str, resource: str, *, passes: bool
) -> None:
    """A directory stands for everything below it and for nothing else."""
    assert bool(let_pass([WAIVER], agent=agent, stream=stream, resource=resource, now=NOW)) is passes


def test_a_waiver_may_be_for_a_whole_stream() -> None:
    """Every agent of it, whatever the case of its name; an agent without a stream is in none."""
    waiver = replace(WAIVER, agent="")
    assert waiver.concerns("bob", "APP", "lib/b.py")
    assert not waiver.concerns("bob", "", "lib/b.py")
    assert not replace(waiver, stream="").concerns("bob", "", "lib/b.py")


def test_a_waiver_is_in_force_until_it_expires() -> None:
    """Approved, in this boot, and not over."""
    assert in_force(WAIVER, NOW)
    assert not in_force(WAIVER, replace(NOW, boot_s=100.0))
    assert not in_force(WAIVER, replace(NOW, boot_id="another"))
    assert not in_force(replace(WAIVER, state=WaiverState.ASKED), NOW)


def test_what_was_let_pass_stays_accounted_for() -> None:
    """One that is over still explains what was leased under it; one that was refused never did."""
    late = replace(WAIVER, expires_s=1.0)
    asked = {"agent": "ann", "stream": "app", "resource": "lib/b.py"}
    assert let_pass([late], now=NOW, **asked) is None
    assert once_let_pass([late], **asked) == late
    assert once_let_pass([replace(WAIVER, state=WaiverState.REFUSED)], **asked) is None


def test_a_waiver_makes_its_own_document() -> None:
    """Readable without knowing its columns."""
    document = WAIVER.document()
    assert (document["resource"], document["state"], document["agent"]) == ("lib/", "approved", "ann")
