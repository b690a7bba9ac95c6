"""Lease modes and their compatibility (DESIGN §2; names from 000 §3.3 ``LOCK_TYPES``)."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """How a resource is held."""

    SHARED_READ = "SHARED_READ"
    """Many agents may hold it: "do not change this while I build on it"."""
    EXCLUSIVE = "EXCLUSIVE"
    """One agent holds it and may change it."""


def compatible(held: Mode, asked: Mode) -> bool:
    """Tell whether two different agents may hold overlapping resources in these modes."""
    return held is Mode.SHARED_READ and asked is Mode.SHARED_READ


def covers(held: Mode, asked: Mode) -> bool:
    """Tell whether an agent that holds ``held`` already has what ``asked`` would give it."""
    return held is Mode.EXCLUSIVE or held is asked
