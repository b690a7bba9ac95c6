"""Where hooks are installed, and which programs they call."""

from __future__ import annotations

import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.hooks import place

if TYPE_CHECKING:
    from pucs.coordinator.ports import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One repository, and this installation of PUCS."""

    repository: Repository
    hook: str
    """Absolute path of the ``pucs-hook`` script; empty: this installation has none."""
    pucs: str
    """Absolute path of the ``pucs`` program; empty: there is none."""


def site(repository: Repository) -> Site:
    """Return where hooks of a repository go, with the programs of this installation."""
    hook, beside = place(), Path(sysconfig.get_path("scripts"), "pucs")
    pucs = str(beside) if beside.exists() else shutil.which("pucs") or ""
    return Site(repository=repository, hook=str(hook) if hook.exists() else "", pucs=pucs)
