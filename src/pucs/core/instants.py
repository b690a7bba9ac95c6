"""Instants: one reading of the clocks, taken outside and passed in.

Leases expire by ``boot_s`` (CLOCK_BOOTTIME: monotonic, counts suspend, immune to wall-clock steps) together with the
boot id; wall time is only ever shown to people (DESIGN §4).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """One reading of the clocks of this host."""

    boot_id: str
    """Identifies the boot; two readings are comparable only within one."""
    boot_s: float
    """Seconds since that boot, suspend included."""
    wall_s: float
    """Seconds since 1970 UTC by the wall clock; may jump either way."""

    def wall(self, after_s: float = 0.0) -> str:
        """Return the wall time ``after_s`` seconds from this instant, ISO 8601 UTC with ``Z``."""
        return iso(self.wall_s + after_s)


@lru_cache(maxsize=64)
def iso(wall_s: float) -> str:
    """Return a wall time as ISO 8601 UTC with milliseconds and ``Z`` (DESIGN §7).

    A verb writes the same instant several times over, so the last few are remembered.
    """
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_iso(text: str) -> float:
    """Return seconds since 1970 for an ISO 8601 time; one without a zone is taken as UTC.

    Raises:
        ValueError: the text is not an ISO 8601 time.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
