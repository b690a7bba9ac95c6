"""Putting PUCS's hooks into agent programs and git, and taking them out again: what would change, before anything does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pucs.core.errors import EnvironmentFailure
from pucs.hooks import installing_claude, installing_codex, installing_git

if TYPE_CHECKING:
    from pucs.hooks.installing_files import Plan
    from pucs.hooks.installing_site import Site


_INSTALL: dict[str, Callable[[Site], Plan]] = {
    installing_claude.PROGRAM: installing_claude.install,
    installing_codex.PROGRAM: installing_codex.install,
    installing_git.PROGRAM: installing_git.install,
}
_UNINSTALL: dict[str, Callable[[Site], Plan]] = {
    installing_claude.PROGRAM: installing_claude.uninstall,
    installing_codex.PROGRAM: installing_codex.uninstall,
    installing_git.PROGRAM: installing_git.uninstall,
}
PROGRAMS = tuple(_INSTALL)
"""What hooks can be installed into."""


def to_install(program: str, at: Site) -> Plan:
    """Return what installing hooks into a program would change; see its module for what else can go wrong.

    Raises:
        EnvironmentFailure: this installation has no programs that hooks could call.
    """
    if not at.pucs or (not at.hook and program != installing_git.PROGRAM):
        raise EnvironmentFailure(
            "The programs pucs and pucs-hook are not installed, so that hooks would have nothing to call.",
            remedy="Install PUCS as a package, for example: uv tool install pucs",
        )
    return _INSTALL[program](at)


def to_uninstall(program: str, at: Site) -> Plan:
    """Return what taking them out again would change."""
    return _UNINSTALL[program](at)
