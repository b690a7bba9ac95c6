"""The records of the room: findings, each with a task that would settle it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2s
from typing import TYPE_CHECKING, Final

from pucs.core.severities import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

LOCATIONS_MAX: Final = 40
"""Places named of one finding; whoever has more mends these first."""


class Kind(StrEnum):
    """What kind of disorder a finding is about."""

    SHADOWED_MODULE = "shadowed-module"
    """A module that no import can reach, because a package has its name."""
    TWIN_MODULES = "twin-modules"
    """Modules that define several classes of the same names, or are equal altogether."""
    DUPLICATE_CLASS = "duplicate-class"
    DUPLICATE_FUNCTION = "duplicate-function"
    SAME_PURPOSE = "same-purpose"
    """Definitions of different names that seem to do the same: a guess."""
    DEPRECATED_MODULE = "deprecated-module"
    RE_EXPORT = "re-export"
    """A module that only passes on what others define."""
    IMPORT_CYCLE = "import-cycle"
    """Modules that need each other while they are loaded."""
    LAZY_CYCLE = "lazy-cycle"
    """Modules that import each other, at least once only when a function is called."""
    DUPLICATE_SETTINGS = "duplicate-settings"
    HOME_PATH = "home-path"
    """A path of somebody's home directory in code or configuration."""


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place to look at."""

    file: str
    line: int = 0
    """From 1; 0: the file as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that should be put in order, and how."""

    id: str
    """Stable as long as the same definitions in the same files are meant; lines do not count."""
    kind: Kind
    severity: Severity
    """HIGH: settle it before many agents begin; MEDIUM: it will cause confusion; LOW: tidy up when there is time."""
    guess: bool
    """Follows from likeness, not from names that are equal: have a look before you believe it."""
    message: str
    locations: tuple[Location, ...]
    """Places that are in disorder, with those that rely on them; at most ``LOCATIONS_MAX``."""
    remedy: str
    """What to do, as a task."""
    weight: float = 0.0
    """Orders findings of one severity: the largest first."""


def finding(  # noqa: PLR0917 - the parts of a finding, in the order of its record
    kind: Kind,
    severity: Severity,
    key: Iterable[str],
    message: str,
    locations: Iterable[Location],
    remedy: str,
    *,
    weight: float = 0.0,
    guess: bool = False,
) -> Finding:
    """Return a finding whose id follows from its kind and a key, such as names and files."""
    digest = blake2s("\0".join(key).encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
    return Finding(
        id=f"{kind}-{digest}",
        kind=kind,
        severity=severity,
        guess=guess,
        message=message,
        locations=tuple(dict.fromkeys(locations))[:LOCATIONS_MAX],
        remedy=remedy,
        weight=weight,
    )


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in the order to look at them: urgent ones first, what is certain before guesses."""
    order = {Severity.HIGH: 0, Severity.MEDIUM: 1, Severity.LOW: 2}
    return tuple(
        sorted(findings, key=lambda one: (order[one.severity], one.guess, -one.weight, one.kind, one.id))
    )


def named(things: Iterable[str], most: int = 4) -> str:
    """Return a few things in words: ``a, b and 3 more``."""
    things = list(things)
    if len(things) <= most:
        return " and ".join(filter(None, (", ".join(things[:-1]), things[-1]))) if things else "nobody"
    return f"{', '.join(things[:most])} and {len(things) - most} more"
