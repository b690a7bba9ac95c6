"""Lease modes and their compatibility (DESIGN §2; names from 000 §3.3 ``LOCK_TYPES``)."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """How a resource is held."""

    SHARED_READ = "SHARED_READ"
    """Many agents may hold it: "do not change this while I build on it"."""
    INTENT = "INTENT"
    """One agent holds it and will change it next; others may still rely on it as it is."""
    EXCLUSIVE = "EXCLUSIVE"
    """One agent holds it and may change it."""


def compatible(held: Mode, asked: Mode) -> bool:
    """Tell whether two different agents may hold overlapping resources in these modes (DESIGN §2, the table)."""
    return Mode.EXCLUSIVE not in {held, asked} and Mode.SHARED_READ in {held, asked}


def covers(held: Mode, asked: Mode) -> bool:
    """Tell whether an agent that holds ``held`` already has what ``asked`` would give it."""
    return _STRENGTH[held] >= _STRENGTH[asked]


def stronger(one: Mode, other: Mode) -> Mode:
    """Return the mode that covers both."""
    return one if covers(one, other) else other


_STRENGTH = {Mode.SHARED_READ: 0, Mode.INTENT: 1, Mode.EXCLUSIVE: 2}
