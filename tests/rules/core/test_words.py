"""Ids, instants and processes: small values that everything else is compared by."""

from __future__ import annotations

import pytest

from pucs.core.ids import epoch_of, token
from pucs.core.instants import Instant, iso, parse_iso
from pucs.core.processes import Process


def test_a_wall_time_is_written_in_utc_with_milliseconds() -> None:
    """Whatever zone the machine is in."""
    now = Instant(boot_id="b", boot_s=5.0, wall_s=1_765_015_200.0)
    assert now.wall() == "2025-12-06T10:00:00.000Z"
    assert now.wall(0.25) == iso(1_765_015_200.25) == "2025-12-06T10:00:00.250Z"


@pytest.mark.parametrize("text", ["2025-12-06T10:00:00Z", "2025-12-06T11:00:00+01:00", "2025-12-06T10:00:00"])
def test_a_written_time_is_read_whatever_its_zone(text: str) -> None:
    """One without a zone is taken as UTC, so that two machines agree."""
    assert parse_iso(text) == 1_765_015_200.0


def test_what_is_no_time_is_refused() -> None:
    """A value error, for the door to put into words."""
    with pytest.raises(ValueError, match="yesterday"):
        parse_iso("yesterday")


@pytest.mark.parametrize("host", ["host", "a host with spaces", ""])
def test_a_process_comes_back_as_it_was_written(host: str) -> None:
    """Host names may hold anything but a line break."""
    process = Process(host, "boot", 7, 8, 9)
    assert Process.decode(process.encode()) == process


def test_what_is_no_process_is_refused() -> None:
    """A damaged row is an error, not a process."""
    with pytest.raises(ValueError, match="not enough values"):
        Process.decode("boot 1")


def test_tokens_order_by_epoch_and_then_by_number() -> None:
    """A later epoch is newer than any number of an earlier one."""
    assert token(1, 2**32 - 1) < token(2, 1)
    assert epoch_of(token(3, 9)) == 3
