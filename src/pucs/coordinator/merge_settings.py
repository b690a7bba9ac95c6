"""Where git keeps what decides how files are merged."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MergeSettings:
    """The files of one repository, or of one person."""

    config: str
    """Absolute path of git's configuration file, symlinks resolved, whether it is there or not."""
    attributes: str
    """The same for the file of attributes, which counts before all others in a repository, and after them for a person."""
    others: tuple[tuple[str, str], ...] = ()
    """What the attributes would hide: directory (empty: everywhere, else with ``/`` at its end) and text of each file of
    attributes that counts less, the least first."""
