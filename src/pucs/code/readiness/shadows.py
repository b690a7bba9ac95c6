"""Finds modules that no import can reach because a package of their name lies beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pucs.code.readiness.records import Finding, Kind, Location, finding
from pucs.core.severities import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pucs.code.readiness.view import View


def shadows(view: View) -> Iterator[Finding]:
    """Give every ``pkg.py`` beside ``pkg/__init__.py``."""
    for path, package in view.code.modules.shadowed().items():
        if path not in view.own:
            continue
        lines = view.code.facts[path].lines
        yield finding(
            Kind.SHADOWED_MODULE,
            Severity.HIGH,
            (path,),
            f"{path} ({lines} lines) can never be imported: {package} has its name. Whoever edits it changes nothing.",
            [Location(path, 1), Location(package, 1)],
            f"Move what is still needed of {path} into {package.rpartition('/')[0]}/, then delete {path}.",
            weight=lines,
        )
