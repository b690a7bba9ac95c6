"""How urgent something is: conflicts, warnings and patterns speak of it in the same words."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """How urgent it is, from the least to the most (001 §3.5)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
